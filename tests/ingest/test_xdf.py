"""XDF: files of the format's own examples, and streams written here with clocks, gaps and jitter that are known."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from device_files import chunk, header, offsets, samples, written

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality, Stream
from cueflow.tasks.ingest.check import check_stream
from cueflow.tasks.ingest.formats.xdf import read_xdf_signals
from cueflow.tasks.ingest.signals import read_signal


def ecg(path, channel=""):
    return read_signal(path, modality=Modality.ECG, channel=channel)


@pytest.mark.real
def test_the_formats_own_examples(shared_data):
    folder = shared_data / "physio_format" / "xdf"
    signal = ecg(folder / "minimal.xdf", "1")
    assert signal.values.tolist() == [255, 22, 23, 24, 25, 22, 23, 24, 25]
    np.testing.assert_allclose(signal.times_s, np.arange(9) / 10, atol=1e-9)
    assert [s.name for s in read_xdf_signals(folder / "empty_streams.xdf")] == ["ch:00"]  # two empty ones, one of text
    counter = ecg(folder / "empty_streams.xdf")
    assert counter.values.tolist() == list(range(10))
    assert counter.times_s[0] == pytest.approx(91725.21392547 - 91725.01399348, abs=1e-5)  # after the stream of text
    checked = check_stream(folder, Stream(Modality.TEMPERATURE, "empty_streams.xdf"))
    assert (checked.problem, checked.facts.rate_hz) == (None, 1.0)


def test_streams_share_the_recording_computers_clock(tmp_path):
    local = 500.0 + np.arange(3000) / 100
    drift = [(t, 2.0 + 1e-4 * (t - 500.0)) for t in np.arange(500.0, 531.0, 5.0)]
    late = [*drift[:3], (drift[3][0], drift[3][1] + 0.2), *drift[4:]]  # one measurement over a busy network
    path = written(
        tmp_path, header(1), header(2, name="Wrist", kind="EDA", rate=4.0, labels=(("", "uS"),)),
        samples(1, local.tolist(), [[v / 1000] for v in range(3000)]), offsets(1, *late),
        samples(2, (501.0 + np.arange(100) / 4).tolist(), [[1.0]] * 100),
    )  # fmt: skip
    heart, skin = ecg(path), read_signal(path, modality=Modality.EDA)
    assert skin.times_s[0] == 0.0
    assert (heart.unit, skin.unit) == ("mV", "µS")
    np.testing.assert_allclose(heart.times_s, local + 2.0 + 1e-4 * (local - 500.0) - 501.0, atol=1e-4)


def test_jitter_is_laid_straight_and_gaps_stay(tmp_path):
    rng = np.random.default_rng(0)
    true = np.concatenate([np.arange(0, 1000), np.arange(1500, 2500)]) / 100
    sent = 9e4 + np.ceil(true / 0.25) * 0.25 + rng.uniform(0.0, 0.01, len(true))  # packets of 25 samples
    signal = ecg(written(tmp_path, header(1), samples(1, np.sort(sent).tolist(), [[v] for v in true])))
    steps = np.diff(signal.times_s)
    assert np.flatnonzero(steps > 1.0).tolist() == [999]
    np.testing.assert_allclose(np.delete(steps, 999), 0.01, atol=2e-4)
    np.testing.assert_allclose(signal.values, true, rtol=1e-6)


def test_samples_without_a_stamp_follow_the_last_one(tmp_path):
    stamps = [7.0, None, None, 7.03, None, 7.05]
    rows = [[v, 10 * v] for v in range(6)]
    parts = header(1, code="int16", labels=(("I", ""), ("II", ""))), samples(1, stamps, rows, "<i2", per=6)
    signal = ecg(written(tmp_path, *parts), "II")
    assert signal.values.tolist() == [0, 10, 20, 30, 40, 50]
    np.testing.assert_allclose(signal.times_s, np.arange(6) / 100, atol=1e-6)
    whole = samples(1, [7.0] + [None] * 5, rows, "<i2", per=6), samples(1, [None] * 6, rows, "<i2", per=6)
    signal = ecg(written(tmp_path, parts[0], *whole), "I")
    assert (len(signal.values), signal.times_s[-1]) == (12, pytest.approx(0.11))


def test_a_stream_that_was_recorded_twice_is_told_apart(tmp_path):
    stamps = (1.0 + np.arange(50) / 100).tolist()
    one, other = samples(1, stamps, [[1.0]] * 50), samples(2, stamps, [[2.0]] * 50)
    path = written(tmp_path, header(1), header(2), one, other)
    with pytest.raises(StreamError, match="name one of Belt#1/ECG, Belt#2/ECG"):
        ecg(path)
    assert ecg(path, "Belt#2/ECG").values[0] == 2.0
    assert ecg(written(tmp_path, header(1), header(2), other)).values[0] == 2.0  # the empty one does not count


@pytest.mark.parametrize("channel", ["", "ECG", "belt"])
def test_an_empty_stream_is_named_and_no_other_one_taken_for_it(tmp_path, channel):
    counter = header(2, name="Counter", kind="data", rate=1.0), samples(2, [1.0, 2.0, 3.0], [[1.0]] * 3)
    path = written(tmp_path, header(1), *counter)
    with pytest.raises(StreamError, match="the stream has no samples") as caught:
        ecg(path, channel)
    assert caught.value.reason is Reason.FILE_EMPTY


def test_a_stream_of_another_epoch_does_not_move_the_others(tmp_path):
    stamps = (1.6e9 + np.arange(50) / 100).tolist()
    path = written(
        tmp_path, header(1), header(2, name="Old", kind="EEG"), samples(1, stamps, [[1.0]] * 50),
        samples(2, [3.0], [[1.0]]),
    )  # fmt: skip
    assert ecg(path, "ECG").times_s[0] == 0.0


def test_files_that_cannot_be_used(tmp_path):
    stamps = (1.0 + np.arange(50) / 100).tolist()
    good = (header(1), samples(1, stamps, [[1.0]] * 50))
    path = written(tmp_path, *good)
    whole = path.read_bytes()
    bad = {
        whole[:-7]: Reason.FILE_TRUNCATED,
        b"RIFF" + whole[4:]: Reason.FILE_UNREADABLE,
        whole.replace(b"<channel_count>1<", b"<channel_count>0<"): Reason.FILE_UNREADABLE,
        whole.replace(b"float32", b"complex"): Reason.COLUMN_MISSING,
        b"XDF:": Reason.COLUMN_MISSING,
        b"": Reason.FILE_EMPTY,
    }
    for raw, reason in bad.items():
        path.write_bytes(raw)
        with pytest.raises(StreamError) as caught:
            ecg(path)
        assert caught.value.reason is reason
    lies = written(tmp_path, header(1, rate=250.0), good[1])
    with pytest.raises(StreamError, match="time stamps say 100 Hz"):
        ecg(lies)


def test_damaged_bytes_end_in_typed_errors(tmp_path):
    rng = np.random.default_rng(3)
    stamps = (1.0 + np.arange(60) / 100).tolist()
    path = written(
        tmp_path, header(1), samples(1, stamps, [[v] for v in range(60)], per=20),
        offsets(1, (1.0, 0.1), (2.0, 0.1), (4.0, 0.1)),
    )  # fmt: skip
    whole, outcomes = path.read_bytes(), set()
    for _ in range(200):
        raw = bytearray(whole)
        for at in rng.integers(0, len(raw), rng.integers(1, 6)):
            raw[at] = rng.integers(0, 256)
        path.write_bytes(bytes(raw))
        try:
            outcomes.add(type(ecg(path)).__name__)
        except StreamError as error:
            outcomes.add(error.reason.value)
    assert {"Signal", "file_unreadable", "file_truncated"} <= outcomes


def test_streams_of_markers_give_their_times(tmp_path):
    from cueflow.tasks.clock.marks import marks_of

    texts = b"".join(
        b"\x08" + struct.pack("<d", at) + b"\x01" + bytes([len(text)]) + text
        for at, text in ((101.0, b"a"), (103.5, b"start of task"), (108.0, b""))
    )
    marked = chunk(3, struct.pack("<I", 2) + b"\x01\x03" + texts)
    path = written(
        tmp_path,
        header(1),
        header(2, name="Keys", kind="Markers", rate=0.0, code="string"),
        samples(1, 100.0 + np.arange(1000) / 100.0, np.zeros((1000, 1))),
        marked,
    )
    assert marks_of(path).tolist() == pytest.approx([1.0, 3.5, 8.0])
