"""How two people's movements belong together: windowed cross-correlation against shuffled windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray

RATE_HZ = 5.0
WINDOW_S, STEP_S, MAX_LAG_S = 30.0, 15.0, 5.0
MIN_WINDOWS = 4
BRIDGE_S = 0.5  # a body's speed is known once in a fifth to a quarter of a second: what lies between is not unseen
MIN_SEEN = 0.8  # share of a window in which both must have been seen
SHUFFLES = 200
IN_STEP_Z = 1.64  # one in twenty pairs of strangers reaches it, in two minutes one in thirteen


@dataclass(frozen=True, slots=True)
class Synchrony:
    """Mean peak correlation above shuffled windows, its z among them, a lag in s; seconds it rests on.

    The lag is where the correlation averaged over the windows is highest: one who follows in half of the windows only
    has peaks of chance in the others. It is positive where the second person moves after the first.
    """

    strength: float
    z: float
    lag_s: float
    seconds: float

    @property
    def known_lag_s(self) -> float | None:
        """The lag where they are in step; None where as much is chance, and nobody follows anybody."""
        return self.lag_s if self.z >= IN_STEP_Z else None


def binned(times_s: FloatArray, values: FloatArray, *, start_s: float, end_s: float) -> FloatArray:
    """Mean of a signal in bins of a fifth of a second.

    Parameters
    ----------
    times_s, values : ndarray, shape (n,)
        Samples; NaN values are left out.
    start_s, end_s : float
        Extent of the bins, s.

    Returns
    -------
    ndarray, shape (m,)
        NaN for a bin without samples.
    """
    count = max(1, int((end_s - start_s) * RATE_HZ))
    place = np.floor((times_s - start_s) * RATE_HZ).astype(np.int64)
    good = np.isfinite(values) & (place >= 0) & (place < count)
    number = np.bincount(place[good], minlength=count)
    total = np.bincount(place[good], weights=values[good], minlength=count)
    mean: FloatArray = np.divide(total, number, out=np.full(count, np.nan), where=number > 0)
    return mean


def bridged(bins: FloatArray) -> FloatArray:
    """Bins with empty ones between two that are not, no further apart than `BRIDGE_S`, filled on a straight line.

    Parameters
    ----------
    bins : ndarray, shape (n,)
        As `binned` gives them.

    Returns
    -------
    ndarray, shape (n,)
    """
    known = np.flatnonzero(np.isfinite(bins))
    if not len(known):
        return bins
    at = np.arange(len(bins))
    after = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
    before = np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 1)
    inside = (known[before] <= at) & (at <= known[after])
    near = inside & (known[after] - known[before] <= BRIDGE_S * RATE_HZ + 1e-9)
    return np.where(near, np.interp(at, known, bins[known]), np.nan)


def synchrony(first: FloatArray, second: FloatArray, *, seed: int = 0) -> Synchrony | None:
    """Synchrony of two movement signals.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Movement of both people, 0 or more, in bins of a fifth of a second, NaN where not seen.
    seed : int, optional
        Of the shuffles.

    Returns
    -------
    Synchrony or None
        None where fewer than four windows of 30 s show both.

    References
    ----------
    Ramseyer and Tschacher (2011), doi:10.1037/a0023419; Boker et al. (2002), doi:10.1037/1082-989X.7.3.338
    """
    length, step = round(WINDOW_S * RATE_HZ), round(STEP_S * RATE_HZ)
    starts = [s for s in range(0, len(first) - length + 1, step) if _seen(first, second, s, length)]
    if len(starts) < MIN_WINDOWS:
        return None
    # roots: a few large movements would decide a window alone, and small ones count for a follower, too
    one, two = (np.stack([np.sqrt(_filled(signal[s : s + length])) for s in starts]) for signal in (first, second))
    table = _correlations(one, two)
    peaks = table.max(axis=0)
    own = float(np.mean(np.diagonal(peaks)))
    rng = np.random.default_rng(seed)
    shuffled = []
    for _ in range(SHUFFLES):
        order = rng.permutation(len(starts))
        other = order != np.arange(len(starts))
        if other.any():
            shuffled.append(float(peaks[np.arange(len(starts))[other], order[other]].mean()))
    spread = float(np.std(shuffled)) * _together(peaks)
    lag = float(np.argmax(np.einsum("lkk->l", table)) - len(table) // 2) / RATE_HZ
    seconds = WINDOW_S + STEP_S * (len(starts) - 1)
    chance = float(np.mean(shuffled))
    return Synchrony(own - chance, (own - chance) / spread if spread > 0 else float("nan"), lag, seconds)


def _together(peaks: FloatArray) -> float:
    """How much wider the mean over windows in their order scatters than over shuffled ones: neighbours overlap.

    Estimated from pairs of windows that do not belong together, each beside the pair that follows it.
    """
    number = len(peaks)
    apart = np.abs(np.subtract.outer(np.arange(number - 1), np.arange(number - 1))) > 1
    here, next_ = peaks[:-1, :-1][apart], peaks[1:, 1:][apart]
    if len(here) < 3 or not here.std() or not next_.std():
        return 1.0
    alike = float(np.corrcoef(here, next_)[0, 1])
    return float(np.sqrt(1 + 2 * max(alike, 0.0) * (number - 1) / number))


def _seen(first: FloatArray, second: FloatArray, start: int, length: int) -> bool:
    both = np.isfinite(first[start : start + length]) & np.isfinite(second[start : start + length])
    return float(both.mean()) >= MIN_SEEN


def _filled(values: FloatArray) -> FloatArray:
    """Short gaps bridged: a fifth of the window at most."""
    at = np.arange(len(values))
    good = np.isfinite(values)
    return np.interp(at, at[good], values[good])


def _correlations(first: FloatArray, second: FloatArray) -> FloatArray:
    """Of each window of one person with each of the other, at lags from -5 to 5 s: (lags, n, n)."""
    most = round(MAX_LAG_S * RATE_HZ)
    table = []
    for lag in range(-most, most + 1):
        a = _standard(first[:, max(0, -lag) : first.shape[1] - max(0, lag)])
        b = _standard(second[:, max(0, lag) : second.shape[1] - max(0, -lag)])
        table.append(a @ b.T / a.shape[1])
    return np.array(table)


def _standard(windows: FloatArray) -> FloatArray:
    spread = windows.std(axis=1, keepdims=True)
    return np.asarray((windows - windows.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.inf))
