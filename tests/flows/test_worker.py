"""The worker of a pool: a run that is resumed while its last process is still ending waits, and the worker lives."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace
from uuid import uuid4

import anyio
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: TID251 - as the environment does
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


def test_a_server_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("cueflow.flows.serving.worker._PATIENCE_S", 0.0)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}/api")
        with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{nobody.getsockname()[1]}/api"}):
            told = []
            with pytest.raises(ConfigError, match="No server answers"):
                work("cueflow", name="", tell=told.append)
