"""Long EDF, BDF and WFDB recordings: read in parts, they hold what is read at once."""

from __future__ import annotations

import gzip
from itertools import pairwise

import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import LongSignal, Signal
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest import signals
from cueflow.tasks.ingest.formats import edf
from cueflow.tasks.ingest.signals import open_signal, read_signal
from cueflow.tasks.ingest.tabular import tables
from cueflow.tasks.simulate.devices import Recording, write_edf

N = 7_300
TIMES = np.arange(N) / 250.0
WAVE = 0.4 * np.sin(TIMES)


@pytest.fixture(autouse=True)
def short_is_long(monkeypatch):
    monkeypatch.setattr(signals, "_LONG", 1000)
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


def in_parts(path, **wanted):
    found, whole = open_signal(path, **wanted), read_signal(path, **wanted)
    assert isinstance(found, LongSignal)
    assert (found.n, found.sampling_rate, found.unit) == (whole.n, whole.sampling_rate, whole.unit)
    assert (found.began_s, found.began_error_s, found.moved_s) == (whole.began_s, whole.began_error_s, whole.moved_s)
    edges = [0, 1, 2, 333, 1000, 1001, 4999, found.n - 1, found.n]
    parts = [found.part(a, b) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), whole.values)
    np.testing.assert_allclose(np.concatenate([p.times_s for p in parts]), whole.times_s, rtol=1e-12)


@pytest.mark.parametrize("start_s", [None, 12.5])
def test_edf(tmp_path, start_s):
    in_parts(edf_file(tmp_path), modality=Modality.ECG, channel="ecg", start_s=start_s)


@pytest.mark.parametrize("packing", ["16", "61", "32", "212"])
@pytest.mark.parametrize("channel", ["x", "y"])
def test_wfdb(tmp_path, packing, channel):
    in_parts(wfdb_file(tmp_path, packing), modality=Modality.ECG, channel=channel)


def test_wfdb_with_a_skewed_signal(tmp_path):
    in_parts(wfdb_file(tmp_path, "212", skew=":5"), modality=Modality.ECG, channel="x")


def test_a_short_recording_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(signals, "_LONG", 10_000)
    assert isinstance(open_signal(edf_file(tmp_path), modality=Modality.ECG, channel="ecg"), Signal)


def test_what_is_declared_wrongly_is_refused_of_long_ones_too(tmp_path):
    path = edf_file(tmp_path)
    with pytest.raises(StreamError) as rate:
        open_signal(path, modality=Modality.ECG, channel="ecg", sampling_rate=500.0)
    assert rate.value.reason is Reason.RATE_MISMATCH
    with pytest.raises(StreamError) as unit:
        open_signal(path, modality=Modality.ECG, channel="ecg", unit="V")
    assert unit.value.reason is Reason.UNIT_UNKNOWN


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
