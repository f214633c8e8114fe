"""Windows inside a session, and changes between visits."""

from __future__ import annotations

import polars as pl
import pytest

from cueflow.schemas.errors import FusionError
from cueflow.tasks.fusion import predict, train, trajectory, visit_change


def _windows(frame: pl.DataFrame, session: str, factors: dict[str, float]) -> pl.DataFrame:
    """Phases of 20 s in which the session's distance from 10 (the cohort's centre) is scaled."""
    mine = frame.filter(pl.col("session_id") == session)
    parts = [
        mine.with_columns(
            value=10 + (pl.col("value") - 10) * factor,
            phase=pl.lit(phase),
            window_start_s=pl.lit(20.0 * k),
            window_end_s=pl.lit(20.0 * k + 20),
        )
        for k, (phase, factor) in enumerate(factors.items())
    ]
    return pl.concat([frame, *parts])


def test_a_trajectory_follows_the_values(model, cohort, predictions):
    p = max((p for p in predictions if not p.abstained), key=lambda p: p.log_odds)
    steps = trajectory(
        model, _windows(cohort.frame, p.session_id, {"calm": 0.0, "half": 0.5, "task": 1.0}), p.session_id
    )
    assert [(s.phase, s.start_s, s.end_s) for s in steps] == [("calm", 0, 20), ("half", 20, 40), ("task", 40, 60)]
    odds = [s.prediction.log_odds for s in steps]
    assert odds == sorted(odds)
    assert odds[-1] == pytest.approx(p.log_odds, abs=1e-9)
    for s in steps:
        assert s.prediction.log_odds == pytest.approx(
            s.prediction.bias + sum(c.contribution for c in s.prediction.contributions), abs=1e-9
        )
        assert {c.span_end_s for c in s.prediction.contributions if c.value is not None} == {s.end_s}


def test_windows_of_a_stranger_are_compared_with_its_whole_sessions(make_cohort):
    cohort = make_cohort(subjects=12, sessions=5)
    model = train(cohort.frame, cohort.labels, target="pain", baseline="subject", kinds=("linear",))
    new = make_cohort(subjects=1, sessions=5, seed=8)
    session = new.frame["session_id"][0]
    (step,) = trajectory(model, _windows(new.frame, session, {"task": 1.0}), session)
    whole = next(p for p in predict(model, new.frame) if p.session_id == session)
    assert step.prediction.log_odds == pytest.approx(whole.log_odds, abs=1e-9)


def test_a_change_adds_up_and_knows_its_doubt(model, cohort, predictions):
    people = dict(cohort.frame.select("session_id", "subject_id").unique().iter_rows())
    first = predictions[0]
    second = next(p for p in predictions[1:] if people[p.session_id] == people[first.session_id])
    made = visit_change(model, cohort.frame, first.session_id, second.session_id)
    assert made.change == pytest.approx(second.log_odds - first.log_odds, abs=1e-9)
    assert made.change == pytest.approx(made.bias + sum(c.contribution for c in made.contributions), abs=1e-9)
    assert made.low < made.change < made.high
    back = visit_change(model, cohort.frame, second.session_id, first.session_id)
    assert back.low == pytest.approx(-made.high, abs=1e-9)


def test_the_same_session_has_not_changed(model, cohort, predictions):
    full = next(p for p in predictions if all(c.value is not None for c in p.contributions))
    made = visit_change(model, cohort.frame, full.session_id, full.session_id)
    assert made.change == 0
    assert made.high - made.low < 1e-6


def test_refusals(model, cohort, predictions):
    with pytest.raises(FusionError, match="two persons"):
        visit_change(model, cohort.frame, predictions[0].session_id, predictions[-1].session_id)
    with pytest.raises(FusionError, match="'x' is not in the table"):
        visit_change(model, cohort.frame, "x", predictions[-1].session_id)
    with pytest.raises(FusionError, match="no values of phases"):
        trajectory(model, cohort.frame, predictions[0].session_id)
    with pytest.raises(FusionError, match="needs the columns phase"):
        trajectory(model, cohort.frame.drop("phase"), predictions[0].session_id)
