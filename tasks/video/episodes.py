"""Spans in which a signal with gaps is up, and its slow level."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

MAX_STEP_S = 0.12  # samples further apart do not touch: a gap is a gap
BASELINE_S = 20.0  # a slow level is the median over so much visible time around


@dataclass(frozen=True, slots=True)
class Episode:
    """A span in which a signal was up: `first`, `last` sample indices, `start_s`, `end_s`, and its highest value.

    `cut` is True where it touches a gap or an end of the recording, so that its true duration is unknown.
    """

    first: int
    last: int
    start_s: float
    end_s: float
    peak: float
    cut: bool

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.end_s - self.start_s


def runs(times_s: FloatArray, good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of good samples without a gap, as half-open index ranges.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing stamps, s.
    good : ndarray of bool, shape (n,)
        Which samples may be used.

    Returns
    -------
    list of tuple of int
        A step of more than `MAX_STEP_S`, or than two and a half of the usual ones, is a gap.
    """
    steps = np.diff(times_s)
    breaks = steps > max(MAX_STEP_S, 2.5 * float(np.median(steps)) if len(steps) else 0.0)
    found: list[tuple[int, int]] = []
    start: int | None = None
    for index, usable in enumerate(good):
        if start is not None and (not usable or breaks[index - 1]):
            found.append((start, index))
            start = None
        if usable and start is None:
            start = index
    if start is not None:
        found.append((start, len(good)))
    return found


def episodes(times_s: FloatArray, signal: FloatArray, *, high: float, low: float) -> list[Episode]:
    """Spans in which a signal rises over `high`, from where it passed `low` to where it falls under it again.

    The moments of passing are interpolated between stamps. Nothing is followed across a gap.

    Parameters
    ----------
    times_s, signal : ndarray, shape (n,)
        Stamps in s, and values; NaN is a gap.
    high, low : float
        Thresholds of the hysteresis, low < high.

    Returns
    -------
    list of Episode
    """
    found: list[Episode] = []
    for begin, end in runs(times_s, np.isfinite(signal)):
        up = signal[begin:end] > low
        edges = np.flatnonzero(np.diff(np.concatenate(([False], up, [False])).astype(np.int8)))
        for a, b in zip(edges[::2] + begin, edges[1::2] + begin, strict=True):
            peak = float(signal[a:b].max())
            if peak > high:
                start = times_s[a] if a == begin else _crossing(times_s, signal, a - 1, level=low)
                stop = times_s[b - 1] if b == end else _crossing(times_s, signal, b - 1, level=low)
                found.append(Episode(int(a), int(b - 1), float(start), float(stop), peak, a == begin or b == end))
    return found


def to_rest(
    times_s: FloatArray, signal: FloatArray, found: list[Episode], *, high: float, low: float, most_s: float
) -> list[Episode]:
    """Episodes with their ends moved to where their flanks, drawn on as straight lines, reach zero.

    A low threshold alone would either cut the flanks off or join what follows closely.

    Parameters
    ----------
    times_s, signal : ndarray, shape (n,)
        As given to `episodes`.
    found : list of Episode
        What it gave; those that are cut stay as they are.
    high, low : float
        Its thresholds.
    most_s : float
        An end is moved by so much at most, and by half of the way to the next episode.

    Returns
    -------
    list of Episode
    """
    moved: list[Episode] = []
    for i, e in enumerate(found):
        room = [
            (e.start_s - found[i - 1].end_s) / 2 if i else np.inf,
            (found[i + 1].start_s - e.end_s) / 2 if i + 1 < len(found) else np.inf,
        ]
        above = e.first + np.flatnonzero(signal[e.first : e.last + 1] > high)
        if not e.cut:
            flanks = (
                _crossing(times_s, signal, int(above[0]) - 1, level=high) - e.start_s,
                e.end_s - _crossing(times_s, signal, int(above[-1]), level=high),
            )
            before, after = (min(f * low / (high - low), most_s, r) for f, r in zip(flanks, room, strict=True))
            e = replace(e, start_s=e.start_s - before, end_s=e.end_s + after)
        moved.append(e)
    return moved


def _crossing(times_s: FloatArray, signal: FloatArray, index: int, *, level: float) -> float:
    share = (level - signal[index]) / (signal[index + 1] - signal[index])
    return float(times_s[index] + share * (times_s[index + 1] - times_s[index]))


def baseline(times_s: FloatArray, signal: FloatArray, *, width_s: float = BASELINE_S) -> FloatArray:
    """Slow level of a signal: the median of each stretch of `width_s`, interpolated between their middles.

    Parameters
    ----------
    times_s, signal : ndarray, shape (n,)
        Stamps in s, and values; NaN values are left out.
    width_s : float, optional
        Length of a stretch.

    Returns
    -------
    ndarray, shape (n,)
        NaN throughout where there is no finite value.
    """
    good = np.isfinite(signal)
    if not good.any():
        return np.full(len(signal), np.nan)
    bins = np.floor((times_s - times_s[0]) / width_s).astype(np.int64)
    centres, levels = [], []
    for b in np.unique(bins[good]):
        chosen = good & (bins == b)
        centres.append(float(np.median(times_s[chosen])))
        levels.append(float(np.median(signal[chosen])))
    return np.interp(times_s, centres, levels)
