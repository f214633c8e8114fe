"""The whole way on real recordings, checked against the ground truth that lies beside them."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cueflow import open_tables

pytestmark = [pytest.mark.real, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]


def load_compose():
    spec = importlib.util.spec_from_file_location("compose", Path(__file__).with_name("compose.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(shared_data, tmp_path_factory):
    """Tables of the composed dataset, and the finished command."""
    folder = tmp_path_factory.mktemp("real")
    dataset = load_compose().compose(shared_data, folder / "recordings")
    made = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    made |= {"PREFECT_HOME": str(folder / "prefect"), "COLUMNS": "200"}
    made.setdefault("CUEFLOW_MODEL_SOURCES", str(ROOT.parent / "shared" / "models"))
    command = [sys.executable, "-m", "cueflow", "run", str(dataset), "--out", str(folder / "tables")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=made, timeout=550)
    return open_tables(folder / "tables"), done


@pytest.fixture(scope="module")
def value(ran):
    rows = ran[0].biomarkers.filter(phase="session").collect()

    def of(session, biomarker):
        (row,) = rows.filter(session_id=session, biomarker=biomarker).to_dicts()
        return row

    return of


@pytest.fixture(scope="module")
def events(ran):
    rows = ran[0].events.collect()
    return lambda session, kind: rows.filter(session_id=session, kind=kind)


def test_all_sessions_are_written_and_the_broken_one_says_why(ran):
    tables, done = ran
    assert done.returncode == 3, done.stdout + done.stderr
    rows = tables.sessions.collect()
    assert len(rows) == 16
    assert rows.filter(pl.col("status") != "ok")["session_id"].to_list() == ["broken"]
    assert rows.filter(session_id="broken")["reason"].to_list() == ["file_unreadable"]


def test_the_four_blinks_of_the_clip_are_found(events):
    starts = events("blinks", "blink")["start_s"].to_list()
    assert len(starts) == 4
    assert starts == pytest.approx([1.65, 3.69, 6.59, 8.86], abs=0.15)  # seen by eye


def test_a_face_that_leaves_and_one_that_is_not_there(value, ran):
    assert value("no-face", "face_visible_share")["value"] == 0.0
    assert value("no-face", "face_mouth_open_mean")["reason"] == "no_face"
    assert 0.2 < value("face-leaves", "face_visible_share")["value"] < 0.6
    seen = ran[0].windows.filter(session_id="face-leaves").sort("t_s").collect()["face_visible"].to_list()
    assert seen[0] == 1.0
    assert seen[-1] == 0.0


def test_a_still_face_moves_less_than_a_signer(value):
    still, signing = (value(s, "motion_energy_mean")["value"] for s in ("still-face", "signing"))
    assert still < 0.2 * signing
    speed = [value(s, "head_angular_speed_mean")["value"] for s in ("still-face", "signing")]
    assert speed[0] < 0.2 * speed[1]


@pytest.mark.parametrize("record", ["01", "05"])
def test_heart_pulse_and_breathing_of_intensive_care_patients(value, shared_data, record):
    numerics = np.genfromtxt(shared_data / f"physio_bidmc/bidmc_{record}_Numerics.csv", delimiter=",", skip_header=1)
    assert value(f"icu-{record}", "hr_mean")["value"] == pytest.approx(np.nanmean(numerics[:, 1]), rel=0.01)
    assert value(f"icu-{record}", "pulse_rate_mean")["value"] == pytest.approx(np.nanmean(numerics[:, 2]), rel=0.01)
    marks = np.genfromtxt(shared_data / f"physio_bidmc/bidmc_{record}_Breaths.csv", delimiter=",", skip_header=1)[:, 0]
    marks = marks[np.isfinite(marks)] / 125.0
    annotated = 60.0 * (len(marks) - 1) / (marks[-1] - marks[0])
    assert value(f"icu-{record}", "rsp_rate_mean")["value"] == pytest.approx(annotated, rel=0.05)


def test_beats_agree_with_the_cardiologists(events, shared_data):
    with (shared_data / "physio_ecg_gold/mitdb/100_first5min_beats.csv").open() as file:
        gold = (
            np.array([int(r["sample"]) for r in csv.DictReader(file) if r["symbol"] in set("NLRAVaJSFej/fQE")]) / 360.0
        )
    found = events("cardiology", "beat")["start_s"].to_numpy()
    distance = np.abs(gold[:, None] - found[None, :])
    assert np.mean(distance.min(axis=1) < 0.05) > 0.995  # sensitivity
    assert np.mean(distance.min(axis=0) < 0.05) > 0.995  # positive predictive value


def test_speech_of_a_dialogue_against_its_turns(events, shared_data):
    grid = np.zeros((2, 3000), dtype=bool)
    for line in (shared_data / "speech_diar/sample.rttm").read_text().splitlines():
        onset, length = map(float, line.split()[3:5])
        grid[0, round(onset * 100) : round((onset + length) * 100)] = True
    for start, end in events("dialogue", "turn").select("start_s", "end_s").rows():
        grid[1, round(start * 100) : round(end * 100)] = True
    both = (grid[0] & grid[1]).sum()
    assert 2 * both / grid.sum() > 0.95  # F1


def test_pitch_of_a_sentence_against_praat(ran, value, shared_data):
    with (shared_data / "speech_reference/praat.csv").open() as file:
        (row,) = [r for r in csv.DictReader(file) if r["file"].endswith("arctic_a0007.wav")]
    seconds = ran[0].windows.filter(session_id="sentence").collect()["voice_f0"].drop_nulls()
    assert seconds.median() == pytest.approx(float(row["f0_p50_hz"]), rel=0.05)
    short = value("sentence", "voice_f0_p50")  # less than 3 s of voice: no value, and the reason
    assert (short["value"], short["status"], short["reason"]) == (None, "too_short", "few_evidence")


def test_a_damaged_film_is_read_and_its_two_people_are_told_apart(value):
    row = value("damaged", "face_visible_share")
    assert row["status"] == "ok"
    assert row["value"] == pytest.approx(8 / 15, abs=0.06)  # the woman is in 8 of 15 frames that were looked at
