"""Elastic-net logistic regression by proximal Newton steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray

CHUNK = 20_000
NEWTON_STEPS = 12
INNER_STEPS = 300
TOLERANCE = 1e-5


def sigmoid(log_odds: FloatArray) -> FloatArray:
    """Probability of a log-odds.

    Parameters
    ----------
    log_odds : ndarray
        Any shape.

    Returns
    -------
    ndarray
        Same shape, 0 to 1.
    """
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def logit(probability: float) -> float:
    """Log-odds of a probability.

    Parameters
    ----------
    probability : float
        Between 0 and 1, kept a little off both.

    Returns
    -------
    float
    """
    kept = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(kept / (1 - kept)))


def deviance(log_odds: FloatArray, y: FloatArray) -> FloatArray:
    """Negative log-likelihood of each label.

    Parameters
    ----------
    log_odds, y : ndarray, shape (n,)
        Prediction and 0/1 label.

    Returns
    -------
    ndarray, shape (n,)
    """
    return np.asarray(np.logaddexp(0.0, log_odds) - y * log_odds)


def elastic_net_path(design: FloatArray, y: FloatArray, *, shares: Sequence[float], l1_ratio: float) -> FloatArray:
    """Coefficients for a falling sequence of penalties.

    Minimises mean deviance + penalty · (l1_ratio · |b|₁ + (1 − l1_ratio)/2 · |b|²); the intercept is free.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Scaled columns without missing values.
    y : ndarray, shape (n,)
        0/1 labels.
    shares : sequence of float
        Penalties as falling shares of the largest gradient of the model without biomarkers.
    l1_ratio : float
        Share of the lasso, 0 to 1.

    Returns
    -------
    ndarray, shape (len(shares), p + 1)
        Intercept first.

    References
    ----------
    Friedman, Hastie, Tibshirani (2010), doi:10.18637/jss.v033.i01; Lee, Sun, Saunders (2014), doi:10.1137/130921428
    """
    n, p = design.shape
    mean = float(y.mean())
    beta = np.concatenate([[logit(mean)], np.zeros(p)])
    top = float(np.abs(design.T @ (y - mean)).max(initial=0.0)) / n
    path = []
    for share in shares:
        beta = _solve(design, y, beta, (share * top * l1_ratio, share * top * (1 - l1_ratio)))
        path.append(beta)
    return np.stack(path)


def _solve(design: FloatArray, y: FloatArray, beta: FloatArray, penalty: tuple[float, float]) -> FloatArray:
    before = np.inf
    for _ in range(NEWTON_STEPS):
        gradient, curvature = _quadratic(design, y, design @ beta[1:] + beta[0])
        proposal = _proximal(gradient, curvature, beta, penalty)
        step, value = _damped(design, y, (beta, proposal), penalty)
        beta = step
        if before - value < TOLERANCE * (abs(value) + 1e-12):
            break
        before = value
    return beta


class _Curvature:
    """Second derivative of the mean deviance, the intercept first.

    With more sessions than coefficients, their Gram matrix (p + 1, p + 1), read from the sessions in chunks; with
    fewer, its root (n, p + 1), which is smaller and gives the same products.
    """

    def __init__(self, design: FloatArray, weight: FloatArray) -> None:
        n, p = design.shape
        self._root: FloatArray | None = None
        if n <= p:
            self._root = np.hstack([np.ones((n, 1)), design]) * np.sqrt(weight / n)[:, None]
            self.largest = float(np.linalg.eigvalsh(self._root @ self._root.T)[-1])
            return
        gram = np.zeros((p + 1, p + 1))
        for start in range(0, n, CHUNK):
            part = slice(start, start + CHUNK)
            weighted = design[part] * weight[part, None]
            gram[1:, 1:] += weighted.T @ design[part]
            gram[0, 1:] += weighted.sum(axis=0)
        gram[1:, 0] = gram[0, 1:]
        gram[0, 0] = weight.sum()
        self._gram = gram / n
        self.largest = float(np.linalg.eigvalsh(self._gram)[-1])

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        if self._root is None:
            return np.asarray(self._gram @ vector)
        return np.asarray(self._root.T @ (self._root @ vector))


def _quadratic(design: FloatArray, y: FloatArray, eta: FloatArray) -> tuple[FloatArray, _Curvature]:
    """Gradient (p + 1,) and curvature of the mean deviance, the intercept first."""
    probability = sigmoid(eta)
    residual = probability - y
    gradient = np.concatenate([[residual.sum()], design.T @ residual]) / len(y)
    return gradient, _Curvature(design, np.maximum(probability * (1 - probability), 1e-4))


def _proximal(
    gradient: FloatArray, curvature: _Curvature, beta: FloatArray, penalty: tuple[float, float]
) -> FloatArray:
    """Minimise the quadratic model plus the penalty (accelerated proximal gradient on p + 1 numbers, restarted).

    O'Donoghue, Candès (2015), doi:10.1007/s10208-013-9150-3
    """
    lasso, ridge = penalty
    limit = np.full(beta.size, lasso)
    limit[0] = 0.0
    pull = np.full(beta.size, ridge)
    pull[0] = 0.0
    rate = 1.0 / (curvature.largest + ridge + 1e-12)
    linear = gradient - curvature @ beta
    new = ahead = beta
    momentum = 1.0
    for _ in range(INNER_STEPS):
        moved = ahead - rate * (curvature @ ahead + linear + pull * ahead)
        old, new = new, np.sign(moved) * np.maximum(np.abs(moved) - rate * limit, 0.0)
        if np.abs(new - old).max() < 1e-6:
            break
        if (ahead - new) @ (new - old) > 0:  # it has overshot: gather speed anew
            momentum = 1.0
        after = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        ahead = new + (momentum - 1) / after * (new - old)
        momentum = after
    return np.asarray(new)


def _damped(
    design: FloatArray, y: FloatArray, pair: tuple[FloatArray, FloatArray], penalty: tuple[float, float]
) -> tuple[FloatArray, float]:
    """The longest of some steps from the old towards the proposed coefficients that does not raise the objective."""
    old, proposal = pair

    def objective(beta: FloatArray) -> float:
        cost = float(deviance(design @ beta[1:] + beta[0], y).mean())
        return cost + penalty[0] * float(np.abs(beta[1:]).sum()) + 0.5 * penalty[1] * float(beta[1:] @ beta[1:])

    start = objective(old)
    for length in (1.0, 0.5, 0.1):
        tried = old + length * (proposal - old)
        value = objective(tried)
        if value <= start:
            return tried, value
    return old, start
