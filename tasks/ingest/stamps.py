"""Time stamps of samples: their rate, and stamps that were rounded when they were written."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

GAP_PERIODS = 1.5  # a step of more than this many sample periods is a gap
_JUMP = 4.0  # a step of more than this many median steps takes no part in the rate
_ROUNDED_SHARE = 0.02  # more equal neighbours than this are rounding, fewer are samples that were stored twice


def measured_rate(times_s: FloatArray) -> float | None:
    """Sampling rate that time stamps say, gaps left out.

    The mean step is used, not the median: stamps rounded to two digits step by 0.01 or 0 at 125 Hz.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Not decreasing.

    Returns
    -------
    float or None
        Hz; None for fewer than two different stamps.
    """
    steps = np.diff(times_s)
    positive = steps[steps > 0]
    if not len(positive):
        return None
    return 1.0 / float(np.mean(steps[steps <= _JUMP * np.median(positive)]))


def even_stamps(times_s: FloatArray, values: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Strictly increasing stamps.

    Where stamps were rounded (many equal neighbours), each stretch without a gap is laid on the straight line that fits
    it best; where a few are equal, the first sample of each stays.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Not decreasing.
    values : ndarray, shape (n,)
        The samples.
    rate : float
        From `measured_rate`, Hz.

    Returns
    -------
    tuple of ndarray, shape (m,)
        Stamps and samples.
    """
    steps = np.diff(times_s)
    equal = steps <= 0
    if not equal.any():
        return times_s, values
    if equal.mean() < _ROUNDED_SHARE:
        keep = np.concatenate([[True], ~equal])
        return times_s[keep], values[keep]
    grain = float(np.min(steps[steps > 0]))
    borders = np.flatnonzero(steps > GAP_PERIODS / rate + grain) + 1
    stretches = np.split(times_s, borders)
    return np.concatenate([_line(stretch, rate) for stretch in stretches]), values


def _line(stamps: FloatArray, rate: float) -> FloatArray:
    index = np.arange(len(stamps), dtype=np.float64)
    if len(stamps) < 3 or stamps[-1] <= stamps[0]:
        return stamps[0] + index / rate
    slope, start = np.polyfit(index, stamps, 1)
    return np.asarray(start + slope * index)
