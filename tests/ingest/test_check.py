"""The dry run: what headers say of each kind of file, and which trouble they show before anything runs."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pyedflib
import pytest
import soundfile as sf

from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group
from cueflow.tasks.ingest.check import check_dataset
from cueflow.tasks.ingest.dataset import read_dataset

HEADER = "session_id,subject_id,modality,path,sampling_rate,channel,unit"


@pytest.fixture
def root(tmp_path):
    """A dataset folder with 20 s of signals at 250 Hz in several formats, and 2 s of sound."""
    times = np.arange(5000) / 250
    frame = pl.DataFrame({"time_s": times, "ecg": np.sin(times), "eda": np.cos(times)})
    frame.write_csv(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    frame.drop("time_s").write_parquet(tmp_path / "a.parquet")
    frame.write_parquet(tmp_path / "t.parquet", row_group_size=1000)
    with pyedflib.EdfWriter(str(tmp_path / "a.edf"), 1, file_type=pyedflib.FILETYPE_EDF) as writer:
        signal = {"physical_min": -1.5, "physical_max": 1.5, "sample_frequency": 250, "dimension": "mV"}
        writer.setSignalHeaders([pyedflib.highlevel.make_signal_header("ECG") | signal])
        writer.writeSamples([np.sin(times)])
    sf.write(tmp_path / "a.wav", np.zeros(32000), 16000)
    return tmp_path


def check(root, *rows):
    (root / "manifest.csv").write_text("\n".join((HEADER, *rows)) + "\n")
    return check_dataset(read_dataset(root))


@pytest.mark.parametrize(
    ("row", "duration_s", "rate_hz", "channels"),
    [
        ("S,P,ecg,a.csv,,ecg,", 19.996, 250.0, 3),
        ("S,P,ecg,a.csv,250,ecg,mV", 19.996, 250.0, 3),
        ("S,P,ecg,a.csv.gz,,ecg,", None, 250.0, 3),
        ("S,P,eda,a.parquet,250,eda,", 20.0, 250.0, 2),
        ("S,P,eda,t.parquet,,eda,", 19.996, 250.0, 3),
        ("S,P,ecg,a.edf,,,mV", 20.0, 250.0, 1),
        ("S,P,audio,a.wav,,,", 2.0, 16000.0, 1),
    ],
)
def test_headers_give_length_rate_and_channels(root, row, duration_s, rate_hz, channels):
    (session,) = check(root, row)
    (stream,) = session.streams
    assert session.state == "ok"
    assert stream.problem is None
    assert stream.facts.duration_s == (None if duration_s is None else pytest.approx(duration_s, abs=1e-3))
    assert stream.facts.rate_hz == pytest.approx(rate_hz, rel=1e-6)
    assert stream.facts.channels == channels
    assert stream.size_bytes == (root / row.split(",")[3]).stat().st_size


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        ("S,P,ecg,a.csv,500,ecg,", Reason.RATE_MISMATCH, "declares 500 Hz and the data say 250 Hz"),
        ("S,P,ecg,t.parquet,500,ecg,", Reason.RATE_MISMATCH, "declares 500 Hz and the data say 250 Hz"),
        ("S,P,ecg,a.edf,256,,mV", Reason.RATE_MISMATCH, "declares 256 Hz and the file's header says 250 Hz"),
        ("S,P,ppg,a.csv,,PPG,", Reason.COLUMN_MISSING, "no column 'PPG'; the file has time_s, ecg, eda"),
        ("S,P,ppg,a.parquet,10,PPG,", Reason.COLUMN_MISSING, "no column 'PPG'; the file has ecg, eda"),
        ("S,P,ecg,a.parquet,,ecg,", Reason.RATE_MISSING, "add sampling_rate to the manifest"),
        ("S,P,eda,a.csv,,eda,furlong", Reason.UNIT_UNKNOWN, "unit 'furlong'"),
        ("S,P,ecg,a.wav,,,", Reason.FORMAT_UNKNOWN, r"\.wav is not a format of signals"),
        ("S,P,video,a.wav,,,", Reason.NO_VIDEO_FRAMES, "no video track"),
        ("S,P,audio,a.csv,,,", Reason.FILE_UNREADABLE, "this is text"),
        ("S,P,audio,a.wav,,2,", Reason.COLUMN_MISSING, "no audio channel '2': the file has"),
    ],
)
def test_headers_show_trouble(root, row, reason, message):
    (session,) = check(root, row)
    problem = session.streams[0].problem
    assert problem is not None
    assert (problem.reason, problem.path) == (reason, row.split(",")[3])
    assert message.replace("\\", "") in problem.message
    assert session.state == "failed"
    assert [p.reason for p in session.problems] == [reason, Reason.NO_USABLE_STREAM]


def test_stamps_that_run_backwards_are_found_before_the_run(root):
    (root / "back.csv").write_text("time_s,ecg\n0,1\n0.5,2\n0.1,3\n0.2,1\n")
    pl.DataFrame({"time_s": [0.0, 0.5, 0.1], "ecg": [1.0, 2.0, 3.0]}).write_parquet(root / "back.parquet")
    for path in ("back.csv", "back.parquet"):
        (session,) = check(root, f"S,P,ecg,{path},,ecg,")
        problem = session.streams[0].problem
        assert problem is not None
        assert problem.reason is Reason.TIME_NOT_INCREASING
        assert "run backwards at sample 3" in problem.message


def test_dates_are_time_stamps_too(root):
    rows = "".join(f"2024-05-01T12:00:00.{ms:03d},1\n" for ms in range(0, 1000, 4))
    (root / "dates.csv").write_text("timestamp,ecg\n" + rows)
    frame = pl.read_csv(root / "dates.csv", try_parse_dates=True)
    frame.write_parquet(root / "dates.parquet")
    (session,) = check(root, "S,P,ecg,dates.csv,,ecg,", "S,P,ppg,dates.parquet,,ecg,")
    assert session.state == "ok"


def test_a_session_with_one_good_stream_is_degraded_and_says_what_would_run(root):
    (session,) = check(root, "S,P,ecg,a.csv,,ecg,", "S,P,audio,none.wav,,,", "S,P,video,a.wav,,,")
    assert session.state == "degraded"
    assert session.stages == (Group.PHYSIOLOGY,)
    assert [p.reason for p in session.problems] == [Reason.FILE_MISSING, Reason.NO_VIDEO_FRAMES]


@pytest.mark.real
def test_a_real_session_is_described(shared_data, tmp_path):
    for source in ("av_mexca/test_video_audio_5_seconds.mp4", "physio_bidmc/bidmc_01_Signals.csv"):
        (tmp_path / source.split("/")[1]).write_bytes((shared_data / source).read_bytes())
    video = "test_video_audio_5_seconds.mp4"
    (session,) = check(
        tmp_path, f"S,P,video,{video},,,", f"S,P,audio,{video},,,", "S,P,ecg,bidmc_01_Signals.csv,125,II,mV"
    )
    assert session.stages == (Group.VIDEO, Group.AUDIO, Group.PHYSIOLOGY)
    picture, sound, ecg = (stream.facts for stream in session.streams)
    assert (picture.width, picture.height, picture.n_frames, picture.codec) == (640, 360, 125, "h264")
    assert (sound.rate_hz, sound.channels, sound.codec) == (44100, 2, "mp3")
    assert ecg.duration_s == pytest.approx(480.0)


def test_a_pulse_too_slow_to_measure_is_found_before_the_run(root):
    times = np.arange(600) / 10
    pl.DataFrame({"time_s": times, "ppg": np.sin(times)}).write_csv(root / "slow.csv")
    (session,) = check(root, "S,P,ppg,slow.csv,,ppg,")
    assert session.state == "failed"
    assert session.streams[0].problem.reason is Reason.SAMPLING_RATE_LOW
    assert "10 Hz" in session.streams[0].problem.message
