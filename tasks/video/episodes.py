"""Spans in which a signal with gaps is up, and its slow level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

MAX_STEP_S = 0.12  # samples further apart do not touch: a gap is a gap
BASELINE_S = 20.0  # a slow level is the median over so much visible time around
FLANK_LOW, FLANK_HIGH = 0.2, 0.8  # shares of its way between which a flank is looked at …
# … and its foot before that, in lengths of this part of half a cosine
FOOT = float(np.arccos(1 - 2 * FLANK_LOW) / (np.arccos(1 - 2 * FLANK_HIGH) - np.arccos(1 - 2 * FLANK_LOW)))
SMEAR = 0.4  # of the squared step between frames is what straight lines between them add to the part's squared length


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
    times_s: FloatArray, ways: Sequence[tuple[FloatArray, FloatArray]], found: list[Episode], *, most_s: float
) -> list[Episode]:
    """Episodes with their ends moved to where the movement leaves its rest and where it comes back to it.

    A threshold alone cuts the feet of a movement off, and where it does depends on the threshold and the frame rate. A
    movement begins and ends without speed: each flank is taken as half a cosine through a fifth and four fifths of its
    way.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Stamps in s.
    ways : sequence of tuple of ndarray, shape (n,)
        By episode: how far the movement has gone, 0 at rest to 1 at its height, for its beginning and for its end.
    found : list of Episode
        What `episodes` gave; an end from which there is no way to the height and to the rest stays as it is.
    most_s : float
        A foot is so long at most, and reaches half of the way to the next episode at most.

    Returns
    -------
    list of Episode
    """
    moved: list[Episode] = []
    for i, e in enumerate(found):
        if not e.cut:
            start = _foot(times_s, ways[i][0], e, most_s=most_s)
            end = -_foot(-times_s[::-1], ways[i][1][::-1], _reversed(e, len(times_s)), most_s=most_s)
            before = (found[i - 1].end_s + e.start_s) / 2 if i else -np.inf
            after = (e.end_s + found[i + 1].start_s) / 2 if i + 1 < len(found) else np.inf
            e = replace(e, start_s=max(start, before), end_s=min(end, after))
        moved.append(e)
    return moved


def _foot(times_s: FloatArray, way: FloatArray, e: Episode, *, most_s: float) -> float:
    """Where the movement of an episode leaves its rest."""
    high = e.first + np.flatnonzero(way[e.first : e.last + 1] >= FLANK_HIGH)
    if not len(high):
        return e.start_s
    # NaN is a gap, from which nobody comes
    low, below = (np.flatnonzero(~(way[: high[0]] > level)) for level in (FLANK_LOW, FLANK_HIGH))
    if not len(low) or not np.isfinite(way[low[-1]]):
        return e.start_s
    steps = np.diff(times_s[low[-1] : high[0] + 1])
    if steps.max() > MAX_STEP_S:
        return e.start_s
    leaves = _crossing(times_s, way, int(low[-1]), level=FLANK_LOW)
    arrives = _crossing(times_s, way, int(below[-1]), level=FLANK_HIGH)
    length = float(np.sqrt(max((arrives - leaves) ** 2 - SMEAR * float(steps.mean()) ** 2, 0.0)))
    return max((arrives + leaves) / 2 - (0.5 + FOOT) * length, leaves - most_s)


def _reversed(e: Episode, number: int) -> Episode:
    return replace(e, first=number - 1 - e.last, last=number - 1 - e.first, start_s=-e.end_s, end_s=-e.start_s)


def smooth(times_s: FloatArray, signal: FloatArray, *, width_s: float) -> FloatArray:
    """Mean of a signal over a span of time around each sample.

    Parameters
    ----------
    times_s, signal : ndarray, shape (n,)
        Stamps in s, and values; NaN is a gap, which nothing is averaged across.
    width_s : float
        Length of the span.

    Returns
    -------
    ndarray, shape (n,)
        NaN where the signal is.
    """
    means = signal.copy()
    for begin, end in runs(times_s, np.isfinite(signal)):
        t, total = times_s[begin:end], np.concatenate(([0.0], np.cumsum(signal[begin:end])))
        low, high = (np.searchsorted(t, t + side * width_s / 2, "left" if side < 0 else "right") for side in (-1, 1))
        means[begin:end] = (total[high] - total[low]) / (high - low)
    return means


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
