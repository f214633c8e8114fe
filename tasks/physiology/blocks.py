"""Long recordings in blocks, so that a day takes no more memory than an hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray, Recorded, Signal
from cueflow.tasks.physiology.segments import BoolArray, Segment

BLOCK = 1 << 19
"""About so many samples are looked at at once: 35 min at 250 Hz. What is shorter than one and a half is one block."""


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of a recording, from number `first` on; it answers for those from `core[0]` to `core[1]`, left out.

    What lies around the core is there so that filters settle.
    """

    signal: Signal
    first: int
    core: tuple[int, int]
    final: bool

    @property
    def own(self) -> slice:
        """The core as samples of `signal`."""
        return slice(self.core[0] - self.first, self.core[1] - self.first)

    @property
    def border_s(self) -> float:
        """Time of the first sample after the core; that of the end of the recording is infinite."""
        return float(np.inf) if self.final else float(self.signal.times_s[self.core[1] - self.first])

    def pieces(self, pieces: Sequence[Segment]) -> Iterator[tuple[int, Segment]]:
        """The parts of segments that lie in the block and reach into its core, each with the segment's number.

        Parameters
        ----------
        pieces : sequence of Segment
            Of the whole recording.

        Yields
        ------
        tuple
            The number, and a segment that counts the block's samples.
        """
        last = self.first + self.signal.n
        for number, piece in enumerate(pieces):
            lo, hi = max(piece.first, self.first), min(piece.last, last)
            if min(hi, self.core[1]) <= max(lo, self.core[0]):
                continue
            times = self.signal.times_s
            start_s = piece.start_s if lo == piece.first else float(times[lo - self.first])
            period = 1.0 / self.signal.sampling_rate
            end_s = piece.end_s if hi == piece.last else float(times[hi - 1 - self.first]) + period
            yield number, Segment(lo - self.first, hi - self.first, start_s, end_s)


def blocks(signal: Recorded, around_s: float) -> Iterator[Block]:
    """A recording in blocks of about half a million samples.

    Parameters
    ----------
    signal : Signal or LongSignal
        The recording.
    around_s : float
        How much a block holds around its core, s.

    Yields
    ------
    Block
        At least one; the cores follow each other and cover the recording.
    """
    number = max(1, round(signal.n / BLOCK))
    edges = np.linspace(0, signal.n, number + 1).round().astype(int).tolist()
    around = round(around_s * signal.sampling_rate) if number > 1 else 0
    for k, (lo, hi) in enumerate(pairwise(edges)):
        first = max(lo - around, 0)
        yield Block(signal.part(first, min(hi + around, signal.n)), first, (lo, hi), k == number - 1)


def owned(found_s: FloatArray, since_s: float, border_s: float) -> tuple[BoolArray, float]:
    """Which of the things found in a block are its own, so that each is counted once.

    Parameters
    ----------
    found_s : ndarray, shape (m,)
        Increasing times, s.
    since_s : float
        Where those of the block before ended.
    border_s : float
        End of the block's core.

    Returns
    -------
    tuple
        A mask (m,), and where the next block's begin: half way between the two neighbours of the border, since both
        blocks see these with the same times to within a small part of that.
    """
    if not np.isfinite(border_s):
        return np.asarray(found_s >= since_s), border_s
    k = int(np.searchsorted(found_s, border_s))
    cut = float(found_s[k - 1] + found_s[k]) / 2 if 0 < k < len(found_s) else border_s
    return np.asarray((found_s >= since_s) & (found_s < cut)), cut


def averaged(signal: Recorded, piece: Segment, factor: int) -> tuple[FloatArray, FloatArray]:
    """Times and values of a segment, means of so many samples each; what is left over at the end is dropped.

    Parameters
    ----------
    signal : Signal or LongSignal
        The recording.
    piece : Segment
        A usable stretch.
    factor : int
        Samples to a mean.

    Returns
    -------
    tuple of ndarray, shape (n // factor,)
    """
    whole = piece.first + (piece.last - piece.first) // factor * factor
    times, values = [np.empty(0)], [np.empty(0)]
    for first, last in stretches(piece.first, whole, step=factor):
        part = signal.part(first, last)
        times.append(part.times_s.reshape(-1, factor).mean(axis=1))
        values.append(part.values.reshape(-1, factor).mean(axis=1))
    return np.concatenate(times), np.concatenate(values)


def stretches(first: int, last: int, *, step: int) -> Iterator[tuple[int, int]]:
    """Borders of stretches of whole steps, of about half a million samples each.

    Parameters
    ----------
    first, last : int
        Samples, a whole number of steps apart.
    step : int
        Samples.

    Yields
    ------
    tuple of int
    """
    size = max(BLOCK // step, 1) * step
    for at in range(first, last, size):
        yield at, min(at + size, last)


def longest_of(signal: Recorded, pieces: Sequence[Segment], *, at_most_s: float = np.inf) -> FloatArray:
    """The values at the beginning of the longest segment.

    Parameters
    ----------
    signal : Signal or LongSignal
        The recording.
    pieces : sequence of Segment
        Its usable stretches.
    at_most_s : float, optional
        So much of it at the most, s, and about half a million samples.

    Returns
    -------
    ndarray, shape (n,)
        Empty where there is no segment.
    """
    if not pieces:
        return np.empty(0)
    piece = max(pieces, key=lambda p: p.duration_s)
    longest = int(min(1.5 * BLOCK, at_most_s * signal.sampling_rate + 0.5, piece.last - piece.first))
    return signal.part(piece.first, piece.first + longest).values
