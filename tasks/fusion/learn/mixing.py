"""How well a chain of draws moves."""

from __future__ import annotations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray


def effective_draws(series: FloatArray) -> FloatArray:
    """How many independent draws a chain of correlated ones is worth.

    Parameters
    ----------
    series : ndarray, shape (d, k)
        d draws of k numbers, in their order.

    Returns
    -------
    ndarray, shape (k,)
        At most d; d for a number that never changes.

    References
    ----------
    Geyer (1992), doi:10.1214/ss/1177011137 (sums of neighbouring autocorrelations, up to the first that is negative)
    """
    d = series.shape[0]
    spectrum = np.fft.rfft(series - series.mean(axis=0), 2 * d, axis=0)
    along = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: d - d % 2]
    moves = along[0] > 1e-12 * d * np.maximum((series**2).mean(axis=0), 1e-12)
    along = along / np.where(moves, along[0], 1.0)
    pairs = along[::2] + along[1::2]
    total = 2 * (pairs * np.cumprod(pairs > 0, axis=0)).sum(axis=0) - 1
    return np.asarray(np.where(moves, d / np.maximum(total, 1.0), d))
