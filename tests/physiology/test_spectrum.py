"""Band powers against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.variability.intervals import Intervals
from cueflow.tasks.physiology.variability.spectrum import band_powers, density


def modulated(parts: dict[float, float], seconds: float) -> Intervals:
    """Intervals about 800 ms with sines of these frequencies (Hz) and amplitudes (ms)."""
    ms, at = [], 0.0
    while at < seconds:
        ms.append(800.0 + sum(a * np.sin(2 * np.pi * f * at) for f, a in parts.items()))
        at += ms[-1] / 1000.0
    return Intervals.of(ms)


def test_a_sine_of_the_intervals_has_half_its_squared_amplitude_as_power_in_its_band():
    powers = band_powers(modulated({0.10: 30.0, 0.25: 20.0}, 400.0), shortest_s=60.0)
    assert powers["lf"] == pytest.approx(450.0, rel=0.05)
    assert powers["hf"] == pytest.approx(200.0, rel=0.08)
    assert powers.seconds == pytest.approx(400.0, abs=1.0)


def test_doubling_the_variability_makes_four_times_the_power():
    small = band_powers(modulated({0.10: 10.0}, 300.0), shortest_s=60.0)["lf"]
    large = band_powers(modulated({0.10: 20.0}, 300.0), shortest_s=60.0)["lf"]
    assert large / small == pytest.approx(4.0, rel=0.02)


def test_the_density_integrates_to_the_variance():
    freqs, power = density(modulated({0.10: 30.0}, 300.0))
    assert power.sum() * (freqs[1] - freqs[0]) == pytest.approx(450.0, rel=0.05)


def test_no_spectrum_crosses_a_break():
    whole = modulated({0.25: 20.0}, 300.0)
    steps = Intervals.of(np.concatenate([whole.ms, whole.ms + 300.0]))  # another level after the gap
    steps.breaks[len(whole)] = True
    assert band_powers(steps, shortest_s=60.0)["lf"] < 5.0
    joined = Intervals.of(steps.ms)
    assert band_powers(joined, shortest_s=60.0)["lf"] > 100.0


def test_stretches_shorter_than_the_rule_do_not_count():
    pieces = modulated({0.25: 20.0}, 200.0).without(slice(120, 121))  # about 96 s and 103 s
    assert band_powers(pieces, shortest_s=60.0).seconds > 190.0
    none = band_powers(pieces, shortest_s=120.0)
    assert none.seconds == 0.0
    assert np.isnan(none["hf"])
    assert np.isnan(none["lf"])
