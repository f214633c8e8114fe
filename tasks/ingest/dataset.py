"""Read a dataset's manifest, or its BIDS tree: sessions, streams and what is wrong with them."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from cueflow.schemas.errors import DatasetError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Exclusion, Marker, Modality, Problem, Role, Session, Stream
from cueflow.tasks.ingest.rows import Row, read_table
from cueflow.tasks.ingest.streams import check_streams, closing_problems, problem_of

NEEDED = ("session_id", "subject_id", "modality", "path")
_SPAN = ("session_id", "onset_s", "duration_s")
_ONSET = "write the seconds from the session's start"
_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)
_MODALITIES = frozenset(m.value for m in Modality)
KINDS = frozenset({"", "phase", "marker", "action"})
_ROLES = frozenset(r.value for r in Role)


def read_dataset(root: Path, *, name: str | None = None) -> Dataset:
    """Read what a dataset holds; no recording is opened.

    What is wrong with a row is a problem of its session, and the row is left out. A session whose id cannot name a
    folder is kept without streams, under an id made of its hash. Rows of `events.csv` and `exclusions.csv` must be
    right: a span that cannot be read could be one that must not be used.

    Parameters
    ----------
    root : Path
        Folder with `manifest.csv`, `manifest.parquet` or a BIDS tree.
    name : str, optional
        Name of the dataset; default: the folder's, with "-" for what cannot name a folder everywhere.

    Returns
    -------
    Dataset
        Sessions in the order of the manifest.

    Raises
    ------
    DatasetError
        If the folder is not there, has neither manifest nor BIDS recordings, or the manifest or a table beside it
        cannot be read or lacks a column.
    """
    if not root.is_dir():
        raise DatasetError("the dataset is not a folder: give the folder that holds manifest.csv")
    name = name or _plain_name(root.resolve().name)
    if not _ID.fullmatch(name):
        raise DatasetError(f"{name!r} cannot name a dataset: give a name of letters, digits, '.', '_' and '-'")
    rows = read_table(root, "manifest", required=NEEDED)
    sessions, problems = _from_bids(root) if rows is None else _from_manifest(root, rows)
    return Dataset(name=name, root=root.resolve(), sessions=tuple(sessions), problems=tuple(problems))


def _plain_name(folder: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip(".-")[:128] or "dataset"


def _from_bids(root: Path) -> tuple[list[Session], list[Problem]]:
    from cueflow.tasks.ingest.bids import read_bids

    sessions = read_bids(root)
    if not sessions:
        raise DatasetError("no manifest.csv, manifest.parquet or BIDS recordings (sub-*/…) in this folder")
    return sessions, []


def _from_manifest(root: Path, rows: Sequence[Row]) -> tuple[list[Session], list[Problem]]:
    if not rows:
        raise DatasetError("the manifest has no rows: add one per recording")
    grouped: dict[str, list[Row]] = defaultdict(list)
    nameless = [row.number for row in rows if not row.get("session_id")]
    for row in rows:
        if session_id := row.get("session_id"):
            grouped[session_id].append(row)
    if not grouped:
        raise DatasetError("no row of the manifest has a session_id: fill the column")
    spans = _markers(root), _exclusions(root)
    sessions = [_session(root, session_id, of_session, spans) for session_id, of_session in grouped.items()]
    problems = [Problem(Reason.MANIFEST_INVALID, f"manifest line {n}: session_id is empty") for n in nameless]
    return sessions, problems + _strangers(spans, set(grouped))


def _strangers(spans: tuple[dict[str, list[Marker]], dict[str, list[Exclusion]]], known: set[str]) -> list[Problem]:
    named = (("events", spans[0].keys() - known), ("exclusions", spans[1].keys() - known))
    return [
        Problem(Reason.MANIFEST_INVALID, f"{table} of {len(ids)} sessions that the manifest does not name")
        for table, ids in named
        if ids
    ]


def _session(
    root: Path,
    session_id: str,
    rows: Sequence[Row],
    spans: tuple[dict[str, list[Marker]], dict[str, list[Exclusion]]],
) -> Session:
    streams, problems = check_streams(root, map(_stream, rows))
    safe = _ID.fullmatch(session_id) is not None
    if not safe:
        message = f"manifest line {rows[0].number}: session_id must be letters, digits, '.', '_', '-', at most 128"
        problems.append(Problem(Reason.MANIFEST_INVALID, f"{message}, not a dot first: rename it"))
    subjects = list(dict.fromkeys(row.get("subject_id") for row in rows))
    if len(subjects) > 1 or not subjects[0]:
        problems.append(Problem(Reason.MANIFEST_INVALID, "the session's rows do not name one subject: correct them"))
    if not safe or len(subjects) > 1 or not subjects[0]:
        streams = []
    return Session(
        session_id=session_id if safe else f"invalid-{hashlib.sha256(session_id.encode()).hexdigest()[:12]}",
        subject_id=subjects[0],
        visit=next((visit for row in rows if (visit := row.get("visit"))), "1"),
        streams=tuple(streams),
        problems=closing_problems(streams, problems),
        markers=tuple(spans[0].get(session_id, ())),
        exclusions=tuple(spans[1].get(session_id, ())),
    )


def _stream(row: Row) -> Stream | Problem:
    modality, role = row.get("modality").casefold(), row.get("role").casefold() or Role.PATIENT.value
    path = row.get("path")
    if modality not in _MODALITIES:
        message = f"unknown modality {modality[:40]!r}: choose among {', '.join(Modality)}"
        return problem_of(Reason.MODALITY_UNKNOWN, message, path, modality)
    if role not in _ROLES:
        message = f"unknown role {role[:40]!r}: choose among {', '.join(Role)}"
        return problem_of(Reason.MANIFEST_INVALID, message, path, modality)
    try:
        start_s = number_or_none(row.get("start_s"), "start_s")
        rate = number_or_none(row.get("sampling_rate"), "sampling_rate")
    except ValueError as error:
        return problem_of(Reason.NOT_A_NUMBER, str(error), path, modality)
    if rate is not None and rate <= 0:
        return problem_of(Reason.NOT_A_NUMBER, "sampling_rate must be above 0", path, modality)
    return Stream(
        modality=Modality(modality),
        path=path.replace("\\", "/"),
        role=Role(role),
        start_s=start_s,
        sampling_rate=rate,
        channel=row.get("channel"),
        unit=row.get("unit"),
    )


def number_or_none(text: str, column: str, *, hint: str = "write it as one, or leave the cell empty") -> float | None:
    """A finite number, or None for an empty cell.

    Parameters
    ----------
    text : str
        The cell.
    column : str
        Its column, for the message.
    hint : str, optional
        What to write, for the message.

    Returns
    -------
    float or None

    Raises
    ------
    ValueError
        If the cell holds something else.
    """
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column} is not a number: {hint}")
    return value


def _markers(root: Path) -> dict[str, list[Marker]]:
    found: dict[str, list[Marker]] = defaultdict(list)
    for row, onset, duration in _spans(root, "events", "label"):
        if not row.get("label"):
            raise DatasetError(f"events line {row.number}: label is empty")
        kind = row.get("kind").casefold()
        if kind not in KINDS:
            raise DatasetError(f"events line {row.number}: kind must be phase, marker, action or empty")
        found[row.get("session_id")].append(Marker(onset, duration, row.get("label"), kind))
    return found


def _exclusions(root: Path) -> dict[str, list[Exclusion]]:
    found: dict[str, list[Exclusion]] = defaultdict(list)
    for row, onset, duration in _spans(root, "exclusions", "reason"):
        if duration == 0:
            raise DatasetError(f"exclusions line {row.number}: duration_s must be above 0")
        found[row.get("session_id")].append(Exclusion(onset, duration, row.get("reason")))
    return found


def _spans(root: Path, name: str, last: str) -> Iterator[tuple[Row, float, float]]:
    required = (*_SPAN, last) if name == "events" else _SPAN
    for row in read_table(root, name, required=required) or ():
        try:
            onset = number_or_none(row.get("onset_s"), "onset_s", hint=_ONSET)
            duration = number_or_none(row.get("duration_s"), "duration_s")
        except ValueError as error:
            raise DatasetError(f"{name} line {row.number}: {error}") from error
        if onset is None:
            raise DatasetError(f"{name} line {row.number}: onset_s is empty: {_ONSET}")
        if (duration or 0.0) < 0:
            raise DatasetError(f"{name} line {row.number}: duration_s is below 0")
        yield row, onset, duration or 0.0
