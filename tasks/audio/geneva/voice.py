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
_MOST = 100  # harmonics
_MISSING_DB = -200.0  # of a harmonic without a peak


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
        the formants' amplitudes are over that of the pitch itself, 0 where no harmonic is near or the nearest is the
        pitch.
    """
    n = len(formants.hertz)
    hnr, h1_h2, h1_a3 = (np.zeros(n, dtype=np.float32) for _ in range(3))
    amplitude = np.full((n, 3), ABSENT_DB, dtype=np.float32)
    for first in range(0, len(at), 256):
        rows = slice(first, first + 256)
        spectra, hertz, where = magnitudes[rows].astype(np.float64), f0_hz[rows], at[rows]
        hnr[where] = _noise(spectra, hertz, bin_hz)
        found = _harmonics(spectra, hertz, bin_hz)
        h1_h2[where] = found.level_db[:, 1] - found.level_db[:, 2]
        for k in range(3):
            amplitude[where, k] = _formant_amplitude(found, formants.hertz[where, k])
        h1_a3[where] = np.where(amplitude[where, 2] > ABSENT_DB, found.level_db[:, 1] - amplitude[where, 2], 0.0)
    return HarmonicFrames(hnr, h1_h2, h1_a3, amplitude)


@dataclass(frozen=True, slots=True)
class _Harmonics:
    """Of k frames and h harmonics: `level_db` of the peaks over the pitch's own bin, `hertz` of the bins, NaN if none.

    The pitch's own bin is not read between the bins while the peaks are: so in openSMILE.
    """

    level_db: F64
    hertz: F64


def _nearest_peaks(tracks: F64, place: Index) -> Index:
    """Local maxima (k, h) of the tracks (k, n) that are nearest to the places (k, h), the later of two as near.

    Beyond n where there is none.
    """
    n = tracks.shape[1]
    top = np.zeros(tracks.shape, dtype=bool)
    top[:, 1:-1] = (tracks[:, 1:-1] > tracks[:, :-2]) & (tracks[:, 1:-1] >= tracks[:, 2:])
    before = np.maximum.accumulate(np.where(top, np.arange(n), -n), axis=1)
    after = np.minimum.accumulate(np.where(top, np.arange(n), 2 * n)[:, ::-1], axis=1)[:, ::-1]
    left, right = (np.take_along_axis(side, place, axis=1) for side in (before, after))
    return np.where(right - place <= place - left, right, np.where(left < 0, 2 * n, left))


def _noise(spectra: F64, f0_hz: F64, bin_hz: float) -> F64:
    """Harmonics to noise from the window's autocorrelation at the peak nearest to the period."""
    from scipy import fft

    auto = fft.irfft(spectra**2, axis=1)[:, : spectra.shape[1]]
    period = np.round(bin_hz * 2 * (spectra.shape[1] - 1) / f0_hz).astype(np.int64)[:, None]
    place = _nearest_peaks(auto, np.minimum(period, auto.shape[1] - 1))
    place = np.where(place < auto.shape[1], place, period)
    peak = np.take_along_axis(auto, np.minimum(place, auto.shape[1] - 1), axis=1)[:, 0]
    peak = np.clip(peak, _LEAST * auto[:, 0], (1.0 - 1e-10) * auto[:, 0]) + 1e-30
    return np.asarray(10.0 * np.log10(peak / (auto[:, 0] - peak + 1e-30)))


def _harmonics(spectra: F64, f0_hz: F64, bin_hz: float) -> _Harmonics:
    """The peak nearest to each harmonic's bin, within half the pitch, its height by a parabola through three bins."""
    bins = spectra.shape[1]
    count = max(3, min(_MOST, int(_EDGES_HZ[1] * (1 + _REACH) / max(float(f0_hz.min()), 1.0))))
    centre = np.arange(1, count + 1) * f0_hz[:, None] / bin_hz
    place = _nearest_peaks(spectra, np.minimum(np.round(centre), bins - 1).astype(np.int64))
    there = (np.abs(place - centre) <= f0_hz[:, None] / bin_hz / 2.0) & (centre < bins - 1)
    place = np.clip(place, 1, bins - 2)
    y0, y1, y2 = (np.take_along_axis(spectra, place + k, axis=1) for k in (-1, 0, 1))
    height = y1 + (y0 - y2) ** 2 / 8.0 / np.maximum(2.0 * y1 - y0 - y2, 1e-30)
    own = np.where(there[:, :1], y1[:, :1], height[:, :1])
    level = 20.0 * np.log10(np.maximum(height, 1e-30) / np.maximum(own, 1e-30))
    return _Harmonics(np.where(there, level, _MISSING_DB), np.where(there, place * bin_hz, np.nan))


def _formant_amplitude(found: _Harmonics, hertz: F32) -> F64:
    """Level of the strongest harmonic within a fifth of a formant (k,)."""
    centre = hertz[:, None].astype(np.float64)
    near = np.abs(found.hertz - centre) <= _REACH * centre
    level = np.where(near, found.level_db, -np.inf)
    best = level.argmax(axis=1)[:, None]
    value = np.where(near.any(axis=1) & (best[:, 0] > 0), np.take_along_axis(level, best, axis=1)[:, 0], 0.0)
    return np.where(hertz > 0, value, ABSENT_DB)
