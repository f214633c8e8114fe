"""Short-time spectra every 10 ms, the auditory (mel) bands, and what is read from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import RATE_HZ, frames_of

F32 = NDArray[np.float32]

WINDOW = 320  # 20 ms
SIZE = 512
BANDS = 26
_BAND_LIMITS_HZ = (20.0, 8000.0)
_POWER = 0.33
_FLOOR = 1e-12
# Brings the sum to openSMILE 2.6.0's eGeMAPS scale at 16 kHz (openSMILE's own scale moves with the sampling rate)
_LOUDNESS_SCALE = 0.0647


@dataclass(frozen=True, slots=True)
class SpectralFrames:
    """Tracks of n frames.

    `loudness` (n,) in eGeMAPS units; `flux` (n,); `mfcc` (n, 4); `alpha_ratio_db` and `hammarberg_db` (n,); `slope_low`
    and `slope_mid` (n,) in dB/Hz over 0–500 and 500–1500 Hz.
    """

    loudness: F32
    flux: F32
    mfcc: F32
    alpha_ratio_db: F32
    hammarberg_db: F32
    slope_low: F32
    slope_mid: F32


def spectral_frames(samples: F32, *, n_frames: int) -> SpectralFrames:
    """Everything that comes from the short-time spectrum.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    n_frames : int
        Frames of the core.

    Returns
    -------
    SpectralFrames
        Of the core's frames.

    References
    ----------
    Eyben et al. (2016), doi:10.1109/TAFFC.2015.2457417
    """
    power = power_frames(samples, n_frames=n_frames, lead=1)
    bands = power @ mel_matrix()
    auditory = (bands * equal_loudness()) ** _POWER
    low, mid, high = slice(2, 32), slice(32, 160), slice(64, 160)  # 62–1000, 1000–5000 and 2000–5000 Hz
    decibels = 10.0 * np.log10(power[1:-1] + _FLOOR)
    core = power[1:-1]
    return SpectralFrames(
        loudness=_LOUDNESS_SCALE * auditory[1:-1].sum(axis=1),
        flux=_flux(auditory),
        mfcc=cepstral_coefficients(bands[1:-1]),
        alpha_ratio_db=10.0 * np.log10((core[:, mid].sum(axis=1) + _FLOOR) / (core[:, low].sum(axis=1) + _FLOOR)),
        hammarberg_db=decibels[:, :64].max(axis=1) - decibels[:, high].max(axis=1),
        slope_low=_slope(decibels, 0.0, 500.0),
        slope_mid=_slope(decibels, 500.0, 1500.0),
    )


def power_frames(samples: F32, *, n_frames: int, lead: int = 0) -> F32:
    """Power spectra of Hamming windows of 20 ms.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    n_frames : int
        Frames of the core.
    lead : int, optional
        Frames of the context to add on either side.

    Returns
    -------
    ndarray, shape (n_frames + 2 * lead, 257)
        Squared magnitudes, bins of 31.25 Hz.
    """
    from scipy import fft

    window = np.hamming(WINDOW).astype(np.float32)
    spectrum = fft.rfft(frames_of(samples, WINDOW, n_frames=n_frames, lead=lead) * window, SIZE, axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


@lru_cache(maxsize=1)
def mel_matrix() -> F32:
    """Triangular bands, equally wide on the mel scale.

    Returns
    -------
    ndarray, shape (257, 26)
        Weights of the power bins.
    """
    edges = _edges()
    mel = _mel(np.arange(SIZE // 2 + 1) * RATE_HZ / SIZE)[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rising, falling), 0.0), dtype=np.float32)


@lru_cache(maxsize=1)
def equal_loudness() -> F32:
    """The ear's sensitivity at the bands' centres, as in perceptual linear prediction.

    Returns
    -------
    ndarray, shape (26,)

    References
    ----------
    Hermansky (1990), doi:10.1121/1.399423
    """
    edges = _edges()
    square = (700.0 * (np.exp(edges[1:-1] / 1127.0) - 1.0)) ** 2
    return np.asarray((square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6), dtype=np.float32)


def cepstral_coefficients(bands: F32, *, lifter: int = 22) -> F32:
    """Mel-frequency cepstral coefficients 1 to 4.

    Parameters
    ----------
    bands : ndarray, shape (n, 26)
        Power of the mel bands.
    lifter : int, optional
        Length of the sine lifter.

    Returns
    -------
    ndarray, shape (n, 4)
    """
    order = np.arange(1, 5)
    basis = np.sqrt(2.0 / BANDS) * np.cos(np.pi * order[None, :] * (np.arange(BANDS)[:, None] + 0.5) / BANDS)
    weight = 1.0 + lifter / 2.0 * np.sin(np.pi * order / lifter)
    return np.asarray(np.log(bands + 1e-10) @ (basis * weight).astype(np.float32), dtype=np.float32)


def _edges() -> NDArray[np.float64]:
    low, high = _mel(np.asarray(_BAND_LIMITS_HZ))
    return np.linspace(float(low), float(high), BANDS + 2)


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))


def _flux(auditory: F32) -> F32:
    """Distance of the auditory spectrum from the one before."""
    return np.asarray(np.sqrt(np.square(np.diff(auditory, axis=0)[:-1]).sum(axis=1)), dtype=np.float32)


def _slope(decibels: F32, low_hz: float, high_hz: float) -> F32:
    """Slope of the regression line of the log spectrum over frequency."""
    hertz = np.arange(decibels.shape[1]) * RATE_HZ / SIZE
    inside = (hertz >= low_hz) & (hertz <= high_hz)
    centred = hertz[inside] - hertz[inside].mean()
    return np.asarray(decibels[:, inside] @ (centred / (centred @ centred)).astype(np.float32), dtype=np.float32)
