"""Slow trends, and how much an accelerometer's channel moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray, Recorded
from cueflow.tasks.physiology.blocks import stretches
from cueflow.tasks.physiology.filters import bandpass
from cueflow.tasks.physiology.segments import Segment

_STILL, _FEWEST_STILL = 0.15, 3
EPOCH_S = 5.0
SLOWEST_STEP_HZ = 10.0
STEP_HZ = (1.2, 3.0)
STEP_G = 0.05
_SETTLE_EPOCHS = 6  # around a stretch of a long recording, for the filter
RHYTHM = 0.5
"""Autocorrelation that movement must have at the period of a step or of two."""


def slope_per_min(times_s: FloatArray, values: FloatArray) -> float:
    """Slope of the least-squares line.

    Parameters
    ----------
    times_s, values : ndarray, shape (n,)
        Samples; NaN values are left out.

    Returns
    -------
    float
        Per minute; NaN for fewer than two different times.
    """
    good = np.isfinite(values)
    if good.sum() < 2:
        return float("nan")
    t = times_s[good] - times_s[good].mean()
    spread = float(np.dot(t, t))
    return 60.0 * float(np.dot(t, values[good])) / spread if spread > 0 else float("nan")


def amplitude_deviation(signal: Recorded, pieces: Sequence[Segment]) -> tuple[FloatArray, FloatArray]:
    """Mean amplitude deviation of epochs of 5 s.

    Parameters
    ----------
    signal : Signal or LongSignal
        One axis or the magnitude.
    pieces : sequence of Segment
        Its usable stretches; what does not fill an epoch at the end of one is left out.

    Returns
    -------
    tuple of ndarray, shape (k,)
        Start of each epoch in s, and the mean absolute difference from the epoch's mean, in the signal's unit.

    References
    ----------
    Vähä-Ypyä et al. (2015), doi:10.1111/cpf.12127
    """
    starts, spreads = [np.empty(0)], [np.empty(0)]
    for times, epochs in _epochs(signal, pieces):
        starts.append(times)
        spreads.append(np.abs(epochs - epochs.mean(axis=1, keepdims=True)).mean(axis=1))
    return np.concatenate(starts), np.concatenate(spreads)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Length of the acceleration in epochs of 5 s, each array (k,), in g: ENMO, mean, mean square, min and max."""

    starts_s: FloatArray
    enmo: FloatArray
    mean: FloatArray
    square: FloatArray
    low: FloatArray
    high: FloatArray


def lengths(axes: Sequence[Recorded], pieces: Sequence[Segment]) -> Lengths:
    """Length of the acceleration, epoch by epoch.

    Parameters
    ----------
    axes : sequence of Signal or LongSignal
        Three axes that were sampled together, or the length itself; in g.
    pieces : sequence of Segment
        Usable stretches of the first; epochs in which another has a gap are left out.

    Returns
    -------
    Lengths
        ENMO is the mean of what exceeds 1 g.

    References
    ----------
    van Hees et al. (2013), doi:10.1371/journal.pone.0061691
    """
    rows = [np.empty((6, 0))]
    for parts in zip(*(_epochs(axis, pieces) for axis in axes), strict=True):
        norm = np.sqrt(sum(values**2 for _, values in parts))
        enmo, square = np.maximum(norm - 1.0, 0.0).mean(axis=1), (norm**2).mean(axis=1)
        rows.append(np.stack([parts[0][0], enmo, norm.mean(axis=1), square, norm.min(axis=1), norm.max(axis=1)]))
    table = np.concatenate(rows, axis=1)
    return Lengths(*table[:, np.isfinite(table).all(axis=0)])


def weighs(found: Lengths) -> float:
    """Length of gravity, as the sensor has it.

    Parameters
    ----------
    found : Lengths
        Of epochs.

    Returns
    -------
    float
        Median of the epochs in which the length keeps within 15 %, as at rest; NaN for fewer than three of them. Where
        gravity was taken off by the sensor there are none: what is left has no length of its own.
    """
    spread = np.sqrt(np.maximum(found.square - found.mean**2, 0.0))
    still = spread < _STILL * found.mean
    return float(np.median(found.mean[still])) if still.sum() >= _FEWEST_STILL else float("nan")


def steps(signal: Recorded, pieces: Sequence[Segment]) -> tuple[FloatArray, FloatArray]:
    """Steps in epochs of 5 s.

    Parameters
    ----------
    signal : Signal or LongSignal
        One axis or the magnitude, in g, at 10 Hz or more; slower ones show no step.
    pieces : sequence of Segment
        Its usable stretches; what does not fill an epoch at the end of one is left out.

    Returns
    -------
    tuple of ndarray, shape (k,)
        Start of each epoch in s, and its steps: the frequency of the movement from 0.5 to 5 Hz times 5 s, where its
        amplitude reaches 0.05 g and its autocorrelation one half at a period of 1.2 to 3 steps per second. A wrist
        swings once in two steps: a period twice as long counts two.
    """
    rate = signal.sampling_rate
    starts, counts = [np.empty(0)], [np.empty(0)]
    for times, epochs in _epochs(signal, pieces, filtered=rate >= SLOWEST_STEP_HZ):
        starts.append(times)
        fast = [EPOCH_S * _step_hz(epoch, rate) for epoch in epochs] if rate >= SLOWEST_STEP_HZ else [0.0] * len(epochs)
        counts.append(np.array(fast, dtype=np.float64))
    return np.concatenate(starts), np.concatenate(counts)


def _epochs(
    signal: Recorded, pieces: Sequence[Segment], *, filtered: bool = False
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Starts (k,) in s and values (k, n) of the epochs of every piece, of long ones in stretches."""
    size = round(EPOCH_S * signal.sampling_rate)
    for piece in pieces:
        whole = piece.first + (piece.last - piece.first) // size * size
        for first, last in stretches(piece.first, whole, step=size):
            settled = max(piece.first, first - _SETTLE_EPOCHS * size) if filtered else first
            part = signal.part(settled, min(piece.last, last + _SETTLE_EPOCHS * size) if filtered else last)
            values = bandpass(part.values, signal.sampling_rate, 0.5, 5.0) if filtered else part.values
            inside = slice(first - settled, last - settled)
            yield part.times_s[inside][::size], values[inside].reshape(-1, size)


def _step_hz(epoch: FloatArray, rate: float) -> float:
    """Steps per second of an epoch; 0 where it has no rhythm of steps."""
    epoch = epoch - epoch.mean()
    thirds = [float(np.std(part)) * np.sqrt(2.0) for part in np.array_split(epoch, 3)]
    if float(np.std(epoch)) * np.sqrt(2.0) < STEP_G or min(thirds) < STEP_G / 2:
        return 0.0  # a wave of the hand ends sooner
    spectrum = np.abs(np.fft.rfft(epoch, 4 * len(epoch))) ** 2
    own = np.fft.irfft(np.abs(np.fft.rfft(epoch, 2 * len(epoch))) ** 2)[: len(epoch)]
    own /= own[0] * (1.0 - np.arange(len(epoch)) / len(epoch))
    freqs = np.fft.rfftfreq(4 * len(epoch), 1.0 / rate)
    band = (freqs >= STEP_HZ[0] / 2) & (freqs <= STEP_HZ[1])
    top = float(freqs[band][spectrum[band].argmax()])
    if own[min(round(rate / top), len(own) - 1)] < RHYTHM:
        return 0.0
    return top if top >= STEP_HZ[0] else 2.0 * top
