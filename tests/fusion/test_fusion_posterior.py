"""Effects through their precision and through the sessions are the same posterior."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.fusion.learn import posterior


@pytest.fixture
def chain():
    rng = np.random.default_rng(3)
    n, p = 10, 12
    design = np.hstack([np.ones((n, 1)), rng.normal(size=(n, p))])
    half, person = rng.integers(0, 2, n) - 0.5, np.repeat(np.arange(5), 2)
    data = posterior._Data(
        design, np.zeros((n, p)), half, person, np.arange(0, n, 2), np.zeros(p, int), np.zeros((1, 15))
    )
    state = posterior._State(np.zeros(p + 1), np.zeros(5), np.zeros(n), np.array([0.3]), 0.8)
    return data, state, (rng.uniform(0.05, 0.25, n), rng.normal(size=n))


def test_both_ways_give_one_mean_and_covariance(chain):
    few, many = (way(*chain, np.random.default_rng(0)) for way in (posterior._few_effects, posterior._many_effects))
    np.testing.assert_allclose(few[0], many[0], atol=1e-10)
    np.testing.assert_allclose(few[2](), many[2](), atol=1e-10)


@pytest.mark.parametrize("way", [posterior._few_effects, posterior._many_effects])
def test_draws_have_the_mean_and_covariance_they_should(chain, way):
    rng = np.random.default_rng(1)
    mean, _, spread = way(*chain, rng)
    draws = np.array([way(*chain, rng)[1] for _ in range(8000)])
    scale = np.sqrt(np.diag(spread()))
    assert np.max(np.abs(draws.mean(axis=0) - mean) / scale) < 0.05
    assert np.max(np.abs(np.cov(draws.T) - spread()) / np.outer(scale, scale)) < 0.06
