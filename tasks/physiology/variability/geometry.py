"""Variability over long recordings: shape of the histogram of intervals, and minutes against each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.variability.hrv import Function
from cueflow.tasks.physiology.variability.intervals import Intervals

BIN_MS = 1000.0 / 128.0
_FEWEST_MINUTES = 3
_FILLED = 0.5
"""Share of a piece that intervals must fill."""


def _histogram(intervals: Intervals) -> FloatArray:
    if len(intervals) < 2:
        raise TooShortError(f"{len(intervals)} intervals where at least 2 are needed.")
    edges = np.arange(0.0, intervals.ms.max() + BIN_MS, BIN_MS)
    counts, _ = np.histogram(intervals.ms, bins=edges)
    return counts.astype(np.float64)


def triangular_index(intervals: Intervals) -> float:
    """Number of intervals over that in the fullest bin of 1/128 s (HTI).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    counts = _histogram(intervals)
    return float(len(intervals) / counts.max())


def triangle_base(intervals: Intervals) -> float:
    """Base of the triangle that fits the histogram of intervals best (TINN), ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where the histogram has no two sides. The triangle's top is the fullest bin of 1/128 s; the squared error
        counts what lies outside the triangle too (NeuroKit2 leaves that out, and tries one left corner only).

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    counts = _histogram(intervals)
    top, last = int(counts.argmax()), len(counts)
    rising = [_error(counts[: top + 1], n) for n in range(top)]
    falling = [_error(counts[top:][::-1], last - 1 - m) for m in range(top + 1, last)]
    if not rising or not falling:
        return float("nan")
    return float((top + 1 + int(np.argmin(falling)) - int(np.argmin(rising))) * BIN_MS)


def _error(side: FloatArray, first: int) -> float:
    """Squared distance of one side of a histogram, its top last, from 0 before a bin and a straight line after it."""
    line = np.zeros(len(side))
    line[first:] = np.linspace(0.0, side[-1], len(side) - first)
    return float(np.sum((side - line) ** 2))


def _pieces(intervals: Intervals, minutes: int) -> list[FloatArray]:
    length = 60.0 * minutes
    start = float(intervals.starts_s[0]) if len(intervals) else 0.0
    which = ((intervals.at_s - start) // length).astype(np.int64)
    cut = [intervals.ms[which == k] for k in np.unique(which)]
    kept = [ms for ms in cut if ms.sum() / 1000.0 >= _FILLED * length]
    if len(kept) < _FEWEST_MINUTES:
        raise TooShortError(f"{len(kept)} pieces of {minutes} min where at least {_FEWEST_MINUTES} are needed.")
    return kept


def sdann(intervals: Intervals, *, minutes: int) -> float:
    """Standard deviation (n - 1) of the mean intervals of successive pieces, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.
    minutes : int
        Length of a piece; one that intervals fill to less than a half is left out.

    Returns
    -------
    float

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    return float(np.std([ms.mean() for ms in _pieces(intervals, minutes)], ddof=1))


def sdnn_index(intervals: Intervals, *, minutes: int) -> float:
    """Mean of the standard deviations (n - 1) of the intervals of successive pieces, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.
    minutes : int
        Length of a piece; one that intervals fill to less than a half is left out.

    Returns
    -------
    float

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    return float(np.mean([np.std(ms, ddof=1) for ms in _pieces(intervals, minutes)]))


LONG: Mapping[str, Function] = MappingProxyType({
    "hti": triangular_index, "tinn": triangle_base,
    **{f"sdann{m}": partial(sdann, minutes=m) for m in (1, 2, 5)},
    **{f"sdnni{m}": partial(sdnn_index, minutes=m) for m in (1, 2, 5)},
})  # fmt: skip
"""By the last part of their name; their evidence is the sum of the intervals in s."""
