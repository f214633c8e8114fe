"""What a run leaves in Prefect's UI: a bar while it goes on, and a table of sessions with status and reason.

Only on a server: behind a plain `cueflow run` nobody looks. Session ids are shown, subject ids are not.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.settings import get_current_settings

from cueflow.flows.planning.why import Why
from cueflow.flows.serving.pages import PAGES_URL
from cueflow.flows.showing.pages import write_pages
from cueflow.flows.summary import RunSummary

_ROWS = 2_000  # an artifact is a value in a database, not a place for a cohort
_EVERY_S = 2.0
_PAGES = 200


def on_server() -> bool:
    """Whether there is a server that somebody may look at."""
    return get_current_settings().api.url is not None


class Bar:
    """Share of the sessions that are done, as an artifact.

    Parameters
    ----------
    total : int
        Sessions to process.
    """

    def __init__(self, total: int) -> None:
        self._total, self._done, self._told = total, 0, time.monotonic()
        self._id: UUID | None = None
        if total and on_server():
            made = create_progress_artifact(progress=0.0, key="progress", description=f"0 of {total} sessions")
            self._id = cast("UUID", made)

    def step(self) -> None:
        """One more session is done; the server is told at most every two seconds, and at the end."""
        self._done += 1
        now = time.monotonic()
        if self._id is None or (self._done < self._total and now - self._told < _EVERY_S):
            return
        self._told = now
        said = f"{self._done} of {self._total} sessions"
        update_progress_artifact(self._id, progress=100 * self._done / self._total, description=said)


def tell_done(summary: RunSummary, why: Mapping[str, Why]) -> None:
    """Write the table of a run's sessions.

    Parameters
    ----------
    summary : RunSummary
        The run.
    why : mapping
        Session id to why it ran.
    """
    if not on_server():
        return
    rows = [
        {
            "session": done.session_id,
            "status": done.status,
            "reason": str(done.reason or ""),
            "message": done.message,
            "ran because": why[done.session_id].reason,
            "computed": ", ".join(why[done.session_id].stages) or "nothing: all from the cache",
            "seconds": round(done.seconds, 1),
        }
        for done in summary.sessions
    ]
    _table("sessions", rows, said=f"{summary.line}. `cueflow report` makes the pages of these sessions.")


def tell_planned(found: Sequence[Why], *, force: bool) -> None:
    """Write the table of what a run would do.

    Parameters
    ----------
    found : sequence of Why
        The sessions chosen.
    force : bool
        Whether they would be computed again in any case.
    """
    rows = [
        {
            "session": why.session_id,
            "status now": why.status or "not in the tables",
            "would run": why.state != "unchanged",
            "stages": ", ".join(why.stages),
            "because": why.reason or "nothing changed",
        }
        for why in found
    ]
    running = sum(why.state != "unchanged" for why in found)
    said = f"Dry run: {running} of the {len(found)} chosen sessions would run; nothing was written."
    if running < len(found) and not force:
        said += " Tick force to compute the others again too."
    _table("plan", rows, said=said)


def tell_pages(tables: Path, out: Path, sessions: Sequence[str]) -> None:
    """Write the cohort's page and those of the sessions that ran, and link to them.

    Parameters
    ----------
    tables : Path
        TABLES.
    out : Path
        Folder for the pages.
    sessions : sequence of str
        Those that ran; of more than two hundred the last ones.
    """
    written = write_pages(tables, out, only=sessions[-_PAGES:])
    address = os.environ.get(PAGES_URL, "").rstrip("/")
    if not (address and on_server()):
        return
    links = [f"- [{_escaped(page.stem)}]({address}/{quote(page.name)})" for page in written]
    create_markdown_artifact(
        "\n".join(["Sign in as here.", "", *links]), key="report", description="Pages of this run."
    )


def tell_text(key: str, text: str) -> None:
    """Write a few lines in Markdown."""
    if on_server():
        create_markdown_artifact(text, key=key)


def _table(key: str, rows: list[dict[str, Any]], *, said: str) -> None:
    if len(rows) > _ROWS:
        said += f" The first {_ROWS} of {len(rows)} are listed; the tables have all."
    create_table_artifact(rows[:_ROWS], key=key, description=said)


def _escaped(name: str) -> str:
    """A name in Markdown, as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>-])", r"\\\1", name)
