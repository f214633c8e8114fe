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


def _alike(values: F64, factor: float) -> NDArray[np.bool_]:
    """True where two neighbours are there and differ by no more than the factor, shape (n - 1,)."""
    first, second = values[:-1], values[1:]
    with np.errstate(invalid="ignore"):
        return np.asarray((first <= factor * second) & (second <= factor * first))


def _pairs(values: F64, factor: float) -> tuple[F64, F64]:
    """Neighbours that may be compared."""
    fits = _alike(values, factor)
    return values[:-1][fits], values[1:][fits]


def _away(values: F64, size: int, factor: float) -> float:
    """Mean distance of a value from the mean of `size` around it, of which successive ones may be compared."""
    if len(values) < size:
        return float("nan")
    starts = len(values) - size + 1
    alike = _alike(values, factor)
    fits = np.ones(starts, dtype=bool)
    total = np.zeros(starts)
    for shift in range(size):
        total += values[shift : shift + starts]
        if shift:
            fits &= alike[shift - 1 : shift - 1 + starts]
    middle = values[size // 2 : size // 2 + starts]
    return _mean(np.abs(middle - total / size)[fits])


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
    first, second = _pairs(periods, PERIOD_FACTOR)
    return _mean((first + second) / 2)


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
    first, second = _pairs(periods, PERIOD_FACTOR)
    return _mean(np.abs(second - first))


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
    return 100.0 * _away(periods, size, PERIOD_FACTOR) / mean_period(periods)


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
    first, second = _pairs(amplitudes, AMPLITUDE_FACTOR)
    return 100.0 * _mean(np.abs(second - first)) / _mean(amplitudes[np.isfinite(amplitudes)])


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
    first, second = _pairs(amplitudes, AMPLITUDE_FACTOR)
    return _mean(np.abs(20.0 * np.log10(second / first)))


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
    return 100.0 * _away(amplitudes, size, AMPLITUDE_FACTOR) / _mean(amplitudes[np.isfinite(amplitudes)])


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
        kept[1:-1] = np.where(_alike(periods, PERIOD_FACTOR), amplitudes[1:-1], np.nan)
    return periods, np.insert(kept, np.flatnonzero(~np.isfinite(periods)) + 1, np.nan)


def change_per_frame(times_s: F64, *, n_frames: int, frame_s: float) -> NDArray[np.float32]:
    """Change from one cycle to the next, over the first one's length, in the frames in which they meet.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Marks, increasing, NaN where two pieces meet.
    n_frames : int
        Frames of the recording.
    frame_s : float
        Their length.

    Returns
    -------
    ndarray, shape (n_frames,)
        Mean over the frame's cycles that may be compared, 1; NaN without any.
    """
    periods = periods_of(times_s)
    alike = np.flatnonzero(_alike(periods, PERIOD_FACTOR))
    change = np.abs(periods[alike + 1] - periods[alike]) / periods[alike]
    frame = np.clip((times_s[alike + 1] / frame_s).astype(np.int64), 0, n_frames - 1)
    count = np.bincount(frame, minlength=n_frames)
    total = np.bincount(frame, weights=change, minlength=n_frames)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
