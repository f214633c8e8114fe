"""Figures of merit."""

from __future__ import annotations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray

BINS = 10
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
    return auroc_of_ranks(ranks(score), y)


def ranks(score: FloatArray) -> FloatArray:
    """Places in rising order, from 1 on; equal scores share their mean place.

    Parameters
    ----------
    score : ndarray, shape (n,)
        Any.

    Returns
    -------
    ndarray, shape (n,)
    """
    _, position, count = np.unique(score, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[position])


def auroc_of_ranks(rank: FloatArray, y: FloatArray) -> float:
    """The same of scores that are already ranked, for many labels of the same scores.

    Parameters
    ----------
    rank, y : ndarray, shape (n,)
        Ranks and 0/1 label.

    Returns
    -------
    float
        NaN with one class only.
    """
    positive = float(y.sum())
    negative = y.size - positive
    if not positive or not negative:
        return float("nan")
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
