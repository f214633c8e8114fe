"""What a run says of damaged recordings: one session for each way in which a real one may be wrong.

python benchmarks/damaged.py [FOLDER]    # FOLDER keeps the dataset; else a temporary one is made and removed

Made from five minutes of MIT-BIH 100 (leads MLII and V5), BIDMC 01 (leads II and aVR, pulse, breathing), an Empatica E4
export, and files of EDF and XDF, in ../shared/data.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from body_data import bidmc
from measure import CUEFLOW, DATA, cost_of, heading

import cueflow
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.signals import read_signal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "ingest"))

RATE = 360.0
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
E4 = DATA / "physio_e4" / "1493663240_A01890"


@dataclass(frozen=True)
class Row:
    """A line of the manifest."""

    modality: str
    path: str
    channel: str = ""
    unit: str = ""
    start_s: str = "0"
    sampling_rate: str = ""


Make = Callable[[Path], tuple[Row, ...]]
"""Writes files into a folder and says what the manifest says of them, paths within the folder."""


@cache
def ecg(lead: str = "MLII") -> FloatArray:
    """Five minutes of a lead, mV."""
    whole = read_signal(DATA / "physio_ecg_gold" / "mitdb" / "100.dat", modality=Modality.ECG, channel=lead)
    return whole.values[: int(300 * RATE)]


def stamps(n: int) -> FloatArray:
    """Times of samples, s."""
    return np.arange(n) / RATE


def table(folder: Path, values: FloatArray, times: FloatArray | None = None, name: str = "a.csv") -> str:
    """Write a table of one signal."""
    seconds = stamps(len(values)) if times is None else times
    pl.DataFrame({"time_s": seconds, "ecg": values}).write_csv(folder / name, null_value="", float_precision=6)
    return name


def heart(change: Callable[[FloatArray], FloatArray], unit: str = "mV", channel: str = "ecg") -> Make:
    """An electrocardiogram whose values are changed."""
    return lambda folder: (Row("ecg", table(folder, change(ecg().copy())), channel, unit),)


def timed(change: Callable[[FloatArray], FloatArray], rate: str = "") -> Make:
    """An electrocardiogram whose time stamps are changed."""
    return lambda folder: (Row("ecg", table(folder, ecg(), change(stamps(len(ecg())))), "ecg", "mV", "0", rate),)


def put(values: FloatArray, first_s: float, last_s: float, value: float) -> FloatArray:
    """Values with one in place of those between two times."""
    values[int(first_s * RATE) : int(last_s * RATE)] = value
    return values


def holes(values: FloatArray) -> FloatArray:
    """A fifth is missing, in runs of six seconds."""
    for first in range(10, 300, 30):
        put(values, first, first + 6, np.nan)
    return values


def stepped(times: FloatArray, by_s: float) -> FloatArray:
    """Stamps that jump after two minutes."""
    times[times >= 120.0] += by_s
    return times


def named(lead: str, sign: float) -> Make:
    """A lead of MIT-BIH 100 under its own name, or turned round."""

    def make(folder: Path) -> tuple[Row, ...]:
        pl.DataFrame({"time_s": stamps(len(ecg())), lead: sign * ecg(lead)}).write_csv(folder / "a.csv")
        return (Row("ecg", "a.csv", lead, "mV"),)

    return make


def exchanged(folder: Path) -> tuple[Row, ...]:
    """Leads II and aVR of BIDMC 01 under each other's names."""
    signals = bidmc("01")[0]
    columns = {"time_s": np.arange(len(signals)) / 125.0, "II": signals["AVR"] - 0.5, "aVR": signals["II"] - 0.5}
    pl.DataFrame(columns).write_csv(folder / "a.csv")
    return Row("ecg", "a.csv", "II", "mV"), Row("ecg", "a.csv", "aVR", "mV")


def mistaken(column: str, modality: str) -> Make:
    """A signal of BIDMC 01 under another one's name."""

    def make(folder: Path) -> tuple[Row, ...]:
        signals = bidmc("01")[0]
        pl.DataFrame({"time_s": np.arange(len(signals)) / 125.0, "x": signals[column]}).write_csv(folder / "a.csv")
        return (Row(modality, "a.csv", "x"),)

    return make


def two_of_one_name(folder: Path) -> tuple[Row, ...]:
    """Two files for one signal of one person."""
    return tuple(Row("ecg", table(folder, ecg(lead), name=f"{lead}.csv"), "ecg", "mV") for lead in ("MLII", "V5"))


def xdf(*written_streams: int, channel: str = "", of: int = 2) -> Make:
    """An XDF file of streams that have one name, of which only some hold an electrocardiogram."""

    def make(folder: Path) -> tuple[Row, ...]:
        from device_files import header, samples, written

        when, values = (100.0 + stamps(len(ecg()))).tolist(), ecg()[:, None].tolist()
        heads = (header(k + 1, rate=RATE) for k in range(of))
        path = written(folder, *heads, *(samples(k + 1, when, values, per=1000) for k in written_streams))
        return (Row("ecg", path.name, channel, "mV"),)

    return make


def whole_e4(folder: Path, name: str) -> str:
    """Copy a table of an E4 export."""
    shutil.copyfile(E4 / name, folder / name)
    return name


def scaled_e4(name: str, modality: str, unit: str, change: Callable[[FloatArray], FloatArray]) -> Make:
    """A table of an E4 export in another unit than is said."""

    def make(folder: Path) -> tuple[Row, ...]:
        lines = (E4 / name).read_text().splitlines()
        rate = float(lines[1].split(",")[0])
        values = np.array([float(line.split(",")[0]) for line in lines[2:]])
        times = np.arange(len(values)) / rate
        pl.DataFrame({"time_s": times, "x": change(values)}).write_csv(folder / "a.csv")
        return (Row(modality, "a.csv", "x", unit),)

    return make


def cut(source: Path, name: str, row: Row, beside: tuple[str, ...] = ()) -> Make:
    """The first half of a file's bytes."""

    def make(folder: Path) -> tuple[Row, ...]:
        for other in beside:
            shutil.copyfile(source.parent / other, folder / other)
        raw = source.read_bytes()
        (folder / name).write_bytes(raw[: len(raw) // 2])
        return (row,)

    return make


def cut_table(folder: Path) -> tuple[Row, ...]:
    """A table that ends within the first cell of a line in its middle."""
    path = folder / table(folder, ecg())
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"\n", len(raw) // 2) + 4])
    return (Row("ecg", "a.csv", "ecg", "mV"),)


def local(hours: float) -> Make:
    """A table with dates of a wall clock that shows another zone than an E4 export's."""

    def make(folder: Path) -> tuple[Row, ...]:
        name = whole_e4(folder, "EDA.csv")
        began = datetime.fromtimestamp(float((folder / name).read_text().split()[0]), UTC) + timedelta(hours=hours)
        when = (began + timedelta(seconds=float(t)) for t in stamps(len(ecg())))
        rows = (f"{t:%Y-%m-%dT%H:%M:%S.%f},{v:.3f}" for t, v in zip(when, ecg(), strict=True))
        (folder / "a.csv").write_text("timestamp,ecg\n" + "\n".join(rows) + "\n")
        return Row("eda", name, start_s=""), Row("ecg", "a.csv", "ecg", "mV", start_s="")

    return make


def an_hour_early(folder: Path) -> tuple[Row, ...]:
    """Two recordings, one declared an hour before the other."""
    return Row("ecg", table(folder, ecg()), "ecg", "mV", "-3600"), Row("eda", whole_e4(folder, "EDA.csv"))


def copied(source: str, *rows: Row) -> Make:
    """A file as it is."""

    def make(folder: Path) -> tuple[Row, ...]:
        shutil.copyfile(DATA / source, folder / Path(source).name)
        return rows

    return make


def lying_wfdb(said: str, instead: str) -> Make:
    """MIT-BIH 100 with another header."""

    def make(folder: Path) -> tuple[Row, ...]:
        source = DATA / "physio_ecg_gold" / "mitdb"
        shutil.copyfile(source / "100.dat", folder / "100.dat")
        header = (source / "100.hea").read_text()
        if said not in header:
            raise SystemExit(f"the header does not say {said}")
        (folder / "100.hea").write_text(header.replace(said, instead))
        return (Row("ecg", "100.dat", "MLII"),)

    return make


def lying_edf(at: int, text: str) -> Make:
    """An EDF file with another number in its header."""

    def make(folder: Path) -> tuple[Row, ...]:
        raw = bytearray((DATA / "physio_format" / "edf" / "test_generator.edf").read_bytes())
        raw[at : at + 8] = text.ljust(8).encode()
        (folder / "a.edf").write_bytes(raw)
        return (Row("respiration", "a.edf", "sine 8.1777 Hz"),)

    return make


def lying_e4(folder: Path) -> tuple[Row, ...]:
    """A pulse of 64 Hz whose table says 4 Hz."""
    lines = (E4 / "BVP.csv").read_text().splitlines()
    (folder / "BVP.csv").write_text("\n".join([lines[0], "4.000000", *lines[2:]]) + "\n")
    return (Row("ppg", "BVP.csv"),)


MITDB, EDF, XDF = (DATA / p for p in ("physio_ecg_gold/mitdb/100.dat", "physio_format/edf/test_generator.edf",
                                      "physio_format/xdf/minimal.xdf"))  # fmt: skip
WAYS: dict[str, Make] = {
    "nothing is wrong": heart(lambda v: v),
    "flat line": heart(lambda v: 0.0 * v),
    "flat for two of five minutes": heart(lambda v: put(v, 120, 240, 0.0)),
    "all NaN": heart(lambda v: np.nan * v),
    "a fifth NaN": heart(holes),
    "every stamp twice": timed(lambda t: np.repeat(t[::2], 2)[: len(t)]),
    "ten stamps twice": timed(lambda t: np.where(np.arange(len(t)) % 10_000 == 1, np.roll(t, 1), t)),
    "stamps back by 30 s": timed(lambda t: stepped(t, -30.0)),
    "stamps forward by 30 s": timed(lambda t: stepped(t, 30.0)),
    "saturated at .2 mV": heart(lambda v: np.clip(v, -0.2, 0.2)),
    "V for mV": heart(lambda v: v / 1000.0),
    "µV for mV": heart(lambda v: v * 1000.0),
    "S for µS": scaled_e4("EDA.csv", "eda", "uS", lambda v: v * 1e-6),
    "°F for °C": scaled_e4("TEMP.csv", "temperature", "C", lambda v: 1.8 * v + 32.0),
    "E4's 1/64 g for g": scaled_e4("ACC.csv", "accelerometer", "g", lambda v: v),
    "lead inverted": named("MLII", -1.0),
    "leads II and aVR exchanged": exchanged,
    "a pulse called ecg": mistaken("PLETH", "ecg"),
    "an ECG called ppg": mistaken("II", "ppg"),
    "two files for one signal": two_of_one_name,
    "two devices with one name in an XDF file": xdf(0, 1),
    "the same, of which one is empty": xdf(1),
    "WFDB cut": cut(MITDB, "100.dat", Row("ecg", "100.dat", "MLII"), ("100.hea",)),
    "EDF cut": cut(EDF, "a.edf", Row("respiration", "a.edf", "sine 8.1777 Hz")),
    "XDF cut": cut(XDF, "a.xdf", Row("ecg", "a.xdf")),
    "table cut": cut_table,
    "clock two hours off (local time)": local(2.0),
    "an hour before the session": an_hour_early,
    "empty XDF streams": xdf(),
    "an empty stream named, beside a counter": copied(
        "physio_format/xdf/empty_streams.xdf",
        Row("ecg", "empty_streams.xdf", "Empty data stream: test stream 0 counter"),
    ),
    "manifest says 1000 Hz, stamps 360": timed(lambda t: t, "1000"),
    "WFDB header says 1000 Hz": lying_wfdb(" 360 ", " 1000 "),
    "WFDB header says ten times the samples": lying_wfdb("650000", "6500000"),
    "WFDB header says a gain of 2": lying_wfdb("200", "2"),
    "EDF header says ten times the records": lying_edf(236, "9000"),
    "EDF header says no signals": lying_edf(252, "0   "),
    "E4 table says 4 Hz, not 64": lying_e4,
}
"""What is wrong, and who makes it."""


def rows_of(folder: Path) -> Iterator[str]:
    """Write the dataset; lines of its manifest."""
    for number, make in enumerate(WAYS.values()):
        own = folder / f"s{number}"
        own.mkdir(parents=True)
        for row in make(own):
            yield (f"S{number:02d},P{number},{row.modality},{own.name}/{row.path},{row.channel},{row.unit},"
                   f"{row.start_s},{row.sampling_rate}")  # fmt: skip


SHOWN = ("hr_mean", "pulse_rate_mean", "rsp_rate_mean", "eda_tonic_mean", "temperature_mean", "acc_mad_mean")


def found(folder: Path) -> Iterator[tuple[str, dict[str, object], list[dict[str, object]]]]:
    """Make the dataset and run it: what is wrong, the row of the session, and the rows of some values."""
    lines = ["session_id,subject_id,modality,path,channel,unit,start_s,sampling_rate", *rows_of(folder / "d")]
    (folder / "d" / "manifest.csv").write_text("\n".join(lines) + "\n")
    cost_of([*CUEFLOW, "run", str(folder / "d"), "--out", str(folder / "t")])
    with cueflow.open_tables(folder / "t") as tables:
        sessions = tables["sessions"].collect().sort("session_id")
        values = tables["biomarkers"].collect().filter(pl.col("biomarker").is_in(SHOWN), pl.col("phase") == "session")
    for what, row in zip(WAYS, sessions.iter_rows(named=True), strict=True):
        own = values.filter(pl.col("session_id") == row["session_id"], pl.col("reason").fill_null("") != "no_stream")
        yield what, row, own.to_dicts()


def reasons(row: dict[str, object]) -> tuple[str, ...]:
    """Why a session is not as it should be: its own reason, its stage's, and those of its places."""
    said = [row["reason"], row["physiology_reason"], *(one["reason"] for one in json.loads(str(row["sync"])))]
    return tuple(dict.fromkeys(str(reason) for reason in said if reason))


def main(folder: Path) -> None:
    """Print the table of docs/methods/physiology.md."""
    print(heading("What a run says of damaged recordings"))
    print("| what is wrong | session | why | a value | it says |\n|---|---|---|---|---|")
    for what, row, values in found(folder):
        told, says = "; ".join(map(_value, values)), str(row["message"] or "").replace("|", "/")
        print(f"| {what} | {row['status']} | {', '.join(reasons(row))} | {told} | {says} |", flush=True)


def _value(row: dict[str, object]) -> str:
    number = "–" if row["value"] is None else f"{row['value']:.3g}"
    return " ".join(filter(None, (str(row["biomarker"]), number, str(row["status"]), str(row["reason"] or ""))))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
