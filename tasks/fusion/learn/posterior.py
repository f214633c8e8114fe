"""How well the data pin down the biomarkers' effects and the persons' own shifts: a sampled posterior."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.chain import SMALL, Data, State, redraw
from cueflow.tasks.fusion.learn.mixing import effective_draws
from cueflow.tasks.fusion.learn.places import Groups, Places

SESSIONS_MAX = 5000
SWEEPS, ENOUGH, MORE = 3, 40, 50
PROBES = 50  # sessions whose log-odds tell how well the chain moves
SHIFTS = np.arange(0.0, 3.05, 0.1)
NO_SHIFT = 0.5  # belief, before any data, that persons do not differ
SHIFT_SCALE = 0.7
NOTHING = np.array([0.3, 0.3, 0.7, 0.7])  # belief that a group of values, bends, steps, pairs says next to nothing
GROUPS = 2.0  # this belief is worth as much as so many groups seen
SCALES = 0.005 * 1.5 ** np.arange(15)
START = SCALES[SCALES.size // 2]
TERMS = 60
_TERM = (np.arange(1, TERMS + 1) - 0.5) ** 2


@dataclass(frozen=True, slots=True)
class Turns:
    """Turns of a chain that are not kept, draws that are, and turns at most."""

    burn: int
    draws: int
    most: int


FULL, BRIEF = Turns(40, 150, 600), Turns(25, 45, 70)


@dataclass(frozen=True, slots=True)
class Posterior:
    """Draws of an intercept and p effects (d, p + 1), and of how much persons differ in log-odds (d,).

    `usual` (p,) is the mean square of a value that is believed: how large one that is missing may be.
    """

    effects: FloatArray
    shifts: FloatArray
    usual: FloatArray

    @property
    def between(self) -> float:
        """Root mean square of the persons' own shifts in log-odds."""
        return float(np.sqrt((self.shifts**2).mean()))

    def drawn(self, kept: FloatArray, gone: FloatArray, *, difference: bool = False) -> tuple[FloatArray, FloatArray]:
        """Log-odds of the typical person (n, d), and the standard deviation (n, d) of what is missing in them.

        Parameters
        ----------
        kept : ndarray, shape (n, p)
            Scaled and clipped values as far as they are believed, 0 where missing.
        gone : ndarray, shape (n, p)
            How far they are missing: 1 for a missing value, 0 for one that is believed.
        difference : bool, optional
            They are differences between two sessions: the intercept drops out.
        """
        centre = kept @ self.effects[:, 1:].T + (0.0 if difference else self.effects[:, 0])
        return np.asarray(centre), np.sqrt(gone @ (self.effects[:, 1:] ** 2 * self.usual).T)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What a draw of the sessions' weights (n,) fixes: sums by person (k,), (k, p + 1), and products (p + 1, p + 1)."""

    weight: FloatArray
    mass: FloatArray
    along: FloatArray
    gram: FloatArray | None


def fit_posterior(
    seen: tuple[FloatArray, FloatArray],
    y: FloatArray,
    subjects: IntArray,
    *,
    groups: Groups,
    turns: Turns | None = None,
) -> Posterior:
    """Sample a logistic model with a shift for each person and groups of columns that learn how large effects are.

    Within a group some effects are next to nothing; how many is learned too. The chain starts from a fixed seed, and
    goes on until the log-odds of half of the sessions were as good as drawn independently `ENOUGH` times, or for as
    many turns as it may.

    Parameters
    ----------
    seen : pair of ndarray, shape (n, p)
        Scaled and clipped values as far as they are believed, and how far they are missing (0 to 1).
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    groups : Groups
        Of the p columns.
    turns : Turns, optional
        How long the chain goes on, by default `FULL`; a brief one is enough for means.

    Returns
    -------
    Posterior

    References
    ----------
    Polson, Scott, Windle (2013), doi:10.1080/01621459.2013.829001 (Pólya-Gamma variables); George, McCulloch (1993),
    doi:10.1080/01621459.1993.10476353 (effects that are next to nothing)
    """
    rng, turns = np.random.default_rng(0), turns or FULL
    kept, gone = seen
    usual = (kept**2).sum(axis=0) / np.maximum(((1 - gone) ** 2).sum(axis=0), 1.0)
    data = _ordered((kept, gone * usual), y, subjects, groups)
    p, k = data.group.size, groups.size.size
    state = State(
        beta=np.zeros(p + 1),
        own=np.zeros(data.start.size),
        hidden=np.zeros(y.size),
        scale=np.full(k, START),
        there=np.ones(p, dtype=bool),
        share=np.full(k, 0.5),
        nothing=np.full(groups.kind.max() + 1, 0.5),
        shift=0.0,
    )
    effects: list[FloatArray] = []
    shifts: list[float] = []
    said: list[FloatArray] = []
    some = np.unique(np.linspace(0, y.size - 1, PROBES).astype(int))
    while len(shifts) < turns.most:
        for _ in range(MORE if shifts else turns.burn + turns.draws):
            weighed = _weigh(data, state, rng)
            for _ in range(SWEEPS):
                _sweep(data, state, weighed, rng)
            effects.append(data.places.spread_out(state.beta))
            shifts.append(state.shift)
            said.append(data.design[some] @ state.beta)
        burn = max(turns.burn, len(shifts) // 4)
        if np.median(effective_draws(np.stack(said[burn:]))) >= ENOUGH:
            break
    kept_turns = np.linspace(burn, len(shifts) - 1, turns.draws).round().astype(int)
    return Posterior(np.stack(effects)[kept_turns], np.array(shifts)[kept_turns], usual)


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


def _ordered(seen: tuple[FloatArray, FloatArray], y: FloatArray, subjects: IntArray, groups: Groups) -> Data:
    order = np.argsort(subjects, kind="stable")
    _, start, person = np.unique(subjects[order], return_index=True, return_inverse=True)
    kept, gone = seen[0][order], seen[1][order]
    places = Places.of(groups, kept, gone)
    design = np.hstack([np.ones((order.size, 1)), kept[:, places.column]])
    group = np.repeat(np.arange(groups.size.size), groups.size)[places.column]
    return Data(design, gone[:, places.column], y[order] - 0.5, person, start, group, groups.kind, groups.few, places)


def _polya_gamma(log_odds: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draws of PG(1, z) as a sum of exponentials, its tail replaced by its mean."""
    rate = _TERM + (log_odds[:, None] / (2 * np.pi)) ** 2
    drawn = rng.standard_exponential(size=rate.shape)
    return np.asarray(((drawn / rate).sum(axis=1) + 1 / TERMS) / (2 * np.pi**2))


def _weigh(data: Data, state: State, rng: np.random.Generator) -> _Weighed:
    """Draw the sessions' weights; their products serve for several sweeps, for they cost more than all the rest."""
    weight = _polya_gamma(data.design @ state.beta + state.own[data.person] + state.hidden, rng)
    redraw(data, state, weight, rng)
    gram = None
    if data.half.size >= data.design.shape[1]:
        root = data.design.astype(np.float32) * np.sqrt(weight, dtype=np.float32)[:, None]  # what comes is far rougher
        gram = (root.T @ root).astype(np.float64)  # a product with itself takes half the time of another one
    return _Weighed(weight, data.by_person(weight), data.by_person(data.design * weight[:, None]), gram)


def _sweep(data: Data, state: State, weighed: _Weighed, rng: np.random.Generator) -> None:
    """One round of the chain, the sessions' weights given."""
    pull = data.half - weighed.weight * state.hidden
    drawn = data.by_person(pull)
    if data.start.size < data.half.size:  # else a person's shift cannot be told from chance
        state.shift = _draw_shift(weighed.mass, drawn - weighed.along @ state.beta, rng)
    if weighed.gram is None:
        state.beta = _many_effects(data, state, (weighed.weight, pull), rng)
    else:
        state.beta = _few_effects(data, state, (weighed, weighed.gram, pull), rng)
    freedom = _freedom(weighed.mass, state.shift)
    state.own = freedom * (drawn - weighed.along @ state.beta) + np.sqrt(freedom) * rng.normal(size=drawn.size)
    _draw_hidden(data, state, weighed.weight, rng)
    _draw_there(data, state, rng)
    _draw_scales(data, state, rng)
    _stretch(data, state, weighed.weight, rng)
    _draw_nothing(data, state, rng)


def _freedom(mass: FloatArray, shift: float) -> FloatArray:
    """Variance of each person's shift given the effects."""
    return 1 / (mass + 1 / shift**2) if shift > 0 else np.zeros_like(mass)


def _few_effects(
    data: Data, state: State, seen: tuple[_Weighed, FloatArray, FloatArray], rng: np.random.Generator
) -> FloatArray:
    """A draw of the effects, the persons' shifts integrated out, through their precision (p, p)."""
    from scipy.linalg import cho_solve, solve_triangular

    weighed, gram, pull = seen
    along, freedom = weighed.along, _freedom(weighed.mass, state.shift)
    inner = gram + np.diag(1 / _before(data, state))
    if state.shift > 0:
        root = along * np.sqrt(freedom)[:, None]
        inner -= root.T @ root
    lower = np.linalg.cholesky(inner)
    target = data.design.T @ pull - along.T @ (freedom * data.by_person(pull))
    mean = cho_solve((lower, True), target, check_finite=False)
    noise = rng.normal(size=mean.size)
    return np.asarray(mean + solve_triangular(lower, noise, trans=1, lower=True, check_finite=False))


def _many_effects(
    data: Data, state: State, seen: tuple[FloatArray, FloatArray], rng: np.random.Generator
) -> FloatArray:
    """The same through the sessions (n, n), for fewer sessions than effects.

    References
    ----------
    Bhattacharya, Chakraborty, Mallick (2016), doi:10.1093/biomet/asw042
    """
    from scipy.linalg import cho_solve

    weight, pull = seen
    before = _before(data, state)
    wide = data.design * before
    same = data.person[:, None] == data.person
    lower = np.linalg.cholesky(wide @ data.design.T + np.diag(1 / weight) + state.shift**2 * same)
    guess = rng.normal(size=before.size) * np.sqrt(before)
    noise = rng.normal(size=weight.size) / np.sqrt(weight) + state.shift * rng.normal(size=data.start.size)[data.person]
    off = pull / weight - data.design @ guess - noise
    return np.asarray(guess + wide.T @ cho_solve((lower, True), off, check_finite=False))


def _before(data: Data, state: State) -> FloatArray:
    """Variance of the intercept and of each effect before data."""
    return np.concatenate([[1e3], _sizes(data, state) ** 2])


def _sizes(data: Data, state: State) -> FloatArray:
    """How large each effect may be (p,)."""
    return np.asarray(state.scale[data.group] * np.where(state.there, 1.0, SMALL))


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


def _draw_hidden(data: Data, state: State, weight: FloatArray, rng: np.random.Generator) -> None:
    """What the missing values of each session would have added to its log-odds."""
    square = data.gone @ state.beta[1:] ** 2
    precision = weight + 1 / np.maximum(square, 1e-12)
    left = data.half - weight * (data.design @ state.beta + state.own[data.person])
    drawn = left / precision + rng.normal(size=left.size) / np.sqrt(precision)
    state.hidden = np.where(square > 0, drawn, 0.0)


def _draw_there(data: Data, state: State, rng: np.random.Generator) -> None:
    """Which effects are more than next to nothing, and their share in each group."""
    square = (state.beta[1:] / state.scale[data.group]) ** 2
    share = np.clip(state.share, 1e-9, 1 - 1e-9)
    for_it = np.log(share / (1 - share))[data.group] + np.log(SMALL) + 0.5 * square * (1 / SMALL**2 - 1)
    state.there = rng.random(square.size) * (1 + np.exp(-np.clip(for_it, -500, 500))) < 1
    size = np.bincount(data.group)
    count = np.bincount(data.group, weights=state.there)
    state.share = rng.beta(1 + count, data.few + size - count)


def _draw_scales(data: Data, state: State, rng: np.random.Generator) -> None:
    """Standard deviation of the effects of each group, from next to nothing to large."""
    count = np.bincount(data.group)[:, None]
    square = np.bincount(data.group, weights=(state.beta[1:] / np.where(state.there, 1.0, SMALL)) ** 2)[:, None]
    state.scale = _pick(_belief(data, state) - count * np.log(SCALES) - 0.5 * square / SCALES**2, rng)


def _belief(data: Data, state: State) -> FloatArray:
    """Log-belief in each scale of each group (k, scales): next to nothing is the smallest, all others are alike."""
    nothing = state.nothing[data.kind][:, None]
    return np.log(np.where(np.arange(SCALES.size) == 0, nothing, (1 - nothing) / (SCALES.size - 1)))


def _draw_nothing(data: Data, state: State, rng: np.random.Generator) -> None:
    """How many groups of each kind say next to nothing."""
    size = np.bincount(data.kind, minlength=state.nothing.size)
    none = np.bincount(data.kind, weights=state.scale == SCALES[0], minlength=state.nothing.size)
    before = GROUPS * NOTHING[: size.size]
    state.nothing = np.clip(rng.beta(before + none, GROUPS - before + size - none), 1e-9, 1 - 1e-9)


def _pick(fit: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One of the scales for each row of log-chances (k, scales), which need not add up to one."""
    return np.asarray(SCALES[(fit + rng.gumbel(size=fit.shape)).argmax(axis=1)])


def _stretch(data: Data, state: State, weight: FloatArray, rng: np.random.Generator) -> None:
    """The same once more with the effects of a group held in proportion, group by group.

    Given many effects their scale hardly moves, and a chain that starts with large ones would keep them; stretched
    together, the labels say how large they are.

    References
    ----------
    Yu, Meng (2011), doi:10.1198/jcgs.2011.203main (interweaving)
    """
    left = data.half - weight * (data.design @ state.beta + state.own[data.person] + state.hidden)
    ends = 1 + np.concatenate([[0], np.cumsum(np.bincount(data.group))])
    share = np.stack([data.design[:, first:last] @ state.beta[first:last] for first, last in pairwise(ends)], axis=1)
    share /= state.scale
    pull, product = share.T @ left, (share * weight[:, None]).T @ share
    fit = _belief(data, state) - 0.5 * np.outer(np.diag(product), SCALES**2)
    fit += rng.gumbel(size=fit.shape)
    scale, moved = state.scale.copy(), np.zeros_like(state.scale)
    for g, old in enumerate(state.scale):
        along = pull[g] + product[g, g] * old - product[g] @ moved
        scale[g] = SCALES[(fit[g] + along * SCALES).argmax()]
        moved[g] = scale[g] - old
    state.beta[1:] *= (scale / state.scale)[data.group]
    state.scale = scale
