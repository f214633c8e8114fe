"""Where gravity points in three axes by the second: how often a sensor is turned for good, and how far it leans."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

TURN_DEG = 30.0
STAYS_S = 10
LEANS_DEG, LIES_DEG = 30.0, 60.0
_STILL_G = (0.8, 1.2)
"""A second whose mean acceleration is not that of gravity says nothing of the direction."""


def posture(axes: FloatArray) -> tuple[float | None, float | None, float]:
    """Turns per minute and spread of the direction of gravity.

    Parameters
    ----------
    axes : ndarray, shape (3, n)
        Mean acceleration by the second, g; NaN is a gap.

    Returns
    -------
    tuple
        Turns per minute, root mean square angle from the mean direction in degrees, and the seconds they rest on. None
        for fewer than 20 s. A turn is counted when the mean direction of 10 s differs by 30 degrees or more from that
        at the turn before.
    """
    unit = _still(axes)
    seconds = float(unit.shape[1])
    if seconds < 2 * STAYS_S:
        return None, None, seconds
    mean = unit.mean(axis=1)
    angles = _degrees(mean / np.linalg.norm(mean) @ unit) if np.linalg.norm(mean) > 0 else np.full(unit.shape[1], 90.0)
    blocks = [b.mean(axis=1) for b in np.array_split(unit, max(1, unit.shape[1] // STAYS_S), axis=1)]
    turns, last = 0, blocks[0]
    for block in blocks[1:]:
        if float(_degrees(np.array([last @ block / (np.linalg.norm(last) * np.linalg.norm(block))]))[0]) >= TURN_DEG:
            turns, last = turns + 1, block
    return 60.0 * turns / seconds, float(np.sqrt(np.mean(angles**2))), seconds


def upright_direction(axes: FloatArray) -> FloatArray | None:
    """Where gravity points in the axes of a sensor while its wearer is known to be upright.

    Parameters
    ----------
    axes : ndarray, shape (3, n)
        Mean acceleration by the second of that time, g; NaN is a gap.

    Returns
    -------
    ndarray, shape (3,), or None
        Of length 1; None for fewer than 10 still seconds.
    """
    unit = _still(axes)
    if unit.shape[1] < STAYS_S:
        return None
    mean = unit.mean(axis=1)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0 else None


def shares(axes: FloatArray, upright: FloatArray) -> tuple[float | None, float | None, float | None, float]:
    """How much of the time a wearer is upright, leans or lies.

    Parameters
    ----------
    axes : ndarray, shape (3, n)
        Mean acceleration by the second, g; NaN is a gap.
    upright : ndarray, shape (3,)
        From `upright_direction`.

    Returns
    -------
    tuple
        Per cent of the still seconds within 30 degrees of upright, from 30 to 60, and beyond; and the seconds.
    """
    unit = _still(axes)
    seconds = float(unit.shape[1])
    if not seconds:
        return None, None, None, 0.0
    angles = _degrees(upright @ unit)
    return (
        100.0 * float(np.mean(angles < LEANS_DEG)),
        100.0 * float(np.mean((angles >= LEANS_DEG) & (angles < LIES_DEG))),
        100.0 * float(np.mean(angles >= LIES_DEG)),
        seconds,
    )


def _still(axes: FloatArray) -> FloatArray:
    """Directions of the seconds in which nothing but gravity acts, shape (3, k)."""
    size = np.linalg.norm(axes, axis=0)
    with np.errstate(invalid="ignore"):
        still = np.isfinite(size) & (size > _STILL_G[0]) & (size < _STILL_G[1])
    return np.asarray(axes[:, still] / size[still])


def _degrees(cosine: FloatArray) -> FloatArray:
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
