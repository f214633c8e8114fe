"""Measures of actions by hand, and what chance gives by shifting one of them round the session."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.biomarkers import action_slug, declared_as
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Window
from cueflow.tasks.actions.answer.measures import action_measures, follow_share, overlap_lift

WHOLE = Window(0.0, 100.0)
SEEN = np.arange(0, 100, 0.25)


def rows(label, *spans):
    return [Event("action", label, float(a), float(b), 0.9) for a, b in spans]


def measured(events, labels=("nod", "Leg movement"), windows=(WHOLE,), seen=SEEN):
    return {
        (m.biomarker, m.window.phase): m for m in action_measures(events, labels, windows, seen_s=seen, step_s=0.25)
    }


def test_counts_lengths_and_onsets():
    found = measured(rows("nod", (10, 12), (40, 44)), windows=(WHOLE, Window(30, 60, "talk")))
    value = {key: m.value for key, m in found.items()}
    assert value["action_nod_count", "session"] == 2
    assert value["action_nod_rate", "session"] == pytest.approx(1.2)
    assert value["action_nod_total", "session"] == pytest.approx(6)
    assert value["action_nod_duration_mean", "session"] == pytest.approx(3)
    assert value["action_nod_first_onset", "session"] == pytest.approx(10)
    assert value["action_nod_count", "talk"] == 1
    assert value["action_nod_first_onset", "talk"] == pytest.approx(10)


def test_an_action_that_never_came_counts_zero_and_has_no_onset():
    found = measured(rows("nod", (10, 12)))
    assert found["action_leg_movement_count", "session"].value == 0
    onset = found["action_leg_movement_first_onset", "session"]
    assert (onset.value, onset.status, onset.reason) == (None, Status.TOO_SHORT, Reason.FEW_EVIDENCE)


def test_time_that_was_not_seen_is_no_evidence():
    found = measured(rows("nod", (10, 12)), seen=SEEN[:20])
    assert found["action_nod_rate", "session"].status is Status.TOO_SHORT
    half = measured(rows("nod", (10, 12)), seen=SEEN[:200])["action_nod_rate", "session"]
    assert half.value == pytest.approx(60 / 50)  # minutes that were seen


def test_a_reply_that_always_comes_is_far_over_chance():
    first = rows("nod", *((t, t + 1) for t in range(5, 95, 15)))
    second = rows("Leg movement", *((t + 3, t + 4) for t in range(5, 95, 15)))
    found = measured([*first, *second])
    assert found["action_nod_then_leg_movement_share", "session"].value == 1.0
    assert found["action_nod_then_leg_movement_lift", "session"].value == pytest.approx(100 / 30)
    assert found["action_leg_movement_then_nod_share", "session"].value == 0.0


def test_chance_is_what_shifting_gives():
    rng = np.random.default_rng(3)
    onsets = np.sort(rng.uniform(0, 100, 9))
    second = np.stack([onsets, onsets + 0.5], axis=1)
    first = np.array([[20.0, 22.0], [50.0, 51.0], [70.0, 74.0]])
    _, chance = follow_share(first, second, WHOLE)
    shifts = np.arange(0, 100, 0.05)
    shifted = [np.mod(onsets + s, 100) for s in shifts]
    expected = np.mean([[np.any(np.mod(o - e, 100) <= 5.0) for e in first[:, 1]] for o in shifted])
    assert chance == pytest.approx(expected, abs=0.005)


def test_two_that_always_go_together():
    spans = np.array([[10.0, 20.0], [50.0, 60.0]])
    assert overlap_lift(spans, spans, WHOLE) == pytest.approx(5.0)
    assert overlap_lift(spans, spans + 20, WHOLE) == 0.0
    assert overlap_lift(spans, np.zeros((0, 2)), WHOLE) is None


def test_names_of_measures_come_from_labels():
    assert action_slug("Leg movement (left)") == "leg_movement_left"
    assert declared_as("action_leg_movement_left_rate").unit == "1/min"
    assert declared_as("action_a_then_b_lift").evidence.unit == "actions"
    with pytest.raises(KeyError):
        declared_as("action_nod_mood")
