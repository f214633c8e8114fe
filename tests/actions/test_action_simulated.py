"""The simulator's annotations are its truth."""

from __future__ import annotations

import polars as pl

from cueflow.tasks.actions.labels import read_labels
from cueflow.tasks.simulate.cohort import action_rows, draw_cohort
from cueflow.tasks.simulate.effects import Effects


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
    assert sum(len(a) for a in read_labels(tmp_path / "actions.csv").values()) == len(rows)
