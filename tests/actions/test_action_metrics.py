"""Every figure against a case that was worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.actions.judge.metrics import (
    Interval,
    average_precision,
    conditional_scores,
    event_ap,
    event_map,
    frame_map,
    segment_f1,
    tiou,
)


def test_average_precision_by_hand():
    found = average_precision(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0, 1, 0]))
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_of_equal_scores_is_the_share_of_positives():
    assert average_precision(np.zeros(8), np.array([0, 0, 0, 0, 0, 0, 1.0, 1])) == pytest.approx(0.25)
    assert average_precision(np.zeros(8), np.array([1.0, 1, 0, 0, 0, 0, 0, 0])) == pytest.approx(0.25)


def test_average_precision_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    truth, scores = (rng.random(300) < 0.2).astype(float), rng.random(300).round(1)
    assert average_precision(scores, truth) == pytest.approx(metrics.average_precision_score(truth, scores))


def test_frame_map_with_and_without_absent_classes():
    scores = np.array([[0.9, 0.1], [0.1, 0.2]])
    truth = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert frame_map(scores, truth) == pytest.approx(1.0)
    assert frame_map(scores, truth, present_only=False) == pytest.approx(0.5)
    assert np.isnan(frame_map(scores, np.zeros((2, 2))))


TRUE = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=bool)
FOUND = np.array([[0, 0], [1, 1], [1, 0], [0, 0]], dtype=bool)


def test_conditional_scores_at_the_same_step():
    # A given B: found at 1 and 2, right at 1, true at 1; B given A: found at 1, right, true at 1
    assert conditional_scores(FOUND, TRUE, np.zeros(4, int)) == pytest.approx((0.75, 1.0, 1.5 / 1.75))


def test_conditional_scores_one_step_later():
    # B was on before steps 2, 3: A found at 2, wrong; A was on before 1, 2: B found at 1, right; true at 1 and 2
    assert conditional_scores(FOUND, TRUE, np.zeros(4, int), tau=1) == pytest.approx((0.5, 0.5, 0.5))


def test_conditions_do_not_cross_recordings():
    truth = np.array([[1, 0], [0, 1]], dtype=bool)
    assert conditional_scores(truth, truth, np.array([0, 0]), tau=1) == pytest.approx((1.0, 1.0, 1.0))
    assert np.isnan(conditional_scores(truth, truth, np.array([0, 1]), tau=1)).all()


def intervals(*rows, label="a", session="s"):
    return [Interval(session, label, start, end, score) for start, end, score in rows]


def test_tiou_by_hand():
    first, second, far = intervals((0, 10, 1), (5, 15, 1), (20, 21, 1))
    assert tiou(first, second) == pytest.approx(1 / 3)
    assert tiou(first, far) == 0.0


def test_event_ap_by_hand_and_a_double_counts_as_wrong():
    truth = intervals((0, 10, 1), (20, 30, 1))
    found = intervals((0, 10, 0.9), (1, 10, 0.8), (20, 30, 0.7))
    assert event_ap(found, truth, least=0.5) == pytest.approx((1 + 2 / 3) / 2)
    assert event_ap(found, intervals(), least=0.5) != event_ap(found, intervals(), least=0.5)  # NaN


def test_other_sessions_and_classes_never_match():
    truth = intervals((0, 10, 1))
    assert event_ap(intervals((0, 10, 1), session="t"), truth, least=0.1) == 0.0
    assert event_map(intervals((0, 10, 1), label="b"), truth, ["a", "b"], least=0.1) == 0.0


def test_segment_f1_falls_with_the_overlap_asked_for():
    truth = intervals((0, 10, 1), (20, 30, 1))
    found = intervals((0, 10, 1), (24, 34, 1), (50, 60, 1))  # tIoU 1, 6/14, 0
    assert segment_f1(found, truth, ["a"], least=0.25) == pytest.approx(0.8)
    assert segment_f1(found, truth, ["a"], least=0.5) == pytest.approx(0.4)
