"""Speed of questions to compacted tables of a large cohort, generated for the purpose.

python benchmarks/tables_queries.py [SESSIONS] [BIOMARKERS] [FOLDER]   # default 100,000, 300, a temporary folder
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from measure import heading

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.tables import SCHEMA_VERSION, layout
from cueflow.storage.compaction.buckets import BUCKET, BUCKETS, ROW_GROUP, bucket_of, bucket_path, bucket_writer
from cueflow.storage.reading.queries import open_tables, query
from cueflow.storage.tables import read_fingerprints, read_sessions

_VISITS = 4
_DATASET = "cohort"


def main(arguments: Sequence[str]) -> None:
    """Generate the tables, where the folder holds none, and ask them."""
    n, markers = (int(a) for a in [*arguments[:2], *("100000", "300")[len(arguments) :]])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(arguments[2]) if len(arguments) > 2 else Path(scratch) / "tables"
        started = time.perf_counter()
        if not root.exists():
            generate(root, n, markers)
        made = time.perf_counter() - started
        size = sum(p.stat().st_size for p in root.rglob("*.parquet")) / 1e6
        print(heading(f"Questions to compacted tables: {n:,} sessions × {markers} biomarkers"))
        print(
            f"{size:.0f} MB in {BUCKETS} buckets, generated in {made:.0f} s; first, best and median of 5 later times\n"
        )
        print("| what | rows × columns | first, s | best, s | median, s | processor, s | peak memory, MiB |")
        print("|---|---|---|---|---|---|---|")
        for title, ask in _questions(root, n).items():
            _time(title, ask)


def _questions(root: Path, n: int) -> dict[str, Callable[[], pl.DataFrame | pa.Table]]:
    one = _session(n // 2)
    tables = open_tables(root)
    ids = [_session(i) for i in range(0, n, max(1, n // 1000))]
    over = "SELECT session_id, value FROM biomarkers WHERE biomarker = 'hrv_rmssd' AND status = 'ok'"
    return {
        "open tables, one biomarker over the cohort": lambda: query(root, over),
        "the same, tables open (DuckDB)": lambda: tables.duckdb.sql(over).to_arrow_table(),
        "the same, tables open (Polars)": lambda: (
            tables.biomarkers.filter(biomarker="hrv_rmssd", status="ok").select("session_id", "value").collect()
        ),
        "open tables, one session": lambda: query(root, f"FROM biomarkers WHERE session_id = '{one}'"),
        "the same, tables open (DuckDB)  ": lambda: tables.duckdb.sql(
            f"FROM biomarkers WHERE session_id = '{one}'"
        ).to_arrow_table(),
        "the same, tables open (Polars)  ": lambda: tables.of_session(one)["biomarkers"].collect(),
        "wide, 1,000 sessions": lambda: tables.wide(sessions=ids).collect(),
        "sessions table": lambda: read_sessions(root),
        "fingerprints": lambda: pl.DataFrame({"f": list(read_fingerprints(root, _DATASET).values())}),
    }


def _time(title: str, ask: Callable[[], Any]) -> None:
    times, work = [], []
    for _ in range(6):
        started, busy = time.perf_counter(), time.process_time()
        rows = ask()
        times.append(time.perf_counter() - started)
        work.append(time.process_time() - busy)
    shape = rows.shape
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {title} | {shape[0]:,} × {shape[1]} | {times[0]:.2f} | {min(times[1:]):.2f} | {sorted(times[1:])[2]:.2f} | "
        f"{sorted(work[1:])[2]:.2f} | {peak:.0f} |",
        flush=True,
    )


def generate(root: Path, n: int, markers: int) -> None:
    """Write compacted tables of n sessions: sessions and biomarkers, in the layout of `cueflow maintain`."""
    homes: list[list[int]] = [[] for _ in range(BUCKETS)]
    for i in range(n):
        homes[bucket_of(_session(i))].append(i)
    names = sorted({*sorted(BIOMARKERS)[: markers - 1], "hrv_rmssd"})
    names += [f"zz_{i:03d}" for i in range(markers - len(names))]  # filled up with invented ones
    work = [(root, bucket, sorted(ids, key=_session), names) for bucket, ids in enumerate(homes) if ids]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.starmap(_bucket, work)


def _bucket(root: Path, bucket: int, numbers: list[int], names: list[str]) -> None:
    rng = np.random.default_rng(bucket)
    _save(root, "sessions", bucket, _session_rows(numbers, len(names)))
    path = bucket_path(root, "biomarkers", _DATASET, bucket)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = _biomarker_rows(rng, numbers, names)
    _save(root, "biomarkers", bucket, columns)


def _session_rows(numbers: list[int], markers: int) -> dict[str, Any]:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "session_id": [_session(i) for i in numbers],
        **_person(numbers, np.arange(len(numbers))),
        "status": "ok",
        "duration_s": 3600.0,
        "run_id": pa.array([_run(i) for i in numbers]),
        "fingerprint": [_hash(f"f{i}") for i in numbers],
        "config_hash": _hash("config"),
        "cueflow_version": "0.1.0",
        "schema_version": SCHEMA_VERSION,
        "layout": layout(),
        "row_counts": json.dumps(
            {"biomarkers": markers, "windows": 0, "events": 0, "predictions": 0, "explanations": 0}
        ),
        "own_biomarkers": pa.array([[]] * len(numbers), pa.list_(pa.string())),
        "started_utc": then,
        "finished_utc": then,
    }


def _biomarker_rows(rng: np.random.Generator, numbers: list[int], names: list[str]) -> dict[str, Any]:
    n, which = len(names) * len(numbers), np.repeat(np.arange(len(names)), len(numbers))
    who = np.tile(np.arange(len(numbers)), len(names))
    declared = [BIOMARKERS.get(name) for name in names]
    missing = rng.random(n) < 0.1

    def of_marker(attribute: str, otherwise: str) -> pa.Array:
        return _coded([getattr(d, attribute) if d else otherwise for d in declared], which)

    hashes = [_hash(f"{i}-{k}") for i in numbers for k in range(3)]
    return {
        "session_id": _coded([_session(i) for i in numbers], who),
        **_person(numbers, who),
        "modality": of_marker("modality", "video"),
        "role": "patient",
        "channel": "",
        "biomarker": _coded(names, which),
        "value": pa.array(rng.normal(50, 10, n), mask=missing),
        "unit": of_marker("unit", "1"),
        "statistic": of_marker("statistic", "mean"),
        "phase": "session",
        "window_start_s": 0.0,
        "window_end_s": 3600.0,
        "n_evidence": rng.integers(30, 4000, n).astype(float),
        "coverage": rng.random(n).round(3),
        "quality": rng.random(n).round(3),
        "status": _coded(["ok", "too_short"], missing.astype(int)),
        "reason": _coded([None, "few_evidence"], missing.astype(int)),
        "method": of_marker("method", "none"),
        "method_version": "1",
        "config_hash": _hash("config"),
        "input_sha256": _coded(hashes, who * 3 + which % 3),
        "run_id": _coded([_run(i) for i in numbers], who),
    }


def _save(root: Path, table: str, bucket: int, columns: dict[str, Any]) -> None:
    n = len(columns["session_id"])
    path = bucket_path(root, table, _DATASET, bucket)
    path.parent.mkdir(parents=True, exist_ok=True)
    with bucket_writer(path, table) as file:
        for start in range(0, n, ROW_GROUP):
            size = min(ROW_GROUP, n - start)
            arrays = [_column(columns | {BUCKET: bucket}, field, start, size) for field in file.schema]
            file.write_table(pa.table(arrays, schema=file.schema), row_group_size=ROW_GROUP)


def _column(columns: dict[str, Any], field: pa.Field, start: int, size: int) -> pa.Array:
    given = columns.get(field.name)
    if isinstance(given, list | np.ndarray):
        given = pa.array(given)
    if isinstance(given, pa.Array | pa.ChunkedArray):
        return given.slice(start, size).cast(field.type)
    return pa.repeat(pa.scalar(given, field.type), size)


def _person(numbers: list[int], who: np.ndarray) -> dict[str, pa.Array]:
    return {
        "subject_id": _coded([f"P{i // _VISITS:05d}" for i in numbers], who),
        "visit": _coded([str(i % _VISITS + 1) for i in numbers], who),
    }


def _coded(texts: list[str | None] | list[str], codes: np.ndarray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(texts, pa.string()))


def _session(i: int) -> str:
    return f"S{i:06d}"


def _run(i: int) -> str:
    return _hash(f"run {i // 1000}")[:36]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
