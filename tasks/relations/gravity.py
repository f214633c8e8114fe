"""Where gravity points in three axes by the second: how often a sensor is turned for good, and how far it leans."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

TURN_DEG = 30.0
STAYS_S = 10
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
    size = np.linalg.norm(axes, axis=0)
    with np.errstate(invalid="ignore"):
        still = np.isfinite(size) & (size > _STILL_G[0]) & (size < _STILL_G[1])
    seconds = float(still.sum())
    if seconds < 2 * STAYS_S:
        return None, None, seconds
    unit = axes[:, still] / size[still]
    mean = unit.mean(axis=1)
    angles = _degrees(mean / np.linalg.norm(mean) @ unit) if np.linalg.norm(mean) > 0 else np.full(unit.shape[1], 90.0)
    blocks = [b.mean(axis=1) for b in np.array_split(unit, max(1, unit.shape[1] // STAYS_S), axis=1)]
    turns, last = 0, blocks[0]
    for block in blocks[1:]:
        if float(_degrees(np.array([last @ block / (np.linalg.norm(last) * np.linalg.norm(block))]))[0]) >= TURN_DEG:
            turns, last = turns + 1, block
    return 60.0 * turns / seconds, float(np.sqrt(np.mean(angles**2))), seconds


def _degrees(cosine: FloatArray) -> FloatArray:
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
