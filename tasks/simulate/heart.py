"""Electrocardiogram and pulse wave drawn from known beats."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

PULSE_DELAY_S = 0.25
"""From the R peak to the peak of the pulse wave at the wrist."""
# centre as a share of the interval to the next beat (P: before), width in s, height in mV; R sits exactly on the beat
_WAVES = ((-0.17, 0.022, 0.12), (-0.026, 0.009, -0.10), (0.0, 0.010, 1.0), (0.027, 0.010, -0.20), (0.30, 0.045, 0.28))


def ecg_wave(times_s: FloatArray, beats_s: FloatArray) -> FloatArray:
    """Electrocardiogram in mV: a sum of five bells per beat (P, Q, R, S, T).

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing times in s.
    beats_s : ndarray, shape (m,)
        R peaks in s, two or more.

    Returns
    -------
    ndarray, shape (n,)
        Each beat's largest value lies within half a sample of its time. P and T move with the square root of the
        interval, as in McSharry et al. (2003), doi:10.1109/TBME.2003.808805.
    """
    wave = np.zeros(len(times_s))
    intervals = np.diff(beats_s, append=2.0 * beats_s[-1] - beats_s[-2])
    for beat, interval in zip(beats_s, intervals, strict=True):
        stretch = float(np.sqrt(np.clip(interval, 0.4, 1.6)))
        lo, hi = np.searchsorted(times_s, [beat - 0.35, beat + 0.6])
        local = times_s[lo:hi] - beat
        for centre, width, height in _WAVES:
            far = abs(centre) > 0.1
            at, wide = (centre * stretch, width * stretch) if far else (centre, width)
            wave[lo:hi] += height * np.exp(-0.5 * ((local - at) / wide) ** 2)
    return wave


def pulse_wave(times_s: FloatArray, beats_s: FloatArray) -> FloatArray:
    """Blood volume pulse, arbitrary units: a systolic bell and a later, smaller one per beat.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing times in s.
    beats_s : ndarray, shape (m,)
        R peaks in s, two or more.

    Returns
    -------
    ndarray, shape (n,)
        Systolic peaks lie `PULSE_DELAY_S` after the beats, within 10 ms.
    """
    wave = np.zeros(len(times_s))
    intervals = np.diff(beats_s, append=2.0 * beats_s[-1] - beats_s[-2])
    for beat, interval in zip(beats_s + PULSE_DELAY_S, intervals, strict=True):
        stretch = float(np.sqrt(np.clip(interval, 0.4, 1.6)))
        lo, hi = np.searchsorted(times_s, [beat - 0.5, beat + 1.0])
        local = times_s[lo:hi] - beat
        steep = np.where(local < 0.0, 0.075, 0.13 * stretch)
        wave[lo:hi] += np.exp(-0.5 * (local / steep) ** 2)
        wave[lo:hi] += 0.25 * np.exp(-0.5 * ((local - 0.36 * stretch) / (0.09 * stretch)) ** 2)
    return wave


def wander(rng: np.random.Generator, times_s: FloatArray, size: float) -> FloatArray:
    """Slow drift of a signal's baseline: three sines of 40, 17 and 7 s.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (phases).
    times_s : ndarray, shape (n,)
        Times in s.
    size : float
        Amplitude of the slowest.

    Returns
    -------
    ndarray, shape (n,)
        In the unit of `size`.
    """
    total = np.zeros(len(times_s))
    for period, share in ((40.0, 1.0), (17.0, 0.5), (7.0, 0.25)):
        total += size * share * np.sin(2.0 * np.pi * (times_s / period + rng.random()))
    return total
