"""Steps of a clock that no window shows: an end of the recording that does not fit at the place of the rest."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.clock.jumps import Shared, place_with_jumps, silent_end
from cueflow.tasks.clock.lines import Offset

TIMES = np.arange(0.0, 1800.0, 0.2)
rng = np.random.default_rng(0)


def fitting(since_s, until_s):
    """How well each moment fits: as well as it can between the two times, by chance elsewhere."""
    could = rng.exponential(1.0, len(TIMES))
    return np.where((since_s <= TIMES) & (until_s > TIMES), 0.7, 0.0) * could + rng.normal(0, 0.3, len(TIMES)), could


@pytest.mark.parametrize(("since_s", "until_s", "border_s"), [(0, 1200, 1200), (700, 1800, 700)])
def test_an_end_that_does_not_fit_is_told(since_s, until_s, border_s):
    fit, could = fitting(since_s, until_s)
    assert silent_end(TIMES, fit, could) == pytest.approx(border_s, abs=200)


def test_an_end_in_which_nothing_happens_or_that_the_reference_did_not_record_is_none():
    fit, could = fitting(0, 1200)
    assert silent_end(TIMES, fit, np.where(TIMES < 1200, could, 0.0)) is None
    assert silent_end(TIMES, *fitting(0, 1800)) is None
    assert silent_end(TIMES, np.zeros(len(TIMES)), np.zeros(len(TIMES))) is None


def shared(place):
    """A recording whose last third is 2 s further on, and whose windows nobody can place."""
    _, could = fitting(0, 1800)

    def fits(found):
        lag = found.at(TIMES) - TIMES
        return TIMES, np.where(np.abs(lag - np.where(TIMES < 1200, 5.0, 7.0)) < 0.05, 0.7, 0.0) * could, could

    return Shared(place, fits, (0.0, 1800.0), 300.0, 20.0)


def test_an_end_is_placed_by_itself_where_no_window_shows_the_step():
    def place(first_s, last_s, _lead_s):
        if last_s - first_s < 400:
            return None
        return Offset(7.0 if first_s > 900 else 5.0, 0.0, 0.02, 9, "movement")

    found = place_with_jumps(shared(place))
    assert found.offset_s == 5.0
    ((at_s, by_s, within_s),) = found.jumps
    assert at_s == pytest.approx(1200, abs=max(within_s, 1.0))
    assert within_s < 60
    assert by_s == pytest.approx(2.0)


def test_the_moment_of_a_step_lies_where_the_hand_is_out_of_the_picture():
    """From 1000 to 1250 s the clock steps while what is felt is not seen, and fits the other place by chance once."""
    _, could = fitting(0, 1800)
    chance = np.where((TIMES > 1010) & (TIMES < 1030), 1.5, 0.0) * could

    def place(first_s, last_s, _lead_s):
        return Offset(5.0 if (first_s + last_s) / 2 < 1100 else 7.0, 0.0, 0.02, 9, "movement")

    def fits(found):
        lag = found.at(TIMES) - TIMES
        own = (np.abs(lag - 5.0) < 0.05) & (TIMES < 1000) | (np.abs(lag - 7.0) < 0.05) & (TIMES > 1250)
        return TIMES, np.where(own, 0.7, 0.0) * could + np.where(np.abs(lag - 7.0) < 0.05, 0.1, 0.0) * chance, could

    found = place_with_jumps(Shared(place, fits, (0.0, 1800.0), 300.0, 1.0))
    ((at_s, by_s, within_s),) = found.jumps
    assert by_s == pytest.approx(2.0)
    assert at_s - within_s == pytest.approx(1000, abs=15)
    assert at_s + within_s == pytest.approx(1250, abs=15)


@pytest.mark.parametrize(("drift_ppm", "there"), [(149.0, True), (-186.0, False)])
def test_a_drift_that_no_clock_has_places_nothing(drift_ppm, there):
    _, could = fitting(0, 1800)

    def place(_first_s, _last_s, _lead_s):
        return Offset(5.0, drift_ppm, 0.02, 9, "movement")

    found = place_with_jumps(Shared(place, lambda _: (TIMES, 0.7 * could, could), (0.0, 1800.0), 300.0, 20.0))
    assert (found is not None) == there


def test_where_the_end_has_no_place_the_whole_has_none():
    def place(first_s, last_s, _lead_s):
        return Offset(5.0, 0.0, 0.02, 9, "movement") if first_s == 0 and last_s - first_s > 400 else None

    assert place_with_jumps(shared(place)) is None
