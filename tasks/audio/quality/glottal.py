"""How the glottis excites the voice: pulses against turbulence (GNE), the first harmonic over the second (H1–H2)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import HOP, RATE_HZ, frames_of

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
C64 = NDArray[np.complex64]

_LOW_HZ = 10_000  # rate of the excitation
_UP, _DOWN = 5, 8
_LENGTH = 300  # 30 ms of it
_SIZE = 320
_ORDER = 13
_CENTRES_HZ = np.arange(500.0, 4501.0, 300.0)
_WIDTH_HZ = 1000.0
_APART_HZ = 500.0  # bands that share more of the spectrum than half are alike for that alone
_LAGS = 3  # .3 ms either way
_EVERY = 2  # frames: neighbours share two thirds of their window
_PIECE = 256

_WINDOW = 800  # 50 ms at 16 kHz
_LONG = 2048
_REACH = 0.1  # of the pitch: where a harmonic's peak is looked for


def glottal_to_noise(samples: F32, among: NDArray[np.bool_]) -> F32:
    """Glottal-to-noise excitation ratio: how alike the envelopes of the excitation are in different bands.

    The signal at 10 kHz is inverse-filtered (linear prediction, order 13, 30 ms). A pulse excites all bands at the same
    instant, turbulence does not: the ratio is the highest correlation of Hilbert envelopes of two bands of 1 kHz whose
    centres are at least 500 Hz apart, within .3 ms.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    among : ndarray of bool, shape (n_frames,)
        Frames of the core to measure; every second of them is.

    Returns
    -------
    ndarray, shape (n_frames,)
        0 to 1; NaN elsewhere.

    References
    ----------
    Michaelis, Gramss and Strube (1997), Glottal-to-noise excitation ratio, Acustica 83, 700-706.
    """
    from scipy.signal import resample_poly

    out = np.full(len(among), np.nan, dtype=np.float32)
    chosen = np.flatnonzero(among)[::_EVERY]
    if not len(chosen):
        return out
    low = resample_poly(samples, _UP, _DOWN).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(low, _LENGTH + _ORDER)
    middle = (len(samples) - len(among) * HOP) // 2 + chosen * HOP + HOP // 2
    starts = middle * _UP // _DOWN - _LENGTH // 2 - _ORDER
    for at in range(0, len(chosen), _PIECE):
        rows = view[starts[at : at + _PIECE]]
        out[chosen[at : at + _PIECE]] = _most_alike(_envelopes(_excitation(rows)))
    return out


def _excitation(rows: F32) -> F32:
    """Rows less what the linear predictor of the row says, shape (n, 300)."""
    from scipy.linalg import solve_toeplitz

    window = np.hanning(rows.shape[1] + 2)[1:-1].astype(np.float32)
    shaped = (rows * window).astype(np.float64)
    length = shaped.shape[1]
    lags = np.stack([np.einsum("ij,ij->i", shaped[:, : length - k], shaped[:, k:]) for k in range(_ORDER + 1)], axis=1)
    lags[:, 0] = lags[:, 0] * (1.0 + 1e-9) + 1e-12
    weights = np.stack([solve_toeplitz(lag[:-1], lag[1:]) for lag in lags]).astype(np.float32)
    past = np.lib.stride_tricks.sliding_window_view(rows, _ORDER, axis=1)[:, :_LENGTH]
    return np.asarray(rows[:, _ORDER:] - np.einsum("nij,nj->ni", past, weights[:, ::-1]))


@lru_cache(maxsize=1)
def _bands() -> F32:
    """Hann-shaped weights of the bins of a transform in each band, shape (bands, bins)."""
    hertz = np.arange(_SIZE // 2 + 1) * _LOW_HZ / _SIZE
    away = np.abs(hertz[None, :] - _CENTRES_HZ[:, None]) / (_WIDTH_HZ / 2.0)
    return np.where(away < 1.0, 0.5 + 0.5 * np.cos(np.pi * away), 0.0).astype(np.float32)


def _envelopes(excitation: F32) -> F32:
    """Hilbert envelopes without their mean, each of length 1, shape (n, bands, 300)."""
    from scipy import fft

    spectrum = fft.rfft(excitation, _SIZE, axis=1)[:, None, :] * _bands()
    analytic = fft.ifft(spectrum, _SIZE, axis=2)[:, :, :_LENGTH]  # negative frequencies are filled with nothing
    envelope = np.abs(analytic)
    envelope -= envelope.mean(axis=2, keepdims=True)
    return np.asarray(envelope, dtype=np.float32)


def _most_alike(envelopes: F32) -> F32:
    apart = np.abs(_CENTRES_HZ[:, None] - _CENTRES_HZ[None, :]) >= _APART_HZ
    inner = envelopes[:, :, _LAGS:-_LAGS]
    power = np.einsum("nbt,nbt->nb", inner, inner)
    best = np.zeros(len(envelopes), dtype=np.float32)
    for lag in range(2 * _LAGS + 1):
        moved = envelopes[:, :, lag : lag + inner.shape[2]]
        own = np.einsum("nbt,nbt->nb", moved, moved)
        scale = np.sqrt(np.maximum(power[:, :, None] * own[:, None, :], 1e-30))
        alike = np.where(apart, inner @ moved.transpose(0, 2, 1) / scale, 0.0)
        best = np.maximum(best, alike.max(axis=(1, 2)))
    return np.clip(best, 0.0, 1.0)


def first_harmonics(samples: F32, f0_hz: F32) -> F32:
    """Level of the first harmonic over that of the second (H1–H2), dB, as heard: formants are not taken out.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    f0_hz : ndarray, shape (n_frames,)
        Pitch of the core's frames, NaN where unvoiced.

    Returns
    -------
    ndarray, shape (n_frames,)
        NaN where unvoiced.

    References
    ----------
    Klatt and Klatt (1990), Analysis, synthesis, and perception of voice quality variations, doi:10.1121/1.398894
    """
    from scipy import fft

    out = np.full(len(f0_hz), np.nan, dtype=np.float32)
    voiced = np.flatnonzero(np.isfinite(f0_hz))
    view = frames_of(samples, _WINDOW, n_frames=len(f0_hz))
    window = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
    for at in range(0, len(voiced), _PIECE):
        rows = voiced[at : at + _PIECE]
        spectrum = np.abs(fft.rfft(view[rows] * window, _LONG, axis=1))
        levels = [_peak_db(spectrum, number * f0_hz[rows], _REACH * f0_hz[rows]) for number in (1, 2)]
        out[rows] = levels[0] - levels[1]
    return out


def _peak_db(spectrum: F32, hertz: F32, reach_hz: F32) -> F64:
    bin_hz = RATE_HZ / _LONG
    place = np.arange(spectrum.shape[1]) * bin_hz
    near = np.abs(place[None, :] - hertz[:, None]) <= np.maximum(reach_hz, bin_hz)[:, None]
    return np.asarray(20.0 * np.log10(np.where(near, spectrum, 0.0).max(axis=1).astype(np.float64) + 1e-12))
