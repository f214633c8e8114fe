"""Slow trends, and how much an accelerometer's channel moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cueflow.schemas.results import FloatArray, Signal
from cueflow.tasks.physiology.segments import Segment

EPOCH_S = 5.0


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


def amplitude_deviation(signal: Signal, pieces: Sequence[Segment]) -> tuple[FloatArray, FloatArray]:
    """Mean amplitude deviation of epochs of 5 s.

    Parameters
    ----------
    signal : Signal
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
    size = round(EPOCH_S * signal.sampling_rate)
    starts, spreads = [np.empty(0)], [np.empty(0)]
    for piece in pieces:
        number = (piece.last - piece.first) // size
        samples = slice(piece.first, piece.first + number * size)
        epochs = signal.values[samples].reshape(number, size)
        starts.append(signal.times_s[samples][::size])
        spreads.append(np.abs(epochs - epochs.mean(axis=1, keepdims=True)).mean(axis=1))
    return np.concatenate(starts), np.concatenate(spreads)
