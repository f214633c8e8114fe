"""Pages from tables: read the rows, render, write the files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cueflow.schemas.errors import TablesError
from cueflow.storage.erasing.pages import remember_pages
from cueflow.storage.reading.queries import Tables, open_tables
from cueflow.storage.records.audit import record
from cueflow.storage.scan import collected
from cueflow.tasks.report.cohort import cohort_page
from cueflow.tasks.report.session import session_page
from cueflow.tasks.report.text import page_name

_PARTS = ("biomarkers", "windows", "events", "predictions", "explanations")


def write_pages(tables: Path, out: Path, *, session: str | None = None) -> tuple[Path, ...]:
    """Write the page of one session, or the cohort page and a page for every session.

    Parameters
    ----------
    tables : Path
        What a run wrote.
    out : Path
        Folder for the pages; made if it is not there.
    session : str, optional
        Session id; None for all.

    Returns
    -------
    tuple of Path
        The page to open comes first.

    Raises
    ------
    TablesError
        If there is no such session.
    """
    opened = open_tables(tables)
    rows = opened.sessions.sort("session_id").collect()
    chosen = rows if session is None else rows.filter(session_id=session)
    if chosen.is_empty():
        raise TablesError(
            f"no session {session!r} in these tables; `cueflow status` lists them"
            if session
            else "the tables are empty"
        )
    out.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    pages = [_write(out / page_name(row["session_id"]), _session(opened, row, stamp)) for row in chosen.to_dicts()]
    remember_pages(tables, out)
    record(tables, "report", pages=len(pages))
    if session is None:
        cohort = cohort_page(rows, collected(opened.biomarkers), generated=stamp)
        pages.insert(0, _write(out / "index.html", cohort))
    return tuple(pages)


def _session(opened: Tables, row: dict[str, object], stamp: str) -> str:
    parts = {name: collected(opened[name].filter(session_id=row["session_id"])) for name in _PARTS}
    return session_page(session=row, generated=stamp, **parts)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
