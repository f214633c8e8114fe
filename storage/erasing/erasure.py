"""Erase a subject from the tables, prove that nothing is left, and note that it was done without saying for whom."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.atomic import disk_errors
from cueflow.storage.erasing.removal import finish_removal, remove_sessions
from cueflow.storage.erasing.traces import traces
from cueflow.storage.journal import roll_forward
from cueflow.storage.layout import session_dir, state_dir
from cueflow.storage.owner import is_tables, locked
from cueflow.storage.scan import collected, raw_scan


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased (or would be): rows by table, sessions, files, bytes, and where traces are left."""

    rows: Mapping[str, int]
    sessions: int
    files: int
    size: int
    traces: tuple[str, ...]
    dry_run: bool

    @property
    def sentence(self) -> str:
        """The erasure in one sentence."""
        what = f"{self.sessions} sessions, {sum(self.rows.values())} rows, {self.files} files"
        if self.dry_run:
            return f"Would erase {what}. Nothing was changed."
        if self.traces:
            return f"Erased {what}, but {len(self.traces)} files still name the subject: {', '.join(self.traces[:5])}."
        return f"Erased {what}. Every file that is left was searched: no trace of the subject or its sessions."


def forget(root: Path, subject_id: str, *, dry_run: bool = False) -> Erasure:
    """Erase a subject from every table, journal, cache, memo and log under TABLES.

    Recordings, and files that were exported elsewhere, are not touched. Readers stop seeing all of it before the first
    file goes; a killed erasure is finished by the next one, or the next run.

    Parameters
    ----------
    root : Path
        TABLES.
    subject_id : str
        The subject, in all datasets of the folder.
    dry_run : bool
        Only count.

    Returns
    -------
    Erasure
        With `traces` empty where the search afterwards found nothing.

    Raises
    ------
    TablesError
        If the folder holds no tables, nothing of the subject, or is being written.
    """
    if not is_tables(root):
        raise TablesError("This folder holds no cueflow tables: name the folder that `cueflow run` wrote.")
    if dry_run:
        return _measured(root, _sessions_of(root, subject_id), dry_run=True)
    with locked(root), disk_errors("erasing"):
        finish_removal(root)
        roll_forward(root)
        doomed = _sessions_of(root, subject_id)
        measured = _measured(root, doomed, dry_run=False)
        remove_sessions(root, doomed, subject_id=subject_id)
        left = traces(root, subject_id=subject_id, sessions=doomed)
        done = Erasure(measured.rows, measured.sessions, measured.files, measured.size, left, dry_run=False)
        _note(root, subject_id, done)
    return done


def _sessions_of(root: Path, subject_id: str) -> dict[str, list[str]]:
    """Sessions by dataset; also such as have lost their sessions row.

    Raises
    ------
    TablesError
        If there are none.
    """
    import polars as pl

    named = [name for name, columns in TABLES.items() if any(c.name == "subject_id" for c in columns)]
    frames = [raw_scan(root, t).filter(subject_id=subject_id).select("dataset", "session_id") for t in named]
    pairs = collected(pl.concat(frames).unique().sort("dataset", "session_id"))
    if pairs.is_empty():
        raise TablesError("These tables hold nothing of that subject: `cueflow status` lists who is there.")
    found: dict[str, list[str]] = {}
    for dataset, session_id in pairs.iter_rows():
        found.setdefault(dataset, []).append(session_id)
    return found


def _measured(root: Path, doomed: Mapping[str, list[str]], *, dry_run: bool) -> Erasure:
    rows = {table: sum(_count(root, table, d, ids) for d, ids in doomed.items()) for table in TABLES}
    pairs = [(d, s) for d, ids in doomed.items() for s in ids]
    files = [p for t in TABLES for d, s in pairs for p in session_dir(root, t, d, s).glob("*")]
    size = sum(p.stat().st_size for p in files)
    return Erasure(rows, len(pairs), len(files), size, (), dry_run=dry_run)


def _count(root: Path, table: str, dataset: str, session_ids: list[str]) -> int:
    import polars as pl

    rows = raw_scan(root, table, dataset=dataset).filter(pl.col("session_id").is_in(session_ids))
    return int(collected(rows.select(pl.len())).item())


def _note(root: Path, subject_id: str, done: Erasure) -> None:
    """Append to `erasures.jsonl`: with the salt, who knows the id can check it; who does not cannot list ids."""
    salt = secrets.token_hex(16)
    entry = {
        "erased_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "salt": salt,
        "subject_scrypt": hashlib.scrypt(subject_id.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex(),
        "sessions": done.sessions,
        "rows": dict(done.rows),
        "files": done.files,
        "bytes": done.size,
        "traces": len(done.traces),
    }
    with (state_dir(root) / "erasures.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())
