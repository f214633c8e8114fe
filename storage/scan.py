"""Tables as lazy frames over both layouts: a session's own files, and the buckets that `cueflow maintain` makes.

A session may lie in both while it is moved, or after it was processed again. One copy counts: its own files, unless
the bucket holds the same writing of it (same run, same end), for then they are only waiting to be removed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import SCHEMA_VERSION, TABLES, arrow_schema
from cueflow.storage.compaction.buckets import BUCKET, bucket_files, bucket_path
from cueflow.storage.layout import PART, encoded, part_path
from cueflow.storage.owner import is_tables

if TYPE_CHECKING:
    import polars as pl

KEY = ("dataset", "session_id", "run_id")
_SAME = (*KEY, "finished_utc")
PLACED = (*_SAME, "cueflow_version", "schema_version", "layout", "row_counts", "own_biomarkers")
_FEW = 64  # sessions whose files are named one by one


def raw_scan(root: Path, table: str, *, dataset: str | None = None) -> pl.LazyFrame:
    """One table, lazily, as it lies in the files: also rows that do not count (see `visible`).

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
        is not there is a `TablesError`.
    """
    import polars as pl

    _check(root, table)
    return pl.concat([_parts(root, table, dataset), _buckets(root, table, dataset).drop(BUCKET)])


def visible(
    root: Path,
    table: str,
    sessions: pl.DataFrame,
    *,
    dataset: str | None = None,
    without: frozenset[Path] = frozenset(),
) -> pl.LazyFrame:
    """One table, lazily: only rows that count.

    Of a few sessions only their own files, or their buckets, are opened.

    Parameters
    ----------
    root : Path
        TABLES.
    table : str
        A key of `schemas.tables.TABLES`.
    sessions : polars.DataFrame
        From `placed_sessions`.
    dataset : str, optional
        Only this dataset.
    without : frozenset of Path, optional
        Files that are not opened, since they are damaged.

    Returns
    -------
    polars.LazyFrame
        The declared columns and `dataset`. An unknown table is a `TablesError`.
    """
    import polars as pl

    _check(root, table)
    loose = sessions.filter(pl.col(BUCKET).is_null()).select(KEY)
    moved = sessions.filter(pl.col(BUCKET).is_not_null()).select(*KEY, BUCKET)
    own = _parts(root, table, dataset, loose, without=without).join(loose.lazy(), on=list(KEY), how="semi")
    if moved.is_empty():
        return own
    shared = (
        _buckets(root, table, dataset, moved, without=without).drop(BUCKET).join(moved.lazy(), on=list(KEY), how="semi")
    )
    if loose.is_empty():
        return shared
    return pl.concat([own, shared])


def placed_sessions(root: Path, *, dataset: str | None = None, without: frozenset[Path] = frozenset()) -> pl.DataFrame:
    """Sessions that count, and where their rows lie.

    Only what that takes is read; `visible(root, "sessions", …)` has the other columns.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset : str, optional
        Only this dataset.
    without : frozenset of Path, optional
        Files that are not opened, since they are damaged.

    Returns
    -------
    polars.DataFrame
        The columns of `PLACED`, and `bucket`: null where the session has its own files.

    Raises
    ------
    TablesError
        If there are no tables, a file is damaged, or a newer version wrote them.
    """
    import polars as pl

    _check(root, "sessions")
    own = collected(_parts(root, "sessions", dataset, without=without).select(PLACED))
    shared = collected(_buckets(root, "sessions", dataset, without=without).select(*PLACED, BUCKET))
    if own.is_empty():
        sessions = shared
    else:
        loose = own.join(shared.select(_SAME), on=list(_SAME), how="anti", nulls_equal=True)
        moved = shared.join(loose.select(KEY[:2]), on=list(KEY[:2]), how="anti")
        sessions = pl.concat([loose.with_columns(pl.lit(None, pl.Int32).alias(BUCKET)), moved])
    newest = sessions["schema_version"].max()
    if isinstance(newest, int) and newest > SCHEMA_VERSION:
        message = (
            f"These tables have layout {newest}, this cueflow reads up to {SCHEMA_VERSION}: install a newer cueflow."
        )
        raise TablesError(message)
    return sessions.sort("dataset", "session_id")


def part_files(root: Path, table: str, *, dataset: str | None = None) -> list[Path]:
    """All files of a table that hold one session, in order of dataset and session."""
    which = "dataset=*" if dataset is None else f"dataset={encoded(dataset)}"
    return sorted((root / table).glob(f"{which}/session=*/{PART}"))


def collected(frame: pl.LazyFrame) -> pl.DataFrame:
    """Read a lazy frame of the tables.

    Parameters
    ----------
    frame : polars.LazyFrame
        From `raw_scan` or `visible`.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    TablesError
        If a file is damaged or cannot be read.
    """
    import polars as pl

    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise TablesError("A file of the tables is damaged or unreadable: run its dataset again.") from error


def _check(root: Path, table: str) -> None:
    if table not in TABLES:
        raise TablesError(f"There is no table {table!r}: the tables are {', '.join(TABLES)}.")
    if not is_tables(root):
        raise TablesError("This folder holds no cueflow tables: name the folder that `cueflow run` wrote.")


def _parts(
    root: Path,
    table: str,
    dataset: str | None,
    of: pl.DataFrame | None = None,
    *,
    without: frozenset[Path] = frozenset(),
) -> pl.LazyFrame:
    import polars as pl

    schema = _schema(table)
    if of is not None and of.height <= _FEW:
        named = sorted({part_path(root, table, d, session) for d, session in of.select(KEY[:2]).iter_rows()})
        files = [path for path in named if path.exists() and path not in without]
    else:
        files = [p for p in part_files(root, table, dataset=dataset) if p not in without]
    if not files:
        return pl.LazyFrame(schema={**schema, "dataset": pl.String})
    rows = pl.scan_parquet(
        files,
        glob=False,
        schema=schema,
        hive_schema={"dataset": pl.String, "session": pl.String},
        missing_columns="insert",
        extra_columns="ignore",
    )
    # The id is taken from the path, so that a question about one session opens one file.
    return rows.drop("session_id").rename({"session": "session_id"}).select(*schema, "dataset")


def _buckets(
    root: Path,
    table: str,
    dataset: str | None,
    of: pl.DataFrame | None = None,
    *,
    without: frozenset[Path] = frozenset(),
) -> pl.LazyFrame:
    import polars as pl

    schema = {**_schema(table), BUCKET: pl.Int32()}
    files = [path for path in bucket_files(root, table, dataset=dataset) if path not in without]
    if of is not None:
        homes = {bucket_path(root, table, d, bucket) for d, bucket in of.select("dataset", BUCKET).unique().iter_rows()}
        files = [path for path in files if path in homes]
    if not files:
        return pl.LazyFrame(schema={**_schema(table), "dataset": pl.String, BUCKET: pl.Int32})
    rows = pl.scan_parquet(
        files,
        glob=False,
        schema=schema,
        hive_schema={"dataset": pl.String},
        missing_columns="insert",
        extra_columns="ignore",
    )
    return rows.select(*_schema(table), "dataset", BUCKET)


def _schema(table: str) -> dict[str, pl.DataType]:
    import polars as pl

    empty = pl.from_arrow(arrow_schema(table).empty_table())
    return dict(empty.schema)  # type: ignore[union-attr]
