"""How sure: the spread of a prediction over persons, and how far a session is from what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.linear import deviance, sigmoid

NODES = 21
SHIFTS_MAX = 3.0
SQUARE_MAX = 100.0  # one wild biomarker counts like ten scales at most
DISTANCE_QUANTILE = 0.99
DISTANCE_ROOM = 1.25


@dataclass(frozen=True, slots=True)
class Spread:
    """What the intervals rest on.

    `between` is the standard deviation of the persons' own shifts in log-odds; `strangeness` the largest
    1 − probability that a label had, in all but 1 − level of the sessions of persons that the model had not met.
    """

    between: float
    strangeness: float

    def possible(self, probability: float) -> tuple[int, ...]:
        """Labels that cannot be ruled out: right in a share `level` of sessions of unseen persons.

        Parameters
        ----------
        probability : float
            Calibrated.
        """
        return tuple(label for label, p in ((0, 1 - probability), (1, probability)) if 1 - p <= self.strangeness)


def quantile_of(level: float) -> float:
    """How many standard deviations a two-sided interval reaches.

    Parameters
    ----------
    level : float
        Coverage, 0 to 1.

    Returns
    -------
    float
    """
    return NormalDist().inv_cdf(0.5 + level / 2)


def fit_spread(log_odds: FloatArray, y: FloatArray, subjects: IntArray, *, level: float) -> Spread:
    """Learn the spread on out-of-fold predictions.

    Parameters
    ----------
    log_odds, y : ndarray, shape (n,)
        Calibrated out-of-fold log-odds and 0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    level : float
        Coverage.

    Returns
    -------
    Spread

    References
    ----------
    Vovk, Gammerman, Shafer (2005), doi:10.1007/b106715 (conformal prediction; here every person counts equally)
    """
    chance = sigmoid(log_odds)
    score = np.where(y > 0, 1 - chance, chance)
    _, position, size = np.unique(subjects, return_inverse=True, return_counts=True)
    mass = 1.0 / size[position]
    order = np.argsort(score)
    reached = np.cumsum(mass[order]) / (size.size + 1)  # one person more, who may be as strange as can be
    place = int(np.searchsorted(reached, level))
    strangeness = float(score[order[place]]) if place < y.size else 1.0
    return Spread(shift_between(log_odds, y, subjects), strangeness)


def shift_between(log_odds: FloatArray, y: FloatArray, subjects: IntArray) -> float:
    """Standard deviation of a person's own shift, by maximum likelihood of a random intercept over the predictions.

    Parameters
    ----------
    log_odds, y : ndarray, shape (n,)
        Out-of-fold log-odds and 0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.

    Returns
    -------
    float
        0 where every person has one session: a shift cannot be told from chance then.

    References
    ----------
    Breslow, Clayton (1993), doi:10.1080/01621459.1993.10594284; Gauss-Hermite quadrature
    """
    people, position = np.unique(subjects, return_inverse=True)
    if people.size == y.size:
        return 0.0
    nodes, mass = np.polynomial.hermite_e.hermegauss(NODES)
    mass = mass / mass.sum()
    grid = np.arange(0.0, SHIFTS_MAX + 0.05, 0.1)
    likelihood = np.empty(grid.size)
    for i, shift in enumerate(grid):
        by_person = np.stack([-np.bincount(position, weights=deviance(log_odds + shift * node, y)) for node in nodes])
        top = by_person.max(axis=0)
        likelihood[i] = float((np.log(mass @ np.exp(by_person - top)) + top).sum())
    weight = np.exp(likelihood - likelihood.max())
    return float(np.sqrt((weight * grid**2).sum() / weight.sum()))


def distances(scaled: FloatArray, active: IntArray) -> FloatArray:
    """Root mean square of the scaled values of a session.

    Parameters
    ----------
    scaled : ndarray, shape (n, p)
        Scaled values, NaN where missing.
    active : ndarray
        Columns that the model uses.

    Returns
    -------
    ndarray, shape (n,)
        0 where nothing is there.
    """
    part = np.minimum(scaled[:, active] ** 2, SQUARE_MAX)
    count = np.isfinite(part).sum(axis=1)
    return np.asarray(np.sqrt(np.nansum(part, axis=1) / np.maximum(count, 1)))


def distance_limit(held_out: FloatArray) -> float:
    """Distance beyond which a session is unlike any seen.

    Parameters
    ----------
    held_out : ndarray
        Distances of sessions of subjects that the scale did not see.

    Returns
    -------
    float
    """
    return DISTANCE_ROOM * float(np.quantile(held_out, DISTANCE_QUANTILE)) if held_out.size else np.inf
