"""Why a session would run: what its rows were made from, against what is there now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from cueflow.flows.planning.plan import Plan, Request, SessionPlan, plan_run
from cueflow.schemas.errors import TablesError
from cueflow.schemas.session import Dataset
from cueflow.storage.fingerprints import HashMemo
from cueflow.storage.reading.lost import lost_sessions
from cueflow.storage.reading.verify import unreadable_files
from cueflow.storage.tables import read_sessions

_METHOD = frozenset({"method", "weights", "libraries"})
_DAMAGED_ROW: dict[str, object] = {
    "status": "damaged",
    "reason": None,
    "fingerprint": "",
    "depends_on": "",
    "finished_utc": None,
}
_WORDS = {
    "recordings": "other recordings",
    "phases": "other phases or exclusions",
    "config": "other configuration",
    "clock": "a clock to place",
    "method": "newer method",
    "weights": "other weights",
    "libraries": "other libraries",
    "packages": "another package that reads its files",
    "problems": "other problems in the manifest",
    "ids": "other subject or visit",
    "fusion": "other fusion model",
    "schema": "newer table layout",
    "places": "newer method of placing clocks",
}


@dataclass(frozen=True, slots=True)
class Why:
    """What a run would do with a session, and why.

    `state` is new, changed, forced or unchanged; `stages` would be computed, the others come from the cache; `reason`
    is one line for people; `outdated` says whether a method, its weights or libraries, or the layout moved on;
    `modalities` are those recorded; `processed` is the day its rows were written (UTC).
    """

    session_id: str
    subject_id: str
    visit: str
    status: str
    state: str
    stages: tuple[str, ...]
    reason: str
    outdated: bool
    modalities: tuple[str, ...] = ()
    processed: date | None = None


def explain_run(dataset: Dataset, request: Request) -> tuple[Why, ...]:
    """Say for each session of a dataset what a run would do with it; nothing is written.

    Parameters
    ----------
    dataset : Dataset
        The sessions asked about.
    request : Request
        Parameters of the run.

    Returns
    -------
    tuple of Why
        In the order of the dataset. A folder without tables counts as empty: everything is new.
    """
    rows = session_rows(request.tables, dataset.name)
    plan = plan_run(dataset, request, written=fingerprints(rows), file_hash=HashMemo(request.tables).sha256)
    return explain_plan(plan, rows)


def explain_plan(plan: Plan, rows: Mapping[str, Mapping[str, object]]) -> tuple[Why, ...]:
    """Say for each session of a plan why it is in it.

    Parameters
    ----------
    plan : Plan
        From `plan_run`.
    rows : mapping
        Session id to its row of the `sessions` table, where it has one.

    Returns
    -------
    tuple of Why
        Sessions to process first.
    """
    return tuple(_explain(p, rows.get(p.session.session_id)) for p in (*plan.todo, *plan.settled))


def session_rows(tables: Path, dataset: str) -> dict[str, dict[str, object]]:
    """Read what the tables say of a dataset's sessions.

    Parameters
    ----------
    tables : Path
        TABLES; a folder that is empty or not there has no rows.
    dataset : str
        Name of the dataset.

    Returns
    -------
    dict
        Session id to status, reason, fingerprint and depends_on. One of which a file is damaged or missing has no
        fingerprint, so that it is written again.

    Raises
    ------
    TablesError
        If the folder holds other files, or the tables are damaged.
    """
    damaged = unreadable_files(tables, dataset=dataset)
    try:
        frame = read_sessions(tables, dataset=dataset, without=frozenset(damaged))
    except TablesError:
        if tables.is_dir() and any(tables.iterdir()):
            raise
        return {}
    kept = frame.select("session_id", "status", "reason", "fingerprint", "depends_on", "finished_utc")
    rows = {str(row["session_id"]): row for row in kept.iter_rows(named=True)}
    again = (*(s for sessions in damaged.values() for s in sessions), *lost_sessions(tables, frame))
    return rows | dict.fromkeys(again, _DAMAGED_ROW)


def fingerprints(rows: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Session id to fingerprint, as `plan_run` wants it; empty where the next run must try again."""
    return {session: str(row["fingerprint"] or "") for session, row in rows.items()}


def _explain(plan: SessionPlan, row: Mapping[str, object] | None) -> Why:
    causes = {} if row is None else _causes(plan, row)
    finished = row["finished_utc"] if row else None
    moved = {cause for found in causes.values() for cause in found}
    return Why(
        session_id=plan.session.session_id,
        subject_id=plan.session.subject_id,
        visit=plan.session.visit,
        status=str(row["status"]) if row else "",
        state=plan.why,
        stages=tuple(str(job.group) for job in plan.jobs),
        reason=_sentence(plan, row, causes),
        outdated=bool(moved & (_METHOD | {"schema", "places"})),
        modalities=tuple(dict.fromkeys(str(stream.modality) for stream in plan.session.streams)),
        processed=finished.date() if isinstance(finished, datetime) else None,
    )


def _causes(plan: SessionPlan, row: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Stage to the names of what is not as it was."""
    before = json.loads(str(row["depends_on"] or "{}"))
    causes: dict[str, tuple[str, ...]] = {}
    for stage, now in plan.parts.items():
        old = before.get(stage)
        if old is None:
            causes[stage] = ("first",) if before else ()
        else:
            causes[stage] = tuple(name for name, digest in now.items() if old.get(name) != digest)
    for stage in before.keys() - plan.parts.keys():
        causes[stage] = ("gone",)
    return {stage: found for stage, found in causes.items() if found}


def _sentence(plan: SessionPlan, row: Mapping[str, object] | None, causes: Mapping[str, tuple[str, ...]]) -> str:
    if plan.why == "changed" and row is not None and row["status"] == "damaged":
        return "a file of it in the tables is damaged or missing: it is written again"
    if plan.why == "changed" and row is not None and not row["fingerprint"]:
        return f"the machine stopped it the last time ({row['reason'] or 'no reason'}): it is tried again"
    if plan.why != "changed":
        return {"new": "not in the tables yet", "forced": "asked for"}.get(plan.why, "")
    said = [f"{stage}: {_named(found)}" if stage != "session" else _named(found) for stage, found in causes.items()]
    return "; ".join(said) or "written by an older version, which kept no record of what its rows depend on"


def _named(causes: tuple[str, ...]) -> str:
    words = _WORDS | {"first": "not computed before", "gone": "no recordings any more, or left out"}
    return ", ".join(words.get(cause, cause) for cause in causes)
