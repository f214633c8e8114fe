"""The commands, on a long table from elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest

import cueflow
from cueflow.tasks.fusion import predict, save_model


@pytest.fixture(scope="module")
def few(cohort):
    return cohort.frame.filter(pl.col("subject_id").is_in(["p0-0000", "p0-0001"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, few):
    folder = tmp_path_factory.mktemp("fusion")
    few.write_parquet(folder / "long.parquet")
    save_model(model, folder / "model")
    return folder


def _cueflow(folder, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cueflow", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_run_from_a_long_table_writes_what_the_model_says(folder, model, few):
    made = _cueflow(folder, "run", "long.parquet", "--out", "tables", "--fusion-model", "model")
    assert made.returncode == 0, made.stderr
    tables = cueflow.open_tables(folder / "tables")
    said = {p.session_id: p for p in predict(model, few)}
    rows = tables.predictions.collect()
    assert set(rows["session_id"]) == set(said)
    for row in rows.iter_rows(named=True):
        assert row["probability"] == said[row["session_id"]].probability
        assert row["model_sha256"] == model.sha256
    sums = tables.explanations.group_by("session_id").agg(pl.col("contribution").sum()).collect()
    for session, total in sums.iter_rows():
        assert total + said[session].bias == pytest.approx(said[session].log_odds, abs=1e-6)
    values = tables.biomarkers.collect()
    assert values.height == few.height
    assert values.filter(pl.col("value").is_null())["status"].unique().to_list() == ["absent"]
    again = _cueflow(folder, "run", "long.parquet", "--out", "tables", "--fusion-model", "model")
    assert f"{len(said)} unchanged" in again.stdout


def test_a_run_refuses_a_model_that_learned_from_other_method_versions(folder, model):
    from cueflow.flows.work.stages import method_version
    from cueflow.schemas.session import Group

    now = method_version(Group.PHYSIOLOGY)
    save_model(replace(model, methods={"ecg_3": ("0",), "ecg_4": (now,), "audio_1": ("0",)}), folder / "old")
    cohort = folder / "cohort"
    cohort.mkdir()
    (cohort / "ecg.csv").write_text("time_s,ecg\n0.0,0.1\n0.004,0.2\n")
    (cohort / "manifest.csv").write_text("session_id,subject_id,modality,path\ns1,p1,ecg,ecg.csv\n")
    made = _cueflow(folder, "run", "cohort", "--out", "other", "--fusion-model", "old", "--modalities", "physiology")
    assert made.returncode == 2
    said = " ".join(made.stderr.split())
    assert f"old: 1 of its biomarkers are now made by other method versions: ecg_3 ({now} instead of 0);" in said
    assert not (folder / "other").exists()


def test_explain_reads_both_and_forget_names_the_model(folder, few):
    who = few["subject_id"][0]
    session = few["session_id"][0]
    later = few.filter(subject_id=who)["session_id"].unique().sort()[1]
    made = _cueflow(
        folder, "fusion", "explain", "long.parquet", later, "--model", "model", "--since", session, "--json"
    )
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert found["change"]["earlier"] == session
    assert found["prediction"]["session_id"] == later
    wrong = _cueflow(folder, "fusion", "explain", "long.parquet", "nobody", "--model", "model")
    assert wrong.returncode == 2
    assert "not in the table" in wrong.stderr
    gone = _cueflow(folder, "forget", "tables", "--subject", who, "--yes", "--model", "model")
    assert gone.returncode == 0, gone.stderr
    assert "was trained on this subject" in gone.stdout.replace("\n", " ")
