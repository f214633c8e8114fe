"""Marks that several recorders hold: presses of a button, triggers, written marks; and the place they give."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality
from cueflow.tasks.clock.jumps import JUMP_S
from cueflow.tasks.clock.lines import DRIFT_PPM, UNSEEN_PPM, Jump, Offset
from cueflow.tasks.clock.offsets import WITHIN_S
from cueflow.tasks.ingest.held import Decoded, Numbers, blocks

TRIGGERS = frozenset(
    {"trigger", "triggers", "trig", "marker", "markers", "event", "events", "stim", "ttl", "sync", "tag"}
)
"""Columns of a table that hold marks, by name: letters only, any case."""
_Met = tuple[FloatArray, FloatArray]
"""Times of marks on the other's clock that came together with the reference's, and how much later those stand, s."""
OWN_MARK = "mark"
"""Label of the marks that a recording itself holds; texts beside them are not read."""
_CODES = 32  # a column of more different values is a voltage
_MOST = 2000
_FEWEST = 3
_SHARE = 0.5  # of the marks that both could have
_MORE = 3  # marks that a jump has to explain
_CUTS = 64  # places where it is looked for
_PAIR = 2  # marks beside a jump, if they are as far apart as the reference's to
_PAIR_S = 0.1  # a part has no other such pair so near
_BARE = 1 / 3  # of what both recorded may lie before or after all marks: a jump there would not be seen
_STEP_MARKS, _STEP_CHANCE = 6, 0.001  # from so many on a small step is looked for, and found by chance so often
_LEAST_STEP_S = 0.03
_MATCH_S = 0.25
_SURROGATES = 19
_FINEST_S = 0.005
_DRIFT_MARKS, _DRIFT_S = 5, 300.0


def marks_of(path: Path, *, sampling_rate: float | None = None) -> FloatArray:
    """Marks that a recording of signals holds besides its samples.

    Parameters
    ----------
    path : Path
        E4 export (tags), XDF (streams of markers), EDF+ (annotations), .acq (event markers), or a table with a column
        called trigger, marker, event, stim, ttl, sync or tag.
    sampling_rate : float, optional
        As the manifest declares it, Hz.

    Returns
    -------
    ndarray, shape (n,)
        In s on the file's own clock, increasing; empty where there are none, or they cannot be read.
    """
    from cueflow.tasks.ingest.formats.acq import read_acq_marks
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
        elif suffix == ".acq":
            found = read_acq_marks(path)
        else:
            found = _triggers(path, sampling_rate)
    except StreamError:  # the samples can be read, or nobody would ask: the marks are an extra
        return np.zeros(0)
    return found[:_MOST]


def _triggers(path: Path, sampling_rate: float | None) -> FloatArray:
    from cueflow.tasks.ingest.formats.sidecars import is_physio, read_sidecar
    from cueflow.tasks.ingest.signals import open_signal
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
    signal = open_signal(path, modality=Modality.RESPIRATION, channel=wanted[0], sampling_rate=sampling_rate)
    at = rising(Decoded(signal.n, lambda first, last: signal.part(first, last).values))
    return np.array([signal.part(k, k + 1).times_s[0] for k in at[:_MOST].tolist()], dtype=np.float64)


def rising(values: Numbers) -> NDArray[np.int64]:
    """Where a trigger goes on.

    Parameters
    ----------
    values : Numbers
        Codes, of which the usual one means that nothing happens, or a voltage; NaN counts as the usual one.

    Returns
    -------
    ndarray of int, shape (m,)
        Indices of the first sample of each mark; a file that begins inside a mark has none there.
    """
    counts, least, most = Counter[float](), np.inf, -np.inf
    for block in blocks(values):
        known = block[np.isfinite(block)]
        least, most = float(np.min(known, initial=least)), float(np.max(known, initial=most))
        if len(counts) <= _CODES:
            kinds, often = np.unique(known, return_counts=True)
            counts.update(dict(zip(kinds[: _CODES + 1].tolist(), often.tolist(), strict=False)))
    if least >= most:
        return np.zeros(0, dtype=np.int64)
    rest, coded = counts.most_common(1)[0][0], len(counts) <= _CODES
    found, done, was = [np.zeros(0, dtype=np.int64)], 0, True
    for block in blocks(values):
        filled = np.where(np.isfinite(block), block, rest)
        on = filled != rest if coded else filled > (least + most) / 2
        found.append(np.flatnonzero(on & ~np.concatenate([[was], on[:-1]])) + done)
        done, was = done + len(block), bool(on[-1])
    return np.concatenate(found)


def marks_offset(
    reference_s: FloatArray,
    other_s: FloatArray,
    *,
    within_s: float = WITHIN_S,
    extents_s: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
    seed: int = 0,
) -> Offset | None:
    """Place of a recorder whose marks another one has too.

    Every pair of marks proposes an offset; the one that brings most marks together counts if it does better than any of
    19 sets of as many marks at random, and brings two marks more together than the next best place. Where both parts of
    the recording have such a place, and together bring three marks more together than one place does, its clock jumped.
    Of a part of two marks, both have to be as far apart as two of the reference's within a minute, and no others.

    Parameters
    ----------
    reference_s, other_s : ndarray, shape (n,), (m,)
        Increasing times of marks, each on its own clock, s.
    within_s : float, optional
        Largest offset that is searched, s.
    extents_s : tuple, optional
        Start and end of the other recording, for which the interval is stated, and of the reference; default: their
        marks'.
    seed : int, optional
        Of the random marks.

    Returns
    -------
    Offset or None
        None for fewer than three marks together, or less than half of those that could be. A drift is estimated from
        five marks over five minutes on. None too where a jump may hide: both recorders hold a mark before or after all
        that come together, or two between them; or more than a third of what both recorded has no mark before it, or
        none after it. A jump of less than what still comes together is found by least squares. A jump is said to lie
        in the middle between the marks around it.
    """
    if min(len(reference_s), len(other_s)) < _FEWEST:
        return None
    rng = np.random.default_rng(seed)
    extent = extents_s[0] or (float(other_s[0]), float(other_s[-1]))
    known = extents_s[1] or (float(reference_s[0]), float(reference_s[-1]))
    whole = _together(reference_s, other_s, within_s, rng)
    parts = _split(reference_s, other_s, within_s, rng)
    before = 0
    if parts is not None and _says_more(parts, whole):
        before = len(parts[0][0])
        whole = np.concatenate([parts[0][0], parts[1][0]]), np.concatenate([parts[0][1], parts[1][1]])
    if whole is None or _bare(whole, extent, known):
        return None
    before = before or _step(*whole)
    if min(before, len(whole[0]) - before) == 1 or _strays(reference_s, other_s, whole, before):
        return None
    return _through(*whole, extent, before=before)


def _says_more(parts: tuple[_Met, _Met], whole: _Met | None) -> bool:
    """Whether two places explain enough more marks than one."""
    one = 0 if whole is None else len(whole[0])
    more = min(_MORE, *(len(times) for times, _ in parts))
    return sum(len(times) for times, _ in parts) >= more + one


def _strays(reference: FloatArray, other: FloatArray, met: _Met, before: int) -> bool:
    """Whether both recorders hold marks that did not come together, between two that did, or before or after all.

    One such mark of each may be two different ones, unless it is where the clock jumped, after `before` marks.
    """
    ours, theirs = met[0] + met[1], met[0]
    left = np.array([_counts(ours, reference), _counts(theirs, other)]).min(axis=0)
    return bool(max(left[0], left[-1], left[before]) > 0 or left.max() > 1)


def _counts(met: FloatArray, marks: FloatArray) -> NDArray[np.int64]:
    """How many other marks lie before the first, between two, and after the last of those that came together."""
    at = np.sort(met)
    lone = marks[np.abs(nearest(at, marks) - marks) > 1e-6]  # sums of times are not exact
    return np.bincount(np.searchsorted(at, lone), minlength=len(at) + 1)


def _bare(met: _Met, extent: tuple[float, float], known: tuple[float, float]) -> bool:
    """Whether too much of what both recorded lies before, or after, all marks that came together."""
    times, lags = met
    first, last = max(extent[0], known[0] - float(lags[0])), min(extent[1], known[1] - float(lags[-1]))
    return max(float(times[0]) - first, last - float(times[-1])) > _BARE * (last - first)


def _together(reference: FloatArray, other: FloatArray, within_s: float, rng: np.random.Generator) -> _Met | None:
    """Times of the marks that the best place brings together, and how much later the reference's stand."""
    best, lag_s, next_best = _most_together(reference, other, within_s)
    moved = other + lag_s
    possible = min(
        ((moved >= reference[0] - _MATCH_S) & (moved <= reference[-1] + _MATCH_S)).sum(),
        ((reference >= moved[0] - _MATCH_S) & (reference <= moved[-1] + _MATCH_S)).sum(),
    )
    if best < max(_FEWEST, _SHARE * possible) or best < next_best + 2:
        return None
    span = (float(other[0]), float(other[-1]))
    random = (np.sort(rng.uniform(*span, len(other))) for _ in range(_SURROGATES))
    if best <= max(_most_together(reference, marks, within_s)[0] for marks in random):
        return None
    near = nearest(reference, moved)
    close = np.abs(near - moved) <= _MATCH_S
    return other[close], (near - other)[close]


def _split(
    reference: FloatArray, other: FloatArray, within_s: float, rng: np.random.Generator
) -> tuple[_Met, _Met] | None:
    """The marks before and after a jump, as `_together` gives them; None where one of the parts has no place."""
    last = len(other) - _PAIR
    if len(other) < _PAIR + _FEWEST:
        return None
    cuts = np.unique(np.linspace(_PAIR, last, min(last - _PAIR + 1, _CUTS)).astype(int))
    counts = [np.sum([_met(reference, part, within_s) for part in (other[:k], other[k:])], axis=0) for k in cuts]
    evenness = np.minimum(cuts, len(other) - cuts)
    k = int(max((*count, even, k) for count, even, k in zip(counts, evenness, cuts, strict=True))[-1])
    short, long = sorted((other[:k], other[k:]), key=len)
    found = _together(reference, long, within_s, rng)
    if found is None:
        return None
    beside = (
        _together(reference, short, within_s, rng)
        if len(short) > _PAIR
        else _pair(reference, short, float(np.median(found[1])))
    )
    if beside is None:
        return None
    return (found, beside) if found[0][0] < beside[0][0] else (beside, found)


def _pair(reference: FloatArray, two: FloatArray, lag_s: float) -> _Met | None:
    """Two marks beside a jump of at most a minute, where only two of the reference are as far apart."""
    apart_s = float(two[1] - two[0])
    error_s = _PAIR_S + 1e-6 * DRIFT_PPM * apart_s
    alike = np.abs(reference[None, :] - reference[:, None] - apart_s) <= error_s
    alike &= (np.abs(reference - two[0] - lag_s) <= JUMP_S)[:, None]
    pairs = np.argwhere(alike)
    if len(pairs) != 1 or apart_s <= 2 * error_s:
        return None
    return two, reference[pairs[0]] - two


def _met(reference: FloatArray, other: FloatArray, within_s: float) -> tuple[int, int]:
    """How many marks the best offset brings together, and how many it brings near enough for a drift."""
    count, lag_s, _ = _most_together(reference, other, within_s)
    return count, int((np.abs(nearest(reference, other + lag_s) - other - lag_s) <= _MATCH_S).sum())


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


def _step(times: FloatArray, lags: FloatArray) -> int:
    """After how many marks a clock jumped by less than what still comes together: 0 where a line does as well."""
    from scipy.special import fdtri

    n = len(times)
    if n < _STEP_MARKS:
        return 0
    line = np.stack([np.ones(n), times - times.mean()], axis=1)
    steps = [np.column_stack([line, np.arange(n) >= k]) for k in range(1, n)]
    fits = [np.linalg.lstsq(known, lags, rcond=None)[0] for known in steps]
    rests = [float(((lags - known @ fit) ** 2).sum()) for known, fit in zip(steps, fits, strict=True)]
    k = int(np.argmin(rests))
    straight = float(((lags - line @ np.linalg.lstsq(line, lags, rcond=None)[0]) ** 2).sum())
    floor = (n - 3) * _FINEST_S**2 / 4  # two recorders of whole milliseconds have no rest at all
    ratio = (straight - rests[k]) / max(rests[k], floor) * (n - 3)
    beyond = float(fdtri(1, n - 3, 1.0 - _STEP_CHANCE / (n - 1)))
    return k + 1 if ratio > beyond and abs(float(fits[k][2])) > _LEAST_STEP_S else 0


def _through(times: FloatArray, lags: FloatArray, extent_s: tuple[float, float], *, before: int = 0) -> Offset:
    """A line through the lags, with a step after `before` of them, and the interval of least squares for both ends."""
    from scipy.special import stdtrit

    n, middle = len(times), float(times.mean())
    jumped_s = float(times[before - 1] + times[before]) / 2 if before else None
    sloped = n >= _DRIFT_MARKS and float(np.ptp(times)) >= _DRIFT_S

    def terms(at: FloatArray) -> FloatArray:
        columns = [np.ones(len(at))]
        columns += [at - middle] if sloped else []
        columns += [(at >= jumped_s).astype(np.float64)] if jumped_s is not None else []
        return np.stack(columns, axis=1)

    known, ends = terms(times), terms(np.array(extent_s))
    found = np.linalg.lstsq(known, lags, rcond=None)[0]
    freedom = n - known.shape[1]
    error = float(np.sqrt(((lags - known @ found) ** 2).sum() / freedom))
    spread = np.einsum("ij,jk,ik->i", ends, np.linalg.pinv(known.T @ known), ends)
    unseen = 0.0 if sloped else UNSEEN_PPM * 1e-6 * max(abs(end - middle) for end in extent_s)
    half = float(stdtrit(freedom, 0.9875)) * error * float(np.sqrt(spread.max()))
    slope = float(found[1]) if sloped else 0.0
    return Offset(
        float(found[0]) - slope * middle,
        1e6 * slope,
        float(np.sqrt(half**2 + unseen**2 + _FINEST_S**2)),
        n,
        "marks",
        () if jumped_s is None else (Jump(jumped_s, float(found[-1]), jumped_s - float(times[before - 1])),),
    )
