"""A session's values against earlier visits and the cohort; pages of names that differ only in case."""

from __future__ import annotations

import re

import polars as pl

from cueflow.schemas.citations import bibtex, cite_key
from cueflow.schemas.models import locked_models
from cueflow.tasks.report.compared import compare
from cueflow.tasks.report.matrix import make_matrix
from cueflow.tasks.report.text import page_names
from cueflow.tasks.share.methods import methods_section


def _cohort(rows, values):
    """(subject, visit, value) of hrv_rmssd; the session is called subject-visit."""
    sessions = [rows.session_row(session_id=f"{s}-{v}", subject_id=s, visit=v) for s, v, _ in values]
    one = next(r for r in rows.biomarker_rows(phases=("session",)) if r["biomarker"] == "hrv_rmssd")
    ok = {"status": "ok", "reason": None}
    found = [one | ok | {"session_id": f"{s}-{v}", "subject_id": s, "visit": v, "value": x} for s, v, x in values]
    return rows.frame("sessions", sessions), rows.frame("biomarkers", found)


def test_earlier_visits_are_the_persons_own_and_in_natural_order(rows):
    others = [(f"Q{k}", "1", 10.0 * k) for k in range(8)]
    matrix = make_matrix(*_cohort(rows, [("P", "10", 50.0), ("P", "2", 44.0), ("P", "9", 40.0), *others]))
    found = compare(matrix, "P-10")["hrv_rmssd"]
    assert found.own == "before 40 (+10)"
    assert found.cohort == "higher than 69 % of 8 others"  # 0 to 40 are lower, 50 is a tie
    assert found.earlier.count("M") == 2
    assert compare(matrix, "P-2")["hrv_rmssd"].own == ""
    assert compare(matrix, "nobody") == {}


def test_nobody_is_compared_with_a_handful(rows):
    matrix = make_matrix(*_cohort(rows, [("P", "1", 50.0), ("Q", "1", 44.0)]))
    assert compare(matrix, "P-1") == {}


def test_a_subject_counts_once(rows):
    matrix = make_matrix(*_cohort(rows, [("P", "1", 10.0), ("P", "2", 20.0), ("Q", "1", 7.0)]))
    people, means = matrix.of_subjects()
    assert people == ("P", "Q")
    assert means[:, matrix.names.index("hrv_rmssd")].tolist() == [15.0, 7.0]


def test_names_that_differ_in_case_only_keep_pages_of_their_own():
    names = page_names(["S1", "s1", "S2", "con", "index"])
    assert len({name.lower() for name in names.values()}) == 5
    assert names["S2"] == "S2.html"
    assert "con.html" not in names.values()


def test_the_methods_paragraph_cites_what_was_used_and_nothing_else(rows):
    sessions, biomarkers = _cohort(rows, [("P", "1", 10.0)])
    made = methods_section(sessions, biomarkers, {})
    assert "hrv_rmssd" in made.text
    assert "@taskforce1996hrv" in made.text
    assert "@article{taskforce1996hrv," in made.bibtex
    assert "doi = {10.1161/01.CIR.93.5.1043}" in made.bibtex
    assert "eyben" not in made.bibtex
    assert made.bibtex.count("@") == 2


def test_the_methods_paragraph_names_a_users_own_actions_with_their_modality(rows):
    sessions, biomarkers = _cohort(rows, [("P", "1", 10.0)])
    one = biomarkers.to_dicts()[0]
    videos = [
        one | {"biomarker": name, "modality": "video", "method": method, "method_version": "3"}
        for name, method in (("action_arm_flap_rate", "action_model"), ("face_blink_rate", "blinks"), ("own", "?"))
    ]
    text = methods_section(sessions, rows.frame("biomarkers", [*videos, one]), {}).text
    assert text.count("From the video") == 1
    assert "face_blink_rate, action_arm_flap_rate)" in text
    assert "action_model 3" in text
    assert "2 measures" in text  # what nobody declared is not described


def test_every_source_of_the_registry_has_a_key_of_its_own():
    from cueflow.schemas.biomarkers import BIOMARKERS

    sources = {b.source for b in BIOMARKERS.values() if not b.source.startswith("cueflow:")}
    keys = {cite_key(source) for source in sources}
    assert len(keys) == len(sources)
    for source in sources:
        assert bibtex(source).count("{") == bibtex(source).count("}")
        if "praat/manual" not in source:  # a page without a year
            said = set(re.findall(r"^  (\w+) =", bibtex(source), re.MULTILINE))
            assert said >= {"author", "title", "year"}, f"{source}: describe it in schemas/references.py"


def test_weights_and_predictions_are_described_and_cited(rows):
    sessions, biomarkers = _cohort(rows, [("P", "1", 10.0)])
    known = locked_models()
    joined = f"{known['silero_vad'].sha256}+{known['speaker_encoder'].sha256}"
    said = [{"session_id": "S", "target": "mood", "abstained": k == 0, "model_sha256": "cd" * 32} for k in range(3)]
    made = methods_section(
        sessions,
        biomarkers.with_columns(model_sha256=pl.lit(joined)),
        {m.sha256: m for m in known.values()},
        rows.frame("predictions", said),
    )
    assert "silero_vad (Silero Team" in made.text
    assert "speaker_encoder (Resemble AI" in made.text
    assert "mood (model with SHA-256 cdcdcdcdcdcd; 2 of 3 sessions" in made.text
    cited = set(re.findall(r"@(\w+)", made.text))
    assert {"silerovad", "wan2017ge2e", "taskforce1996hrv"} <= cited
    assert cited == set(re.findall(r"^@\w+\{(\w+),", made.bibtex, re.MULTILINE))
