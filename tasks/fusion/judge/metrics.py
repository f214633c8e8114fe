"""Figures of merit, with intervals that resample persons, not sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray

BINS = 10
RESAMPLES = 400
NAMES = ("auroc", "auprc", "balanced_accuracy", "brier", "ece")


def auroc(score: FloatArray, y: FloatArray) -> float:
    """Chance that a session with the target scores above one without it.

    Parameters
    ----------
    score, y : ndarray, shape (n,)
        Score and 0/1 label.

    Returns
    -------
    float
        NaN with one class only.
    """
    positive = float(y.sum())
    negative = y.size - positive
    if not positive or not negative:
        return float("nan")
    _, position, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[position]
    return float((rank[y > 0].sum() - positive * (positive + 1) / 2) / (positive * negative))


def auprc(score: FloatArray, y: FloatArray) -> float:
    """Average precision; equal scores are one step.

    Parameters
    ----------
    score, y : ndarray, shape (n,)
        Score and 0/1 label.

    Returns
    -------
    float
        NaN without a positive label.
    """
    if not y.sum():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), y.size - 1)
    hits = np.cumsum(y[order])[ends]
    gained = np.diff(np.concatenate([[0.0], hits])) / y.sum()
    return float((hits / (ends + 1) * gained).sum())


def balanced_accuracy(probability: FloatArray, y: FloatArray, decision: float | FloatArray) -> float:
    """Mean of sensitivity and specificity.

    Parameters
    ----------
    probability, y : ndarray, shape (n,)
        Probability and 0/1 label.
    decision : float or ndarray, shape (n,)
        Probability from which on the answer is "present".

    Returns
    -------
    float
        NaN with one class only.
    """
    if len(np.unique(y)) < 2:
        return float("nan")
    said = probability >= decision
    return float(0.5 * (said[y > 0].mean() + (~said[y == 0]).mean()))


def brier(probability: FloatArray, y: FloatArray) -> float:
    """Mean squared difference of probability and label.

    Parameters
    ----------
    probability, y : ndarray, shape (n,)
        Probability and 0/1 label.

    Returns
    -------
    float
    """
    return float(((probability - y) ** 2).mean())


def calibration_error(probability: FloatArray, y: FloatArray) -> float:
    """Expected calibration error over ten bins of equal counts.

    Parameters
    ----------
    probability, y : ndarray, shape (n,)
        Probability and 0/1 label.

    Returns
    -------
    float

    References
    ----------
    Naeini, Cooper, Hauskrecht (2015), doi:10.1609/aaai.v29i1.9602
    """
    order = np.argsort(probability, kind="stable")
    gaps = [abs(float((probability[p] - y[p]).sum())) for p in np.array_split(order, min(BINS, y.size))]
    return float(sum(gaps) / y.size)


def figures(probability: FloatArray, y: FloatArray, decision: FloatArray) -> dict[str, float]:
    """All five figures.

    Parameters
    ----------
    probability, y, decision : ndarray, shape (n,)
        Probability, 0/1 label, and the probability from which on the answer is "present".

    Returns
    -------
    dict
        By name.
    """
    return {
        "auroc": auroc(probability, y),
        "auprc": auprc(probability, y),
        "balanced_accuracy": balanced_accuracy(probability, y, decision),
        "brier": brier(probability, y),
        "ece": calibration_error(probability, y),
    }


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
    spread = resample(lambda rows: figures(probability[rows], y[rows], decision[rows]), subjects, seed=seed)
    point = figures(probability, y, decision)
    return {name: number(value) for name, value in point.items()} | {"ci": spread, "sessions": int(y.size)}


def resample(
    measure: Callable[[IntArray], Mapping[str, float]], subjects: IntArray, *, seed: int, times: int = RESAMPLES
) -> dict[str, list[float] | None]:
    """95 % intervals of figures under resampling of subjects with replacement.

    Parameters
    ----------
    measure : callable
        Figures of a choice of sessions.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    seed : int
        Of the resampling.
    times : int, optional
        How often.

    Returns
    -------
    dict
        [low, high] by name, None where a figure is undefined.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(subjects, kind="stable")
    people, start = np.unique(subjects[order], return_index=True)
    mine = np.split(order, start[1:])
    found: dict[str, list[float]] = {}
    for _ in range(times):
        rows = np.concatenate([mine[i] for i in rng.integers(people.size, size=people.size)])
        for name, value in measure(rows).items():
            found.setdefault(name, []).append(value)
    return {name: _ends(np.array(values)) for name, values in found.items()}


def _ends(values: FloatArray) -> list[float] | None:
    values = values[np.isfinite(values)]
    return [float(v) for v in np.quantile(values, (0.025, 0.975))] if values.size else None


def number(value: float) -> float | None:
    """A figure for JSON, which has no NaN.

    Parameters
    ----------
    value : float
        Any.

    Returns
    -------
    float or None
    """
    return float(value) if np.isfinite(value) else None
