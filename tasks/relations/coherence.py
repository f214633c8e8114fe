"""Coherence of a signal by the second with a rhythm, as of the heart with breathing, and what chance makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

ComplexArray = NDArray[np.complex128]

SURROGATES = 99
EVEN = 0.9
"""Where half of all surrogates cohere more than this with the rhythm itself, it is too even to tell anything by it."""
_WINDOW_S, _NEAR_HZ = 64, 0.02
_SHORTEST_S, _ALL_S = 128, 180
_BRIDGED_S = 3
_FADE_S = 16
_EDGE_S = 8  # at the ends of a stretch its phase is not known as well


@dataclass(frozen=True, slots=True)
class Coherence:
    """Largest coherence near a frequency, p by surrogates (NaN where the rhythm is too even), and the seconds of it."""

    value: float
    p: float
    seconds: float


def coherence_at(first: FloatArray, rhythm: FloatArray, hertz: float, *, seed: int = 0) -> Coherence:
    """Coherence of a signal and a rhythm at its frequency.

    Parameters
    ----------
    first, rhythm : ndarray, shape (n,)
        One value a second; gaps of up to 3 s are bridged by straight lines, longer ones end a stretch.
    hertz : float
        Frequency of the rhythm, below 0.5 Hz.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Coherence
        `value` is the magnitude-squared coherence, largest within 0.02 Hz, of Hann windows of 64 s.

        A surrogate is a rhythm as even as this one that went another way: the rate's deviations from its mean (the
        slope of the phase of the analytic signal) with their spectrum and random phases (Theiler et al. 1992,
        doi:10.1016/0167-2789(92)90102-S), summed to a phase again (surrogates of the phase as in Lancaster et al. 2018,
        doi:10.1016/j.physrep.2018.06.001). A spectrum with random phases would not do: a narrow line then comes and
        goes, where even breathing only wanders, and two strangers who breathe evenly at one rate look alike for
        minutes.

        All NaN, and 0 s, for less than 180 s of stretches that are at least 128 s long.
    """
    stretches = _stretches(first, rhythm)
    seconds = float(sum(len(s) for s in stretches))
    if seconds < _ALL_S:
        return Coherence(np.nan, np.nan, 0.0)
    ours = [_spectra(_bridged(first, s), hertz) for s in stretches]
    waves = [_bridged(rhythm, s) for s in stretches]
    theirs = [_spectra(wave, hertz) for wave in waves]
    found = _coherence(ours, theirs)
    own, chance = np.empty(SURROGATES), np.empty(SURROGATES)
    for k, made in enumerate(_surrogates(waves, stretches, hertz, rng=np.random.default_rng(seed))):
        other = [_spectra(wave, hertz) for wave in made]
        own[k], chance[k] = _coherence(theirs, other), _coherence(ours, other)
    if np.median(own) > EVEN:
        return Coherence(found, np.nan, seconds)
    return Coherence(found, (1 + int(np.sum(chance >= found))) / (SURROGATES + 1), seconds)


def _surrogates(
    waves: Sequence[FloatArray], stretches: Sequence[NDArray[np.int64]], hertz: float, *, rng: np.random.Generator
) -> Iterator[list[FloatArray]]:
    """Waves as strong at each moment and as even, whose phases went other ways; through gaps the phase goes on."""
    sizes, phases = zip(*(_polar(wave, at, hertz) for wave, at in zip(waves, stretches, strict=True)), strict=True)
    rate = np.diff(_joined(phases, stretches))
    weight = _faded(len(rate))
    mean = float(np.average(rate, weights=weight))
    n = int(stretches[-1][-1]) + 1
    size = np.abs(np.fft.rfft(weight * (rate - mean), n)) / np.sqrt(np.sum(weight**2) / n)
    for _ in range(SURROGATES):
        turned = np.exp(2j * np.pi * rng.random(len(size)))
        went = np.cumsum(np.fft.irfft(size * turned, n) + mean)
        yield [strong * np.cos(2 * np.pi * hertz * at + went[at]) for at, strong in zip(stretches, sizes, strict=True)]


def _joined(phases: Sequence[FloatArray], stretches: Sequence[NDArray[np.int64]]) -> FloatArray:
    """One phase from the first stretch to the last, that goes the shortest way through gaps.

    To end it at each gap would count the noise of its two ends as wandering, gap by gap.
    """
    inner = slice(_EDGE_S, -_EDGE_S)
    slope = sum(p[inner][-1] - p[inner][0] for p in phases) / sum(len(p[inner]) - 1 for p in phases)
    times, values = stretches[0][inner], phases[0][inner] - slope * stretches[0][inner]
    for at, phase in zip(stretches[1:], phases[1:], strict=True):
        rest = phase[inner] - slope * at[inner]
        rest += values[-1] - rest[0] + np.angle(np.exp(1j * (rest[0] - values[-1])))
        times, values = np.concatenate([times, at[inner]]), np.concatenate([values, rest])
    whole = np.arange(times[0], times[-1] + 1)
    return np.asarray(np.interp(whole, times, values) + slope * whole)


def _faded(n: int) -> FloatArray:
    """Ones that fade in and out: what noise does to the phase at either end is no wandering of the rhythm."""
    at = np.arange(1, n + 1)
    return np.asarray(np.sin(0.5 * np.pi * np.clip(np.minimum(at, at[::-1]) / _FADE_S, 0.0, 1.0)) ** 2)


def _polar(wave: FloatArray, at: NDArray[np.int64], hertz: float) -> tuple[FloatArray, FloatArray]:
    """Size, and phase before a wave of this frequency, of what lies within half of it."""
    known = np.fft.fftfreq(len(wave), 1.0)
    near = (known > 0.5 * hertz) & (known < 1.5 * hertz)
    turning = np.fft.ifft(np.where(near, 2.0 * np.fft.fft(wave - wave.mean()), 0.0))
    phase = np.unwrap(np.angle(turning * np.exp(-2j * np.pi * hertz * at)))
    return np.abs(turning), np.asarray(phase)


def _stretches(first: FloatArray, second: FloatArray) -> list[NDArray[np.int64]]:
    """Seconds of the stretches that are long enough."""
    good = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    parts = np.split(good, np.flatnonzero(np.diff(good) > _BRIDGED_S) + 1) if len(good) else []
    return [np.arange(p[0], p[-1] + 1) for p in parts if p[-1] - p[0] + 1 >= _SHORTEST_S]


def _bridged(values: FloatArray, at: NDArray[np.int64]) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    return np.interp(at, known, values[known])


def _coherence(one: Sequence[ComplexArray], two: Sequence[ComplexArray]) -> float:
    """Largest coherence over the frequencies, from spectra (windows, frequencies) of stretches."""
    cross = sum(np.sum(np.conj(a) * b, axis=0) for a, b in zip(one, two, strict=True))
    power = np.asarray(np.prod([sum(np.sum(np.abs(a) ** 2, axis=0) for a in some) for some in (one, two)], axis=0))
    return float(np.divide(np.abs(cross) ** 2, power, out=np.zeros(power.shape), where=power > 0).max(initial=0.0))


def _spectra(values: FloatArray, hertz: float) -> ComplexArray:
    """Spectra of windows that overlap by half, at the frequencies near one; weighed by the length of the stretch."""
    from scipy.signal import detrend

    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW_S)[:: _WINDOW_S // 2]
    near = np.abs(np.fft.rfftfreq(_WINDOW_S, 1.0) - hertz) <= _NEAR_HZ
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW_S) / _WINDOW_S)
    found = np.fft.rfft(hann * detrend(windows, axis=-1), axis=-1)[:, near]
    return np.asarray(found * np.sqrt(len(values) / len(windows)))
