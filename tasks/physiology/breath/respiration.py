"""Breaths: where inspiration begins and ends, how deep they are, and how they vary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray, Recorded, Window
from cueflow.tasks.physiology.blocks import blocks, owned
from cueflow.tasks.physiology.filters import IntArray, bandpass, local_level, peak_indices, refine
from cueflow.tasks.physiology.segments import BoolArray, Segment, fractional_times
from cueflow.tasks.physiology.variability.intervals import Intervals

BAND_HZ = (0.05, 0.7)
REFRACTORY_S = 0.8
PROMINENCE = 0.7
"""Share of the local level by which a peak must stand out."""
BLOCK_S, BLOCKS = 8.0, 7
SIGH = 2.0
"""A breath at least this many times as deep as the median one is a sigh."""
LONGEST_S = 20.0
AROUND_S = 120.0
"""That a block of a long recording holds around its own breaths."""
BORDER_S = 0.5
"""A lowest point this close to the end of a segment is where the segment was cut, and bounds no whole breath."""


@dataclass(frozen=True, slots=True)
class Breaths:
    """Whole breaths, each array (m,): trough, peak and next trough in s, and depth in the sensor's unit.

    `joined` is True where the breath before ends where this one begins; `low` is the share of each that lies below the
    height half way between trough and peak.
    """

    onset_s: FloatArray
    peak_s: FloatArray
    end_s: FloatArray
    amplitude: FloatArray
    joined: BoolArray
    low: FloatArray

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
            self.onset_s[mask],
            self.peak_s[mask],
            self.end_s[mask],
            self.amplitude[mask],
            (self.joined & before)[mask],
            self.low[mask],
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


@dataclass(frozen=True, slots=True)
class Found:
    """Breaths of a stretch of a recording, and the filtered signal that they were found in, each (n,).

    `core` is False for what lies around the stretch and belongs to another one.
    """

    breaths: Breaths
    times_s: FloatArray
    wave: FloatArray
    core: BoolArray


def breaths_by_block(signal: Recorded, pieces: Sequence[Segment]) -> Iterator[Found]:
    """Whole breaths of a recording, segment by segment, and of long ones block by block.

    Parameters
    ----------
    signal : Signal or LongSignal
        Rises with inspiration.
    pieces : sequence of Segment
        Its usable stretches.

    Yields
    ------
    Found
        In order of time. The onset is the lowest point between two peaks; a breath of more than 20 s is left out.
    """
    since_s, empty = -np.inf, [np.empty(0)]
    for block in blocks(signal, AROUND_S):
        rows, times, waves = [np.empty((0, 6))], list(empty), list(empty)
        for _, piece in block.pieces(pieces):
            at = block.signal.times_s[piece.samples]
            wave, peaks = breath_peaks(block.signal.values[piece.samples], signal.sampling_rate)
            rows.append(_breaths_of(wave, peaks, at, signal.sampling_rate))
            times.append(at)
            waves.append(wave)
        table = np.concatenate(rows)
        whole = table[:, 2] - table[:, 0] <= LONGEST_S
        joined = (table[:, 4] > 0) & np.concatenate([[True], whole[:-1]])[: len(whole)]
        own, since_s = owned(table[:, 0], since_s, block.border_s)
        own &= whole
        at, wave = np.concatenate(times), np.concatenate(waves)
        core = (at >= block.signal.times_s[block.own.start]) & (at < block.border_s)
        onset, peak, end, depth, _, low = table[own].T
        yield Found(Breaths(onset, peak, end, depth, joined[own], low), at, wave, core)


def breaths(signal: Recorded, pieces: Sequence[Segment]) -> Breaths:
    """Whole breaths of a recording; see `breaths_by_block`.

    Parameters
    ----------
    signal : Signal or LongSignal
        Rises with inspiration.
    pieces : sequence of Segment
        Its usable stretches.

    Returns
    -------
    Breaths
    """
    return together([found.breaths for found in breaths_by_block(signal, pieces)])


def together(parts: Sequence[Breaths]) -> Breaths:
    """Breaths of several stretches in one row.

    Parameters
    ----------
    parts : sequence of Breaths
        In order of time.

    Returns
    -------
    Breaths
    """
    onset, peak, end, depth, low = (
        np.concatenate([np.empty(0), *(getattr(p, name) for p in parts)])
        for name in ("onset_s", "peak_s", "end_s", "amplitude", "low")
    )
    joined = np.concatenate([np.empty(0, dtype=bool), *(p.joined for p in parts)])
    return Breaths(onset, peak, end, depth, joined, low)


def _breaths_of(wave: FloatArray, peaks: IntArray, times: FloatArray, rate: float) -> FloatArray:
    """Rows of onset, peak, end, amplitude, joined and the share below half height."""
    if len(peaks) < 2:
        return np.empty((0, 6))
    border = round(BORDER_S * rate)
    between = [int(a + wave[a:b].argmin()) for a, b in pairwise(peaks)]
    first, last = int(wave[: peaks[0]].argmin()), int(peaks[-1] + wave[peaks[-1] :].argmin())
    head, tail = first >= border, last < len(wave) - border
    lows = np.array([first] * head + between + [last] * tail, dtype=np.int64)
    inner = peaks[0 if head else 1 : len(peaks) if tail else -1]
    if len(inner) == 0:
        return np.empty((0, 6))
    low_s = fractional_times(times, refine(wave, lows))
    high_s = fractional_times(times, refine(wave, inner))
    joined = np.ones(len(inner))
    joined[0] = 0.0
    depth = wave[inner] - 0.5 * (wave[lows[:-1]] + wave[lows[1:]])
    low = np.array(
        [_share_below(wave[a : b + 1], int(top - a)) for a, b, top in zip(lows[:-1], lows[1:], inner, strict=True)]
    )
    return np.stack([low_s[:-1], high_s, low_s[1:], depth, joined, low], axis=1)


def _share_below(breath: FloatArray, top: int) -> float:
    """Share of a breath, trough to trough, below the middle of its rise and of its fall."""
    rise, fall = breath[: top + 1], breath[top:]
    up = int(np.argmax(rise >= 0.5 * (rise[0] + rise[-1])))
    down = top + int(np.argmax(fall <= 0.5 * (fall[0] + fall[-1])))
    return 1.0 - (down - up) / max(len(breath) - 1, 1)


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
