"""Pages from tables: read the rows, render, write the files."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cueflow.schemas.errors import TablesError
from cueflow.storage.erasing.pages import remember_pages
from cueflow.storage.reading.queries import Tables, open_tables
from cueflow.storage.records.audit import record
from cueflow.storage.scan import collected
from cueflow.tasks.report.cohort import cohort_page
from cueflow.tasks.report.matrix import Matrix, make_matrix
from cueflow.tasks.report.session import session_page
from cueflow.tasks.report.text import page_names

if TYPE_CHECKING:
    import polars as pl

    from cueflow.tasks.report.pictures import Found


class Pictures(Protocol):
    """Who shows something of the recordings."""

    @property
    def dataset(self) -> str:
        """Name of the dataset whose sessions can be shown."""

    def of(self, session: Mapping[str, Any], events: pl.DataFrame) -> tuple[Found, ...]:
        """Pictures of a session, whose row of the `sessions` table and rows of the `events` table are given."""


_PARTS = ("biomarkers", "windows", "events", "predictions", "explanations")


def write_pages(
    tables: Path,
    out: Path,
    *,
    session: str | None = None,
    groups: Path | None = None,
    only: Collection[str] | None = None,
    pictures: Sequence[Pictures] = (),
) -> tuple[Path, ...]:
    """Write the page of one session, or the cohort page and a page for every session.

    Parameters
    ----------
    tables : Path
        What a run wrote.
    out : Path
        Folder for the pages; made if it is not there.
    session : str, optional
        Session id; None for all.
    groups : Path, optional
        CSV with subject_id and group, for the cohort's comparison of groups.
    only : collection of str, optional
        Beside the cohort page, pages of these sessions alone.
    pictures : sequence of Pictures, optional
        Show something of each session's recordings; nothing of them is shown without.

    Returns
    -------
    tuple of Path
        The page to open comes first.

    Raises
    ------
    TablesError
        If there is no such session, or none of the dataset that pictures come from.
    """
    opened = open_tables(tables)
    rows = opened.sessions.sort("session_id").collect()
    chosen = rows if session is None else rows.filter(session_id=session)
    if only is not None:
        chosen = chosen.filter(chosen["session_id"].is_in(list(only)))
    if chosen.is_empty() and not only:
        raise TablesError(
            f"no session {session!r} in these tables; `cueflow status` lists them"
            if session
            else "the tables are empty"
        )
    strange = {shows.dataset for shows in pictures} - set(chosen["dataset"].to_list())
    if strange:
        raise TablesError(f"no session here comes from a dataset called {min(strange)!r}: name it with --dataset-name")
    out.mkdir(parents=True, exist_ok=True)
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    names, biomarkers = page_names(rows["session_id"].to_list()), collected(opened.biomarkers)
    matrix, group_of = make_matrix(rows, biomarkers), _groups(groups)
    pages = [
        _write(out / names[row["session_id"]], _session(opened, row, matrix, stamp, pictures=pictures))
        for row in chosen.to_dicts()
    ]
    remember_pages(tables, out)
    record(tables, "report", pages=len(pages))
    if session is None:
        cohort = cohort_page(rows, biomarkers, groups=group_of, generated=stamp)
        pages.insert(0, _write(out / "index.html", cohort))
    return tuple(pages)


def _session(opened: Tables, row: dict[str, Any], matrix: Matrix, stamp: str, *, pictures: Sequence[Pictures]) -> str:
    tables = opened.of_session(row["session_id"], dataset=row["dataset"])
    parts = {name: collected(tables[name]) for name in _PARTS}
    shown = [found for shows in pictures for found in shows.of(row, parts["events"])]
    return session_page(session=row, cohort=matrix, generated=stamp, pictures=shown, **parts)


def _groups(path: Path | None) -> dict[str, str]:
    """Subject to group, from a CSV with these two columns.

    Raises
    ------
    TablesError
        If a column is missing.
    """
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        if not {"subject_id", "group"} <= set(table.fieldnames or ()):
            raise TablesError(f"{path.name}: needs the columns subject_id and group")
        return {row["subject_id"]: row["group"] for row in table if row["subject_id"] and row["group"]}


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
