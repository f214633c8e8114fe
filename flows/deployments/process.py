"""A run inside Prefect: plan, compute, write; the same for all sessions of a dataset and for chosen ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import get_run_logger, runtime

from cueflow.flows.deployments.artifacts import Bar, on_server, tell_done, tell_pages
from cueflow.flows.deployments.fan_out import IN_FLIGHT, Unit, fan_out
from cueflow.flows.deployments.shards import run_shards
from cueflow.flows.fuse import load_matching
from cueflow.flows.planning.options import Options, chosen_sessions
from cueflow.flows.planning.plan import Plan, Request, SessionPlan, drop_computed, plan_run
from cueflow.flows.planning.why import explain_plan, fingerprints, session_rows
from cueflow.flows.progress import watcher
from cueflow.flows.serving.metrics import RunRecord, log_run
from cueflow.flows.summary import RunSummary, summarise
from cueflow.flows.work.compute import worker_processes
from cueflow.flows.work.jobs import Outcome
from cueflow.flows.work.limits import size
from cueflow.flows.work.session import Execution, SessionOutcome, SessionWork
from cueflow.flows.work.stages import model_store, models_of
from cueflow.schemas.config import Config
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Group
from cueflow.storage.fingerprints import HashMemo, root_fingerprint
from cueflow.storage.layout import worker_log
from cueflow.storage.records.runs import recorded_run
from cueflow.storage.rows import Stamp
from cueflow.storage.tables import TableStore
from cueflow.tasks.audio.talk.recognise import need_library
from cueflow.tasks.ingest.dataset import read_dataset


def process(
    dataset: Path, tables: Path, *, dataset_name: str, options: Options, shared: Mapping[str, Any] | None = None
) -> RunSummary:
    """Process sessions inside a flow run.

    Parameters
    ----------
    dataset, tables : Path
        Where from and where to.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    options : Options
        What was asked for.
    shared : mapping, optional
        Parameters for the flow runs that share the computing.

    Returns
    -------
    RunSummary
    """
    started = datetime.now(UTC)
    whole = read_dataset(dataset, name=dataset_name or None)
    loaded = chosen_sessions(whole, options.sessions)
    settings = options.settings()
    fuser = load_matching(options.fusion_model, options.groups) if options.fusion_model else None
    _need_models(loaded, options.groups, settings)
    store = TableStore(tables, loaded.name)
    ids = [s.session_id for s in whole.sessions]
    with store.writing(root_fingerprint=root_fingerprint(loaded.root), session_ids=ids, join=options.join):
        memo = HashMemo(store.root)
        request = Request(store.root, settings, options.groups, options.force, fuser.sha256 if fuser else "")
        rows = session_rows(store.root, store.dataset)
        plan = plan_run(loaded, request, written=fingerprints(rows), file_hash=memo.sha256)
        memo.save()
        _tell(plan)
        if options.shards and on_server():
            run_shards(plan, {**(shared or {}), "dataset_name": loaded.name}, tables=store.root, shards=options.shards)
            drop_computed(plan, store.root, store.dataset)
        stamp = Stamp(run_id=str(runtime.flow_run.id), config_hash=settings.sha256)
        execution = Execution(store=store, stamp=stamp, groups=options.groups, fuser=fuser)
        with recorded_run(store.root, stamp.run_id, started=started, parameters=_chosen(settings, options, request)):
            outcomes, granularity = _compute(plan, execution, options)
        summary = summarise(stamp.run_id, plan, outcomes, disk_full=execution.disk_full)
        seconds = (datetime.now(UTC) - started).total_seconds()
        log_run(store.root, _record(plan, summary, granularity=granularity, seconds=seconds))
    get_run_logger().info("%s", summary.line)
    tell_done(summary, {why.session_id: why for why in explain_plan(plan, rows)})
    if options.pages is not None and summary.sessions:
        tell_pages(store.root, options.pages, [done.session_id for done in summary.sessions])
    return summary


def _compute(plan: Plan, execution: Execution, options: Options) -> tuple[list[SessionOutcome], str]:
    works, granularity = _Works(execution, plan.todo), options.granularity.for_sessions(len(plan.todo))
    units = [Unit(p.session.session_id, p.jobs) for p in _longest_first(plan.todo)]
    log = worker_log(execution.store.root)
    with worker_processes(options.workers, log=log, video_at_once=options.video_at_once):
        fan_out(units, works, granularity=granularity, in_flight=IN_FLIGHT * options.workers)
    return works.outcomes, str(granularity)


def _chosen(settings: Config, options: Options, request: Request) -> dict[str, Any]:
    """Everything of a run that was chosen, without a path."""
    return {
        "settings": settings.model_dump(mode="json"),
        "modalities": sorted(options.groups),
        "workers": options.workers,
        "force": options.force,
        "fusion_model": request.fusion_sha256,
    }


def _record(plan: Plan, summary: RunSummary, *, granularity: str, seconds: float) -> RunRecord:
    cached = Counter(str(job.group) for p in plan.todo for job in p.cached)
    computed = Counter(str(group) for p in plan.todo for group in p.keys)
    computed.subtract(cached)
    return RunRecord(
        run_id=summary.run_id,
        ended_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 2),
        granularity=granularity,
        statuses=summary.counts,
        unchanged=summary.unchanged,
        computed=computed,
        cached=cached,
    )


def _need_models(dataset: Dataset, groups: frozenset[Group], settings: Config) -> None:
    present = {stream.modality.group for session in dataset.sessions for stream in session.streams}
    if settings.audio.recognise and Group.AUDIO in present & groups:
        need_library()
    model_store().pull([name for group in sorted(present & groups) for name in models_of(group, settings)])


def _tell(plan: Plan) -> None:
    jobs = {group: sum(1 for s in plan.todo for job in s.jobs if job.group is group) for group in Group}
    watcher().planned(sessions=len(plan.todo), unchanged=len(plan.unchanged), jobs=jobs)


class _Works:
    """The sessions of a run on their way into the tables."""

    def __init__(self, execution: Execution, plans: Sequence[SessionPlan]) -> None:
        self._execution = execution
        self._plans = {plan.session.session_id: plan for plan in plans}
        self._bar = Bar(len(plans))
        self._under_way: dict[str, SessionWork] = {}
        self.outcomes: list[SessionOutcome] = []

    @property
    def halted(self) -> bool:
        """Whether the disk is full."""
        return self._execution.disk_full

    def start(self, session: str) -> None:
        """Note when the session began."""
        self._under_way[session] = SessionWork(self._execution, self._plans[session])

    def finish(self, session: str, done: Mapping[Group, Outcome]) -> None:
        """Write a session's tables."""
        self._settled(session, self._under_way[session].finish(done))

    def failed(self, session: str) -> None:
        """Write a failed row; the others go on."""
        work = self._under_way[session]
        self._settled(session, work.write_failure(Reason.UNEXPECTED, Reason.UNEXPECTED.sentence))

    def _settled(self, session: str, outcome: SessionOutcome) -> None:
        del self._under_way[session]  # and with it all that was read for the session
        self.outcomes.append(outcome)
        self._bar.step()


def _longest_first(plans: Sequence[SessionPlan]) -> list[SessionPlan]:
    """So that no long session is started last and keeps one worker busy while the others have nothing left."""
    weight = {Group.VIDEO: 10, Group.AUDIO: 1, Group.PHYSIOLOGY: 1}
    return sorted(plans, key=lambda plan: -sum(weight[job.group] * size(job) for job in plan.jobs))
