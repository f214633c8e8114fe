"""WFDB records, Empatica exports, OpenSignals and BioSPPy texts: packings by hand, real files, hostile files."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality, Stream
from cueflow.tasks.ingest.check import check_stream
from cueflow.tasks.ingest.signals import read_signal

DIGITS = [0, 1, -1, 127, -127, 5, 64]  # fit every packing; an odd number, as a file of 212 may end


def packed_212(digits):
    out = bytearray()
    for i in range(0, len(digits), 2):
        low = digits[i] & 0xFFF
        high = digits[i + 1] & 0xFFF if i + 1 < len(digits) else 0
        out += bytes([low & 255, (low >> 8) | ((high >> 8) << 4), high & 255])
    return bytes(out if len(digits) % 2 == 0 else out[:-1])


PACK = {
    "16": lambda d: b"".join(v.to_bytes(2, "little", signed=True) for v in d),
    "61": lambda d: b"".join(v.to_bytes(2, "big", signed=True) for v in d),
    "160": lambda d: b"".join((v + 32768).to_bytes(2, "little") for v in d),
    "80": lambda d: bytes(v + 128 for v in d),
    "24": lambda d: b"".join(v.to_bytes(3, "little", signed=True) for v in d),
    "32": lambda d: b"".join(v.to_bytes(4, "little", signed=True) for v in d),
    "212": packed_212,
}


def record(folder, data, *lines, head="r 1 100"):
    (folder / "r.dat").write_bytes(data)
    (folder / "r.hea").write_text("\n".join([head, *lines, "# 69 M"]) + "\n")
    return folder / "r.hea"


def ecg(path, channel=""):
    return read_signal(path, modality=Modality.ECG, channel=channel)


# ---- WFDB


@pytest.mark.parametrize("packing", list(PACK))
def test_every_packing_gives_the_digits_that_were_packed(tmp_path, packing):
    path = record(tmp_path, PACK[packing](DIGITS), f"r.dat {packing} 2(3)/mV 12 9 0 0 0 lead II")
    signal = ecg(path, "lead II")
    np.testing.assert_allclose(signal.values, (np.array(DIGITS) - 3) / 2)
    assert (signal.sampling_rate, signal.unit) == (100.0, "mV")
    assert ecg(tmp_path / "r.dat").values.tolist() == signal.values.tolist()


def test_the_lowest_digit_is_a_missing_sample_and_zero_adc_is_the_baseline(tmp_path):
    signal = ecg(record(tmp_path, PACK["16"]([10, -32768, 30]), "r.dat 16 10/uV 12 10"))
    np.testing.assert_allclose(signal.values, [0.0, np.nan, 0.002])


def test_frames_may_hold_several_samples_of_a_signal_and_a_prologue(tmp_path):
    data = b"prologue" + PACK["16"]([1, 2, 9, 3, 4, 8])
    path = record(tmp_path, data, "r.dat 16x2+8 1 12 0 0 0 0 ECG", "r.dat 16+8 1/NU 12 0 0 0 0 PLETH", head="r 2 50 2")
    assert (ecg(path, "ECG").values.tolist(), ecg(path).sampling_rate) == ([1, 2, 3, 4], 100.0)
    pulse = read_signal(path, modality=Modality.PPG)
    assert (pulse.values.tolist(), pulse.sampling_rate) == ([9, 8], 50.0)


def test_skewed_samples_are_moved_back(tmp_path):
    path = record(tmp_path, PACK["16"]([1, 2, 3, 4]), "r.dat 16:1 1", head="r 1 50 3")
    assert ecg(path).values.tolist() == [2, 3, 4]


def test_an_uncalibrated_signal_is_not_taken_for_millivolts(tmp_path):
    path = record(tmp_path, PACK["16"]([5, 6]), "r.dat 16 0 12 1")
    assert (ecg(path).unit, ecg(path).values.tolist()) == ("a.u.", [5, 6])
    with pytest.raises(StreamError, match="'adc' is not one of eda"):
        read_signal(path, modality=Modality.EDA)


@pytest.mark.parametrize(
    ("head", "line", "reason"),
    [
        ("r/3 1 100", "r.dat 16", Reason.FORMAT_UNKNOWN),
        ("r 1 0", "r.dat 16", Reason.FILE_UNREADABLE),
        ("r 1 inf", "r.dat 16", Reason.FILE_UNREADABLE),
        ("r 9 100", "r.dat 16", Reason.FILE_UNREADABLE),
        ("r 1 100 400", "r.dat 16", Reason.FILE_TRUNCATED),
        ("r 1 100", "r.dat 16+4000000000", Reason.FILE_TRUNCATED),
        ("r 1 100", "r.dat 16x999999999", Reason.FILE_UNREADABLE),
        ("r 1 100", "r.dat 16 nan", Reason.FILE_UNREADABLE),
        ("r 1 100", "r.dat 310", Reason.FORMAT_UNKNOWN),
        ("r 1 100", "s.dat 16", Reason.FILE_MISSING),
        ("r 1 100", "../r.dat 16", Reason.PATH_OUTSIDE),
        ("r 1 100", "/etc/passwd 80", Reason.PATH_OUTSIDE),
        ("r 1 100", "r.dat", Reason.FILE_UNREADABLE),
    ],
)
def test_headers_that_lie(tmp_path, head, line, reason):
    with pytest.raises(StreamError) as caught:
        ecg(record(tmp_path, PACK["16"](DIGITS), line, head=head))
    assert caught.value.reason is reason


def test_samples_are_not_followed_through_a_link_to_another_folder(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "record").mkdir()
    (tmp_path / "other" / "secret").write_bytes(bytes(64))
    path = record(tmp_path / "record", b"", "r.dat 16 1")
    (path.parent / "r.dat").unlink()
    (path.parent / "r.dat").symlink_to(tmp_path / "other" / "secret")
    with pytest.raises(StreamError, match="link to another folder"):
        ecg(path)


def test_samples_without_a_header(tmp_path):
    (tmp_path / "r.dat").write_bytes(bytes(64))
    with pytest.raises(StreamError, match=r"no header r\.hea"):
        ecg(tmp_path / "r.dat")


@pytest.mark.real
def test_a_cardiology_record_agrees_with_its_published_millivolts(shared_data):
    folder = shared_data / "physio_ecg_gold" / "mitdb"
    truth = np.loadtxt(folder / "100_first5min_mlii_mV.csv", skiprows=1)
    signal = ecg(folder / "100.dat", "MLII")
    assert (len(signal.values), signal.sampling_rate) == (650_000, 360.0)
    np.testing.assert_allclose(signal.values[: len(truth)], truth, atol=5e-4)


@pytest.mark.real
def test_samples_in_a_matlab_file_behind_a_prologue(shared_data):
    path = shared_data / "physio_multi" / "wfdb" / "a103l.mat"
    signal = ecg(path, "II")
    raw = np.frombuffer(path.read_bytes()[24:], dtype="<i2")[0::3]
    np.testing.assert_allclose(signal.values, raw / 7247)
    checked = check_stream(shared_data, Stream(Modality.PPG, "physio_multi/wfdb/a103l.hea"))
    assert (checked.problem, checked.duration_s, checked.facts.rate_hz) == (None, 330.0, 250.0)


# ---- Empatica E4


@pytest.fixture
def export(tmp_path):
    def table(name, start, rate, rows):
        (tmp_path / name).write_text("\n".join([start, rate, *rows]) + "\n")

    table("BVP.csv", "1500000000.00", "64.000000", ["1.5", "-2.5", "0.25"])
    table("EDA.csv", "1500000002.50", "4.000000", ["0.5", "0.6", "0.7"])
    table("ACC.csv", "1500000000.0, 1500000000.0, 1500000000.0", "32.0, 32.0, 32.0", ["0,64,0", "48,0,64", "0,0,-64"])
    (tmp_path / "IBI.csv").write_text("1500000000.000000, IBI\n10.0,0.8\n10.9,0.9\n")
    return tmp_path


def zipped(folder, names, prefix=""):
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(folder / name, prefix + name)
    return path


def test_sensors_of_an_export_keep_their_delays(export):
    eda = read_signal(export / "EDA.csv", modality=Modality.EDA)
    assert (eda.times_s[0], eda.sampling_rate, eda.unit) == (2.5, 4.0, "µS")
    assert read_signal(export / "BVP.csv", modality=Modality.PPG).times_s[0] == 0.0
    assert read_signal(export / "EDA.csv", modality=Modality.EDA, start_s=7.0).times_s[0] == 7.0


def test_acceleration_is_in_g_by_axis_or_as_the_length_of_the_vector(export):
    path = export / "ACC.csv"
    assert read_signal(path, modality=Modality.ACCELEROMETER).values.tolist() == [1.0, 1.25, 1.0]
    assert read_signal(path, modality=Modality.ACCELEROMETER, channel="Y").values.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(StreamError, match="write x, y or z"):
        read_signal(path, modality=Modality.ACCELEROMETER, channel="w")


def test_intervals_need_no_unit_in_the_manifest(export):
    beats = read_signal(export / "IBI.csv", modality=Modality.INTERVALS)
    np.testing.assert_allclose((beats.values, beats.times_s), ([800.0, 900.0], [10.0, 10.9]))


def test_a_zip_is_the_same_as_its_folder(export):
    path = zipped(export, ["BVP.csv", "EDA.csv", "ACC.csv", "IBI.csv"], prefix="1500000000_A01/")
    for modality, name in ((Modality.EDA, "EDA.csv"), (Modality.PPG, "BVP.csv"), (Modality.ACCELEROMETER, "ACC.csv")):
        one, other = read_signal(path, modality=modality), read_signal(export / name, modality=modality)
        np.testing.assert_array_equal((one.values, one.times_s), (other.values, other.times_s))
    checked = check_stream(export, Stream(Modality.EDA, "export.zip"))
    assert (checked.problem, checked.facts.rate_hz, checked.facts.codec) == (None, 4.0, "Empatica E4")
    with pytest.raises(StreamError, match="no table of temperature"):
        read_signal(path, modality=Modality.TEMPERATURE)


def test_the_table_of_another_sensor_is_refused(export):
    with pytest.raises(StreamError, match=r"EDA\.csv of an Empatica export is not ppg"):
        read_signal(export / "EDA.csv", modality=Modality.PPG)


def test_a_table_that_only_shares_the_name_is_read_as_any_table(tmp_path):
    (tmp_path / "EDA.csv").write_text("time_s,left\n0,1\n0.5,2\n")
    assert read_signal(tmp_path / "EDA.csv", modality=Modality.EDA, channel="left").values.tolist() == [1, 2]


def test_zips_that_cannot_be_used(tmp_path, export):
    (tmp_path / "BVP.csv").write_bytes(b"1500000000.0\n64.0\n" + b"0\n" * 20_000_000)
    with pytest.raises(StreamError, match="too large for a recording"):
        read_signal(zipped(export, ["BVP.csv"]), modality=Modality.PPG)
    whole = zipped(export, ["EDA.csv"]).read_bytes()
    (export / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StreamError, match="not a zip"):
        read_signal(export / "cut.zip", modality=Modality.EDA)
    (export / "sub").mkdir()
    shutil.copy(export / "EDA.csv", export / "sub")
    with pytest.raises(StreamError, match=r"eda\.csv twice"):
        read_signal(zipped(export, ["EDA.csv", "sub/EDA.csv"]), modality=Modality.EDA)


@pytest.mark.real
def test_a_real_export(shared_data):
    folder = shared_data / "physio_e4" / "1493663240_A01890"
    acc = read_signal(folder / "ACC.csv", modality=Modality.ACCELEROMETER)
    assert 0.9 < float(np.median(acc.values)) < 1.1  # a wrist mostly feels gravity alone
    assert read_signal(folder / "EDA.csv", modality=Modality.EDA).sampling_rate == 4.0
    checked = check_stream(folder, Stream(Modality.PPG, "BVP.csv"))
    assert (checked.problem, checked.facts.rate_hz) == (None, 64.0)


# ---- texts with comment lines

DEVICE = {
    "sensor": ["ECG", "EDA", "RAW", "RAW"],
    "column": ["nSeq", "DI", "CH1", "CH2", "CH3", "CH4"],
    "label": ["CH1", "CH2", "CH3", "CH4"],
    "sampling rate": 700,
    "comments": "Jane Doe",
    "resolution": [16, 16, 16, 16],
}


def open_signals(tmp_path, header):
    path = tmp_path / "opensignals.txt"
    rows = "0\t0\t100\t7\t3\t4\t\n1\t0\t110\t8\t3\t5\t\n"
    path.write_text(f"# OpenSignals Text File Format. Version 1\n# {header}\n# EndOfHeader\n{rows}")
    return path


def test_open_signals_names_its_sensors_and_rate(tmp_path):
    path = open_signals(tmp_path, json.dumps({"00:07:80:D8:AB:58": DEVICE}))
    signal = ecg(path)
    assert (signal.values.tolist(), signal.sampling_rate, signal.unit) == ([100, 110], 700.0, "a.u.")
    assert read_signal(path, modality=Modality.PPG, channel="CH4").values.tolist() == [4, 5]
    with pytest.raises(StreamError, match="'adc' is not one of eda"):
        read_signal(path, modality=Modality.EDA)
    with pytest.raises(StreamError, match="nSeq, DI, ECG, EDA, CH3, CH4") as caught:
        ecg(path, "V1")
    assert "Jane" not in caught.value.message


@pytest.mark.parametrize("header", ["{", "[1]", '{"a": 3}', "{}", '{"a": {"column": 3, "sampling rate": -1}}'])
def test_open_signals_headers_that_say_nothing(tmp_path, header):
    with pytest.raises(StreamError, match="neither a time column nor a rate"):
        ecg(open_signals(tmp_path, header), "2")


def test_two_devices_in_one_file(tmp_path):
    one = {"column": ["nSeq", "A1"], "label": ["A1"], "sensor": ["ECG"], "sampling rate": 100}
    path = tmp_path / "two.txt"
    header = json.dumps({"a": one, "b": one | {"sensor": ["EMG"]}})
    path.write_text(f"# OpenSignals Text File Format\n# {header}\n# EndOfHeader\n0\t5\t0\t6\n1\t7\t1\t8\n")
    assert ecg(path, "ECG").values.tolist() == [5, 7]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "modality", "n"),
    [("ecg", Modality.ECG, 15_000), ("ppg", Modality.PPG, 20_000), ("resp", Modality.RESPIRATION, 60_000)],
)
def test_biosppy_says_its_rate_and_its_converter(shared_data, name, modality, n):
    signal = read_signal(shared_data / "physio_biosppy" / f"{name}.txt", modality=modality)
    assert (len(signal.values), signal.sampling_rate, signal.unit) == (n, 1000.0, "a.u.")


@pytest.mark.real
def test_biosppy_names_its_columns_and_unit(shared_data):
    path = shared_data / "physio_biosppy" / "acc.txt"
    signal = read_signal(path, modality=Modality.ACCELEROMETER, channel="acc_y")
    assert signal.values[0] == pytest.approx(-0.88965 / 9.80665)
    checked = check_stream(path.parent, Stream(Modality.EDA, "eda.txt"))
    assert checked.problem is not None
    assert checked.problem.reason is Reason.UNIT_UNKNOWN


# ---- damaged bytes


def test_damaged_records_and_exports_end_in_typed_errors(tmp_path, export):
    rng = np.random.default_rng(7)
    record(tmp_path, PACK["212"](DIGITS * 40), "r.dat 212 200(3)/mV 12 9 0 0 0 MLII", head="r 1 360 280")
    zipped(export, ["EDA.csv", "BVP.csv"])
    open_signals(tmp_path, json.dumps({"x": DEVICE}))
    wanted = {"r.hea": Modality.ECG, "export.zip": Modality.EDA, "opensignals.txt": Modality.ECG}
    outcomes = set()
    for name, modality in wanted.items():
        whole = (tmp_path / name).read_bytes()
        for _ in range(150):
            raw = bytearray(whole)
            for at in rng.integers(0, len(raw), rng.integers(1, 6)):
                raw[at] = rng.integers(0, 256)
            (tmp_path / name).write_bytes(bytes(raw[: rng.integers(1, len(raw) + 1)] if rng.random() < 0.3 else raw))
            try:
                outcomes.add(type(read_signal(tmp_path / name, modality=modality)).__name__)
            except StreamError as error:
                outcomes.add(error.reason.value)
    assert {"Signal", "file_unreadable"} <= outcomes
