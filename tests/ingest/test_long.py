"""Long recordings of all formats: read in parts, they hold what is read at once."""

from __future__ import annotations

import gzip
import json
import zipfile
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from device_files import acq, embrace, header, offsets, samples, written

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import LongSignal, Signal
from cueflow.schemas.session import Modality
from cueflow.tasks.clock.marks import marks_of
from cueflow.tasks.ingest import held
from cueflow.tasks.ingest.formats import e4, edf, xdf_samples
from cueflow.tasks.ingest.signals import open_signal, read_signal
from cueflow.tasks.ingest.tabular import tables
from cueflow.tasks.simulate.devices import Recording, write_edf

N = 7_300
TIMES = np.arange(N) / 250.0
WAVE = 0.4 * np.sin(TIMES)


@pytest.fixture(autouse=True)
def short_is_long(monkeypatch):
    monkeypatch.setattr(held, "MANY", 1000)
    monkeypatch.setattr(edf, "_AT_ONCE", 5000)


def edf_file(folder):
    made = Recording(TIMES, {"resp": TIMES, "ecg": WAVE}, {"resp": "", "ecg": "mV"}, 250.0)
    write_edf(folder / "a.edf", made)
    return folder / "a.edf"


def wfdb_file(folder, packing, *, skew=""):
    digits = np.stack([np.round(200 * WAVE), np.round(100 * TIMES) % 300, np.arange(N) % 7], axis=1).astype(np.int64)
    if packing == "212":
        flat = digits.ravel() & 0xFFF
        flat = np.concatenate([flat, np.zeros(len(flat) % 2, dtype=np.int64)])
        one, two = flat[::2], flat[1::2]
        raw = np.stack([one & 255, (one >> 8) | ((two >> 8) << 4), two & 255], axis=1).astype(np.uint8).tobytes()
    else:
        raw = digits.astype({"16": "<i2", "61": ">i2", "32": "<i4"}[packing]).tobytes()
    (folder / "a.dat").write_bytes(raw)
    lines = [f"a.dat {packing}{skew if k == 0 else ''} 200/mV 12 0 0 0 0 {name}" for k, name in enumerate("xyz")]
    (folder / "a.hea").write_text("\n".join([f"a 3 250 {N}", *lines]) + "\n")
    return folder / "a.hea"


def in_parts(monkeypatch, path, **wanted):
    found = open_signal(path, **wanted)
    with monkeypatch.context() as patched:
        patched.setattr(held, "MANY", 1 << 19)
        patched.setattr(tables, "PART_BYTES", 1 << 22)
        whole = open_signal(path, **wanted)
    assert isinstance(found, LongSignal)
    assert isinstance(whole, Signal)
    assert (found.n, found.unit) == (whole.n, whole.unit)
    assert found.sampling_rate == pytest.approx(whole.sampling_rate, rel=1e-12)
    assert (found.began_s, found.began_error_s, found.moved_s) == (whole.began_s, whole.began_error_s, whole.moved_s)
    edges = [0, 1, 2, 333, 1000, 1001, 4999, found.n - 1, found.n]
    parts = [found.part(a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), whole.values)
    np.testing.assert_allclose(np.concatenate([p.times_s for p in parts]), whole.times_s, rtol=1e-9, atol=1e-9)
    return found


@pytest.mark.parametrize("start_s", [None, 12.5])
def test_edf(tmp_path, monkeypatch, start_s):
    in_parts(monkeypatch, edf_file(tmp_path), modality=Modality.ECG, channel="ecg", start_s=start_s)


@pytest.mark.parametrize("packing", ["16", "61", "32", "212"])
@pytest.mark.parametrize("channel", ["x", "y"])
def test_wfdb(tmp_path, monkeypatch, packing, channel):
    in_parts(monkeypatch, wfdb_file(tmp_path, packing), modality=Modality.ECG, channel=channel)


def test_wfdb_with_a_skewed_signal(tmp_path, monkeypatch):
    in_parts(monkeypatch, wfdb_file(tmp_path, "212", skew=":5"), modality=Modality.ECG, channel="x")


def test_a_short_recording_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(held, "MANY", 10_000)
    assert isinstance(open_signal(edf_file(tmp_path), modality=Modality.ECG, channel="ecg"), Signal)


def test_what_is_declared_wrongly_is_refused_of_long_ones_too(tmp_path):
    path = edf_file(tmp_path)
    with pytest.raises(StreamError) as rate:
        open_signal(path, modality=Modality.ECG, channel="ecg", sampling_rate=500.0)
    assert rate.value.reason is Reason.RATE_MISMATCH
    with pytest.raises(StreamError) as unit:
        open_signal(path, modality=Modality.ECG, channel="ecg", unit="V")
    assert unit.value.reason is Reason.UNIT_UNKNOWN


def stamps_of(kind):
    """Stamps of all samples, a pause of a minute in the middle, as some device would write them."""
    times = TIMES + 60.0 * (np.arange(N) >= 4000)
    if kind == "rounded":
        return np.round(times, 2)
    if kind == "twice":
        return np.sort(np.concatenate([times[:-3], times[[70, 1000, 3999]]]))
    return 1.7e9 + times if kind == "1970" else times


@pytest.mark.parametrize("kind", ["plain", "rounded", "twice", "1970"])
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_tables_with_stamps(tmp_path, monkeypatch, kind, suffix):
    monkeypatch.setattr(tables, "PART_BYTES", 7777)
    monkeypatch.setattr(tables, "_PART_ROWS", 700)
    path = tmp_path / f"a.{suffix}"
    frame = pl.DataFrame({"time_s": stamps_of(kind), "resp": TIMES, "ecg": WAVE})
    if suffix == "parquet":
        frame.write_parquet(path, row_group_size=1900)
    else:
        text = frame.write_csv().encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    found = in_parts(monkeypatch, path, modality=Modality.ECG, channel="ecg", start_s=3.0)
    assert found.n == N - 3 * (kind == "twice")
    steps = np.diff(found.part(0, found.n).times_s)
    assert np.flatnonzero(steps > 1.0).tolist() == [3999]
    assert found.sampling_rate == pytest.approx(250.0, rel=1e-3)


def test_tables_without_stamps(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 7777)
    pl.DataFrame({"ecg": WAVE}).write_csv(tmp_path / "a.csv")
    pl.DataFrame({"ecg": WAVE}).write_parquet(tmp_path / "a.parquet")
    head = {"0": {"sampling rate": 250, "sensor": ["ECG"], "column": ["nSeq", "A1"], "label": ["A1"], "channels": [1],
                  "resolution": [4, 10], "date": "2024-05-01", "time": "10:00:00.0"}}  # fmt: skip
    rows = "\n".join(f"{k % 16}\t{512 + round(100 * v)}" for k, v in enumerate(WAVE))
    text = f"# OpenSignals Text File Format\n# {json.dumps(head)}\n# EndOfHeader\n{rows}\n"
    (tmp_path / "a.txt").write_text(text)
    for name, rate in (("a.csv", 250.0), ("a.parquet", 250.0), ("a.txt", None)):
        in_parts(monkeypatch, tmp_path / name, modality=Modality.ECG, sampling_rate=rate, channel="ECG")


def test_bids_physio(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 7777)
    path = tmp_path / "sub-1_task-a_physio.tsv.gz"
    path.write_bytes(gzip.compress("".join(f"{v:.4f}\t{t:.4f}\n" for v, t in zip(WAVE, TIMES, strict=True)).encode()))
    said = {"SamplingFrequency": 250, "StartTime": -2.5, "Columns": ["ecg", "time"]}
    (tmp_path / "sub-1_task-a_physio.json").write_text(json.dumps(said))
    found = in_parts(monkeypatch, path, modality=Modality.ECG, channel="ecg")
    assert found.part(0, 1).times_s[0] == -2.5


@pytest.mark.parametrize("channel", ["", "y"])
def test_empatica_tables(tmp_path, monkeypatch, channel):
    monkeypatch.setattr(e4, "PART_BYTES", 7777)
    head = "1500000000.0, 1500000000.0, 1500000000.0\n32.0, 32.0, 32.0\n"
    (tmp_path / "ACC.csv").write_text(head + "".join(f"{k % 60},{k % 50},{k % 40}\n" for k in range(N)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "ACC.csv", "ACC.csv")
    in_parts(monkeypatch, tmp_path / "ACC.csv", modality=Modality.ACCELEROMETER, channel=channel)
    in_parts(monkeypatch, tmp_path / "a.zip", modality=Modality.ACCELEROMETER, channel=channel)


def test_xdf(tmp_path, monkeypatch):
    monkeypatch.setattr(xdf_samples, "_GROUP", 300)
    monkeypatch.setattr(xdf_samples, "_AT_ONCE", 9000)
    rng = np.random.default_rng(0)
    sent = 9e4 + np.ceil(stamps_of("plain") / 0.1) * 0.1 + rng.uniform(0.0, 0.005, N)
    stamps = [None if k % 25 > 10 or k < 40 else t for k, t in enumerate(sent.tolist())]
    clocks = [(t, 2.0 + 1e-4 * (t - 9e4)) for t in np.arange(9e4, 9e4 + 90.0, 5.0)]
    parts = header(1, rate=250.0), samples(1, stamps, [[v] for v in WAVE]), offsets(1, *clocks)
    found = in_parts(monkeypatch, written(tmp_path, *parts), modality=Modality.ECG)
    assert found.n == N


def test_acqknowledge(tmp_path, monkeypatch):
    made = acq(tmp_path / "a.acq", {"ecg": ("mV", WAVE), "resp": ("", TIMES)}, rate=250.0)
    in_parts(monkeypatch, made, modality=Modality.ECG, channel="ecg")


def test_embraceplus(tmp_path, monkeypatch):
    for k, start_s in enumerate((0.0, 300.0, 900.0)):  # the second again holds half of the first, the third is late
        embrace(tmp_path / f"{9 - k}.avro", start_s=1.7e9 + start_s, seconds=600.0, level=5.0 + k)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in sorted(tmp_path.glob("*.avro")):
            archive.write(file, file.name)
    found = in_parts(monkeypatch, tmp_path / "a.zip", modality=Modality.EDA)
    assert found.n == 4 * 1500
    values = found.part(0, found.n).values
    assert [int((values == 5.0 + k).sum()) for k in range(3)] == [2400, 1200, 2400]


def test_long_triggers_are_those_of_short_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 7777)
    pl.DataFrame({"time_s": TIMES, "ecg": WAVE, "trigger": np.arange(N) % 999 == 0}).cast(pl.Float64).write_csv(
        tmp_path / "a.csv"
    )
    np.testing.assert_allclose(marks_of(tmp_path / "a.csv"), TIMES[999::999])


def test_numbers_that_were_put_into_a_file(monkeypatch):
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=n) for n in (0, 3, 700, 900, 1, 0, 2000)]
    kept = held.Held(parts)
    whole = np.concatenate(parts)
    assert kept.n == len(whole)
    np.testing.assert_array_equal(kept.read(500, 1700), whole[500:1700])
    np.testing.assert_array_equal(np.concatenate(list(held.blocks(kept))), whole)
    np.testing.assert_array_equal(np.concatenate(list(held.steps(kept))), np.diff(whole))
    assert len(kept.read(9000, 9100)) == 0


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_tables_are_read_in_parts(tmp_path, monkeypatch, name):
    cells = [f"{v:.4f}".replace(".", ",") for v in WAVE[:2000]]
    lines = [f"2024-05-01T10:00:{k / 50:06.3f};{cell}" for k, cell in enumerate(cells)]
    text = "time;ecg\n" + "\n".join(lines) + "\n\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    whole = read_signal(tmp_path / name, modality=Modality.ECG)
    monkeypatch.setattr(tables, "PART_BYTES", 777)
    parts = read_signal(tmp_path / name, modality=Modality.ECG)
    np.testing.assert_array_equal(parts.values, whole.values)
    np.testing.assert_array_equal(parts.times_s, whole.times_s)
    assert (parts.n, parts.began_s, parts.zoned) == (2000, whole.began_s, whole.zoned)


def test_text_in_a_later_part_is_named_by_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PART_BYTES", 100)
    (tmp_path / "a.csv").write_text("ecg\n" + "".join(f"{'x' if k == 500 else k}\n" for k in range(900)))
    with pytest.raises(StreamError, match="line 502"):
        read_signal(tmp_path / "a.csv", modality=Modality.ECG, sampling_rate=250.0)
