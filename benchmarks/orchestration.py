"""What Prefect costs a session when the work itself does nothing, against a plain loop in one process.

python benchmarks/orchestration.py GRANULARITY SESSIONS…    # default: every granularity at 300, 1000 and 2000

A server of its own (SQLite, messages in memory) is started for it; three stages a session, tables not written. Each is
run three times. "Recorded" is the share of the tasks that the server has written down in the end, and after how long:
its queue in memory drops what comes faster than it writes, Redis as broker does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from measure import heading

from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.serving.server import server
from cueflow.flows.work.compute import Computer, computing_with
from cueflow.flows.work.jobs import Outcome, StageJob
from cueflow.schemas.config import Config
from cueflow.schemas.session import Group, Modality, Stream

_PORT = 4299
_TIMES = 3
_RECORDS_STILL_S = 20.0
_KINDS = (Granularity.MODALITY, Granularity.SESSION, Granularity.CHUNK)


class NoPool:
    """Does nothing, at once."""

    def run(self, job: StageJob, **_: object) -> Outcome:
        """Nothing."""
        return Outcome(None, "", 0.0)


class NoTables:
    """Writes nothing; counts."""

    halted = False

    def __init__(self) -> None:
        self.stages = 0

    def start(self, session: str) -> None:
        """Nothing."""

    def finish(self, session: str, done: Mapping[Group, Outcome]) -> None:
        """Count."""
        self.stages += sum(outcome.reason is None for outcome in done.values())

    def failed(self, session: str) -> None:
        """Stop: the figure would be wrong."""
        raise SystemExit(f"{session} failed")


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    kinds = [Granularity(arguments[0])] if arguments else _KINDS
    sizes = [int(size) for size in arguments[1:]] or [300, 1000, 2000]
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PREFECT_HOME": folder, "PREFECT_LOGGING_LEVEL": "ERROR"}
        os.environ["PREFECT_SERVER_LOGGING_LEVEL"] = "CRITICAL"
        with server(_PORT, cron="", timezone="UTC"):
            from prefect import flow

            from cueflow.flows.deployments.engine import task_runner
            from cueflow.flows.deployments.fan_out import CHUNK, Unit, fan_out

            @flow(task_runner=task_runner(), persist_result=False)
            def orchestrate(kind: str, sessions: int) -> tuple[float, float]:
                units = [Unit(f"S{n:05}", _jobs(folder, n)) for n in range(sessions)]
                tables = NoTables()
                started, worked = time.perf_counter(), time.process_time()
                with computing_with(Computer(NoPool())):
                    fan_out(units, tables, granularity=Granularity(kind), in_flight=4)
                spent = time.perf_counter() - started, time.process_time() - worked
                if tables.stages != 3 * sessions:
                    raise SystemExit(f"{tables.stages} stages instead of {3 * sessions}")
                return spent

            print(heading("Orchestration with no-op work"))
            print(f"Load of the machine before: {os.getloadavg()[0]:.1f}. Processor: of the flow's own process.\n")
            print(
                "| granularity | sessions | ms a session, best / median | processor, ms | plain loop, ms | recorded |"
            )
            print("|---|---|---|---|---|---|")
            for kind in kinds:
                for sessions in sizes:
                    tasks = {"modality": 4 * sessions, "session": sessions}.get(kind, -(-sessions // CHUNK))
                    before, runs = _recorded(), []
                    for _ in range(_TIMES):
                        runs.append((*orchestrate(kind, sessions), _loop(folder, sessions)))
                        now, late = _await_records(before + tasks)
                        known, before = (now - before) / tasks, now
                    wall, own, plain = zip(*([1000 * s / sessions for s in run] for run in runs), strict=True)
                    print(
                        f"| {kind} | {sessions} | {min(wall):.2f} / {median(wall):.2f} | {min(own):.2f} | "
                        f"{min(plain):.3f} | {known:.0%} after {late:.0f} s |",
                        flush=True,
                    )


def _await_records(wanted: int) -> tuple[int, float]:
    """Wait until the server has written down all tasks, or nothing for a while: how many, after how many seconds."""
    started, found, moved = time.perf_counter(), _recorded(), time.perf_counter()
    while found < wanted and time.perf_counter() - moved < _RECORDS_STILL_S:
        time.sleep(0.5)
        if (now := _recorded(found)) != found:
            found, moved = now, time.perf_counter()
    return found, moved - started


def _recorded(last: int = 0) -> int:
    """How many task runs the server knows; `last` where it is too busy to say."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    with get_client(sync_client=True) as client, suppress(PrefectHTTPStatusError):
        return int(client.request("POST", "/task_runs/count", json={}).json())
    return last


def _loop(folder: str, sessions: int) -> float:
    """The same work without Prefect, one session after the other."""
    units = [(f"S{n:05}", _jobs(folder, n)) for n in range(sessions)]
    tables, computer = NoTables(), Computer(NoPool())
    started = time.perf_counter()
    for session, jobs in units:
        tables.finish(session, {job.group: computer.compute(job) for job in jobs})
    return time.perf_counter() - started


def _jobs(folder: str, number: int) -> tuple[StageJob, ...]:
    streams = {Group.VIDEO: Modality.VIDEO, Group.AUDIO: Modality.AUDIO, Group.PHYSIOLOGY: Modality.ECG}
    return tuple(
        StageJob(
            group=group,
            dataset_root=folder,
            tables_root=str(Path(folder, "tables")),
            dataset="d",
            session_id=f"S{number:05}",
            key="0" * 64,
            streams=(Stream(modality, "nothing"),),
            input_sha256={"nothing": ""},
            markers=(),
            exclusions=(),
            config=Config(),
        )
        for group, modality in streams.items()
    )


if __name__ == "__main__":
    main(sys.argv[1:])
