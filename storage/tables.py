"""The tables as a whole: who writes them, how a session gets in, and what readers see.

A session is visible all at once or not at all: rows count where the `sessions` row of their dataset and session names
their run. While a session is written again it is invisible for the moment between two renames (see `journal`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.atomic import disk_errors
from cueflow.storage.erasing.removal import finish_removal
from cueflow.storage.journal import commit, roll_forward
from cueflow.storage.layout import part_path
from cueflow.storage.owner import claim, locked, refuse_foreign_folder
from cueflow.storage.readers import reading
from cueflow.storage.remote.mirror import push_session
from cueflow.storage.scan import collected, placed_sessions, visible
from cueflow.storage.seal import leave_room, sealed

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class TableStore:
    """Tables of one dataset, opened for writing by `writing`.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset : str
        Name of the dataset.
    """

    def __init__(self, root: Path, dataset: str) -> None:
        if not dataset:
            raise TablesError("The dataset has no name: give it one.")
        self.root, self.dataset = root, dataset
        self._open = False

    @contextmanager
    def writing(self, *, root_fingerprint: str, session_ids: Iterable[str], join: bool = False) -> Iterator[Self]:
        """Hold the tables for writing: lock, check whose they are, finish what a killed run left.

        A folder with other files or another dataset's tables is a `ForeignOutputError`; one that another process
        writes now, or that cannot be written, a `TablesError`.

        Parameters
        ----------
        root_fingerprint : str
            From `storage.fingerprints.root_fingerprint`.
        session_ids : iterable of str
            Sessions of the dataset.
        join : bool
            Allow tables that hold another dataset too.
        """
        refuse_foreign_folder(self.root)
        with locked(self.root):
            with disk_errors("opening the tables for writing"):
                claim(self.root, self.dataset, root_fingerprint=root_fingerprint, session_ids=session_ids, join=join)
                finish_removal(self.root)
                roll_forward(self.root)
            self._open = True
            try:
                yield self
            finally:
                self._open = False

    def commit_session(self, session_id: str, tables: Mapping[str, pa.Table], *, run_id: str) -> None:
        """Write a session's tables so that all of them appear at once.

        Without space left it is a `DiskFullError`, and nothing has changed.

        Parameters
        ----------
        session_id : str
            The session.
        tables : mapping
            Table name to its rows; `sessions` has exactly one. A table that is not given, or has no rows, takes
            away the rows of an earlier run.
        run_id : str
            The run; every row carries it.

        Raises
        ------
        TablesError
            If the tables are not open, a column is missing, unknown or of another type, or a row names another session
            or run; or if the file system refuses.
        """
        if not self._open:
            raise TablesError("The tables are not open for writing: use `with store.writing(…)`.")
        checked = _checked(session_id, tables, run_id)
        parts = {
            name: _parquet(table, name)
            for name, table in checked.items()
            if table.num_rows or part_path(self.root, name, self.dataset, session_id).exists()
        }
        no_session = _parquet(arrow_schema("sessions").empty_table(), "sessions")
        with disk_errors("writing a session's tables"):
            commit(self.root, self.dataset, session_id, parts=parts, no_session=no_session, run_id=run_id)
        push_session(self.root, [part_path(self.root, name, self.dataset, session_id) for name in parts])


def read_sessions(root: Path, *, dataset: str | None = None, without: frozenset[Path] = frozenset()) -> pl.DataFrame:
    """Read the `sessions` table.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset : str, optional
        Only this dataset.
    without : frozenset of Path, optional
        Files to leave out, since they are damaged.

    Returns
    -------
    polars.DataFrame
        One row per visible session with a `dataset` column, sorted by dataset and session. A folder without tables,
        a damaged file or a newer layout is a `TablesError`.
    """
    with reading(root):
        placed = placed_sessions(root, dataset=dataset, without=without)
        rows = visible(root, "sessions", placed, dataset=dataset, without=without)
        return collected(rows).sort("dataset", "session_id")


def read_fingerprints(root: Path, dataset: str) -> dict[str, str]:
    """Fingerprint of every visible session of a dataset, by session id; empty where the next run must try again."""
    with reading(root):
        rows = visible(root, "sessions", placed_sessions(root, dataset=dataset), dataset=dataset)
        found = collected(rows.select("session_id", "fingerprint"))
    return {session_id: fingerprint or "" for session_id, fingerprint in found.iter_rows()}


def scan(root: Path, table: str, *, dataset: str | None = None) -> pl.LazyFrame:
    """One table, lazily: only rows of the run that the sessions row names.

    Parameters
    ----------
    root : Path
        TABLES.
    table : str
        A key of `schemas.tables.TABLES`.
    dataset : str, optional
        Only this dataset.

    Returns
    -------
    polars.LazyFrame
        The declared columns, null where an older version did not write one, and `dataset`. A folder or table that
        is not there is a `TablesError`. While it is used, hold the tables (`storage.readers.reading`).
    """
    return visible(root, table, placed_sessions(root, dataset=dataset), dataset=dataset)


def _checked(session_id: str, tables: Mapping[str, pa.Table], run_id: str) -> dict[str, pa.Table]:
    if not session_id or not run_id:
        raise TablesError("A session's tables need the id of the session and of the run.")
    if unknown := sorted(set(tables) - set(TABLES)):
        raise TablesError(f"There is no table {unknown[0]!r}: the tables are {', '.join(TABLES)}.")
    if "sessions" not in tables or tables["sessions"].num_rows != 1:
        raise TablesError("A session is written with exactly one row in the sessions table.")
    checked = {name: arrow_schema(name).empty_table() for name in TABLES}
    return _counted(checked | {name: _fitting(name, rows, session_id, run_id) for name, rows in tables.items()})


def _counted(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The same with what the sessions row says of the other tables, so that a lost file is noticed."""
    import pyarrow as pa

    names = tables["biomarkers"]["biomarker"].unique().to_pylist()
    said = {
        "row_counts": json.dumps({name: rows.num_rows for name, rows in tables.items() if name != "sessions"}),
        "own_biomarkers": sorted(name for name in names if name not in BIOMARKERS),
    }
    sessions = tables["sessions"]
    for name, value in said.items():
        field = sessions.schema.field(name)
        sessions = sessions.set_column(sessions.schema.names.index(name), field, pa.array([value], field.type))
    return tables | {"sessions": sessions}


def _fitting(name: str, rows: pa.Table, session_id: str, run_id: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = arrow_schema(name)
    wrong = {
        "missing": set(schema.names) - set(rows.column_names),
        "unknown": set(rows.column_names) - set(schema.names),
    }
    for how, columns in wrong.items():
        if columns:
            raise TablesError(f"Table {name}: column {min(columns)!r} is {how}.")
    try:
        fitting = rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise TablesError(f"Table {name}: a column has another type than declared ({error}).") from error
    expected: dict[str, Any] = {"session_id": session_id, "run_id": run_id}
    for column, value in expected.items():
        same = pc.equal(fitting[column], value)
        if not pc.all(pc.fill_null(same, fill_value=False), min_count=0).as_py():
            raise TablesError(f"Table {name}: a row's {column} is not the one being written.")
    return fitting


_ORDER = {"biomarkers": ("biomarker", "role", "channel", "phase"), "windows": ("role", "t_s"), "events": ("start_s",)}


def _in_order(table: pa.Table, name: str) -> pa.Table:
    """The rows sorted; those that are, as those of a long recording may be, are not copied."""
    import numpy as np
    import pyarrow.compute as pc

    if name not in _ORDER:
        return table
    order = pc.sort_indices(table, [(column, "ascending") for column in _ORDER[name]])
    return table if np.array_equal(order, np.arange(len(order))) else table.take(order)


def _parquet(table: pa.Table, name: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, sink = _in_order(table, name), pa.BufferOutputStream()
    # A dictionary of a day's numbers is as long as they are, and makes the file no smaller.
    words = [column.name for column in rows.schema if pa.types.is_string(column.type)]
    with pq.ParquetWriter(
        sink, rows.schema, compression="zstd", use_dictionary=words, write_page_checksum=True
    ) as file:
        file.write_table(rows)
        leave_room(file)
    return sealed(bytes(sink.getvalue()))
