"""Marks that several recorders hold: presses of a button, triggers, written marks; and the place they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality
from cueflow.tasks.clock.offsets import UNSEEN_PPM, WITHIN_S, Offset

TRIGGERS = frozenset(
    {"trigger", "triggers", "trig", "marker", "markers", "event", "events", "stim", "ttl", "sync", "tag"}
)
"""Columns of a table that hold marks, by name: letters only, any case."""
OWN_MARK = "mark"
"""Label of the marks that a recording itself holds; texts beside them are not read."""
_CODES = 32  # a column of more different values is a voltage
_MOST = 2000
_FEWEST = 3
_SHARE = 0.5  # of the marks that both could have
_MATCH_S = 0.25
_SURROGATES = 19
_FINEST_S = 0.005
_DRIFT_MARKS, _DRIFT_S = 5, 300.0


def marks_of(path: Path, *, sampling_rate: float | None = None) -> FloatArray:
    """Marks that a recording of signals holds besides its samples.

    Parameters
    ----------
    path : Path
        E4 export (tags), XDF (streams of markers), EDF+ (annotations), or a table with a column called trigger, marker,
        event, stim, ttl, sync or tag.
    sampling_rate : float, optional
        As the manifest declares it, Hz.

    Returns
    -------
    ndarray, shape (n,)
        In s on the file's own clock, increasing; empty where there are none, or they cannot be read.
    """
    from cueflow.tasks.ingest.formats.e4 import is_e4, read_e4_marks
    from cueflow.tasks.ingest.formats.edf import read_edf_marks
    from cueflow.tasks.ingest.formats.xdf import read_xdf_marks

    suffix = path.suffix.lower()
    try:
        if suffix == ".zip" or (suffix == ".csv" and is_e4(path)):
            found = read_e4_marks(path)
        elif suffix == ".xdf":
            found = read_xdf_marks(path)
        elif suffix in {".edf", ".bdf"}:
            found = read_edf_marks(path)
        else:
            found = _triggers(path, sampling_rate)
    except StreamError:  # the samples can be read, or nobody would ask: the marks are an extra
        return np.zeros(0)
    return found[:_MOST]


def _triggers(path: Path, sampling_rate: float | None) -> FloatArray:
    from cueflow.tasks.ingest.formats.sidecars import is_physio, read_sidecar
    from cueflow.tasks.ingest.signals import read_signal
    from cueflow.tasks.ingest.tabular.tables import parquet_names
    from cueflow.tasks.ingest.tabular.text import head_of, layout_of

    if path.suffix.lower() == ".parquet":
        names = parquet_names(path)
    elif is_physio(path):
        names = read_sidecar(path).columns
    elif path.suffix.lower() in {".csv", ".tsv", ".txt", ".gz"}:
        names = layout_of(head_of(path)).names
    else:
        return np.zeros(0)
    wanted = [n for n in names if "".join(c for c in n.casefold() if c.isalpha()) in TRIGGERS]
    if not wanted:
        return np.zeros(0)
    # a breathing wave may have any unit, and so may a trigger
    signal = read_signal(path, modality=Modality.RESPIRATION, channel=wanted[0], sampling_rate=sampling_rate)
    return signal.times_s[rising(signal.values)]


def rising(values: FloatArray) -> NDArray[np.int64]:
    """Where a trigger goes on.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Codes, of which the usual one means that nothing happens, or a voltage; NaN counts as the usual one.

    Returns
    -------
    ndarray of int, shape (m,)
        Indices of the first sample of each mark; a file that begins inside a mark has none there.
    """
    known = values[np.isfinite(values)]
    if not len(known) or known.min() == known.max():
        return np.zeros(0, dtype=np.int64)
    kinds, counts = np.unique(known, return_counts=True)
    rest = float(kinds[counts.argmax()])
    filled = np.where(np.isfinite(values), values, rest)
    coded = len(kinds) <= _CODES
    on = filled != rest if coded else filled > (known.min() + known.max()) / 2
    return np.asarray(np.flatnonzero(on[1:] & ~on[:-1]) + 1, dtype=np.int64)


def marks_offset(
    reference_s: FloatArray,
    other_s: FloatArray,
    *,
    within_s: float = WITHIN_S,
    extent_s: tuple[float, float] | None = None,
    seed: int = 0,
) -> Offset | None:
    """Place of a recorder whose marks another one has too.

    Every pair of marks proposes an offset; the one that brings most marks together counts if it does better than any of
    19 sets of as many marks at random, and brings two marks more together than the next best place.

    Parameters
    ----------
    reference_s, other_s : ndarray, shape (n,), (m,)
        Increasing times of marks, each on its own clock, s.
    within_s : float, optional
        Largest offset that is searched, s.
    extent_s : tuple of float, optional
        Start and end of the other recording, for which the interval is stated; default: its marks'.
    seed : int, optional
        Of the random marks.

    Returns
    -------
    Offset or None
        None for fewer than three marks together, or less than half of those that could be. A drift is estimated from
        five marks over five minutes on.
    """
    if min(len(reference_s), len(other_s)) < _FEWEST:
        return None
    best, lag_s, next_best = _most_together(reference_s, other_s, within_s)
    rng = np.random.default_rng(seed)
    span = (float(other_s[0]), float(other_s[-1]))
    chance = [
        _most_together(reference_s, np.sort(rng.uniform(*span, len(other_s))), within_s)[0] for _ in range(_SURROGATES)
    ]
    moved = other_s + lag_s
    possible = min(
        ((moved >= reference_s[0] - _MATCH_S) & (moved <= reference_s[-1] + _MATCH_S)).sum(),
        ((reference_s >= moved[0] - _MATCH_S) & (reference_s <= moved[-1] + _MATCH_S)).sum(),
    )
    if best < max(_FEWEST, _SHARE * possible) or best <= max(chance) or best < next_best + 2:
        return None
    near = nearest(reference_s, moved)
    together = np.abs(near - moved) <= _MATCH_S
    return _through(other_s[together], (near - other_s)[together], extent_s or span)


def _most_together(reference: FloatArray, other: FloatArray, within_s: float) -> tuple[int, float, int]:
    """How many marks the best offset brings together, that offset, and how many the next best one, a second away."""
    lags = (reference[:, None] - other[None, :]).ravel()
    lags = np.sort(lags[np.abs(lags) <= within_s])
    if not len(lags):
        return 0, 0.0, 0
    first = np.searchsorted(lags, lags - _MATCH_S / 2)
    last = np.searchsorted(lags, lags + _MATCH_S / 2, side="right")
    counts = last - first
    k = int(np.argmax(counts))
    lag = float(np.median(lags[first[k] : last[k]]))
    return int(counts[k]), lag, int(counts[np.abs(lags - lag) > 1.0].max(initial=0))


def nearest(sorted_s: FloatArray, times: FloatArray) -> FloatArray:
    """The nearest of some times to each of others.

    Parameters
    ----------
    sorted_s : ndarray, shape (n,)
        Increasing, n > 1.
    times : ndarray, shape (m,)
        Any.

    Returns
    -------
    ndarray, shape (m,)
    """
    at = np.clip(np.searchsorted(sorted_s, times), 1, len(sorted_s) - 1)
    return np.asarray(np.where(times - sorted_s[at - 1] < sorted_s[at] - times, sorted_s[at - 1], sorted_s[at]))


def _through(times: FloatArray, lags: FloatArray, extent_s: tuple[float, float]) -> Offset:
    """A line through the lags, with the 95 % interval of least squares for both ends of the recording at once."""
    from scipy.special import stdtrit

    n, length = len(times), float(np.ptp(times))
    middle = float(times.mean())
    sloped = n >= _DRIFT_MARKS and length >= _DRIFT_S
    slope = float(np.polyfit(times - middle, lags, 1)[0]) if sloped else 0.0
    level = float(lags.mean())
    rest = lags - level - slope * (times - middle)
    freedom = n - 1 - sloped
    error = float(np.sqrt((rest**2).sum() / freedom))
    leverage = 1.0 / n + (
        float((max(abs(end - middle) for end in extent_s) ** 2) / ((times - middle) ** 2).sum()) if sloped else 0.0
    )
    unseen = 0.0 if sloped else UNSEEN_PPM * 1e-6 * max(abs(end - middle) for end in extent_s)
    half = float(stdtrit(freedom, 0.9875)) * error * float(np.sqrt(leverage))
    return Offset(level - slope * middle, 1e6 * slope, float(np.sqrt(half**2 + unseen**2 + _FINEST_S**2)), n, "marks")
