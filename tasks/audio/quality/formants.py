"""Formants of voiced frames: linear prediction by Burg's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import CONTEXT, HOP, RATE_HZ

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

FORMANTS = 4
_LOW_RATE = 11_000  # five formants below 5.5 kHz
_UP, _DOWN = 11, 16
_WINDOW = 550  # samples: 50 ms under a Gaussian, 25 ms in effect
_ORDER = 10
_PRE_HZ = 50.0
_EDGE_HZ = 50.0  # a root closer to either end of the band is none of the tract's


def formant_tracks(samples: F32, voiced: NDArray[np.bool_]) -> F32:
    """Centre frequencies of the first four formants in voiced frames.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    voiced : ndarray of bool, shape (n_frames,)
        Frames to measure.

    Returns
    -------
    ndarray, shape (n_frames, 4)
        Hz, NaN where not voiced or where a formant was not found.

    References
    ----------
    Childers (1978), Modern Spectrum Analysis, IEEE Press, 252-255; settings as Praat's To Formant (burg).
    """
    from scipy.signal import resample_poly

    out = np.full((len(voiced), FORMANTS), np.nan, dtype=np.float32)
    chosen = np.flatnonzero(voiced)
    if not len(chosen):
        return out
    low = resample_poly(samples.astype(np.float64), _UP, _DOWN)
    low[1:] -= np.exp(-2.0 * np.pi * _PRE_HZ / _LOW_RATE) * low[:-1]
    centres = np.round((CONTEXT + chosen * HOP + HOP / 2) * _LOW_RATE / RATE_HZ).astype(np.int64)
    view = np.lib.stride_tricks.sliding_window_view(low, _WINDOW)
    middle = (_WINDOW - 1) / 2.0
    window = np.exp(-12.0 * np.square((np.arange(_WINDOW) - middle) / _WINDOW))
    for at in range(0, len(chosen), 256):
        rows = view[centres[at : at + 256] - _WINDOW // 2] * window
        out[chosen[at : at + 256]] = resonances(burg(rows, _ORDER), _LOW_RATE)
    return out


def burg(frames: F64, order: int) -> F64:
    """Prediction coefficients of every row.

    Parameters
    ----------
    frames : ndarray, shape (n, length)
        Windowed samples.
    order : int
        Number of coefficients.

    Returns
    -------
    ndarray, shape (n, order + 1)
        The prediction error filter, its first coefficient 1.
    """
    forward, backward = frames[:, 1:], frames[:, :-1]
    coefficients = np.ones((len(frames), 1))
    for _ in range(order):
        power = np.einsum("ij,ij->i", forward, forward) + np.einsum("ij,ij->i", backward, backward)
        k = (-2.0 * np.einsum("ij,ij->i", forward, backward) / np.maximum(power, 1e-30))[:, None]
        longer = np.pad(coefficients, ((0, 0), (0, 1)))
        coefficients = longer + k * longer[:, ::-1]
        forward, backward = forward + k * backward, backward + k * forward
        forward, backward = forward[:, 1:], backward[:, :-1]
    return coefficients


def resonances(filters: F64, rate_hz: float) -> F32:
    """The four lowest resonances of prediction error filters.

    Parameters
    ----------
    filters : ndarray, shape (n, order + 1)
        Filters whose first coefficient is 1.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    ndarray, shape (n, 4)
        Hz, NaN where there are fewer.
    """
    order = filters.shape[1] - 1
    companion = np.zeros((len(filters), order, order))
    companion[:, 0, :] = -filters[:, 1:]
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1.0
    roots = np.linalg.eigvals(companion)
    hertz = np.angle(roots) * rate_hz / (2.0 * np.pi)
    good = (hertz > _EDGE_HZ) & (hertz < rate_hz / 2 - _EDGE_HZ)
    return np.sort(np.where(good, hertz, np.nan), axis=1)[:, :FORMANTS].astype(np.float32)
