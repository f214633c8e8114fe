"""Jitter and shimmer: the formulas on numbers, and the cycles on pulses whose instants are known."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.audio.quality import perturbation as pb
from cueflow.tasks.audio.quality.periods import find_cycles
from cueflow.tasks.audio.signal.stream import chunks


def test_formulas_on_alternating_cycles():
    periods = np.tile([0.0099, 0.0101], 50)
    assert pb.jitter_local(periods) == pytest.approx(2.0)
    assert pb.jitter_abs(periods) == pytest.approx(0.0002)
    # the mean of three alternating cycles lies a third of the way towards the middle one
    assert pb.jitter_smoothed(periods, 3) == pytest.approx(100 * 0.0002 * 2 / 3 / 0.01)
    assert pb.jitter_smoothed(periods, 5) == pytest.approx(100 * 0.0002 * 2 / 5 / 0.01)


def test_formulas_on_alternating_amplitudes():
    tops = np.tile([0.9, 1.1], 50)
    assert pb.shimmer_local(tops) == pytest.approx(20.0)
    assert pb.shimmer_db(tops) == pytest.approx(20 * np.log10(1.1 / 0.9))
    assert pb.shimmer_smoothed(tops, 3) == pytest.approx(100 * 0.2 * 2 / 3)
    assert pb.shimmer_smoothed(tops, 11) == pytest.approx(100 * 0.2 * 6 / 11)  # six of eleven are the others


def test_a_drift_is_no_perturbation_of_three():
    assert pb.jitter_smoothed(np.linspace(0.008, 0.009, 200), 3) == pytest.approx(0.0, abs=1e-9)


def test_neighbours_over_a_gap_or_too_different_are_not_compared():
    marks = np.concatenate([np.arange(20) * 0.01, 1.0 + np.arange(20) * 0.005])
    periods, tops = pb.comparable(marks, np.concatenate([np.full(20, 1.0), np.full(20, 1.5)]))
    assert pb.jitter_local(periods) == pytest.approx(0.0, abs=1e-9)
    assert pb.shimmer_local(tops) == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(pb.jitter_local(np.array([0.01, 0.014])))
    assert np.isnan(pb.shimmer_local(np.array([1.0, 1.7])))
    assert np.isnan(pb.jitter_smoothed(np.array([0.01, 0.01]), 5))


def test_a_missing_mark_between_two_pieces_breaks_the_chain():
    whole = np.arange(10) * 0.01
    parted = np.concatenate([whole[:5], [np.nan], whole[5:]])
    tops = np.arange(11, dtype=float) + 10
    periods, kept = pb.comparable(parted, tops)
    assert np.isnan(periods[[4, 5]]).all()
    assert len(pb.periods_of(whole)[np.isfinite(pb.periods_of(whole))]) == 9
    assert np.isfinite(periods).sum() == 8
    assert np.isfinite(kept).sum() == 6  # the two ends of both pieces have one neighbour only


def steady(f0, seconds):
    return np.full(int(seconds * 100), f0, dtype=np.float32)


def cycles_of(make_pulses, periods, heights):
    times = 0.02 + np.concatenate([[0.0], np.cumsum(periods)])
    times, heights = times[: len(heights)], heights[: len(times)]
    seconds = float(times[-1]) + 0.03
    x = make_pulses(times, heights, seconds)
    chunk = next(iter(chunks([0.2 * x])))
    f0 = np.full(chunk.n_frames, 1.0 / periods.mean(), dtype=np.float32)
    return times, find_cycles(chunk.samples, f0, peak=float(np.abs(chunk.core).max()))


def test_marks_are_one_a_cycle_and_evenly_spaced(make_pulses):
    times, cycles = cycles_of(make_pulses, np.full(200, 1 / 123.4), np.ones(200))
    inner = cycles.times_s[2:-2]
    assert abs(len(cycles.times_s) - len(times)) <= 2
    assert np.diff(inner) == pytest.approx(np.full(len(inner) - 1, 1 / 123.4), abs=3e-6)


@pytest.mark.parametrize("percent", [0.5, 1.0, 3.0])
def test_jitter_that_was_put_in_comes_out(make_pulses, percent):
    rng = np.random.default_rng(0)
    periods = 0.008 * (1 + percent / 100 * rng.standard_normal(400))
    truth = pb.jitter_local(periods)
    _, cycles = cycles_of(make_pulses, periods, np.ones(400))
    found, _ = pb.comparable(cycles.times_s, cycles.amplitude)
    assert pb.jitter_local(found) == pytest.approx(truth, rel=0.06)
    assert pb.jitter_smoothed(found, 3) == pytest.approx(pb.jitter_smoothed(periods, 3), rel=0.06)
    assert pb.jitter_smoothed(found, 5) == pytest.approx(pb.jitter_smoothed(periods, 5), rel=0.06)


@pytest.mark.parametrize("percent", [2.0, 5.0])
def test_shimmer_that_was_put_in_comes_out(make_pulses, percent):
    rng = np.random.default_rng(1)
    heights = 1 + percent / 100 * rng.standard_normal(400)
    _, cycles = cycles_of(make_pulses, np.full(400, 0.008), heights)
    _, tops = pb.comparable(cycles.times_s, cycles.amplitude)
    assert pb.shimmer_local(tops) == pytest.approx(pb.shimmer_local(heights), rel=0.06)
    assert pb.shimmer_db(tops) == pytest.approx(pb.shimmer_db(heights), rel=0.06)
    assert pb.shimmer_smoothed(tops, 11) == pytest.approx(pb.shimmer_smoothed(heights, 11), rel=0.06)


def test_silence_between_two_stretches_has_no_marks(make_pulses):
    times = np.concatenate([0.1 + np.arange(40) * 0.008, 0.9 + np.arange(40) * 0.008])
    chunk = next(iter(chunks([0.2 * make_pulses(times, np.ones(80), 1.4)])))
    f0 = np.full(chunk.n_frames, np.nan, dtype=np.float32)
    f0[10:41] = f0[90:121] = 125.0
    cycles = find_cycles(chunk.samples, f0, peak=0.2)
    assert not ((cycles.times_s > 0.44) & (cycles.times_s < 0.88)).any()
    assert np.diff(cycles.times_s).min() > 0.007


def test_changes_lie_in_the_frames_where_cycles_meet():
    """Cycles of 10 and 11 ms in turn; a gap, and where two pieces were searched apart, compares with nothing."""
    first = np.cumsum([0.001, 0.010, 0.011, 0.010])
    times = np.concatenate([first, [np.nan], 0.101 + np.cumsum([0.0, 0.010, 0.010]), [0.5]])
    change = pb.change_per_frame(times, n_frames=60, frame_s=0.01)
    assert change[[1, 2]] == pytest.approx([0.1, 1 / 11], rel=1e-5)
    assert change[11] == pytest.approx(0.0, abs=1e-5)
    assert np.isfinite(change).sum() == 3
