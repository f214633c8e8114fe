"""Breathing that heart and pulse show: their rate, and the height of their beats, rise and fall with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cueflow.schemas.results import FloatArray, Window
from cueflow.tasks.physiology.segments import BoolArray

PIECE_S, STEP_S = 64.0, 32.0
BAND_HZ = (0.08, 0.6)
RATE_HZ = 4.0
NEAR_HZ = 0.04
AGREE_PER_MIN = 2.0
STEADY = 0.75
MOSTLY_CLEAR = 1 / 3
"""Share of a window's pieces that must be clear: chance makes one now and then."""
CLEAR = 0.42
"""Share of the power from 0.08 to 0.6 Hz that must lie around the peak, in the mean of two tracks that agree."""
_LONGEST_S = 3.0


@dataclass(frozen=True, slots=True)
class Derived:
    """Pieces of 64 s, each array (k,): middle in s, breaths per minute, and how clear they are, 0 to 1."""

    middle_s: FloatArray
    rate: FloatArray
    clear: FloatArray

    def within(self, window: Window) -> tuple[float | None, float, float]:
        """Median rate of the clear pieces whose middle lies in the window, their number, and their mean clearness.

        Parameters
        ----------
        window : Window
            The span.

        Returns
        -------
        tuple
            The rate is None where less than a third of the pieces are clear, or more than a quarter of those lie over
            2 per minute from the median: breathing and slow waves of blood pressure then take turns.
        """
        there = (self.middle_s >= window.start_s) & (self.middle_s < window.end_s)
        inside = there & (self.clear >= CLEAR)
        if not inside.any() or inside.sum() < MOSTLY_CLEAR * there.sum():
            return None, float(inside.sum()), 0.0
        rates = self.rate[inside]
        steady = float(np.mean(np.abs(rates - np.median(rates)) <= AGREE_PER_MIN)) >= STEADY
        return float(np.median(rates)) if steady else None, float(inside.sum()), float(self.clear[inside].mean())


def derived_breathing(beats_s: FloatArray, tracks: Sequence[FloatArray], good: BoolArray) -> Derived:
    """Breathing rate from what beats carry.

    Parameters
    ----------
    beats_s : ndarray, shape (m,)
        Increasing times of beats, s.
    tracks : sequence of ndarray, shape (m,)
        What rises and falls with breathing: height of the beat, interval before it. NaN where it is not known.
    good : ndarray of bool, shape (m,)
        Beats that may be used.

    Returns
    -------
    Derived
        For each piece of 64 s, every 32 s, in which beats leave no hole of more than 3 s, the rate that two tracks
        agree on to 2 per minute: slow waves of blood pressure move the intervals too, but not the height of an R peak.

    References
    ----------
    Karlen et al. (2013), doi:10.1109/TBME.2013.2246160 (agreement); Charlton et al. (2018),
    doi:10.1109/RBME.2017.2763681
    """
    if len(beats_s) < 2:
        return Derived(np.empty(0), np.empty(0), np.empty(0))
    middles = np.arange(beats_s[0] + PIECE_S / 2, beats_s[-1] - PIECE_S / 2 + 1e-9, STEP_S)
    found = np.array([_piece(beats_s, tracks, good, float(m)) for m in middles]).reshape(-1, 2)
    return Derived(middles, found[:, 0], found[:, 1])


def _piece(beats_s: FloatArray, tracks: Sequence[FloatArray], good: BoolArray, middle_s: float) -> tuple[float, float]:
    grid = middle_s - PIECE_S / 2 + np.arange(int(PIECE_S * RATE_HZ)) / RATE_HZ
    near = (beats_s > grid[0] - _LONGEST_S) & (beats_s < grid[-1] + _LONGEST_S) & good
    found = []
    for track in tracks:
        use = near & np.isfinite(track)
        at, values = beats_s[use], track[use]
        if len(at) < PIECE_S / 2 or np.diff(at, prepend=grid[0], append=grid[-1]).max() > _LONGEST_S:
            continue
        highest = min(BAND_HZ[1], 0.5 * len(at) / float(at[-1] - at[0]))  # beats are the samples of a breath
        found.append(_peak(np.interp(grid, at, _calm(values)), highest))
    return _agreed(found)


def _agreed(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean rate and clearness of the two tracks that agree best; clearness 0 where no two agree."""
    pairs = [(abs(a[0] - b[0]), a, b) for a, b in combinations(found, 2)]
    close = [(a[1] + b[1], a, b) for apart, a, b in pairs if apart <= AGREE_PER_MIN]
    if not close:
        return 0.0, 0.0
    total, a, b = max(close)
    return (a[0] * a[1] + b[0] * b[1]) / total if total > 0 else 0.0, total / 2


def _calm(values: FloatArray) -> FloatArray:
    """Values with outliers cut, so that one odd beat is no breath."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.asarray(np.clip(values, middle - 4 * spread, middle + 4 * spread))


def _peak(wave: FloatArray, highest_hz: float) -> tuple[float, float]:
    """Rate per minute and clearness of the strongest rhythm of a piece."""
    from scipy import signal as sp

    spectrum = np.abs(np.fft.rfft(sp.detrend(wave) * np.hanning(len(wave)), 4 * len(wave))) ** 2
    freqs = np.fft.rfftfreq(4 * len(wave), 1.0 / RATE_HZ)
    band = (freqs >= BAND_HZ[0]) & (freqs <= highest_hz)
    power, where = spectrum[band], freqs[band]
    if not len(power) or power.sum() <= 0:
        return 0.0, 0.0
    top = float(where[power.argmax()])
    near = np.abs(where - top) <= NEAR_HZ
    centre = float(np.average(where[near], weights=power[near]))
    return 60.0 * centre, float(power[near].sum() / power.sum())
