"""Pulse from skin colour, and synchrony of two people, on signals with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Window
from cueflow.tasks.video.pulse.measures import pulse_measures
from cueflow.tasks.video.pulse.rppg import chrom, pos, pulse_windows, rate_and_snr
from cueflow.tasks.video.together.measures import pair_measures
from cueflow.tasks.video.together.synchrony import IN_STEP_Z, RATE_HZ, binned, bridged, synchrony


def skin(bpm, *, seconds=30.0, rate=30.0, noise=0.05, seed=0):
    """Mean skin colour with a pulse of .5 grey levels in green, less in red and blue, and light that drifts."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    beat = np.sin(2 * np.pi * bpm / 60 * times) + 0.3 * np.sin(4 * np.pi * bpm / 60 * times)
    light = 1 + 0.02 * np.sin(2 * np.pi * 0.07 * times)
    colour = np.array([170.0, 120.0, 100.0]) + beat[:, None] * np.array([0.15, 0.5, 0.25])
    return times, light[:, None] * colour + noise * rng.normal(size=(len(times), 3))


@pytest.mark.parametrize("bpm", [48, 72, 110, 150])
@pytest.mark.parametrize("rate", [15, 25, 30, 60])
def test_both_methods_find_the_rate(bpm, rate):
    windows = pulse_windows(*skin(bpm, rate=rate))
    assert len(windows) >= 4
    assert all(w.good for w in windows)
    assert [w.bpm for w in windows] == pytest.approx([bpm] * len(windows), abs=1.5)


@pytest.mark.parametrize("method", [pos, chrom])
def test_brightness_alone_is_no_pulse(method):
    times, _ = skin(70)
    flicker = np.array([170.0, 120.0, 100.0]) * (1 + 0.02 * np.sin(2 * np.pi * 1.5 * times))[:, None]
    _, pulse = skin(70, noise=0.0)
    assert np.std(method(flicker, 30.0)) < 0.05 * np.std(method(pulse, 30.0))


def test_noise_does_not_pass_the_gate_and_the_row_says_so():
    found = pulse_windows(*skin(70, noise=8.0))
    assert not any(w.good for w in found)
    got = {m.biomarker: m for m in pulse_measures(found, [Window(0.0, 30.0)], face=True)}
    assert got["face_pulse_rate_mean"].value is None
    assert got["face_pulse_rate_mean"].reason is Reason.LOW_SIGNAL
    assert got["face_pulse_snr_median"].value < 2


def test_no_pulse_across_a_lost_face_or_below_fourteen_frames():
    times, rgb = skin(70, seconds=18)
    rgb[270] = np.nan
    assert not pulse_windows(times, rgb)
    assert not pulse_windows(*skin(70, rate=10))


def test_snr_of_a_pure_tone_is_high():
    times = np.arange(300) / 30
    rate, snr = rate_and_snr(np.sin(2 * np.pi * 1.2 * times), 30.0)
    assert rate == pytest.approx(72, abs=0.5)
    assert snr > 9


def movement(seconds=300, seed=0):
    rng = np.random.default_rng(seed)
    raw = np.abs(rng.normal(size=round(seconds * RATE_HZ)))
    return np.convolve(raw, np.ones(5) / 5, mode="same")


@pytest.mark.parametrize("lag_s", [0.0, 1.0, -2.0])
def test_a_follower_is_found_with_its_lag(lag_s):
    leader = movement()
    follower = np.roll(leader, round(lag_s * RATE_HZ)) + 0.3 * movement(seed=1)
    found = synchrony(leader, follower)
    assert found.lag_s == pytest.approx(lag_s, abs=0.21)
    assert found.z > 5
    assert found.strength > 0.3


def test_one_who_follows_in_one_minute_of_three_has_the_lag_of_those():
    off = []
    for seed in range(12):
        leader, own = movement(seed=2 * seed), movement(seed=2 * seed + 1)
        along = np.arange(len(leader)) // round(60 * RATE_HZ) % 3 == 0
        off.append(synchrony(leader, np.where(along, np.roll(leader, round(3.6 * RATE_HZ)), own)).lag_s - 3.6)
    np.testing.assert_allclose(off, 0, atol=0.21)


def test_strangers_are_not_in_synchrony():
    zs = [synchrony(movement(seed=2 * k), movement(seed=2 * k + 1)).z for k in range(6)]
    assert np.abs(zs).max() < 3.5
    assert np.abs(np.mean(zs)) < 1.5


def test_strangers_have_no_lag_but_for_one_in_twenty():
    found = [synchrony(movement(seed=2 * k), movement(seed=2 * k + 1)) for k in range(100, 112)]
    assert [one.known_lag_s is None for one in found] == [one.z < IN_STEP_Z for one in found]
    assert sum(one.known_lag_s is None for one in found) >= 10
    follower = synchrony(movement(), np.roll(movement(), round(RATE_HZ)))
    assert follower.known_lag_s == follower.lag_s == pytest.approx(1.0, abs=0.21)


def test_too_few_windows_give_nothing():
    assert synchrony(movement(60), movement(60)) is None


def test_bins_have_gaps_where_nothing_was_seen():
    times = np.array([0.05, 0.1, 0.5])
    np.testing.assert_array_equal(
        binned(times, np.array([1.0, 3.0, 5.0]), start_s=0, end_s=1), [2, np.nan, 5, np.nan, np.nan]
    )


def test_a_speed_that_is_known_four_times_a_second_fills_the_bins_and_a_loss_does_not():
    times = np.arange(40) / 4
    seen = np.where((times > 3) & (times < 4.2), np.nan, 1 + times)
    bins = bridged(binned(times, seen, start_s=0, end_s=10))
    middles = (np.arange(50) + 0.5) / RATE_HZ
    assert np.isfinite(bins[(middles < 3) | ((middles > 4.3) & (middles < 9.7))]).all()
    assert np.isnan(bins[(middles > 3.2) & (middles < 4.2)]).all()
    np.testing.assert_allclose(bins[:15], 1 + middles[:15], atol=0.2)


def test_chance_is_as_rare_among_strangers_as_its_z_says():
    zs = np.array([synchrony(movement(seed=2 * k), movement(seed=2 * k + 1)).z for k in range(120)])
    assert zs.std() < 1.2
    assert np.mean(zs > 1.645) < 0.12


def test_one_person_is_no_pair():
    assert {m.reason for m in pair_measures(None, None, [Window(0, 60)])} == {Reason.ONE_PERSON}
