"""The worker of a pool: a run that is resumed while its last process is still ending waits, and the worker lives."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import anyio
import pytest
from prefect.workers.process import ProcessWorker  # noqa: TID251 - ours is compared with it

from cueflow.flows.serving.worker import patient, work
from cueflow.schemas.errors import ConfigError


def scheduled(*ids):
    return [SimpleNamespace(flow_run=SimpleNamespace(id=number)) for number in ids]


async def looked(worker_type, held, found):
    """What a worker makes of the runs it finds while it holds a place for one of them."""
    worker = worker_type(work_pool_name="cueflow", limit=1)
    worker._limiter = anyio.CapacityLimiter(1)
    worker._limiter.acquire_on_behalf_of_nowait(held)
    return await worker._submit_scheduled_flow_runs(scheduled(*found))


def test_a_run_whose_last_process_is_still_ending_waits():
    first, second = uuid4(), uuid4()
    with pytest.raises(RuntimeError, match="already holding"):  # what Prefect's own worker dies of
        asyncio.run(looked(ProcessWorker, first, [first]))
    ours = patient(ProcessWorker)
    assert asyncio.run(looked(ours, first, [first])) == []
    assert asyncio.run(looked(ours, first, [first, second])) == []  # one at a time


def test_a_worker_without_a_server_says_so(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(ConfigError, match="PREFECT_API_URL"):
        work("cueflow", name="", tell=print)
