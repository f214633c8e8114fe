"""Entrainment: does a person's turn follow the other's in pitch or level, more than chance would have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

SURROGATES = 1000
_SEED = 20110828


def following(own: F64, other: F64) -> tuple[float, float, int]:
    """Correlation of each turn with the other person's turn before it, against surrogates in random order.

    Parameters
    ----------
    own, other : ndarray, shape (n,)
        A feature of self's turns and of the other's turns that they follow; NaN where a turn has none.

    Returns
    -------
    r : float
        Pearson's correlation; NaN with under 3 exchanges or where one side does not change.
    p : float
        Share of 1000 random orders of the other's turns with as high a correlation, the real one counted in.
    n : int
        Exchanges in which both turns have the feature.

    References
    ----------
    Levitan and Hirschberg (2011), Measuring acoustic-prosodic entrainment with respect to multiple levels and
    dimensions, Interspeech, 3081-3084
    """
    there = np.isfinite(own) & np.isfinite(other)
    a, b = own[there], other[there]
    n = len(a)
    if n < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan"), float("nan"), n
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float(a @ b) / n
    rng = np.random.default_rng(_SEED)
    by_chance = rng.permuted(np.broadcast_to(b, (SURROGATES, n)), axis=1) @ a / n
    p = (1.0 + float((by_chance >= r - 1e-12).sum())) / (1.0 + SURROGATES)
    return min(max(r, -1.0), 1.0), p, n
