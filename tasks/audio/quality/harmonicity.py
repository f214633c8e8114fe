"""Harmonics-to-noise ratio of voiced frames, by the cross-correlation of neighbouring periods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import CONTEXT, HOP, RATE_HZ

F32 = NDArray[np.float32]

_SPREAD = 0.1  # the lag may differ by this share from the pitch track's
_HIGHEST = 0.99999  # 50 dB: more cannot be told from rounding


def harmonicity(samples: F32, f0_hz: F32, *, floor_hz: float) -> F32:
    """Harmonics-to-noise ratio, dB.

    A window of one period of the lowest pitch is correlated with the signal one period later; the best normalised
    correlation r near the pitch track's lag gives 10 log10(r / (1 - r)).

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    f0_hz : ndarray, shape (n_frames,)
        Pitch of the core's frames, NaN where unvoiced.
    floor_hz : float
        Lowest pitch: its period is the window.

    Returns
    -------
    ndarray, shape (n_frames,)
        NaN where unvoiced.

    References
    ----------
    Boersma (1993), IFA Proceedings 17, 97-110, with the forward cross-correlation of Praat's Harmonicity (cc).
    """
    from scipy import fft

    out = np.full(len(f0_hz), np.nan, dtype=np.float32)
    voiced = np.flatnonzero(np.isfinite(f0_hz))
    if not len(voiced):
        return out
    width = int(RATE_HZ / floor_hz)
    lags = RATE_HZ / f0_hz[voiced].astype(np.float64)
    longest = int(np.ceil(lags.max() * (1.0 + _SPREAD))) + 2
    view = np.lib.stride_tricks.sliding_window_view(samples, width + longest)
    starts = CONTEXT + voiced * HOP + HOP // 2 - ((width + lags) / 2).astype(np.int64)
    rows = view[starts] - view[starts].mean(axis=1, keepdims=True)
    size = fft.next_fast_len(2 * width + longest, real=True)
    first = fft.rfft(rows[:, :width], size, axis=1)
    cross = fft.irfft(np.conj(first) * fft.rfft(rows, size, axis=1), size, axis=1)[:, : longest + 1]
    energy = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(np.square(rows, dtype=np.float64), axis=1)], axis=1)
    moved = energy[:, width:] - energy[:, : longest + 1]
    r = cross / np.sqrt(np.maximum(moved[:, :1] * moved, 1e-20))
    best = _best_near(r, lags)
    out[voiced] = 10.0 * np.log10(best / (1.0 - best))
    return out


def _best_near(r: NDArray[np.float64], lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Highest correlation near each row's lag, refined by a parabola."""
    index = np.arange(r.shape[1])[None, :]
    near = np.abs(index - lags[:, None]) <= np.maximum(_SPREAD * lags[:, None], 1.0)
    near[:, [0, -1]] = False
    top = np.where(near, r, -np.inf).argmax(axis=1)
    row = np.arange(len(r))
    y0, y1, y2 = r[row, top - 1], r[row, top], r[row, top + 1]
    curve = np.minimum(y0 - 2 * y1 + y2, -1e-9)
    shift = np.clip(0.5 * (y0 - y2) / curve, -1.0, 1.0)
    return np.asarray(np.clip(y1 - 0.25 * (y0 - y2) * shift, 1e-3, _HIGHEST))
