"""Low-level descriptors of the eGeMAPS set, every 10 ms.

Definitions are those of the published configuration (frames of 20 ms under a Hamming window and of 60 ms under a
Gaussian one, both starting on the frame's time). Where openSMILE's values follow another definition than the paper's
words, its values were taken for the truth; docs/methods/voice.md lists these places.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.geneva.cycles import jitter_and_shimmer
from cueflow.tasks.audio.geneva.pitch import COSTS, LOWEST_HZ, PathCosts, subharmonic_pitch
from cueflow.tasks.audio.geneva.voice import formants_of, harmonics_of

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

STEP_S = 0.01
SHORT_S, LONG_S = 0.02, 0.06
_SIGMA = 0.4  # of the Gaussian window, in half windows
_QUIET = 0.001  # root mean square of the long window, below which nothing is voiced
_BANDS = 26
_BAND_LIMITS_HZ = (20.0, 8000.0)
_POWER = 0.33
_LOUDNESS_SCALE = 0.069
_FULL_SCALE = 32767.0  # cepstra are floored at one step of 16 bits
_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class LowLevel:
    """Descriptors of n frames, not smoothed.

    `power` (n,) mean square; `loudness`, `flux`, `alpha_ratio_db`, `hammarberg_db`, `slope_low`, `slope_mid` (n,);
    `mfcc` (n, 4); `jitter` (ratio) and `shimmer_db` (n,), 0 where undefined; `f0_st` (n,) semitones over 27.5 Hz, 0
    where unvoiced and NaN where no long window fits; `settled` (n,) where that does not hang on what comes after the
    last frame; `hnr_db`, `h1_h2_db`, `h1_a3_db` (n,), `amplitude_db`,
    `formant_hz` and `bandwidth_hz` (n, 3) of voiced frames.
    """

    power: F32
    loudness: F32
    flux: F32
    mfcc: F32
    alpha_ratio_db: F32
    hammarberg_db: F32
    slope_low: F32
    slope_mid: F32
    f0_st: F32
    settled: NDArray[np.bool_]
    jitter: F32
    shimmer_db: F32
    hnr_db: F32
    h1_h2_db: F32
    h1_a3_db: F32
    amplitude_db: F32
    formant_hz: F32
    bandwidth_hz: F32

    def part(self, first: int, last: int) -> LowLevel:
        """Frames first to last - 1.

        Parameters
        ----------
        first, last : int
            Half-open span of frames.

        Returns
        -------
        LowLevel
        """
        return LowLevel(**{f.name: getattr(self, f.name)[first:last] for f in fields(self)})


def low_level(samples: NDArray[np.floating], rate_hz: int, *, costs: PathCosts = COSTS) -> LowLevel:
    """Low-level descriptors of a signal.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono, -1 to 1.
    rate_hz : int
        Sampling rate.
    costs : PathCosts, optional
        Of the path of the pitch.

    Returns
    -------
    LowLevel
        Of all frames of 20 ms that fit; none where the signal is shorter.

    References
    ----------
    Eyben et al. (2016), doi:10.1109/TAFFC.2015.2457417
    """
    short = _frames(samples, SHORT_S, rate_hz)
    size = _fft_size(short.shape[1])
    spectrum = _spectra(short, np.hamming(short.shape[1]), size)
    bin_hz = rate_hz / size
    power = np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)
    bands = power @ _mel_matrix(power.shape[1], bin_hz)
    decibels = np.asarray(10.0 * np.log10(power + _FLOOR), dtype=np.float32)
    f0, settled, magnitudes, long_bin_hz = _pitch(samples, rate_hz, costs)
    f0_st = np.full(len(short), np.nan, dtype=np.float32)
    f0_st[: len(f0)] = f0
    voiced = np.flatnonzero(f0 > 0)
    hertz = LOWEST_HZ * 2.0 ** (f0[voiced] / 12.0)
    all_hertz = np.zeros(len(short))
    all_hertz[voiced] = hertz
    step = round(STEP_S * rate_hz)
    jitter, shimmer = jitter_and_shimmer(np.asarray(samples, dtype=np.float32), all_hertz, step, rate_hz)
    formants = formants_of(spectrum, rate_hz, size, among=voiced)
    harmonics = harmonics_of(magnitudes[voiced], hertz, long_bin_hz, at=voiced, formants=formants)
    return LowLevel(
        power=np.einsum("ij,ij->i", short, short).astype(np.float32) / max(short.shape[1], 1),
        loudness=_LOUDNESS_SCALE * ((bands * _sensitivity()) ** _POWER).sum(axis=1),
        flux=_flux(power[:, : int(np.ceil(5000.0 / bin_hz))]),
        mfcc=_cepstra(bands),
        alpha_ratio_db=_alpha_ratio(power, bin_hz),
        hammarberg_db=_hammarberg(decibels, bin_hz),
        slope_low=_slope(decibels, bin_hz, (0.0, 500.0)),
        slope_mid=_slope(decibels, bin_hz, (500.0, 1500.0)),
        f0_st=f0_st,
        settled=np.arange(len(short)) < settled,
        jitter=jitter,
        shimmer_db=shimmer,
        hnr_db=harmonics.hnr_db,
        h1_h2_db=harmonics.h1_h2_db,
        h1_a3_db=harmonics.h1_a3_db,
        amplitude_db=harmonics.amplitude_db,
        formant_hz=formants.hertz,
        bandwidth_hz=formants.bandwidth,
    )


def _frames(samples: NDArray[np.floating], seconds: float, rate_hz: int) -> F32:
    length, step = round(seconds * rate_hz), round(STEP_S * rate_hz)
    data = np.asarray(samples, dtype=np.float32)
    if len(data) < length:
        return np.empty((0, length), dtype=np.float32)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(data, length)[::step])


def _fft_size(length: int) -> int:
    return 1 << (length - 1).bit_length()


def _spectra(frames: F32, window: F64, size: int) -> NDArray[np.complex64]:
    from scipy import fft

    return np.asarray(fft.rfft(frames * window.astype(np.float32), size, axis=1))


def _pitch(samples: NDArray[np.floating], rate_hz: int, costs: PathCosts) -> tuple[F64, int, F32, float]:
    """Pitch of the long windows, how many first ones are settled, their magnitudes and the distance of their bins."""
    long = _frames(samples, LONG_S, rate_hz)
    length = long.shape[1]
    half = (length - 1) / 2.0
    window = np.exp(-0.5 * np.square((np.arange(length) - half) / half / _SIGMA))
    size = _fft_size(length)
    magnitudes = np.abs(_spectra(long, window, size)).astype(np.float32)
    loud = np.sqrt(np.einsum("ij,ij,j->i", long, long, window**2, optimize=True) / max(length, 1))
    bin_hz = rate_hz / size
    pitch, settled = subharmonic_pitch(magnitudes, bin_hz, costs=costs)
    return np.where(loud < _QUIET, 0.0, pitch), settled, magnitudes, bin_hz


@lru_cache(maxsize=4)
def _edges() -> F64:
    low, high = (1127.0 * np.log1p(hertz / 700.0) for hertz in _BAND_LIMITS_HZ)
    return np.linspace(low, high, _BANDS + 2)


@lru_cache(maxsize=4)
def _mel_matrix(bins: int, bin_hz: float) -> F32:
    mel = 1127.0 * np.log1p(np.arange(bins) * bin_hz / 700.0)[:, None]
    edges = _edges()
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    weights = np.maximum(np.minimum(rising, falling), 0.0)
    weights[: round(_BAND_LIMITS_HZ[0] / bin_hz) + 1] = 0.0
    return np.asarray(weights, dtype=np.float32)


@lru_cache(maxsize=1)
def _sensitivity() -> F32:
    """Equal loudness (Hermansky 1990); its fall above 4.6 kHz was fitted to openSMILE's values, within .3 %."""
    hertz = 700.0 * (np.exp(_edges()[1:-1] / 1127.0) - 1.0)
    square = hertz**2
    curve = (square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6)
    return np.asarray(curve / (1.0 + (hertz / 4610.0) ** 7), dtype=np.float32)


def _cepstra(bands: F32) -> F32:
    order = np.arange(1, 5)
    basis = np.sqrt(2.0 / _BANDS) * np.cos(np.pi * order * (np.arange(_BANDS)[:, None] + 0.5) / _BANDS)
    lifter = 1.0 + 11.0 * np.sin(np.pi * order / 22.0)
    return np.asarray(np.log(np.maximum(bands * _FULL_SCALE**2, 1.0)) @ (basis * lifter), dtype=np.float32)


def _flux(power: F32) -> F32:
    magnitude = np.sqrt(power)
    change = np.diff(magnitude, axis=0, prepend=magnitude[:1])
    return np.asarray(np.sqrt(np.mean(change**2, axis=1)), dtype=np.float32)


def _alpha_ratio(power: F32, bin_hz: float) -> F32:
    first, last = int(np.ceil(1000.0 / bin_hz)), int(np.ceil(5000.0 / bin_hz))
    low, high = power[:, :first].sum(axis=1), power[:, first:last].sum(axis=1)
    return np.asarray(10.0 * np.log10((high + _FLOOR) / (low + _FLOOR)), dtype=np.float32)


def _hammarberg(decibels: F32, bin_hz: float) -> F32:
    edge, end = int(2000.0 / bin_hz) + 1, int(5000.0 / bin_hz) + 1
    return np.asarray(decibels[:, :edge].max(axis=1) - decibels[:, edge:end].max(axis=1))


def _slope(decibels: F32, bin_hz: float, band_hz: tuple[float, float]) -> F32:
    """Regression line over a band whose first and last bins count in part, with one bin fewer in the denominator."""
    low, high = (hertz / bin_hz for hertz in band_hz)
    first, last = int(low), int(high)
    weight = np.ones(last - first + 1)
    weight[0] -= low - first
    weight[-1] = high - last if high > last else 1.0
    x = np.arange(first, last + 1) * weight
    n = last - first
    scale = bin_hz * (n * np.sum(x**2) - np.sum(x) ** 2)
    return np.asarray(decibels[:, first : last + 1] @ ((n * x - np.sum(x) * weight) / scale), dtype=np.float32)
