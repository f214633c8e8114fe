"""Where a signal can be used: contiguous segments between gaps, exclusions and flat stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray, Signal, Window

BoolArray = NDArray[np.bool_]
GAP_PERIODS = 1.5
"""A step in time of more than this many sampling periods is a gap (contract of `Signal`)."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Samples `first` to `last` (left out) of a signal, which follow each other without a gap."""

    first: int
    last: int
    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.end_s - self.start_s

    @property
    def samples(self) -> slice:
        """The samples as a slice."""
        return slice(self.first, self.last)


def runs(mask: BoolArray) -> NDArray[np.int64]:
    """First and last (left out) index of every run of True.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        The condition.

    Returns
    -------
    ndarray of int, shape (k, 2)
    """
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def flat(values: FloatArray, sampling_rate: float, *, longest_s: float) -> BoolArray:
    """True inside stretches where the signal keeps exactly one value.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal.
    sampling_rate : float
        In Hz.
    longest_s : float
        A living signal may keep its value this long, s.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    still = np.zeros(len(values), dtype=bool)
    if len(values) < 2:
        return ~still
    for first, last in runs(np.diff(values) == 0):
        if last - first >= min(longest_s * sampling_rate, len(values) - 1):
            still[first : last + 1] = True
    return still


def segments(signal: Signal, usable: BoolArray, *, shortest_s: float) -> tuple[Segment, ...]:
    """Contiguous stretches of usable samples.

    Parameters
    ----------
    signal : Signal
        The recording.
    usable : ndarray of bool, shape (n,)
        Samples that may be used; samples that are not finite never are.
    shortest_s : float
        Shorter stretches are left out.

    Returns
    -------
    tuple of Segment
        In order of time; a segment ends one sampling period after its last sample.
    """
    period = 1.0 / signal.sampling_rate
    good = usable & np.isfinite(signal.values)
    jumps = np.flatnonzero(np.diff(signal.times_s) > GAP_PERIODS * period) + 1
    found = []
    for first, last in runs(good):
        inner = jumps[(jumps > first) & (jumps < last)]
        bounds = [int(first), *(int(j) for j in inner), int(last)]
        for lo, hi in pairwise(bounds):
            piece = Segment(lo, hi, float(signal.times_s[lo]), float(signal.times_s[hi - 1] + period))
            if piece.duration_s >= shortest_s - 0.5 * period:
                found.append(piece)
    return tuple(found)


def observed_s(pieces: Sequence[Segment], window: Window) -> float:
    """Seconds of a window that lie in segments.

    Parameters
    ----------
    pieces : sequence of Segment
        Usable stretches, not overlapping.
    window : Window
        The span.

    Returns
    -------
    float
        In s.
    """
    return float(sum(max(0.0, min(p.end_s, window.end_s) - max(p.start_s, window.start_s)) for p in pieces))


def fractional_times(times_s: FloatArray, positions: FloatArray) -> FloatArray:
    """Times of positions between samples.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times of the samples, s.
    positions : ndarray, shape (m,)
        Sample numbers, not necessarily whole.

    Returns
    -------
    ndarray, shape (m,)
        In s.
    """
    return np.asarray(np.interp(positions, np.arange(len(times_s), dtype=np.float64), times_s), dtype=np.float64)
