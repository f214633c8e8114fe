"""Reading the tables: lazy Polars frames by name, a DuckDB connection, and read-only SQL."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import duckdb

from cueflow.schemas.errors import QueryError, TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.readers import hold, reading, release
from cueflow.storage.reading.answer import readable
from cueflow.storage.reading.examples import EXAMPLES
from cueflow.storage.reading.names import unknown_column
from cueflow.storage.reading.views import close_off, connect
from cueflow.storage.reading.wide import described, wide_frame, wide_names
from cueflow.storage.records.audit import record, shape_of
from cueflow.storage.remote.mirror import place
from cueflow.storage.scan import placed_sessions, visible

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["EXAMPLES", "Tables", "open_tables", "query"]

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
_ONE = "Ask one question at a time: a single SELECT, WITH, DESCRIBE, SHOW or EXPLAIN."


class Tables:
    """The tables as they were when they were opened: lazy Polars frames by name, and DuckDB.

    `tables.biomarkers`, `tables["biomarkers"]` and `for name in tables` work; every frame has only rows that count
    and a `dataset` column. Open again to see what was written since. What was opened stays readable while
    `cueflow maintain` works, until `close` (or the end of a `with` block, or of the program).

    Parameters
    ----------
    path : Path
        Folder that `cueflow run` wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        hold(path)
        self._holds = True
        try:
            self._sessions = placed_sessions(path)
        except TablesError:
            self.close()
            raise

    def close(self) -> None:
        """Say that the frames are no longer used. Until then, or the end of the program, no file is removed."""
        if self._holds:
            self._holds = False
            release(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> pl.LazyFrame:
        return visible(self.path, name, self._sessions)

    def __getattr__(self, name: str) -> pl.LazyFrame:
        if name.startswith("_") or name not in TABLES:
            raise AttributeError(f"no table {name!r}: the tables are {', '.join(TABLES)}")
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)

    def __contains__(self, name: object) -> bool:
        return name in TABLES

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *TABLES]

    def __repr__(self) -> str:
        return f"Tables({self._sessions.height} sessions: {', '.join(TABLES)})"

    @cached_property
    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """In-memory DuckDB connection with a view per table and `wide`."""
        return connect(self.path, self._sessions)

    def wide(
        self, *, phase: str = "session", role: str = "patient", sessions: Sequence[str] | None = None
    ) -> pl.LazyFrame:
        """One row per session, one column per biomarker.

        Parameters
        ----------
        phase : str
            Phase whose values are taken: "session", or a label of events.csv.
        role : str
            Whose recordings are taken: patient, clinician or room.
        sessions : sequence of str, optional
            Only these session ids; in large tables much faster than to filter afterwards.

        Returns
        -------
        polars.LazyFrame
            dataset, session_id, subject_id, visit, every declared biomarker (each has one statistic) and every measure
            of the user's own actions (`action_<label>_…`) that any session has; null where the session has no value
            with status ok. Where it has several, the one with the largest coverage, then the most evidence.
        """
        chosen = self._sessions
        if sessions is not None:
            chosen = chosen.filter(chosen["session_id"].is_in(list(sessions)))
        about, values = (visible(self.path, name, chosen) for name in ("sessions", "biomarkers"))
        return wide_frame(about, values, wide_names(self._sessions), phase=phase, role=role, few=sessions)

    def of_session(self, session_id: str, *, dataset: str | None = None) -> dict[str, pl.LazyFrame]:
        """All tables of one session; only its files are opened.

        Parameters
        ----------
        session_id : str
            The session.
        dataset : str, optional
            Its dataset, where several have a session of this name.

        Returns
        -------
        dict
            Table name to its rows.
        """
        chosen = self._sessions.filter(session_id=session_id)
        if dataset is not None:
            chosen = chosen.filter(dataset=dataset)
        return {name: visible(self.path, name, chosen).filter(session_id=session_id) for name in TABLES}


def open_tables(path: str | Path) -> Tables:
    """Open what `cueflow run` wrote.

    Parameters
    ----------
    path : str or Path
        Folder of the tables, or an address as `s3://bucket/tables`.

    Returns
    -------
    Tables
        Lazy Polars frames by table name, and `.duckdb`. A folder without tables is a `TablesError`.
    """
    tables = Tables(place(path))
    record(tables.path, "open")
    return tables


def query(path: str | Path, sql: str, *, memory_limit: str = "2GB", timeout_s: float = 300.0) -> pa.Table:
    """Ask the tables in SQL: reading only, and nothing but the tables.

    Parameters
    ----------
    path : str or Path
        Folder of the tables.
    sql : str
        One SELECT, WITH, DESCRIBE, SHOW or EXPLAIN, in DuckDB's dialect.
    memory_limit : str
        Memory that DuckDB may use, as "2GB".
    timeout_s : float
        Time after which the query is stopped, in s.

    Returns
    -------
    pyarrow.Table
        The rows.

    Raises
    ------
    QueryError
        If the SQL is wrong, not allowed, or needs more time or memory than it may have.
    TablesError
        If the folder holds no tables, or a file is damaged.
    """
    root = place(path)
    try:
        with reading(root), connect(root, placed_sessions(root)) as connection:
            close_off(connection, root, memory_limit=memory_limit)
            statement = _single_question(connection, sql)
            rows = _answer(connection, statement, timeout_s)
        record(root, "query", asked=shape_of(sql), rows=rows.num_rows)
        return described(rows)
    except QueryError:
        record(root, "query", asked="refused")
        raise
    except duckdb.InterruptException as error:
        raise QueryError(f"The query took longer than {timeout_s:g} s and was stopped: ask for less.") from error
    except duckdb.OutOfMemoryException as error:
        raise QueryError(f"The query needs more than {memory_limit} of memory: ask for less.") from error
    except duckdb.PermissionException as error:
        raise QueryError(f"Only the tables can be read ({', '.join(TABLES)}, wide), and nothing written.") from error
    except duckdb.Error as error:
        if str(root.resolve()) in str(error):  # it is about a file, not about the question
            raise TablesError("A file of the tables is damaged or unreadable: run its dataset again.") from error
        raise QueryError(" ".join(filter(None, (_one_line(str(error)), unknown_column(str(error)))))) from error


def _answer(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, timeout_s: float) -> pa.Table:
    # A WITH may hold an INSERT or DELETE: in a read-only transaction it fails.
    connection.execute("BEGIN TRANSACTION READ ONLY")
    timer = threading.Timer(timeout_s, connection.interrupt)
    timer.start()
    try:
        return readable(connection.sql(statement).to_arrow_table())
    finally:
        timer.cancel()


def _single_question(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the one statement that only asks.

    Raises
    ------
    QueryError
        If there are none, several, or one that does something else.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(_ONE)
    statement = statements[0]
    kind = statement.type
    if kind == duckdb.StatementType.EXPLAIN:
        # EXPLAIN ANALYZE runs what it explains, so that must be a question too.
        explained = connection.extract_statements(_EXPLAIN.sub("", statement.query, count=1))
        kind = explained[0].type if len(explained) == 1 else duckdb.StatementType.INVALID
    if kind != duckdb.StatementType.SELECT:
        raise QueryError(f"{kind.name} is not allowed, only reading is. {_ONE}")
    return statement


def _one_line(message: str) -> str:
    """DuckDB's message on one line: without its kind and its drawing of the place, with its candidates."""
    said = message.split("\n\nLINE ")[0].split("\tCandidate functions:")[0]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", " ".join(lines) or "The query failed.")
    unknown = re.match(r"Table with name .+? does not exist!", text)
    if unknown and not any(f'"{name}"' in text for name in (*TABLES, "wide")):  # it also guesses at DuckDB's own
        return f"{unknown.group()} There are {', '.join(TABLES)}, wide."
    return text if text.endswith((".", "!", "?")) else f"{text}."
