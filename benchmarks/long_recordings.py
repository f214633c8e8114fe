"""Peak memory of reading and measuring a recording, by its length: a day must take no more than an hour.

python benchmarks/long_recordings.py [HOURS …] [FORMAT …]    # 1 6 24, every format
python benchmarks/long_recordings.py run [HOURS …]    # `cueflow run` over heart, breathing and skin in one EDF file

Each row is a process of its own that reads one file as a run does, makes all measures and its marks, and says the most
memory that it held. The file is written by another process before.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from body_data import analysed
from measure import CUEFLOW, cost_of, heading

from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "ingest"))

RATE = 250.0
PART_S = 600


def parts(hours: float) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Times in s and an electrocardiogram in mV, ten minutes at a time."""
    from cueflow.tasks.simulate.heart import ecg_wave

    rng = np.random.default_rng(0)
    beats = 1.0 + np.cumsum(0.85 + rng.normal(0.0, 0.03, 700))
    times = np.arange(0.0, PART_S, 1.0 / RATE)
    wave = ecg_wave(times, beats[beats < PART_S - 1])
    for k in range(int(6 * hours)):
        yield times + k * PART_S, wave + 0.02 * rng.normal(size=len(times))


def _edf(folder: Path, hours: float, *, suffix: str = "edf") -> Path:
    import pyedflib

    kind = pyedflib.FILETYPE_EDFPLUS if suffix == "edf" else pyedflib.FILETYPE_BDFPLUS
    with pyedflib.EdfWriter(str(folder / f"a.{suffix}"), 1, file_type=kind) as writer:
        said = pyedflib.highlevel.make_signal_header("ecg", dimension="mV", sample_frequency=RATE, physical_min=-5,
                                                     physical_max=5)  # fmt: skip
        writer.setSignalHeaders([said])
        for _, values in parts(hours):
            writer.writeSamples([values])
    return folder / f"a.{suffix}"


def _bdf(folder: Path, hours: float) -> Path:
    return _edf(folder, hours, suffix="bdf")


def _wfdb(folder: Path, hours: float) -> Path:
    with (folder / "a.dat").open("wb") as file:
        for _, values in parts(hours):
            file.write((200 * values).astype("<i2").tobytes())
    (folder / "a.hea").write_text(f"a 1 250 {round(hours * 3600 * RATE)}\na.dat 16 200/mV 16 0 0 0 0 ecg\n")
    return folder / "a.hea"


def _csv(folder: Path, hours: float, *, dated: bool = False) -> Path:
    import polars as pl

    with (folder / "a.csv").open("wb") as file:
        file.write(b"time,ecg\n" if dated else b"time_s,ecg\n")
        for times, values in parts(hours):
            frame = pl.DataFrame({"t": np.round(times, 3), "v": np.round(values, 4)})
            if dated:
                since = pl.duration(milliseconds=(pl.col("t") * 1e3).round().cast(pl.Int64))
                began = pl.datetime(2024, 5, 1, 10)
                frame = frame.with_columns(t=(began + since).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
            frame.write_csv(file, include_header=False)
    return folder / "a.csv"


def _dated(folder: Path, hours: float) -> Path:
    return _csv(folder, hours, dated=True)


def _parquet(folder: Path, hours: float) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.schema([("time_s", pa.float64()), ("ecg", pa.float64())])
    made = list(parts(hours))
    with pq.ParquetWriter(folder / "a.parquet", columns) as writer:  # one group of rows for the whole recording
        table = pa.table({"time_s": np.concatenate([t for t, _ in made]), "ecg": np.concatenate([v for _, v in made])})
        writer.write_table(table, row_group_size=len(table))
    return folder / "a.parquet"


def _opensignals(folder: Path, hours: float) -> Path:
    import polars as pl

    head = {"0": {"sampling rate": 250, "sensor": ["ECG"], "column": ["nSeq", "A1"], "label": ["A1"], "channels": [1],
                  "resolution": [4, 10]}}  # fmt: skip
    with (folder / "a.txt").open("wb") as file:
        file.write(f"# OpenSignals Text File Format\n# {json.dumps(head)}\n# EndOfHeader\n".encode())
        for _, values in parts(hours):
            frame = pl.DataFrame({"n": np.arange(len(values)) % 16, "v": np.round(512 + 100 * values).astype(int)})
            frame.write_csv(file, include_header=False, separator="\t")
    return folder / "a.txt"


def _bids(folder: Path, hours: float) -> Path:
    import polars as pl

    path = folder / "sub-1_task-a_physio.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _, values in parts(hours):
            lines = io.BytesIO()
            pl.DataFrame({"v": np.round(values, 4)}).write_csv(lines, include_header=False)
            file.write(lines.getvalue())
    said = {"SamplingFrequency": RATE, "StartTime": 0, "Columns": ["ecg"]}
    (folder / "sub-1_task-a_physio.json").write_text(json.dumps(said))
    return path


def _xdf(folder: Path, hours: float) -> Path:
    from device_files import chunk, header, offsets

    number, row = (1).to_bytes(4, "little"), np.dtype([("flag", "u1"), ("stamp", "<f8"), ("value", "<f4")])
    rng = np.random.default_rng(1)
    with (folder / "a.xdf").open("wb") as file:
        file.write(b"XDF:" + chunk(1, b"<info><version>1.0</version></info>") + header(1, rate=RATE))
        for times, values in parts(hours):
            rows = np.zeros(len(times), dtype=row)
            rows["flag"], rows["value"] = 8, values
            rows["stamp"] = 5e4 + times + rng.uniform(0.0, 0.002, len(times))
            for first in range(0, len(rows), 125):
                some = rows[first : first + 125]
                file.write(chunk(3, number + b"\x04" + len(some).to_bytes(4, "little") + some.tobytes()))
            file.write(offsets(1, *((5e4 + t, 2.0 + 1e-5 * t) for t in times[::1250])))
    return folder / "a.xdf"


def _acq(folder: Path, hours: float) -> Path:
    from device_files import acq

    return acq(folder / "a.acq", {"ecg": ("mV", np.concatenate([v for _, v in parts(hours)]))}, rate=RATE)


def _e4(folder: Path, hours: float) -> Path:
    times = np.arange(0.0, PART_S, 1 / 64)
    with (
        zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("BVP.csv", "w", force_zip64=True) as file,
    ):
        file.write(b"1500000000.0\n64.0\n")
        for k in range(int(6 * hours)):
            wave = 50 * np.maximum(np.sin(7.5 * (times + k * PART_S)), 0) ** 3
            file.write("".join(f"{v:.2f}\n" for v in wave.tolist()).encode())
    return folder / "a.zip"


def _embrace(folder: Path, hours: float) -> Path:
    from device_files import embrace

    moved = (2048 + 300 * np.sin(9.0 * np.arange(1800 * 32) / 32) ** 5).astype(int).tolist()
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for k in range(int(2 * hours)):
            part = embrace(folder / f"{k:03d}.avro", start_s=1.7e9 + 1800.0 * k, seconds=1800.0, z=moved)
            archive.write(part, part.name)
            part.unlink()
    return folder / "a.zip"


FORMATS: dict[str, tuple[Callable[[Path, float], Path], Modality]] = {
    "edf": (_edf, Modality.ECG),
    "bdf": (_bdf, Modality.ECG),
    "wfdb": (_wfdb, Modality.ECG),
    "csv": (_csv, Modality.ECG),
    "csv-dates": (_dated, Modality.ECG),
    "parquet": (_parquet, Modality.ECG),
    "opensignals": (_opensignals, Modality.ECG),
    "bids": (_bids, Modality.ECG),
    "xdf": (_xdf, Modality.ECG),
    "acq": (_acq, Modality.ECG),
    "e4": (_e4, Modality.PPG),
    "embrace": (_embrace, Modality.ACCELEROMETER),
}


def whole_run(hours: float) -> None:
    """Print what `cueflow run` takes for one session of three signals at 250 Hz."""
    import pyedflib

    import cueflow

    kinds = {"ecg": "mV", "respiration": "V", "eda": "uS"}
    with tempfile.TemporaryDirectory() as scratch:
        folder, tables = Path(scratch) / "d", Path(scratch) / "t"
        folder.mkdir()
        with pyedflib.EdfWriter(str(folder / "a.edf"), 3, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
            heads = (pyedflib.highlevel.make_signal_header(k, dimension=u, sample_frequency=RATE, physical_min=-20,
                                                           physical_max=20) for k, u in kinds.items())  # fmt: skip
            writer.setSignalHeaders(list(heads))
            for t, ecg in parts(hours):
                skin = 5.0 + 0.5 * np.sin(t / 300.0) + np.maximum(np.sin(t / 9.0), 0.0) ** 6
                writer.writeSamples([ecg, np.sin(1.6 * t + np.sin(t / 7.0)), skin])
        rows = "".join(f"S1,P1,{k},a.edf,{k},0\n" for k in kinds)
        (folder / "manifest.csv").write_text("session_id,subject_id,modality,path,channel,start_s\n" + rows)
        spent = cost_of([*CUEFLOW, "run", str(folder), "--out", str(tables)])
        size = sum(p.stat().st_size for p in tables.rglob("*.parquet")) / 1e6
        with cueflow.open_tables(tables) as found:
            (status,) = found["sessions"].collect()["status"]
            values, events = (found[name].collect().height for name in ("biomarkers", "events"))
    print(f"| {hours:g} | {spent.seconds:.0f} | {spent.largest_mib:.0f} | {spent.tree_mib:.0f} | {status} | {values} | "
          f"{events} | {size:.0f} |", flush=True)  # fmt: skip


def measured(path: Path, modality: Modality) -> tuple[float, float, int]:
    """Peak memory in MiB, time in s, and samples of a file that is read and measured in this process."""
    from cueflow.tasks.clock.marks import marks_of
    from cueflow.tasks.ingest.signals import open_signal

    began = time.perf_counter()
    channel = "ECG" if path.suffix == ".txt" else ""
    signal = open_signal(path, modality=modality, channel=channel)
    found = analysed(modality.value, signal)
    marks_of(path)
    if not any(m.value is not None for m in found.measures):
        raise SystemExit("nothing was measured")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return peak, time.perf_counter() - began, signal.n


def main(arguments: Sequence[str]) -> None:
    """Print the table of docs/methods/physiology.md."""
    if arguments[:1] == ["_write"]:
        FORMATS[arguments[1]][0](Path(arguments[2]), float(arguments[3]))
        return
    if arguments[:1] == ["_read"]:
        print(*measured(Path(arguments[2]), FORMATS[arguments[1]][1]))
        return
    if arguments[:1] == ["run"]:
        print(heading("A whole run by length"))
        print(
            "| h | s | largest process, MiB | all, MiB | session | values | events | tables, MB |\n" + "|---" * 8 + "|"
        )
        for length in arguments[1:] or ["1", "24"]:
            whole_run(float(length))
        return
    hours = [float(a) for a in arguments if a.replace(".", "").isdigit()] or [1.0, 6.0, 24.0]
    names = [a for a in arguments if a in FORMATS] or list(FORMATS)
    print(heading("Peak memory by length"))
    lengths = " | ".join(f"{h:g} h, MiB" for h in hours)
    print(f"| format | {lengths} | samples | file, MB | s | share of the length |")
    print("|---" * (len(hours) + 5) + "|")
    for name in names:
        peaks = []
        for length in hours:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run([sys.executable, __file__, "_write", name, folder, str(length)], check=True)
                path = next(p for p in sorted(Path(folder).iterdir()) if p.suffix not in {".json", ".dat"})
                size = sum(p.stat().st_size for p in Path(folder).iterdir()) / 1e6
                told = subprocess.run([sys.executable, __file__, "_read", name, str(path)], check=True,
                                      capture_output=True, text=True).stdout.split()  # fmt: skip
            peaks.append(f"{float(told[0]):.0f}")
        spent, n = float(told[1]), int(told[2])
        share = spent / (3600 * hours[-1])
        print(f"| {name} | {' | '.join(peaks)} | {n} | {size:.0f} | {spent:.1f} | {share:.5f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
