"""How sure: the spread of a prediction over persons, and how far a session is from what was seen."""

from __future__ import annotations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.learn.posterior import Posterior

CHUNK = 2000  # sessions whose draws are held at once
NORMALS = 4  # for each draw of the effects
SQUARE_MAX = 100.0  # one wild biomarker counts like ten scales at most
DISTANCE_QUANTILE = 0.99
DISTANCE_ROOM = 1.25


def possible_labels(probability: float, strangeness: float) -> tuple[int, ...]:
    """Labels that cannot be ruled out: right in a share `level` of sessions of unseen persons.

    Parameters
    ----------
    probability : float
        Calibrated.
    strangeness : float
        What `fit_strangeness` found.

    Returns
    -------
    tuple of int
    """
    return tuple(label for label, p in ((0, 1 - probability), (1, probability)) if 1 - p <= strangeness)


def interval_ends(
    posterior: Posterior, kept: FloatArray, gone: FloatArray, *, level: float, difference: bool = False
) -> FloatArray:
    """Where a session's own log-odds lie, its person's shift included.

    Parameters
    ----------
    posterior : Posterior
        Of the effects and shifts.
    kept, gone : ndarray, shape (n, p)
        Values as far as they are believed, and how far they are missing.
    level : float
        Coverage, 0 to 1.
    difference : bool, optional
        They are differences between sessions of one person: intercept and shift drop out.

    Returns
    -------
    ndarray, shape (2, n)
        Lower and upper end: quantiles of what was drawn.
    """
    from scipy.special import ndtri

    draws = posterior.shifts.size
    rng = np.random.default_rng(0)
    even = [(k + (rng.permutation(draws) + 0.5) / draws) / NORMALS for k in range(NORMALS)]  # each draw meets all
    normal = ndtri(np.stack(even))[:, None]
    shift = 0.0 if difference else posterior.shifts
    ends = []
    for start in range(0, kept.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        centre, missing = posterior.drawn(kept[part], gone[part], difference=difference)
        made = np.concatenate(centre + normal * np.hypot(missing, shift), axis=1)
        ends.append(np.quantile(made, (0.5 - level / 2, 0.5 + level / 2), axis=1))
    return np.concatenate(ends, axis=1)


def fit_strangeness(log_odds: FloatArray, y: FloatArray, subjects: IntArray, *, level: float) -> float:
    """Largest 1 − probability that a label had, in all but 1 − level of the sessions of persons not met.

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
    float

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
    return float(score[order[place]]) if place < y.size else 1.0


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
        Infinite where nothing was there to measure it by.
    """
    far = float(np.quantile(held_out, DISTANCE_QUANTILE)) if held_out.size else 0.0
    return DISTANCE_ROOM * far if far > 0 else np.inf
