"""What a run tells Prefect's server besides its results: events, of which the server makes its records of tasks."""

from __future__ import annotations

import logging
import time
from typing import Any

from prefect.events.clients import PrefectEventsClient
from prefect.events.schemas.events import Event
from prefect.events.worker import EventsWorker, emit_events_to_cloud, should_emit_events_to_running_server

_FAILURES = 8  # each takes Prefect's client about 7 s of trying: a server that starts again is back by then
_PAUSE_S = 60.0
_logger = logging.getLogger("cueflow.events")


class PatientEvents(PrefectEventsClient):
    """Gives up for a while where the server has been gone for a minute.

    Prefect's own client tries each event anew: a run that has written its tables, and has a thousand events left when
    its server goes, would wait for hours before it ends. What is dropped is missing in the UI only.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of Prefect's client
        super().__init__(**options)
        self._failed, self._again_at = 0, 0.0

    async def _emit(self, event: Event) -> None:
        if time.monotonic() < self._again_at:
            return
        try:
            await super()._emit(event)
        except Exception:
            self._failed += 1
            if self._failed >= _FAILURES:
                _logger.warning("Prefect's server does not answer: its records of this run will have gaps")
                self._again_at = time.monotonic() + _PAUSE_S
            raise
        self._failed = 0


def be_patient() -> None:
    """Have this process tell its events so, where it has a server of its own that may go."""
    if should_emit_events_to_running_server() and not emit_events_to_cloud():
        EventsWorker.set_client_override(PatientEvents)
