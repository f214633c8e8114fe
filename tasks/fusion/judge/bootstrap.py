"""Figures of merit with intervals that resample persons, not sessions, from one sort of the scores."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.judge.metrics import BINS, NAMES, figures, number

RESAMPLES = 400
HELD = 4_000_000  # counts that are held at once


def with_intervals(
    probability: FloatArray, y: FloatArray, decision: FloatArray, *, subjects: IntArray, seed: int
) -> dict[str, object]:
    """The five figures, each with a 95 % interval from resampling subjects.

    Parameters
    ----------
    probability, y, decision : ndarray, shape (n,)
        Probability, 0/1 label, and the probability from which on the answer is "present".
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        Figures by name, `ci` with [low, high] by name, and `sessions`.
    """
    known = np.isfinite(probability)
    probability, y, decision, subjects = probability[known], y[known], decision[known], subjects[known]
    if not y.size:
        return dict.fromkeys(NAMES) | {"ci": dict.fromkeys(NAMES), "sessions": 0}
    spread = bootstrap_ends(probability, y, decision, subjects=subjects, seed=seed)
    point = figures(probability, y, decision)
    return {name: number(value) for name, value in point.items()} | {"ci": spread, "sessions": int(y.size)}


def bootstrap_ends(
    probability: FloatArray, y: FloatArray, decision: FloatArray, *, subjects: IntArray, seed: int
) -> dict[str, list[float] | None]:
    """95 % intervals of the five figures under resampling of subjects with replacement.

    Parameters
    ----------
    probability, y, decision : ndarray, shape (n,)
        Probability, 0/1 label, and the probability from which on the answer is "present".
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    seed : int
        Of the resampling.

    Returns
    -------
    dict
        [low, high] by name, None where a figure is undefined.
    """
    rng = np.random.default_rng(seed)
    people, position = np.unique(subjects, return_inverse=True)
    drawn = [rng.integers(people.size, size=people.size) for _ in range(RESAMPLES)]
    times = np.stack([np.bincount(draw, minlength=people.size) for draw in drawn])
    found: dict[str, list[FloatArray]] = {}
    step = max(1, HELD // y.size)
    for start in range(0, RESAMPLES, step):
        counts = times[start : start + step][:, position].astype(np.float64)
        for name, values in counted_figures(probability, y, decision, counts).items():
            found.setdefault(name, []).append(values)
    made = {name: np.concatenate(values) for name, values in found.items()}
    given = counted_figures(probability, y, decision, np.ones((1, y.size)))["ece"]
    made["ece"] = np.maximum(made["ece"] - made["ece"].mean() + given, 0.0)  # a resample's is larger by chance alone
    return {name: _ends(values) for name, values in made.items()}


def counted_figures(
    probability: FloatArray, y: FloatArray, decision: FloatArray, counts: FloatArray
) -> Mapping[str, FloatArray]:
    """All five figures of r samples in which each session is there a number of times.

    Parameters
    ----------
    probability, y, decision : ndarray, shape (n,)
        Probability, 0/1 label, and the probability from which on the answer is "present".
    counts : ndarray, shape (r, n)
        How often each session is in each sample.

    Returns
    -------
    dict
        Figures (r,) by name, NaN where one is undefined; what `figures` says of the sessions repeated.
    """
    order = np.argsort(probability, kind="stable")
    p, label, counts = probability[order], y[order], counts[:, order]
    ends = np.append(np.flatnonzero(np.diff(p)), y.size - 1)  # equal scores are one step
    hits, misses = (_steps(counts * of, ends) for of in (label, 1 - label))
    positive, negative = hits.sum(axis=1), misses.sum(axis=1)
    above = positive[:, None] - _before(hits)
    all_above = np.maximum(above + negative[:, None] - _before(misses), 1)
    right = (p >= decision[order]) == (label > 0)
    off = p - label
    with np.errstate(invalid="ignore", divide="ignore"):  # one class only: NaN
        return {
            "auroc": (hits * (_before(misses) + misses / 2)).sum(axis=1) / (positive * negative),
            "auprc": (hits * above / all_above).sum(axis=1) / positive,
            "balanced_accuracy": 0.5
            * (counts @ (right * label) / positive + counts @ (right * (1 - label)) / negative),
            "brier": counts @ off**2 / (positive + negative),
            "ece": np.array([_calibration_error(row, off) for row in counts]),
        }


def _steps(values: FloatArray, ends: IntArray) -> FloatArray:
    """Sums (r, s) of values (r, n) over the sessions of each score, the last of which are `ends`."""
    return np.asarray(np.add.reduceat(values, np.append(0, ends[:-1] + 1), axis=1))


def _before(steps: FloatArray) -> FloatArray:
    return np.asarray(np.cumsum(steps, axis=1) - steps)


def _calibration_error(counts: FloatArray, off: FloatArray) -> float:
    """Over ten bins of equal counts; a session that is there several times may lie in two of them."""
    size = int(counts.sum())
    bins = min(BINS, size)
    edges = np.cumsum([0, *(size // bins + (k < size % bins) for k in range(bins))])
    reached = np.interp(edges, np.append(0, np.cumsum(counts)), np.append(0, np.cumsum(counts * off)))
    return float(sum(abs(last - first) for first, last in pairwise(reached)) / size)


def _ends(values: FloatArray) -> list[float] | None:
    values = values[np.isfinite(values)]
    return [float(v) for v in np.quantile(values, (0.025, 0.975))] if values.size else None
