"""Logs as lines of JSON, for programs that gather them."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

# What Prefect adds to the records of a run; a session's id is in the name of its task, a subject's is nowhere.
_NAMES = ("flow_name", "flow_run_name", "flow_run_id", "task_name", "task_run_name", "worker_name", "work_pool_name")
_SETTINGS = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": f"{__name__}.JsonLines",
}


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, its run and task, the trace of an error."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()  # Prefect's configuration names a format that is none of %-style

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        said = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        said |= {name: str(value) for name in _NAMES if (value := getattr(record, name, None))}
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def log_json() -> None:
    """Have Prefect, in this process and in those that it starts, log so; must come before Prefect is imported."""
    os.environ |= _SETTINGS
