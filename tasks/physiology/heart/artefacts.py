"""Beats that are no normal beats: ectopic, extra, or misplaced, and gaps where a beat was missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
        Times in s, increasing. Fewer than 12 cannot be judged and pass as normal.

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
