"""Server, deployments and worker on this machine: what `cueflow serve` starts and ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.roots import ROOTS, known_roots, parse_roots, root_text
from cueflow.flows.serving.automations import Notify, automate
from cueflow.flows.serving.secret import sign_in
from cueflow.schemas.errors import ConfigError

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

HOST = "127.0.0.1"
_START_LIMIT_S = 240.0  # a cold machine imports for minutes
_STOP_LIMIT_S = 20.0
# Small batches make the server's records of 1,000 sessions incomplete (its queue drops what waits too long).
_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "200",
}
# A run says that it is alive: the automation `DEAD` marks those that fell silent. Who presses a button does not want to
# wait for the 10 s that are Prefect's default for looking.
_RUNS = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: a dataset, its tables, and when.

    `cron` is empty for no schedule; `extra_roots` are further folders that forms may name; `notify` says who is told of
    failures; `pages` is where runs leave pages of their sessions.
    """

    dataset: Path
    tables: Path
    dataset_name: str
    config: Path | None
    fusion_model: Path | None
    workers: int
    cron: str
    timezone: str
    extra_roots: tuple[Path, ...] = ()
    notify: Notify | None = None
    pages: Path | None = None

    @property
    def roots(self) -> dict[str, Path]:
        """Folders that forms may name, by the name they use."""
        own = {
            "dataset": self.dataset,
            "tables": self.tables,
            "model": self.tables.with_name(f"{self.tables.name}-model"),
            "config": self.config,
            "fusion-model": self.fusion_model,
            "pages": self.pages,
        }
        named = {name: path for name, path in own.items() if path is not None}
        return parse_roots(",".join(str(path) for path in self.extra_roots)) | named


@contextmanager
def server(port: int, *, cron: str, timezone: str) -> Iterator[tuple[str, Path | None]]:
    """Run Prefect's server, on this machine only and with a password, for as long as the block runs.

    A port in use, a schedule that cannot be read or a server that does not start is a `ConfigError`.

    Parameters
    ----------
    port : int
        Where it listens.
    cron : str
        Schedule that will be served, checked before anything is started; empty: none.
    timezone : str
        Of the schedule.

    Yields
    ------
    tuple
        Address of the UI, and the file that holds the line to sign in with (None: the environment has it).
    """
    _refuse_taken(port)
    ui, api = f"http://{HOST}:{port}", f"http://{HOST}:{port}/api"
    password = sign_in()
    os.environ["PREFECT_API_URL"] = api  # Prefect reads it when it is imported, which must not have happened yet
    _check_schedule(cron, timezone)
    environment = dict(os.environ)
    for name, value in _SERVER.items():
        environment.setdefault(name, value)
    for name, value in _RUNS.items():
        os.environ.setdefault(name, value)
    # The UI runs in the browser and must know where the API is; Prefect's own default is port 4200.
    environment["PREFECT_SERVER_UI_API_URL"] = api
    environment["PREFECT_SERVER_LOGGING_LEVEL"] = environment.get("PREFECT_SERVER_LOGGING_LEVEL", "WARNING")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    # A session of its own: Ctrl-C reaches us first, so that runs end before their server does.
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _await_health(process, api)
        yield ui, password
    finally:
        _end(process)


def deployments(served: Served) -> list[RunnerDeployment]:
    """The deployments of a dataset: extract (with the schedule), reprocess, train, maintain.

    Parameters
    ----------
    served : Served
        What is served.

    Returns
    -------
    list of RunnerDeployment
        For `prefect.serve`.
    """
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment as Deployment
    from prefect.types.entrypoint import EntrypointType

    from cueflow.flows.deployments.extract import extract
    from cueflow.flows.deployments.maintain import maintain
    from cueflow.flows.deployments.reprocess import reprocess
    from cueflow.flows.deployments.training import train

    common: dict[str, Any] = {
        "dataset": "dataset",
        "tables": "tables",
        "dataset_name": served.dataset_name,
        "config": "config" if served.config else "",
        "fusion_model": "fusion-model" if served.fusion_model else "",
        "workers": served.workers,
        "pages": "pages" if served.pages else "",
    }
    learned = {"tables": "tables", "labels": "dataset/labels.csv", "out": "model"}
    schedules = [CronSchedule(cron=served.cron, timezone=served.timezone)] if served.cron else None
    flows: dict[str, tuple[Any, dict[str, Any]]] = {
        "extract": (extract, {"parameters": common, "schedules": schedules}),
        "reprocess": (reprocess, {"parameters": common}),
        "train": (train, {"parameters": learned}),
        "maintain": (maintain, {"parameters": {"tables": "tables"}}),
    }
    made = [
        flow.to_deployment(name, entrypoint_type=EntrypointType.MODULE_PATH, **more)
        for name, (flow, more) in flows.items()
    ]
    return [deployment for deployment in made if isinstance(deployment, Deployment)]


def work(served: Served, *, ready: Callable[[], None]) -> None:
    """Register the deployments and run what is scheduled or asked for, one run at a time, until interrupted.

    Parameters
    ----------
    served : Served
        What is served.
    ready : callable
        Called when all is set up.
    """
    os.environ[ROOTS] = root_text(dict(known_roots()) | served.roots)
    from prefect import serve

    made = deployments(served)
    automate(served.notify)
    ready()
    # One at a time: tables have one writer, and a second run waits here instead of being refused by the lock.
    serve(*made, limit=1, print_starting_message=False)


def _check_schedule(cron: str, timezone: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        if cron:
            CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        raise ConfigError('The schedule cannot be read: give five fields, "0 2 * * *" is every day at 2.') from error


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise ConfigError(f"Port {port} is in use: choose another with --port.")


def _await_health(process: subprocess.Popen[bytes], api: str) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ConfigError("Prefect's server ended at its start: the lines above say why.")
        if _healthy(api):
            return
        time.sleep(0.3)
    raise ConfigError(f"Prefect's server did not answer within {_START_LIMIT_S:.0f} s.")


def _healthy(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
