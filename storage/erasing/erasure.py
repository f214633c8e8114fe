"""Erase a subject, or what is too old, from the tables; prove it; certify it without saying for whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cueflow import __version__
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.atomic import disk_errors, replace_bytes
from cueflow.storage.erasing.pages import pages_that_name
from cueflow.storage.erasing.removal import finish_removal, remove_sessions
from cueflow.storage.erasing.traces import traces
from cueflow.storage.journal import roll_forward
from cueflow.storage.layout import session_dir
from cueflow.storage.owner import is_tables, locked
from cueflow.storage.records.audit import record
from cueflow.storage.records.certificate import certificates_dir, is_about, new_salt, salted, sign
from cueflow.storage.records.trained import models_of
from cueflow.storage.scan import collected, placed_sessions, raw_scan

_BY_AGE = "erasure of sessions by age"


@dataclass(frozen=True, slots=True)
class Doomed:
    """Sessions that leave, by dataset, and the subjects of whom nothing stays."""

    sessions: Mapping[str, list[str]]
    subjects: tuple[str, ...]
    by_age: bool = False

    @property
    def ids(self) -> list[str]:
        """All ids that must not be found afterwards."""
        return [*self.subjects, *(s for ids in self.sessions.values() for s in ids)]


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased (or would be): rows by table, sessions, files, bytes, pages, and where traces are left.

    `models` are the hashes of the models that were trained with the subject and must be trained again; `searched` is
    False where an earlier erasure was killed when the ids were gone already, so that nothing could be searched for.
    """

    rows: Mapping[str, int]
    sessions: int
    files: int
    size: int
    pages: int
    models: tuple[str, ...]
    traces: tuple[str, ...]
    dry_run: bool
    certificate: Path | None = None
    searched: bool = True

    @property
    def sentence(self) -> str:
        """The erasure in one sentence."""
        what = f"{self.sessions} sessions, {sum(self.rows.values())} rows, {self.files} files, {self.pages} pages"
        if self.dry_run:
            return f"Would erase {what}. Nothing was changed."
        if self.traces:
            return f"Erased {what}, but {len(self.traces)} files still name the subject: {', '.join(self.traces[:5])}."
        if not self.searched:
            return f"Erased {what}, by a run that was killed before it could search for what is left."
        return f"Erased {what}. Every file that is left was searched: no trace of the subject or its sessions."


@dataclass(frozen=True, slots=True)
class Also:
    """What else an erasure touches: folders of pages, and what was done outside of the tables, for the certificate."""

    pages: Sequence[Path] = ()
    elsewhere: Mapping[str, Any] = field(default_factory=dict)


def forget(root: Path, subject_id: str, *, dry_run: bool = False, also: Also | None = None) -> Erasure:
    """Erase a subject from every table, journal, cache, memo, log and page of TABLES.

    Recordings, and files that were exported elsewhere, are not touched. Readers stop seeing all of it before the first
    file goes; a killed erasure is finished by the next one, or the next run, and certified when it is asked for again.

    Parameters
    ----------
    root : Path
        TABLES.
    subject_id : str
        The subject, in all datasets of the folder.
    dry_run : bool
        Only count.
    also : Also, optional
        Folders of pages besides those that `cueflow report` noted, and facts for the certificate.

    Returns
    -------
    Erasure
        With `traces` empty where the search afterwards found nothing. If the folder holds no tables, nothing of the
        subject, or is being written, it is a `TablesError`.
    """
    _refuse_others(root)
    if dry_run:
        doomed = Doomed(sessions_of(root, subject_id), (subject_id,))
        return _measured(root, doomed, also or Also())
    with locked(root, erasing=True), disk_errors("erasing"):
        finish_removal(root)
        roll_forward(root)
        pending = _pending(root, subject_id)
        doomed = Doomed({} if pending else sessions_of(root, subject_id), (subject_id,))
        return _erase(root, doomed, also or Also(), pending=pending)


def expire(root: Path, *, days: float, dry_run: bool = False, also: Also | None = None) -> Erasure:
    """Erase all sessions whose tables were written longer ago than some days, in the way of `forget`.

    Parameters
    ----------
    root : Path
        TABLES.
    days : float
        Age from which sessions go, by `finished_utc`.
    dry_run : bool
        Only count.
    also : Also, optional
        As in `forget`.

    Returns
    -------
    Erasure

    Raises
    ------
    TablesError
        If there is nothing of that age.
    """
    _refuse_others(root)
    if dry_run:
        return _measured(root, too_old(root, days=days), also or Also())
    with locked(root, erasing=True), disk_errors("erasing"):
        finish_removal(root)
        roll_forward(root)
        try:
            doomed, pending = too_old(root, days=days), None
        except TablesError:
            doomed, pending = Doomed({}, (), by_age=True), _pending_by_age(root)
            if pending is None:
                raise
        return _erase(root, doomed, also or Also(), pending=pending)


def too_old(root: Path, *, days: float) -> Doomed:
    """Sessions whose tables were written longer ago than some days, and subjects of whom no younger ones are there.

    Parameters
    ----------
    root : Path
        TABLES.
    days : float
        Age from which sessions go, by `finished_utc`.

    Returns
    -------
    Doomed

    Raises
    ------
    TablesError
        If there are none.
    """
    import polars as pl

    until = datetime.now(UTC) - timedelta(days=days)
    old = placed_sessions(root).filter(pl.col("finished_utc") < until).select("dataset", "session_id")
    if old.is_empty():
        raise TablesError(f"No session is older than {days:g} days.")
    found: dict[str, list[str]] = {}
    for dataset, session_id in old.iter_rows():
        found.setdefault(dataset, []).append(session_id)
    who = collected(raw_scan(root, "sessions").select("dataset", "session_id", "subject_id").unique())
    stay = set(who.join(old, on=["dataset", "session_id"], how="anti")["subject_id"])
    return Doomed(found, tuple(sorted({s for s in who["subject_id"] if s is not None} - stay)), by_age=True)


def _refuse_others(root: Path) -> None:
    """Refuse a folder without tables.

    Raises
    ------
    TablesError
        If it holds none.
    """
    if not is_tables(root):
        raise TablesError("This folder holds no cueflow tables: name the folder that `cueflow run` wrote.")


def _erase(root: Path, doomed: Doomed, also: Also, *, pending: dict[str, Any] | None) -> Erasure:
    would = _measured(root, doomed, also)
    said = pending or _said(would, doomed)
    replace_bytes(_pending_path(root), json.dumps(said).encode())  # a killed erasure is certified by the next one
    for page in pages_that_name(root, doomed.ids, also.pages):
        page.unlink()
    remove_sessions(root, doomed.sessions, subjects=doomed.subjects)
    left = traces(root, subjects=doomed.subjects, sessions=doomed.sessions)
    said |= {"erased_utc": datetime.now(UTC).isoformat(timespec="seconds"), "traces": len(left), **also.elsewhere}
    head = record(root, "erasure", **{k: said[k] for k in ("sessions", "rows", "files", "pages", "models", "traces")})
    path = sign(root, said | {"audit_head": head})
    _pending_path(root).unlink()
    counts = {k: said[k] for k in ("rows", "sessions", "files", "pages")}
    known = {"size": said["bytes"], "models": tuple(said["models"]), "searched": bool(doomed.ids)}
    return Erasure(**counts, **known, traces=left, dry_run=False, certificate=path)


def _said(would: Erasure, doomed: Doomed) -> dict[str, Any]:
    """What the certificate says of what was there; who is only in a salted hash, where it is one person."""
    salt = new_salt()
    one = None if doomed.by_age else doomed.subjects[0]
    return {
        "what": "erasure of a subject" if one else _BY_AGE,
        "cueflow_version": __version__,
        "salt": salt,
        "subject_scrypt": salted(one, salt) if one else None,
        "sessions": would.sessions,
        "rows": dict(would.rows),
        "files": would.files,
        "bytes": would.size,
        "pages": would.pages,
        "models": list(would.models),
        "models_mean": "trained with the subject: train them again",
        "searched": "rows decoded, footers, caches decompressed, every other file byte by byte, all paths",
        "not_searched": "recordings, exports, pages in folders that nobody named, backups",
    }


def _pending_path(root: Path) -> Path:
    return certificates_dir(root) / "pending.json"


def _pending(root: Path, subject_id: str) -> dict[str, Any] | None:
    """What a killed erasure of this subject had counted, where its rows are gone but it was not certified."""
    said = _counted(root)
    try:
        sessions_of(root, subject_id)
    except TablesError:
        return said if said is not None and is_about(said, subject_id) else None
    return None


def _pending_by_age(root: Path) -> dict[str, Any] | None:
    """The same of an erasure by age. Whose rows they were is gone with them, so that nothing can be searched for."""
    said = _counted(root)
    if said is None or said.get("what") != _BY_AGE:
        return None
    return said | {"searched": "nothing: it was killed before the search, and the ids are gone with the rows"}


def _counted(root: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(_pending_path(root).read_bytes())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def sessions_of(root: Path, subject_id: str) -> dict[str, list[str]]:
    """Sessions of a subject by dataset; also such as have lost their sessions row.

    Parameters
    ----------
    root : Path
        TABLES.
    subject_id : str
        The subject.

    Returns
    -------
    dict

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


def _measured(root: Path, doomed: Doomed, also: Also) -> Erasure:
    rows = {table: sum(_count(root, table, d, ids) for d, ids in doomed.sessions.items()) for table in TABLES}
    pairs = [(d, s) for d, ids in doomed.sessions.items() for s in ids]
    files = [p for t in TABLES for d, s in pairs for p in session_dir(root, t, d, s).glob("*")]
    return Erasure(
        rows=rows,
        sessions=len(pairs),
        files=len(files),
        size=sum(p.stat().st_size for p in files),
        pages=len(pages_that_name(root, doomed.ids, also.pages)),
        models=tuple(models_of(root, doomed.subjects)),
        traces=(),
        dry_run=True,
    )


def _count(root: Path, table: str, dataset: str, session_ids: list[str]) -> int:
    import polars as pl

    rows = raw_scan(root, table, dataset=dataset).filter(pl.col("session_id").is_in(session_ids))
    return int(collected(rows.select(pl.len())).item())
