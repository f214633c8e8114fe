"""Band power of a hand's small movements: fidgeting, and tremor where the frame rate allows."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.episodes import runs

FIDGET_HZ, TREMOR_LOW_HZ, TREMOR_HIGH_HZ = (1.0, 5.0), (4.0, 6.0), (6.0, 12.0)
MIN_RUN_S = 4.0  # of a hand seen without a gap
SNR_DB = 6.0  # by which a tremor's peak must stand above the spectrum around it
AROUND_HZ = (2.0, 14.0)


def hand_spectrum(times_s: FloatArray, place: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Spectrum of a hand's place, over all stretches in which it was seen.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Stamps, s.
    place : ndarray, shape (n, 2)
        In shoulder widths; NaN where the hand was not seen.

    Returns
    -------
    frequencies : ndarray, shape (k,)
        Hz; empty where no stretch is long enough.
    power : ndarray, shape (k,)
        Both directions together, SW²/Hz.
    seconds : float
        How much was used.
    """
    from scipy.signal import welch

    good = np.asarray(np.isfinite(place).all(axis=1))
    chosen = [(a, b) for a, b in runs(times_s, good) if times_s[b - 1] - times_s[a] >= MIN_RUN_S]
    if not chosen:
        return np.zeros(0), np.zeros(0), 0.0
    rate = 1 / float(np.median(np.diff(times_s)))
    length = round(rate * MIN_RUN_S)
    total, seconds, frequencies = None, 0.0, np.zeros(0)
    for a, b in chosen:
        span = float(times_s[b - 1] - times_s[a])
        grid = np.arange(times_s[a], times_s[b - 1], 1 / rate)
        even = np.column_stack([np.interp(grid, times_s[a:b], place[a:b, axis]) for axis in (0, 1)])
        frequencies, power = welch(even, fs=rate, nperseg=min(length, len(grid)), nfft=length, axis=0, detrend="linear")
        weighted = power.sum(axis=1) * span
        total, seconds = (weighted if total is None else total + weighted), seconds + span
    return frequencies, np.asarray(total) / seconds, seconds


def band_power(frequencies: FloatArray, power: FloatArray, band: tuple[float, float]) -> float:
    """Power in a band.

    Parameters
    ----------
    frequencies, power : ndarray, shape (k,)
        As `hand_spectrum` gives them.
    band : tuple of float
        Low and high end, Hz.

    Returns
    -------
    float
        SW².
    """
    inside = (frequencies >= band[0]) & (frequencies < band[1])
    return float(power[inside].sum() * (frequencies[1] - frequencies[0]))


def stands_out(frequencies: FloatArray, power: FloatArray, band: tuple[float, float]) -> bool:
    """True where the band holds a peak well above the spectrum around it.

    Parameters
    ----------
    frequencies, power : ndarray, shape (k,)
        As `hand_spectrum` gives them.
    band : tuple of float
        Low and high end, Hz.

    Returns
    -------
    bool
    """
    inside = (frequencies >= band[0]) & (frequencies < band[1])
    around = (frequencies >= AROUND_HZ[0]) & (frequencies < AROUND_HZ[1])
    floor = float(np.median(power[around]))
    return bool(inside.any()) and 10 * np.log10(float(power[inside].max()) / max(floor, 1e-12)) >= SNR_DB
