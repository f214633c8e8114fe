"""The button: sessions chosen by id, subject, visit or state are looked at again, or only listed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from cueflow.flows.deployments.artifacts import tell_planned
from cueflow.flows.deployments.choose import Choice, Pick, choose
from cueflow.flows.deployments.extract import THREADS, process
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.fuse import load_fuser
from cueflow.flows.planning.options import Options
from cueflow.flows.planning.plan import Request
from cueflow.flows.planning.why import Why, explain_run
from cueflow.flows.roots import allowed, optional
from cueflow.flows.summary import RunSummary
from cueflow.schemas.config import load_config
from cueflow.schemas.errors import CueflowError
from cueflow.schemas.session import Group
from cueflow.tasks.ingest.dataset import read_dataset

Text = Annotated[str, Field(max_length=20_000)]


@flow(
    name="reprocess",
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
    persist_result=False,
)
@form
def reprocess(  # noqa: PLR0913, PLR0917 - flat parameters become the form in Prefect's UI
    dataset: str,
    tables: str,
    sessions: Text = "",
    subject: Text = "",
    visit: Text = "",
    states: tuple[Pick, ...] = (),
    modalities: tuple[Group, ...] = (),
    *,
    force: bool = False,
    dry_run: bool = False,
    workers: Annotated[int, Field(ge=1, le=256)] = 2,
    dataset_name: str = "",
    config: str = "",
    fusion_model: str = "",
) -> RunSummary | State[Any] | None:
    """Process chosen sessions again: those that fit every field that is filled in.

    Parameters
    ----------
    dataset : str
        Folder with a manifest or a BIDS tree.
    tables : str
        Folder of the tables.
    sessions : str
        Session ids or patterns such as S0*, separated by commas or lines; * means all.
    subject : str
        Subject ids or patterns.
    visit : str
        Visits or patterns.
    states : tuple of Pick
        Only sessions in one of these states; outdated: a newer method, other weights or libraries.
    modalities : tuple of Group
        Only these stages; empty: all. Results of others that are already there stay.
    force : bool
        Compute again also what has not changed. Without it only what changed is computed.
    dry_run : bool
        Only list what would run and why (artifact `plan`); nothing is written.
    workers : int
        Worker processes, 1 to 256.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    config : str
        Configuration file; empty: the defaults.
    fusion_model : str
        Fusion model to apply; empty: none.

    Returns
    -------
    RunSummary, State or None
        None for a dry run; a failed state where the form cannot be followed.
    """
    options = Options((), frozenset(modalities or Group), None, workers, None, force, join=False)
    try:
        options = replace(options, config=optional(config), fusion_model=optional(fusion_model))
        where, to = allowed(dataset), allowed(tables)
        found = choose(_explained(where, to, dataset_name, options), Choice(sessions, subject, visit, states))
        if dry_run:
            tell_planned(found, force=force)
            get_run_logger().info("%d sessions chosen; nothing was written", len(found))
            return None
        chosen = replace(options, sessions=tuple(why.session_id for why in found))
        return process(where, to, dataset_name=dataset_name, options=chosen)
    except CueflowError as error:
        return refused(error)


def _explained(dataset: Path, tables: Path, dataset_name: str, options: Options) -> tuple[Why, ...]:
    loaded = read_dataset(dataset, name=dataset_name or None)
    fusion = load_fuser(options.fusion_model).sha256 if options.fusion_model else ""
    request = Request(tables, load_config(options.config), options.groups, options.force, fusion)
    return explain_run(loaded, request)
