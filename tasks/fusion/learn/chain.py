"""A point of the chain that samples a posterior, and columns drawn anew without regard to where they were held."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.places import Places

SMALL = 0.03  # of its group's scale: an effect that is as good as none
PARTS = 8  # columns whose effect is drawn by itself: one in so many a turn
_SIZES = np.array([[1.0], [SMALL]])


@dataclass(slots=True)
class State:
    """A point of the chain: effects with the intercept first, persons' shifts, what missing values would have added.

    `scale` (k,) is how large the effects of a group are, `there` (p,) which of them are more than next to nothing,
    `share` (k,) how many; `nothing` (kinds,) how many groups of a kind say next to nothing.
    """

    beta: FloatArray
    own: FloatArray
    hidden: FloatArray
    scale: FloatArray
    there: NDArray[np.bool_]
    share: FloatArray
    nothing: FloatArray
    shift: float


@dataclass(frozen=True, slots=True)
class Data:
    """Sessions in order of persons: design (n, p + 1), what is hidden (n, p), labels − ½, persons, their starts.

    `group` (p,) is the number of each column's group, `kind` (k,) that of each group; columns that have places are
    overwritten when they move (`places`).
    """

    design: FloatArray
    gone: FloatArray
    half: FloatArray
    person: IntArray
    start: IntArray
    group: IntArray
    kind: IntArray
    few: FloatArray
    places: Places

    def by_person(self, values: FloatArray) -> FloatArray:
        """Sums over the sessions of each person."""
        return np.asarray(np.add.reduceat(values, self.start, axis=0))


def redraw(data: Data, state: State, weight: FloatArray, rng: np.random.Generator) -> None:
    """Draw anew, for each column that has places and some others, where it lies, whether it has an effect, and which.

    Its size integrated out: by turns, an effect held at next to nothing would hardly ever be found to be more.
    """
    left = data.half - weight * (data.design @ state.beta + state.own[data.person] + state.hidden)
    share = np.clip(state.share, 1e-9, 1 - 1e-9)
    odds = np.log(share / (1 - share))
    for c, noise in zip(data.places.moving, rng.normal(size=data.places.moving.size), strict=True):
        _move(data, state, (c, odds[data.group[c]], noise), (weight, left), rng=rng)
    _redraw_fixed(data, state, odds, (weight, left), rng=rng)


def _move(
    data: Data,
    state: State,
    what: tuple[int, float, float],
    seen: tuple[FloatArray, FloatArray],
    *,
    rng: np.random.Generator,
) -> None:
    """Where a column lies that has places, and its effect there; what is left to explain changes in place."""
    (c, odds, noise), (weight, left) = what, seen
    values = data.places.values[c]
    left += weight * data.design[:, 1 + c] * state.beta[1 + c]
    pull = values @ left
    before = (state.scale[data.group[c]] * _SIZES) ** -2
    total = values**2 @ weight + before
    fit = 0.5 * (pull**2 / total + np.log(before / total))
    fit[0] += odds
    none, k = divmod(int((fit + rng.gumbel(size=fit.shape)).argmax()), pull.size)
    state.there[c] = not none
    state.beta[1 + c] = effect = pull[k] / total[none, k] + noise / math.sqrt(total[none, k])
    left -= weight * values[k] * effect
    data.design[:, 1 + c], data.gone[:, c] = values[k], data.places.move(c, k)


def _redraw_fixed(
    data: Data,
    state: State,
    odds: FloatArray,
    seen: tuple[FloatArray, FloatArray],
    *,
    rng: np.random.Generator,
) -> None:
    """One in `PARTS` of the columns without places; all that does not hang on the others is said for all at once."""
    weight, left = seen
    fixed = np.delete(np.arange(data.group.size), data.places.moving)
    some = rng.choice(fixed, size=-(-fixed.size // PARTS), replace=False)
    columns = np.ascontiguousarray(data.design[:, 1 + some].T)
    weighted = columns * weight
    precision = (columns * weighted).sum(axis=1)
    before = (state.scale[data.group[some]] * _SIZES) ** -2
    total = precision + before
    gain = 0.5 * (1 / total[0] - 1 / total[1])
    start = odds[data.group[some]] + 0.5 * (np.log(before[0] / total[0]) - np.log(before[1] / total[1]))
    doubt, noise = rng.logistic(size=some.size), rng.normal(size=(2, some.size)) / np.sqrt(total)
    for i, c in enumerate(some):
        old = state.beta[1 + c]
        pull = float(columns[i] @ left) + precision[i] * old
        none = int(start[i] + gain[i] * pull**2 <= doubt[i])
        state.there[c] = not none
        state.beta[1 + c] = effect = pull / total[none, i] + noise[none, i]
        left -= weighted[i] * (effect - old)
