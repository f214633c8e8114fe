"""How well the data pin down the biomarkers' effects and the persons' own shifts: a sampled posterior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray

DIRECTIONS_MAX = 100
SESSIONS_MAX = 5000
DRAWS, BURN, KEEP_EVERY = 300, 60, 2
SHIFTS = np.arange(0.0, 3.05, 0.1)
NO_SHIFT = 0.5  # belief, before any data, that persons do not differ
SHIFT_SCALE = 0.7
SCALES = 0.005 * 1.5 ** np.arange(15)
START = SCALES[SCALES.size // 2]
TERMS = 60
_TERM = (np.arange(1, TERMS + 1) - 0.5) ** 2


@dataclass(frozen=True, slots=True)
class Posterior:
    """Of an intercept and p effects: means (p + 1,), covariance Σ size[k] · v[k] v[k]ᵀ + diag(rest), squares (p,).

    `square` is the expected square of each effect and `usual` that of a value that is believed. `shifts` (k,) are
    standard deviations of the persons' own log-odds that the data do not rule out, and `belief` (k,) how much speaks
    for each.
    """

    vectors: FloatArray
    size: FloatArray
    rest: FloatArray
    square: FloatArray
    usual: FloatArray
    mean: FloatArray
    shifts: FloatArray
    belief: FloatArray

    @property
    def between(self) -> float:
        """Root mean square of the persons' own shifts in log-odds."""
        return float(np.sqrt(self.belief @ self.shifts**2))

    def centre(self, kept: FloatArray) -> FloatArray:
        """Expected log-odds (n,) of sessions of the typical person, from scaled values (n, p), 0 where missing."""
        return np.asarray(kept @ self.mean[1:] + self.mean[0])

    def variance(self, kept: FloatArray, gone: FloatArray, *, difference: bool = False) -> FloatArray:
        """Mean square (n,) of the error of log-odds: effects that the data leave open, and values that are missing.

        Parameters
        ----------
        kept : ndarray, shape (n, p)
            Scaled and clipped values as far as they are believed, 0 where missing.
        gone : ndarray, shape (n, p)
            How far they are missing: 1 for a missing value, 0 for one that is believed.
        difference : bool, optional
            They are differences of two sessions: the intercept drops out.
        """
        whole = np.hstack([np.full((kept.shape[0], 1), float(not difference)), kept])
        along = whole @ self.vectors.T
        return np.asarray(along**2 @ self.size + whole**2 @ self.rest + gone @ (self.square * self.usual))


_Spread = Callable[[], FloatArray]


@dataclass(slots=True)
class _State:
    """A point of the chain: effects with the intercept first, persons' shifts, what missing values would have added."""

    beta: FloatArray
    own: FloatArray
    hidden: FloatArray
    scale: FloatArray
    shift: float


@dataclass(frozen=True, slots=True)
class _Data:
    """Sessions in order of persons: design (n, p + 1), what is hidden (n, p), labels − ½, persons, their starts."""

    design: FloatArray
    gone: FloatArray
    half: FloatArray
    person: IntArray
    start: IntArray
    groups: IntArray
    belief: FloatArray

    def by_person(self, values: FloatArray) -> FloatArray:
        """Sums over the sessions of each person."""
        return np.asarray(np.add.reduceat(values, self.start, axis=0))


def fit_posterior(
    seen: tuple[FloatArray, FloatArray],
    y: FloatArray,
    subjects: IntArray,
    *,
    groups: IntArray,
    nothing: FloatArray | None = None,
) -> Posterior:
    """Sample a logistic model with a shift for each person and groups of columns that learn how large effects are.

    The chain starts from a fixed seed.

    Parameters
    ----------
    seen : pair of ndarray, shape (n, p)
        Scaled and clipped values as far as they are believed, and how far they are missing (0 to 1).
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    groups : ndarray, shape (p,)
        Number of the group of each column.
    nothing : ndarray, shape (k,), optional
        Belief that a group says next to nothing; default: as likely as any other size of its effects.

    Returns
    -------
    Posterior

    References
    ----------
    Polson, Scott, Windle (2013), doi:10.1080/01621459.2013.829001 (Pólya-Gamma variables)
    """
    rng = np.random.default_rng(0)
    kept, gone = seen
    usual = (kept**2).sum(axis=0) / np.maximum(((1 - gone) ** 2).sum(axis=0), 1.0)
    belief = before_data(np.full(groups.max() + 1, 1 / SCALES.size) if nothing is None else nothing)
    data = _ordered((kept, gone * usual), y, subjects, (groups, belief))
    p, kinds = groups.size, int(groups.max()) + 1
    zeros = (np.zeros(p + 1), np.zeros(data.start.size), np.zeros(y.size)[: data.half.size])
    state = _State(*zeros, np.full(kinds, START), 0.0)
    repeated = data.start.size < data.half.size  # else a person's shift cannot be told from chance
    means, shifts, covariance = [], [], np.zeros((p + 1, p + 1))
    for draw in range(BURN + DRAWS):
        mean, spread = _step(data, state, rng, repeated=repeated)
        if draw >= BURN:
            shifts.append(state.shift)
            if draw % KEEP_EVERY == 0:
                means.append(mean)
                covariance += spread()
    average = np.mean(means, axis=0)
    apart = np.stack(means) - average
    values, counts = np.unique(np.array(shifts), return_counts=True)
    shape = (covariance + apart.T @ apart) / len(means)
    return _compact(shape, average, usual, (values, counts / counts.sum()))


def some_persons(subjects: IntArray) -> IntArray:
    """Sessions that a posterior is sampled from: all, or beyond 5,000 those of some persons only.

    Parameters
    ----------
    subjects : ndarray, shape (n,)
        Number of the subject of each session.

    Returns
    -------
    ndarray
        Indices; with fewer than all the posterior is wider than it need be.
    """
    if subjects.size <= SESSIONS_MAX:
        return np.arange(subjects.size)
    people, position = np.unique(subjects, return_inverse=True)
    rank = np.random.default_rng(0).permutation(people.size)[position]
    return np.sort(np.argsort(rank, kind="stable")[:SESSIONS_MAX])


def _ordered(
    seen: tuple[FloatArray, FloatArray], y: FloatArray, subjects: IntArray, groups: tuple[IntArray, FloatArray]
) -> _Data:
    order = np.argsort(subjects, kind="stable")
    _, start, person = np.unique(subjects[order], return_index=True, return_inverse=True)
    kept, gone = seen[0][order], seen[1][order]
    design = np.hstack([np.ones((order.size, 1)), kept])
    return _Data(design, gone, y[order] - 0.5, person, start, *groups)


def _polya_gamma(log_odds: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draws of PG(1, z) as a sum of exponentials, its tail replaced by its mean."""
    rate = _TERM + (log_odds[:, None] / (2 * np.pi)) ** 2
    return np.asarray(((rng.exponential(size=rate.shape) / rate).sum(axis=1) + 1 / TERMS) / (2 * np.pi**2))


def _step(data: _Data, state: _State, rng: np.random.Generator, *, repeated: bool) -> tuple[FloatArray, _Spread]:
    """One round of the chain; returns mean and covariance of the effects given all but the persons' shifts."""
    fixed = data.design @ state.beta
    weight = _polya_gamma(fixed + state.own[data.person] + state.hidden, rng)
    pull = data.half - weight * state.hidden
    mass, along = data.by_person(weight), data.by_person(data.design * weight[:, None])
    drawn = data.by_person(pull)
    if repeated:
        state.shift = _draw_shift(mass, drawn - along @ state.beta, rng)
    effects = _few_effects if data.half.size >= data.design.shape[1] else _many_effects
    mean, state.beta, spread = effects(data, state, (weight, pull), rng)
    freedom = _freedom(mass, state.shift)
    state.own = freedom * (drawn - along @ state.beta) + np.sqrt(freedom) * rng.normal(size=mass.size)
    _draw_hidden(data, state, weight, rng)
    _draw_scales(data, state, rng)
    _stretch(data, state, weight, rng)
    return mean, spread


def _freedom(mass: FloatArray, shift: float) -> FloatArray:
    """Variance of each person's shift given the effects."""
    return 1 / (mass + 1 / shift**2) if shift > 0 else np.zeros_like(mass)


def _few_effects(
    data: _Data, state: _State, seen: tuple[FloatArray, FloatArray], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, _Spread]:
    """Mean, a draw and the covariance of the effects, through their precision (p, p)."""
    from scipy.linalg import cho_solve, solve_triangular

    weight, pull = seen
    root = data.design * np.sqrt(weight)[:, None]  # a product with itself takes half the time of another one
    mass, along = data.by_person(weight), data.by_person(root * np.sqrt(weight)[:, None])
    freedom = _freedom(mass, state.shift)
    inner = root.T @ root - along.T @ (along * freedom[:, None])
    lower = np.linalg.cholesky(inner + np.diag(1 / _before(data, state)))
    target = data.design.T @ pull - along.T @ (freedom * data.by_person(pull))
    mean = np.asarray(cho_solve((lower, True), target, check_finite=False))
    noise = rng.normal(size=mean.size)
    drawn = mean + solve_triangular(lower, noise, trans=1, lower=True, check_finite=False)
    return mean, drawn, lambda: np.asarray(cho_solve((lower, True), np.eye(mean.size), check_finite=False))


def _many_effects(
    data: _Data, state: _State, seen: tuple[FloatArray, FloatArray], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, _Spread]:
    """The same through the sessions (n, n), for fewer sessions than effects.

    References
    ----------
    Bhattacharya, Chakraborty, Mallick (2016), doi:10.1093/biomet/asw042
    """
    from scipy.linalg import cho_solve, solve_triangular

    weight, pull = seen
    before = _before(data, state)
    wide = data.design * before
    same = data.person[:, None] == data.person
    lower = np.linalg.cholesky(wide @ data.design.T + np.diag(1 / weight) + state.shift**2 * same)
    guess = rng.normal(size=before.size) * np.sqrt(before)
    noise = rng.normal(size=weight.size) / np.sqrt(weight) + state.shift * rng.normal(size=data.start.size)[data.person]
    off = np.stack([pull / weight, pull / weight - data.design @ guess - noise], axis=1)
    mean, step = (wide.T @ cho_solve((lower, True), off, check_finite=False)).T

    def spread() -> FloatArray:
        half = solve_triangular(lower, wide, lower=True, check_finite=False)
        return np.asarray(np.diag(before) - half.T @ half)

    return mean, guess + step, spread


def _before(data: _Data, state: _State) -> FloatArray:
    """Variance of the intercept and of each effect before data."""
    return np.concatenate([[1e3], state.scale[data.groups] ** 2])


def _draw_shift(mass: FloatArray, residual: FloatArray, rng: np.random.Generator) -> float:
    """How much persons differ, with their own shifts integrated out; 0 has a belief of its own."""
    before = np.exp(-0.5 * (SHIFTS / SHIFT_SCALE) ** 2)
    before[1:] *= (1 - NO_SHIFT) / before[1:].sum()
    before[0] = NO_SHIFT
    square = SHIFTS[:, None] ** 2
    spread = 1 + square * mass
    fit = (-0.5 * np.log(spread) + 0.5 * square * residual**2 / spread).sum(axis=1) + np.log(before)
    chance = np.exp(fit - fit.max())
    return float(SHIFTS[np.searchsorted(np.cumsum(chance / chance.sum()), rng.random()).clip(max=SHIFTS.size - 1)])


def _draw_hidden(data: _Data, state: _State, weight: FloatArray, rng: np.random.Generator) -> None:
    """What the missing values of each session would have added to its log-odds."""
    square = data.gone @ state.beta[1:] ** 2
    precision = weight + 1 / np.maximum(square, 1e-12)
    left = data.half - weight * (data.design @ state.beta + state.own[data.person])
    drawn = left / precision + rng.normal(size=left.size) / np.sqrt(precision)
    state.hidden = np.where(square > 0, drawn, 0.0)


def _draw_scales(data: _Data, state: _State, rng: np.random.Generator) -> None:
    """Standard deviation of the effects of each group, from next to nothing to large."""
    count = np.bincount(data.groups)[:, None]
    square = np.bincount(data.groups, weights=state.beta[1:] ** 2)[:, None]
    state.scale = _pick(data.belief - count * np.log(SCALES) - 0.5 * square / SCALES**2, rng)


def before_data(nothing: FloatArray) -> FloatArray:
    """Log-belief in each scale of a group's effects, before any data.

    Parameters
    ----------
    nothing : ndarray, shape (k,)
        Belief that a group says next to nothing (the smallest scale); all other scales are alike.

    Returns
    -------
    ndarray, shape (k, scales)
    """
    rest = (1 - nothing) / (SCALES.size - 1)
    return np.log(np.where(np.arange(SCALES.size) == 0, nothing[:, None], rest[:, None]))


def _pick(fit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One of the scales for each row of log-chances (k, scales)."""
    chance = np.exp(fit - fit.max(axis=1, keepdims=True))
    reached = np.cumsum(chance, axis=1) / chance.sum(axis=1, keepdims=True)
    return np.asarray(SCALES[(reached < rng.random((fit.shape[0], 1))).sum(axis=1).clip(max=SCALES.size - 1)])


def _stretch(data: _Data, state: _State, weight: FloatArray, rng: np.random.Generator) -> None:
    """The same once more with the effects of a group held in proportion, group by group.

    Given many effects their scale hardly moves, and a chain that starts with large ones would keep them; stretched
    together, the labels say how large they are.

    References
    ----------
    Yu, Meng (2011), doi:10.1198/jcgs.2011.203main (interweaving)
    """
    left = data.half - weight * (data.design @ state.beta + state.own[data.person] + state.hidden)
    for g in range(state.scale.size):
        mine = 1 + np.flatnonzero(data.groups == g)
        share = data.design[:, mine] @ state.beta[mine] / state.scale[g]
        precision = float(weight @ share**2)
        pull = float(share @ left) + precision * state.scale[g]
        (scale,) = _pick((data.belief[g] + pull * SCALES - 0.5 * precision * SCALES**2)[None, :], rng)
        left = left - weight * share * (scale - state.scale[g])
        state.beta[mine] *= scale / state.scale[g]
        state.scale[g] = scale


def _compact(
    covariance: FloatArray, mean: FloatArray, usual: FloatArray, shifts: tuple[FloatArray, FloatArray]
) -> Posterior:
    """Keep the directions that the data leave most open; of the others only the variance of each column."""
    values, vectors = np.linalg.eigh(covariance)
    open_ = np.argsort(values)[::-1][:DIRECTIONS_MAX]
    kept = vectors[:, open_]
    rest = np.maximum(np.diag(covariance) - (kept**2) @ values[open_], 0.0)
    square = np.asarray(mean[1:] ** 2 + np.diag(covariance)[1:])
    return Posterior(kept.T.copy(), values[open_], rest, square, usual, mean, *shifts)
