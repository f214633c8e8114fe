"""Power of interval variability in bands of frequency, in ms², from stretches without a break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.heart.intervals import Intervals

LF_HZ = (0.04, 0.15)
HF_HZ = (0.15, 0.40)
RESAMPLED_HZ = 4.0
SEGMENT_S = 256.0
HF_SHORTEST_S, LF_SHORTEST_S, LFHF_SHORTEST_S = 60.0, 120.0, 300.0


@dataclass(frozen=True, slots=True)
class BandPowers:
    """Mean powers in ms² over the stretches that are long enough, and how many seconds those last."""

    lf: float
    hf: float
    seconds: float


def density(intervals: Intervals) -> tuple[FloatArray, FloatArray]:
    """Power spectral density of the intervals of one stretch.

    Parameters
    ----------
    intervals : Intervals
        Without breaks, four or more.

    Returns
    -------
    tuple of ndarray
        Frequencies in Hz and density in ms²/Hz: cubic spline at 4 Hz, linear trend removed, Welch with Hann windows of
        at most 256 s. The integral over all frequencies is the variance.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    from scipy import signal as sp
    from scipy.interpolate import CubicSpline

    grid = np.arange(intervals.at_s[0], intervals.at_s[-1], 1.0 / RESAMPLED_HZ)
    even = sp.detrend(CubicSpline(intervals.at_s, intervals.ms)(grid))
    size = min(len(even), round(SEGMENT_S * RESAMPLED_HZ))
    freqs, power = sp.welch(even, RESAMPLED_HZ, window="hann", nperseg=size, detrend="linear")
    return np.asarray(freqs, dtype=np.float64), np.asarray(power, dtype=np.float64)


def _power(freqs: FloatArray, power: FloatArray, band_hz: tuple[float, float]) -> float:
    inside = (freqs >= band_hz[0]) & (freqs < band_hz[1])
    return float(power[inside].sum() * (freqs[1] - freqs[0]))


def band_powers(intervals: Intervals, *, shortest_s: float) -> BandPowers:
    """Low and high frequency power over the stretches that last long enough, weighted by their duration.

    Parameters
    ----------
    intervals : Intervals
        May have breaks: no spectrum crosses one.
    shortest_s : float
        Stretches that last less than this are left out, s.

    Returns
    -------
    BandPowers
        NaN where no stretch is long enough.
    """
    long: Sequence[Intervals] = [s for s in intervals.stretches() if s.duration_s >= shortest_s]
    if not long:
        return BandPowers(float("nan"), float("nan"), 0.0)
    spectra = [density(s) for s in long]
    weights = np.array([s.duration_s for s in long])
    lf = float(np.average([_power(*s, LF_HZ) for s in spectra], weights=weights))
    hf = float(np.average([_power(*s, HF_HZ) for s in spectra], weights=weights))
    return BandPowers(lf, hf, float(weights.sum()))
