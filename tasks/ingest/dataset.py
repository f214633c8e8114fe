"""Read a dataset's manifest, or its BIDS tree: sessions, streams and what is wrong with them."""

from __future__ import annotations

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cueflow.schemas.errors import DatasetError, StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Exclusion, Marker, Modality, Problem, Role, Session, Stream
from cueflow.tasks.ingest.paths import resolve_inside

Row = Mapping[str, str]
NEEDED = ("session_id", "subject_id", "modality", "path")
_ID = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$")


def read_dataset(root: Path, *, name: str | None = None) -> Dataset:
    """Read what a dataset holds; no recording is opened.

    Parameters
    ----------
    root : Path
        Folder with `manifest.csv`, `manifest.parquet` or a BIDS tree.
    name : str, optional
        Name of the dataset; default: the folder's.

    Returns
    -------
    Dataset
        Sessions in the order of the manifest; what is wrong with a row is a problem of its session.

    Raises
    ------
    DatasetError
        If the folder or manifest is not there, cannot be read, or lacks a needed column.
    """
    if not root.is_dir():
        raise DatasetError("the dataset is not a folder: give the folder that holds manifest.csv")
    name = name or root.resolve().name
    if not _ID.match(name):
        raise DatasetError(f"{name!r} cannot name a dataset: give one (--dataset-name)")
    sessions = _from_manifest(root)
    if sessions is None:
        from cueflow.tasks.ingest.bids import read_bids

        sessions = read_bids(root)
    if not sessions:
        raise DatasetError("no manifest.csv, manifest.parquet or BIDS recordings (sub-*/…) in this folder")
    return Dataset(name=name, root=root.resolve(), sessions=tuple(sessions))


def _from_manifest(root: Path) -> list[Session] | None:
    rows = read_rows(root, "manifest")
    if rows is None:
        return None
    if not rows:
        raise DatasetError("the manifest has no rows: add one per recording")
    if missing := [column for column in NEEDED if column not in rows[0]]:
        raise DatasetError(f"the manifest has no column {missing[0]!r}; it has {', '.join(rows[0])}")
    grouped: dict[str, list[Row]] = defaultdict(list)
    for number, row in enumerate(rows, start=2):
        session_id = row["session_id"]
        if not _ID.match(session_id):
            raise DatasetError(
                f"manifest line {number}: session_id must be letters, digits, '.', '_' and '-', not a dot first"
            )
        grouped[session_id].append(row)
    markers, exclusions = _markers(root), _exclusions(root)
    return [
        _session(root, of_session, markers=markers.get(session_id, ()), exclusions=exclusions.get(session_id, ()))
        for session_id, of_session in grouped.items()
    ]


def _session(root: Path, rows: Sequence[Row], *, markers: Sequence[Marker], exclusions: Sequence[Exclusion]) -> Session:
    streams, problems = check_streams(root, (_stream(row) for row in rows))
    subjects = list(dict.fromkeys(row["subject_id"] for row in rows))
    if len(subjects) > 1 or not subjects[0]:
        problems.append(Problem(Reason.MANIFEST_INVALID, "the session's rows do not name one subject"))
        streams = []
    return Session(
        session_id=rows[0]["session_id"],
        subject_id=subjects[0],
        visit=next((row["visit"] for row in rows if row.get("visit")), "1"),
        streams=tuple(streams),
        problems=tuple(problems if streams else [*problems, no_usable()]),
        markers=tuple(markers),
        exclusions=tuple(exclusions),
    )


def no_usable() -> Problem:
    """The problem of a session that has no stream left."""
    return Problem(Reason.NO_USABLE_STREAM, Reason.NO_USABLE_STREAM.sentence)


def check_streams(root: Path, candidates: Iterable[Stream | Problem]) -> tuple[list[Stream], list[Problem]]:
    """Keep the streams whose file is there and whose key is the only one of its kind.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    candidates : iterable of Stream or Problem
        Rows of one session; problems pass through.

    Returns
    -------
    tuple of list of Stream and list of Problem
    """
    streams: dict[tuple[str, str, str], Stream] = {}
    problems: list[Problem] = []
    for candidate in candidates:
        if isinstance(candidate, Problem):
            problems.append(candidate)
            continue
        try:
            resolve_inside(root, candidate.path)
        except StreamError as error:
            problems.append(Problem(error.reason, error.message, candidate.path, candidate.modality))
            continue
        if candidate.key in streams:
            message = f"a second {candidate.modality} stream of role {candidate.role}: give it another channel or role"
            problems.append(Problem(Reason.DUPLICATE_STREAM, message, candidate.path, candidate.modality))
            continue
        streams[candidate.key] = candidate
    return list(streams.values()), problems


def _stream(row: Row) -> Stream | Problem:
    modality = row["modality"].lower()
    path = row["path"]
    if modality not in set(Modality):
        message = f"unknown modality {modality[:40]!r}: choose among {', '.join(Modality)}"
        return Problem(Reason.MODALITY_UNKNOWN, message, path, modality)
    role = row.get("role", "").lower() or Role.PATIENT
    if role not in set(Role):
        message = f"unknown role {role[:40]!r}: choose among {', '.join(Role)}"
        return Problem(Reason.MANIFEST_INVALID, message, path, modality)
    try:
        start_s = number_or_none(row.get("start_s", ""), "start_s")
        rate = number_or_none(row.get("sampling_rate", ""), "sampling_rate")
    except ValueError as error:
        return Problem(Reason.NOT_A_NUMBER, str(error), path, modality)
    if rate is not None and rate <= 0:
        return Problem(Reason.NOT_A_NUMBER, "sampling_rate must be above 0", path, modality)
    return Stream(
        modality=Modality(modality),
        path=path,
        role=Role(role),
        start_s=start_s,
        sampling_rate=rate,
        channel=row.get("channel", ""),
        unit=row.get("unit", ""),
    )


def number_or_none(text: str, column: str) -> float | None:
    """A finite number, or None for an empty cell.

    Raises
    ------
    ValueError
        If the cell holds something else; the message names the column.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is not a number: {text[:40]!r}")
    return value


def read_rows(root: Path, name: str) -> list[dict[str, str]] | None:
    """Rows of `name`.csv or `name`.parquet at the root, cells as stripped text; None where there is neither file.

    Raises
    ------
    DatasetError
        If the file cannot be read.
    """
    table, text = root / f"{name}.parquet", root / f"{name}.csv"
    try:
        if text.is_file():
            with text.open(newline="", encoding="utf-8-sig") as file:
                return list(_stripped(csv.DictReader(file)))
        if table.is_file():
            return list(_stripped(_parquet_rows(table)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{name}: cannot be read as UTF-8 table ({type(error).__name__})") from error
    return None


def _parquet_rows(path: Path) -> list[dict[str, object]]:
    import polars as pl

    try:
        return pl.read_parquet(path).to_dicts()
    except pl.exceptions.PolarsError as error:
        raise DatasetError(f"{path.name}: not a readable Parquet file") from error


def _stripped(rows: Iterable[Mapping[str, object]]) -> Iterator[dict[str, str]]:
    for row in rows:
        yield {
            (key or "").strip(): "" if value is None else str(value).strip()
            for key, value in row.items()
            if isinstance(key, str)
        }


def _markers(root: Path) -> dict[str, list[Marker]]:
    found: dict[str, list[Marker]] = defaultdict(list)
    for session_id, onset, duration, row in _spans(root, "events"):
        found[session_id].append(Marker(onset, duration, row.get("label", "")))
    return found


def _exclusions(root: Path) -> dict[str, list[Exclusion]]:
    found: dict[str, list[Exclusion]] = defaultdict(list)
    for session_id, onset, duration, row in _spans(root, "exclusions"):
        found[session_id].append(Exclusion(onset, duration, row.get("reason", "")))
    return found


def _spans(root: Path, name: str) -> Iterator[tuple[str, float, float, Row]]:
    for number, row in enumerate(read_rows(root, name) or (), start=2):
        if not {"session_id", "onset_s", "duration_s"} <= set(row):
            raise DatasetError(f"{name}.csv needs the columns session_id, onset_s and duration_s")
        try:
            onset = number_or_none(row["onset_s"], "onset_s")
            duration = number_or_none(row["duration_s"], "duration_s")
        except ValueError as error:
            raise DatasetError(f"{name}.csv line {number}: {error}") from error
        if onset is None or (duration or 0.0) < 0:
            raise DatasetError(f"{name}.csv line {number}: onset_s is empty or duration_s below 0")
        yield row["session_id"], onset, duration or 0.0, row
