"""Two signals by the second against each other: correlation at the best lag, coherence, and what chance makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray

LAG_S = 30
SLOW_S = 61
SURROGATES = 99
SHORTEST_S = 120
_SHIFT_S = 45  # a surrogate is moved by at least this: beyond the lags that are searched


@dataclass(frozen=True, slots=True)
class Lagged:
    """Strongest correlation, how much later the second follows in s, p by surrogates, and the seconds it rests on."""

    r: float
    lag_s: float
    p: float
    seconds: float


NOTHING = Lagged(float("nan"), float("nan"), float("nan"), 0.0)


def lagged_correlation(first: FloatArray, second: FloatArray, *, seed: int = 0) -> Lagged:
    """Correlation at the lag where it is the strongest.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        One value a second; NaN is a gap and takes no part.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Lagged
        The surrogates are the second signal moved in a circle by more than 45 s and searched in the same way, so that
        choosing the best of 61 lags is part of what chance is allowed; `NOTHING` for fewer than 120 common seconds.
    """
    if len(first) < SHORTEST_S:
        return NOTHING
    a, b = _calm(first), _calm(second)
    seconds = float(np.sum(np.isfinite(a) & np.isfinite(b)))
    if seconds < SHORTEST_S or len(a) <= 2 * _SHIFT_S + 1:
        return NOTHING
    found = _profile(a, b)
    if not np.isfinite(found).any():
        return NOTHING
    best = int(np.nanargmax(np.abs(found)))
    rng = np.random.default_rng(seed)
    shifts = rng.integers(_SHIFT_S, len(b) - _SHIFT_S, SURROGATES)
    chance = [np.nanmax(np.abs(_profile(a, np.roll(b, int(s)))), initial=0.0) for s in shifts]
    p = (1 + int(np.sum(np.array(chance) >= abs(found[best])))) / (SURROGATES + 1)
    return Lagged(float(found[best]), float(best - LAG_S), p, seconds)


def _calm(values: FloatArray) -> FloatArray:
    """Without its moving mean over a minute; gaps stay gaps."""
    good = np.isfinite(values)
    kernel = np.ones(SLOW_S)
    count = np.convolve(good.astype(np.float64), kernel, mode="same")
    total = np.convolve(np.where(good, values, 0.0), kernel, mode="same")
    mean = np.divide(total, count, out=np.zeros(len(values)), where=count > 0)
    return np.where(good, values - mean, np.nan)


def _profile(a: FloatArray, b: FloatArray) -> FloatArray:
    """Correlation at lags of -30 to 30 s over what both have, shape (61,); NaN where that is less than a minute."""
    n = len(a)
    seen_a, seen_b = np.isfinite(a).astype(np.float64), np.isfinite(b).astype(np.float64)
    x, y = np.nan_to_num(a), np.nan_to_num(b)
    rows = [
        _lags(u, v, n) for u, v in ((x, y), (x**2, seen_b), (seen_a, y**2), (x, seen_b), (seen_a, y), (seen_a, seen_b))
    ]
    xy, xx, yy, sx, sy, count = rows
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (xy - sx * sy / count) / np.sqrt((xx - sx**2 / count) * (yy - sy**2 / count))
    return np.where((count >= 60) & np.isfinite(r), r, np.nan)


def _lags(u: FloatArray, v: FloatArray, n: int) -> FloatArray:
    """Sum over t of u(t) v(t + lag) for lags of -30 to 30."""
    size = 1 << (n + LAG_S).bit_length()
    cross = np.fft.irfft(np.conj(np.fft.rfft(u, size)) * np.fft.rfft(v, size), size)
    return np.concatenate([cross[-LAG_S:], cross[: LAG_S + 1]])


def coherence_at(first: FloatArray, second: FloatArray, hertz: float, *, seed: int = 0) -> Lagged:
    """Coherence of two signals at one frequency.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        One value a second; gaps of up to 3 s are bridged by straight lines, longer ones end a stretch.
    hertz : float
        Frequency, below 0.5 Hz.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Lagged
        `r` is the magnitude-squared coherence, largest within 0.02 Hz, of Hann windows of 64 s; `lag_s` is NaN.
        `NOTHING` for less than 180 s of stretches that are at least 128 s long.
    """
    pieces = _stretches(first, second)
    seconds = float(sum(len(a) for a, _ in pieces))
    if seconds < 180.0:
        return NOTHING
    found = _coherence(pieces, hertz)
    rng = np.random.default_rng(seed)
    chance = [
        _coherence([(a, np.roll(b, int(rng.integers(20, len(b) - 20)))) for a, b in pieces], hertz)
        for _ in range(SURROGATES)
    ]
    p = (1 + int(np.sum(np.array(chance) >= found))) / (SURROGATES + 1)
    return Lagged(found, float("nan"), p, seconds)


def _stretches(first: FloatArray, second: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    good = np.flatnonzero(np.isfinite(first) & np.isfinite(second))
    if not len(good):
        return []
    parts = np.split(good, np.flatnonzero(np.diff(good) > 3) + 1)
    long = [p for p in parts if p[-1] - p[0] >= 127]
    filled = []
    for part in long:
        grid = np.arange(part[0], part[-1] + 1)
        filled.append((np.interp(grid, part, first[part]), np.interp(grid, part, second[part])))
    return filled


def _coherence(pieces: list[tuple[FloatArray, FloatArray]], hertz: float) -> float:
    from scipy import signal as sp

    sums = np.zeros(3, dtype=np.complex128)
    best = 0.0
    totals: list[FloatArray] = []
    freqs = np.fft.rfftfreq(64, 1.0)
    for a, b in pieces:
        kw = {"fs": 1.0, "nperseg": 64, "detrend": "linear"}
        totals.append(len(a) * np.stack([sp.csd(a, b, **kw)[1], sp.welch(a, **kw)[1], sp.welch(b, **kw)[1]]))
    cross, one, two = np.sum(totals, axis=0) if totals else (sums, sums, sums)
    near = np.abs(freqs - hertz) <= 0.02
    power = np.real(one[near]) * np.real(two[near])
    value = np.divide(np.abs(cross[near]) ** 2, power, out=np.zeros(int(near.sum())), where=power > 0)
    return float(max(best, value.max(initial=0.0)))
