"""What was done and how fast, as Prometheus text: from the tables, which are the truth, and the log of runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.schemas.errors import ConfigError
from cueflow.schemas.session import Group
from cueflow.storage.atomic import disk_errors
from cueflow.storage.layout import state_dir
from cueflow.storage.tables import read_sessions

if TYPE_CHECKING:
    import polars as pl
    from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One line of the log of runs: counts, no ids of sessions.

    `computed` and `cached` count stages by name; `statuses` counts sessions; `seconds` is the run's own length.
    """

    run_id: str
    ended_utc: str
    seconds: float
    granularity: str
    statuses: Mapping[str, int]
    unchanged: int
    computed: Mapping[str, int]
    cached: Mapping[str, int]


def log_run(tables: Path, record: RunRecord) -> None:
    """Add a line to the log of runs of TABLES."""
    fields = {name: getattr(record, name) for name in RunRecord.__slots__}
    with disk_errors("writing the log of runs"), _log(tables).open("a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


def read_runs(tables: Path) -> list[dict[str, Any]]:
    """Lines of the log of runs; one that was cut counts as none."""
    try:
        lines = _log(tables).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def metrics_text(tables: Path) -> str:
    """All metrics of TABLES in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(tables))
    return generate_latest(registry).decode()


def serve_metrics(tables: Path, *, port: int, host: str = "127.0.0.1") -> None:
    """Answer GET /metrics from a thread of this process, read anew each time.

    Parameters
    ----------
    tables : Path
        TABLES; may still be empty.
    port : int
        Where to listen.
    host : str, optional
        On which address; this machine only, unless said otherwise.

    Raises
    ------
    ConfigError
        If the port is in use.
    """
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(_Collector(tables))
    try:
        start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigError(f"Port {port} is in use: choose another for the metrics.") from error


class _Collector:
    """Reads the tables when it is asked."""

    def __init__(self, tables: Path) -> None:
        self._tables = tables

    def describe(self) -> list[Metric]:
        """Nothing: names are known when the tables are read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics, now."""
        if (self._tables / "sessions").is_dir():
            yield from _of_sessions(read_sessions(self._tables))
        yield from _of_runs(read_runs(self._tables))


def _of_sessions(rows: pl.DataFrame) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, SummaryMetricFamily

    by_status = GaugeMetricFamily("cueflow_sessions", "Sessions in the tables.", labels=["status"])
    for status, count in Counter(rows["status"].to_list()).items():
        by_status.add_metric([status], count)
    yield by_status
    by_reason = GaugeMetricFamily("cueflow_sessions_not_ok", "Degraded and failed sessions.", labels=["reason"])
    for reason, count in Counter(rows.filter(rows["status"] != "ok")["reason"].to_list()).items():
        by_reason.add_metric([reason or "none"], count)
    yield by_reason
    recent = len(rows.filter(rows["finished_utc"] > datetime.now(UTC) - timedelta(hours=1)))
    yield GaugeMetricFamily("cueflow_sessions_last_hour", "Sessions written within the last hour.", value=recent)
    spent = SummaryMetricFamily("cueflow_stage_seconds", "Processing time of the stages.", labels=["stage"])
    for group in Group:
        seconds = rows[f"{group}_seconds"].drop_nulls()
        seconds = seconds.filter(seconds > 0)
        spent.add_metric([group], count_value=len(seconds), sum_value=float(sum(seconds)))
    yield spent


def _of_runs(runs: list[dict[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    yield CounterMetricFamily("cueflow_runs", "Runs that ended.", value=len(runs))
    stages = CounterMetricFamily("cueflow_stages", "Stages of sessions that ran.", labels=["stage", "source"])
    for source in ("computed", "cached"):
        totals: Counter[str] = Counter()
        for run in runs:
            totals.update(run.get(source, {}))
        for group in Group:
            stages.add_metric([group, source], totals[group])
    yield stages


def _log(tables: Path) -> Path:
    return state_dir(tables) / "runs.jsonl"
