"""A server that is gone for good does not keep a run that has done its work."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from cueflow.flows.deployments import events
from cueflow.flows.deployments.events import PatientEvents


def test_a_server_that_is_gone_is_not_asked_for_each_event(monkeypatch):
    monkeypatch.setattr(events, "_FAILURES", 2)
    tried = []

    async def gone(self):
        tried.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(PatientEvents, "_reconnect", gone)
    event = SimpleNamespace(id="e")

    async def tell():
        client = PatientEvents(api_url="http://127.0.0.1:9/api", reconnection_attempts=0)
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await client._emit(event)
        for _ in range(1000):
            await client._emit(event)
        client._again_at = 0.0  # a minute later: asked once more, and given up at once
        with pytest.raises(ConnectionRefusedError):
            await client._emit(event)
        await client._emit(event)

    asyncio.run(tell())
    assert len(tried) == 3
