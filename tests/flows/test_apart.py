"""A session's recorders on its clock, from the manifest to the row of the session."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cueflow.flows.planning.plan import Request, plan_run
from cueflow.flows.work.session import Execution, SessionWork
from cueflow.flows.work.stages import run_stage
from cueflow.schemas.config import Config
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group
from cueflow.storage.fingerprints import sha256_file
from cueflow.storage.rows import Stamp
from cueflow.storage.tables import TableStore
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.simulate.heart import ecg_wave

LENGTH_S = 120.0


@pytest.fixture
def written(tmp_path):
    """Run a session of one manifest and give its row, and the outcome."""

    def run(rows):
        root = tmp_path / "d"
        root.mkdir(exist_ok=True)
        times = np.arange(0.0, LENGTH_S, 0.25)
        fine = np.arange(0.0, LENGTH_S, 0.01)
        beats = 0.5 + np.cumsum(0.85 + np.random.default_rng(0).normal(0.0, 0.05, 150))
        for name, at, wave in (
            ("eda", times, 5.0 + np.sin(times / 9.0)),
            ("temperature", times, 33.0 + 0.1 * np.sin(times / 11.0)),
            ("ecg", fine, ecg_wave(fine, beats)),
        ):
            lines = [f"{t:.2f},{v:.4f}" for t, v in zip(at, wave, strict=True)]
            (root / f"{name}.csv").write_text(f"time_s,{name}\n" + "\n".join(lines) + "\n")
        wrist = [
            f"{t:.2f},{0.6 + 1e-5 * (k % 2)},{1e-5 * (k % 3)},{0.8 + (0.5 if k % 2 else 0.0)}"
            for k, t in enumerate(times)
        ]
        (root / "wrist.csv").write_text("time_s,x,y,z\n" + "\n".join(wrist) + "\n")
        pressed = [f"{t:.2f},{33 + t / 1000:.4f},{5 * (20 <= t % 40 < 20.5)}" for t in times]
        (root / "pressed.csv").write_text("time_s,temperature,trigger\n" + "\n".join(pressed) + "\n")
        head = "session_id,subject_id,modality,path,start_s,unit,channel\n"
        (root / "manifest.csv").write_text(head + "".join(f"S,P,{row}\n" for row in rows))
        dataset = read_dataset(root)
        request = Request(tmp_path / "t", Config(), frozenset(Group), force=False)
        (plan,) = plan_run(dataset, request, written={}, file_hash=lambda path, _: sha256_file(path)).todo
        for job in plan.jobs:
            run_stage(job, progress=lambda _: None)
        store = TableStore(request.tables, dataset.name)
        with store.writing(root_fingerprint="r", session_ids=["S"]):
            execution = Execution(store=store, stamp=Stamp("r1", "c"), groups=frozenset(Group), fuser=None)
            work = SessionWork(execution, plan)
            outcome = work.finish({})
        run.events = work.tables["events"].to_pylist()
        return outcome, work.tables["biomarkers"].to_pylist(), work.aligned.sync

    return run


def test_a_recorder_that_stands_an_hour_early_makes_the_session_degraded(written):
    rows = ["eda,eda.csv,0,uS,", "temperature,temperature.csv,3,C,", "ecg,ecg.csv,-3600,mV,"]
    outcome, measures, sync = written(rows)
    assert (outcome.status, outcome.reason) == ("degraded", Reason.NO_OVERLAP)
    assert outcome.message.startswith("ecg: ")
    assert {s.modality: s.reason for s in sync} == {"eda": None, "temperature": None, "ecg": Reason.NO_OVERLAP}
    assert next(m for m in measures if m["biomarker"] == "hr_mean")["status"] == "ok"


def test_recorders_that_meet_are_ok(written):
    rows = ["eda,eda.csv,0,uS,", "temperature,temperature.csv,3,C,", "ecg,ecg.csv,-3,mV,"]
    outcome, _, sync = written(rows)
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert json.dumps([s.reason for s in sync]) == "[null, null, null]"


def test_three_axes_of_one_file_have_a_length(written):
    _, measures, _ = written([f"accelerometer,wrist.csv,0,g,{axis}" for axis in "xyz"])
    found = [m for m in measures if m["biomarker"] == "acc_enmo_mean"]
    pushed = np.hypot(0.6, 1.3) - 1.0
    assert [m["channel"] for m in found] == ["x", "y", "z"]
    assert [m["value"] for m in found] == pytest.approx([pushed / 2] * 3, rel=1e-4)


def test_exclusions_that_were_cut_elsewhere_make_the_session_degraded(written, tmp_path, monkeypatch):
    from cueflow.flows.work import session as work
    from cueflow.tasks.clock.offsets import Offset
    from cueflow.tasks.clock.place import Places

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "exclusions.csv").write_text("session_id,onset_s,duration_s,reason\nS,30,20,phone\n")
    found = {("temperature", "patient", ""): Offset(12.0, 0.0, 0.1, 9)}
    monkeypatch.setattr(work, "place_recorders", lambda *_, **__: Places(found))
    outcome, _, _ = written(["eda,eda.csv,0,uS,", "temperature,temperature.csv,,C,"])
    assert (outcome.status, outcome.reason) == ("degraded", Reason.SPANS_ELSEWHERE)
    assert outcome.message.startswith("temperature: ")


def test_a_recorder_s_own_marks_are_events_and_told_once(written):
    written(["temperature,pressed.csv,5,C,temperature", "respiration,pressed.csv,5,,trigger"])
    marks = [e for e in written.events if e["kind"] == "marker"]
    assert [e["start_s"] for e in marks] == pytest.approx([25.0, 65.0, 105.0])
    assert {e["label"] for e in marks} == {"mark"}
