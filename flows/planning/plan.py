"""What has to be done: for each session its jobs, what is cached, and whether anything changed since its tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

from cueflow.flows.planning.cached import Cached
from cueflow.flows.work.jobs import StageJob
from cueflow.flows.work.stages import method_version, weights_hash
from cueflow.schemas.config import NOT_THE_METHOD, Config
from cueflow.schemas.errors import StreamError, storable
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import StreamResult
from cueflow.schemas.session import Dataset, Group, Marker, Session
from cueflow.schemas.tables import SCHEMA_VERSION
from cueflow.tasks import clock
from cueflow.tasks.clock.place import needs_clues
from cueflow.tasks.ingest.beside import files_beside, package_of
from cueflow.tasks.ingest.paths import resolve_inside
from cueflow.tasks.ingest.transcripts import transcript_beside

Hash = Callable[[Path, str], str]
Parts = Mapping[str, Mapping[str, str]]

_SHORT = 32  # 128 bits: enough that two inputs never meet by chance, and half the size in the table

_LIBRARIES: dict[Group, tuple[str, ...]] = {
    Group.VIDEO: ("torch", "transformers", "mediapipe", "decord", "av", "numpy"),
    Group.AUDIO: ("onnxruntime", "av", "numpy", "scipy"),
    Group.PHYSIOLOGY: ("numpy", "scipy"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a run was asked for."""

    tables: Path
    config: Config
    groups: frozenset[Group]
    force: bool
    fusion_sha256: str = ""


@dataclass(slots=True)
class SessionPlan:
    """One session's share of a run.

    `jobs` are the stages to compute; `keys` names the cache entries of all its stages; `parts` holds, per stage and for
    the session itself, short hashes of what its rows depend on; `broken` are streams that are known to be unusable;
    `why` is new, changed, forced or unchanged; `cached` are stages whose results are there already.
    """

    session: Session
    jobs: tuple[StageJob, ...]
    keys: Mapping[Group, str]
    parts: Parts
    broken: tuple[StreamResult, ...]
    fingerprint: str
    why: str
    cached: tuple[StageJob, ...] = ()
    failures: dict[Group, tuple[Reason, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: sessions to process, and those that need nothing."""

    todo: tuple[SessionPlan, ...]
    settled: tuple[SessionPlan, ...]

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Ids of the sessions that need nothing."""
        return tuple(plan.session.session_id for plan in self.settled)


def plan_run(dataset: Dataset, request: Request, *, written: Mapping[str, str], file_hash: Hash) -> Plan:
    """Compare the dataset with the tables.

    Parameters
    ----------
    dataset : Dataset
        The sessions asked for.
    request : Request
        Parameters of the run.
    written : mapping
        Session id to the fingerprint in its sessions row.
    file_hash : callable
        (path, path inside the dataset) to SHA-256.

    Returns
    -------
    Plan
        In the order of the manifest.
    """
    todo: list[SessionPlan] = []
    settled: list[SessionPlan] = []
    cached = Cached(request.tables, dataset.name)
    for session in dataset.sessions:
        old = written.get(session.session_id)
        plan = _plan_session(dataset, session, request, file_hash=file_hash, old=old, cached=cached)
        (settled if plan.why == "unchanged" else todo).append(plan)
    lost = cached.missing([job for plan in todo for job in plan.cached])
    for plan in todo:  # what was cut or altered is not trusted: it is computed again
        plan.jobs += tuple(job for job in plan.cached if job.key in lost)
    return Plan(tuple(todo), tuple(settled))


def drop_computed(plan: Plan, tables: Path, dataset: str) -> None:
    """Take out of a plan the stages that others have computed since it was made.

    Parameters
    ----------
    plan : Plan
        Changed in place.
    tables : Path
        TABLES.
    dataset : str
        Name of the dataset.
    """
    missing = Cached(tables, dataset).missing([job for session in plan.todo for job in session.jobs])
    for session in plan.todo:
        session.jobs = tuple(job for job in session.jobs if job.key in missing)


def _plan_session(
    dataset: Dataset, session: Session, request: Request, *, file_hash: Hash, old: str | None, cached: Cached
) -> SessionPlan:
    jobs: list[StageJob] = []
    there: list[StageJob] = []
    keys, parts = {}, {}
    for group in Group:
        found = _job(dataset, session, request, group=group, file_hash=file_hash)
        if found is None:
            continue
        job, job_parts = found
        wanted = group in request.groups
        known = cached.lists(job) and not (request.force and wanted)
        if known or wanted:
            keys[group] = job.key
            parts[str(group)] = job_parts
            (there if known else jobs).append(job)
    broken = tuple(_broken(session))
    own = {
        "problems": [[p.reason, p.path, p.modality] for p in session.problems],
        "ids": [session.subject_id, session.visit],
        "fusion": request.fusion_sha256,
        "schema": SCHEMA_VERSION,
        "places": clock.VERSION,
        "annotations": [asdict(m) for m in session.markers if m.kind == "action"],
    }
    fingerprint = _digest({"stages": {str(g): k for g, k in keys.items()}, **own})
    parts["session"] = _short(own)
    why = _why(old, fingerprint, force=request.force)
    return SessionPlan(session, tuple(jobs), keys, parts, broken, fingerprint, why, tuple(there))


def _why(old: str | None, fingerprint: str, *, force: bool) -> str:
    if old is None:
        return "new"
    if force:
        return "forced"
    return "unchanged" if old == fingerprint else "changed"


def _job(
    dataset: Dataset, session: Session, request: Request, *, group: Group, file_hash: Hash
) -> tuple[StageJob, dict[str, str]] | None:
    streams = tuple(s for s in session.streams if s.modality.group is group)
    if not streams:
        return None
    reference = _reference(dataset.root, session) if group is Group.VIDEO else ""
    hashes = {s.path: _hash_or_state(dataset.root, s.path, file_hash) for s in streams}
    if group is Group.AUDIO:
        beside = {transcript_beside(dataset.root, s.path) for s in streams}
        hashes |= {path: _hash_or_state(dataset.root, path, file_hash) for path in beside if path is not None}
    elif group is Group.PHYSIOLOGY:
        more = {path for s in streams for path in files_beside(dataset.root, s.path)} - hashes.keys()
        hashes |= {path: _hash_or_state(dataset.root, path, file_hash) for path in sorted(more)}
    own = {
        "recordings": [[asdict(stream) for stream in streams], hashes],
        "reference": [reference, _hash_or_state(dataset.root, reference, file_hash) if reference else ""],
        "phases": [[asdict(m) for m in _phases(session)], [asdict(e) for e in session.exclusions]],
    }
    if packages := sorted({package for s in streams if (package := package_of(s.path))}):
        own["packages"] = packages
    clues = needs_clues(session.streams)
    if clues:
        own["clock"] = [True]
    parts = _method_parts(group, request.config) | _short(own)
    key = _digest([group, sorted(parts.items())])
    job = StageJob(
        group=group,
        dataset_root=str(dataset.root),
        tables_root=str(request.tables),
        dataset=dataset.name,
        session_id=session.session_id,
        key=key,
        streams=streams,
        input_sha256=hashes,
        markers=_phases(session),
        exclusions=session.exclusions,
        config=request.config,
        reference=reference,
        clues=clues,
    )
    return job, parts


def _reference(root: Path, session: Session) -> str:
    """Path inside the dataset of a photograph of the session's subject, or nothing."""
    names = (f"references/{session.subject_id}{suffix}" for suffix in (".jpg", ".jpeg", ".png"))
    return next((name for name in names if (root / name).is_file()), "")


def _phases(session: Session) -> tuple[Marker, ...]:
    """What the stages see of events.csv: annotated actions change no measure."""
    return tuple(m for m in session.markers if m.kind != "action")


@cache
def _method_parts(group: Group, config: Config) -> dict[str, str]:
    """What a stage's results depend on besides its session; looked up once, not for every session."""
    return _short(
        {
            "method": method_version(group),
            "weights": weights_hash(group, config),
            "libraries": [f"{name}=={version(name)}" for name in _LIBRARIES[group]],
            "config": getattr(config, group.value).model_dump(mode="json", exclude=set(NOT_THE_METHOD)),
        }
    )


def _hash_or_state(root: Path, relative: str, file_hash: Hash) -> str:
    try:
        return file_hash(resolve_inside(root, relative), relative)
    except StreamError as error:
        return f"unusable: {error.reason}"


def _broken(session: Session) -> list[StreamResult]:
    return [
        StreamResult(
            modality=problem.modality,
            role=problem.role or "patient",
            channel=problem.channel,
            status=Status.FAILED,
            reason=problem.reason,
            message=storable(problem.reason, problem.message),
            findings=None,
            method_version="",
            model_sha256="",
            input_sha256="",
            seconds=0.0,
        )
        for problem in session.problems
        if problem.reason is not Reason.NO_USABLE_STREAM
    ]


def _short(parts: Mapping[str, object]) -> dict[str, str]:
    return {name: _digest(part)[:_SHORT] for name, part in parts.items()}


def _digest(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
