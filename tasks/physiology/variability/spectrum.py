"""Power of interval variability in bands of frequency, in ms²: Welch without gaps, Lomb-Scargle over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.variability.intervals import Intervals

BANDS_HZ: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"ulf": (0.0, 0.0033), "vlf": (0.0033, 0.04), "lf": (0.04, 0.15), "hf": (0.15, 0.40), "vhf": (0.40, 0.50)}
)
RESAMPLED_HZ = 4.0
LONGEST_SEGMENT_S, SHORTEST_SEGMENT_S = 256.0, 120.0
PIECE_S = 300.0
_CELLS = 200_000  # of a block of frequencies and beats


@dataclass(frozen=True, slots=True)
class Powers:
    """Power by band in ms² (NaN: no stretch is long enough), and how many seconds they rest on."""

    bands: Mapping[str, float]
    seconds: float

    def __getitem__(self, band: str) -> float:
        return self.bands[band]


_NONE = Powers(dict.fromkeys(BANDS_HZ, float("nan")), 0.0)


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
        half the stretch, but 120 to 256 s where it is that long. The integral over all frequencies is the variance.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043
    """
    from scipy import signal as sp
    from scipy.interpolate import CubicSpline

    grid = np.arange(intervals.at_s[0], intervals.at_s[-1], 1.0 / RESAMPLED_HZ)
    even = sp.detrend(CubicSpline(intervals.at_s, intervals.ms)(grid))
    shortest, longest = round(SHORTEST_SEGMENT_S * RESAMPLED_HZ), round(LONGEST_SEGMENT_S * RESAMPLED_HZ)
    size = min(len(even), max(shortest, min(longest, len(even) // 2)))
    freqs, power = sp.welch(even, RESAMPLED_HZ, window="hann", nperseg=size, nfft=2 * size, detrend="linear")
    return np.asarray(freqs, dtype=np.float64), np.asarray(power, dtype=np.float64)


def in_bands(freqs: FloatArray, power: FloatArray) -> dict[str, float]:
    """Power of a density in each band.

    Parameters
    ----------
    freqs, power : ndarray, shape (n,)
        Frequencies in Hz, evenly spaced, and density in ms²/Hz.

    Returns
    -------
    dict
        By band, ms².
    """
    step = float(freqs[1] - freqs[0])
    return {name: float(power[(freqs >= lo) & (freqs < hi)].sum() * step) for name, (lo, hi) in BANDS_HZ.items()}


def band_powers(intervals: Intervals, *, shortest_s: float) -> Powers:
    """Power in each band over the stretches that last long enough, weighted by their duration.

    Parameters
    ----------
    intervals : Intervals
        May have breaks: no spectrum crosses one.
    shortest_s : float
        Stretches that last less than this are left out, s.

    Returns
    -------
    Powers
        NaN where no stretch is long enough.
    """
    long = [s for s in intervals.stretches() if s.duration_s >= shortest_s and len(s) >= 4]
    if not long:
        return _NONE
    weights = np.array([s.duration_s for s in long])
    rows = [in_bands(*density(s)) for s in long]
    bands = {name: float(np.average([row[name] for row in rows], weights=weights)) for name in BANDS_HZ}
    return Powers(bands, float(weights.sum()))


def lomb_powers(intervals: Intervals) -> Powers:
    """Power in each band from the intervals as they are, gaps and all: nothing is drawn across a gap.

    Parameters
    ----------
    intervals : Intervals
        May have breaks.

    Returns
    -------
    Powers
        Lomb-Scargle periodograms of pieces of 300 s (a shorter recording is one piece), averaged by the seconds that
        their intervals fill; a piece that is filled to less than a half is left out. The lowest band comes from one
        periodogram of the whole.

    References
    ----------
    Laguna, Moody & Mark (1998), doi:10.1109/10.678605
    """
    pieces = [p for p in _pieces(intervals) if len(p) >= 10 and p.duration_s >= 0.5 * _extent_s(p)]
    if not pieces:
        return _NONE
    weights = np.array([p.duration_s for p in pieces])
    rows = [in_bands(*lomb_density(p, highest_hz=0.5)) for p in pieces]
    bands = {name: float(np.average([row[name] for row in rows], weights=weights)) for name in BANDS_HZ}
    bands["ulf"] = _slowest(intervals)
    return Powers(bands, float(weights.sum()))


def _extent_s(intervals: Intervals) -> float:
    return float(intervals.at_s[-1] - intervals.starts_s[0])


def _pieces(intervals: Intervals) -> list[Intervals]:
    if not len(intervals):
        return []
    number = max(1, int(_extent_s(intervals) // PIECE_S))
    edges = np.linspace(intervals.at_s[0], np.nextafter(intervals.at_s[-1], np.inf), number + 1)
    which = np.searchsorted(edges, intervals.at_s, side="right")
    return [intervals.keep(which == k) for k in range(1, number + 1)]


def _slowest(intervals: Intervals) -> float:
    freqs, power = lomb_density(intervals, highest_hz=BANDS_HZ["ulf"][1])
    return float(power.sum() * freqs[0]) if len(freqs) else float("nan")


def lomb_density(intervals: Intervals, *, highest_hz: float) -> tuple[FloatArray, FloatArray]:
    """Lomb-Scargle periodogram as a density.

    Parameters
    ----------
    intervals : Intervals
        Two or more.
    highest_hz : float
        How far the frequencies reach, Hz.

    Returns
    -------
    tuple of ndarray
        Frequencies in Hz, one for each half turn in the extent, and density in ms²/Hz, by the seconds that the
        intervals fill: a sine of amplitude a has about the power a²/2, with gaps or without.
    """
    extent = _extent_s(intervals)
    step = 0.5 / extent
    freqs: FloatArray = np.asarray(np.arange(1, int(highest_hz / step) + 1) * step, dtype=np.float64)
    values = intervals.ms - intervals.ms.mean()
    at = intervals.at_s - intervals.at_s[0]
    if not len(freqs):
        return freqs, freqs
    parts = np.array_split(freqs, max(1, len(freqs) * len(values) // _CELLS))
    power = np.concatenate([_periodogram(at, values, part) for part in parts])
    return freqs, power * (2.0 * intervals.duration_s / len(values))


def _periodogram(at: FloatArray, values: FloatArray, freqs: FloatArray) -> FloatArray:
    """Classical Lomb-Scargle periodogram; scipy's gives the same and takes ten times as long over a day."""
    turns = np.exp(2j * np.pi * freqs[:, None] * at[None, :])
    both, twice = turns @ values, np.einsum("fn,fn->f", turns, turns)
    turned = both * np.exp(-0.5j * np.angle(twice))
    along, across = 0.5 * (len(values) + np.abs(twice)), 0.5 * (len(values) - np.abs(twice))
    return np.asarray(0.5 * (turned.real**2 / along + turned.imag**2 / np.maximum(across, 1e-12)), dtype=np.float64)
