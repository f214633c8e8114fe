"""Non-linear, long-term and gap-proof measures of intervals: closed forms, and what gaps do to them."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import TooShortError
from cueflow.tasks.physiology.variability import complexity, geometry, poincare
from cueflow.tasks.physiology.variability.intervals import Intervals
from cueflow.tasks.physiology.variability.spectrum import band_powers, lomb_density, lomb_powers


def noise(number=600, seed=0):
    return 850.0 + np.random.default_rng(seed).normal(0.0, 40.0, number)


def holes(intervals, share, seed=1):
    """The intervals with runs of 3 to 15 taken out until this share is gone."""
    rng, keep = np.random.default_rng(seed), np.ones(len(intervals), dtype=bool)
    while keep.mean() > 1.0 - share:
        at = int(rng.integers(len(keep)))
        keep[at : at + int(rng.integers(3, 15))] = False
    return intervals.keep(keep)


def waves(seconds=1200.0):
    """Intervals about 800 ms with 30 ms at 0.10 Hz and 20 ms at 0.25 Hz: 450 and 200 ms²."""
    ms, at = [], 0.0
    while at < seconds:
        ms.append(800.0 + 30.0 * np.sin(2 * np.pi * 0.10 * at) + 20.0 * np.sin(2 * np.pi * 0.25 * at))
        at += ms[-1] / 1000.0
    return Intervals.of(ms)


def test_white_noise_and_a_walk_have_their_known_exponents():
    assert complexity.dfa_alpha1(Intervals.of(noise(20000))) == pytest.approx(0.5, abs=0.15)  # short scales read high
    walk = np.cumsum(np.random.default_rng(2).normal(0.0, 5.0, 20000))
    assert complexity.dfa_alpha1(Intervals.of(2000.0 + walk)) == pytest.approx(1.5, abs=0.06)


def test_sample_entropy_of_white_noise_is_that_of_the_normal_distribution():
    # -ln P(|x - y| < 0.2 SD) of two normal values: P = erf(0.1)
    from math import erf, log

    assert complexity.sample_entropy(Intervals.of(noise(5000))) == pytest.approx(-log(erf(0.1)), abs=0.05)
    assert complexity.sample_entropy(Intervals.of([800.0, 900.0] * 200)) == pytest.approx(0.0, abs=0.02)


def test_alternating_intervals_are_wholly_fragmented():
    found = Intervals.of([800.0, 860.0] * 50)
    assert complexity.inflections(found) == pytest.approx(98 / 100)
    assert complexity.inverse_segment_length(found) == 1.0
    assert complexity.short_segments(found) == 1.0
    assert complexity.alternation(found) == 1.0
    rising = Intervals.of(np.arange(700.0, 900.0))
    assert complexity.inflections(rising) == 0.0
    assert complexity.inverse_segment_length(rising) == pytest.approx(1 / 199)


def test_a_heart_that_slows_in_small_steps_and_speeds_up_in_one_leans():
    saw = Intervals.of((800.0 + 20.0 * (np.arange(300) % 4)).tolist())
    assert poincare.porta(saw) == pytest.approx(100 * 74 / 299, abs=0.5)  # one pair in four shortens
    assert poincare.guzik(saw) == pytest.approx(50.0, abs=0.5)  # the way up is the way down
    assert poincare.short_deceleration(saw) == pytest.approx(0.25, abs=0.01)  # 3 · 20² against 60²
    assert poincare.guzik(Intervals.of([800.0] * 20)) != poincare.guzik(saw)
    assert np.isnan(poincare.porta(Intervals.of([800.0] * 20)))


def test_parts_of_accelerations_and_decelerations_make_the_whole():
    found = Intervals.of(noise())
    squares = poincare.sdnn_deceleration(found) ** 2 + poincare.sdnn_acceleration(found) ** 2
    assert squares == pytest.approx(0.5 * (poincare.sd1(found) ** 2 + poincare.sd2(found) ** 2), rel=1e-3)


def test_the_triangle_of_a_triangle_is_its_base():
    rng = np.random.default_rng(3)
    found = Intervals.of(rng.triangular(700.0, 850.0, 1000.0, 100_000))
    assert geometry.triangle_base(found) == pytest.approx(300.0, abs=20.0)
    assert geometry.triangular_index(found) == pytest.approx(300.0 / 2 / geometry.BIN_MS, rel=0.05)


def test_minutes_against_each_other():
    steps = Intervals.of(np.concatenate([np.full(75, 800.0), np.full(60, 1000.0)] * 6))
    assert geometry.sdann(steps, minutes=1) == pytest.approx(np.std([800, 1000] * 6, ddof=1), rel=0.05)
    assert geometry.sdnn_index(steps, minutes=1) < 30.0
    with pytest.raises(TooShortError, match="pieces of 5 min"):
        geometry.sdann(steps, minutes=5)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.4])
def test_order_and_power_survive_lost_intervals(share):
    whole, some = Intervals.of(noise(3000)), holes(Intervals.of(noise(3000)), share)
    for name, function in {**complexity.COMPLEXITY, **poincare.POINCARE}.items():
        assert function(some) == pytest.approx(function(whole), rel=0.15, abs=0.06), name
    powers = lomb_powers(holes(waves(), share))
    assert powers["lf"] == pytest.approx(450.0, rel=0.25)
    assert powers["hf"] == pytest.approx(200.0, rel=0.25)


def test_without_gaps_both_ways_to_a_spectrum_agree():
    welch, lomb = band_powers(waves(), shortest_s=60.0), lomb_powers(waves())
    for band in ("lf", "hf"):
        assert lomb[band] == pytest.approx(welch[band], rel=0.03)


def test_the_periodogram_is_scipys():
    from scipy import signal as sp

    some = holes(Intervals.of(noise(400)), 0.2)
    freqs, power = lomb_density(some, highest_hz=0.5)
    theirs = sp.lombscargle(some.at_s, some.ms - some.ms.mean(), 2 * np.pi * freqs)
    np.testing.assert_allclose(power, theirs * 2.0 * some.duration_s / len(some), rtol=1e-6)


def test_ten_hours_have_a_slowest_band():
    at = np.cumsum(np.full(45000, 0.8))
    ms = 800.0 + 30.0 * np.sin(2 * np.pi * 0.001 * at)
    assert lomb_powers(Intervals.of(ms, at_s=at))["ulf"] == pytest.approx(450.0, rel=0.05)


@pytest.mark.parametrize("name", sorted({**complexity.COMPLEXITY, **geometry.LONG}))
def test_too_little_is_said(name):
    with pytest.raises(TooShortError, match="needed"):
        {**complexity.COMPLEXITY, **geometry.LONG}[name](Intervals.of([]))
