"""Jitter and shimmer: how much successive glottal cycles differ in length and strength, as Praat defines them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

SHORTEST_S, LONGEST_S = 0.0001, 0.02  # a period outside is a gap
PERIOD_FACTOR = 1.3  # neighbours that differ by more are not compared
AMPLITUDE_FACTOR = 1.6


def periods_of(times_s: F64) -> F64:
    """Lengths of the cycles, s, NaN where the distance of two marks is a gap.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Marks, increasing.

    Returns
    -------
    ndarray, shape (n - 1,)
    """
    steps = np.diff(times_s)
    return np.where((steps >= SHORTEST_S) & (steps <= LONGEST_S), steps, np.nan)


def _groups(values: F64, size: int, factor: float) -> F64:
    """Runs of `size` neighbours of which none is missing and no two successive ones differ by more than the factor."""
    if len(values) < size:
        return np.empty((0, size))
    rows = np.lib.stride_tricks.sliding_window_view(values, size)
    ratio = rows[:, 1:] / rows[:, :-1]
    with np.errstate(invalid="ignore"):
        fits = (np.maximum(ratio, 1.0 / ratio) <= factor).all(axis=1)
    return rows[fits]


def _mean(values: F64) -> float:
    return float(values.mean()) if len(values) else float("nan")


def mean_period(periods: F64) -> float:
    """Mean length of the cycles that jitter compares, s.

    Parameters
    ----------
    periods : ndarray, shape (n,)
        Lengths, s, NaN for gaps.

    Returns
    -------
    float
        NaN without two comparable cycles.
    """
    return _mean(_groups(periods, 2, PERIOD_FACTOR).mean(axis=1))


def jitter_abs(periods: F64) -> float:
    """Mean absolute difference of successive cycles, s.

    Parameters
    ----------
    periods : ndarray, shape (n,)
        Lengths, s, NaN for gaps.

    Returns
    -------
    float
        NaN without two comparable cycles.
    """
    pairs = _groups(periods, 2, PERIOD_FACTOR)
    return _mean(np.abs(pairs[:, 1] - pairs[:, 0]))


def jitter_local(periods: F64) -> float:
    """Mean absolute difference of successive cycles over the mean cycle, %.

    Parameters
    ----------
    periods : ndarray, shape (n,)
        Lengths, s, NaN for gaps.

    Returns
    -------
    float
        NaN without two comparable cycles.
    """
    return 100.0 * jitter_abs(periods) / mean_period(periods)


def jitter_smoothed(periods: F64, size: int) -> float:
    """Mean distance of a cycle from the mean of itself and its neighbours over the mean cycle, %: rap (3), ppq5 (5).

    Parameters
    ----------
    periods : ndarray, shape (n,)
        Lengths, s, NaN for gaps.
    size : int
        Cycles in the mean, odd.

    Returns
    -------
    float
        NaN without so many comparable cycles.
    """
    groups = _groups(periods, size, PERIOD_FACTOR)
    return 100.0 * _mean(np.abs(groups[:, size // 2] - groups.mean(axis=1))) / mean_period(periods)


def shimmer_local(amplitudes: F64) -> float:
    """Mean absolute difference of successive amplitudes over the mean amplitude, %.

    Parameters
    ----------
    amplitudes : ndarray, shape (n,)
        Of the cycles, NaN for gaps.

    Returns
    -------
    float
        NaN without two comparable cycles.
    """
    pairs = _groups(amplitudes, 2, AMPLITUDE_FACTOR)
    return 100.0 * _mean(np.abs(pairs[:, 1] - pairs[:, 0])) / _mean(amplitudes[np.isfinite(amplitudes)])


def shimmer_db(amplitudes: F64) -> float:
    """Mean absolute ratio of successive amplitudes, dB.

    Parameters
    ----------
    amplitudes : ndarray, shape (n,)
        Of the cycles, NaN for gaps.

    Returns
    -------
    float
        NaN without two comparable cycles.
    """
    pairs = _groups(amplitudes, 2, AMPLITUDE_FACTOR)
    return _mean(np.abs(20.0 * np.log10(pairs[:, 1] / pairs[:, 0])))


def shimmer_smoothed(amplitudes: F64, size: int) -> float:
    """Mean distance of an amplitude from the mean of itself and its neighbours over the mean, %: apq3, apq5, apq11.

    Parameters
    ----------
    amplitudes : ndarray, shape (n,)
        Of the cycles, NaN for gaps.
    size : int
        Cycles in the mean, odd.

    Returns
    -------
    float
        NaN without so many comparable cycles.
    """
    groups = _groups(amplitudes, size, AMPLITUDE_FACTOR)
    away = np.abs(groups[:, size // 2] - groups.mean(axis=1))
    return 100.0 * _mean(away) / _mean(amplitudes[np.isfinite(amplitudes)])


def comparable(times_s: F64, amplitudes: NDArray[np.floating]) -> tuple[F64, F64]:
    """Periods, and amplitudes with gaps made visible: one that follows a gap does not compare with the one before.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Marks, increasing.
    amplitudes : ndarray, shape (n,)
        Amplitudes at the marks.

    Returns
    -------
    periods : ndarray, shape (n - 1,)
        Lengths, s, NaN for gaps.
    amplitudes : ndarray
        With a NaN put in at every gap, and NaN where the cycles on both sides differ by more than the factor.
    """
    periods = periods_of(times_s)
    kept = np.full(len(times_s), np.nan)
    if len(times_s) > 2:
        ratio = periods[1:] / periods[:-1]
        with np.errstate(invalid="ignore"):
            even = np.maximum(ratio, 1.0 / ratio) <= PERIOD_FACTOR
        kept[1:-1] = np.where(even, amplitudes[1:-1], np.nan)
    return periods, np.insert(kept, np.flatnonzero(~np.isfinite(periods)) + 1, np.nan)
