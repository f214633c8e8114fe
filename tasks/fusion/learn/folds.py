"""Splits, resamples and shuffles that keep a person together."""

from __future__ import annotations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray


def subject_folds(subjects: IntArray, y: FloatArray, *, folds: int, seed: int) -> list[IntArray]:
    """Sessions of each fold; no subject is in two, and folds have similar shares of positive labels.

    Parameters
    ----------
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    y : ndarray, shape (n,)
        0/1 labels.
    folds : int
        How many; at most one per subject.
    seed : int
        Of the shuffle among similar subjects.

    Returns
    -------
    list of ndarray
        Indices of the sessions of each fold; every session is in one.
    """
    people, position = np.unique(subjects, return_inverse=True)
    folds = min(folds, people.size)
    share = np.bincount(position, weights=y) / np.bincount(position)
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(people.size), share))
    assigned = np.empty(people.size, dtype=np.int64)
    for start in range(0, people.size, folds):
        group = order[start : start + folds]
        assigned[group] = rng.permutation(folds)[: group.size]
    return [np.flatnonzero(assigned[position] == fold) for fold in range(folds)]


def group_folds(groups: IntArray) -> list[IntArray]:
    """One fold per group (site, visit, …), to see how the model travels.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        Number of the group of each session.

    Returns
    -------
    list of ndarray
        Indices of the sessions of each group.
    """
    return [np.flatnonzero(groups == group) for group in np.unique(groups)]


def without(n: int, held_out: IntArray, subjects: IntArray) -> IntArray:
    """Training sessions: all but the held-out ones and any other session of their subjects.

    Parameters
    ----------
    n : int
        Number of sessions.
    held_out : ndarray
        Indices of the test sessions.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.

    Returns
    -------
    ndarray
        Indices.
    """
    keep = np.ones(n, dtype=bool)
    keep[held_out] = False
    keep &= ~np.isin(subjects, subjects[held_out])
    return np.flatnonzero(keep)


def shuffle_by_subject(y: FloatArray, subjects: IntArray, rng: np.random.Generator) -> FloatArray:
    """Labels of a world in which biomarkers say nothing, with persons kept together.

    Subjects whose sessions all have one label exchange labels. The others' labels are turned round by a random number
    of sessions within the person, which keeps how they follow each other.

    Parameters
    ----------
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray, shape (n,)
    """
    position = np.unique(subjects, return_inverse=True)[1]
    share = np.bincount(position, weights=y) / np.bincount(position)
    fixed = np.isin(share, (0.0, 1.0))
    traded = share.copy()
    traded[fixed] = rng.permutation(share[fixed])
    made = traded[position]
    for person in np.flatnonzero(~fixed):
        mine = np.flatnonzero(position == person)
        made[mine] = np.roll(y[mine], int(rng.integers(mine.size)))
    return np.asarray(made)


def effective_weights(y: FloatArray, subjects: IntArray) -> FloatArray:
    """How much each session counts: sessions of one person repeat each other as far as their labels agree.

    Parameters
    ----------
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.

    Returns
    -------
    ndarray, shape (n,)
        1 / (1 + (m − 1) ρ) for a person with m sessions, ρ the intraclass correlation of the labels.

    References
    ----------
    Donner (1986), doi:10.2307/1403259 (analysis-of-variance estimator of the intraclass correlation)
    """
    _, position, size = np.unique(subjects, return_inverse=True, return_counts=True)
    n, k = y.size, size.size
    if k < 2 or n == k:
        return np.ones(n)
    means = np.bincount(position, weights=y) / size
    between = float((size * (means - y.mean()) ** 2).sum()) / (k - 1)
    within = float(((y - means[position]) ** 2).sum()) / (n - k)
    typical = (n - float((size**2).sum()) / n) / (k - 1)
    total = between + (typical - 1) * within
    rho = min(max((between - within) / total, 0.0), 1.0) if total > 0 else 1.0
    return np.asarray(1.0 / (1.0 + (size[position] - 1) * rho))
