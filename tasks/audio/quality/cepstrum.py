"""Cepstral peak prominence: how far the period stands out of the cepstrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import RATE_HZ, frames_of

F32 = NDArray[np.float32]

_WINDOW = 1600  # samples: 100 ms under a Gaussian, 50 ms in effect (3 periods of 60 Hz)
_SIZE = 2048
_TOP_HZ = 5000.0
_PEAK_HZ = (60.0, 330.0)
_LINE_S = (0.001, 0.05)
_SMOOTH_S = 0.0005
_PRE_HZ = 50.0


def peak_prominence(samples: F32, voiced: NDArray[np.bool_]) -> tuple[F32, F32]:
    """Cepstral peak prominence of voiced frames, as it is and smoothed over .5 ms of quefrency and 20 ms of time, dB.

    The spectrum up to 5 kHz of a Gaussian window of 50 ms, in dB, is transformed again; the highest cepstral power
    between 1/330 and 1/60 s is measured above the regression line over 1 to 50 ms.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    voiced : ndarray of bool, shape (n_frames,)
        Frames to measure.

    Returns
    -------
    cpp, cpps : ndarray, shape (n_frames,)
        NaN where not voiced.

    References
    ----------
    Hillenbrand et al. (1994), doi:10.1044/jshr.3704.769; Hillenbrand and Houde (1996), doi:10.1044/jshr.3902.311;
    Maryn and Weenink (2015), doi:10.1016/j.jvoice.2014.06.015
    """
    plain, smooth = np.full((2, len(voiced)), np.nan, dtype=np.float32)
    chosen = np.flatnonzero(voiced)
    if not len(chosen):
        return plain, smooth
    emphasised = samples.copy()
    emphasised[1:] -= np.float32(np.exp(-2.0 * np.pi * _PRE_HZ / RATE_HZ)) * samples[:-1]
    near = voiced.copy()  # a frame and the one before it are averaged
    near[:-1] |= voiced[1:]
    rows = np.flatnonzero(near)
    cepstra = _cepstra(frames_of(emphasised, _WINDOW, n_frames=len(voiced))[rows])
    place = np.searchsorted(rows, chosen)
    before = np.where((place > 0) & (rows[place - 1] == chosen - 1), place - 1, place)
    plain[chosen] = _prominence(cepstra[place])
    smooth[chosen] = _prominence(_smoothed(0.5 * (cepstra[place] + cepstra[before])))
    return plain, smooth


def _quefrency_step() -> float:
    return 1.0 / (2.0 * _TOP_HZ)


def _cepstra(frames: F32) -> F32:
    """Power cepstra up to 50 ms."""
    from scipy import fft

    middle = (_WINDOW - 1) / 2.0
    window = np.exp(-12.0 * np.square((np.arange(_WINDOW) - middle) / _WINDOW)).astype(np.float32)
    bins = int(_TOP_HZ * _SIZE / RATE_HZ)
    kept = int(_LINE_S[1] / _quefrency_step()) + 1
    out = np.empty((len(frames), kept), dtype=np.float32)
    for at in range(0, len(frames), 256):
        spectrum = fft.rfft(frames[at : at + 256] * window, _SIZE, axis=1)[:, : bins + 1]
        log = 10.0 * np.log10(spectrum.real**2 + spectrum.imag**2 + 1e-20)
        cepstrum = fft.irfft(log, 2 * bins, axis=1)[:, :kept]
        out[at : at + 256] = np.square(cepstrum)
    return out


def _smoothed(cepstra: F32) -> F32:
    """Mean over .5 ms of quefrency."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(cepstra, max(round(_SMOOTH_S / _quefrency_step()), 1), axis=1), dtype=np.float32)


def _prominence(cepstra: F32) -> F32:
    """Peak above the regression line, dB."""
    decibels = 10.0 * np.log10(cepstra + 1e-20)
    quefrency = np.arange(cepstra.shape[1]) * _quefrency_step()
    line = quefrency >= _LINE_S[0]
    centred = quefrency[line] - quefrency[line].mean()
    slope = decibels[:, line] @ (centred / (centred @ centred))
    level = decibels[:, line].mean(axis=1)
    peak = (quefrency >= 1.0 / _PEAK_HZ[1]) & (quefrency <= 1.0 / _PEAK_HZ[0])
    top = decibels[:, peak].argmax(axis=1)
    at = quefrency[peak][top]
    height = decibels[:, peak][np.arange(len(top)), top]
    return np.asarray(height - (level + slope * (at - quefrency[line].mean())), dtype=np.float32)
