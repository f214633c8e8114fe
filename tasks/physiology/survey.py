"""What of a recording can be used, and why the rest cannot: one walk through it, block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Recorded, Signal, Window
from cueflow.tasks.physiology.blocks import blocks
from cueflow.tasks.physiology.filters import IntArray
from cueflow.tasks.physiology.segments import GAP_PERIODS, BoolArray, Segment, runs

Marks = Callable[[Signal], dict[Reason, BoolArray]]
"""Why samples of a stretch cannot be used, the most exact reason first."""
Usable = Callable[[FloatArray], BoolArray]


@dataclass(frozen=True, slots=True)
class Survey:
    """Usable stretches; spans in s, (k, 2), of what was recorded and of each reason why samples cannot be used."""

    pieces: tuple[Segment, ...]
    recorded: FloatArray
    marks: dict[Reason, FloatArray]


def in_seconds(spans: FloatArray, window: Window) -> float:
    """How much of a window lies in spans, s.

    Parameters
    ----------
    spans : ndarray, shape (k, 2)
        Starts and ends in s, not overlapping.
    window : Window
        The span.

    Returns
    -------
    float
    """
    inside = np.minimum(spans[:, 1], window.end_s) - np.maximum(spans[:, 0], window.start_s)
    return float(np.maximum(inside, 0.0).sum())


@dataclass(slots=True)
class _Runs:
    """Runs of samples as they are found, and the times of their first and last samples."""

    index: list[IntArray] = field(default_factory=list)
    times: list[FloatArray] = field(default_factory=list)

    def add(self, found: IntArray, times_s: FloatArray, first: int) -> None:
        self.index.append(found + first)
        self.times.append(np.stack([times_s[found[:, 0]], times_s[found[:, 1] - 1]], axis=1))

    def joined(self, period_s: float, gaps: frozenset[int]) -> tuple[IntArray, FloatArray]:
        """Runs of samples and spans of time, those joined that a block's border cut and no gap in time."""
        index = np.concatenate([np.empty((0, 2), dtype=np.int64), *self.index])
        times = np.concatenate([np.empty((0, 2)), *self.times])
        cut = [k for k in range(1, len(index)) if index[k, 0] == index[k - 1, 1] and int(index[k, 0]) not in gaps]
        keep = np.ones(len(index) + 1, dtype=bool)
        keep[cut] = False
        first, last = np.flatnonzero(keep[:-1]), np.flatnonzero(keep[1:])
        spans = np.stack([times[first, 0], times[last, 1] + period_s], axis=1)
        return np.stack([index[first, 0], index[last, 1]], axis=1), spans


def surveyed(
    signal: Recorded,
    marks: Marks,
    usable: Usable,
    *,
    stays: frozenset[Reason] = frozenset(),
    around_s: float,
    shortest_s: float,
) -> Survey:
    """Walk through a recording.

    Parameters
    ----------
    signal : Signal or LongSignal
        NaN and steps in time are gaps.
    marks : callable
        From a stretch of the signal to what is wrong with its samples.
    usable : callable
        From times to whether the caller lets them be used.
    stays : frozenset of Reason, optional
        Marks of samples that stay usable.
    around_s : float
        How far `marks` looks to either side, s.
    shortest_s : float
        Shorter usable stretches are left out.

    Returns
    -------
    Survey
        A segment ends one sampling period after its last sample.
    """
    period = 1.0 / signal.sampling_rate
    found: dict[Reason, _Runs] = {}
    good, there, gaps = _Runs(), _Runs(), set[int]()
    before_s = -np.inf
    for block in blocks(signal, around_s):
        times, values = block.signal.times_s[block.own], block.signal.values[block.own]
        apart = np.diff(times, prepend=before_s if np.isfinite(before_s) else times[:1]) > GAP_PERIODS * period
        gaps |= set((np.flatnonzero(apart) + block.core[0]).tolist())
        left = np.isfinite(values) & usable(times)
        for reason, mark in marks(block.signal).items():
            own = mark[block.own]
            if reason not in stays:
                left &= ~own
            found.setdefault(reason, _Runs()).add(_cut(own, apart), times, block.core[0])
        good.add(_cut(left, apart), times, block.core[0])
        there.add(_cut(np.ones(len(times), dtype=bool), apart), times, block.core[0])
        before_s = float(times[-1])
    borders = frozenset(gaps)
    index, spans = good.joined(period, borders)
    pieces = (
        Segment(int(a), int(b), float(start), float(end))
        for (a, b), (start, end) in zip(index.tolist(), spans.tolist(), strict=True)
    )
    return Survey(
        tuple(p for p in pieces if p.duration_s >= shortest_s - 0.5 * period),
        there.joined(period, borders)[1],
        {reason: parts.joined(period, borders)[1] for reason, parts in found.items()},
    )


def _cut(mask: BoolArray, apart: BoolArray) -> IntArray:
    """Runs of True, cut where the time steps."""
    found = runs(mask)
    inner = np.flatnonzero(apart[1:] & mask[1:] & mask[:-1]) + 1
    if not len(inner):
        return found
    edges = np.sort(np.concatenate([found.ravel(), inner, inner]))
    return edges.reshape(-1, 2)
