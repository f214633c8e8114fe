"""Where things lie under TABLES: one folder per table, dataset and session, and `.cueflow` for what is ours alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from cueflow.schemas.tables import TABLES

PART = "part.parquet"
# Written in this order; `sessions` is what makes the rest visible, so it is last.
ORDER: tuple[str, ...] = (*(name for name in TABLES if name != "sessions"), "sessions")


def state_dir(root: Path) -> Path:
    """Folder of locks, journals, caches and memos."""
    return root / ".cueflow"


def worker_log(root: Path) -> Path:
    """File that takes what worker processes print."""
    return state_dir(root) / "workers.log"


def session_dir(root: Path, table: str, dataset: str, session_id: str) -> Path:
    """Folder of one session's rows of one table; odd characters are percent-encoded, as Hive partitions have it."""
    return root / table / f"dataset={encoded(dataset)}" / f"session={encoded(session_id)}"


def part_path(root: Path, table: str, dataset: str, session_id: str) -> Path:
    """The file of one session's rows of one table."""
    return session_dir(root, table, dataset, session_id) / PART


def commits_dir(root: Path, dataset: str) -> Path:
    """Folder of the journals of commits that are under way."""
    return state_dir(root) / "commits" / encoded(dataset)


def encoded(name: str) -> str:
    """A name as it may stand in a path."""
    return quote(name, safe=" ")


def written_sessions(root: Path, dataset: str) -> Iterator[str]:
    """Ids of the sessions that have a sessions file, without reading any."""
    folder = root / "sessions" / f"dataset={encoded(dataset)}"
    for path in folder.glob(f"session=*/{PART}"):
        yield unquote(path.parent.name.removeprefix("session="))


def written_datasets(root: Path) -> Iterator[str]:
    """Names of the datasets that have a folder in the sessions table."""
    for path in (root / "sessions").glob("dataset=*"):
        yield unquote(path.name.removeprefix("dataset="))
