"""DuckDB over the tables: one view per table, filtered to the rows that count, and a wide one."""

# ruff: noqa: S608 - names come from the declared schemas, every other text goes through _quoted
from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.compaction.buckets import BUCKET, bucket_files
from cueflow.storage.layout import PART, encoded
from cueflow.storage.reading.wide import PREFERRED, wide_names
from cueflow.storage.scan import KEY, part_files

if TYPE_CHECKING:
    import polars as pl

_KEY = ", ".join(KEY)
# No settings may be changed after these; nothing outside the tables can be read, nothing is fetched or written.
_CLOSED = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def connect(root: Path, sessions: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with a view per table.

    Parameters
    ----------
    root : Path
        TABLES.
    sessions : polars.DataFrame
        From `storage.scan.placed_sessions`: what counts.

    Returns
    -------
    duckdb.DuckDBPyConnection
        With `sessions`, `biomarkers`, `windows`, `events`, `predictions`, `explanations` and `wide`.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")  # the footers of 64 files take longer than one session
    connection.execute("CREATE SCHEMA internal")
    connection.register("given", sessions.select(*KEY, BUCKET, _place(sessions["dataset"])).to_arrow())
    connection.execute(f"CREATE TABLE internal.loose AS SELECT {_KEY} FROM given WHERE {BUCKET} IS NULL")
    connection.execute(
        f"CREATE TABLE internal.moved AS SELECT session_id, run_id, place FROM given WHERE {BUCKET} IS NOT NULL"
    )
    connection.unregister("given")
    # Files of one layout have the same columns, and reading every file's schema first takes twice as long.
    same = sessions["layout"].null_count() == 0 and sessions["layout"].n_unique() <= 1
    for table in TABLES:
        _create_view(connection, root, table, union_by_name=not same)
    connection.execute(wide_view(wide_names(sessions)))
    return connection


def close_off(connection: duckdb.DuckDBPyConnection, root: Path, *, memory_limit: str) -> None:
    """Take every right from a connection but the one to read the tables.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        From `connect`.
    root : Path
        TABLES.
    memory_limit : str
        As DuckDB reads it, for example "2GB".
    """
    places = {str(root.resolve()), glob.escape(str(root.resolve()))}  # the pattern is checked as well as the file
    folders = ", ".join(_quoted(f"{place}/{table}/") for place in sorted(places) for table in TABLES)
    connection.execute(f"SET memory_limit = {_quoted(memory_limit)}")
    connection.execute(f"SET allowed_directories = [{folders}]")
    for statement in _CLOSED:
        connection.execute(statement)


def wide_view(names: Sequence[str]) -> str:
    """Statement that makes the view `wide`: one row per session and one column per biomarker (which has one statistic).

    Parameters
    ----------
    names : sequence of str
        The biomarkers: from `storage.reading.wide.wide_names`.

    Returns
    -------
    str
        SQL. Only values of patients over whole sessions with status ok are taken; where a session has several, the one
        with the largest coverage, of equal ones the one with the most evidence.
    """
    wanted = "status = 'ok' AND value IS NOT NULL AND phase = 'session' AND role = 'patient'"
    return (
        "CREATE VIEW wide AS\n"
        "SELECT s.dataset, s.session_id, s.subject_id, s.visit, v.* EXCLUDE (dataset, session_id)\n"
        "FROM sessions s LEFT JOIN (\n"
        "  SELECT * FROM (\n"
        f"    SELECT dataset, session_id, biomarker, arg_max(value, ({', '.join(PREFERRED)})) AS value\n"
        f"    FROM biomarkers WHERE {wanted} GROUP BY dataset, session_id, biomarker\n"
        f"  ) PIVOT (first(value) FOR biomarker IN ({', '.join(map(_quoted, names))}))\n"
        ") v ON v.dataset = s.dataset AND v.session_id = s.session_id"
    )


def _create_view(connection: duckdb.DuckDBPyConnection, root: Path, table: str, *, union_by_name: bool) -> None:
    connection.register("given", arrow_schema(table).empty_table())
    connection.execute(f"CREATE TABLE internal.{table} AS SELECT *, NULL::VARCHAR AS dataset FROM given")
    connection.unregister("given")
    columns = ", ".join([*arrow_schema(table).names, "dataset"])
    rows = [f"SELECT {columns} FROM internal.{table}"]
    if part_files(root, table):
        # The id is taken from the path, so that a question about one session opens one file.
        own = "* EXCLUDE (session, session_id), session AS session_id"
        read = _read(root, f"{table}/dataset=*/session=*/{PART}", ("dataset", "session"), union_by_name=union_by_name)
        rows.append(f"SELECT {own} FROM {read} SEMI JOIN internal.loose USING ({_KEY})")
    if bucket_files(root, table):
        # With the name of the file in the join, a question about one session opens no other file.
        read = _read(root, f"{table}/dataset=*/bucket=*.parquet", ("dataset",), union_by_name=union_by_name)
        folder = _quoted(f"{root.resolve()}/{table}/")
        counts = f"(SELECT session_id, run_id, {folder} || place AS filename FROM internal.moved)"
        own = f"* EXCLUDE ({BUCKET}, filename)"
        rows.append(f"SELECT {own} FROM {read} JOIN {counts} USING (session_id, run_id, filename)")
    connection.execute(f"CREATE VIEW {table} AS SELECT {columns} FROM ({' UNION ALL BY NAME '.join(rows)})")


def _place(datasets: pl.Series) -> pl.Expr:
    """Where a session's rows lie inside of a table: the file of its bucket."""
    import polars as pl

    folder = pl.col("dataset").replace_strict({name: encoded(name) for name in datasets.unique()}, default="")
    number = pl.col(BUCKET).cast(pl.String).str.zfill(2)
    return pl.format("dataset={}/bucket={}.parquet", folder, number).alias("place")


def _read(root: Path, pattern: str, partitions: tuple[str, ...], *, union_by_name: bool) -> str:
    types = ", ".join(f"'{name}': VARCHAR" for name in partitions)
    options = f"hive_partitioning = true, hive_types = {{{types}}}, union_by_name = {str(union_by_name).lower()}"
    options += ", filename = true" if len(partitions) == 1 else ""
    return f"read_parquet({_quoted(f'{glob.escape(str(root.resolve()))}/{pattern}')}, {options})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
