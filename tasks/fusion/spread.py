"""How sure: the spread of a prediction over persons and over refits, and how far a session is from what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from cueflow.tasks.fusion.features import FloatArray, IntArray
from cueflow.tasks.fusion.linear import deviance, sigmoid

NODES = 21
SHIFTS_MAX = 3.0
SQUARE_MAX = 100.0  # one wild biomarker counts like ten scales at most
DISTANCE_QUANTILE = 0.99
DISTANCE_ROOM = 1.25


@dataclass(frozen=True, slots=True)
class Spread:
    """What makes the interval: `between` is the standard deviation of the persons' own shifts in log-odds, `covariance`
    (2, 2) that of the final calibration's intercept and slope.
    """  # fmt: skip

    between: float
    covariance: FloatArray

    def deviation(self, fused: FloatArray, refits: FloatArray) -> FloatArray:
        """Standard deviation (n,) of the log-odds.

        Parameters
        ----------
        fused : ndarray, shape (n,)
            Log-odds before the final calibration.
        refits : ndarray, shape (k, n)
            Final log-odds of k models that each did without one fold of the subjects.
        """
        k = refits.shape[0]
        jackknife = (k - 1) * refits.var(axis=0)
        design = np.stack([np.ones_like(fused), fused])
        calibration = np.einsum("in,ij,jn->n", design, self.covariance, design)
        return np.asarray(np.sqrt(self.between**2 + jackknife + np.maximum(calibration, 0.0)))


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


def fit_spread(fused: FloatArray, final: tuple[float, float], y: FloatArray, subjects: IntArray) -> Spread:
    """Learn the spread on out-of-fold predictions.

    Parameters
    ----------
    fused : ndarray, shape (n,)
        Out-of-fold fused log-odds before the final calibration.
    final : tuple of float
        Intercept and slope of the final calibration.
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.

    Returns
    -------
    Spread
    """
    log_odds = final[0] + final[1] * fused
    return Spread(shift_between(log_odds, y, subjects), _covariance(fused, log_odds, y, subjects))


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


def _covariance(fused: FloatArray, log_odds: FloatArray, y: FloatArray, subjects: IntArray) -> FloatArray:
    """Covariance (2, 2) of intercept and slope, robust to sessions of one person going together."""
    design = np.stack([np.ones_like(fused), fused])
    chance = sigmoid(log_odds)
    bread = np.linalg.pinv((design * (chance * (1 - chance))) @ design.T + 1e-6 * np.eye(2))
    _, position = np.unique(subjects, return_inverse=True)
    score = np.stack([np.bincount(position, weights=(y - chance) * row) for row in design])
    k = score.shape[1]
    return np.asarray(bread @ (score @ score.T) @ bread * k / max(k - 1, 1))


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
