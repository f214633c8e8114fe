"""Erasure as a whole: Prefect's own database first, then the tables, so that a killed one can be asked for again."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import TablesError
from cueflow.storage.erasing.erasure import Also, Erasure, expire, forget, sessions_of, too_old
from cueflow.storage.erasing.removal import pattern_of


def forget_subject(tables: Path, subject_id: str, *, dry_run: bool = False, pages: tuple[Path, ...] = ()) -> Erasure:
    """Erase a subject from the tables, their pages and Prefect's records on this machine.

    Parameters
    ----------
    tables : Path
        TABLES.
    subject_id : str
        The subject.
    dry_run : bool
        Only count.
    pages : tuple of Path
        Folders of pages besides those that are known.

    Returns
    -------
    Erasure
    """
    elsewhere: dict[str, Any] = {}
    if not dry_run:
        try:
            found = sessions_of(tables, subject_id)
        except TablesError:  # a killed erasure may have got this far: `forget` says so, or certifies it
            found = {}
        elsewhere = scrub_prefect([subject_id, *(s for ids in found.values() for s in ids)])
    return forget(tables, subject_id, dry_run=dry_run, also=Also(pages, elsewhere))


def expire_sessions(tables: Path, *, days: float, dry_run: bool = False, pages: tuple[Path, ...] = ()) -> Erasure:
    """Erase sessions by age from the tables, their pages and Prefect's records on this machine.

    Parameters
    ----------
    tables : Path
        TABLES.
    days : float
        Age from which sessions go.
    dry_run : bool
        Only count.
    pages : tuple of Path
        Folders of pages besides those that are known.

    Returns
    -------
    Erasure
    """
    elsewhere: dict[str, Any] = {}
    if not dry_run:
        try:
            ids = too_old(tables, days=days).ids
        except TablesError:  # as above
            ids = []
        elsewhere = scrub_prefect(ids) if ids else {}
    return expire(tables, days=days, dry_run=dry_run, also=Also(pages, elsewhere))


def scrub_prefect(ids: list[str], home: Path | None = None) -> dict[str, Any]:
    """Remove every record that names somebody from Prefect's database on this machine, and search its other files.

    Parameters
    ----------
    ids : list of str
        Subject and session ids.
    home : Path, optional
        Prefect's folder; default: PREFECT_HOME, or `~/.prefect`.

    Returns
    -------
    dict
        `prefect_records`: how many were removed; `prefect_files_left`: how many files still name somebody;
        `prefect_database`: what was searched. A server with a database elsewhere is not reached, and that is said.

    Raises
    ------
    TablesError
        If the database is in use or cannot be written.
    """
    home = home or Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    elsewhere = os.environ.get("PREFECT_API_DATABASE_CONNECTION_URL") or os.environ.get(
        "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    )
    named = re.compile(pattern_of(ids))
    path, removed = home / "prefect.db", 0
    if path.is_file():
        try:
            removed = _scrub_database(path, named)
        except sqlite3.Error as error:
            raise TablesError(
                f"Prefect's database cannot be cleaned ({error}): stop its server and try again."
            ) from error
    raw = re.compile(named.pattern.encode())
    left = [p for p in sorted(home.rglob("*")) if p.is_file() and p != path and raw.search(p.read_bytes())]
    return {
        "prefect_records": removed,
        "prefect_files_left": len(left),
        "prefect_database": "another server's: not searched" if elsewhere else "on this machine",
    }


def _scrub_database(path: Path, named: re.Pattern[str]) -> int:
    removed = 0
    with closing(sqlite3.connect(path, timeout=30)) as database:
        database.create_function("names_somebody", 1, lambda text: _names(named, text), deterministic=True)
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (table,) in tables.fetchall():
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            if table == "alembic_version" or not columns:
                continue
            anywhere = " OR ".join(f'names_somebody("{column}")' for column in columns)
            removed += database.execute(f'DELETE FROM "{table}" WHERE {anywhere}').rowcount  # noqa: S608 - names are sqlite's own
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("VACUUM")  # deleted rows stay in free pages otherwise
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def _names(named: re.Pattern[str], text: object) -> bool:
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    return isinstance(text, str) and named.search(text) is not None
