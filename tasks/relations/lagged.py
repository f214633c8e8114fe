"""Two signals by the second against each other: correlation at the best lag, and what chance makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray

LAG_S = 30
SLOW_S = 61
SURROGATES = 99
SHORTEST_S = 120


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
        The surrogates are the second signal with its spectrum and random phases (Theiler et al. 1992,
        doi:10.1016/0167-2789(92)90102-S), searched in the same way, so that choosing the best of 61 lags is part of
        what chance is allowed; `NOTHING` for fewer than 120 common seconds.
    """
    if len(first) < SHORTEST_S:
        return NOTHING
    a, b = _calm(first), _calm(second)
    seconds = float(np.sum(np.isfinite(a) & np.isfinite(b)))
    if seconds < SHORTEST_S:
        return NOTHING
    found = _profile(a, b)
    if not np.isfinite(found).any():
        return NOTHING
    best = int(np.nanargmax(np.abs(found)))
    rng = np.random.default_rng(seed)
    chance = [np.nanmax(np.abs(_profile(a, _scrambled(b, rng))), initial=0.0) for _ in range(SURROGATES)]
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


def _scrambled(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A signal with the same spectrum, and the same gaps, that has nothing in common with it.

    Moving it in a circle would not do: of a few minutes there are only two or three moves by more than the lags.
    """
    good = np.isfinite(values)
    size = np.abs(np.fft.rfft(np.where(good, values, 0.0)))
    turned = np.exp(2j * np.pi * rng.random(len(size)))
    return np.where(good, np.fft.irfft(size * turned, len(values)), np.nan)


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
