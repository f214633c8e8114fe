"""How well the data pin down the biomarkers' effects: the posterior of a ridge logistic model over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.linear import deviance, logit, sigmoid

PRECISIONS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
DIRECTIONS_MAX = 100
CHUNK = 20_000
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Posterior:
    """Of p effects: covariance open · I − Σ shrink[k] · v[k] v[k]ᵀ, expected squares (p,), means (p + 1,).

    The first mean is the intercept.
    """

    open: float
    vectors: FloatArray
    shrink: FloatArray
    square: FloatArray
    mean: FloatArray

    def variance(self, scaled: FloatArray, active: FloatArray, log_odds: FloatArray) -> FloatArray:
        """Mean square (n,) of the error of log-odds: effects that the data leave open, missing values, disagreement.

        Parameters
        ----------
        scaled : ndarray, shape (n, p)
            Scaled and clipped values, NaN where missing.
        active : ndarray, shape (p,)
            1 for biomarkers that take part, else 0.
        log_odds : ndarray, shape (n,)
            What the fused model says; its difference from the posterior's mean counts as error.
        """
        gone = ~np.isfinite(scaled)
        kept = np.where(gone, 0.0, scaled) * active
        along = kept @ self.vectors.T
        spread = (kept**2).sum(axis=1) * self.open - (along**2) @ self.shrink
        apart = kept @ self.mean[1:] + self.mean[0] - log_odds
        return np.asarray(np.maximum(spread, 0.0) + (gone * active) @ self.square + apart**2)


def fit_posterior(design: FloatArray, y: FloatArray, sample: FloatArray) -> Posterior:
    """Fit ridge logistic models, weigh their penalties by the evidence, and keep the covariance of the effects.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Scaled and clipped values, 0 where missing.
    y, sample : ndarray, shape (n,)
        0/1 labels and how much each session counts.

    Returns
    -------
    Posterior

    References
    ----------
    MacKay (1992), doi:10.1162/neco.1992.4.5.720 (Laplace approximation of the evidence)
    """
    beta = np.zeros(design.shape[1] + 1)
    beta[0] = logit(float(np.average(y, weights=sample)))
    evidence, means, covariances = [], [], []
    for precision in reversed(PRECISIONS):
        beta, gram = _mode(design, y, sample, (beta, precision))
        evidence.append(_evidence(design, y, sample, (beta, gram, precision)))
        means.append(beta)
        covariances.append(np.linalg.inv(gram + precision * np.eye(gram.shape[0])))
    belief = np.exp(np.array(evidence) - max(evidence))
    belief /= belief.sum()
    mean = belief @ np.stack(means)
    covariance = np.einsum("k,kij->ij", belief, np.stack(covariances))
    for share, one in zip(belief, means, strict=True):
        covariance += share * np.outer((one - mean)[1:], (one - mean)[1:])
    return _compact(covariance, mean)


def _compact(covariance: FloatArray, mean: FloatArray) -> Posterior:
    """Keep the directions that the data know best; the others stay as open as the most open one."""
    values, vectors = np.linalg.eigh(covariance)
    known = np.argsort(values)[:DIRECTIONS_MAX]
    open_ = float(values[-1])
    square = mean[1:] ** 2 + np.diag(covariance)
    return Posterior(open_, vectors[:, known].T.copy(), open_ - values[known], np.asarray(square), np.asarray(mean))


def _mode(
    design: FloatArray, y: FloatArray, sample: FloatArray, start: tuple[FloatArray, float]
) -> tuple[FloatArray, FloatArray]:
    """Most probable effects (p + 1,), the free intercept first, and the information (p, p) of the data there."""
    beta, precision = start
    ridge = np.full(beta.size, precision)
    ridge[0] = 1e-6
    for _ in range(NEWTON_STEPS):
        gradient, full = _information(design, y, sample, beta)
        step = np.linalg.solve(full + np.diag(ridge), gradient + ridge * beta)
        largest = float(np.abs(step).max())
        beta = beta - step * min(1.0, 2.0 / max(largest, 1e-12))
        if largest < 1e-4:
            break
    centre = full[0, 1:] / full[0, 0]
    return beta, np.asarray(full[1:, 1:] - np.outer(centre, full[0, 1:]))


def _information(
    design: FloatArray, y: FloatArray, sample: FloatArray, beta: FloatArray
) -> tuple[FloatArray, FloatArray]:
    n, p = design.shape
    chance = sigmoid(design @ beta[1:] + beta[0])
    residual, weight = sample * (chance - y), sample * chance * (1 - chance)
    gradient = np.concatenate([[residual.sum()], design.T @ residual])
    full = np.zeros((p + 1, p + 1))
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        weighted = design[part] * weight[part, None]
        full[1:, 1:] += weighted.T @ design[part]
        full[0, 1:] += weighted.sum(axis=0)
    full[1:, 0], full[0, 0] = full[0, 1:], weight.sum() + 1e-9
    return gradient, full


def _evidence(
    design: FloatArray, y: FloatArray, sample: FloatArray, fit: tuple[FloatArray, FloatArray, float]
) -> float:
    beta, gram, precision = fit
    cost = float(sample @ deviance(design @ beta[1:] + beta[0], y))
    spread = np.linalg.slogdet(gram / precision + np.eye(gram.shape[0]))[1]
    return -cost - 0.5 * precision * float(beta[1:] @ beta[1:]) - 0.5 * float(spread)
