"""Bins keep the mean, the extremes and the gaps of a series."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.report.bins import Grid, bin_series, count_in_bins, make_grid, runs


def test_a_short_session_has_a_bin_per_second():
    assert make_grid(0.0, 600.0) == Grid(0.0, 1.0, 600)


def test_two_hours_fit_into_the_points_allowed():
    grid = make_grid(0.0, 7200.0)
    assert (grid.step_s, grid.n) == (10.0, 720)
    assert grid.edges_s[-1] == 7200.0


def test_a_session_of_no_length_has_one_bin():
    assert make_grid(3.2, 3.2) == Grid(3.0, 1.0, 1)


def test_bins_hold_mean_and_extremes_of_what_was_observed():
    values = np.array([1.0, 3.0, np.nan, 8.0, np.nan, np.nan])
    binned = bin_series(np.arange(6.0), values, Grid(0.0, 2.0, 3))
    np.testing.assert_array_equal(binned.mean, [2.0, 8.0, np.nan])
    np.testing.assert_array_equal(binned.low, [1.0, 8.0, np.nan])
    np.testing.assert_array_equal(binned.high, [3.0, 8.0, np.nan])


def test_a_missing_row_is_a_gap_like_a_missing_value():
    binned = bin_series(np.array([0.0, 3.0]), np.array([5.0, 6.0]), Grid(0.0, 1.0, 4))
    assert list(runs(binned.mean)) == [(0, 1), (3, 4)]


def test_a_spike_of_one_second_survives_in_the_band():
    values = np.zeros(7200)
    values[4321] = 9.0
    binned = bin_series(np.arange(7200.0), values, make_grid(0, 7200))
    assert binned.high.max() == 9.0
    assert binned.mean.max() == pytest.approx(9.0 / 10)


def test_counting_leaves_out_what_lies_outside():
    np.testing.assert_array_equal(count_in_bins(np.array([-1.0, 0.0, 0.5, 3.9, 9.0]), Grid(0.0, 2.0, 2)), [2.0, 1.0])
