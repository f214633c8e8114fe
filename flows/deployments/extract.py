"""The flow over a dataset: fan out over sessions, three stages each, then align, fuse and write.

Prefect records what happened for people to look at; what counts as done is in the tables alone.
"""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from cueflow.flows.deployments.engine import task_runner
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.deployments.process import process
from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.planning.options import Options
from cueflow.flows.roots import allowed, optional
from cueflow.flows.summary import RunSummary
from cueflow.schemas.errors import CueflowError
from cueflow.schemas.session import Group


@flow(
    name="extract",
    flow_run_name="extract {dataset_name}",
    task_runner=task_runner(),
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
    action_model: str = "",
    pages: str = "",
    granularity: Granularity = Granularity.AUTO,
    shards: Annotated[int, Field(ge=0, le=1000)] = 0,
    video_at_once: Annotated[int, Field(ge=0, le=256)] = 0,
    *,
    force: bool = False,
    join: bool = False,
) -> RunSummary | State[None]:
    """Process the sessions of a dataset that are new or changed.

    Parameters
    ----------
    dataset : str
        Root (or a folder below one, ROOT/below/it) with a manifest or a BIDS tree.
    tables : str
        Root of the tables, or a folder below one.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    sessions : tuple of str
        Only these session ids; empty: all. The deployment `reprocess` takes patterns.
    modalities : tuple of Group
        Only these stages; empty: all. Results of others that are already there stay.
    config : str
        Configuration file, below a root; empty: the defaults.
    workers : int
        Worker processes, 1 to 256.
    fusion_model : str
        Fusion model to apply, below a root; empty: none.
    action_model : str
        Action model to apply, below a root; empty: none.
    pages : str
        Folder for pages of the sessions that ran, below a root; empty: none are written.
    granularity : Granularity
        What one task is; auto: a modality of a session up to 1,000 sessions, a session up to 10,000, then 25 sessions.
    shards : int
        Spread the computing over so many runs of the deployment `compute`, for several workers; 0: none.
    video_at_once : int
        Videos that may be decoded at the same time, where that is fewer than `workers` (a GPU wants 1); 0: no limit.
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
            action_model=optional(action_model),
            pages=optional(pages),
            force=force,
            join=join,
            granularity=granularity,
            shards=shards,
            video_at_once=video_at_once,
        )
        shared = {
            "dataset": dataset,
            "tables": tables,
            "dataset_name": dataset_name,
            "modalities": sorted(options.groups),
            "config": config,
            "workers": workers,
            "force": force,
        }
        return process(allowed(dataset), allowed(tables), dataset_name=dataset_name, options=options, shared=shared)
    except CueflowError as error:
        return refused(error)
