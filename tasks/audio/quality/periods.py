"""Glottal cycles: every period is matched to its neighbour, outwards from the middle of a voiced stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import CONTEXT, HOP, RATE_HZ
from cueflow.tasks.audio.signal.vad import runs

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_NEAREST, _FARTHEST = 0.8, 1.25  # of a period: where the next cycle is looked for
_ALIKE = 0.3  # correlation below which a cycle drops out
_ALIKE_BEYOND = 0.7  # the same for one that lies beyond the voiced stretch
_QUIET, _QUIET_BEYOND = 0.01, 0.023333  # share of the peak below which a cycle drops out
_RISE = 0.2  # of a period on either side: the window of the cycle's amplitude


@dataclass(frozen=True, slots=True)
class Cycles:
    """Marks of glottal cycles: `times_s` (n,) increasing; `amplitude` (n,) NaN where a neighbour is missing."""

    times_s: F64
    amplitude: F32


def find_cycles(samples: F32, f0_hz: F32, *, peak: float) -> Cycles:
    """Marks of the cycles in a chunk's core; times count from the core's start.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    f0_hz : ndarray, shape (n_frames,)
        Pitch of the core's frames, NaN where unvoiced.
    peak : float
        Absolute peak that a cycle's own is measured against.

    Returns
    -------
    Cycles
        One mark per cycle.

    References
    ----------
    Boersma (2009), Should jitter be measured by peak picking or by waveform matching?, doi:10.1159/000245159
    """
    matcher = _Matcher(samples.astype(np.float64), f0_hz, peak)
    marks: list[float] = []
    for first, last in runs(np.isfinite(f0_hz)):
        after = marks[-1] if marks else -np.inf
        marks += matcher.stretch(CONTEXT + first * HOP, CONTEXT + last * HOP, after=after)
    found = np.asarray(marks, dtype=np.float64)
    return Cycles((found - CONTEXT) / RATE_HZ, _amplitudes(samples, found))


class _Matcher:
    """Walks from cycle to cycle; positions are in samples of the chunk with context."""

    def __init__(self, samples: F64, f0_hz: F32, peak: float) -> None:
        self._x = samples
        self._power = np.concatenate([[0.0], np.cumsum(np.square(samples))])
        self._period = RATE_HZ / f0_hz.astype(np.float64)
        self._peak = peak

    def stretch(self, left: int, right: int, *, after: float) -> list[float]:
        middle = (left + right) / 2
        period = self._period_at(middle)
        start = self._extremum(middle - period / 2, middle + period / 2)
        back = self._walk(start, left, direction=-1, limit=after)
        return [*reversed(back), start, *self._walk(start, right, direction=1, limit=np.inf)]

    def _walk(self, start: float, end: int, *, direction: int, limit: float) -> list[float]:
        marks: list[float] = []
        at = start
        while True:
            period = self._period_at(at)
            if not np.isfinite(period):
                return marks
            found, alike, peak = self._match(at, period, direction)
            beyond = (found - end) * direction > 0
            clear = limit == np.inf or found - limit > 0.8 * period
            need, loud = (_ALIKE_BEYOND, _QUIET_BEYOND) if beyond else (_ALIKE, _QUIET)
            if alike > need and peak > loud * self._peak and clear:
                marks.append(found)
            if beyond or not clear:
                return marks
            at = found

    def _period_at(self, position: float) -> float:
        index = int((position - CONTEXT) // HOP)
        if not 0 <= index < len(self._period):
            return np.nan
        return float(self._period[index])

    def _match(self, at: float, period: float, direction: int) -> tuple[float, float, float]:
        """Where the next cycle is, how alike it is, and its peak."""
        width = round(period)
        start = round(at) - width // 2
        low, high = (_NEAREST, _FARTHEST) if direction > 0 else (-_FARTHEST, -_NEAREST)
        first = start + int(np.floor(low * period)) - 1
        last = start + int(np.ceil(high * period)) + 1
        if first < 0 or last + width >= len(self._x):
            return at + direction * period, -1.0, 0.0
        pattern = self._x[start : start + width]
        field = self._x[first : last + width]
        cross = np.correlate(field, pattern)
        energy = self._power[first + width : last + width + 1] - self._power[first : last + 1]
        own = self._power[start + width] - self._power[start]
        r = cross / np.sqrt(np.maximum(energy * own, 1e-20))
        top = int(r[1:-1].argmax()) + 1
        y0, y1, y2 = float(r[top - 1]), float(r[top]), float(r[top + 1])
        curve = min(y0 - 2 * y1 + y2, -1e-12)
        shift = min(max(0.5 * (y0 - y2) / curve, -1.0), 1.0)
        here = first + top
        peak = float(np.abs(self._x[here : here + width]).max(initial=0.0))
        # the pattern was cut at whole samples: its own rounding is kept
        return at + (here - start) + shift, y1 - 0.25 * (y0 - y2) * shift, peak

    def _extremum(self, low: float, high: float) -> float:
        first = max(int(np.ceil(low)), 1)
        piece = self._x[first : int(high) + 1]
        top = int(np.abs(piece).argmax()) + first
        y0, y1, y2 = (float(v) for v in self._x[top - 1 : top + 2] * np.sign(self._x[top]))
        curve = min(y0 - 2 * y1 + y2, -1e-12)
        return top + min(max(0.5 * (y0 - y2) / curve, -1.0), 1.0)


def _amplitudes(samples: F32, marks: F64) -> F32:
    """Root mean square around every mark with two neighbours, under a Hann window of .2 periods on either side."""
    out = np.full(len(marks), np.nan, dtype=np.float32)
    if len(marks) < 3:
        return out
    before, behind = np.diff(marks)[:-1], np.diff(marks)[1:]
    reach = int(_RISE * RATE_HZ / 30.0) + 2
    inner = marks[1:-1]
    whole = np.round(inner).astype(np.int64)
    offsets = np.arange(-reach, reach + 1)
    at = np.clip(whole[:, None] + offsets, 0, len(samples) - 1)
    distance = whole[:, None] + offsets - inner[:, None]
    width = _RISE * np.where(distance < 0, before[:, None], behind[:, None])
    weight = np.where(np.abs(distance) < width, 0.5 + 0.5 * np.cos(np.pi * distance / width), 0.0)
    values = samples[at].astype(np.float64) * weight
    out[1:-1] = np.sqrt(np.square(values).sum(axis=1) / np.maximum(np.square(weight).sum(axis=1), 1e-12))
    return out
