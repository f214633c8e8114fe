"""Rows that are gone: files of sessions, or of buckets, that are no longer where they were written.

The row of a session says how many rows it has in each other table, so that a file that was deleted is missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cueflow.storage.compaction.buckets import BUCKET, bucket_files, bucket_of, bucket_path
from cueflow.storage.layout import ORDER, part_path
from cueflow.storage.scan import collected, part_files, placed_sessions, visible

if TYPE_CHECKING:
    import polars as pl

_OTHERS = tuple(table for table in ORDER if table != "sessions")
Session = tuple[str, str]  # dataset and session_id


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that cannot be trusted or is gone: where it lies inside TABLES, and what is wrong.

    `sessions` must be written again; of a bucket, those that were already are not among them.
    """

    path: str
    dataset: str
    sessions: tuple[str, ...]
    what: str


def lost_rows(root: Path, *, without: frozenset[Path]) -> Iterator[Damage]:
    """Files that are gone, by the sessions of which rows are missing.

    Parameters
    ----------
    root : Path
        TABLES.
    without : frozenset of Path
        Files that are known to be damaged: they are not opened, and what they hold is not looked for.

    Yields
    ------
    Damage
    """
    placed = placed_sessions(root, without=without)
    known = {(dataset, session) for dataset, session in placed.select("dataset", "session_id").iter_rows()}
    yield from _without_session(root, known, without)
    for table in _OTHERS:
        gone: dict[Path, list[str]] = {}
        for session, path in _lacking(root, table, placed, without):
            gone.setdefault(path, []).append(session)
        for path, sessions in gone.items():
            what = f"lacks rows of {len(sessions)} sessions" if path.exists() else "is missing"
            dataset = unquote(next(p for p in path.parts if p.startswith("dataset=")).removeprefix("dataset="))
            yield Damage(path.relative_to(root).as_posix(), dataset, tuple(sessions), what)


def lost_sessions(root: Path, sessions: pl.DataFrame) -> tuple[str, ...]:
    """Sessions of which a file is gone, without reading any.

    Parameters
    ----------
    root : Path
        TABLES.
    sessions : polars.DataFrame
        Rows of the `sessions` table of one dataset.

    Returns
    -------
    tuple of str
        Their ids.
    """
    return tuple(
        session
        for dataset, session, said in sessions.select("dataset", "session_id", "row_counts").iter_rows()
        for table, n in _expected(said).items()
        if n and not any(path.exists() for path in _places(root, table, dataset, session))
    )


def _lacking(root: Path, table: str, placed: pl.DataFrame, without: frozenset[Path]) -> Iterator[tuple[str, Path]]:
    """Sessions that have fewer or more rows in a table than they say, with the file that should hold them."""
    import polars as pl

    rows = visible(root, table, placed, without=without).group_by("dataset", "session_id").agg(pl.len())
    seen = {(dataset, session): n for dataset, session, n in collected(rows).iter_rows()}
    columns = placed.select("dataset", "session_id", "row_counts", BUCKET)
    for dataset, session, said, bucket in columns.iter_rows():
        own, shared = _places(root, table, dataset, session)
        path, expected = own if bucket is None else shared, _expected(said).get(table)
        found = seen.get((dataset, session), 0)
        if path not in without and expected is not None and (found < expected if said is None else found != expected):
            yield session, path


def _expected(said: str | None) -> Mapping[str, int]:
    """Rows by table; a row of an older version only promises some biomarkers."""
    return {"biomarkers": 1} if said is None else json.loads(said)


def _places(root: Path, table: str, dataset: str, session: str) -> tuple[Path, Path]:
    return part_path(root, table, dataset, session), bucket_path(root, table, dataset, bucket_of(session))


def _without_session(root: Path, known: set[Session], without: frozenset[Path]) -> Iterator[Damage]:
    """Files of sessions, or buckets, that no file of `sessions` speaks for."""
    gone: dict[Path, tuple[str, set[str]]] = {}
    for table in _OTHERS:
        for dataset, session, path in _held(root, table, without):
            if (dataset, session) not in known and not path.exists():
                gone.setdefault(path, (dataset, set()))[1].add(session)
    for path, (dataset, sessions) in sorted(gone.items()):
        yield Damage(path.relative_to(root).as_posix(), dataset, tuple(sorted(sessions)), "is missing")


def _held(root: Path, table: str, without: frozenset[Path]) -> Iterator[tuple[str, str, Path]]:
    """Dataset and id of what the files of a table hold, with the file of `sessions` that should say so."""
    import pyarrow.parquet as pq

    for path in part_files(root, table):
        dataset, session = (unquote(folder.name.split("=", 1)[1]) for folder in (path.parent.parent, path.parent))
        yield dataset, session, part_path(root, "sessions", dataset, session)
    for path in bucket_files(root, table):
        place = root / "sessions" / path.parent.name / path.name
        if path in without or place.exists():
            continue
        dataset = unquote(path.parent.name.removeprefix("dataset="))
        with pq.ParquetFile(path) as file:
            for session in file.read(columns=["session_id"])["session_id"].unique().to_pylist():
                yield dataset, session, place
