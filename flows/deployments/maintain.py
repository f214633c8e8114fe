"""Upkeep of the tables as a flow, for the UI and for schedules."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from pydantic import Field

from cueflow.flows.deployments.artifacts import tell_text
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.roots import allowed
from cueflow.schemas.errors import CueflowError
from cueflow.storage.compaction.compact import compact


@flow(name="maintain", persist_result=False)
@form
def maintain(tables: str, wait_s: Annotated[float, Field(ge=0, le=3600)] = 10.0) -> State[Any] | None:
    """Gather sessions in larger files, which answers questions faster from some thousands on. Readers go on.

    Parameters
    ----------
    tables : str
        Root of the tables, or a folder below one.
    wait_s : float
        How long to wait for readers before old files are removed, 0 to 3600 s.

    Returns
    -------
    State or None
        A failed state where the folder holds no tables or a run writes them now.
    """
    try:
        done = compact(allowed(tables), wait_s=wait_s)
    except CueflowError as error:
        return refused(error)
    get_run_logger().info("%s", done.sentence)
    tell_text("maintenance", done.sentence)
    return None
