"""Beats that are no normal beats: ectopic, extra, or misplaced, and gaps where a beat was missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.segments import BoolArray

ALPHA = 5.2
LOCAL_BEATS = 91
MEDIAN_BEATS = 11
SLOPE, INTERCEPT = 0.13, 0.17
SMALLEST_CHANGE = 0.10
"""A change of less than this share of the median interval is no artefact: breathing alone does that."""
SMALLEST_AWAY_S = 0.04
"""The threshold of the distance from the local median never falls below this."""
FEWEST_BEATS = 12
NEARBY = 20
"""Intervals to either side of a gap that say what is usual there."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the intervals say of each beat, each (m,) bool.

    `ectopic`: an early or late beat; `extra`: a beat too many, or one far from where it belongs; `missed`: before
    this beat at least one is missing.
    """

    ectopic: BoolArray
    extra: BoolArray
    missed: BoolArray

    @classmethod
    def clean(cls, number: int) -> Rhythm:
        """All beats normal.

        Parameters
        ----------
        number : int
            Of beats.

        Returns
        -------
        Rhythm
        """
        return cls(*(np.zeros(number, dtype=bool) for _ in range(3)))


def _threshold(values: FloatArray, floor: float) -> FloatArray:
    from scipy.ndimage import percentile_filter

    size = min(LOCAL_BEATS, len(values))
    high, low = (percentile_filter(values, q, size=size, mode="reflect") for q in (75, 25))
    return np.asarray(np.maximum(ALPHA * 0.5 * (high - low), floor), dtype=np.float64)


def _neighbours(change: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The largest opposite change beside each, and the smaller of the two that follow (S12 and S22 of the paper)."""
    padded = np.pad(change, 2, mode="reflect")
    before, after, later = padded[1:-3], padded[3:-1], padded[4:]
    up = change > 0
    beside = np.where(up, np.maximum(before, after), np.minimum(before, after))
    following = np.where(change >= 0, np.minimum(after, later), np.maximum(after, later))
    return beside, following


def rhythm(beats_s: FloatArray) -> Rhythm:
    """Classify the beats of one contiguous segment.

    Parameters
    ----------
    beats_s : ndarray, shape (m,)
        Times in s, increasing. Fewer than 12 cannot be judged alone and pass as normal; see `rhythms`.

    Returns
    -------
    Rhythm
        Each (m,).

    References
    ----------
    Lipponen & Tarvainen (2019), doi:10.1080/03091902.2019.1640306; the thresholds have a floor, and no beat is moved,
    added or removed. The quartile deviation is that of signed changes, so that 5.2 of them hold 99.95 % of a normal
    distribution, as the paper says.
    """
    from scipy.ndimage import median_filter

    if len(beats_s) < FEWEST_BEATS:
        return Rhythm.clean(len(beats_s))
    rr = np.diff(beats_s, prepend=np.nan)
    rr[0] = rr[1:].mean()
    raw = np.diff(rr, prepend=rr[0])
    raw[0] = raw[1:].mean()
    change = raw / _threshold(raw, SMALLEST_CHANGE * float(np.median(rr)))
    median = median_filter(rr, min(MEDIAN_BEATS, len(rr)), mode="reflect")
    away = rr - median
    away = np.where(away < 0, 2.0 * away, away)
    limit = _threshold(away, SMALLEST_AWAY_S)
    far = np.abs(away / limit) > 3
    beside, following = _neighbours(change)
    ectopic = ((change > 1) & (beside < -SLOPE * change - INTERCEPT)) | (
        (change < -1) & (beside > -SLOPE * change + INTERCEPT)
    )
    long = (change > 1) & (following < -1)
    short = (change < -1) & (following > 1)
    wrong = ~ectopic & (np.abs(change) > 1) & (long | short | far)
    missed = wrong & (long | far) & (away > 0) & (np.abs(rr / 2 - median) < limit)
    return Rhythm(ectopic=ectopic, extra=wrong & ~missed, missed=missed)


def rhythms(stretches: Sequence[FloatArray]) -> list[Rhythm]:
    """Classify the beats of a recording with gaps.

    Parameters
    ----------
    stretches : sequence of ndarray
        Times in s of the beats of every contiguous segment, increasing.

    Returns
    -------
    list of Rhythm
        One per segment. A segment of fewer beats than the 91 over which the thresholds are taken is judged among the
        others: its beats with those before and after, every gap as long as the usual interval around it.
    """
    if len(stretches) < 2 or all(len(beats) >= LOCAL_BEATS for beats in stretches):
        return [rhythm(beats) for beats in stretches]
    bounds = np.cumsum([0, *(len(beats) for beats in stretches)])
    joined = rhythm(_closed_up(np.concatenate(stretches), bounds[1:-1]))
    return [
        rhythm(beats)
        if len(beats) >= LOCAL_BEATS
        else Rhythm(joined.ectopic[a:b], joined.extra[a:b], joined.missed[a:b])
        for beats, (a, b) in zip(stretches, pairwise(bounds.tolist()), strict=True)
    ]


def _closed_up(beats_s: FloatArray, firsts: NDArray[np.int64]) -> FloatArray:
    """Beats with every gap before one of the first beats of a segment replaced by the usual interval around it."""
    if len(beats_s) < 2:
        return beats_s
    rr = np.diff(beats_s)
    gaps = firsts[(firsts > 0) & (firsts < len(beats_s))] - 1
    within = np.delete(np.arange(len(rr)), gaps)
    if not len(within):
        return beats_s
    for gap in gaps:
        at = int(np.searchsorted(within, gap))
        rr[gap] = np.median(rr[within[max(0, at - NEARBY) : at + NEARBY]])
    return np.concatenate([beats_s[:1], beats_s[0] + np.cumsum(rr)])
