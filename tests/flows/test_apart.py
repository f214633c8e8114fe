"""A session's recorders on its clock, from the manifest to the row of the session."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
import soundfile as sf

from cueflow.flows.planning.plan import Request, plan_run
from cueflow.flows.work import session
from cueflow.flows.work.compute import Computer, computing_with
from cueflow.flows.work.jobs import Outcome
from cueflow.flows.work.session import Execution, SessionWork
from cueflow.flows.work.stages import MODELS, model_path, run_stage
from cueflow.schemas.config import Config
from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group
from cueflow.storage.fingerprints import sha256_file
from cueflow.storage.rows import Stamp
from cueflow.storage.tables import TableStore
from cueflow.tasks.clock.lines import Offset
from cueflow.tasks.clock.place import Places
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
        leads = [
            f"{t:.2f},{v:.4f},{0.6 * v:.4f},{0.4 * v:.4f}" for t, v in zip(fine, ecg_wave(fine, beats), strict=True)
        ]
        (root / "leads.csv").write_text("time_s,I,II,III\n" + "\n".join(leads) + "\n")
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


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["respiration,ecg.csv,0,,"], Reason.WRONG_SIGNAL),
        (["ecg,leads.csv,0,mV,I", "ecg,leads.csv,0,mV,II", "ecg,leads.csv,0,mV,III"], Reason.LEADS_MISNAMED),
        (["ecg,leads.csv,0,mV,II", "eda,eda.csv,0,uS,"], None),
    ],
)
def test_a_signal_that_is_another_one_makes_the_session_degraded(written, rows, reason):
    outcome, measures, _ = written(rows)
    assert (outcome.status, outcome.reason) == ("degraded" if reason else "ok", reason)
    assert (reason.sentence if reason else "") in outcome.message
    beats = {m["channel"] for m in measures if m["biomarker"] == "hr_mean" and m["status"] == "ok"}
    assert beats == {row.split(",")[-1] for row in rows if row.startswith("ecg")}


def test_a_recorder_that_stands_an_hour_early_makes_the_session_degraded(written):
    rows = ["eda,eda.csv,0,uS,", "temperature,temperature.csv,3,C,", "ecg,ecg.csv,-3600,mV,"]
    outcome, measures, sync = written(rows)
    assert (outcome.status, outcome.reason) == ("degraded", Reason.NO_OVERLAP)
    assert outcome.message.startswith("ecg: ")
    assert {s.modality: s.reason for s in sync} == {"eda": None, "temperature": None, "ecg": Reason.NO_OVERLAP}
    assert next(m for m in measures if m["biomarker"] == "hr_mean")["status"] == "ok"


def test_a_phase_that_nobody_recorded_makes_the_session_degraded(written, tmp_path):
    (tmp_path / "d").mkdir()
    phases = "S,-5,30,rest\nS,119,60,task\nS,120,60,late\nS,20000,60000,in ms\nS,500,,tone\n"
    (tmp_path / "d" / "events.csv").write_text("session_id,onset_s,duration_s,label\n" + phases)
    outcome, measures, _ = written(["eda,eda.csv,0,uS,"])
    assert (outcome.status, outcome.reason) == ("degraded", Reason.PHASE_OUTSIDE)
    assert outcome.message.startswith("late, in ms: No recording reaches")
    assert {m["phase"] for m in measures if m["biomarker"] == "scl_mean"} == {"session", "rest", "task"}


@pytest.fixture
def weights():
    """The audio stage's networks are here."""
    try:
        return [model_path(name) for name in MODELS[Group.AUDIO]]
    except ModelError as error:
        pytest.skip(f"a network of the audio stage is not here: {error.message}")


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize(("name", "reason"), [("silence", Reason.NO_VOICE), ("broken", Reason.SAMPLES_MISSING)])
def test_sound_that_somebody_has_to_look_at_makes_the_session_degraded(written, tmp_path, name, reason, shared_data):
    speech, rate = sf.read(shared_data / "speech_asr" / "librivox_0870.wav", dtype="float32")
    broken = speech.copy()
    broken[3 * rate : 4 * rate] = np.nan
    (tmp_path / "d").mkdir()
    for file, samples in (("silence", np.zeros(12 * rate)), ("broken", broken), ("whole", speech)):
        sf.write(tmp_path / "d" / f"{file}.wav", samples, rate, subtype="FLOAT")
    outcome, measures, _ = written([f"audio,{name}.wav,0,,"])
    assert (outcome.status, outcome.reason) == ("degraded", reason)
    assert outcome.message == f"audio: {reason.sentence}"
    covered = next(m for m in measures if m["biomarker"] == "speech_share")
    assert covered["coverage"] == pytest.approx(1.0 if name == "silence" else 1.0 - 1.06 * rate / len(speech), abs=0.01)
    assert written(["audio,whole.wav,0,,"])[0].status == "ok"


@pytest.mark.usefixtures("weights")
def test_a_session_that_is_ok_says_what_is_poor_in_it(written, tmp_path, shared_data):
    speech, rate = sf.read(shared_data / "speech_asr" / "librivox_0870.wav", dtype="float32")
    (tmp_path / "d").mkdir()
    sf.write(tmp_path / "d" / "loud.wav", np.clip(30 * speech, -1, 1), rate)
    outcome, _, _ = written(["audio,loud.wav,0,,"])
    assert (outcome.status, outcome.reason) == ("ok", None)
    assert outcome.message == f"audio: {Reason.CLIPPED.sentence}"


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("container", ["mkv", "avi"])
def test_sound_that_ends_before_its_picture_makes_the_session_degraded(written, tmp_path, shared_data, container):
    speech, rate = sf.read(shared_data / "speech_asr" / "librivox_0870.wav", dtype="float32")
    (tmp_path / "d").mkdir()
    with av.open(str(tmp_path / "d" / f"film.{container}"), "w") as film:
        picture, sound = film.add_stream("mpeg4", rate=25), film.add_stream("pcm_s16le", rate=rate, layout="mono")
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for _ in range(25 * 9):
            film.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        film.mux(picture.encode(None))
        samples = (speech[None, : 5 * rate] * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = rate
        film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    outcome, measures, _ = written([f"audio,film.{container},0,,"])
    assert (outcome.status, outcome.reason) == ("degraded", Reason.TRACK_SHORT)
    heard = next(m for m in measures if m["biomarker"] == "speech_share")
    assert heard["window_end_s"] == pytest.approx(5.0, abs=0.05)


def test_a_session_says_which_of_its_recordings_failed(written):
    rows = ["eda,eda.csv,0,mV,", "temperature,temperature.csv,0,C,", "ecg,ecg.csv,0,V,"]
    outcome, _, _ = written(rows)
    assert outcome.message.startswith("eda: The unit cannot be converted")
    assert "; ecg: an ECG of" in outcome.message
    assert "are the values in mV?" in outcome.message


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


class Pool:
    """Computes in this process, or breaks."""

    def __init__(self, reason=None):
        self.reason, self.jobs = reason, []

    def run(self, job, **_):
        self.jobs.append(job)
        if self.reason is None:
            run_stage(job, progress=lambda _: None)
        return Outcome(self.reason, "", 0.1)


@pytest.fixture
def twelve_late(tmp_path, monkeypatch):
    """A session with a phase and an exclusion, whose thermometer turns out to have begun 12 s late."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "exclusions.csv").write_text("session_id,onset_s,duration_s,reason\nS,30,20,phone\n")
    (tmp_path / "d" / "events.csv").write_text("session_id,onset_s,duration_s,label\nS,20,60,rest\n")
    found = {("temperature", "patient", ""): Offset(12.0, 0.0, 0.1, 9)}
    monkeypatch.setattr(session, "place_recorders", lambda *_, **__: Places(found))
    return ["eda,eda.csv,0,uS,", "temperature,temperature.csv,,C,"]


def rest(measures):
    (row,) = (m for m in measures if (m["biomarker"], m["phase"]) == ("skin_temperature_mean", "rest"))
    return row


def test_a_recorder_that_stood_elsewhere_is_cut_where_it_stands(written, twelve_late):
    pool = Pool()
    with computing_with(Computer(pool)):
        outcome, measures, _ = written(twelve_late)
    assert (outcome.status, outcome.reason) == ("ok", None)
    row = rest(measures)
    assert (row["window_start_s"], row["window_end_s"]) == (20.0, 80.0)
    used = [t for t in np.arange(8.0, 68.0, 0.25) if not 18.0 <= t < 38.0]
    assert row["value"] == pytest.approx(np.mean(33.0 + 0.1 * np.sin(np.array(used) / 11.0)), abs=2e-3)
    assert row["coverage"] == pytest.approx(2 / 3, abs=0.02)
    assert [job.entry for job in pool.jobs] == ["physiology.placed"]
    with computing_with(Computer(pool)):
        assert rest(written(twelve_late)[1])["value"] == row["value"]
    assert len(pool.jobs) == 1  # what was cut anew is found again


def test_where_it_cannot_be_cut_anew_the_session_is_degraded(written, twelve_late):
    with computing_with(Computer(Pool(Reason.UNEXPECTED))):
        outcome, measures, _ = written(twelve_late)
    assert (outcome.status, outcome.reason) == ("degraded", Reason.SPANS_ELSEWHERE)
    assert outcome.message.startswith("temperature: ")
    assert (rest(measures)["value"], rest(measures)["reason"]) == (None, "spans_elsewhere")


def test_beats_of_two_leads_say_whose_they_are(written):
    written(["ecg,leads.csv,0,mV,I", "ecg,leads.csv,0,mV,II"])
    beats = [e for e in written.events if e["kind"] == "beat"]
    assert [sum(e["channel"] == lead for e in beats) for lead in ("I", "II")] == [len(beats) // 2] * 2
    assert len(beats) > 200


def test_a_recorder_s_own_marks_are_events_and_told_once(written):
    written(["temperature,pressed.csv,5,C,temperature", "respiration,pressed.csv,5,,trigger"])
    marks = [e for e in written.events if e["kind"] == "marker"]
    assert [e["start_s"] for e in marks] == pytest.approx([25.0, 65.0, 105.0])
    assert {e["label"] for e in marks} == {"mark"}
