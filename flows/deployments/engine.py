"""Where tasks run: threads of this process, which wait for its worker processes, or a Dask cluster."""

from __future__ import annotations

import os
from typing import Any

from prefect.context import FlowRunContext
from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud, should_emit_events_to_running_server
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from cueflow.schemas.errors import ConfigError

DASK = "CUEFLOW_DASK"
_TRIES = 2  # from the third on Prefect's client waits a second before each
_THREADS = 1024  # started when needed; they wait for worker processes, which are what is bounded


def computes_elsewhere() -> bool:
    """Whether tasks run in processes that this one's watcher does not see."""
    return bool(os.environ.get(DASK, ""))


def task_runner() -> TaskRunner[Any]:
    """The task runner that CUEFLOW_DASK asks for: the address of a Dask scheduler; empty: threads.

    Returns
    -------
    TaskRunner

    Raises
    ------
    ConfigError
        If prefect-dask is not installed.
    """
    _lose_no_time()
    address = os.environ.get(DASK, "")
    if not address:
        return ThreadPoolTaskRunner(max_workers=_THREADS)
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise ConfigError(f"{DASK} is set, and prefect-dask is not installed: install cueflow[dask].") from error
    runner: TaskRunner[Any] = DaskTaskRunner(address=address)
    return runner


def stop_if_suspended() -> None:
    """End this flow run where somebody paused it in the UI: Prefect starts it again when it is resumed.

    Raises what Prefect ends a paused run with; outside of a flow run nothing happens.
    """
    context = FlowRunContext.get()
    if context is not None:
        context.flow_run_suspension_request.raise_if_requested()


def _lose_no_time() -> None:
    """Let a run that has done its work end, also where its server is gone.

    For each event that is left, of which there may be thousands, Prefect's client would try for 7 s. What could not be
    told is kept, and told when the server is there again.
    """
    if should_emit_events_to_running_server() and not emit_events_to_cloud():
        EventsWorker.set_client_override(PrefectEventsClient, reconnection_attempts=_TRIES)
