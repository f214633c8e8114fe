"""Calibration and fusion weights: non-negative, shrunk, one set for every pattern of modalities that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.linear import deviance, logit, sigmoid

STRENGTHS = (0.01, 0.1, 0.5, 2.0, 10.0, np.inf)
SUM = "sum"
BEST = "best"
CAUTION = 0.1
MODALITIES_MAX = 8  # patterns double with every modality
PLATT_PRIOR = 2.0  # the slope is drawn towards 1 like by this many sessions at even odds
PATTERN_MIN = 30  # sessions that have all modalities of a pattern before it gets weights of its own
STEPS = 30

Pattern = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Platt:
    """Calibrated log-odds = intercept + slope · log-odds, slope ≥ 0."""

    intercept: float
    slope: float

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated log-odds, same shape."""
        return np.asarray(self.intercept + self.slope * log_odds)


@dataclass(frozen=True, slots=True)
class PatternWeights:
    """Weights of one pattern: log-odds = bias + Σ weights · evidence over the modalities of the pattern."""

    pattern: Pattern
    bias: float
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Where weights are drawn to (the best expert alone, or the sum of all that say anything) and how strongly."""

    towards: str
    strength: float


@dataclass(frozen=True, slots=True)
class Fusion:
    """How evidence of m modalities becomes one log-odds.

    `usual` (m,) is the reliability that a modality usually has: sessions at or above it count fully. `patterns` has an
    entry for every subset of the modalities that carry weight, the empty one included.
    """

    usual: FloatArray
    patterns: tuple[PatternWeights, ...]
    shrinkage: Shrinkage
    best: int

    def trust(self, reliability: FloatArray) -> FloatArray:
        """Reliability (n, m) relative to what is usual, at most 1."""
        return trust_of(reliability, usual=self.usual)

    def coefficients(self, reliability: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bias (n,) and weight (n, m) of each session, from its reliabilities (n, m), 0 where a modality is missing.

        A modality is believed with the probability of its relative reliability; the result is the mean over what may
        be believed, so that a bad recording fades smoothly into a missing one and the rest takes over its weight.
        """
        trust = self.trust(reliability)
        member = np.array([[m in entry.pattern for m in range(trust.shape[1])] for entry in self.patterns])
        chance = np.ones((trust.shape[0], len(self.patterns)))
        for m in self.carriers:
            chance *= np.where(member[:, m], trust[:, m, None], 1 - trust[:, m, None])
        weights = np.zeros(member.shape)
        weights[member] = [value for entry in self.patterns for value in entry.weights]
        return chance @ np.array([entry.bias for entry in self.patterns]), chance @ weights

    @property
    def carriers(self) -> Pattern:
        """Modalities that carry weight."""
        return max((entry.pattern for entry in self.patterns), key=len)


def fit_platt(log_odds: FloatArray, y: FloatArray, sample: FloatArray) -> Platt:
    """Calibrate by logistic regression with a slope that is never negative and drawn towards 1.

    Parameters
    ----------
    log_odds, y : ndarray, shape (n,)
        Out-of-fold log-odds and 0/1 labels.
    sample : ndarray, shape (n,)
        How much each session counts.

    Returns
    -------
    Platt

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines, isbn:9780262194488
    """
    spread = float(np.average((log_odds - np.average(log_odds, weights=sample)) ** 2, weights=sample))
    pull = np.array([PLATT_PRIOR * 0.25 * max(spread, 1e-6)])
    bias, slope = fit_nonnegative(log_odds[:, None], y, sample, prior=np.ones(1), pull=pull)
    return Platt(bias, float(slope[0]))


def fit_nonnegative(
    evidence: FloatArray, y: FloatArray, sample: FloatArray, *, prior: FloatArray, pull: FloatArray
) -> tuple[float, FloatArray]:
    """Logistic regression with weights ≥ 0 and a ridge towards a prior.

    Parameters
    ----------
    evidence : ndarray, shape (n, k)
        Predictors.
    y, sample : ndarray, shape (n,)
        0/1 labels and how much each session counts.
    prior, pull : ndarray, shape (k,)
        Where the weights are drawn to, and how strongly.

    Returns
    -------
    bias : float
    weights : ndarray, shape (k,)
    """
    k = evidence.shape[1]
    beta = np.concatenate([[logit(float(np.average(y, weights=sample)))], prior])
    target = np.concatenate([[0.0], prior])
    ridge = np.concatenate([[1e-6], pull])
    design = np.hstack([np.ones((y.size, 1)), evidence])
    for _ in range(STEPS):
        chance = sigmoid(design @ beta)
        gradient = design.T @ (sample * (chance - y)) + ridge * (beta - target)
        weight = sample * np.maximum(chance * (1 - chance), 1e-4)
        hessian = (design * weight[:, None]).T @ design + np.diag(ridge) + 1e-9 * np.eye(k + 1)
        proposal = _bounded(hessian, hessian @ beta - gradient)
        moved = float(np.abs(proposal - beta).max())
        beta = beta + min(1.0, 4.0 / max(moved, 1e-12)) * (proposal - beta)
        if moved < 1e-7:
            break
    return float(beta[0]), np.asarray(np.maximum(beta[1:], 0.0))


def _bounded(hessian: FloatArray, linear: FloatArray) -> FloatArray:
    """Minimise ½ xᵀHx − linearᵀx with all but the first entry ≥ 0 (active set on a few numbers)."""
    free = np.ones(linear.size, dtype=bool)
    x = np.zeros_like(linear)
    for _ in range(3 * linear.size):
        x = np.zeros_like(linear)
        x[free] = np.linalg.solve(hessian[free][:, free], linear[free])
        negative = free & (x < 0)
        negative[0] = False
        if negative.any():
            free &= ~negative
            continue
        slope = np.where(free, 0.0, hessian @ x - linear)
        if slope.min() >= -1e-9:
            break
        free[int(slope.argmin())] = True
    x[1:] = np.maximum(x[1:], 0.0)
    return x


def fit_fusion(
    evidence: FloatArray, reliability: FloatArray, y: FloatArray, sample: FloatArray, *, folds: Sequence[IntArray]
) -> tuple[Fusion, FloatArray]:
    """Learn the weights of all patterns on calibrated out-of-fold log-odds.

    Parameters
    ----------
    evidence : ndarray, shape (n, m)
        Calibrated out-of-fold log-odds of each modality; NaN where it is missing.
    reliability : ndarray, shape (n, m)
        Coverage × quality, 0 where missing.
    y, sample : ndarray, shape (n,)
        0/1 labels and how much each session counts.
    folds : sequence of ndarray
        Sessions of subject-disjoint folds.

    Returns
    -------
    fusion : Fusion
    out_of_fold : ndarray, shape (n,)
        Fused log-odds of every session from weights that did not see its subject.
    """
    usual = np.array([_usual(column) for column in reliability.T])
    trusted = np.where(np.isfinite(evidence), reliability, 0.0)
    tried = [Shrinkage(towards, strength) for towards in (SUM, BEST) for strength in STRENGTHS]
    made = _cross_fit((evidence, trusted, y, sample), folds, tried, usual)
    chosen = _cautious([deviance(one, y) * sample for one in made])
    seen = evidence, trust_of(trusted, usual=usual)
    return _fit_patterns(seen, y, sample, shrinkage=tried[chosen], usual=usual), made[chosen]


def trust_of(reliability: FloatArray, *, usual: FloatArray | float | None = None) -> FloatArray:
    """Reliability relative to what is usual, 0 to 1.

    Parameters
    ----------
    reliability : ndarray
        Coverage × quality.
    usual : float or ndarray, optional
        What counts fully; default: the median of those above 0.

    Returns
    -------
    ndarray
        Same shape.
    """
    return np.asarray(np.clip(reliability / (_usual(reliability) if usual is None else usual), 0.0, 1.0))


def _usual(column: FloatArray) -> float:
    there = column[column > 0]
    return float(np.median(there)) if there.size else 1.0


def _cautious(costs: Sequence[FloatArray]) -> int:
    """The least cost; but the best expert alone (the last one) where that is within a tenth of a standard error."""
    mean = np.array([cost.mean() for cost in costs])
    best = int(mean.argmin())
    difference = costs[-1] - costs[best]
    close = float(difference.mean()) <= CAUTION * float(difference.std()) / np.sqrt(difference.size)
    return len(costs) - 1 if close else best


def _cross_fit(
    data: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    folds: Sequence[IntArray],
    tried: Sequence[Shrinkage],
    usual: FloatArray,
) -> FloatArray:
    evidence, trusted, y, sample = data
    made = np.empty((len(tried), y.size))
    for held_out in folds:
        train = np.setdiff1d(np.arange(y.size), held_out)
        seen = evidence[train], trust_of(trusted[train], usual=usual)
        for s, shrinkage in enumerate(tried):
            fusion = _fit_patterns(seen, y[train], sample[train], shrinkage=shrinkage, usual=usual)
            bias, weight = fusion.coefficients(trusted[held_out])
            made[s, held_out] = bias + (weight * np.nan_to_num(evidence[held_out])).sum(axis=1)
    return made


def _fit_patterns(
    seen: tuple[FloatArray, FloatArray],
    y: FloatArray,
    sample: FloatArray,
    *,
    shrinkage: Shrinkage,
    usual: FloatArray,
) -> Fusion:
    """Each pattern from the sessions that have it, in proportion to the trust in all of its modalities."""
    evidence, trust = seen
    there = np.isfinite(evidence)
    prior = logit(float(np.average(y, weights=sample)))
    less = deviance(np.full(y.size, prior), y)[:, None] - deviance(np.where(there, evidence, prior), y[:, None])
    gain = sample @ (trust * less)
    carriers = sorted(int(m) for m in np.argsort(-gain)[:MODALITIES_MAX] if there[:, m].any())
    entries = [PatternWeights((), prior, ())]
    for size in range(1, len(carriers) + 1):
        for pattern in combinations(carriers, size):
            entries.append(_fit_pattern((evidence, trust, gain), (y, sample), pattern, (shrinkage, prior)))
    return Fusion(usual, tuple(entries), shrinkage, int(np.argmax(gain)))


def _fit_pattern(
    seen: tuple[FloatArray, FloatArray, FloatArray],
    truth: tuple[FloatArray, FloatArray],
    pattern: Pattern,
    before: tuple[Shrinkage, float],
) -> PatternWeights:
    """Weights of one pattern, drawn to where the shrinkage says; every expert's log-odds hold the prior once."""
    evidence, trust, gain = seen
    (y, sample), (shrinkage, prior) = truth, before
    members = list(pattern)
    best = int(np.argmax(gain[members]))
    start = (gain[members] > 0).astype(np.float64) if shrinkage.towards == SUM else np.zeros(len(members))
    start[best] = 1.0
    given = PatternWeights(pattern, (1.0 - float(start.sum())) * prior, tuple(start.tolist()))
    if len(members) == 1 or not np.isfinite(shrinkage.strength) or y.size < PATTERN_MIN:
        return given
    believed = trust[:, members].prod(axis=1)
    rows = believed > 0
    if believed.sum() < PATTERN_MIN or len(np.unique(y[rows])) < 2:
        return given
    part = evidence[rows][:, members]
    counts, chance = (sample * believed)[rows], sigmoid(part[:, best])
    information = ((part - part.mean(axis=0)) ** 2 * (counts * chance * (1 - chance))[:, None]).sum(axis=0)
    bias, weights = fit_nonnegative(part, y[rows], counts, prior=start, pull=shrinkage.strength * information + 1e-3)
    return PatternWeights(pattern, bias, tuple(float(w) for w in weights))
