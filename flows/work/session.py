"""One session on its way through the flow: stage results in, tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.flows.planning.plan import SessionPlan
from cueflow.flows.progress import watcher
from cueflow.flows.work.compute import computer
from cueflow.flows.work.jobs import Outcome
from cueflow.schemas.errors import DiskFullError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Aligned, StreamResult
from cueflow.schemas.session import Cut, Group, Modality
from cueflow.storage.caches.stage_cache import cache_path, read_results
from cueflow.storage.rows import (
    SessionState,
    Stamp,
    biomarker_rows,
    event_rows,
    session_row,
    to_table,
    window_table,
)
from cueflow.storage.tables import TableStore
from cueflow.tasks.align import align
from cueflow.tasks.clock.evidence import clock_of
from cueflow.tasks.clock.move import cuts_of, moved
from cueflow.tasks.clock.place import place_recorders
from cueflow.tasks.relations.relate import related
from cueflow.tasks.windows import phases_of

if TYPE_CHECKING:
    import pyarrow as pa

    from cueflow.flows.fuse import Fuser

HOLLOW_S = 5.0  # what is shorter holds no measure at all; what is longer and has gaps says so in its rows
_MACHINE_TROUBLE = frozenset(
    {Reason.TIME_LIMIT, Reason.WORKER_DIED, Reason.OUT_OF_MEMORY, Reason.STORE_UNREACHABLE, Reason.UNEXPECTED}
)


class Execution:
    """What all sessions of a run share. Not a dataclass: Prefect walks through dataclasses in parameters."""

    def __init__(self, *, store: TableStore, stamp: Stamp, groups: frozenset[Group], fuser: Fuser | None) -> None:
        self.store, self.stamp, self.groups, self.fuser = store, stamp, groups, fuser
        self.disk_full = False


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """How a session ended: status ok, degraded or failed."""

    session_id: str
    status: str
    reason: Reason | None
    message: str
    duration_s: float
    seconds: float


class SessionWork:
    """One session's state between its tasks."""

    def __init__(self, execution: Execution, plan: SessionPlan) -> None:
        self.execution, self.plan = execution, plan
        self.results: tuple[StreamResult, ...] = ()
        self.aligned: Aligned = align((), ())
        self.elsewhere: tuple[str, ...] = ()  # modalities whose exclusions were cut beside their place
        self.uncut = False  # something was cut beside its place: the next run tries again
        self.tables: dict[str, pa.Table] = {}
        self.fusion_status = str(Reason.NO_FUSION_MODEL)
        self.started = datetime.now(UTC)

    def finish(self, done: Mapping[Group, Outcome]) -> SessionOutcome:
        """Read the results of all stages, and write the session's tables.

        Parameters
        ----------
        done : mapping
            How the stages that were computed went.

        Returns
        -------
        SessionOutcome
        """
        for group, outcome in done.items():
            if outcome.reason is not None:
                self.plan.failures[group] = (outcome.reason, outcome.message)
                self.execution.disk_full |= outcome.reason is Reason.DISK_FULL
        self.align()
        self.tabulate()
        return self.write()

    def align(self) -> None:
        """Read the results of all stages and put them on one clock; cut anew what stands elsewhere than assumed."""
        results = list(self.plan.broken)
        for group, key in self.plan.keys.items():
            stored = None
            if group not in self.plan.failures:
                stored = read_results(self._cache_path(group, key))
            results += stored if stored is not None else self._lost(group)
        session = self.plan.session
        places = place_recorders(results, session.streams, markers=session.markers)
        cuts = cuts_of(places.found, session.streams, markers=session.markers, exclusions=session.exclusions)
        again = self._cut_again(cuts)
        self.results = (
            *moved([r for r in results if _group_of(r) not in again], places.found),
            *moved([r for own in again.values() for r in own], places.found, phases=phases_of(session.markers)),
        )
        self.elsewhere = tuple(
            dict.fromkeys(
                s.modality.value
                for s in session.streams
                if session.exclusions and clock_of(s) in cuts and s.modality.group not in again
            )
        )
        self.aligned = align(self.results, session.streams, places=places)
        self.results = related(self.results, session.streams, sync=self.aligned.sync, markers=session.markers)

    def _cut_again(self, cuts: Mapping[str, Cut]) -> dict[Group, tuple[StreamResult, ...]]:
        """Results of the stages whose recorders stand elsewhere, with phases and exclusions cut where those are."""
        again = {}
        for job in {job.group: job for job in (*self.plan.jobs, *self.plan.cached)}.values():
            own = {clock: cuts[clock] for s in job.streams if (clock := clock_of(s)) in cuts}
            if not own or job.group in self.plan.failures:
                continue
            key = sha256(repr((job.key, sorted(own.items()))).encode()).hexdigest()
            anew = replace(job, key=key, cuts=own, clues=False)
            path = self._cache_path(anew.entry, key)
            found = read_results(path)
            if found is None and computer().compute(anew).reason is None:
                found = read_results(path)
            if found is None:
                self.uncut = True
            else:
                again[job.group] = found
        return again

    def tabulate(self) -> None:
        """Make the rows, and let the fusion model, if there is one, add its own."""
        session, stamp = self.plan.session, self.execution.stamp
        self.tables = {
            "biomarkers": to_table("biomarkers", biomarker_rows(session, self.results, self._absent(), stamp)),
            "windows": window_table(session, self.aligned.grid, stamp),
            "events": to_table("events", event_rows(session, self.results, session.markers, stamp)),
            "predictions": to_table("predictions", []),
            "explanations": to_table("explanations", []),
        }
        self.results = tuple(_without_rows(r) for r in self.results)
        if self.execution.fuser is not None:
            made = self.execution.fuser.tables(session, self.tables["biomarkers"], stamp)
            self.fusion_status = made.status
            self.tables |= {"predictions": made.predictions, "explanations": made.explanations}

    def write(self) -> SessionOutcome:
        """Commit the session's tables; a full disk stops the run and leaves what was there."""
        status, reason, message = self._status()
        retry = self.uncut or any(why in _MACHINE_TROUBLE for why, _ in self.plan.failures.values())
        state = SessionState(
            status=status,
            reason=reason,
            message=message,
            fusion_status=self.fusion_status,
            fingerprint="" if retry else self.plan.fingerprint,
            started=self.started,
            depends_on=self.plan.parts,
        )
        row = session_row(
            self.plan.session,
            self.results,
            self.aligned,
            self.execution.stamp,
            state=state,
            groups=self._group_states(),
        )
        return self._commit({**self.tables, "sessions": to_table("sessions", [row])}, state)

    def write_failure(self, reason: Reason, message: str) -> SessionOutcome:
        """Write the session as failed: nothing of it could be assembled."""
        self.results, self.aligned = (), align((), ())
        self.plan.failures.update(dict.fromkeys(self.plan.keys, (reason, message)))
        self.results = tuple(r for group in self.plan.keys for r in self._lost(group)) + self.plan.broken
        self.tabulate()
        return self.write()

    def _commit(self, tables: Mapping[str, pa.Table], state: SessionState) -> SessionOutcome:
        session_id = self.plan.session.session_id
        status, reason, message = state.status, state.reason, state.message
        try:
            self.execution.store.commit_session(session_id, tables, run_id=self.execution.stamp.run_id)
        except DiskFullError as error:
            self.execution.disk_full = True
            status, reason, message = "failed", error.reason, error.message
        watcher().finished(status)
        return SessionOutcome(
            session_id=session_id,
            status=status,
            reason=reason,
            message=message,
            duration_s=self.aligned.duration_s,
            seconds=(datetime.now(UTC) - self.started).total_seconds(),
        )

    def _cache_path(self, group: str, key: str) -> Path:
        store, session_id = self.execution.store, self.plan.session.session_id
        return cache_path(store.root, store.dataset, session_id, group=group, key=key)

    def _lost(self, group: Group) -> list[StreamResult]:
        reason, message = self.plan.failures.setdefault(group, (Reason.WORKER_DIED, Reason.WORKER_DIED.sentence))
        return [
            StreamResult(
                modality=s.modality,
                role=s.role,
                channel=s.channel,
                status=Status.FAILED,
                reason=reason,
                message=message,
                findings=None,
                method_version="",
                model_sha256="",
                input_sha256="",
                seconds=0.0,
            )
            for s in self.plan.session.streams
            if s.modality.group is group
        ]

    def _absent(self) -> dict[str, tuple[Status, Reason]]:
        tried = {r.modality for r in self.results}
        skipped = {s.modality.value for s in self.plan.session.streams if s.modality.group not in self.execution.groups}
        return {
            m.value: (Status.ABSENT, Reason.NOT_REQUESTED if m.value in skipped else Reason.NO_STREAM)
            for m in Modality
            if m.value not in tried
        }

    def _status(self) -> tuple[str, Reason | None, str]:
        failed = [r for r in self.results if r.findings is None]
        if not any(r.findings for r in self.results):
            reason = (failed[0].reason if len(failed) == 1 else None) or Reason.NO_USABLE_STREAM
            return "failed", reason, _said_of(failed) or reason.sentence
        if failed:
            return "degraded", failed[0].reason, _said_of(failed)
        if any(s.reason is Reason.NO_OVERLAP for s in self.aligned.sync):
            named = dict.fromkeys(s.modality for s in self.aligned.sync if s.reason is Reason.NO_OVERLAP)
            return "degraded", Reason.NO_OVERLAP, f"{', '.join(named)}: {Reason.NO_OVERLAP.sentence}"
        if self.elsewhere:
            message = f"{', '.join(self.elsewhere)}: {Reason.SPANS_ELSEWHERE.sentence}"
            return "degraded", Reason.SPANS_ELSEWHERE, message
        if outside := self._phases_outside():
            return "degraded", Reason.PHASE_OUTSIDE, f"{', '.join(outside[:3])}: {Reason.PHASE_OUTSIDE.sentence}"
        if odd := [r for r in self.results if _to_look_at(r)]:
            return "degraded", odd[0].reason or Reason.FEW_EVIDENCE, _doubts_of(odd)
        return "ok", None, _doubts_of([r for r in self.results if r.status is Status.LOW_QUALITY])

    def _phases_outside(self) -> list[str]:
        """Labels of the phases that no recording reaches into: they have no values."""
        first, last = self.aligned.start_s, self.aligned.end_s
        outside = (p for p in phases_of(self.plan.session.markers) if p.end_s <= first or p.start_s >= last)
        return list(dict.fromkeys(p.phase for p in outside))

    def _group_states(self) -> dict[Group, tuple[str, Reason | None, float]]:
        recorded = {s.modality.group for s in self.plan.session.streams} - self.execution.groups
        states = {}
        for group in Group:
            absent = Reason.NOT_REQUESTED if group in recorded else Reason.NO_STREAM
            states[group] = _group_state([r for r in self.results if _group_of(r) is group], absent=absent)
        return states


_MISTAKEN = frozenset({
    Reason.PICTURE_TOO_DARK, Reason.PICTURE_TOO_SMALL, Reason.PICTURE_UPSIDE_DOWN,
    Reason.WRONG_SIGNAL, Reason.LEAD_INVERTED, Reason.LEADS_MISNAMED, Reason.UNIT_WRONG, Reason.FILE_TRUNCATED,
    Reason.NO_VOICE, Reason.SAMPLES_MISSING, Reason.TRACK_SHORT,
})  # fmt: skip
"""Something went wrong when it was recorded, copied or declared, and somebody has to look."""


def _to_look_at(result: StreamResult) -> bool:
    """Whether nothing of a recording can be used (a few samples, a flat line, silence), or it is mistaken."""
    found = result.findings
    if found is None or found.status is Status.OK:
        return False
    moves = result.modality == Modality.VIDEO  # without a face there is still movement
    brief = found.status is Status.TOO_SHORT and found.end_s - found.start_s < HOLLOW_S
    return (
        brief
        or found.reason in _MISTAKEN
        or (found.coverage == 0 and not moves and found.reason is not Reason.LOW_COVERAGE)
    )


def _doubts_of(results: Sequence[StreamResult]) -> str:
    """What is wrong with recordings that could be used, behind their modalities."""
    return "; ".join(dict.fromkeys(f"{r.modality}: {(r.reason or Reason.FEW_EVIDENCE).sentence}" for r in results))


def _said_of(failed: Sequence[StreamResult]) -> str:
    """Messages of recordings that could not be used, behind their modalities: a session has several."""
    whose: dict[str, list[str]] = {}
    for result in failed:
        name = "" if _group_of(result) is None else str(result.modality)
        names = whose.setdefault(result.message.removeprefix(f"{name}: "), [])
        if name and name not in names:
            names.append(name)
    return "; ".join(f"{', '.join(names)}: {said}" if names else said for said, names in whose.items() if said)


def _without_rows(result: StreamResult) -> StreamResult:
    """A result whose events and seconds are in the tables already: of a day they are too many to hold twice."""
    return (
        result if result.findings is None else replace(result, findings=replace(result.findings, events=(), series=()))
    )


def _group_of(result: StreamResult) -> Group | None:
    return Modality(result.modality).group if result.modality in set(Modality) else None


def _group_state(results: Sequence[StreamResult], *, absent: Reason) -> tuple[str, Reason | None, float]:
    if not results:
        return Status.ABSENT, absent, 0.0
    seconds = sum(r.seconds for r in results)
    worst = next((r for r in results if r.findings is None), None) or next(
        (r for r in results if r.status is not Status.OK), results[0]
    )
    return worst.status, worst.reason, seconds
