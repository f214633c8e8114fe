"""Manifests and BIDS trees: what is read, and what each wrong row or file comes to."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from cueflow.schemas.errors import DatasetError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Exclusion, Marker, Modality, Role
from cueflow.tasks.ingest.dataset import read_dataset

HEADER = "session_id,subject_id,visit,modality,role,path,start_s,sampling_rate,channel,unit"


@pytest.fixture
def root(tmp_path):
    """A dataset folder with two small files."""
    folder = tmp_path / "study"
    (folder / "S1").mkdir(parents=True)
    (folder / "S1" / "ecg.csv").write_text("time_s,ecg\n0,0.1\n0.004,0.2\n")
    (folder / "S1" / "voice.wav").write_bytes(b"RIFF")
    return folder


def manifest(root, *rows):
    (root / "manifest.csv").write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return read_dataset(root)


def test_a_manifest_row_becomes_a_stream(root):
    dataset = manifest(root, "S1,P1,2,ecg,clinician,S1/ecg.csv,1.5,250,ecg,mV", "S1,P1,2,audio,,S1/voice.wav,,,,")
    (session,) = dataset.sessions
    ecg, voice = session.streams
    assert (dataset.name, session.session_id, session.subject_id, session.visit) == ("study", "S1", "P1", "2")
    assert (ecg.modality, ecg.role, ecg.start_s, ecg.sampling_rate, ecg.channel, ecg.unit) == (
        Modality.ECG, Role.CLINICIAN, 1.5, 250.0, "ecg", "mV",
    )  # fmt: skip
    assert (voice.role, voice.start_s, voice.sampling_rate) == (Role.PATIENT, None, None)
    assert session.problems == ()


def test_a_parquet_manifest_reads_the_same(root):
    rows = {"session_id": ["S1"], "subject_id": ["P1"], "modality": ["ecg"], "path": ["S1/ecg.csv"], "start_s": [0.5]}
    pl.DataFrame(rows).write_parquet(root / "manifest.parquet")
    (session,) = read_dataset(root).sessions
    assert session.streams[0].start_s == 0.5


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        ("S1,P1,1,smell,,S1/ecg.csv,,,,", Reason.MODALITY_UNKNOWN, "unknown modality 'smell': choose among video"),
        ("S1,P1,1,ecg,nurse,S1/ecg.csv,,,,", Reason.MANIFEST_INVALID, "unknown role 'nurse'"),
        ("S1,P1,1,ecg,,../other.csv,,,,", Reason.PATH_OUTSIDE, "leaves the dataset's folder"),
        ("S1,P1,1,ecg,,/etc/passwd,,,,", Reason.PATH_OUTSIDE, "leaves the dataset's folder"),
        ("S1,P1,1,ecg,,S1/link.csv,,,,", Reason.PATH_OUTSIDE, "through a symbolic link"),
        ("S1,P1,1,ecg,,S1/none.csv,,,,", Reason.FILE_MISSING, "the file is not there"),
        ("S1,P1,1,ecg,,S1/empty.csv,,,,", Reason.FILE_EMPTY, "the file is empty"),
        ("S1,P1,1,ecg,,S1/ecg.csv,soon,,,", Reason.NOT_A_NUMBER, "start_s is not a number: 'soon'"),
        ("S1,P1,1,ecg,,S1/ecg.csv,,-1,,", Reason.NOT_A_NUMBER, "sampling_rate must be above 0"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_problem_of_its_session(root, tmp_path, row, reason, message):
    (tmp_path / "outside.csv").write_text("ecg\n1\n")
    (root / "S1" / "link.csv").symlink_to(tmp_path / "outside.csv")
    (root / "S1" / "empty.csv").touch()
    (session,) = manifest(root, row, "S1,P1,1,audio,,S1/voice.wav,,,,").sessions
    assert [s.modality for s in session.streams] == [Modality.AUDIO]
    (problem,) = session.problems
    assert problem.reason is reason
    assert message in problem.message
    assert str(tmp_path) not in problem.message


def test_a_session_without_a_usable_stream_stays_and_says_so(root):
    (session,) = manifest(root, "S1,P1,1,ecg,,S1/none.csv,,,,").sessions
    assert session.streams == ()
    assert [p.reason for p in session.problems] == [Reason.FILE_MISSING, Reason.NO_USABLE_STREAM]


def test_a_second_stream_with_the_same_key_is_left_out(root):
    row = "S1,P1,1,ecg,,S1/ecg.csv,,250,ecg,mV"
    (session,) = manifest(root, row, row).sessions
    assert len(session.streams) == 1
    assert [p.reason for p in session.problems] == [Reason.DUPLICATE_STREAM]


def test_rows_of_one_session_with_two_subjects_are_not_mixed(root):
    (session,) = manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,", "S1,P2,1,audio,,S1/voice.wav,,,,").sessions
    assert session.streams == ()
    assert "do not name one subject" in session.problems[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "session_id,modality,path\nS1,ecg,a.csv\n",
            r"no column subject_id; its columns are session_id, modality",
        ),
        (HEADER + "\n", "no rows"),
        (HEADER + "\n,P1,1,ecg,,a.csv,,,,\n", "no row of the manifest has a session_id"),
        ("", r"manifest\.csv is empty: it needs the columns session_id"),
    ],
)
def test_a_manifest_that_cannot_be_used_stops_everything(root, text, message):
    (root / "manifest.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_dataset(root)


def test_a_folder_without_recordings_says_what_was_looked_for(tmp_path):
    with pytest.raises(DatasetError, match=r"no manifest\.csv, manifest\.parquet or BIDS"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="not a folder"):
        read_dataset(tmp_path / "none")


def test_a_binary_manifest_is_refused(root):
    (root / "manifest.csv").write_bytes(b"\xff\xfe\x00session")
    with pytest.raises(DatasetError, match="not text in UTF-8"):
        read_dataset(root)
    (root / "manifest.csv").unlink()
    (root / "manifest.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DatasetError, match="is not a Parquet file"):
        read_dataset(root)


def test_phases_and_exclusions_belong_to_their_session(root):
    (root / "events.csv").write_text("session_id,onset_s,duration_s,label\nS1,1,2,rest\nS2,0,1,talk\nS1,4,,clap\n")
    (root / "exclusions.csv").write_text("session_id,onset_s,duration_s,reason\nS1,3,1,phone\n")
    (session,) = manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,").sessions
    assert session.markers == (Marker(1.0, 2.0, "rest"), Marker(4.0, 0.0, "clap"))
    assert session.exclusions == (Exclusion(3.0, 1.0, "phone"),)
    (root / "events.csv").write_text("session_id,onset_s,duration_s,label\nS1,early,2,rest\n")
    with pytest.raises(DatasetError, match=r"events line 2: onset_s is not a number"):
        read_dataset(root)


def test_a_bids_tree_is_read_without_a_manifest(tmp_path):
    beh = tmp_path / "sub-01" / "ses-02" / "beh"
    beh.mkdir(parents=True)
    name = "sub-01_ses-02_task-talk"
    with gzip.open(beh / f"{name}_physio.tsv.gz", "wt") as file:
        file.write("0.1\t5\n0.2\t6\n")
    (beh / f"{name}_physio.json").write_text(json.dumps({"StartTime": -1.5}))
    rate = {"SamplingFrequency": 10, "Columns": ["respiratory", "ecg"]}
    (tmp_path / "task-talk_physio.json").write_text(json.dumps(rate))  # applies from above
    (beh / f"{name}_recording-face_video.mp4").write_bytes(b"x")
    (beh / f"{name}_recording-room_audiovideo.mkv").write_bytes(b"x")
    (beh / f"{name}_events.tsv").write_text("onset\tduration\ttrial_type\n0\t30\trest\nn/a\t1\tlost\n")
    (session,) = read_dataset(tmp_path).sessions
    assert (session.session_id, session.subject_id, session.visit) == (name, "01", "02")
    found = {(s.modality, s.role, s.channel) for s in session.streams}
    assert found == {
        (Modality.RESPIRATION, Role.PATIENT, "respiratory"),
        (Modality.ECG, Role.PATIENT, "ecg"),
        (Modality.VIDEO, Role.PATIENT, ""),
        (Modality.VIDEO, Role.ROOM, ""),
        (Modality.AUDIO, Role.ROOM, ""),
    }
    assert session.markers == (Marker(0.0, 30.0, "rest"),)


@pytest.mark.real
def test_the_bids_examples_are_read(shared_data):
    sessions = read_dataset(shared_data / "physio_bids" / "synthetic").sessions
    assert [s.session_id for s in sessions] == [
        "sub-01_ses-01_task-nback_run-01",
        "sub-01_ses-01_task-nback_run-02",
        "sub-01_ses-01_task-rest",
    ]
    assert {s.modality for s in sessions[0].streams} == {Modality.PPG, Modality.RESPIRATION}
