"""Spans of the session clock."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import Window
from cueflow.schemas.session import Exclusion, Marker
from cueflow.tasks.windows import excluded, measuring_windows, per_second, phases_of, within


def test_markers_with_a_duration_are_phases_and_instants_are_not():
    phases = phases_of([Marker(2.0, 3.0, "rest"), Marker(4.0, 0.0, "clap")])
    assert phases == (Window(2.0, 5.0, "rest"),)


def test_the_kind_of_a_row_says_what_it_is():
    rows = [Marker(0.0, d, "x", kind) for kind in ("", "phase", "marker", "action") for d in (0.0, 2.0)]
    assert [m.is_phase for m in rows] == [False, True, False, True, False, False, False, False]
    assert [m.is_event for m in rows] == [True, False, True, False, True, True, False, False]
    assert len(phases_of(rows)) == 2


def test_a_phase_that_the_recording_does_not_reach_gives_no_window():
    windows = measuring_windows(0.0, 10.0, [Window(8.0, 20.0, "rest"), Window(10.0, 12.0, "later")])
    assert [w.phase for w in windows] == ["session", "rest"]
    assert windows[1].end_s == pytest.approx(20.0)  # not cut: coverage says how much of it was seen


def test_excluded_spans_are_half_open():
    times = np.array([0.9, 1.0, 1.5, 2.0])
    assert excluded(times, [Exclusion(1.0, 1.0, "noise")]).tolist() == [False, True, True, False]
    assert within(times, Window(1.0, 2.0)).tolist() == [False, True, True, False]


def test_a_second_without_samples_is_a_gap():
    times = np.array([0.2, 0.8, 2.5, 2.6])
    series = per_second("x", times, np.array([1.0, 3.0, np.nan, 7.0]), start_s=0.2, end_s=2.7)
    assert series.t_s.tolist() == [0.0, 1.0, 2.0]
    assert series.values[[0, 2]].tolist() == [2.0, 7.0]
    assert np.isnan(series.values[1])


def test_a_recording_that_starts_before_the_session_keeps_its_place():
    series = per_second("x", np.array([-1.5, -0.5]), np.array([1.0, 2.0]), start_s=-1.5, end_s=0.0)
    assert series.t_s.tolist() == [-2.0, -1.0]
