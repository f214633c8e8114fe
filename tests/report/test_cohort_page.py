"""The page of a cohort: every session with a link, every biomarker with its distribution."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.tasks.report.cohort import MAX_SESSIONS, _strips, cohort_page
from cueflow.tasks.report.matrix import make_matrix
from cueflow.tasks.report.text import page_name

NAME = next(iter(BIOMARKERS))


def cohort(rows, values, status="ok", phase="session"):
    common = {"modality": BIOMARKERS[NAME].modality, "role": "patient", "biomarker": NAME, "phase": phase}
    made = [common | {"session_id": f"S{k}", "value": value, "status": status} for k, value in enumerate(values)]
    return rows.frame("biomarkers", made)


def test_sessions_are_counted_by_state_and_linked(rows):
    states = ["ok", "ok", "degraded", "failed"]
    sessions = rows.frame(
        "sessions",
        [rows.session_row(session_id=f"S {k}", status=s, subject_id=f"P{k // 2}") for k, s in enumerate(states)],
    )
    text = cohort_page(sessions, rows.frame("biomarkers", rows.biomarker_rows()), generated="now")
    assert "4 sessions of 2 subjects" in text
    assert re.findall(r"<strong>(\d+)</strong><span class=\"state s-(\w+)", text) == [
        ("2", "ok"),
        ("1", "degraded"),
        ("1", "failed"),
    ]
    for k in range(4):
        assert f'<a href="{page_name(f"S {k}")}">S {k}</a>' in text


def test_a_strip_shows_the_quartiles_of_the_values_that_are_ok(rows):
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    frame = pl.concat(
        [cohort(rows, values), cohort(rows, [99.0, 98.0], status="low_quality"), cohort(rows, [50.0], phase="rest")]
    )
    (group,) = _strips(frame)
    (strip,) = group.strips
    assert (strip.n, strip.missing, strip.median, strip.quartiles) == ("5", "2", "3", "2 to 4")
    assert (strip.low, strip.high) == ("1", "5")
    assert strip.mid_x == pytest.approx(500)
    assert (strip.box_x, strip.box_width) == (pytest.approx(260), pytest.approx(480))
    assert strip.dots.count("M") == 5
    assert strip.bars == ""


def test_many_values_are_a_histogram_whose_bars_hold_all_of_them(rows):
    values = np.random.default_rng(0).normal(50, 5, 500)
    (group,) = _strips(cohort(rows, values.tolist()))
    strip = group.strips[0]
    assert strip.dots == ""
    tops = [30 - float(v) for v in re.findall(r"V([\d.]+)h", strip.bars)]
    count = np.histogram(values, bins=40)[0]
    np.testing.assert_allclose(np.array(tops) / 30, count / count.max(), atol=0.01)


def test_one_value_and_no_value_can_be_drawn(rows):
    assert _strips(cohort(rows, [7.0]))[0].strips[0].mid_x == pytest.approx(500)
    assert _strips(cohort(rows, [None], status="absent"))[0].strips[0].words == "no values"


def test_an_empty_cohort_is_a_page(rows):
    text = cohort_page(rows.frame("sessions", []), rows.frame("biomarkers", []))
    assert "The tables hold no sessions." in text
    assert "0 sessions of 0 subjects" in text


def test_a_session_of_nulls_is_a_row(rows):
    text = cohort_page(
        rows.frame("sessions", [dict.fromkeys(rows.session_row()) | {"session_id": "S9"}]), rows.frame("biomarkers", [])
    )
    assert '<a href="S9.html">S9</a>' in text
    assert ">None<" not in text


def test_names_are_escaped_and_links_stay_beside_the_page(rows):
    bad = '../"><script>alert(1)</script>'
    text = cohort_page(
        rows.frame("sessions", [rows.session_row(session_id=bad, message=bad)]), rows.frame("biomarkers", [])
    )
    assert "<script>alert" not in text
    links = re.findall(r'<a href="([^"#]+)"', text)
    assert all("/" not in link for link in links if not link.startswith("data:"))  # data to download lie in the page


def test_a_large_cohort_says_how_many_it_shows(rows):
    sessions = rows.frame("sessions", [rows.session_row(session_id=f"S{k:05d}") for k in range(MAX_SESSIONS + 5)])
    text = cohort_page(sessions, rows.frame("biomarkers", []))
    assert text.count('<tr class="value"') == MAX_SESSIONS
    assert f"The first {MAX_SESSIONS} of {MAX_SESSIONS + 5} sessions" in text
    assert len(text.encode()) < 5e6


def test_measures_of_own_actions_are_described_like_the_declared_ones(rows):
    one = next(r for r in rows.biomarker_rows(phases=("session",)) if r["biomarker"] == "face_blink_rate")
    ok = {"status": "ok", "reason": None, "biomarker": "action_wave_rate", "method": "action_model"}
    names = [{"session_id": f"S{k}", "subject_id": f"P{k // 2}", "visit": str(k % 2)} for k in range(12)]
    sessions = rows.frame("sessions", [rows.session_row(**name) for name in names])
    values = rows.frame("biomarkers", [one | ok | name | {"value": float(k)} for k, name in enumerate(names)])
    assert make_matrix(sessions, values).names == ("action_wave_rate",)
    text = cohort_page(sessions, values)
    assert "Action wave rate" in text
    assert "12 values from 0 to 11 1/min" in text
    assert "Reliability over repeated visits" in text
