"""Elastic-net logistic regression by proximal Newton steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray

CHUNK = 20_000
NEWTON_STEPS = 12
INNER_STEPS = 300
CLOSE = 1e-2  # share of the whole way that an inner step goes at the end: the next Newton step does the rest
LOOK_EVERY = 5  # inner steps between looks at how far they still go
TOLERANCE = 1e-5
FAR = 0.01  # a step that gains this share of the objective changes the curvature


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


def elastic_net_path(
    design: FloatArray, y: FloatArray, sample: FloatArray, *, shares: Sequence[float], l1_ratio: float
) -> FloatArray:
    """Coefficients for a falling sequence of penalties.

    Minimises the weighted mean deviance + penalty · (l1_ratio · |b|₁ + (1 − l1_ratio)/2 · |b|²); the intercept is free.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Scaled columns without missing values.
    y, sample : ndarray, shape (n,)
        0/1 labels and how much each session counts.
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
    mass = sample / sample.sum()
    mean = float(mass @ y)
    beta = np.concatenate([[logit(mean)], np.zeros(design.shape[1])])
    top = float(np.abs(design.T @ (mass * (y - mean))).max(initial=0.0))
    path = []
    for share in shares:
        beta = _solve((design, y, mass), beta, (share * top * l1_ratio, share * top * (1 - l1_ratio)))
        path.append(beta)
    return np.stack(path)


def ridge_logistic(design: FloatArray, y: FloatArray) -> FloatArray:
    """Mode of a logistic model whose effects are normal of variance 1 before any data; the intercept is free.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Columns, each times the size that its effect may have.
    y : ndarray, shape (n,)
        0/1 labels, both there.

    Returns
    -------
    ndarray, shape (p + 1,)
        Intercept first.
    """
    mass = np.full(y.size, 1 / y.size)
    beta = np.concatenate([[logit(float(y.mean()))], np.zeros(design.shape[1])])
    return _solve((design, y, mass), beta, (0.0, 1 / y.size))


_Sessions = tuple[FloatArray, FloatArray, FloatArray]  # design, labels, shares of the whole


def _solve(seen: _Sessions, beta: FloatArray, penalty: tuple[float, float]) -> FloatArray:
    """Newton steps; after a small one the curvature stays, for with many sessions it costs more than all the rest."""
    design, y, mass = seen
    n, p = design.shape
    curvature, before, far = None, np.inf, True
    for _ in range(NEWTON_STEPS):
        probability = sigmoid(design @ beta[1:] + beta[0])
        residual = mass * (probability - y)
        gradient = np.concatenate([[residual.sum()], design.T @ residual])
        if curvature is None or far or n <= p:
            curvature = _Curvature(design, mass * np.maximum(probability * (1 - probability), 1e-4))
        proposal = _proximal(gradient, curvature, beta, penalty)
        beta, value = _damped(seen, (beta, proposal), penalty)
        if before - value < TOLERANCE * (abs(value) + 1e-12):
            break
        far = before - value > FAR * abs(value) and np.isfinite(before)
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
            self._root = np.hstack([np.ones((n, 1)), design]) * np.sqrt(weight)[:, None]
            self.largest = float(np.linalg.eigvalsh(self._root @ self._root.T)[-1])
            return
        gram = np.zeros((p + 1, p + 1))
        for start in range(0, n, CHUNK):
            part = slice(start, start + CHUNK)
            root = design[part] * np.sqrt(weight[part, None])  # a product with itself takes half the time
            gram[1:, 1:] += root.T @ root
            gram[0, 1:] += weight[part] @ design[part]
        gram[1:, 0] = gram[0, 1:]
        gram[0, 0] = weight.sum()
        self._gram = gram
        self.largest = float(np.linalg.eigvalsh(self._gram)[-1])

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        if self._root is None:
            return np.asarray(self._gram @ vector)
        return np.asarray(self._root.T @ (self._root @ vector))


def _proximal(
    gradient: FloatArray, curvature: _Curvature, beta: FloatArray, penalty: tuple[float, float]
) -> FloatArray:
    """Minimise the quadratic model plus the penalty (accelerated proximal gradient on p + 1 numbers, restarted).

    O'Donoghue, Candès (2015), doi:10.1007/s10208-013-9150-3
    """
    lasso, ridge = penalty
    rate = 1.0 / (curvature.largest + ridge + 1e-12)
    limit, pull = np.full(beta.size, rate * lasso), np.full(beta.size, 1 - rate * ridge)
    limit[0], pull[0] = 0.0, 1.0
    shift = rate * (gradient - curvature @ beta)
    new = ahead = beta
    momentum = 1.0
    for turn in range(INNER_STEPS):
        moved = pull * ahead - rate * (curvature @ ahead) - shift
        old, new = new, moved - np.minimum(np.maximum(moved, -limit), limit)
        step = new - old
        if turn % LOOK_EVERY == 0 and np.abs(step).max() < max(1e-6, CLOSE * np.abs(new - beta).max()):
            break
        if (ahead - new) @ step > 0:  # it has overshot: gather speed anew
            momentum = 1.0
        after = 0.5 * (1 + math.sqrt(1 + 4 * momentum**2))
        ahead = new + ((momentum - 1) / after) * step
        momentum = after
    return np.asarray(new)


def _damped(
    seen: _Sessions, pair: tuple[FloatArray, FloatArray], penalty: tuple[float, float]
) -> tuple[FloatArray, float]:
    """The longest of some steps from the old towards the proposed coefficients that does not raise the objective."""
    (design, y, mass), (old, proposal) = seen, pair

    def objective(beta: FloatArray) -> float:
        cost = float(mass @ deviance(design @ beta[1:] + beta[0], y))
        return cost + penalty[0] * float(np.abs(beta[1:]).sum()) + 0.5 * penalty[1] * float(beta[1:] @ beta[1:])

    start = objective(old)
    for length in (1.0, 0.5, 0.1):
        tried = old + length * (proposal - old)
        value = objective(tried)
        if value <= start:
            return tried, value
    return old, start
