"""How much time a frame stands for, and averages over time rather than over frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray


def frame_seconds(times_s: FloatArray) -> FloatArray:
    """How much time each frame stands for: up to the next one, and not across a gap.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing stamps, s.

    Returns
    -------
    ndarray, shape (n,)
    """
    if len(times_s) < 2:
        return np.zeros(len(times_s))
    steps = np.diff(times_s)
    usual = float(np.median(steps))
    return np.append(np.where(steps > 3 * usual, usual, steps), usual)


def weighted_mean(values: FloatArray, weights: FloatArray, where: NDArray[np.bool_]) -> float | None:
    """Mean over time of the finite values in some frames.

    Parameters
    ----------
    values, weights : ndarray, shape (n,)
        Values, and the seconds each stands for.
    where : ndarray of bool, shape (n,)
        Which frames count.

    Returns
    -------
    float or None
        None where there is nothing.
    """
    good = where & np.isfinite(values) & (weights > 0)
    return float(np.average(values[good], weights=weights[good])) if good.any() else None


def weighted_sd(values: FloatArray, weights: FloatArray, where: NDArray[np.bool_]) -> float | None:
    """Standard deviation over time of the finite values in some frames.

    Parameters
    ----------
    values, weights, where
        As in `weighted_mean`.

    Returns
    -------
    float or None
        None where there is nothing.
    """
    mean = weighted_mean(values, weights, where)
    spread = None if mean is None else weighted_mean((values - mean) ** 2, weights, where)
    return None if spread is None else float(np.sqrt(spread))
