"""Jitter and shimmer of the eGeMAPS set: glottal periods one after the other, by matching each with the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.vad import runs

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_REACH = 0.1  # of the period that the pitch gives: how far from it the match is looked for
_LEAST = 0.5  # correlation of a period with the next, below which there is none


@dataclass(frozen=True, slots=True)
class _Period:
    """Start and length in samples, and the distance from its lowest sample to its highest."""

    start: float
    length: float
    amplitude: float


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
        0 in unvoiced frames and until a stretch has its first two (shimmer) or three (jitter) periods; a frame in
        which no period ends holds the value before it.

    Notes
    -----
    A period counts in the frame in which it ends. Shimmer is 20 log10(1 + |a - b| / mean(a, b)) of the amplitudes of
    neighbours, as openSMILE's is, and not the ratio of the two in dB.
    """
    n = len(f0_hz)
    jitter, shimmer = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32)
    for first, last in runs(f0_hz > 0):
        found = list(_periods(samples, f0_hz, step, rate_hz, within=(first, last)))
        if len(found) < 2:
            continue
        end = np.asarray([p.start + p.length for p in found])
        place = np.minimum((end // step).astype(np.int64), last - 1)[1:] - first
        length, top = np.asarray([p.length for p in found]), np.asarray([p.amplitude for p in found])
        shimmer[first:last] = 20.0 * np.log10(1.0 + _held(top, place, last - first))
        jitter[first:last] = _held(length[:-1], place[1:], last - first)
    return jitter, shimmer


def _periods(samples: F32, f0_hz: F64, step: int, rate_hz: int, *, within: tuple[int, int]) -> Iterator[_Period]:
    """Periods from the start of a voiced stretch on; where none is found the search goes on a period later."""
    first, last = within
    at = float(first * step)
    while at < last * step:
        expected = rate_hz / float(f0_hz[min(int(at // step), last - 1)])
        size, begin = round(expected), round(at)
        low, high = max(2, int(expected * (1.0 - _REACH))), int(np.ceil(expected * (1.0 + _REACH)))
        if begin + high + size > len(samples):
            return
        match = _match(samples[begin : begin + high + size], size, low, high)
        if match is not None:
            part = samples[begin : begin + max(round(match), 1)]
            yield _Period(at, match, float(part.max() - part.min()))
        at += expected if match is None else match


def _match(part: F32, size: int, low: int, high: int) -> float | None:
    """The lag from low to high at which the first `size` samples come again, between samples."""
    data = part.astype(np.float64)
    dots = np.correlate(data[low : high + size], data[:size], "valid")
    power = np.concatenate([[0.0], np.cumsum(data**2)])
    energy = np.maximum(power[low + size : high + size + 1] - power[low : high + 1], 0.0) * power[size]
    alike = np.divide(dots, np.sqrt(energy), out=np.zeros(len(dots)), where=energy > 0)
    best = int(alike.argmax())
    if alike[best] < _LEAST:
        return None
    if 0 < best < len(alike) - 1:
        before, top, after = alike[best - 1 : best + 2]
        bend = before - 2.0 * top + after
        return low + best + (0.5 * float((before - after) / bend) if bend < 0 else 0.0)
    return float(low + best)


def _held(values: F64, place: NDArray[np.int64], n: int) -> F64:
    """Mean change from neighbour to neighbour over their mean, by frame of the second; held where there is none."""
    if len(values) < 2:
        return np.zeros(n)
    change, mean = np.abs(np.diff(values)), (values[1:] + values[:-1]) / 2.0
    moved, around = (np.bincount(place, weights=w, minlength=n) for w in (change, mean))
    ratio = np.divide(moved, around, out=np.zeros(n), where=around > 0)
    known = np.maximum.accumulate(np.where(np.bincount(place, minlength=n) > 0, np.arange(n), -1))
    return np.asarray(np.where(known >= 0, ratio[np.maximum(known, 0)], 0.0))
