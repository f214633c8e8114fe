"""Harmonics, noise and the "formants" of the eGeMAPS set in voiced frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Index = NDArray[np.int64]

ABSENT_DB = -201.0  # openSMILE's amplitude of what is not there: it counts in its means over unvoiced frames
_LOW_RATE = 11_000.0
_ORDER = 11
_SHORT_S = 0.02
_EDGES_HZ = (50.0, 5450.0)
_REACH = 0.2  # of a formant's frequency: harmonics within belong to it
_LEAST = 1e-2  # of the autocorrelation: at -20 dB nothing is left of the harmonics
_WIDTH = 0.25  # of the pitch: where a harmonic's peak is looked for


@dataclass(frozen=True, slots=True)
class FormantFrames:
    """`hertz` and `bandwidth` (n, 3), 0 where unvoiced or not found."""

    hertz: F32
    bandwidth: F32


@dataclass(frozen=True, slots=True)
class HarmonicFrames:
    """`hnr_db`, `h1_h2_db`, `h1_a3_db` (n,), 0 where unvoiced; `amplitude_db` (n, 3) of formants over the pitch."""

    hnr_db: F32
    h1_h2_db: F32
    h1_a3_db: F32
    amplitude_db: F32


def formants_of(spectra: NDArray[np.complex64], rate_hz: int, size: int, *, among: Index) -> FormantFrames:
    """Roots of the predictor as openSMILE takes them: with the signs of all coefficients turned.

    They follow openSMILE's columns and not the vocal tract's resonances; for those see `formants.formant_tracks`.

    Parameters
    ----------
    spectra : ndarray, shape (n, bins)
        Spectra of 20 ms under a Hamming window.
    rate_hz : int
        Sampling rate of the signal.
    size : int
        Length of the transform.
    among : ndarray of int, shape (k,)
        Frames to measure.

    Returns
    -------
    FormantFrames
    """
    hertz = np.zeros((len(spectra), 3), dtype=np.float32)
    bandwidth = np.zeros((len(spectra), 3), dtype=np.float32)
    for at in range(0, len(among), 256):
        rows = among[at : at + 256]
        low = _at_low_rate(spectra[rows], rate_hz, size)
        found, width = _roots(_levinson(_autocorrelation(low)))
        hertz[rows], bandwidth[rows] = np.nan_to_num(found), np.where(np.isfinite(found), width, 0.0)
    return FormantFrames(hertz, bandwidth)


def _at_low_rate(spectra: NDArray[np.complex64], rate_hz: int, size: int) -> F64:
    """The frames at 11 kHz: 20 ms that begin with the transform's zeros, half of which lie before the frame.

    Cut at `bins`, the spectrum leaves something of the frame in the zeros, and the predictor hears it.
    """
    length = round(_SHORT_S * _LOW_RATE)
    bins = min(length // 2, spectra.shape[1])
    zeros = (size - round(_SHORT_S * rate_hz)) / 2.0 * _LOW_RATE / rate_hz
    time = np.arange(length) - zeros
    angle = 2.0 * np.pi * np.outer(np.arange(bins), time) * rate_hz / (size * _LOW_RATE)
    part = spectra[:, :bins]
    return np.asarray(part.real @ np.cos(angle) - part.imag @ np.sin(angle), dtype=np.float64)


def _autocorrelation(frames: F64) -> F64:
    length = frames.shape[1]
    lags = [np.einsum("ij,ij->i", frames[:, : length - k], frames[:, k:]) for k in range(_ORDER + 1)]
    return np.stack(lags, axis=1)


def _levinson(lags: F64) -> F64:
    """Prediction error filters of every row."""
    filters = np.zeros_like(lags)
    filters[:, 0] = 1.0
    error = lags[:, 0] + 1e-20
    for i in range(1, lags.shape[1]):
        reflection = -np.einsum("ij,ij->i", filters[:, :i], lags[:, i:0:-1]) / error
        mirrored = filters[:, :i][:, ::-1].copy()
        filters[:, 1 : i + 1] += reflection[:, None] * mirrored
        error = error * (1.0 - reflection**2)
    return filters


def _roots(filters: F64) -> tuple[F64, F64]:
    """Frequency and bandwidth of the three lowest roots between 50 and 5450 Hz, the coefficients' signs turned."""
    companion = np.zeros((len(filters), _ORDER, _ORDER))
    companion[:, 0, :] = filters[:, 1:]
    companion[:, np.arange(1, _ORDER), np.arange(_ORDER - 1)] = 1.0
    roots = np.linalg.eigvals(companion)
    hertz = np.angle(roots) * _LOW_RATE / (2.0 * np.pi)
    hertz = np.where((hertz > _EDGES_HZ[0]) & (hertz < _EDGES_HZ[1]), hertz, np.nan)
    order = np.argsort(hertz, axis=1)[:, :3]
    width = -np.log(np.maximum(np.abs(roots), 1e-9)) * _LOW_RATE / np.pi
    return np.take_along_axis(hertz, order, axis=1), np.take_along_axis(width, order, axis=1)


def harmonics_of(magnitudes: F32, f0_hz: F64, bin_hz: float, *, at: Index, formants: FormantFrames) -> HarmonicFrames:
    """Noise and harmonics of voiced frames.

    Parameters
    ----------
    magnitudes : ndarray, shape (k, bins)
        Magnitude spectra of the voiced frames' long windows.
    f0_hz : ndarray, shape (k,)
        Their pitch.
    bin_hz : float
        Distance of the bins.
    at : ndarray of int, shape (k,)
        Their places among all frames.
    formants : FormantFrames
        Of all n frames.

    Returns
    -------
    HarmonicFrames
        Of all n frames. H1 is the first harmonic above the pitch (2 f0) and H2 the second (3 f0), as in openSMILE;
        the formants' amplitudes are over that of the pitch itself.
    """
    n = len(formants.hertz)
    hnr, h1_h2, h1_a3 = (np.zeros(n, dtype=np.float32) for _ in range(3))
    amplitude = np.full((n, 3), ABSENT_DB, dtype=np.float32)
    for first in range(0, len(at), 256):
        rows = slice(first, first + 256)
        spectra, hertz, where = magnitudes[rows], f0_hz[rows], at[rows]
        hnr[where] = _noise(spectra, hertz, bin_hz)
        levels = _harmonic_levels(spectra, hertz, bin_hz)
        number = np.arange(1, levels.shape[1] + 1)
        for k in range(3):
            centre = formants.hertz[where, k][:, None]
            away = np.abs(number * hertz[:, None] - centre)
            near = (away < _REACH * centre) | (away == away.min(axis=1, keepdims=True))
            best = np.where(near & (centre > 0), levels, -np.inf).max(axis=1)
            amplitude[where, k] = np.where(np.isfinite(best), best - levels[:, 0], ABSENT_DB)
        h1_h2[where] = levels[:, 1] - levels[:, 2]
        h1_a3[where] = np.where(amplitude[where, 2] > ABSENT_DB, levels[:, 1] - levels[:, 0] - amplitude[where, 2], 0.0)
    return HarmonicFrames(hnr, h1_h2, h1_a3, amplitude)


def _noise(spectra: F32, f0_hz: F64, bin_hz: float) -> F64:
    """Harmonics to noise from the window's autocorrelation at the highest lag within three samples of the period."""
    from scipy import fft

    auto = fft.irfft(spectra.astype(np.float64) ** 2, axis=1)
    rate_hz = bin_hz * auto.shape[1]
    lag = np.round(rate_hz / f0_hz).astype(np.int64)[:, None] + np.arange(-3, 4)
    peak = np.take_along_axis(auto, np.clip(lag, 1, auto.shape[1] // 2), axis=1).max(axis=1)
    peak = np.clip(peak, _LEAST * auto[:, 0], (1.0 - 1e-10) * auto[:, 0]) + 1e-30
    return np.asarray(10.0 * np.log10(peak / (auto[:, 0] - peak + 1e-30)))


def _harmonic_levels(spectra: F32, f0_hz: F64, bin_hz: float) -> F64:
    """Level of the harmonics' peaks (k, h) in dB, -inf beyond the spectrum."""
    decibels = 20.0 * np.log10(spectra.astype(np.float64) + 1e-12)
    bins = spectra.shape[1]
    count = max(3, min(100, int(_EDGES_HZ[1] * (1 + _REACH) / max(float(f0_hz.min()), 1.0))))
    centre = np.arange(1, count + 1) * f0_hz[:, None] / bin_hz
    reach = _WIDTH * f0_hz[:, None] / bin_hz
    low, high = np.ceil(centre - reach), np.floor(centre + reach)
    best = np.full(centre.shape, -np.inf)
    for step in range(int((high - low).max()) + 1):
        place = low + step
        there = (place <= high) & (place < bins)
        value = np.take_along_axis(decibels, np.where(there, place, 0).astype(np.int64), axis=1)
        best = np.where(there, np.maximum(best, value), best)
    return best
