"""The simulator's annotations are its truth."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from cueflow.tasks.actions.data.annotations import annotations_of, read_annotations
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.simulate import simulate
from cueflow.tasks.simulate.cohort import action_rows, draw_cohort
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.windows import phases_of


def test_annotations_are_the_truth_under_other_names():
    plans = draw_cohort(4, 2.0, 0, Effects())
    rows = action_rows(plans)
    seen = [p for p in plans if "video" in p.modalities]
    for kind, label in (("nod", "nod"), ("lean", "lean"), ("zoom", "zoom"), ("shake", "shake")):
        true = [(p.session_id, f"{e.onset_s:.3f}") for p in seen for e in p.behaviour if e.kind == kind]
        assert true == [(r[0], r[1]) for r in rows if r[3] == label]
        assert true
    hands = sum(e.kind == "hand_motion" for p in seen for e in p.behaviour)
    assert hands == sum(str(r[3]) in {"hand sideways", "hand up_down"} for r in rows) > 0


def test_the_file_reads_back(tmp_path):
    rows = action_rows(draw_cohort(2, 1.0, 0, Effects.plain()))
    table = pl.DataFrame(rows, schema=["session_id", "onset_s", "duration_s", "label"], orient="row")
    table.write_csv(tmp_path / "actions.csv")
    assert sum(len(a) for a in read_annotations(tmp_path / "actions.csv")[0].values()) == len(rows)


def test_the_simulated_events_table_holds_phases_and_actions_apart(tmp_path):
    effects = replace(Effects.quick(width=128, height=96), modalities=("video",), nods_per_min=20.0)
    simulate(tmp_path / "c", sessions=1, minutes=0.2, effects=effects)
    dataset = read_dataset(tmp_path / "c")
    (session,) = dataset.sessions
    assert {m.label for m in session.markers if m.kind == "phase"} == {"rest", "interview"}
    assert [w.phase for w in phases_of(session.markers)] == ["rest", "interview"]
    found = annotations_of(dataset)[session.session_id]
    assert len(found) == sum(m.kind == "action" for m in session.markers) > 0
