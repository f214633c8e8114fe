"""Intervals know where they touch."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import Window
from cueflow.tasks.physiology.variability.hrv import rmssd
from cueflow.tasks.physiology.variability.intervals import Intervals


def test_leaving_one_out_makes_a_break_after_it():
    kept = Intervals.of([800, 810, 790, 805]).without(slice(1, 2))
    np.testing.assert_array_equal(kept.ms, [800, 790, 805])
    np.testing.assert_array_equal(kept.breaks, [True, True, False])
    assert rmssd(kept) == pytest.approx(15.0)  # only 790 → 805 touch


def test_no_interval_spans_two_segments_or_ends_in_a_flagged_beat():
    beats = np.array([0.0, 0.8, 1.6, 2.5, 9.0, 9.9, 10.7])
    piece = np.array([0, 0, 0, 0, 1, 1, 1])
    trusted = np.array([True, True, False, True, True, True, True])
    joined = np.ones(7, dtype=bool)
    joined[6] = False
    found = Intervals.between(beats, piece, trusted=trusted, joined=joined)
    np.testing.assert_allclose(found.ms, [800, 900])
    np.testing.assert_allclose(found.at_s, [0.8, 9.9])
    np.testing.assert_array_equal(found.breaks, [True, True])


def test_a_window_keeps_intervals_with_both_beats_inside():
    whole = Intervals.of([1000.0] * 10)  # beats at 0, 1, … 10 s
    found = whole.within(Window(2.0, 5.5))
    np.testing.assert_allclose(found.at_s, [3.0, 4.0, 5.0])
    np.testing.assert_array_equal(found.breaks, [True, False, False])


def test_stretches_add_up_to_the_whole():
    kept = Intervals.of([800, 810, 790, 805, 820]).without(slice(2, 3))
    first, second = kept.stretches()
    np.testing.assert_array_equal(first.ms, [800, 810])
    np.testing.assert_array_equal(second.ms, [805, 820])
    assert first.duration_s + second.duration_s == pytest.approx(kept.duration_s)


def test_rate_holds_through_each_interval_and_is_unknown_between():
    kept = Intervals.of([1000.0, 500.0, 1000.0]).without(slice(1, 2))  # 0–1 s, 1.5–2.5 s
    np.testing.assert_allclose(kept.rate_at(np.array([0.5, 1.2, 1.6, 2.6])), [60.0, np.nan, 60.0, np.nan])


def test_fewer_than_two_beats_give_no_interval():
    for times in ([], [3.0]):
        beats = np.array(times)
        yes = np.ones(len(beats), dtype=bool)
        found = Intervals.between(beats, np.zeros(len(beats), dtype=np.int64), trusted=yes, joined=yes)
        assert len(found) == 0
        assert found.stretches() == ()
        assert found.duration_s == 0.0
        assert np.isnan(found.rate_at(np.array([0.0]))).all()
