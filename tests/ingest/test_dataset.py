"""Manifests and BIDS trees: what is read, and what each wrong row or file comes to."""

from __future__ import annotations

import gzip
import json
import re

import polars as pl
import pytest

from cueflow.schemas.errors import DatasetError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Exclusion, Marker, Modality, Role
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.ingest.paths import resolve_inside

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
        ("S1,P1,1,ecg,,S1/ecg.csv,soon,,,", Reason.NOT_A_NUMBER, "start_s is not a number: write it"),
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


@pytest.mark.parametrize("channel", ["left", "0"])
def test_one_sound_is_not_said_of_two_people(root, channel):
    rows = ["S1,P1,1,audio,patient,S1/voice.wav,,,left,", "S1,P1,1,audio,clinician,S1/voice.wav,,,{},"]
    (session,) = manifest(root, rows[0], rows[1].format(channel)).sessions
    assert [s.role for s in session.streams] == ["patient"]
    assert [(p.reason, p.role, p.channel) for p in session.problems] == [
        (Reason.DUPLICATE_STREAM, "clinician", channel)
    ]
    (session,) = manifest(root, rows[0], rows[1].format("right")).sessions
    assert len(session.streams) == 2
    assert not session.problems


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
        (HEADER.replace(",", ";") + "\n", r"manifest\.csv is not separated by commas"),
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


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("early,2,rest", "onset_s is not a number: write the seconds from the session's start"),
        (",2,rest", "onset_s is empty: write the seconds from the session's start"),
        ("1,long,rest", "duration_s is not a number: write it as one, or leave the cell empty"),
        ("1,-2,rest", "duration_s is below 0"),
    ],
)
def test_a_wrong_time_of_an_event_says_what_to_write(root, row, message):
    (root / "events.csv").write_text(f"session_id,onset_s,duration_s,label\nS1,{row}\n")
    with pytest.raises(DatasetError, match=f"events line 2: {re.escape(message)}"):
        manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,")


@pytest.mark.parametrize("session_id", [".hidden", "../up", "a/b", "a b", "x" * 129, "José"])
def test_a_session_that_cannot_name_a_folder_is_kept_under_another_name(root, session_id):
    bad, good = manifest(root, f"{session_id},P1,1,ecg,,S1/ecg.csv,,,,", "S1,P1,1,ecg,,S1/ecg.csv,,,,").sessions
    assert re.fullmatch(r"invalid-[0-9a-f]{12}", bad.session_id)
    assert bad.streams == ()
    assert [p.reason for p in bad.problems] == [Reason.MANIFEST_INVALID, Reason.NO_USABLE_STREAM]
    assert "line 2: session_id must be letters, digits" in bad.problems[0].message
    assert len(good.streams) == 1


def test_absolute_paths_do_not_leave_the_reader(root, tmp_path):
    (session,) = manifest(root, f"S1,P1,1,ecg,,{tmp_path}/secret/ecg.csv,,,,").sessions
    assert [p.path for p in session.problems] == ["ecg.csv", ""]
    assert str(tmp_path) not in repr(session)


def test_a_link_to_a_folder_outside_does_not_help(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "ecg.csv").write_text("ecg\n1\n")
    (root / "inside").symlink_to(tmp_path / "elsewhere")
    (session,) = manifest(root, "S1,P1,1,ecg,,inside/ecg.csv,,,,").sessions
    assert [p.reason for p in session.problems] == [Reason.PATH_OUTSIDE, Reason.NO_USABLE_STREAM]


def test_a_row_without_session_is_a_problem_of_the_dataset(root):
    dataset = manifest(root, ",P1,1,ecg,,S1/ecg.csv,,,,", "S1,P1,,ecg,,S1/ecg.csv,,,,")
    assert [p.message for p in dataset.problems] == ["manifest line 2: session_id is empty"]
    assert dataset.sessions[0].visit == "1"


def test_blank_rows_extra_columns_and_spaces_do_no_harm(root):
    rows = " subject_id ,session_id,modality,path,note\n,,,,\n P1 , S1 , ECG , S1/ecg.csv ,hello\n"
    (root / "manifest.csv").write_text(rows, encoding="utf-8-sig")
    (session,) = read_dataset(root).sessions
    assert (session.subject_id, session.session_id, session.streams[0].path) == ("P1", "S1", "S1/ecg.csv")


def test_two_manifests_are_one_too_many(root):
    manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,")
    pl.DataFrame({"session_id": ["S1"]}).write_parquet(root / "manifest.parquet")
    with pytest.raises(DatasetError, match=r"there is a manifest\.csv and a manifest\.parquet: keep one"):
        read_dataset(root)


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        (
            "exclusions",
            "session_id,onset_s,duration_s,reason\nS1,1,,x\n",
            "exclusions line 2: duration_s must be above 0",
        ),
        ("exclusions", "session_id,onset_s,duration_s,reason\nS1,1,all,x\n", "duration_s is not a number: write it"),
        ("exclusions", "session_id,duration_s\nS1,1\n", r"exclusions\.csv has no column onset_s"),
        ("events", "session_id,onset_s,duration_s\nS1,1,2\n", r"events\.csv has no column label"),
        ("events", "session_id,onset_s,duration_s,label\nS1,1,2,\n", "events line 2: label is empty"),
    ],
)
def test_spans_that_cannot_be_read_stop_everything(root, table, text, message):
    (root / f"{table}.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,")


def test_spans_of_unknown_sessions_are_told(root):
    (root / "exclusions.csv").write_text("session_id,onset_s,duration_s\nS9,1,2\n")
    dataset = manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,")
    assert [p.message for p in dataset.problems] == ["exclusions of 1 sessions that the manifest does not name"]


def test_a_link_within_the_folder_keeps_its_own_name(root):
    (root / "store").mkdir()
    (root / "S1" / "ecg.csv").rename(root / "store" / "MD5E-s29--0a1b")
    (root / "S1" / "ecg.csv").symlink_to("../store/MD5E-s29--0a1b")
    (session,) = manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,").sessions
    assert session.problems == ()
    assert resolve_inside(root, "S1/ecg.csv").name == "ecg.csv"


def test_names_that_macos_spells_otherwise_are_found(root):
    (root / "S1" / "Mu\u0308ller.csv").write_text("ecg\n1\n")
    (session,) = manifest(root, "S1,P1,1,ecg,,S1/M\u00fcller.csv,,,,").sessions
    assert session.problems == ()
    assert resolve_inside(root, "S1/M\u00fcller.csv").read_text() == "ecg\n1\n"


def test_a_dataset_name_must_name_a_folder(root):
    manifest(root, "S1,P1,1,ecg,,S1/ecg.csv,,,,")
    assert read_dataset(root, name="other").name == "other"
    moved = root.rename(root.with_name("my study (ü)"))
    assert read_dataset(moved).name == "my-study"
    with pytest.raises(DatasetError, match="cannot name a dataset"):
        read_dataset(moved, name="../other")


def test_ten_thousand_sessions_are_read(root):
    rows = [f"s{i},p{i},1,{m},,S1/ecg.csv,0,250,ecg,mV" for i in range(10_000) for m in ("ecg", "eda", "ppg")]
    dataset = manifest(root, *rows)
    assert sum(len(s.streams) for s in dataset.sessions) == 30_000


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
    ecg = next(s for s in session.streams if s.modality is Modality.ECG)
    assert (ecg.start_s, ecg.sampling_rate) == (-1.5, 10.0)


def test_trouble_in_a_bids_tree_belongs_to_its_session(tmp_path):
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    for task in ("rest", "talk"):
        for label in ("a", "b"):
            name = f"sub-01_task-{task}_recording-{label}_physio.tsv.gz"
            (folder / name).write_bytes(gzip.compress(b"1\t0\n2\t0\n"))
    sidecar = {"SamplingFrequency": 10, "StartTime": 0, "Columns": ["cardiac", "trigger"]}
    sidecar["cardiac"] = {"Description": "Lead II electrocardiogram", "Units": "mV"}
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(sidecar))
    rest, talk = read_dataset(tmp_path).sessions
    assert [(s.modality, s.channel, s.unit) for s in rest.streams] == [(Modality.ECG, "cardiac", "mV")]
    assert [p.reason for p in rest.problems] == [Reason.DUPLICATE_STREAM]
    assert [p.reason for p in talk.problems] == [Reason.COLUMN_MISSING] * 2 + [Reason.NO_USABLE_STREAM]


@pytest.mark.real
def test_the_bids_examples_are_read(shared_data):
    sessions = read_dataset(shared_data / "physio_bids" / "synthetic").sessions
    assert [s.session_id for s in sessions] == [
        "sub-01_ses-01_task-nback_run-01",
        "sub-01_ses-01_task-nback_run-02",
        "sub-01_ses-01_task-rest",
    ]
    assert {s.modality for s in sessions[0].streams} == {Modality.PPG, Modality.RESPIRATION}
