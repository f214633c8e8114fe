"""The user's whole way through the real entry point, on a small simulated cohort without video."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import psutil
import pytest

from cueflow import open_tables
from cueflow.tasks.simulate import Effects, simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Three sessions of 40 s with voice and physiology."""
    root = tmp_path_factory.mktemp("way") / "cohort"
    kinds = ("audio", "ecg", "ppg", "eda", "respiration")
    simulate(root, sessions=3, minutes=0.67, seed=5, effects=replace(Effects.plain(), modalities=kinds))
    return root


@pytest.fixture(scope="module")
def ran(cueflow, cohort):
    """The cohort's tables, and what the run printed."""
    tables = cohort.parent / "tables"
    return tables, cueflow("run", cohort, "--out", tables)


def test_a_run_writes_every_table_and_says_what_to_do_next(ran):
    tables, done = ran
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 ok" in done.stdout
    assert "No fusion model was given" in done.stdout
    assert f"cueflow status {tables}" in done.stdout
    assert all((tables / name).is_dir() for name in ("sessions", "biomarkers", "windows", "events"))


def test_values_agree_with_the_truth(ran, cohort):
    truth = pl.read_parquet(cohort / "truth.parquet").filter(kind="parameter")
    found = open_tables(ran[0]).biomarkers.filter(phase="session", role="patient").collect()
    for biomarker, name, tolerance in (
        ("hr_mean", "hr_mean", 0.02),
        ("hrv_rmssd", "rmssd", 0.05),
        ("rsp_rate_mean", "breathing_rate", 0.06),
        ("voice_f0_mean", "f0_mean", 0.03),
    ):
        both = found.filter(biomarker=biomarker).join(truth.filter(name=name), on="session_id", suffix="_true")
        assert both["status"].to_list() == ["ok"] * 3
        error = (both["value"] / both["value_true"] - 1).abs()
        assert error.max() < tolerance, biomarker


def test_every_declared_biomarker_is_in_every_session_with_a_reason_where_it_has_no_value(ran):
    from cueflow.schemas.biomarkers import BIOMARKERS

    everything = open_tables(ran[0]).biomarkers.collect()
    rows = everything.filter(phase="session")
    for _, session in everything.group_by("session_id"):
        assert set(session["biomarker"]) == set(BIOMARKERS)
        in_phases = set(session["biomarker"]) - set(session.filter(phase="session")["biomarker"])
        assert all(name.endswith("_change") for name in in_phases)  # against the baseline phase
    assert rows.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()
    assert rows.filter((pl.col("status") != "ok") & pl.col("reason").is_null()).is_empty()
    absent = rows.filter(modality="video")
    assert set(absent["status"]) == {"absent"}
    assert set(absent["reason"]) == {"no_stream"}


def test_phases_are_measured_beside_the_whole_session(ran, cohort):
    labels = set(pl.read_csv(cohort / "events.csv")["label"])
    phases = open_tables(ran[0]).biomarkers.filter(biomarker="hr_mean").collect()["phase"]
    assert labels < set(phases)


def test_a_second_run_has_nothing_to_do(cueflow, ran, cohort):
    tables, _ = ran
    before = {p: p.stat().st_mtime_ns for p in tables.rglob("*.parquet")}
    done = cueflow("run", cohort, "--out", tables)
    assert done.returncode == 0
    assert "nothing to do, 3 unchanged" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in tables.rglob("*.parquet")} == before


def test_damaged_files_of_two_sessions_are_mended_by_the_next_run(cueflow, ran, cohort, tmp_path):
    tables = tmp_path / "tables"
    shutil.copytree(ran[0], tables)
    before = open_tables(tables).biomarkers.sort("session_id", "biomarker", "phase", "role").collect()
    (tables / "sessions" / "dataset=cohort" / "session=s001" / "part.parquet").write_bytes(b"")
    whole = tables / "biomarkers" / "dataset=cohort" / "session=s002" / "part.parquet"
    whole.write_bytes(whole.read_bytes()[:-100])
    done = cueflow("run", cohort, "--out", tables)
    assert (done.returncode, "2 ok, 1 unchanged" in done.stdout) == (0, True), done.stdout + done.stderr
    after = open_tables(tables).biomarkers.sort("session_id", "biomarker", "phase", "role").collect()
    assert after.drop("run_id").equals(before.drop("run_id"))


def test_status_query_and_report(cueflow, ran, tmp_path):
    tables, _ = ran
    assert cueflow("status", tables).stdout.count(" ok ") >= 3
    answer = cueflow("query", tables, "SELECT count(DISTINCT session_id) AS n FROM biomarkers", "--format", "json")
    assert json.loads(answer.stdout) == [{"n": 3}]
    other = cueflow(
        "query", tables, "FROM biomarkers WHERE biomarker = 'CPPS' AND phase = 'none such'", "--format", "json"
    )
    assert (json.loads(other.stdout), "CPPS is called voice_cpps here" in other.stderr) == ([], True)
    column = cueflow("query", tables, "SELECT CPPS FROM wide")
    assert (column.returncode, "CPPS is called voice_cpps here" in column.stderr) == (2, True), column.stderr
    refused = cueflow("query", tables, "COPY sessions TO 'x.csv'")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    done = cueflow("report", tables, "s001", "--out", tmp_path)
    page = (tmp_path / "s001.html").read_text(encoding="utf-8")
    assert done.returncode == 0
    assert "http" not in page.split("<body", 1)[0].replace("http-equiv", "")
    missing = cueflow("report", tables, "nobody", "--out", tmp_path)
    assert (missing.returncode, "cueflow status" in missing.stderr) == (2, True)


def test_one_changed_file_means_one_session(cueflow, ran, cohort, tmp_path):
    dataset, tables = tmp_path / "cohort", tmp_path / "tables"
    shutil.copytree(cohort, dataset)
    shutil.copytree(ran[0], tables)
    chest = next((dataset / "s002").glob("chest.*"))
    chest.write_bytes(b"time_s,ecg,respiration\n0,no,1\n")
    done = cueflow("run", dataset, "--out", tables)
    assert done.returncode == 3
    assert "1 degraded, 2 unchanged" in done.stdout
    assert "[not_a_number]" in done.stdout
    rows = open_tables(tables).biomarkers.filter(session_id="s002", phase="session").collect()
    ecg = rows.filter(modality="ecg")
    assert set(ecg["status"]) == {"failed"}
    assert set(ecg["reason"]) == {"not_a_number"}
    assert rows.filter(modality="audio", biomarker="voice_f0_mean")["status"].to_list() == ["ok"]
    assert open_tables(tables).sessions.filter(session_id="s001").collect()["status"].to_list() == ["ok"]


def test_a_session_that_was_left_out_of_a_run_keeps_what_it_had(cueflow, ran, cohort):
    tables, _ = ran
    done = cueflow("run", cohort, "--out", tables, "--modalities", "audio", "--sessions", "s001", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = open_tables(tables).biomarkers.filter(session_id="s001", biomarker="hr_mean", phase="session").collect()
    assert rows["status"].to_list() == ["ok"]


def test_tables_of_another_dataset_are_refused(cueflow, ran, cohort, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(cohort, other)
    done = cueflow("run", other, "--out", ran[0])
    assert done.returncode == 2
    assert "belong to dataset" in done.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.doc").write_text("x")
    assert cueflow("run", cohort, "--out", tmp_path / "mine").returncode == 2


def test_killed_at_any_moment_readers_see_whole_sessions_and_the_next_run_finishes(
    cueflow, environment, cohort, tmp_path
):
    tables = tmp_path / "tables"
    command = [sys.executable, "-m", "cueflow", "run", str(cohort), "--out", str(tables), "--workers", "1"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 200
        while not list(tables.glob("sessions/*/*/part.parquet")) and time.monotonic() < deadline:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.02)
        left = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    for other in left:  # a worker sees that nobody is there any more, Prefect's server does not
        with contextlib.suppress(psutil.NoSuchProcess):
            other.kill()
    opened = open_tables(tables)
    seen = set(opened.sessions.collect()["session_id"])
    assert 1 <= len(seen) < 3
    counts = opened.biomarkers.filter(phase="session").collect().group_by("session_id").len()
    assert set(counts["session_id"]) == seen
    done = cueflow("run", cohort, "--out", tables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(seen)} unchanged" in done.stdout
    assert set(open_tables(tables).sessions.collect()["session_id"]) == {"s001", "s002", "s003"}


def test_an_unreadable_configuration_stops_before_anything_runs(cueflow, cohort, tmp_path):
    (tmp_path / "c.toml").write_text("[audio]\nvad_threshold = 2\n")
    done = cueflow("run", cohort, "--out", tmp_path / "t", "--config", tmp_path / "c.toml")
    assert done.returncode == 2
    assert "c.toml: audio.vad_threshold: Input should be less than 1" in done.stderr
    assert not (tmp_path / "t").exists()


def test_what_a_header_or_manifest_says_stays_out_of_the_tables(cueflow, cohort, tmp_path):
    dataset, tables = tmp_path / "cohort", tmp_path / "tables"
    shutil.copytree(cohort, dataset)
    chest = next((dataset / "s001").glob("chest.*"))
    chest.write_text("Patient JANE DOE,MRN 445566\n1,2\n")
    done = cueflow("run", dataset, "--out", tables, "--sessions", "s001", "--modalities", "physiology")
    assert done.returncode == 3
    for path in (p for p in tables.rglob("*") if p.is_file()):
        assert b"JANE" not in path.read_bytes(), path.name
    message = open_tables(tables).sessions.collect()["message"].item()
    assert "cueflow check" in message
    inside = cueflow("run", dataset, "--out", dataset / "tables")
    assert (inside.returncode, "inside the dataset" in inside.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_once_loses_nothing_and_leaves_no_server(cueflow, environment, cohort, tmp_path, number):
    command = [sys.executable, "-m", "cueflow", "run", str(cohort), "--out", str(tmp_path / "t"), "--workers", "1"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 200
        while not any("prefect.server" in said for said in members(process.pid)) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, number)  # to the process alone, as an orchestrator does; a terminal tells its children too
        _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert "Stopped; what was written stays" in said
    assert "Traceback" not in said
    deadline = time.monotonic() + 20
    while (left := members(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def members(session: int) -> list[str]:
    """Command lines of the processes of a session that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, own = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:4]
            found += [(folder / "cmdline").read_text()] if int(own) == session and state != "Z" else []
    return found
