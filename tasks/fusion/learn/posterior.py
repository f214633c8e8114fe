"""How well the data pin down the biomarkers' effects and the persons' own shifts: a sampled posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.mixing import effective_draws
from cueflow.tasks.fusion.learn.places import Groups, Places

SESSIONS_MAX = 5000
DRAWS, BURN, SWEEPS = 150, 40, 3
ENOUGH, MORE, TURNS_MAX = 40, 50, 4 * DRAWS
PROBES = 50  # sessions whose log-odds tell how well the chain moves
SHIFTS = np.arange(0.0, 3.05, 0.1)
NO_SHIFT = 0.9  # belief, before any data, that persons do not differ
SHIFT_SCALE = 0.7
SCALES = 0.005 * 1.5 ** np.arange(15)
START = SCALES[SCALES.size // 2]
SMALL = 0.03  # of its group's scale: an effect that is as good as none
PARTS = 8  # columns whose effect is drawn by itself: one in so many a turn
TERMS = 60
_TERM = (np.arange(1, TERMS + 1) - 0.5) ** 2


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


@dataclass(slots=True)
class _State:
    """A point of the chain: effects with the intercept first, persons' shifts, what missing values would have added.

    `scale` (k,) is how large the effects of a group are, `there` (p,) which of them are more than next to nothing,
    `share` (k,) how many.
    """

    beta: FloatArray
    own: FloatArray
    hidden: FloatArray
    scale: FloatArray
    there: NDArray[np.bool_]
    share: FloatArray
    shift: float


@dataclass(frozen=True, slots=True)
class _Data:
    """Sessions in order of persons: design (n, p + 1), what is hidden (n, p), labels − ½, persons, their starts.

    `group` (p,) is the number of each column's group, `belief` (k, scales) the log-belief in each scale; columns that
    have places are overwritten when they move (`places`).
    """

    design: FloatArray
    gone: FloatArray
    half: FloatArray
    person: IntArray
    start: IntArray
    group: IntArray
    belief: FloatArray
    few: FloatArray
    places: Places

    def by_person(self, values: FloatArray) -> FloatArray:
        """Sums over the sessions of each person."""
        return np.asarray(np.add.reduceat(values, self.start, axis=0))


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What a draw of the sessions' weights (n,) fixes: sums by person (k,), (k, p + 1), and products (p + 1, p + 1)."""

    weight: FloatArray
    mass: FloatArray
    along: FloatArray
    gram: FloatArray | None


def fit_posterior(
    seen: tuple[FloatArray, FloatArray], y: FloatArray, subjects: IntArray, *, groups: Groups
) -> Posterior:
    """Sample a logistic model with a shift for each person and groups of columns that learn how large effects are.

    Within a group some effects are next to nothing; how many is learned too. The chain starts from a fixed seed, and
    goes on until the log-odds of half of the sessions were as good as drawn independently `ENOUGH` times, or for
    `TURNS_MAX` turns.

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

    Returns
    -------
    Posterior

    References
    ----------
    Polson, Scott, Windle (2013), doi:10.1080/01621459.2013.829001 (Pólya-Gamma variables); George, McCulloch (1993),
    doi:10.1080/01621459.1993.10476353 (effects that are next to nothing)
    """
    rng = np.random.default_rng(0)
    kept, gone = seen
    usual = (kept**2).sum(axis=0) / np.maximum(((1 - gone) ** 2).sum(axis=0), 1.0)
    data = _ordered((kept, gone * usual), y, subjects, groups)
    p, k = data.group.size, groups.size.size
    state = _State(
        beta=np.zeros(p + 1),
        own=np.zeros(data.start.size),
        hidden=np.zeros(y.size),
        scale=np.full(k, START),
        there=np.ones(p, dtype=bool),
        share=np.full(k, 0.5),
        shift=0.0,
    )
    effects: list[FloatArray] = []
    shifts: list[float] = []
    said: list[FloatArray] = []
    some = np.unique(np.linspace(0, y.size - 1, PROBES).astype(int))
    while len(shifts) < TURNS_MAX:
        for _ in range(MORE if shifts else BURN + DRAWS):
            weighed = _weigh(data, state, rng)
            for _ in range(SWEEPS):
                _sweep(data, state, weighed, rng)
            effects.append(data.places.spread_out(state.beta))
            shifts.append(state.shift)
            said.append(data.design[some] @ state.beta)
        burn = max(BURN, len(shifts) // 4)
        if np.median(effective_draws(np.stack(said[burn:]))) >= ENOUGH:
            break
    kept_turns = np.linspace(burn, len(shifts) - 1, DRAWS).round().astype(int)
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


def _ordered(seen: tuple[FloatArray, FloatArray], y: FloatArray, subjects: IntArray, groups: Groups) -> _Data:
    order = np.argsort(subjects, kind="stable")
    _, start, person = np.unique(subjects[order], return_index=True, return_inverse=True)
    kept, gone = seen[0][order], seen[1][order]
    places = Places.of(groups, kept, gone)
    design = np.hstack([np.ones((order.size, 1)), kept[:, places.column]])
    group = np.repeat(np.arange(groups.size.size), groups.size)[places.column]
    belief = before_data(groups.nothing)
    return _Data(design, gone[:, places.column], y[order] - 0.5, person, start, group, belief, groups.few, places)


def _polya_gamma(log_odds: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draws of PG(1, z) as a sum of exponentials, its tail replaced by its mean."""
    rate = _TERM + (log_odds[:, None] / (2 * np.pi)) ** 2
    drawn = rng.standard_exponential(size=rate.shape)
    return np.asarray(((drawn / rate).sum(axis=1) + 1 / TERMS) / (2 * np.pi**2))


def _weigh(data: _Data, state: _State, rng: np.random.Generator) -> _Weighed:
    """Draw the sessions' weights; their products serve for several sweeps, for they cost more than all the rest."""
    weight = _polya_gamma(data.design @ state.beta + state.own[data.person] + state.hidden, rng)
    _redraw(data, state, weight, rng)
    gram = None
    if data.half.size >= data.design.shape[1]:
        root = data.design.astype(np.float32) * np.sqrt(weight, dtype=np.float32)[:, None]  # what comes is far rougher
        gram = (root.T @ root).astype(np.float64)  # a product with itself takes half the time of another one
    return _Weighed(weight, data.by_person(weight), data.by_person(data.design * weight[:, None]), gram)


def _sweep(data: _Data, state: _State, weighed: _Weighed, rng: np.random.Generator) -> None:
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


def _freedom(mass: FloatArray, shift: float) -> FloatArray:
    """Variance of each person's shift given the effects."""
    return 1 / (mass + 1 / shift**2) if shift > 0 else np.zeros_like(mass)


def _few_effects(
    data: _Data, state: _State, seen: tuple[_Weighed, FloatArray, FloatArray], rng: np.random.Generator
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
    data: _Data, state: _State, seen: tuple[FloatArray, FloatArray], rng: np.random.Generator
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


def _before(data: _Data, state: _State) -> FloatArray:
    """Variance of the intercept and of each effect before data."""
    return np.concatenate([[1e3], _sizes(data, state) ** 2])


def _sizes(data: _Data, state: _State) -> FloatArray:
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


def _draw_hidden(data: _Data, state: _State, weight: FloatArray, rng: np.random.Generator) -> None:
    """What the missing values of each session would have added to its log-odds."""
    square = data.gone @ state.beta[1:] ** 2
    precision = weight + 1 / np.maximum(square, 1e-12)
    left = data.half - weight * (data.design @ state.beta + state.own[data.person])
    drawn = left / precision + rng.normal(size=left.size) / np.sqrt(precision)
    state.hidden = np.where(square > 0, drawn, 0.0)


def _draw_there(data: _Data, state: _State, rng: np.random.Generator) -> None:
    """Which effects are more than next to nothing, and their share in each group."""
    square = (state.beta[1:] / state.scale[data.group]) ** 2
    share = np.clip(state.share, 1e-9, 1 - 1e-9)
    for_it = np.log(share / (1 - share))[data.group] + np.log(SMALL) + 0.5 * square * (1 / SMALL**2 - 1)
    state.there = rng.random(square.size) * (1 + np.exp(-np.clip(for_it, -500, 500))) < 1
    size = np.bincount(data.group)
    count = np.bincount(data.group, weights=state.there)
    state.share = rng.beta(1 + count, data.few + size - count)


def _redraw(data: _Data, state: _State, weight: FloatArray, rng: np.random.Generator) -> None:
    """Draw anew, for each column that has places and some others, where it lies, whether it has an effect, and which.

    Its size integrated out: by turns, an effect held at next to nothing would hardly ever be found to be more.
    """
    places = data.places
    weights: dict[int, FloatArray] = {}  # of all places, which the columns of one biomarker share
    left = data.half - weight * (data.design @ state.beta + state.own[data.person] + state.hidden)
    fixed = np.delete(np.arange(data.group.size), places.moving)
    for c in (*places.moving, *rng.choice(fixed, size=-(-fixed.size // PARTS), replace=False)):
        left += weight * data.design[:, 1 + c] * state.beta[1 + c]
        values = places.values[c] if c in places.values else data.design[:, 1 + c][None, :]
        at = places.first.get(c, -1)
        precision = weights[at] if at in weights else values**2 @ weight
        if at >= 0:
            weights[at] = precision
        pull = values @ left
        share, scale = np.clip(state.share[data.group[c]], 1e-9, 1 - 1e-9), state.scale[data.group[c]]
        size = scale * np.array([[1.0], [SMALL]])
        fit = 0.5 * pull**2 / (precision + size**-2) - 0.5 * np.log1p(precision * size**2)
        fit += np.log([[share], [1 - share]])
        reached = np.cumsum(np.exp(fit - fit.max()))
        found = int(np.searchsorted(reached, rng.random() * reached[-1]).clip(max=reached.size - 1))
        none, k = divmod(found, pull.size)
        state.there[c] = not none
        total = precision[k] + size[none, 0] ** -2
        state.beta[1 + c] = pull[k] / total + rng.normal() / np.sqrt(total)
        left -= weight * values[k] * state.beta[1 + c]
        if c in places.values:
            data.design[:, 1 + c], data.gone[:, c] = values[k], places.move(c, k)


def _draw_scales(data: _Data, state: _State, rng: np.random.Generator) -> None:
    """Standard deviation of the effects of each group, from next to nothing to large."""
    count = np.bincount(data.group)[:, None]
    square = np.bincount(data.group, weights=(state.beta[1:] / np.where(state.there, 1.0, SMALL)) ** 2)[:, None]
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
    ends = 1 + np.concatenate([[0], np.cumsum(np.bincount(data.group))])
    for g, mine in enumerate(map(slice, ends[:-1], ends[1:])):
        share = data.design[:, mine] @ state.beta[mine] / state.scale[g]
        precision = float(weight @ share**2)
        pull = float(share @ left) + precision * state.scale[g]
        (scale,) = _pick((data.belief[g] + pull * SCALES - 0.5 * precision * SCALES**2)[None, :], rng)
        left = left - weight * share * (scale - state.scale[g])
        state.beta[mine] *= scale / state.scale[g]
        state.scale[g] = scale
