"""Variability of intervals between beats, in time. No difference is taken across a break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.variability.intervals import Intervals

Function = Callable[[Intervals], float]


def _levels(intervals: Intervals, fewest: int = 1) -> FloatArray:
    if len(intervals) < fewest:
        raise TooShortError(f"{len(intervals)} intervals where at least {fewest} are needed; record for longer.")
    return intervals.ms


def _differences(intervals: Intervals, fewest: int = 1) -> FloatArray:
    found = intervals.differences()
    if len(found) < fewest:
        raise TooShortError(f"{len(found)} pairs of touching intervals where at least {fewest} are needed.")
    return found


def mean_nn(intervals: Intervals) -> float:
    """Mean interval, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there is no interval.
    """  # noqa: DOC502  raised by the helper, here and below
    return float(np.mean(_levels(intervals)))


def median_nn(intervals: Intervals) -> float:
    """Median interval, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there is no interval.
    """  # noqa: DOC502
    return float(np.median(_levels(intervals)))


def min_nn(intervals: Intervals) -> float:
    """Shortest interval, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there is no interval.
    """  # noqa: DOC502
    return float(np.min(_levels(intervals)))


def max_nn(intervals: Intervals) -> float:
    """Longest interval, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there is no interval.
    """  # noqa: DOC502
    return float(np.max(_levels(intervals)))


def sdnn(intervals: Intervals) -> float:
    """Standard deviation of the intervals, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        With n - 1.

    Raises
    ------
    TooShortError
        If there are fewer than two intervals.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """  # noqa: DOC502
    return float(np.std(_levels(intervals, 2), ddof=1))


def mad_nn(intervals: Intervals) -> float:
    """Median absolute deviation from the median interval, scaled by 1.4826 to match a normal distribution's SD; ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there are fewer than two intervals.
    """  # noqa: DOC502
    levels = _levels(intervals, 2)
    return 1.4826 * float(np.median(np.abs(levels - np.median(levels))))


def iqr_nn(intervals: Intervals) -> float:
    """Interquartile range of the intervals, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there are fewer than two intervals.
    """  # noqa: DOC502
    low, high = np.percentile(_levels(intervals, 2), [25, 75])
    return float(high - low)


def rmssd(intervals: Intervals) -> float:
    """Beat-to-beat variability: root mean square of successive differences, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If no two successive intervals touch.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """  # noqa: DOC502
    return float(np.sqrt(np.mean(_differences(intervals) ** 2)))


def sdsd(intervals: Intervals) -> float:
    """Standard deviation of successive differences, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        With n - 1, of the signed differences.

    Raises
    ------
    TooShortError
        If fewer than two pairs of intervals touch.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """  # noqa: DOC502
    return float(np.std(_differences(intervals, 2), ddof=1))


def cvnn(intervals: Intervals) -> float:
    """SDNN over the mean interval.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
    """
    return sdnn(intervals) / mean_nn(intervals)


def cvsd(intervals: Intervals) -> float:
    """RMSSD over the mean interval.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
    """
    return rmssd(intervals) / mean_nn(intervals)


def mcvnn(intervals: Intervals) -> float:
    """Scaled median absolute deviation over the median interval.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
    """
    return mad_nn(intervals) / median_nn(intervals)


def _beyond(intervals: Intervals, limit_ms: float) -> float:
    return 100.0 * float(np.mean(np.abs(_differences(intervals)) > limit_ms))


def pnn50(intervals: Intervals) -> float:
    """Share of successive differences of more than 50 ms, %.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        Of the differences that exist (NeuroKit2 divides by one more).
    """
    return _beyond(intervals, 50.0)


def pnn20(intervals: Intervals) -> float:
    """Share of successive differences of more than 20 ms, %.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        Of the differences that exist (NeuroKit2 divides by one more).
    """
    return _beyond(intervals, 20.0)


LEVELS: Mapping[str, Function] = MappingProxyType({
    "meannn": mean_nn, "sdnn": sdnn, "mediannn": median_nn, "madnn": mad_nn, "iqrnn": iqr_nn, "minnn": min_nn,
    "maxnn": max_nn, "cvnn": cvnn, "mcvnn": mcvnn,
})  # fmt: skip
"""Measures of single intervals, by the last part of their name: their evidence is the number of intervals."""

DIFFERENCES: Mapping[str, Function] = MappingProxyType({
    "rmssd": rmssd, "sdsd": sdsd, "cvsd": cvsd, "pnn50": pnn50, "pnn20": pnn20,
})  # fmt: skip
"""Measures of neighbours: their evidence is the number of pairs that touch."""
