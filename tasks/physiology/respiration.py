"""Breaths: where inspiration begins and ends, how deep they are, and how they vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray, Signal, Window
from cueflow.tasks.physiology.filters import IntArray, bandpass, local_level, peak_indices, refine
from cueflow.tasks.physiology.heart.intervals import Intervals
from cueflow.tasks.physiology.segments import BoolArray, Segment, fractional_times

BAND_HZ = (0.05, 0.7)
REFRACTORY_S = 0.8
PROMINENCE = 0.7
"""Share of the local level by which a peak must stand out."""
BLOCK_S, BLOCKS = 8.0, 7
SIGH = 2.0
"""A breath at least this many times as deep as the median one is a sigh."""
LONGEST_S = 20.0
BORDER_S = 0.5
"""A lowest point this close to the end of a segment is where the segment was cut, and bounds no whole breath."""


@dataclass(frozen=True, slots=True)
class Breaths:
    """Whole breaths, each array (m,): trough, peak and next trough in s, and depth in the sensor's unit.

    `joined` is True where the breath before ends where this one begins.
    """

    onset_s: FloatArray
    peak_s: FloatArray
    end_s: FloatArray
    amplitude: FloatArray
    joined: BoolArray

    def __len__(self) -> int:
        return len(self.onset_s)

    def keep(self, mask: BoolArray) -> Breaths:
        """Some of the breaths.

        Parameters
        ----------
        mask : ndarray of bool, shape (m,)
            What to keep.

        Returns
        -------
        Breaths
        """
        before = np.concatenate([[False], mask[:-1]])
        return Breaths(
            self.onset_s[mask], self.peak_s[mask], self.end_s[mask], self.amplitude[mask], (self.joined & before)[mask]
        )

    def within(self, window: Window) -> Breaths:
        """The breaths that lie in the window as a whole.

        Parameters
        ----------
        window : Window
            The span.

        Returns
        -------
        Breaths
        """
        return self.keep((self.onset_s >= window.start_s) & (self.end_s <= window.end_s))

    @property
    def inspiration_s(self) -> FloatArray:
        """From trough to peak, s."""
        return np.asarray(self.peak_s - self.onset_s)

    @property
    def expiration_s(self) -> FloatArray:
        """From peak to trough, s."""
        return np.asarray(self.end_s - self.peak_s)

    def cycles(self) -> Intervals:
        """Breath-to-breath intervals, trough to trough, ms."""
        return Intervals.of((self.end_s - self.onset_s) * 1000.0, breaks=~self.joined, at_s=self.end_s)


def breath_peaks(values: FloatArray, sampling_rate: float) -> tuple[FloatArray, IntArray]:
    """Ends of inspiration in one segment.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Chest or airflow-derived volume that rises with inspiration, any unit, without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    tuple of ndarray
        The filtered signal (n,), and the samples of its peaks (m,).
    """
    wave = bandpass(values, sampling_rate, *BAND_HZ)
    level = local_level(np.maximum(wave, 0.0), round(BLOCK_S * sampling_rate), BLOCKS)
    return wave, peak_indices(wave, distance=REFRACTORY_S * sampling_rate, prominence=PROMINENCE * level)


def breaths(signal: Signal, pieces: Sequence[Segment]) -> Breaths:
    """Whole breaths of a recording, segment by segment.

    Parameters
    ----------
    signal : Signal
        Rises with inspiration.
    pieces : sequence of Segment
        Its usable stretches.

    Returns
    -------
    Breaths
        In order of time. The onset is the lowest point between two peaks; a breath of more than 20 s is left out.
    """
    parts = [_breaths_of(signal, piece) for piece in pieces]
    rows = np.concatenate([np.empty((0, 5)), *parts])
    found = Breaths(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4] > 0)
    return found.keep(found.end_s - found.onset_s <= LONGEST_S)


def _breaths_of(signal: Signal, piece: Segment) -> FloatArray:
    """Rows of onset, peak, end, amplitude and joined."""
    wave, peaks = breath_peaks(signal.values[piece.samples], signal.sampling_rate)
    if len(peaks) < 2:
        return np.empty((0, 5))
    border = round(BORDER_S * signal.sampling_rate)
    between = [int(a + wave[a:b].argmin()) for a, b in pairwise(peaks)]
    first, last = int(wave[: peaks[0]].argmin()), int(peaks[-1] + wave[peaks[-1] :].argmin())
    head, tail = first >= border, last < len(wave) - border
    lows = np.array([first] * head + between + [last] * tail, dtype=np.int64)
    inner = peaks[0 if head else 1 : len(peaks) if tail else -1]
    if len(inner) == 0:
        return np.empty((0, 5))
    times = signal.times_s[piece.samples]
    low_s = fractional_times(times, refine(wave, lows))
    high_s = fractional_times(times, refine(wave, inner))
    joined = np.ones(len(inner))
    joined[0] = 0.0
    depth = wave[inner] - 0.5 * (wave[lows[:-1]] + wave[lows[1:]])
    return np.stack([low_s[:-1], high_s, low_s[1:], depth, joined], axis=1)


def sighs(amplitude: FloatArray) -> int:
    """How many breaths are at least twice as deep as the median one.

    Parameters
    ----------
    amplitude : ndarray, shape (m,)
        Depths.

    Returns
    -------
    int
    """
    return int(np.sum(amplitude >= SIGH * np.median(amplitude))) if len(amplitude) else 0
