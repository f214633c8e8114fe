"""Zero-phase filters and peak helpers that every physiological signal needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

IntArray = NDArray[np.int64]


def bandpass(
    values: FloatArray, sampling_rate: float, low_hz: float | None, high_hz: float | None, *, order: int = 2
) -> FloatArray:
    """Butterworth filter, forwards and backwards.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps, n > 3.
    sampling_rate : float
        In Hz.
    low_hz, high_hz : float or None
        Edges of the pass band; None leaves that side open. An upper edge near or above half the sampling rate is
        taken as open.
    order : int, optional
        Order of the filter in one direction.

    Returns
    -------
    ndarray, shape (n,)
    """
    from scipy import signal as sp

    if high_hz is not None and high_hz >= 0.45 * sampling_rate:
        high_hz = None
    if low_hz is None and high_hz is None:
        return values
    if low_hz is None:
        edges: object = high_hz
        kind = "lowpass"
    elif high_hz is None:
        edges, kind = low_hz, "highpass"
    else:
        edges, kind = (low_hz, high_hz), "bandpass"
    sections = sp.butter(order, edges, btype=kind, fs=sampling_rate, output="sos")
    settle = sampling_rate / (low_hz or high_hz or 1.0)
    padding = int(min(len(values) - 1, max(settle, 12)))
    return np.asarray(sp.sosfiltfilt(sections, values, padlen=padding), dtype=np.float64)


def moving_mean(values: FloatArray, width: int) -> FloatArray:
    """Centred moving average; the ends repeat the border value.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal.
    width : int
        Samples.

    Returns
    -------
    ndarray, shape (n,)
    """
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(values, max(1, width), mode="nearest"), dtype=np.float64)


def peak_indices(
    values: FloatArray, *, distance: float = 1.0, prominence: float | FloatArray | None = None
) -> IntArray:
    """Local maxima, at least `distance` samples apart and of at least `prominence`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal.
    distance : float, optional
        In samples.
    prominence : float or ndarray, shape (n,), optional
        Smallest prominence, in the unit of `values`.

    Returns
    -------
    ndarray of int, shape (m,)
    """
    from scipy import signal as sp

    found, _ = sp.find_peaks(values, distance=max(1.0, distance), prominence=prominence)
    return np.asarray(found, dtype=np.int64)


def refine(values: FloatArray, peaks: IntArray) -> FloatArray:
    """Positions of extrema between samples: the vertex of the parabola through three samples.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal.
    peaks : ndarray of int, shape (m,)
        Samples of local extrema.

    Returns
    -------
    ndarray, shape (m,)
        Within half a sample of `peaks`; equal to it at the borders and on plateaus.
    """
    inner = np.clip(peaks, 1, max(1, len(values) - 2))
    left, mid, right = values[inner - 1], values[inner], values[inner + 1]
    bend = left - 2.0 * mid + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(len(peaks)), where=np.abs(bend) > 0)
    return np.asarray(peaks + np.where(inner == peaks, np.clip(shift, -0.5, 0.5), 0.0), dtype=np.float64)


def local_level(values: FloatArray, block: int, blocks: int) -> FloatArray:
    """How high the signal rises nearby: the median of the maxima of neighbouring blocks.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal, not negative.
    block : int
        Samples of a block.
    blocks : int
        How many blocks the median is taken over.

    Returns
    -------
    ndarray, shape (n,)
        Linear between the centres of the blocks.
    """
    from scipy.ndimage import median_filter

    number = max(1, len(values) // max(1, block))
    tops = np.array([part.max() for part in np.array_split(values, number)])
    centres = (np.arange(number) + 0.5) * len(values) / number
    return np.asarray(np.interp(np.arange(len(values)), centres, median_filter(tops, blocks, mode="reflect")))
