"""Jitter and shimmer of the eGeMAPS set: glottal periods one after the other, by matching each with the next."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.vad import runs

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_REACH = 0.1  # of the period that the pitch gives: how far from it the match is looked for
_LEAST = 0.5  # correlation of a period with the next, below which there is none
_MOST = 1.0  # change of amplitude over the mean: more counts as this


@dataclass(frozen=True, slots=True)
class _Match:
    """Length in samples, and the distance from lowest sample to highest in the period and in the next as long."""

    length: float
    amplitude: float
    following: float


def jitter_and_shimmer(samples: F32, f0_hz: F64, step: int, rate_hz: int) -> tuple[F32, F32]:
    """Jitter (ratio) and shimmer (dB) of every frame.

    Parameters
    ----------
    samples : ndarray, shape (m,)
        Mono.
    f0_hz : ndarray, shape (n,)
        Pitch of the frames that start every `step` samples, 0 where unvoiced.
    step : int
        Samples from frame to frame.
    rate_hz : int
        Sampling rate.

    Returns
    -------
    jitter, shimmer_db : ndarray, shape (n,)
        0 in unvoiced frames and until a stretch has its first (shimmer) or second (jitter) match; a frame without one
        holds the value before it.

    Notes
    -----
    A frame has the matches that begin up to its own first sample, so that a stretch's first frame has one; they are
    looked for around the frame's own period. Shimmer is 20 log10(1 + |a - b| / mean(a, b)) of the amplitudes of
    the two periods of a match, at most 6 dB, as openSMILE's is, and not the ratio of the two in dB; jitter is between
    the lengths of one match and the next.
    """
    n = len(f0_hz)
    jitter, shimmer = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    for first, last in runs(f0_hz > 0):
        at, before = float(first * step), list[float]()
        now_jitter = now_shimmer = 0.0
        for frame in range(first, last):
            found, at = _matches(samples, at, rate_hz / float(f0_hz[frame]), until=frame * step)
            lengths = [*before, *(match.length for match in found)]
            if found:
                share = _change([(match.amplitude, match.following) for match in found])
                now_shimmer = 20.0 * np.log10(1.0 + min(share, _MOST))
            if found and len(lengths) > 1:
                now_jitter = _change(list(pairwise(lengths)))
            before = lengths[-1:]
            jitter[frame], shimmer[frame] = now_jitter, now_shimmer
    return jitter, shimmer


def _change(pairs: list[tuple[float, float]]) -> float:
    """Mean change within the pairs over the mean of their values."""
    return sum(abs(a - b) for a, b in pairs) / max(sum((a + b) / 2.0 for a, b in pairs), 1e-30)


def _matches(samples: F32, at: float, expected: float, *, until: int) -> tuple[list[_Match], float]:
    """Matches that begin up to `until`, and where the next is looked for: where none is, a period later."""
    low, high = max(2, int(expected * (1.0 - _REACH))), int(np.ceil(expected * (1.0 + _REACH)))
    found: list[_Match] = []
    while at <= until:
        begin = round(at)
        if begin + 2 * high > len(samples):
            break
        match = _match(samples[begin : begin + 2 * high], low, high)
        if match is not None:
            found.append(match)
        at += expected if match is None else match.length
    return found, at


def _match(part: F32, low: int, high: int) -> _Match | None:
    """The length from low to high of a period that comes again right after itself, between samples.

    None where the two correlate too little, or best at an end of the range: that is no peak.
    """
    data = part.astype(np.float64)
    lags = np.arange(low, high + 1)
    dots = np.asarray([data[:lag] @ data[lag : 2 * lag] for lag in range(low, high + 1)])
    total, power = data.cumsum(), (data * data).cumsum()
    one, first = total[low - 1 : high], power[low - 1 : high]
    two, second = total[2 * low - 1 :: 2] - one, power[2 * low - 1 :: 2] - first
    energy = (first - one * one / lags) * (second - two * two / lags)
    alike = (dots - one * two / lags) / np.sqrt(np.maximum(energy, 1e-30))
    best = int(alike.argmax())
    if alike[best] < _LEAST or not 0 < best < len(alike) - 1:
        return None
    before, top, after = alike[best - 1 : best + 2]
    bend = before - 2.0 * top + after
    length = float(lags[best]) + (0.5 * float((before - after) / bend) if bend < 0 else 0.0)
    size = round(length)
    return _Match(length, float(np.ptp(data[:size])), float(np.ptp(data[size : 2 * size])))
