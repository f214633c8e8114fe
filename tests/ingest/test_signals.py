"""Readers of signals: formats, units, rates, time stamps, and hostile files."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pyedflib
import pytest

from cueflow.schemas.errors import StreamError, storable
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.ingest.tabular.stamps import even_stamps, measured_rate

SINE = np.sin(np.arange(500) / 20)


def table(path, rate=250.0, *, time="time_s", digits=6, column="ecg", values=SINE):
    times = np.round(np.arange(len(values)) / rate, digits)
    rows = [f"{t:.9g},{v:.6f}" for t, v in zip(times, values, strict=True)]
    path.write_text("\n".join((f"{time},{column}", *rows)) + "\n")
    return path


def test_time_stamps_give_time_and_rate(tmp_path):
    signal = read_signal(table(tmp_path / "a.csv"), modality=Modality.ECG, channel=" ecg ", start_s=2.0)
    assert signal.sampling_rate == pytest.approx(250.0, rel=1e-6)
    assert signal.times_s[[0, -1]] == pytest.approx([2.0, 2.0 + 499 / 250])
    np.testing.assert_allclose(signal.values, SINE, atol=1e-6)
    assert signal.unit == "mV"


@pytest.mark.parametrize(("name", "scale"), [("Time [s]", 1.0), ("timestamp (ms)", 1e3), ("t", 1.0), ("TIME_MS", 1e3)])
def test_time_columns_are_known_by_name_and_unit(tmp_path, name, scale):
    path = table(tmp_path / "a.csv", rate=250.0 / scale, time=name)
    assert read_signal(path, modality=Modality.ECG).sampling_rate == pytest.approx(250.0, rel=1e-4)


def test_a_declared_rate_that_the_data_contradict_is_refused_with_both_figures(tmp_path):
    path = table(tmp_path / "a.csv", rate=500.0)
    with pytest.raises(StreamError, match="declares 250 Hz and the time stamps say 500 Hz") as caught:
        read_signal(path, modality=Modality.ECG, sampling_rate=250.0)
    assert caught.value.reason is Reason.RATE_MISMATCH


def test_a_missing_row_is_a_gap_and_does_not_bend_the_rate(tmp_path):
    path = table(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:100] + lines[300:]) + "\n")
    signal = read_signal(path, modality=Modality.ECG, sampling_rate=250.0)
    assert np.diff(signal.times_s).max() == pytest.approx(201 / 250)
    assert len(signal.values) == 300


def test_stamps_of_arrival_are_refused_for_beats_and_lost_rows_are_not(tmp_path):
    path, rng = tmp_path / "a.csv", np.random.default_rng(0)
    times, kept = np.arange(5000) / 250.0, rng.random(5000) > 0.05

    def written(stamps):
        path.write_text("time_s,v\n" + "".join(f"{t:.6f},{k % 7}\n" for k, t in enumerate(stamps)))
        return path

    late = written(np.sort(times + rng.normal(0.0, 0.002, 5000)))
    with pytest.raises(StreamError, match="leave the column out and give sampling_rate") as caught:
        read_signal(late, modality=Modality.ECG)
    assert caught.value.reason is Reason.TIME_UNEVEN
    assert len(read_signal(late, modality=Modality.RESPIRATION).values) == 5000
    assert len(read_signal(written(times[kept]), modality=Modality.ECG).values) == kept.sum()
    assert len(read_signal(written(times + rng.normal(0.0, 2e-4, 5000)), modality=Modality.ECG).values) == 5000


@pytest.mark.parametrize(("size", "apart"), [(32, 0.0), (32, 1e-6), (10, 1e-5), (125, 1e-6)])
def test_stamps_of_packets_are_laid_on_a_line(tmp_path, size, apart):
    """Samples that a computer stamped as they came out of a packet; a pause of 3 s stays one."""
    k = np.arange(20_000)
    stamps = (k // size + 1) * size / 250.0 + (k % size) * apart
    stamps[10_000:] += 3.0
    path = tmp_path / "a.csv"
    path.write_text("time_s,v\n" + "".join(f"{t:.7f},{i % 7}\n" for i, t in enumerate(stamps)))
    signal = read_signal(path, modality=Modality.ECG)
    step = np.diff(signal.times_s)
    assert signal.sampling_rate == pytest.approx(250.0, rel=0.02)
    assert len(signal.values) == 20_000
    assert np.median(step) == pytest.approx(0.004, rel=0.01)
    assert (step > 0.5).sum() == 1
    assert np.sort(step)[-2] < 0.006


def test_packets_whose_samples_lie_apart_are_refused_for_beats(tmp_path):
    k = np.arange(5000)
    stamps = (k // 32) * 0.128 + (k % 32) * 1e-3
    path = tmp_path / "a.csv"
    path.write_text("time_s,v\n" + "".join(f"{t:.6f},{i % 7}\n" for i, t in enumerate(stamps)))
    with pytest.raises(StreamError, match="leave the column out and give sampling_rate") as caught:
        read_signal(path, modality=Modality.ECG)
    assert caught.value.reason is Reason.TIME_UNEVEN


def test_a_long_pause_makes_no_packets(tmp_path):
    stamps = np.r_[np.arange(1000) / 250.0, 3600 + np.arange(1000) / 250.0]
    path = tmp_path / "a.csv"
    path.write_text("time_s,v\n" + "".join(f"{t:.4f},{i % 7}\n" for i, t in enumerate(stamps)))
    signal = read_signal(path, modality=Modality.ECG)
    np.testing.assert_allclose(signal.times_s, stamps, atol=1e-9)


def test_an_empty_cell_is_a_missing_sample(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time_s,eda\n0,1.0\n0.25,\n0.5,NaN\n0.75,1.5\n")
    signal = read_signal(path, modality=Modality.EDA)
    np.testing.assert_array_equal(np.isnan(signal.values), [False, True, True, False])


def evened(times, values, rate):
    return [numbers.read(0, numbers.n) for numbers in even_stamps(Held([times]), Held([values]), rate)]


def test_stamps_rounded_to_hundredths_at_125_hz_keep_all_samples_and_the_rate():
    true = np.arange(5000) / 125.0
    rounded = np.round(true, 2)
    assert measured_rate(Held([rounded])) == pytest.approx(125.0, rel=1e-3)
    times, values = evened(rounded, true, 125.0)
    assert len(values) == 5000
    assert np.all(np.diff(times) > 0)
    assert np.abs(times - true).max() < 0.005


def test_rounded_stamps_keep_their_gap():
    true = np.concatenate([np.arange(1000), np.arange(1500, 2500)]) / 125.0
    times, _ = evened(np.round(true, 2), true, 125.0)
    assert np.abs(times - true).max() < 0.01
    assert np.diff(times).max() == pytest.approx(501 / 125, abs=0.01)


def test_a_few_samples_stored_twice_are_merged():
    times = np.sort(np.concatenate([np.arange(1000) / 100, [3.0]]))
    kept, values = evened(times, np.arange(1001.0), 100.0)
    assert len(kept) == len(values) == 1000


def test_a_column_without_header_or_time_needs_a_rate(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("0.1\n0.2\n0.3\n")
    assert read_signal(path, modality=Modality.ECG, sampling_rate=100.0).times_s.tolist() == [0.0, 0.01, 0.02]
    with pytest.raises(StreamError, match="add sampling_rate to the manifest") as caught:
        read_signal(path, modality=Modality.ECG)
    assert caught.value.reason is Reason.RATE_MISSING


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("time_s,eda\n0,1\n1,2\n", Reason.COLUMN_MISSING, "no column 'ecg'; the file has time_s, eda"),
        ("time_s,ecg\n0,1\n0.1,high\n0.2,low\n", Reason.NOT_A_NUMBER, "line 3, column 2;"),
        ("time_s,ecg\n0,1\n0.2,2\n0.1,3\n", Reason.TIME_NOT_INCREASING, "run backwards at sample 3"),
        ("time_s,ecg\n", Reason.FILE_EMPTY, "no rows"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, reason, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(StreamError, match=message) as caught:
        read_signal(path, modality=Modality.ECG, channel="ecg")
    assert caught.value.reason is reason


def test_bytes_named_csv_and_unknown_formats(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x00\x01\x02" * 50)
    with pytest.raises(StreamError, match="not a text table"):
        read_signal(tmp_path / "a.csv", modality=Modality.ECG)
    with pytest.raises(StreamError, match=r"\.xyz is not a format of signals") as caught:
        read_signal(tmp_path / "a.xyz", modality=Modality.ECG)
    assert caught.value.reason is Reason.FORMAT_UNKNOWN


def test_parquet_and_compressed_tables(tmp_path):
    frame = pl.DataFrame({"time_s": np.arange(500) / 250, "ecg": SINE})
    frame.write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    for name in ("a.parquet", "a.csv.gz"):
        signal = read_signal(tmp_path / name, modality=Modality.ECG, channel="ecg")
        np.testing.assert_allclose(signal.values, SINE)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode())[:300])
    with pytest.raises(StreamError, match="cut off"):
        read_signal(tmp_path / "a.csv.gz", modality=Modality.ECG)


@pytest.mark.parametrize(
    ("modality", "unit", "factor", "expected"),
    [
        (Modality.ECG, "µV", 1e-3, "mV"),
        (Modality.ECG, "V", 1e3, "mV"),
        (Modality.EDA, "μS", 1.0, "µS"),
        (Modality.EDA, "nS", 1e-3, "µS"),
        (Modality.ACCELEROMETER, "m/s²", 1 / 9.80665, "g"),
        (Modality.TEMPERATURE, "°C", 1.0, "°C"),
    ],
)
def test_units_are_converted(tmp_path, modality, unit, factor, expected):
    signal = read_signal(table(tmp_path / "a.csv", column="x"), modality=modality, unit=unit)
    np.testing.assert_allclose(signal.values, SINE * factor, atol=1e-6 * max(factor, 1))
    assert signal.unit == expected


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(StreamError, match="unit 'furlong' is not one of ecg: write mV or one of") as caught:
        read_signal(table(tmp_path / "a.csv"), modality=Modality.ECG, unit="furlong")
    assert caught.value.reason is Reason.UNIT_UNKNOWN


def test_intervals_carry_their_own_clock(tmp_path):
    path = tmp_path / "rr.csv"
    path.write_text("rr\n0.8\n0.9\n0.7\n")
    signal = read_signal(path, modality=Modality.INTERVALS, unit="s", start_s=1.0)
    np.testing.assert_allclose(signal.values, [800, 900, 700])
    np.testing.assert_allclose(signal.times_s, [1.8, 2.7, 3.4])


@pytest.fixture
def edf(tmp_path):
    path = tmp_path / "a.edf"
    with pyedflib.EdfWriter(str(path), 2) as writer:
        for i, (label, unit, rate) in enumerate((("ECG", "uV", 250), ("Resp", "", 50))):
            writer.setSignalHeader(i, {
                "label": label, "dimension": unit, "sample_frequency": rate, "physical_max": 1000.0,
                "physical_min": -1000.0, "digital_max": 32767, "digital_min": -32768, "prefilter": "", "transducer": "",
            })  # fmt: skip
        writer.setPatientName("Doe")
        writer.writeSamples([500 * np.sin(np.arange(2500) / 40), np.sin(np.arange(500) / 9)])
    return path


def test_edf_gives_rate_unit_and_values(edf):
    signal = read_signal(edf, modality=Modality.ECG, channel="ecg")
    assert (signal.sampling_rate, signal.unit, len(signal.values)) == (250.0, "mV", 2500)
    np.testing.assert_allclose(signal.values, 0.5 * np.sin(np.arange(2500) / 40), atol=1e-4)


def test_edf_trouble_is_typed_and_names_nobody(edf):
    with pytest.raises(StreamError, match="no signal 'EEG'; the file has ECG, Resp") as caught:
        read_signal(edf, modality=Modality.ECG, channel="EEG")
    assert "Doe" not in caught.value.message
    with pytest.raises(StreamError, match="declares 500 Hz and the file's header says 250 Hz"):
        read_signal(edf, modality=Modality.ECG, channel="ECG", sampling_rate=500)
    edf.write_bytes(edf.read_bytes()[:700])
    with pytest.raises(StreamError, match=r"before its header says|not a readable EDF"):
        read_signal(edf, modality=Modality.ECG, channel="ECG")


def test_bids_physio_starts_where_its_sidecar_says(tmp_path):
    stem = tmp_path / "sub-01_task-rest"
    stem.with_name(stem.name + "_physio.tsv.gz").write_bytes(gzip.compress(b"1\t5\n2\t6\n3\tn/a\n"))
    sidecar = {"SamplingFrequency": 2.0, "StartTime": -1.0, "Columns": ["cardiac", "respiratory"]}
    stem.with_name(stem.name + "_physio.json").write_text(json.dumps(sidecar))
    path = tmp_path / "sub-01_task-rest_physio.tsv.gz"
    signal = read_signal(path, modality=Modality.RESPIRATION, channel="respiratory")
    assert signal.times_s.tolist() == [-1.0, -0.5, 0.0]
    np.testing.assert_array_equal(signal.values, [5.0, 6.0, np.nan])


@pytest.mark.real
def test_bidmc_stamps_are_rounded_and_still_read(shared_data):
    path = shared_data / "physio_bidmc" / "bidmc_01_Signals.csv"
    signal = read_signal(path, modality=Modality.ECG, channel="II", sampling_rate=125.0)
    assert len(signal.values) == 60001
    assert np.diff(signal.times_s).max() < 1.5 / 125


@pytest.mark.real
def test_a_real_edf_holds_the_waves_its_labels_name(shared_data):
    path = shared_data / "physio_format" / "edf" / "test_generator.edf"
    signal = read_signal(path, modality=Modality.PPG, channel="sine 1 Hz")
    spectrum = np.abs(np.fft.rfft(signal.values - signal.values.mean()))
    peak = np.fft.rfftfreq(len(signal.values), 1 / signal.sampling_rate)[spectrum.argmax()]
    assert peak == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("scale", "unit", "guess"), [(1e-3, "mV", "in V"), (1e3, "mV", "µV or counts"), (1.0, "mV", "")]
)
def test_volts_that_are_called_millivolts_are_found_and_said(tmp_path, scale, unit, guess):
    times = np.arange(5000) / 250
    lines = [f"{v:.9f}" for v in scale * np.sin(2 * np.pi * times)]
    (tmp_path / "e.csv").write_text("ecg\n" + "\n".join(lines) + "\n")
    wanted = {"modality": Modality.ECG, "sampling_rate": 250.0, "unit": unit}
    if not guess:
        assert read_signal(tmp_path / "e.csv", **wanted).unit == "mV"
        return
    with pytest.raises(StreamError, match=guess) as caught:
        read_signal(tmp_path / "e.csv", **wanted)
    assert caught.value.reason is Reason.UNIT_WRONG
    assert guess.removeprefix("in ") in storable(caught.value.reason, caught.value.message)  # in the tables, too


@pytest.mark.parametrize(
    ("modality", "level", "unit", "guess"),
    [
        (Modality.EDA, 5e-6, "uS", "in S"), (Modality.EDA, 5000.0, "", "nS"), (Modality.EDA, 0.01, "", ""),
        (Modality.EDA, 5.0, "uS", ""), (Modality.TEMPERATURE, 306.0, "C", "in K"),
        (Modality.TEMPERATURE, 91.0, "", "°F"), (Modality.TEMPERATURE, 20.0, "", ""),
        (Modality.ACCELEROMETER, 9.8, "g", "m/s²"),
        (Modality.ACCELEROMETER, 1000.0, "", "mg"), (Modality.ACCELEROMETER, 1.0, "g", ""),
    ],
)  # fmt: skip
def test_units_that_cannot_be_are_found_and_said(tmp_path, modality, level, unit, guess):
    wave = level * (1.0 + 0.02 * np.sin(np.arange(600) / 9.0))
    (tmp_path / "a.csv").write_text("x\n" + "\n".join(f"{v:.9g}" for v in wave) + "\n")
    wanted = {"modality": modality, "sampling_rate": 4.0, "unit": unit}
    if not guess:
        np.testing.assert_allclose(read_signal(tmp_path / "a.csv", **wanted).values, wave, rtol=1e-6)
        return
    with pytest.raises(StreamError, match=guess) as caught:
        read_signal(tmp_path / "a.csv", **wanted)
    assert caught.value.reason is Reason.UNIT_WRONG
