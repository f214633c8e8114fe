"""The button: sessions chosen by id, subject, visit or state are looked at again, or only listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from pydantic import Field

from cueflow.flows.deployments.artifacts import tell_planned
from cueflow.flows.deployments.choose import Choice, Family, Pick, choose
from cueflow.flows.deployments.engine import task_runner
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.deployments.process import process
from cueflow.flows.fuse import load_fuser
from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.planning.options import Options
from cueflow.flows.planning.plan import Request
from cueflow.flows.planning.why import Why, explain_run
from cueflow.flows.roots import allowed, optional
from cueflow.flows.summary import RunSummary
from cueflow.schemas.errors import ConfigError, CueflowError
from cueflow.schemas.session import Group
from cueflow.tasks.ingest.dataset import read_dataset

Text = Annotated[str, Field(max_length=20_000)]


@flow(
    name="reprocess",
    task_runner=task_runner(),
    persist_result=False,
)
@form
def reprocess(  # noqa: PLR0913 - flat parameters become the form in Prefect's UI, in this order
    *,
    sessions: Text = "",
    subject: Text = "",
    visit: Text = "",
    states: tuple[Pick, ...] = (),
    processed_since: date | None = None,
    processed_until: date | None = None,
    biomarkers: tuple[Family, ...] = (),
    modalities: tuple[Group, ...] = (),
    force: bool = False,
    dry_run: bool = False,
    workers: Annotated[int, Field(ge=1, le=256)] = 2,
    dataset: str,
    tables: str,
    dataset_name: str = "",
    config: str = "",
    fusion_model: str = "",
    pages: str = "",
    granularity: Granularity = Granularity.AUTO,
) -> RunSummary | State[Any] | None:
    """Process chosen sessions again: those that fit every field that is filled in.

    Parameters
    ----------
    sessions : str
        Session ids or patterns such as S0*, separated by commas or lines; * means all.
    subject : str
        Subject ids or patterns.
    visit : str
        Visits or patterns.
    states : tuple of Pick
        Only sessions in one of these states; outdated: a newer method, other weights or libraries.
    processed_since : date, optional
        Only sessions whose rows were written on this day (UTC) or later.
    processed_until : date, optional
        Only sessions whose rows were written on this day (UTC) or before.
    biomarkers : tuple of Family
        Only sessions with recordings for these groups of biomarkers, and only the stages that compute them.
    modalities : tuple of Group
        Only these stages; empty: all. Results of others that are already there stay.
    force : bool
        Compute again also what has not changed. Without it only what changed is computed.
    dry_run : bool
        Only list what would run and why (artifact `plan`); nothing is written.
    workers : int
        Worker processes, 1 to 256.
    dataset : str
        Root (or a folder below one, ROOT/below/it) with a manifest or a BIDS tree.
    tables : str
        Root of the tables, or a folder below one.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    config : str
        Configuration file, below a root; empty: the defaults.
    fusion_model : str
        Fusion model to apply, below a root; empty: none.
    pages : str
        Folder for pages of the sessions that ran, below a root; empty: none are written.
    granularity : Granularity
        What one task is; auto: a modality of a session up to 1,000 sessions, a session up to 10,000, then 25 sessions.

    Returns
    -------
    RunSummary, State or None
        None for a dry run; a failed state where the form cannot be followed.
    """
    try:
        options = Options(
            sessions=(),
            groups=_stages(modalities, biomarkers),
            config=optional(config),
            workers=workers,
            fusion_model=optional(fusion_model),
            pages=optional(pages),
            force=force,
            join=False,
            granularity=granularity,
        )
        choice = Choice(sessions, subject, visit, states, biomarkers, processed_since, processed_until)
        where, to = allowed(dataset), allowed(tables)
        found = choose(_explained(where, to, dataset_name, options), choice)
        if dry_run:
            tell_planned(found, force=force)
            get_run_logger().info("%d sessions chosen; nothing was written", len(found))
            return None
        chosen = replace(options, sessions=tuple(why.session_id for why in found))
        return process(where, to, dataset_name=dataset_name, options=chosen)
    except CueflowError as error:
        return refused(error)


def _stages(modalities: Sequence[Group], biomarkers: Sequence[Family]) -> frozenset[Group]:
    wanted = frozenset(modalities or Group) & frozenset([family.group for family in biomarkers] or Group)
    if not wanted:
        raise ConfigError("None of the chosen modalities computes the chosen biomarkers: leave one of the two empty.")
    return wanted


def _explained(dataset: Path, tables: Path, dataset_name: str, options: Options) -> tuple[Why, ...]:
    loaded = read_dataset(dataset, name=dataset_name or None)
    fusion = load_fuser(options.fusion_model).sha256 if options.fusion_model else ""
    request = Request(tables, options.settings(), options.groups, options.force, fusion)
    return explain_run(loaded, request)
