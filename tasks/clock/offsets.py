"""Place one recorder's clock on another's, from what both of them recorded: beats, movement, sound.

Every estimate is a line, `reference time = offset + time × (1 + drift × 1e-6)`, with the half-width of its 95 %
interval, or None where the evidence does not tell the true place from a chance one.

The search is the same for all: the other recording is cut into blocks; each block has a profile, how well it fits at
every lag; the profiles are moved by a drift and added, and the highest point over lags and drifts is the place. It
counts if it is half as high again as the highest point that the same search finds in any of 19 surrogates (the other
recording played backwards and rotated, which keeps its spectrum and destroys its place), and exceeds by a margin that
of the next best place: a heart that beats evenly fits at every beat, and is then refused. The points within the blocks
then give the line, and leaving out one stretch at a time (jackknife) its uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.clock.blocks import Blocks, Product, Summed, spectra_around, spectra_of_blocks, sums_of_runs
from cueflow.tasks.clock.lines import DRIFT_FROM_S, DRIFT_PPM, Offset, line_through, widened

Track = tuple[FloatArray, FloatArray]
"""Times in s and values."""
WITHIN_S = 60.0
_BLOCK_S = 120.0  # of beats
_BLOCKS = 12  # of a signal, where that makes them neither shorter nor longer than
_BLOCK_LIMITS_S = (5.0, 30.0)
_LONGEST_S = 7200.0  # of the other recording: more does not sharpen the place, only the search's cost
_SURROGATES = 19
_BEYOND = 1.5  # the highest of them; what shares nothing stays below, what shares something far above (docs)
_MARGIN = 1.25  # over the next best place
APART_S = 0.25  # lags closer than this are one place
_FEWEST_BEATS = 30
_MATCH_S = 0.08  # further away it is another beat
_MATCHED_SHARE = 0.5
_BEAT_BIN_S = 0.005
_BEAT_WIDTH = 3.0  # bins; jitter of beats found in two signals
_BEAT_DRIFT_S = 0.01  # that drifts differ by at the ends: less than that width
FEWEST_BLOCKS = 8
_FEWEST_PLACES = 5
_OWN_PEAK = 0.15  # of the highest one: a lower peak is noise
_VERTEX_ERROR = 0.1  # of a step: a peak is no parabola


@dataclass(frozen=True, slots=True)
class _Place:
    lag_s: float
    drift: float
    score: float
    next_score: float


def beats_offset(
    reference_s: FloatArray,
    other_s: FloatArray,
    *,
    within_s: float = WITHIN_S,
    delay_s: float = 0.0,
    delay_spread_s: float = 0.0,
    seed: int = 0,
) -> Offset | None:
    """Place of a recording whose heart beats another one has too.

    Parameters
    ----------
    reference_s, other_s : ndarray, shape (n,), (m,)
        Increasing times of beats, each on its own clock, s.
    within_s : float, optional
        Largest offset that is searched, s.
    delay_s, delay_spread_s : float, optional
        How much later the other recorder sees a beat (the pulse's way to the wrist), and the half-width of its 95 %
        interval, s. The spread cannot be averaged away.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Offset or None
        None for fewer than 30 matched beats, less than half of those that could match, or a place that is not
        significant.
    """
    other = other_s[other_s <= other_s[0] + _LONGEST_S] if len(other_s) else other_s
    if min(len(reference_s), len(other)) < _FEWEST_BEATS:
        return None
    lags = _lags(within_s, _BEAT_BIN_S)
    middles = _middles(float(other[0]), float(other[-1]), _BLOCK_S)

    def search(beats: FloatArray) -> _Place:
        profiles = _beat_profiles(reference_s, beats, middles, lags)
        return _search(lambda first: sums_of_runs(profiles, first), middles, lags, finest_s=_BEAT_DRIFT_S)

    found = search(other)
    rng = np.random.default_rng(seed)
    chance = [search(_backwards_beats(other, rng)).score for _ in range(_SURROGATES)]
    if not _significant(found, chance):
        return None
    matched = _matched_beats(reference_s, other, found)
    if matched is None:
        return None
    line = line_through(*matched, span=(float(other[0]), float(other[-1])))
    found_at = Offset(line.offset_s + delay_s, line.drift_ppm, line.uncertainty_s, len(matched[0]))
    return widened(found_at, delay_spread_s)


def signals_offset(
    reference: Track,
    other: Track,
    *,
    rate: float = 20.0,
    within_s: float = WITHIN_S,
    apart_s: float = APART_S,
    certain: bool = False,
    seed: int = 0,
) -> Offset | None:
    """Place of a recording whose slow signal rises and falls with another one's: movement felt and seen, loudness.

    Parameters
    ----------
    reference, other : tuple of ndarray, shape (n,)
        Times in s, each on its own clock, and values; NaN and steps of more than a second are gaps. Values of the
        reference may be (n, k): of k parts, the one that fits best speaks, for the surrogates too.
    rate : float, optional
        Both are brought to this rate, Hz.
    within_s : float, optional
        Largest offset that is searched, s.
    apart_s : float, optional
        Lags closer than this are one place, s.
    certain : bool, optional
        Another search has found the place, and this one only has to look closer: no surrogates.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Offset or None
        None for fewer than eight blocks that both recorded, or a place that is not significant; for fewer than five
        blocks with a peak of their own at that place.
    """
    parts = [evened(reference[0], column, rate) for column in np.atleast_2d(reference[1].T)]
    parts = [part for part in parts if np.any(part[1])]
    b = evened(*other, rate)
    b = (b[0], b[1][: int(_LONGEST_S * rate)])
    block_s = float(np.clip(len(b[1]) / rate / _BLOCKS, *_BLOCK_LIMITS_S))
    middles = _middles(b[0], b[0] + len(b[1]) / rate, block_s)
    if len(middles) < FEWEST_BLOCKS or not (parts and np.any(b[1])):
        return None
    lags = _lags(within_s, 1.0 / rate)
    cut = Blocks(rate, middles, length=int(block_s * rate), reach=len(lags) // 2)
    around = [spectra_around(part, cut, b[0]) for part in parts]

    def best(values: FloatArray) -> tuple[_Place, Product]:
        turned = np.conj(spectra_of_blocks(values, cut, b[0]))
        made = (known * turned for known in around)
        return max(((_search(cut.summed(p), middles, lags, apart_s=apart_s), p) for p in made), key=_score)

    found, product = best(b[1])
    rng = np.random.default_rng(seed)
    turned = (np.roll(b[1][::-1], int(rng.integers(len(b[1])))) for _ in range(0 if certain else _SURROGATES))
    if not certain and not _significant(found, [best(t)[0].score for t in turned]):
        return None
    profiles = cut.summed(product)(np.arange(len(middles)))
    times, places = _block_places(profiles, middles, lags, found)
    if len(times) < _FEWEST_PLACES:
        return None
    line = line_through(times, places, span=(b[0], b[0] + len(b[1]) / rate))
    return replace(line, uncertainty_s=float(np.hypot(line.uncertainty_s, _VERTEX_ERROR / rate)))


def _lags(within_s: float, step_s: float) -> FloatArray:
    n = round(within_s / step_s)
    return np.asarray(np.arange(-n, n + 1) * step_s, dtype=np.float64)


def _middles(start_s: float, end_s: float, block_s: float) -> FloatArray:
    n = max(int((end_s - start_s) / block_s), 1)
    return np.asarray(start_s + (np.arange(n) + 0.5) * min(block_s, end_s - start_s), dtype=np.float64)


def _search(
    summed: Summed, middles: FloatArray, lags: FloatArray, *, apart_s: float = APART_S, finest_s: float = 0.0
) -> _Place:
    """The highest sum of the blocks' profiles over lags and drifts, which move the ends by a lag or `finest_s`."""
    step, reach = float(lags[1] - lags[0]), float(np.ptp(middles))
    long_enough = reach + _BLOCK_S > DRIFT_FROM_S
    n = int(np.ceil(DRIFT_PPM * 1e-6 * reach / (2 * max(step, finest_s)))) if long_enough else 0
    drifts = np.linspace(-DRIFT_PPM, DRIFT_PPM, 2 * n + 1) * 1e-6 if n else np.zeros(1)
    centre = float(np.mean(middles))
    best, best_sum = _Place(0.0, 0.0, -np.inf, 0.0), np.zeros(len(lags))
    for drift in drifts:
        shifts = np.round((middles - centre) * drift / step).astype(int)
        first = np.flatnonzero(np.diff(shifts, prepend=shifts[0] - 1))
        total = np.zeros(len(lags))
        for profile, shift in zip(summed(first), shifts[first], strict=True):
            total += np.roll(profile, -shift)
        at = int(np.argmax(total))
        if total[at] > best.score:
            best = _Place(float(lags[at] - centre * drift), float(drift), float(total[at]), 0.0)
            best_sum = total
    far = np.abs(lags - lags[int(np.argmax(best_sum))]) > apart_s
    return _Place(best.lag_s, best.drift, best.score, float(np.max(best_sum[far], initial=0.0)))


def _score(pair: tuple[_Place, Product]) -> float:
    return pair[0].score


def _significant(found: _Place, chance: list[float]) -> bool:
    return found.score > _BEYOND * max(chance) and found.score > _MARGIN * found.next_score


def _beat_profiles(reference: FloatArray, other: FloatArray, middles: FloatArray, lags: FloatArray) -> FloatArray:
    """Density of the differences between beats, (blocks, lags)."""
    from scipy.ndimage import gaussian_filter1d

    within, n = float(lags[-1]), len(lags)
    first = np.searchsorted(reference, other - within)
    count = np.searchsorted(reference, other + within) - first
    j = np.repeat(np.arange(len(other)), count)
    i = np.arange(len(j)) - np.repeat(np.cumsum(count) - count, count) + first[j]
    bins = np.clip(np.round((reference[i] - other[j] + within) / _BEAT_BIN_S).astype(int), 0, n - 1)
    block = np.clip(np.searchsorted((middles[1:] + middles[:-1]) / 2, other), 0, len(middles) - 1)
    counts = np.bincount(block[j] * n + bins, minlength=len(middles) * n).reshape(len(middles), n)
    return np.asarray(gaussian_filter1d(counts.astype(np.float64), _BEAT_WIDTH, axis=1, mode="constant"))


def _backwards_beats(beats: FloatArray, rng: np.random.Generator) -> FloatArray:
    intervals = np.roll(np.diff(beats)[::-1], int(rng.integers(len(beats) - 1)))
    return np.concatenate([beats[:1], beats[0] + np.cumsum(intervals)])


def _matched_beats(reference: FloatArray, other: FloatArray, place: _Place) -> tuple[FloatArray, FloatArray] | None:
    """Times of the other's beats that have a partner, and how much later that one stands."""
    moved = place.lag_s + other * (1.0 + place.drift)
    at = np.clip(np.searchsorted(reference, moved), 1, len(reference) - 1)
    nearest = np.where(moved - reference[at - 1] < reference[at] - moved, reference[at - 1], reference[at])
    match = np.abs(nearest - moved) < _MATCH_S
    common = (moved >= reference[0]) & (moved <= reference[-1])
    theirs = (reference >= moved[0]) & (reference <= moved[-1])
    if match.sum() < max(_FEWEST_BEATS, _MATCHED_SHARE * min(common.sum(), theirs.sum())):
        return None
    return other[match], (nearest - other)[match]


def evened(times: FloatArray, values: FloatArray, rate: float) -> tuple[float, FloatArray]:
    """Values at an even rate: without slow changes, in standard deviations, 0 in gaps.

    Parameters
    ----------
    times, values : ndarray, shape (n,)
        In s, and what was measured; NaN and steps of more than a second are gaps.
    rate : float
        In Hz.

    Returns
    -------
    tuple
        Start in s, and values (m,).
    """
    from scipy.ndimage import uniform_filter1d

    good = np.isfinite(values)
    times, values = times[good], values[good]
    if len(times) < 2:
        return 0.0, np.zeros(0)
    grid = np.arange(times[0], times[-1], 1.0 / rate)
    at = np.clip(np.searchsorted(times, grid, side="right"), 1, len(times) - 1)
    seen = times[at] - times[at - 1] <= max(1.0, 1.5 * float(np.median(np.diff(times))))
    width = int(20.0 * rate) | 1
    fine = np.where(seen, np.interp(grid, times, values), 0.0)
    share = uniform_filter1d(seen.astype(np.float64), width, mode="constant")
    mean = uniform_filter1d(fine, width, mode="constant") / np.maximum(share, 1e-9)
    fine = np.where(seen, fine - mean, 0.0)
    spread = float(np.sqrt(np.mean(fine[seen] ** 2))) if seen.any() else 0.0
    return float(times[0]), np.clip(fine / spread, -5.0, 5.0) if spread > 0 else np.zeros(len(fine))


def _block_places(
    profiles: FloatArray, middles: FloatArray, lags: FloatArray, place: _Place
) -> tuple[FloatArray, FloatArray]:
    """Middles of the blocks that have a peak of their own near the place, and the exact lag of that peak."""
    step = float(lags[1] - lags[0])
    near = max(round(APART_S / step), 2)
    times, found = [], []
    floor = _OWN_PEAK * max(float(profiles.max()), 0.0)
    for middle, profile in zip(middles, profiles, strict=True):
        centre = round((place.lag_s + middle * place.drift - lags[0]) / step)
        first = max(centre - near, 1)
        part = profile[first : centre + near + 1]
        if len(part) < 3 or not 0 < (k := int(np.argmax(part))) < len(part) - 1 or part[k] <= floor:
            continue
        times.append(float(middle))
        found.append(float(lags[first + k]) + step * vertex(part[k - 1 : k + 2]))
    return np.array(times), np.array(found)


def vertex(three: FloatArray) -> float:
    """Where the parabola through three points around a peak has its own, in steps from the middle one.

    Parameters
    ----------
    three : ndarray, shape (3,)
        The peak in the middle.

    Returns
    -------
    float
    """
    bend = float(three[0] - 2 * three[1] + three[2])
    return 0.5 * float(three[0] - three[2]) / bend if bend < 0 else 0.0
