"""What training takes: whose rows and phases count, baselines, files, and what is refused in words."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion import (
    predict,
    read_labels,
    read_long_table,
    train,
)


def test_rows_of_others_and_of_phases_do_not_count(model, cohort, predictions):
    noise = cohort.frame.with_columns(value=pl.lit(1e6))
    room = noise.with_columns(role=pl.lit("clinician"))
    phase = noise.with_columns(phase=pl.lit("rest"))
    assert predict(model, pl.concat([cohort.frame, room, phase])) == predictions


def test_phase_baseline_compares_with_rest_of_the_same_session(make_cohort):
    cohort = make_cohort(subjects=20, sessions=6, offset=4.0)
    person = cohort.frame.group_by("subject_id", "biomarker").agg(pl.col("value").mean())
    rest = cohort.frame.drop("value").join(person, on=["subject_id", "biomarker"]).with_columns(phase=pl.lit("rest"))
    frame = pl.concat([cohort.frame, rest.select(cohort.frame.columns)])
    model = train(frame, cohort.labels, target="pain", baseline="phase", rest_phase="rest", kinds=("linear",))
    p = predict(model, frame)[0]
    known = {row["biomarker"]: row["value"] for row in rest.filter(pl.col("session_id") == p.session_id).to_dicts()}
    assert all(c.reference == pytest.approx(known[c.biomarker]) for c in p.contributions)
    with pytest.raises(FusionError, match="rest phase"):
        train(frame, cohort.labels, target="pain", baseline="phase")


def test_subject_baseline_knows_training_subjects_later(make_cohort):
    cohort = make_cohort(subjects=15, sessions=6, offset=3.0)
    model = train(cohort.frame, cohort.labels, target="pain", baseline="subject", kinds=("linear",))
    everyone = predict(model, cohort.frame)
    alone = predict(model, cohort.frame.filter(pl.col("session_id") == everyone[7].session_id))
    assert alone[0].session_id == everyone[7].session_id
    for name in ("log_odds", "probability", "interval_low", "interval_high"):
        # a product over one row rounds differently from one over many
        assert getattr(alone[0], name) == pytest.approx(getattr(everyone[7], name), abs=1e-12)
    for one, among in zip(alone[0].contributions, everyone[7].contributions, strict=True):
        assert one.contribution == pytest.approx(among.contribution, abs=1e-12)
        assert replace(one, contribution=among.contribution) == among
    stranger = cohort.frame.filter(pl.col("session_id") == everyone[7].session_id).with_columns(
        subject_id=pl.lit("new")
    )
    assert predict(model, stranger)[0].reason is Reason.FEW_EVIDENCE
    assert "p0-0001" not in json.dumps(model.to_json())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f, y: (f, y.with_columns(value=pl.lit(1.0))), "one class only"),
        (lambda f, y: (f.with_columns(subject_id=pl.lit("p")), y), r"1 labelled subject\(s\)"),
        (
            lambda f, y: (f, pl.concat([y, y.head(1).with_columns(session_id=pl.lit("zz"))])),
            r"not in the tables \(first: zz",
        ),
        (lambda f, y: (f, pl.concat([y, y.head(1).with_columns(value=1 - pl.col("value"))])), "labelled twice"),
        (lambda f, y: (f.with_columns(value=pl.lit(None, dtype=pl.Float64)), y), "no modality has any value"),
        (lambda f, y: (f.with_columns(value=pl.lit(3.0)), y), "constant"),
        (lambda f, y: (f.with_columns(value=pl.lit(float("inf"))), y), "infinite values in"),
        (
            lambda f, y: (f.filter(pl.col("subject_id").is_in(["p5-0000", "p5-0001", "p5-0002"])), y),
            "not in the tables",
        ),
        (lambda f, y: (f, y.with_columns(value=pl.Series(np.arange(y.height) % 11.0))), "threshold"),
        (lambda f, y: (f, y.with_columns(target=pl.lit("fear"))), "no labels for target 'pain'; there are: fear"),
        (lambda f, y: (f.drop("biomarker"), y), "needs the columns biomarker"),
        (lambda f, y: (f.with_columns(value=pl.lit("x")), y), "holds text"),
        (lambda f, y: (f, y.with_columns(value=pl.lit("high"))), "must be numbers"),
        (lambda f, y: (f.with_columns(subject_id=pl.concat_str("subject_id", "modality")), y), "two subjects"),
    ],
)
def test_bad_input_is_refused_in_words(make_cohort, spoil, message):
    cohort = make_cohort(subjects=10, sessions=4, seed=5)
    frame, labels = spoil(cohort.frame, cohort.labels)
    with pytest.raises(FusionError, match=message):
        train(frame, labels, target="pain", kinds=("linear",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "subject"}, "no labelled person has 3 sessions with values"),
        ({"baseline": "phase", "rest_phase": "calm"}, "no labelled session has values of the phase 'calm'"),
    ],
)
def test_baselines_that_nothing_can_be_compared_with_are_named(make_cohort, options, message):
    cohort = make_cohort(subjects=10, sessions=2)
    with pytest.raises(FusionError, match=message):
        train(cohort.frame, cohort.labels, target="pain", **options)


def test_three_subjects_are_refused_and_with_less_asked_are_doubted(make_cohort):
    cohort = make_cohort(subjects=3, sessions=12, seed=1)
    with pytest.raises(FusionError, match=r"3 labelled subject\(s\)") as caught:
        train(cohort.frame, cohort.labels, target="pain")
    assert caught.value.reason is Reason.FEW_SUBJECTS
    model = train(cohort.frame, cohort.labels, target="pain", kinds=("linear",), min_subjects=3)
    assert any("too few to believe" in note for note in model.warnings)


def test_a_modality_without_values_is_left_out_and_said(make_cohort):
    cohort = make_cohort(subjects=12, sessions=5)
    gone = pl.when(pl.col("modality") == "ecg").then(None).otherwise(pl.col("value"))
    model = train(cohort.frame.with_columns(value=gone), cohort.labels, target="pain", kinds=("linear",))
    assert set(model.columns) == {"audio", "video"}
    assert any("ecg" in note for note in model.warnings)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_modality_that_two_people_have_breaks_no_fold(make_cohort):
    cohort = make_cohort(subjects=12, sessions=5)
    few = cohort.frame["subject_id"].unique().sort()[:2].to_list()
    gone = (pl.col("modality") == "ecg") & ~pl.col("subject_id").is_in(few)
    frame = cohort.frame.with_columns(value=pl.when(gone).then(None).otherwise(pl.col("value")))
    for seed in range(4):  # in some both are in one fold
        model = train(frame, cohort.labels, target="pain", kinds=("linear",), seed=seed)
        assert all(p.log_odds is None or np.isfinite(p.log_odds) for p in predict(model, frame))


def test_constant_biomarkers_take_no_part_and_are_named(make_cohort):
    from cueflow.tasks.fusion.data.cohort import Comparison, build_cohort
    from cueflow.tasks.fusion.data.labels import Target

    cohort = make_cohort(subjects=12, sessions=2)
    flat = pl.when(pl.col("biomarker") == "ecg_1").then(3.0).otherwise(pl.col("value"))
    wanted, compared = Target("pain"), Comparison.of("none", None)
    built = build_cohort(cohort.frame.with_columns(value=flat), cohort.labels, wanted, compared, min_subjects=8)
    assert any("ecg: ecg_1: constant" in note for note in built.notes)


def test_scores_need_a_threshold_and_take_it(make_cohort):
    cohort = make_cohort(subjects=12, sessions=5)
    scores = cohort.labels.with_columns(value=pl.col("value") * 6 + 2)
    cut = train(cohort.frame, scores, target="pain", kinds=("linear",), threshold=5)
    assert cut.target.threshold == 5
    assert cut.counts["present"] == cohort.labels["value"].sum()


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv"])
def test_long_tables_are_read_from_files(cohort, tmp_path, suffix):
    path = tmp_path / f"table.{suffix}"
    frame = cohort.frame.with_columns(subject_id=pl.lit("007"))
    if suffix == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="\t" if suffix == "tsv" else ",")
    read = read_long_table(path)
    assert read["subject_id"].cast(pl.String).unique().to_list() == ["007"]
    assert read["value"].null_count() == frame["value"].null_count()
    assert read["value"].sum() == pytest.approx(frame["value"].sum(), rel=1e-12)


def test_files_that_are_no_tables_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(FusionError, match="needs the columns session_id"):
        read_long_table(tmp_path / "a.csv")
    with pytest.raises(FusionError, match="needs the columns session_id"):
        read_labels(tmp_path / "a.csv")
    for reader in (read_long_table, read_labels):
        with pytest.raises(FusionError, match=r"nothing.csv: cannot be read") as caught:
            reader(tmp_path / "nothing.csv")
        assert str(tmp_path) not in str(caught.value)
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(FusionError, match="cannot be read"):
        read_long_table(tmp_path / "a.parquet")
