"""Compaction: whole sessions move from their own small files into buckets, without a reader noticing.

For each bucket: new files of all tables are written under hidden names, then put in place, `sessions` last: from then
on the bucket's copy of the moved sessions counts (see `scan`), and before it their own files do. Those are removed at
the end, when nobody reads, and `sessions` last again. Killed at any act, the next compaction begins from what it finds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import layout
from cueflow.storage.atomic import disk_errors, sync_dir
from cueflow.storage.compaction.buckets import (
    BUCKET,
    bucket_of,
    bucket_path,
    drop_staged,
    read_part,
    read_pieces,
    staged_path,
    write_bucket,
)
from cueflow.storage.erasing.removal import finish_removal
from cueflow.storage.journal import roll_forward
from cueflow.storage.layout import ORDER, PART, encoded, part_path
from cueflow.storage.owner import is_tables, locked
from cueflow.storage.readers import nobody_reads
from cueflow.storage.reading.verify import replaced_buckets
from cueflow.storage.scan import placed_sessions

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_SLICE_S = 0.5  # readers are kept waiting for no longer than about this


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was moved, and how many old files were removed or must wait because somebody reads."""

    sessions: int
    buckets: int
    removed: int
    waiting: int

    @property
    def sentence(self) -> str:
        """The compaction in one sentence."""
        moved = f"Moved {self.sessions} sessions into {self.buckets} buckets" if self.sessions else "Nothing to move"
        if self.waiting:
            return (
                f"{moved}; {self.waiting} old files are still being read: run `cueflow maintain` again "
                "when the programs that opened the tables have ended."
            )
        return f"{moved}; removed {self.removed} old files." if self.removed else f"{moved}."


def compact(root: Path, *, wait_s: float = 10.0) -> Compaction:
    """Move every session that has its own files into the bucket of its dataset and id.

    Parameters
    ----------
    root : Path
        TABLES.
    wait_s : float
        How long to wait for readers before the old files are removed, in s.

    Returns
    -------
    Compaction

    Raises
    ------
    TablesError
        If the folder holds no tables, is being written, or a file is damaged; without space left a `DiskFullError`.
        What was not moved yet stays as it was.
    """
    if not is_tables(root):
        raise TablesError("This folder holds no cueflow tables: name the folder that `cueflow run` wrote.")
    with locked(root), disk_errors("compacting the tables"):
        finish_removal(root)
        roll_forward(root)
        drop_staged(root)
        moved = buckets = 0
        try:
            placed = placed_sessions(root, without=replaced_buckets(root))
            for (dataset, bucket), chosen in _buckets_to_write(placed):
                _write(root, dataset, bucket, sessions=chosen)
                moved += chosen[BUCKET].null_count()
                buckets += 1
        finally:
            drop_staged(root)
        removed, waiting = _remove_old(root, placed_sessions(root), wait_s=wait_s)
    return Compaction(moved, buckets, removed, waiting)


def _buckets_to_write(sessions: pl.DataFrame) -> Iterator[tuple[tuple[str, int], pl.DataFrame]]:
    """Dataset, bucket and all its sessions: buckets that a session must move to, or that have an older layout."""
    import polars as pl

    home = pl.Series("home", [bucket_of(s) for s in sessions["session_id"]], pl.Int32)
    placed = sessions.select("dataset", "session_id", "run_id", BUCKET, "layout").with_columns(home)
    for (dataset, bucket), chosen in placed.group_by("dataset", "home", maintain_order=True):
        older = chosen.filter(pl.col("layout").ne_missing(layout()))
        if chosen[BUCKET].null_count() or older.height:
            yield (str(dataset), int(str(bucket))), chosen


def _write(root: Path, dataset: str, bucket: int, *, sessions: pl.DataFrame) -> None:
    with _named_damage():
        for table in ORDER:
            path = bucket_path(root, table, dataset, bucket)
            own = _own_files(root, table, dataset, sessions)
            if own or path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bucket(staged_path(path), table, _rows(path, table, own, sessions), bucket=bucket)
    for table in ORDER:
        path = bucket_path(root, table, dataset, bucket)
        if staged_path(path).exists():
            staged_path(path).replace(path)
            sync_dir(path.parent)


def _own_files(root: Path, table: str, dataset: str, sessions: pl.DataFrame) -> Mapping[Path, str]:
    """Files of the sessions that must move, with the run whose rows count."""
    moving = sessions.filter(sessions[BUCKET].is_null()).select("session_id", "run_id")
    paths = {part_path(root, table, dataset, session): run for session, run in moving.iter_rows()}
    return {path: run for path, run in paths.items() if path.exists()}


def _rows(path: Path, table: str, own: Mapping[Path, str], sessions: pl.DataFrame) -> Iterator[pa.Table]:
    import pyarrow.compute as pc

    stay = sessions.filter(sessions[BUCKET].is_not_null()).select("session_id", "run_id")
    if path.exists() and stay.height:
        for piece in read_pieces(path, table):
            yield _of_runs(piece, stay)
    for part, run in own.items():
        rows = read_part(part, table)
        yield rows.filter(pc.equal(rows["run_id"], run))


def _of_runs(rows: pa.Table, sessions: pl.DataFrame) -> pa.Table:
    """Rows of the runs that count: those of sessions that were processed again, or erased, stay behind."""
    import polars as pl

    keys = pl.DataFrame({k: rows[k].cast("string") for k in ("session_id", "run_id")}).with_row_index()
    kept = keys.join(sessions, on=["session_id", "run_id"], how="semi").sort("index")
    return rows if kept.height == rows.num_rows else rows.take(kept["index"].to_arrow())


def _remove_old(root: Path, sessions: pl.DataFrame, *, wait_s: float) -> tuple[int, int]:
    """Remove files of sessions whose bucket counts; returns how many went, and how many wait."""
    old = list(_old_files(root, sessions))
    done = 0
    while done < len(old):
        with nobody_reads(root, wait_s=wait_s) as alone:
            if not alone:
                break
            until = time.monotonic() + _SLICE_S
            while done < len(old) and time.monotonic() < until:
                old[done].unlink(missing_ok=True)
                _remove_empty(old[done].parent)
                done += 1
    return done, len(old) - done


def _old_files(root: Path, sessions: pl.DataFrame) -> Iterable[Path]:
    moved = sessions.filter(sessions[BUCKET].is_not_null()).select("dataset", "session_id")
    names = set(moved.iter_rows())
    for table in ORDER:  # what was begun can only be told from the sessions files: they go last
        for dataset in sorted({dataset for dataset, _ in names}):
            for folder in sorted((root / table / f"dataset={encoded(dataset)}").glob("session=*")):
                moved_away = (dataset, unquote(folder.name.removeprefix("session="))) in names
                if moved_away and ((folder / PART).exists() or not any(folder.iterdir())):
                    yield folder / PART


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # something else lies there: it is not ours to remove
        return


@contextmanager
def _named_damage() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise TablesError("A file of the tables is damaged or unreadable: run its dataset again.") from error
