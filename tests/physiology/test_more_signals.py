"""Breathing that beats show, height of pulses, skin conductance as a wave, and steps: drawn signals of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import Signal, Window
from cueflow.tasks.physiology.heart.derived import derived_breathing
from cueflow.tasks.physiology.segments import segments
from cueflow.tasks.physiology.trend.slow import steps


def breathing_beats(per_min, *, seconds=400.0, height=0.1, interval=0.03, seed=0):
    """Times of beats whose interval and height follow a breath, and the heights."""
    rng, times = np.random.default_rng(seed), [0.5]
    while times[-1] < seconds:
        swing = np.sin(2 * np.pi * per_min / 60.0 * times[-1])
        times.append(times[-1] + 0.85 + interval * swing + rng.normal(0.0, 0.004))
    at = np.array(times)
    return at, 1.0 + height * np.sin(2 * np.pi * per_min / 60.0 * at) + rng.normal(0.0, 0.01, len(at))


@pytest.mark.parametrize("per_min", [6.0, 12.0, 18.0, 24.0])
def test_breathing_shows_in_height_and_interval(per_min):
    at, height = breathing_beats(per_min)
    tracks = (height, np.diff(at, prepend=np.nan))
    rate, pieces, clear = derived_breathing(at, tracks, np.ones(len(at), dtype=bool)).within(Window(0.0, 400.0))
    assert rate == pytest.approx(per_min, abs=0.5)
    assert pieces >= 8
    assert clear > 0.8


def test_where_height_and_interval_disagree_there_is_no_breathing():
    at, _ = breathing_beats(6.0, height=0.0)  # a slow wave of blood pressure moves the intervals
    height = 1.0 + 0.1 * np.sin(2 * np.pi * 0.3 * at)
    found = derived_breathing(at, (height, np.diff(at, prepend=np.nan)), np.ones(len(at), dtype=bool))
    assert found.within(Window(0.0, 400.0))[0] is None


def test_noise_does_not_breathe():
    given = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        at = np.cumsum(0.85 + rng.normal(0.0, 0.03, 400))
        found = derived_breathing(at, (rng.normal(size=400), np.diff(at, prepend=np.nan)), np.ones(400, dtype=bool))
        given += found.within(Window(0.0, 400.0))[0] is not None
    assert given <= 1


def pulse(signal_of, beats, *, level, height, unit):
    from cueflow.tasks.simulate.heart import pulse_wave

    times = np.arange(0.0, 240.0, 1.0 / 64.0)
    wave = pulse_wave(times, beats)
    return signal_of(level + height * wave / np.ptp(wave[640:]), 64.0, unit)


def test_the_perfusion_index_needs_light(signal_of, drawn_beats, analyse, measured):
    beats = drawn_beats(30.0, 820.0, 290, seed=5)
    lit = measured(analyse("ppg", pulse(signal_of, beats, level=100.0, height=2.0, unit="intensity")))
    assert lit["pulse_perfusion_mean"].value == pytest.approx(2.0, rel=0.1)
    assert lit["pulse_amplitude_mean"].value == pytest.approx(2.0, rel=0.1)
    other = measured(analyse("ppg", pulse(signal_of, beats, level=100.0, height=2.0, unit="a.u.")))
    assert other["pulse_perfusion_mean"].value is None
    assert other["pulse_perfusion_mean"].reason == "not_computable"


def test_power_and_slowness_of_skin_conductance(signal_of, analyse, measured):
    times = np.arange(0.0, 600.0, 0.25)
    wave = 5.0 + 0.2 * np.sin(2 * np.pi * 0.1 * times)
    found = measured(analyse("eda", signal_of(wave, 4.0, "µS")))
    assert found["eda_sympathetic"].value == pytest.approx(0.02, rel=0.05)  # half of 0.2²
    assert found["eda_sympathetic_n"].value > 0.95
    assert found["eda_autocorrelation"].value == pytest.approx(np.cos(2 * np.pi * 0.4), abs=0.02)


def test_who_does_not_respond_is_said(signal_of, analyse, measured):
    rng = np.random.default_rng(0)
    still = measured(analyse("eda", signal_of(3.0 + rng.normal(0, 0.001, 1600), 4.0, "µS")))
    assert still["scr_non_responder"].value == 1.0
    short = measured(analyse("eda", signal_of(3.0 + rng.normal(0, 0.001, 400), 4.0, "µS")))
    assert short["scr_non_responder"].value is None  # 100 s are too few to say so


@pytest.mark.parametrize(("hertz", "counted"), [(1.8, 108), (0.9, 108), (2.4, 144)])
def test_steps_of_a_walk_of_a_minute(hertz, counted):
    times = np.arange(0.0, 120.0, 1.0 / 32.0)
    rng = np.random.default_rng(1)
    walk = np.where(times < 60.0, 0.3 * np.sin(2 * np.pi * hertz * times), 0.0)
    signal = Signal(1.0 + walk + rng.normal(0.0, 0.01, len(times)), times, 32.0, "g")
    _, found = steps(signal, segments(signal, np.ones(len(times), dtype=bool), shortest_s=5.0))
    assert found.sum() == pytest.approx(counted, abs=6)
    assert not found[13:].any()


def test_shaking_without_rhythm_is_no_walk():
    times = np.arange(0.0, 120.0, 1.0 / 32.0)
    signal = Signal(1.0 + np.random.default_rng(2).normal(0.0, 0.3, len(times)), times, 32.0, "g")
    _, found = steps(signal, segments(signal, np.ones(len(times), dtype=bool), shortest_s=5.0))
    assert np.mean(found > 0) < 0.15
