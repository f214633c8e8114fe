"""The sampled posterior: two ways of one draw, as wide as its error, and persons' own shifts."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.fusion.learn import posterior
from cueflow.tasks.fusion.learn.chain import SMALL, Data, State, redraw
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.learn.mixing import effective_draws
from cueflow.tasks.fusion.learn.places import Groups, Places
from cueflow.tasks.fusion.learn.posterior import Posterior, fit_posterior
from cueflow.tasks.fusion.learn.spread import interval_ends


def _one_group(columns: int, *, few: float = 1.0) -> Groups:
    return Groups(np.array([columns]), np.array([0]), np.array([few]), np.array([1]))


@pytest.fixture
def chain():
    rng = np.random.default_rng(3)
    n, p = 10, 12
    design = np.hstack([np.ones((n, 1)), rng.normal(size=(n, p))])
    half, person = rng.integers(0, 2, n) - 0.5, np.repeat(np.arange(5), 2)
    gone, groups = np.zeros((n, p)), _one_group(p)
    places = Places.of(groups, design[:, 1:], gone)
    alike = np.zeros(1, int), np.ones(1)
    data = Data(design, gone, half, person, np.arange(0, n, 2), np.zeros(p, int), *alike, places)
    there = np.arange(p) % 3 > 0
    one, half_of = np.ones(1), np.full(1, 0.5)
    state = State(np.zeros(p + 1), np.zeros(5), np.zeros(n), 0.3 * one, there, one, half_of, 0.8)
    weight, pull = rng.uniform(0.05, 0.25, n), rng.normal(size=n)
    root = design * np.sqrt(weight)[:, None]
    along = data.by_person(design * weight[:, None])
    return data, state, posterior._Weighed(weight, data.by_person(weight), along, root.T @ root), pull


def test_draws_have_the_mean_and_covariance_they_should(chain):
    data, state, weighed, pull = chain
    before = np.append(1e3, np.where(state.there, 0.3, 0.3 * SMALL) ** 2)
    same = data.person[:, None] == data.person
    noise = np.linalg.inv(np.diag(1 / weighed.weight) + 0.64 * same)
    covariance = np.linalg.inv(data.design.T @ noise @ data.design + np.diag(1 / before))
    mean = covariance @ data.design.T @ noise @ (pull / weighed.weight)
    rng = np.random.default_rng(1)
    few = [posterior._few_effects(data, state, (weighed, weighed.gram, pull), rng) for _ in range(4000)]
    many = [posterior._many_effects(data, state, (weighed.weight, pull), rng) for _ in range(4000)]
    scale = np.sqrt(np.diag(covariance))
    for draws in (np.array(few), np.array(many)):
        assert np.max(np.abs(draws.mean(axis=0) - mean) / scale) < 0.06
        assert np.max(np.abs(np.cov(draws.T) - covariance) / np.outer(scale, scale)) < 0.08


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_a_persons_own_shift_is_recovered(shift):
    rng = np.random.default_rng(3)
    subjects = np.repeat(np.arange(120), 10)
    known = rng.normal(size=(1200, 1))
    own = shift * rng.normal(size=120)
    y = (rng.random(1200) < sigmoid(known[:, 0] + own[subjects])).astype(float)
    found = fit_posterior((known, 0 * known), y, subjects, groups=_one_group(1))
    assert found.between == pytest.approx(shift, abs=0.25)
    effect = found.effects[:, 1].mean()
    assert effect == pytest.approx(1.0, abs=0.2)  # the one within a person, not the flatter one over all


def test_one_session_each_says_nothing_about_shifts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 6))
    y = (rng.random(100) < sigmoid(x[:, 0])).astype(float)
    found = fit_posterior((x, 0 * x), y, np.arange(100), groups=_one_group(6))
    assert not found.shifts.any()


@pytest.mark.parametrize("strong", [10, 2])
def test_posterior_is_as_wide_as_its_error(strong):
    rng = np.random.default_rng(4)
    held = []
    for _ in range(12):
        beta = np.where(np.arange(10) < strong, rng.normal(size=10) * 0.6, 0.0)
        x = rng.normal(size=(300, 10))
        x[rng.random(x.shape) < 0.1] = np.nan
        full = np.where(np.isnan(x), rng.normal(size=x.shape), x)
        y = (rng.random(300) < sigmoid(full @ beta)).astype(float)
        seen = (np.nan_to_num(x), np.isnan(x).astype(float))
        found = fit_posterior(seen, y, np.repeat(np.arange(60), 5), groups=_one_group(10))
        new = rng.normal(size=(500, 10))
        drawn, missing = found.drawn(new, 0 * new)
        assert not missing.any()
        low, high = np.quantile(drawn, (0.05, 0.95), axis=1)
        held.append(np.mean((low <= new @ beta) & (new @ beta <= high)))
    assert 0.8 < np.mean(held) < 0.98


def test_effects_that_are_not_there_are_known_to_be_small():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 60))
    y = (rng.random(500) < sigmoid(1.5 * x[:, 7])).astype(float)
    found = fit_posterior((x, 0 * x), y, np.repeat(np.arange(100), 5), groups=_one_group(60, few=60.0))
    assert found.effects[:, 8].mean() == pytest.approx(1.5, abs=0.35)
    others = np.delete(found.effects[:, 1:], 7, axis=1)
    assert np.sqrt((others**2).mean()) < 0.05


def test_interval_ends_are_quantiles_of_what_was_drawn():
    effects = np.tile([[0.5, 1.0], [0.5, 1.0]], (100, 1))
    shifts = np.tile([0.0, 2.0], 100)
    found = Posterior(effects, shifts, np.full(1, 0.25))
    low, high = interval_ends(found, np.array([[0.5]]), np.ones((1, 1)), level=0.9)
    rng = np.random.default_rng(0)
    drawn = 1.0 + rng.normal(size=400_000) * np.sqrt(0.25 + rng.choice([0.0, 4.0], size=400_000))
    np.testing.assert_allclose([low[0], high[0]], np.quantile(drawn, (0.05, 0.95)), atol=0.1)
    low, high = interval_ends(found, np.array([[0.5]]), np.zeros((1, 1)), level=0.9, difference=True)
    np.testing.assert_allclose([low[0], high[0]], 0.5)  # intercept and shift drop out


def test_a_bad_recording_hides_no_more_than_a_good_one_would_have_shown():
    rng = np.random.default_rng(6)
    state = rng.normal(size=(900, 3))
    y = (rng.random(900) < sigmoid(state @ np.array([1.5, -1.0, 0.0]))).astype(float)
    trust = np.where(rng.random(900) < 0.4, 0.1, 1.0)[:, None]
    shown = state + (trust < 1) * 4 * rng.normal(size=state.shape)
    scaled = shown / shown.std(axis=0)  # the noise of bad ones shrinks what good ones show
    gone = np.repeat(1 - trust, 3, axis=1)
    found = fit_posterior((scaled * trust, gone), y, np.repeat(np.arange(180), 5), groups=_one_group(3))
    low, high = interval_ends(found, scaled * trust, gone, level=0.9)
    truth = state @ np.array([1.5, -1.0, 0.0])
    inside = (low <= truth) & (truth <= high)
    assert 0.8 < inside[trust[:, 0] < 1].mean() < 0.97


def test_the_place_of_a_step_is_found_and_its_doubt_kept():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(500, 2))
    y = (rng.random(500) < sigmoid(3.0 * (x[:, 0] > 0.5) - 1.0)).astype(float)
    knots = np.linspace(-1.5, 1.5, 13)  # 0.5 is the ninth
    steps = (x[:, :, None] > knots).reshape(500, -1).astype(float)
    groups = Groups(np.array([26]), np.array([0]), np.array([1.0]), np.array([13]))
    found = fit_posterior((steps, 0 * steps), y, np.repeat(np.arange(100), 5), groups=groups)
    assert (np.count_nonzero(found.effects[:, 1:14], axis=1) <= 2).all()
    curve = (knots[:, None] >= knots).astype(float) @ found.effects[:, 1:14].T  # just above each knot
    assert (curve[8:] - curve[6]).mean() == pytest.approx(3.0, abs=0.7)
    assert np.abs(curve[:6] - curve[0]).mean() < 0.5
    other = (knots[:, None] >= knots).astype(float) @ found.effects[:, 14:].T
    assert np.abs(other).mean() < 0.4


def test_an_effect_held_at_next_to_nothing_is_found_again():
    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 3))
    y = (rng.random(300) < sigmoid(2.0 * x[:, 1])).astype(float)
    groups = _one_group(3)
    data = posterior._ordered((x, 0 * x), y, np.arange(300), groups)
    state = State(
        beta=np.zeros(4),
        own=np.zeros(300),
        hidden=np.zeros(300),
        scale=np.array([1.0]),
        there=np.zeros(3, dtype=bool),
        share=np.array([0.05]),
        nothing=np.array([0.5]),
        shift=0.0,
    )
    there = []
    for _ in range(80):
        redraw(data, state, posterior._polya_gamma(data.design @ state.beta, rng), rng)
        there.append(state.there.copy())
    often = np.mean(there[40:], axis=0)
    assert often[1] == 1
    assert max(often[0], often[2]) < 0.4
    assert state.beta[2] == pytest.approx(2.0, abs=0.6)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_effective_draws_of_a_chain_with_known_memory(rho):
    rng = np.random.default_rng(0)
    chain = np.zeros((4000, 40))
    for t in range(1, 4000):
        chain[t] = rho * chain[t - 1] + rng.normal(size=40)
    assert effective_draws(chain).mean() == pytest.approx(4000 * (1 - rho) / (1 + rho), rel=0.1)
    assert effective_draws(np.ones((50, 1))) == [50]
