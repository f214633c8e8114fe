"""Intervals between beats that know where they touch: nothing that is computed from them crosses a gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray, Window
from cueflow.tasks.physiology.filters import IntArray
from cueflow.tasks.physiology.segments import BoolArray


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals between successive beats.

    `ms` (n,); `breaks` (n,) is True where the interval before is unknown (the first, after a gap, after a beat that
    is not to be trusted); `at_s` (n,) is the time of the second beat of each, on the session clock.
    """

    ms: FloatArray
    breaks: BoolArray
    at_s: FloatArray

    @classmethod
    def of(
        cls, ms: Sequence[float] | FloatArray, *, breaks: BoolArray | None = None, at_s: FloatArray | None = None
    ) -> Intervals:
        """Intervals from a list.

        Parameters
        ----------
        ms : sequence of float, shape (n,)
            In ms.
        breaks : ndarray of bool, shape (n,), optional
            Default: all touch, but the first has none before it.
        at_s : ndarray, shape (n,), optional
            Default: the running sum.

        Returns
        -------
        Intervals
        """
        values = np.asarray(ms, dtype=np.float64)
        marks = np.zeros(len(values), dtype=bool) if breaks is None else np.array(breaks, dtype=bool)
        marks[:1] = True
        return cls(values, marks, np.cumsum(values) / 1000.0 if at_s is None else np.asarray(at_s, dtype=np.float64))

    @classmethod
    def between(cls, beats_s: FloatArray, piece: IntArray, *, trusted: BoolArray, joined: BoolArray) -> Intervals:
        """Normal-to-normal intervals from beats.

        Parameters
        ----------
        beats_s : ndarray, shape (m,)
            Times of the beats, s, increasing.
        piece : ndarray of int, shape (m,)
            Number of the segment that each beat lies in: no interval spans two.
        trusted : ndarray of bool, shape (m,)
            False for a beat that is no normal beat: neither interval that it ends is kept.
        joined : ndarray of bool, shape (m,)
            False where a beat is likely missing before this one.

        Returns
        -------
        Intervals
        """
        if len(beats_s) < 2:
            return cls.of([])
        good = (piece[1:] == piece[:-1]) & trusted[1:] & trusted[:-1] & joined[1:]
        whole = cls.of(np.diff(beats_s) * 1000.0, at_s=beats_s[1:])
        return whole.keep(good)

    def __len__(self) -> int:
        return len(self.ms)

    def keep(self, mask: BoolArray) -> Intervals:
        """Some of the intervals; one whose neighbour before is dropped starts anew.

        Parameters
        ----------
        mask : ndarray of bool, shape (n,)
            What to keep.

        Returns
        -------
        Intervals
        """
        before = np.concatenate([[False], mask[:-1]])
        breaks = (self.breaks | ~before)[mask]
        return Intervals(self.ms[mask], breaks, self.at_s[mask])

    def without(self, which: slice) -> Intervals:
        """All but some of the intervals.

        Parameters
        ----------
        which : slice
            What to leave out.

        Returns
        -------
        Intervals
        """
        mask = np.ones(len(self.ms), dtype=bool)
        mask[which] = False
        return self.keep(mask)

    def within(self, window: Window) -> Intervals:
        """The intervals whose two beats lie in the window.

        Parameters
        ----------
        window : Window
            The span, its end left out.

        Returns
        -------
        Intervals
        """
        slack = 1e-9  # a beat exactly on the border must not fall out through rounding
        return self.keep((self.starts_s >= window.start_s - slack) & (self.at_s < window.end_s))

    @property
    def starts_s(self) -> FloatArray:
        """Time of the first beat of each, s, shape (n,)."""
        return np.asarray(self.at_s - self.ms / 1000.0)

    @property
    def duration_s(self) -> float:
        """What they add up to, s."""
        return float(self.ms.sum() / 1000.0)

    def differences(self) -> FloatArray:
        """Differences of intervals that touch, ms, shape (n - number of breaks,)."""
        return np.asarray(np.diff(self.ms)[~self.breaks[1:]])

    def pairs(self) -> tuple[FloatArray, FloatArray]:
        """Each interval that touches the one before, and the one before; ms."""
        touching = ~self.breaks[1:]
        return self.ms[1:][touching], self.ms[:-1][touching]

    def stretches(self) -> tuple[Intervals, ...]:
        """The intervals cut at every break."""
        bounds = [*np.flatnonzero(self.breaks).tolist(), len(self.ms)]
        return tuple(Intervals.of(self.ms[a:b], at_s=self.at_s[a:b]) for a, b in pairwise(bounds) if b > a)

    def rate_at(self, times_s: FloatArray) -> FloatArray:
        """Rate per minute at given times; NaN where no interval runs.

        Parameters
        ----------
        times_s : ndarray, shape (k,)
            In s.

        Returns
        -------
        ndarray, shape (k,)
        """
        if len(self.ms) == 0:
            return np.full(len(times_s), np.nan)
        index = np.searchsorted(self.at_s, times_s, side="right").clip(max=len(self.ms) - 1)
        inside = (times_s >= self.starts_s[index]) & (times_s < self.at_s[index])
        return np.where(inside, 60000.0 / self.ms[index], np.nan)
