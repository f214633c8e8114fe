"""Harmonics-to-noise ratio, by the cross-correlation of a piece with itself one period later."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import RATE_HZ, frames_of

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_SHORTEST = 2  # samples: nothing below it can be a period
_TAPS = 30  # lags on either side that a value between two lags is made of
_STEPS = 41  # places looked at between the neighbours of the highest lag
_PIECE = 512  # frames at a time


def harmonicity(samples: F32, among: NDArray[np.bool_], *, floor_hz: float) -> F32:
    """Harmonics-to-noise ratio, dB.

    A window of one period of the lowest pitch is correlated with the signal one lag later; the highest normalised
    correlation r over all lags up to that period gives 10 log10(r / (1 - r)).

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    among : ndarray of bool, shape (n_frames,)
        Frames of the core to measure.
    floor_hz : float
        Lowest pitch: its period is the window.

    Returns
    -------
    ndarray, shape (n_frames,)
        NaN elsewhere.

    References
    ----------
    Boersma (1993), IFA Proceedings 17, 97-110, with the forward cross-correlation of Praat's Harmonicity (cc).
    """
    out = np.full(len(among), np.nan, dtype=np.float32)
    period = int(RATE_HZ / floor_hz)
    view = frames_of(samples, 2 * period + _TAPS, n_frames=len(among))
    chosen = np.flatnonzero(among)
    for at in range(0, len(chosen), _PIECE):
        rows = chosen[at : at + _PIECE]
        r = _highest(_correlations(view[rows].astype(np.float64), period))
        out[rows] = 10.0 * np.log10(r / (1.0 - r))
    return out


def _correlations(rows: F64, period: int) -> F64:
    """Normalised correlation of each row's first period with the same length one lag later, lags 0 to period + taps."""
    from scipy import fft

    rows = rows - rows.mean(axis=1, keepdims=True)
    size = fft.next_fast_len(rows.shape[1] + period, real=True)
    first = fft.rfft(rows[:, :period], size, axis=1)
    cross = fft.irfft(np.conj(first) * fft.rfft(rows, size, axis=1), size, axis=1)[:, : period + _TAPS + 1]
    energy = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(np.square(rows), axis=1)], axis=1)
    moved = energy[:, period:] - energy[:, : period + _TAPS + 1]
    return np.asarray(cross / np.sqrt(np.maximum(moved[:, :1] * moved, 1e-20)))


def _highest(r: F64) -> F64:
    """The highest local maximum of each row, read between the lags; 1e-3 (-30 dB) where there is none."""
    last = r.shape[1] - _TAPS
    inner = r[:, _SHORTEST:last]
    top = (inner > r[:, _SHORTEST - 1 : last - 1]) & (inner >= r[:, _SHORTEST + 1 : last + 1])
    best = np.where(top, inner, -np.inf).argmax(axis=1) + _SHORTEST
    both = np.concatenate([r[:, _TAPS:0:-1], r], axis=1)  # a correlation is even in its lag
    near = np.take_along_axis(both, best[:, None] + np.arange(2 * _TAPS + 1), axis=1)
    value = np.where(top.any(axis=1), (near @ _between()).max(axis=1), 0.0)
    # above 1 the estimate says less than its mirror image (Boersma 1993)
    value = np.where(value > 1.0, 1.0 / np.maximum(value, 1.0), value)
    return np.clip(value, 1e-3, 1.0 - 1e-5)


@lru_cache(maxsize=1)
def _between() -> F64:
    """Windowed sinc weights of the neighbours of a lag, for places up to one lag away, shape (2 taps + 1, steps)."""
    away = np.linspace(-1.0, 1.0, _STEPS)[None, :] - np.arange(-_TAPS, _TAPS + 1)[:, None]
    return np.asarray(np.sinc(away) * (0.5 + 0.5 * np.cos(np.pi * np.clip(away / (_TAPS + 1), -1.0, 1.0))))
