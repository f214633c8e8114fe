"""AcqKnowledge, EmbracePlus and lists of beats from chest straps: files made here, as no real ones may be kept."""

from __future__ import annotations

import sys
import zipfile

import numpy as np
import pytest
from device_files import acq, embrace

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality
from cueflow.tasks.clock.marks import marks_of
from cueflow.tasks.ingest.signals import read_signal

fastavro = pytest.importorskip("fastavro", reason="the extra embrace is not installed")
acq_headers = pytest.importorskip("bioread.headers", reason="the extra acq is not installed")


def test_a_channel_of_an_acqknowledge_file(tmp_path):
    times = np.arange(2000) / 200.0
    file = acq(tmp_path / "a.acq", {"ECG": ("mV", np.sin(times)), "EDA100C": ("microsiemen", 5.0 + times)})
    ecg = read_signal(file, modality=Modality.ECG)
    np.testing.assert_allclose(ecg.values, np.sin(times))
    assert (ecg.sampling_rate, ecg.unit) == (200.0, "mV")
    eda = read_signal(file, modality=Modality.EDA, channel="EDA100C")
    np.testing.assert_allclose(eda.values, 5.0 + times)
    assert eda.unit == "µS"
    with pytest.raises(StreamError, match="ECG, EDA100C"):
        read_signal(file, modality=Modality.PPG)


def test_the_markers_of_an_acqknowledge_file(tmp_path, caplog):
    channels = {"ECG": ("mV", np.sin(np.arange(2000) / 200.0))}
    file = acq(tmp_path / "a.acq", channels, marks=(0, 300, 1801))
    assert marks_of(file).tolist() == pytest.approx([1.5, 9.005])  # the recorder's own at 0 is none
    assert read_signal(file, modality=Modality.ECG).values.shape == (2000,)
    assert marks_of(acq(tmp_path / "b.acq", channels)).tolist() == []
    (tmp_path / "c.acq").write_bytes(file.read_bytes()[:300])
    assert marks_of(tmp_path / "c.acq").tolist() == []
    assert "Anna" not in caplog.text


@pytest.mark.parametrize("keep", [0, 10, 300, 900, 0.5, 0.9])
def test_a_cut_acqknowledge_file_is_refused(tmp_path, keep):
    raw = acq(tmp_path / "a.acq", {"ECG": ("mV", np.zeros(2000))}).read_bytes()
    (tmp_path / "cut.acq").write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    with pytest.raises(StreamError) as caught:
        read_signal(tmp_path / "cut.acq", modality=Modality.ECG)
    assert caught.value.reason in {Reason.FILE_TRUNCATED, Reason.FILE_UNREADABLE}


def test_an_embraceplus_file(tmp_path):
    file = embrace(tmp_path / "1-1-1_1.avro", beats=np.arange(1.0, 59.0, 0.8))
    eda = read_signal(file, modality=Modality.EDA)
    assert (len(eda.values), eda.sampling_rate, eda.unit) == (240, 4.0, "µS")
    acc = read_signal(file, modality=Modality.ACCELEROMETER)
    np.testing.assert_allclose(acc.values, 1.0)
    np.testing.assert_allclose(read_signal(file, modality=Modality.ACCELEROMETER, channel="x").values, 0.0)
    listed = read_signal(file, modality=Modality.INTERVALS)
    np.testing.assert_allclose(listed.values, 800.0, atol=1e-3)
    with pytest.raises(StreamError) as caught:
        read_signal(file, modality=Modality.ECG)
    assert caught.value.reason is Reason.COLUMN_MISSING


def test_a_zip_of_embraceplus_files_keeps_the_pause_between_them(tmp_path):
    embrace(tmp_path / "1_2.avro", start_s=1_700_000_090.0, level=7.0)
    embrace(tmp_path / "1_1.avro")
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        for name in ("1_2.avro", "1_1.avro"):
            archive.write(tmp_path / name, name)
    eda = read_signal(tmp_path / "e.zip", modality=Modality.EDA)
    assert eda.times_s[240] - eda.times_s[239] == pytest.approx(30.25)
    assert (eda.values[0], eda.values[-1]) == (5.0, 7.0)


@pytest.mark.parametrize("keep", [0, 4, 200, 0.3, 0.9])
def test_a_cut_embraceplus_file_is_refused(tmp_path, keep):
    raw = embrace(tmp_path / "a.avro").read_bytes()
    (tmp_path / "cut.avro").write_bytes(raw[: int(keep * len(raw)) if isinstance(keep, float) else keep])
    with pytest.raises(StreamError) as caught:
        read_signal(tmp_path / "cut.avro", modality=Modality.EDA)
    assert caught.value.reason in {Reason.FILE_UNREADABLE, Reason.COLUMN_MISSING, Reason.FILE_EMPTY}


@pytest.mark.parametrize(("package", "suffix", "extra"), [("bioread", ".acq", "acq"), ("fastavro", ".avro", "embrace")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, package, suffix, extra):
    monkeypatch.setitem(sys.modules, package, None)
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"something")
    with pytest.raises(StreamError, match=rf"pip install 'cueflow\[{extra}\]'") as caught:
        read_signal(file, modality=Modality.EDA)
    assert caught.value.reason is Reason.FORMAT_UNKNOWN


def test_a_polar_list_whose_packets_bring_several_beats(tmp_path):
    beats = np.cumsum(np.full(60, 0.8) + 0.02 * np.sin(np.arange(60)))
    sent = np.ceil(beats)  # one packet each second, with what has come since
    lines = [f"2024-05-01T10:00:{s:06.3f};{1000 * i:.0f}" for s, i in
             zip(sent % 60, np.diff(beats, prepend=0.0), strict=True) if s < 60]  # fmt: skip
    (tmp_path / "rr.txt").write_text("Phone timestamp;RR-interval [ms]\n" + "\n".join(lines) + "\n")
    found = read_signal(tmp_path / "rr.txt", modality=Modality.INTERVALS)
    assert len(found.values) == len(lines)
    np.testing.assert_allclose(np.diff(found.times_s), np.diff(beats[: len(lines)]), atol=2e-3)


@pytest.mark.parametrize(
    "text", ["812\n805\n820\n", "rr\n812\n805\n820\n", "RR (s)\n0.812\n0.805\n0.82\n",
     "time_s,hr,RR_ms\n1,70,812\n1.8,71,805\n2.6,70,820\n"]
)  # fmt: skip
def test_plain_lists_of_beats(tmp_path, text):
    (tmp_path / "rr.csv").write_text(text)
    found = read_signal(tmp_path / "rr.csv", modality=Modality.INTERVALS)
    np.testing.assert_allclose(found.values, [812.0, 805.0, 820.0])
