"""A worker of a work pool: computes on this machine what the server has for it, one run at a time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cueflow.schemas.errors import ConfigError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import WorkerFlowRunResponse
    from prefect.workers.process import ProcessWorker

# What the automations of `cueflow deploy` wait for, and how soon a button does something.
_SETTINGS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_WORKER_QUERY_SECONDS": "2"}
_PATIENCE_S = 30.0  # a server that is being started again answers within that


def work(pool: str, *, name: str, tell: Callable[[str], None]) -> None:
    """Take runs of a work pool until it is told to stop (SIGTERM or Ctrl-C).

    Parameters
    ----------
    pool : str
        `cueflow`, or `cueflow-compute` for shares.
    name : str
        Of this worker in the UI; empty: a random one.
    tell : callable
        Takes lines about its start and end.

    Raises
    ------
    ConfigError
        If no server is named or none answers, it refuses the password, or has no such work pool.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("Say where the server is: PREFECT_API_URL=http://127.0.0.1:4200/api")
    for setting, value in _SETTINGS.items():
        os.environ.setdefault(setting, value)
    asyncio.run(_find(pool, tell))
    asyncio.run(_work(pool, name, tell))


async def _find(pool: str, tell: Callable[[str], None]) -> None:
    # Prefect's worker makes a pool that is not there, and waits in it for ever.
    from httpx import TransportError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    began, waiting = time.monotonic(), False
    while True:
        try:
            async with get_client() as client:
                known = sorted(found.name for found in await client.read_work_pools())
            break
        except PrefectHTTPStatusError as error:
            if error.response.status_code in {401, 403}:
                raise ConfigError("The server wants its password: set PREFECT_API_AUTH_STRING=NAME:PASSWORD.") from None
            raise ConfigError(f"The server answers {error.response.status_code}: is PREFECT_API_URL its API?") from None
        except (TransportError, RuntimeError):  # Prefect's client has the latter for a server it cannot reach
            if time.monotonic() > began + _PATIENCE_S:
                raise ConfigError("No server answers at PREFECT_API_URL: start it, or correct the address.") from None
            if not waiting:
                tell(f"No server answers; asking again for {_PATIENCE_S:.0f} s.")
            waiting = True
            await asyncio.sleep(2.0)
    if pool not in known:
        there = f"it has {', '.join(known)}" if known else "it has none: `cueflow deploy` makes them"
        raise ConfigError(f"The server has no work pool {pool!r}; {there}.")


async def _work(pool: str, name: str, tell: Callable[[str], None]) -> None:
    from prefect.utilities.processutils import setup_signal_handlers_worker
    from prefect.workers.process import ProcessWorker

    setup_signal_handlers_worker(os.getpid(), "the worker", tell)
    worker = patient(ProcessWorker)(work_pool_name=pool, name=name or None, limit=1)
    try:
        await worker.start(printer=tell)
    except asyncio.CancelledError:
        tell(f"Worker {worker.name!r} stopped.")


def patient(base: type[ProcessWorker]) -> type[ProcessWorker]:
    """Prefect's worker, but one that lets a run wait whose last process is still ending.

    A run may be resumed within a second or two of being suspended: Prefect's own worker dies of it.

    Parameters
    ----------
    base : type
        Prefect's.

    Returns
    -------
    type
    """

    class Worker(base):  # type: ignore[misc, valid-type]
        @classmethod
        def __dispatch_key__(cls) -> str:
            return "process, one at a time"

        async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
            held = set(self.limiter.statistics().borrowers)
            free = [entry for entry in flow_run_response if entry.flow_run.id not in held]
            return list(await super()._submit_scheduled_flow_runs(free))

    return Worker
