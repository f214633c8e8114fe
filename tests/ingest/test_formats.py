"""Tables as devices write them, EDF with pauses, BDF, BIDS sidecars; another reader and real files as truth."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pyedflib
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.ingest.tabular.stamps import in_seconds, measured_rate, time_column
from cueflow.tasks.ingest.units import agreed_unit, conversion


def written(tmp_path, text, name="a.csv", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return tmp_path / name


# ---- text tables


def test_comments_decimal_commas_and_semicolons(tmp_path):
    path = written(tmp_path, "# device 7\n# 4 Hz\nZeit;EDA\n0;1,5\n1;2,25\n")
    signal = read_signal(path, modality=Modality.EDA, channel="EDA", sampling_rate=4.0)
    assert signal.values.tolist() == [1.5, 2.25]


def test_white_space_tables_without_header_are_called_by_number(tmp_path):
    path = written(tmp_path, "# acc_x acc_y\n 0.28   -0.88\n0.24\t-0.92\n", "acc.txt")
    signal = read_signal(path, modality=Modality.ACCELEROMETER, channel="1", sampling_rate=100.0)
    assert signal.values.tolist() == [-0.88, -0.92]
    with pytest.raises(StreamError, match="name one of 0, 1"):
        read_signal(path, modality=Modality.ACCELEROMETER, sampling_rate=100.0)


def test_an_empty_channel_means_the_column_named_like_the_modality(tmp_path):
    path = written(tmp_path, "time_s,ECG,Resp,EDA\n0,1,2,3\n0.5,4,5,6\n")
    assert read_signal(path, modality=Modality.RESPIRATION).values.tolist() == [2.0, 5.0]
    with pytest.raises(
        StreamError, match="names no channel and the file has several: name one of time_s, ECG"
    ) as caught:
        read_signal(path, modality=Modality.PPG)
    assert caught.value.reason is Reason.COLUMN_MISSING


def test_a_column_that_is_there_twice_is_refused_and_read_by_its_position(tmp_path):
    path = written(tmp_path, "time_s,ecg,ecg\n0,1,2\n0.1,3,4\n")
    with pytest.raises(StreamError, match="2 columns are called 'ecg': give the position of one, counted from 0"):
        read_signal(path, modality=Modality.ECG, channel="ecg")
    assert read_signal(path, modality=Modality.ECG, channel="2").values.tolist() == [2.0, 4.0]
    for other in ("0", "3", "-1", "01"):  # the time column, or none
        with pytest.raises(StreamError, match=f"no column '{other}'"):
            read_signal(path, modality=Modality.ECG, channel=other)
    named = written(tmp_path, "time_s,2,1\n0,1,2\n0.1,3,4\n")  # a name comes first
    assert read_signal(named, modality=Modality.ECG, channel="2").values.tolist() == [1.0, 3.0]


def test_latin_1_headers_and_quotes(tmp_path):
    path = written(tmp_path, '"time (s)","EDA (µS)"\n"0","1.5"\n"0.25","2"\n', encoding="latin-1")
    assert read_signal(path, modality=Modality.EDA, channel="EDA (µS)").values.tolist() == [1.5, 2.0]


def test_blank_lines_at_the_end_are_no_samples(tmp_path):
    path = written(tmp_path, "ecg\n1\n2\n\n\n")
    assert len(read_signal(path, modality=Modality.ECG, sampling_rate=10).values) == 2


@pytest.mark.parametrize(
    ("text", "n", "cut"),
    [
        ("time_s,ecg\n0,1\n0.1,2\n0.", 2, True),
        ("time_s,ecg\r\n0,1\r\n0.1,2\r\n0.", 2, True),
        ("0 1\n0.1 2\n 0.2 ", 2, True),
        ("time_s,ecg\n0,1\n0.1,2\n0.2,", 3, False),  # a missing sample
        ("time_s,ecg\n0,1\n0.1,2\n0.2,3", 3, False),
        ("time_s,ecg\n0,1\n0.1,2\n0.2,3\n", 3, False),
        ("time_s,ecg,note\n0,1\n0.1,2\n0.2,3", 3, False),  # as short as all lines
    ],
)
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path, text, n, cut):
    channel = "ecg" if "ecg" in text else "1"
    signal = read_signal(written(tmp_path, text), modality=Modality.ECG, channel=channel, sampling_rate=10)
    assert (len(signal.values), signal.cut) == (n, cut)


def test_the_line_of_a_wrong_cell_is_the_editor_s(tmp_path):
    path = written(tmp_path, "# one\n# two\ntime_s,ecg\n0,1\n0.1,n/a\n0.2,oops\n")
    with pytest.raises(StreamError, match="line 6, column 2;"):
        read_signal(path, modality=Modality.ECG, channel="ecg")


def test_a_sample_without_stamp_is_refused(tmp_path):
    with pytest.raises(StreamError, match="a sample has no time stamp: line 3;"):
        read_signal(written(tmp_path, "time_s,ecg\n0,1\n,2\n0.2,3\n"), modality=Modality.ECG)


def test_stamps_that_never_change_are_refused(tmp_path):
    with pytest.raises(StreamError, match="never change") as caught:
        read_signal(written(tmp_path, "time_s,ecg\n1,1\n1,2\n1,3\n"), modality=Modality.ECG)
    assert caught.value.reason is Reason.TIME_NOT_INCREASING


# ---- time


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("ecg", "Time [s]"), (1, 1.0)),
        (("timestamp_ms", "ecg"), (0, 1e-3)),
        (("time", "time_us", "ecg"), (1, 1e-6)),
        (("Elapsed Time (sec)", "ecg"), (0, 1.0)),
        (("seconds", "ecg"), (0, 1.0)),
        (("unix_timestamp", "ecg"), (0, None)),
        (("time_of_day", "timer", "ecg", "onset_count"), None),
    ],
)
def test_time_columns(names, found):
    column = time_column(names)
    assert (None if column is None else (column.index, column.scale)) == found


def test_the_signal_itself_is_never_its_time():
    assert time_column(("T", "x"), channel="T") is None


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
def test_stamps_since_1970_count_from_the_first_whatever_their_unit(unit):
    stamps = (1.7e9 + np.arange(100) / 50) * unit
    np.testing.assert_allclose(in_seconds(stamps, None), np.arange(100) / 50, atol=1e-5)


def test_dates_as_text_and_in_parquet(tmp_path):
    moments = [f"2024-05-01T12:00:{s:06.3f}Z" for s in np.arange(20) * 0.25]
    path = written(tmp_path, "timestamp,eda\n" + "".join(f"{m},{i}\n" for i, m in enumerate(moments)))
    signal = read_signal(path, modality=Modality.EDA, start_s=3.0)
    np.testing.assert_allclose(signal.times_s, 3.0 + np.arange(20) * 0.25)
    frame = pl.DataFrame({"timestamp": moments, "eda": range(20)}).with_columns(
        pl.col("timestamp").str.to_datetime(time_zone="UTC")
    )
    frame.write_parquet(tmp_path / "a.parquet")
    signal = read_signal(tmp_path / "a.parquet", modality=Modality.EDA)
    np.testing.assert_allclose(signal.times_s, np.arange(20) * 0.25)
    assert signal.sampling_rate == pytest.approx(4.0)


def test_single_lost_samples_do_not_bend_the_rate():
    times = np.delete(np.arange(10000) / 128, np.arange(7, 9000, 10))
    assert measured_rate(Held([times])) == pytest.approx(128.0, rel=1e-6)


def test_a_parquet_column_of_text_is_refused(tmp_path):
    pl.DataFrame({"ecg": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(StreamError, match="does not hold numbers") as caught:
        read_signal(tmp_path / "a.parquet", modality=Modality.ECG, sampling_rate=10)
    assert caught.value.reason is Reason.NOT_A_NUMBER


# ---- units


def test_every_spelling_of_microsiemens():
    for unit in ("µS", "μS", "uS", "microSiemens", " [uS] "):
        assert conversion(Modality.EDA, unit).scale == 1.0
    assert conversion(Modality.EDA, "mS").scale == 1e3


def test_temperatures_have_an_offset():
    assert conversion(Modality.TEMPERATURE, "K")(np.array([310.15])) == pytest.approx([37.0])
    assert conversion(Modality.TEMPERATURE, "°F")(np.array([98.6])) == pytest.approx([37.0])


def test_arbitrary_units_are_kept_where_only_the_shape_counts():
    assert conversion(Modality.ECG, "adc").unit == "a.u."
    assert conversion(Modality.PPG, "ohm").unit == "a.u."
    with pytest.raises(StreamError, match=r"unit 'a\.u\.' is not one of eda"):
        conversion(Modality.EDA, "a.u.")


def test_manifest_and_file_must_agree_on_the_unit():
    assert agreed_unit(Modality.ECG, "", "uV") == "uV"
    assert agreed_unit(Modality.ECG, "µV", "uV") == "µV"
    with pytest.raises(StreamError, match="the manifest gives mV and the file uV"):
        agreed_unit(Modality.ECG, "mV", "uV")


def test_intervals_in_seconds_are_not_taken_for_ms(tmp_path):
    with pytest.raises(StreamError, match=r"the median interval would be 0\.8 ms: give the unit") as caught:
        read_signal(written(tmp_path, "rr\n0.8\n0.9\n0.7\n"), modality=Modality.INTERVALS)
    assert caught.value.reason is Reason.UNIT_WRONG  # whose message stays in the tables: it quotes nothing
    with pytest.raises(StreamError, match="are these heart rates"):
        read_signal(written(tmp_path, "hr\n75\n66\n86\n"), modality=Modality.INTERVALS)
    with pytest.raises(StreamError, match="would be 8e\\+05 ms: give the unit"):
        read_signal(written(tmp_path, "rr\n800000\n900000\n700000\n"), modality=Modality.INTERVALS)
    with pytest.raises(StreamError, match="missing interval"):
        read_signal(written(tmp_path, "rr\n800\nnan\n700\n"), modality=Modality.INTERVALS)


# ---- EDF and BDF


def signals_of(n_s=7, rates=(200, 50)):
    return [np.sin(np.arange(n_s * rate) / 9.0) * (100.0 + rate) for rate in rates]


def write_edf(path, kind, labels=("ECG", "Resp")):
    rates = (200, 50)
    with pyedflib.EdfWriter(str(path), len(labels), file_type=kind) as writer:
        top = 8388607 if kind in {pyedflib.FILETYPE_BDF, pyedflib.FILETYPE_BDFPLUS} else 32767
        for i, (label, rate) in enumerate(zip(labels, rates, strict=True)):
            writer.setSignalHeader(i, {
                "label": label, "dimension": "uV", "sample_frequency": rate, "physical_max": 400.0,
                "physical_min": -350.0, "digital_max": top, "digital_min": -top - 1, "prefilter": "", "transducer": "",
            })  # fmt: skip
        writer.writeSamples(signals_of())
    return path


KINDS = {
    "a.edf": (pyedflib.FILETYPE_EDF, pyedflib.FILETYPE_EDFPLUS),
    "a.bdf": (pyedflib.FILETYPE_BDF, pyedflib.FILETYPE_BDFPLUS),
}


@pytest.mark.parametrize(("name", "plus"), [(name, plus) for name in KINDS for plus in (0, 1)])
def test_edf_and_bdf_read_as_pyedflib_reads_them(tmp_path, name, plus):
    path = write_edf(tmp_path / name, KINDS[name][plus])
    with pyedflib.EdfReader(str(path)) as reader:
        theirs = [reader.readSignal(i) for i in range(2)]
    for i, (modality, channel, rate, scale) in enumerate(
        ((Modality.ECG, "ECG", 200, 1e-3), (Modality.RESPIRATION, "resp", 50, 1.0))
    ):
        ours = read_signal(path, modality=modality, channel=channel)
        np.testing.assert_allclose(ours.values, theirs[i] * scale, rtol=1e-9, atol=1e-9)
        assert ours.sampling_rate == rate
        np.testing.assert_allclose(ours.times_s, np.arange(7 * rate) / rate)


def test_pauses_of_a_discontinuous_edf_are_gaps(tmp_path):
    path = write_edf(tmp_path / "a.edf", pyedflib.FILETYPE_EDFPLUS)
    raw = path.read_bytes().replace(b"EDF+C", b"EDF+D")
    for was, now in ((b"+5\x14\x14", b"+8\x14\x14"), (b"+6\x14\x14", b"+9\x14\x14")):
        assert raw.count(was) == 1
        raw = raw.replace(was, now)
    path.write_bytes(raw)
    signal = read_signal(path, modality=Modality.ECG, channel="ECG", sampling_rate=200.0, start_s=10.0)
    assert signal.times_s[[0, 999, 1000, -1]] == pytest.approx([10.0, 14.995, 18.0, 19.995])
    np.testing.assert_allclose(signal.values, signals_of()[0] / 1e3, atol=2e-5)


def test_edf_that_ends_early(tmp_path):
    path = write_edf(tmp_path / "a.edf", pyedflib.FILETYPE_EDF)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(StreamError, match="ends before its header says") as caught:
        read_signal(path, modality=Modality.ECG, channel="ECG")
    assert caught.value.reason is Reason.FILE_TRUNCATED
    path.write_bytes(raw[:236] + b"-1      " + raw[244:])  # the recorder never wrote how many records there are
    assert len(read_signal(path, modality=Modality.ECG, channel="ECG").values) == 1400
    raw = bytearray(path.read_bytes())
    for count in (b"-1  ", b"9e9 "):
        path.write_bytes(raw[:252] + count + raw[256:])
        with pytest.raises(StreamError, match="damaged"):
            read_signal(path, modality=Modality.ECG, channel="ecg")
    path.write_text("a table, not EDF\n" * 50)
    with pytest.raises(StreamError, match="not an EDF or BDF file"):
        read_signal(path, modality=Modality.ECG, channel="ECG")


@pytest.mark.real
@pytest.mark.parametrize("name", ["test_generator.edf", "test_subsecond.edf"])
def test_real_edf_files_read_as_pyedflib_reads_them(shared_data, name):
    path = shared_data / "physio_format" / "edf" / name
    with pyedflib.EdfReader(str(path)) as reader:
        for i, label in enumerate(reader.getSignalLabels()):
            if reader.getSignalLabels().count(label) > 1:
                continue
            ours = read_signal(path, modality=Modality.PPG, channel=label)
            np.testing.assert_allclose(ours.values, reader.readSignal(i), rtol=1e-9, atol=1e-9)
            assert ours.sampling_rate == reader.getSampleFrequency(i)


@pytest.mark.real
def test_an_edf_of_annotations_has_no_signal(shared_data):
    with pytest.raises(StreamError, match="holds no signal"):
        read_signal(shared_data / "physio_format" / "edf" / "test_edfann.edf", modality=Modality.ECG, channel="ECG")


# ---- BIDS


@pytest.fixture
def bids(tmp_path):
    """A physio file two folders below a sidecar that applies to it, and beside one that does not."""
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    path = folder / "sub-01_task-rest_physio.tsv.gz"
    path.write_bytes(gzip.compress(b"1\t5\n2\t6\n3\tn/a\n"))
    above = {"SamplingFrequency": 2.0, "StartTime": -1.0, "Columns": ["cardiac", "eda"], "eda": {"Units": "nS"}}
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(above))
    (folder / "sub-01_task-nback_physio.json").write_text(json.dumps({"SamplingFrequency": 99.0}))
    return path


def test_sidecars_are_inherited_and_their_units_used(bids):
    signal = read_signal(bids, modality=Modality.EDA, channel="eda")
    assert signal.times_s.tolist() == [-1.0, -0.5, 0.0]
    np.testing.assert_allclose(signal.values, [0.005, 0.006, np.nan])
    assert read_signal(bids, modality=Modality.EDA, channel="eda", start_s=7.0).times_s[0] == 7.0


def test_the_nearest_sidecar_wins_and_the_manifest_s_rate_is_compared(bids):
    (bids.parent / "sub-01_task-rest_physio.json").write_text(json.dumps({"SamplingFrequency": 4.0}))
    assert read_signal(bids, modality=Modality.PPG, channel="cardiac").sampling_rate == 4.0
    with pytest.raises(StreamError, match="declares 2 Hz and the file's header says 4 Hz"):
        read_signal(bids, modality=Modality.PPG, channel="cardiac", sampling_rate=2.0)


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        ("{", Reason.FILE_UNREADABLE, "is not JSON"),
        ('{"SamplingFrequency": "fast"}', Reason.NOT_A_NUMBER, "SamplingFrequency in the sidecar is not a number"),
        ('{"SamplingFrequency": 0}', Reason.NOT_A_NUMBER, "above 0"),
        ('{"Columns": []}', Reason.COLUMN_MISSING, "names its Columns"),
        ('{"Columns": ["cardiac", "eda", "third"]}', Reason.COLUMN_MISSING, "names 3 columns and the file has 2"),
        ('{"Columns": ["cardiac"]}', Reason.COLUMN_MISSING, "names 1 columns and the file has 2"),
    ],
)
def test_sidecars_that_cannot_be_used(bids, text, reason, message):
    (bids.parent / "sub-01_task-rest_physio.json").write_text(text)
    with pytest.raises(StreamError, match=message) as caught:
        read_signal(bids, modality=Modality.PPG, channel="cardiac")
    assert caught.value.reason is reason


# ---- real tables


@pytest.mark.real
def test_empatica_files_say_their_rate_in_the_second_line(shared_data):
    folder = shared_data / "physio_e4" / "1493663240_A01890"
    bvp = read_signal(folder / "BVP.csv", modality=Modality.PPG)
    assert bvp.sampling_rate == 64.0
    assert abs(bvp.values).max() < 1e5  # the start in seconds since 1970 is no sample
    acc = read_signal(folder / "ACC.csv", modality=Modality.ACCELEROMETER, channel="0", unit="1/64 g")
    assert acc.sampling_rate == 32.0
    assert acc.values[0] == pytest.approx(-26 / 64)
    with pytest.raises(StreamError, match="declares 32 Hz and the file's header says 64 Hz"):
        read_signal(folder / "BVP.csv", modality=Modality.PPG, sampling_rate=32)
    beats = read_signal(folder / "IBI.csv", modality=Modality.INTERVALS, unit="s")
    assert beats.times_s[0] == pytest.approx(175.242397)
    assert beats.values[0] == pytest.approx(453.146)


@pytest.mark.real
def test_bidmc_columns_have_spaces_in_their_names(shared_data):
    path = shared_data / "physio_bidmc" / "bidmc_01_Numerics.csv"
    assert read_signal(path, modality=Modality.PPG, channel="PULSE", sampling_rate=1.0).values[:2].tolist() == [93, 93]
    with pytest.raises(StreamError, match=r"the file has Time \[s\], HR, PULSE, RESP, SpO2"):
        read_signal(path, modality=Modality.ECG, channel="II")


@pytest.mark.real
def test_a_real_scanner_s_physio(shared_data, tmp_path):
    name = "sub-01_task-rest_run-01_physio.tsv.gz"
    (tmp_path / name).write_bytes((shared_data / "physio_bids" / name).read_bytes())
    sidecar = {"SamplingFrequency": 50, "StartTime": 0, "Columns": ["respiratory", "cardiac"]}
    (tmp_path / "task-rest_physio.json").write_text(json.dumps(sidecar))
    pulse = read_signal(tmp_path / name, modality=Modality.PPG, channel="cardiac")
    assert (len(pulse.values), pulse.values[0], pulse.sampling_rate) == (30600, -2609.0, 50.0)
