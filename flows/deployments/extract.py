"""The flow over a dataset: fan out over sessions, three stages each, then align, fuse and write.

Prefect records what happened for people to look at; what counts as done is in the tables alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, runtime, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from cueflow.flows.deployments.artifacts import Bar, tell_done
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.fuse import load_fuser
from cueflow.flows.planning.options import Options, chosen_sessions
from cueflow.flows.planning.plan import Plan, Request, SessionPlan, plan_run
from cueflow.flows.planning.why import explain_plan, fingerprints, session_rows
from cueflow.flows.progress import watcher
from cueflow.flows.roots import allowed, optional
from cueflow.flows.summary import RunSummary, summarise
from cueflow.flows.work.pool import WorkerPool
from cueflow.flows.work.session import Execution, SessionWork
from cueflow.flows.work.stages import MODELS, model_store
from cueflow.schemas.config import load_config
from cueflow.schemas.errors import CueflowError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Group
from cueflow.storage.fingerprints import HashMemo, root_fingerprint
from cueflow.storage.rows import Stamp
from cueflow.storage.tables import TableStore
from cueflow.tasks.ingest.dataset import read_dataset

THREADS = 64  # tasks mostly wait for a worker process; this bounds the waiting, not the work

_task: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


@task(name="video", task_run_name="video · {session}", **_task)
def video(work: SessionWork, session: str) -> None:
    """Face and motion of every video of the session."""
    work.run_stage(Group.VIDEO)


@task(name="audio", task_run_name="audio · {session}", **_task)
def audio(work: SessionWork, session: str) -> None:
    """Voice of every audio track of the session."""
    work.run_stage(Group.AUDIO)


@task(name="physiology", task_run_name="physiology · {session}", **_task)
def physiology(work: SessionWork, session: str) -> None:
    """Heart, pulse, skin and breathing of the session."""
    work.run_stage(Group.PHYSIOLOGY)


@task(name="align", task_run_name="align · {session}", **_task)
def align(work: SessionWork, session: str) -> None:
    """Put the results of the stages on one clock."""
    work.align()


@task(name="fuse", task_run_name="fuse · {session}", **_task)
def fuse(work: SessionWork, session: str) -> None:
    """Make the rows; apply the fusion model, if there is one."""
    work.tabulate()


@task(name="write", task_run_name="write · {session}", **_task)
def write(work: SessionWork, session: str) -> None:
    """Commit the tables of the session, all at once."""
    work.write()


_STAGES = {Group.VIDEO: video, Group.AUDIO: audio, Group.PHYSIOLOGY: physiology}


@flow(
    name="extract",
    flow_run_name="extract {dataset_name}",
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
    persist_result=False,
)
@form
def extract(  # noqa: PLR0913, PLR0917 - flat parameters become the form in Prefect's UI
    dataset: str,
    tables: str,
    dataset_name: str = "",
    sessions: tuple[str, ...] = (),
    modalities: tuple[Group, ...] = (),
    config: str = "",
    workers: Annotated[int, Field(ge=1, le=256)] = 2,
    fusion_model: str = "",
    *,
    force: bool = False,
    join: bool = False,
) -> RunSummary | State[None]:
    """Process the sessions of a dataset that are new or changed.

    Parameters
    ----------
    dataset : str
        Folder with a manifest or a BIDS tree.
    tables : str
        Folder of the tables.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    sessions : tuple of str
        Only these session ids; empty: all. The deployment `reprocess` takes patterns.
    modalities : tuple of Group
        Only these stages; empty: all. Results of others that are already there stay.
    config : str
        Configuration file; empty: the defaults.
    workers : int
        Worker processes, 1 to 256.
    fusion_model : str
        Fusion model to apply; empty: none.
    force : bool
        Compute again what has not changed.
    join : bool
        Allow tables that hold another dataset too.

    Returns
    -------
    RunSummary or State
        A failed state where the dataset, the configuration or the output cannot be used.
    """
    try:
        options = Options(
            sessions=tuple(sessions),
            groups=frozenset(modalities or Group),
            config=optional(config),
            workers=workers,
            fusion_model=optional(fusion_model),
            force=force,
            join=join,
        )
        return process(allowed(dataset), allowed(tables), dataset_name=dataset_name, options=options)
    except CueflowError as error:
        return refused(error)


def process(dataset: Path, tables: Path, *, dataset_name: str, options: Options) -> RunSummary:
    """Process sessions inside a flow run.

    Parameters
    ----------
    dataset, tables : Path
        Where from and where to.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    options : Options
        What was asked for.

    Returns
    -------
    RunSummary
    """
    whole = read_dataset(dataset, name=dataset_name or None)
    loaded = chosen_sessions(whole, options.sessions)
    settings = load_config(options.config)
    fuser = load_fuser(options.fusion_model) if options.fusion_model else None
    _need_models(loaded, options.groups)
    store = TableStore(tables, loaded.name)
    ids = [s.session_id for s in whole.sessions]
    with store.writing(root_fingerprint=root_fingerprint(loaded.root), session_ids=ids, join=options.join):
        memo = HashMemo(store.root)
        request = Request(store.root, settings, options.groups, options.force, fuser.sha256 if fuser else "")
        rows = session_rows(store.root, store.dataset)
        plan = plan_run(loaded, request, written=fingerprints(rows), file_hash=memo.sha256)
        memo.save()
        _tell(plan)
        stamp = Stamp(run_id=str(runtime.flow_run.id), config_hash=settings.sha256)
        with WorkerPool(options.workers, log=store.root / ".cueflow" / "workers.log") as pool:
            execution = Execution(pool=pool, store=store, stamp=stamp, groups=options.groups, fuser=fuser)
            works = _fan_out(execution, plan.todo, in_flight=2 * options.workers)
    summary = summarise(stamp.run_id, plan, works, disk_full=execution.disk_full)
    get_run_logger().info("%s", summary.line)
    tell_done(summary, {why.session_id: why for why in explain_plan(plan, rows)})
    return summary


def _need_models(dataset: Dataset, groups: frozenset[Group]) -> None:
    present = {stream.modality.group for session in dataset.sessions for stream in session.streams}
    model_store().pull([name for group in sorted(present & groups) for name in MODELS[group]])


def _tell(plan: Plan) -> None:
    jobs = {group: sum(1 for s in plan.todo for job in s.jobs if job.group is group) for group in Group}
    watcher().planned(sessions=len(plan.todo), unchanged=len(plan.unchanged), jobs=jobs)


def _fan_out(execution: Execution, plans: Sequence[SessionPlan], *, in_flight: int) -> list[SessionWork]:
    works: list[SessionWork] = []
    waiting: deque[tuple[SessionWork, PrefectFuture[None]]] = deque()
    bar = Bar(len(plans))
    for plan in plans:
        if len(waiting) >= in_flight:
            _settle(*waiting.popleft())
            bar.step()
        if execution.disk_full:
            break
        work = SessionWork(execution, plan)
        works.append(work)
        waiting.append((work, _submit(work)))
    while waiting:
        _settle(*waiting.popleft())
        bar.step()
    return works


def _submit(work: SessionWork) -> PrefectFuture[None]:
    session = work.plan.session.session_id
    stages = [_STAGES[group].submit(work, session) for group in work.jobs]
    with tags("session"):
        aligned = align.submit(work, session, return_state=False, wait_for=stages)
        fused = fuse.submit(work, session, return_state=False, wait_for=[aligned])
        return write.submit(work, session, return_state=False, wait_for=[fused])


def _settle(work: SessionWork, written: PrefectFuture[None]) -> None:
    """Wait for a session; one whose own tasks broke becomes a failed row, and the others go on."""
    written.wait()
    if work.outcome is None and not work.execution.disk_full:
        work.write_failure(Reason.UNEXPECTED, Reason.UNEXPECTED.sentence)
