"""`cueflow.run`: the flow as a function, with Prefect's embedded API started behind it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cueflow.flows.progress import Silent, Watcher, watched_by
from cueflow.flows.roots import rooted
from cueflow.schemas.errors import ForeignOutputError
from cueflow.schemas.session import Group

if TYPE_CHECKING:
    from cueflow.flows.planning.options import Options
    from cueflow.flows.planning.plan import Plan
    from cueflow.flows.summary import RunSummary

# A cold machine needs longer than Prefect's 20 s to start its embedded API; nothing is sent to anyone.
_PREFECT = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}


def end_server() -> None:
    """End the embedded API server, for who leaves without Python's own way out; where none runs nothing happens."""
    server = sys.modules.get("prefect.server.api.server")  # not imported here: a signal may come at any moment
    embedded = getattr(server, "SubprocessASGIServer", None)
    process = None if embedded is None else embedded().server_process
    if process is not None:
        process.kill()


def default_workers() -> int:
    """One worker process for each core that this process may use, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def run(  # noqa: PLR0913 - each is an option of the command line
    dataset: str | Path,
    out: str | Path,
    *,
    sessions: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    config: str | Path | None = None,
    workers: int | None = None,
    fusion_model: str | Path | None = None,
    action_model: str | Path | None = None,
    dataset_name: str = "",
    force: bool = False,
    join: bool = False,
    granularity: str = "auto",
    video_at_once: int = 0,
    dask: str = "",
    watcher: Watcher | None = None,
) -> RunSummary:
    """Process the sessions of a dataset that are new or changed, and write their tables.

    Parameters
    ----------
    dataset : path
        Folder with `manifest.csv` (or .parquet), or a BIDS tree; or a long table of biomarkers from elsewhere.
    out : path
        Folder of the tables; made if it is not there.
    sessions : sequence of str, optional
        Only these session ids.
    modalities : sequence of str, optional
        Only these stages: video, audio, physiology.
    config : path, optional
        TOML, YAML or JSON file of parameters.
    workers : int, optional
        Worker processes; default: one per core, at most eight.
    fusion_model : path, optional
        Model from `cueflow fusion train`; without one no prediction is made, and the sessions say so.
    action_model : path, optional
        Model from `cueflow actions train`: its actions join the events and biomarkers.
    dataset_name : str, optional
        Name of the dataset in the tables; default: the folder's name.
    force : bool, optional
        Compute again what has not changed.
    join : bool, optional
        Allow tables that hold another dataset too.
    granularity : str, optional
        What one task of Prefect is: auto, modality, session or chunk (25 sessions).
    video_at_once : int, optional
        Videos that may be decoded at the same time; 0: as many as there are workers.
    dask : str, optional
        Address of a Dask scheduler whose workers see the same folders; set `workers` to how many they are.
    watcher : Watcher, optional
        Told what happens, for progress bars.

    Returns
    -------
    RunSummary
        Its `exit_code` is 0, or 3 where some sessions are degraded or failed.

    Raises
    ------
    ForeignOutputError
        If the tables would lie inside the dataset.
    """
    for name, value in _PREFECT.items():
        os.environ.setdefault(name, value)
    from cueflow.flows.features import is_long_table, run_features
    from cueflow.flows.planning.ahead import plan_ahead, settled_run
    from cueflow.flows.planning.granularity import Granularity
    from cueflow.flows.planning.options import Options, preflight
    from cueflow.storage.remote.mirror import place

    out = place(out)
    options = Options(
        sessions=tuple(sessions or ()),
        groups=frozenset(Group(m) for m in modalities or Group),
        config=Path(config).resolve() if config else None,
        workers=workers or default_workers(),
        fusion_model=Path(fusion_model).resolve() if fusion_model else None,
        action_model=Path(action_model).resolve() if action_model else None,
        force=force,
        join=join,
        granularity=Granularity(granularity),
        video_at_once=video_at_once,
    )
    if is_long_table(Path(dataset)):
        name = dataset_name or Path(dataset).resolve().stem
        return run_features(Path(dataset).resolve(), Path(out).resolve(), dataset_name=name, options=options)
    if dask:
        os.environ["CUEFLOW_DASK"] = dask  # read when the flows are imported
    name = dataset_name or Path(dataset).resolve().name
    preflight(Path(dataset), dataset_name=name, options=options)
    if Path(out).resolve().is_relative_to(Path(dataset).resolve()):
        raise ForeignOutputError("the tables would lie inside the dataset, which is only read: choose another --out")
    told = watcher or Silent()
    plan = plan_ahead(Path(dataset).resolve(), Path(out).resolve(), dataset_name=name, options=options)
    if not plan.todo:
        told.planned(sessions=0, unchanged=len(plan.settled), jobs={})
        return settled_run(plan)
    # Prefect keeps parameters: they name roots, and only this process knows where those are.
    roots = {"dataset": Path(dataset), "tables": Path(out), "config": options.config, "model": options.fusion_model}
    roots |= {"actions": options.action_model}
    roots_here = rooted({name: path.resolve() for name, path in roots.items() if path})
    with watched_by(told), roots_here, _workers(plan, Path(out).resolve(), options=options, elsewhere=bool(dask)):
        from cueflow.flows.deployments.extract import extract  # imports Prefect, which takes seconds

        state = extract(
            dataset="dataset",
            tables="tables",
            dataset_name=name,
            sessions=options.sessions,
            modalities=tuple(sorted(options.groups)),
            config="config" if options.config else "",
            workers=options.workers,
            fusion_model="model" if options.fusion_model else "",
            action_model="actions" if options.action_model else "",
            force=force,
            join=join,
            granularity=options.granularity,
            video_at_once=video_at_once,
            return_state=True,
        )
    found = state.result(raise_on_failure=False)
    if isinstance(found, BaseException):
        raise found
    return cast("RunSummary", found)


@contextmanager
def _workers(plan: Plan, tables: Path, *, options: Options, elsewhere: bool) -> Iterator[None]:
    """Worker processes that load their libraries while Prefect starts; none where another engine computes."""
    if elsewhere:
        yield
        return
    from cueflow.flows.work.compute import worker_processes
    from cueflow.flows.work.memory import NEED_MIB, available_mib
    from cueflow.storage.layout import worker_log

    waiting = [job for session in plan.todo for job in session.jobs]
    with worker_processes(options.workers, log=worker_log(tables), video_at_once=options.video_at_once) as pool:
        if pool is not None and waiting:
            groups = sorted({job.group for job in waiting})
            room = max(1, int(min(available_mib(), 1e6) / max(NEED_MIB[group] for group in groups)))
            pool.start(min(len(waiting), room), groups)
        yield
