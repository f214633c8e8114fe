"""Recorders without a declared start: simulated sessions, whose clocks are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Signal, StreamResult, Window
from cueflow.schemas.session import Modality, Role, Stream
from cueflow.tasks.align import align
from cueflow.tasks.clock.move import moved
from cueflow.tasks.clock.place import place_recorders
from cueflow.tasks.physiology.analyse import analyse_physiology
from cueflow.tasks.simulate.devices import record
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.people import draw_subject
from cueflow.tasks.simulate.plan import draw_plan

PHASE = Window(0.0, 60.0, "rest")


@pytest.fixture(scope="module")
def session():
    """A plan, and the results of its chest strap and wristband, analysed as if both began with the session."""
    plan = draw_plan(
        5, 1, draw_subject(np.random.default_rng(5), 1), Effects(missing_share=0.0), visit=1, duration_s=180.0
    )
    return plan, tuple(
        analysed(plan, device, modality, channel)
        for device, modality, channel in (
            ("chest", Modality.ECG, "ecg"), ("wrist", Modality.PPG, "ppg"), ("wrist", Modality.EDA, "eda"),
        )
    )  # fmt: skip


def analysed(plan, device, modality, channel):
    made = record(plan, device)
    start_s = plan.clocks["chest"].offset_s if device == "chest" else 0.0
    signal = Signal(made.columns[channel], start_s + made.times_s, made.rate, made.units[channel])
    found = analyse_physiology(modality, signal, phases=(PHASE,), exclusions=(), config=PhysiologyConfig())
    return StreamResult(modality, "patient", "", Status.OK, None, "", found, "1", "", "", 0.1)


def streams(plan, *, chest="declared"):
    start_s = plan.clocks["chest"].offset_s if chest == "declared" else None
    return (
        Stream(Modality.ECG, "chest.csv", start_s=start_s),
        Stream(Modality.PPG, "wrist.csv"),
        Stream(Modality.EDA, "wrist.csv"),
    )


def test_all_streams_of_a_wristband_move_with_its_pulse(session):
    plan, results = session
    places = place_recorders(results, streams(plan)).found
    truth = plan.clocks["wrist"].offset_s
    assert truth > 0.1
    assert {key[0] for key in places} == {"ppg", "eda"}
    place = places["ppg", "patient", ""]
    assert abs(place.offset_s - truth) < place.uncertainty_s < 0.2
    before, after = results[2].findings, moved(results, places)[2].findings
    assert after.start_s - before.start_s == pytest.approx(place.offset_s)
    assert after.events[0].start_s - before.events[0].start_s == pytest.approx(place.offset_s, abs=0.01)
    assert after.series[0].t_s[0] - before.series[0].t_s[0] == round(place.offset_s)
    windows = {m.window for m in after.measures}
    assert PHASE in windows
    assert Window(after.start_s, after.end_s) in windows
    assert moved(results, places)[0] is results[0]


def test_what_was_measured_in_a_phase_has_no_value_where_the_recorder_stood_elsewhere(session):
    plan, results = session
    places = place_recorders(results, streams(plan)).found
    for by_s, reason in ((0.4, None), (7.0, Reason.SPANS_ELSEWHERE)):
        there = {key: replace(place, offset_s=by_s) for key, place in places.items()}
        found = moved(results, there)[1].findings.measures
        rate = {m.window.phase: m for m in found if m.biomarker == "pulse_rate_mean"}
        assert rate["session"].value is not None
        assert (rate["rest"].value is None, rate["rest"].reason) == (reason is not None, reason)
        assert rate["rest"].window == PHASE


def test_the_sync_records_say_what_was_estimated(session):
    plan, results = session
    places = place_recorders(results, streams(plan))
    aligned = align(moved(results, places.found), streams(plan), places=places)
    assert [s.source for s in aligned.sync] == ["declared", "estimated", "estimated"]
    assert aligned.sync[1].uncertainty_s == places.found["ppg", "patient", ""].uncertainty_s


def test_without_any_declared_start_the_first_recorder_is_the_reference(session):
    plan, results = session
    places = place_recorders(results, streams(plan, chest="hidden"))
    assert {key[0] for key in places.found} == {"ppg", "eda"}
    assert places.reference == "chest.csv"


def test_a_declared_start_is_never_moved(session):
    plan, results = session
    declared = (*streams(plan)[:1], Stream(Modality.PPG, "wrist.csv", start_s=9.0), Stream(Modality.EDA, "wrist.csv"))
    assert not place_recorders(results, declared).found


def test_another_person_s_heart_is_no_reference(session):
    plan, results = session
    roles = (Stream(Modality.ECG, "chest.csv", start_s=0.0, role="clinician"), *streams(plan)[1:])
    theirs = StreamResult("ecg", "clinician", "", Status.OK, None, "", results[0].findings, "1", "", "", 0.1)
    places = place_recorders((theirs, *results[1:]), roles)
    assert not places.found
    assert places.reasons["ppg", "patient", ""] is Reason.NOTHING_SHARED


def test_recorders_that_share_nothing_with_the_session_are_placed_on_one_another(session):
    plan, results = session
    film = Stream(Modality.VIDEO, "film.mp4", start_s=100.0)
    rows = (film, *streams(plan, chest="hidden"))
    places = place_recorders(results, rows)
    assert {key[0]: group for key, group in places.groups.items()} == {"ecg": 1, "ppg": 1, "eda": 1}
    assert set(places.reasons.values()) == {Reason.NOTHING_SHARED}  # with the film
    truth = plan.clocks["wrist"].offset_s  # what the strap found stands on the session clock
    place = places.found["ppg", "patient", ""]
    assert abs(place.offset_s - truth) < place.uncertainty_s < 0.2
    sync = align(moved(results, places.found), rows, places=places).sync
    assert [(s.source, s.group) for s in sync] == [("declared", 0)] + 3 * [("unsynchronised", 1)]
    assert [s.offset_s for s in sync] == [100.0, 0.0, place.offset_s, place.offset_s]
    assert [s.method for s in sync] == ["", "", "heart beats", "heart beats"]


def test_each_person_s_recorders_are_a_group(session):
    plan, results = session
    theirs = tuple(replace(r, role="clinician") for r in results)
    own = streams(plan, chest="hidden")
    others = tuple(replace(s, path=f"other-{s.path}", role=Role.CLINICIAN) for s in own)
    places = place_recorders((*results, *theirs), (*own, *others))
    assert places.reference == "chest.csv"
    assert {key[1] for key in places.groups} == {"clinician"}
    assert places.found["ppg", "clinician", ""] == places.found["ppg", "patient", ""]
    assert {key[1] for key in places.reasons} == {"clinician"}


def test_without_beats_nothing_can_be_told(session):
    plan, results = session
    assert not place_recorders(results[2:], streams(plan)[1:]).found
    assert not place_recorders((), ()).found
