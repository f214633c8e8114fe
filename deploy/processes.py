"""The services of docker-compose.yml as processes of this machine, where no container engine is.

python deploy/processes.py FOLDER --dataset COHORT --tables TABLES    # until Ctrl-C

Commands and settings are those of docker-compose.yml and deploy/stack.env; addresses and folders are this machine's.
PostgreSQL and Redis come from packages (`postgresql`, `redis-server`), the store from `moto[server]`.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

ROOT = Path(__file__).resolve().parents[1]
JOBS = ("migrate", "deploy")  # they end; the others stay
_ORDER = ("postgres", "redis", "store", "migrate", "api", "services", "deploy", "worker", "compute", "metrics")
_PORTS = {"postgres": 5432, "redis": 6379, "store": 8333, "api": 4200, "metrics": 9464}
_START_LIMIT_S = 240.0


def missing() -> str:
    """What this machine lacks for the stack, as a sentence; empty where nothing is missing."""
    programs = {"PostgreSQL": _postgres("postgres"), "Redis": shutil.which("redis-server"), "moto": _moto()}
    lacking = [name for name, found in programs.items() if not found]
    return f"not installed here: {', '.join(lacking)}" if lacking else ""


class Stack:
    """The services, each a process group that can be killed and started again.

    Parameters
    ----------
    folder : Path
        New; takes databases, secrets, logs and the working folders of the workers.
    dataset, tables : Path
        What the stack mounts.
    settings : mapping, optional
        In place of those of stack.env.
    """

    def __init__(self, folder: Path, *, dataset: Path, tables: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self._places = {
            "/data/dataset": str(dataset),
            "/data/tables": str(tables),
            "/home/cueflow": str(folder / "home"),
            "/app/prefect.yaml": str(ROOT / "prefect.yaml"),
            "/app/with-broker.py": str(ROOT / "deploy" / "with-broker.py"),
        }
        self._services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
        self._settings = dict(settings or {})
        self._data = Path(tempfile.mkdtemp(prefix="cueflow-postgres-"), "data")  # its own user must reach it
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for part in (folder, tables, folder / "home"):
            part.mkdir(parents=True, exist_ok=True)
        at = {
            f"{kind}_AT": f"127.0.0.1:{self._ports[name]}"
            for kind, name in (("DATABASE", "postgres"), ("REDIS", "redis"))
        }
        command = [str(ROOT / "deploy" / "make-secrets.sh"), str(folder / "secrets")]
        subprocess.run(command, env=os.environ | at, check=True)

    @property
    def api(self) -> str:
        """Address of Prefect's API."""
        return f"http://127.0.0.1:{self._ports['api']}/api"

    @property
    def metrics(self) -> str:
        """Address of the metrics."""
        return f"http://127.0.0.1:{self._ports['metrics']}/metrics"

    def secret(self, name: str) -> str:
        """What a file of secrets holds."""
        return (self.folder / "secrets" / name).read_text("utf-8").strip()

    def ask(self, path: str, body: object = None, *, patient_s: float = 60.0) -> Any:  # noqa: ANN401 - JSON
        """Ask Prefect's API; a server that is away is asked again for a while."""
        word = base64.b64encode(self.secret("api_auth").encode()).decode()
        head = {"content-type": "application/json", "authorization": f"Basic {word}"}
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.api}{path}", data=data, headers=head)  # noqa: S310 - our own address
        deadline = time.monotonic() + patient_s
        while True:
            try:
                with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310 - our own address
                    return json.load(answer)
            except (OSError, http.client.HTTPException) as error:
                final = isinstance(error, urllib.error.HTTPError) and error.code < 500
                if final or time.monotonic() > deadline:
                    raise
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
            time.sleep(0.5)

    def start_run(self, name: str, **parameters: object) -> str:
        """Ask for a run of a deployment; its id."""
        made = self.ask(f"/deployments/name/{name}/{name}")
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"/deployments/{made['id']}/create_flow_run", body)["id"])

    def state(self, run: str) -> str:
        """Name of a run's state: Running, Completed, Crashed and so on."""
        return str(self.ask(f"/flow_runs/{run}")["state"]["name"])

    def __enter__(self) -> Self:
        try:
            self._prepare_database()
            for name in _ORDER[1:]:
                self.start(name)
                self.wait_ready(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, *, service: str = "") -> None:
        """Start a service; a second worker of a kind has a name of its own, and `service` says which kind it is."""
        service = service or name
        own = {"postgres": self._database, "redis": self._redis, "store": self._store}
        command, environment, user = own[service]() if service in own else self._ours(name, service)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=user,
                start_new_session=True,
            )

    def wait_ready(self, name: str) -> None:
        """Wait until a service answers, or a job has ended well."""
        process, deadline = self.processes[name], time.monotonic() + _START_LIMIT_S
        while not self._ready(name):
            if time.monotonic() > deadline or (name not in JOBS and process.poll() is not None):
                raise SystemExit(f"{name} did not start: {(self.folder / f'{name}.log').read_text('utf-8')[-2000:]}")
            time.sleep(0.1)
        if name in JOBS and process.wait():
            raise SystemExit(f"{name} failed: {(self.folder / f'{name}.log').read_text('utf-8')[-2000:]}")

    def kill(self, name: str) -> None:
        """Kill a service with signal 9 and all its children, as when its machine dies."""
        process = self.processes.pop(name)
        for pid in tree(process.pid):
            kill_process(pid)
        process.wait()

    def stop(self) -> None:
        """End everything, last started first."""
        for name in reversed(tuple(self.processes)):
            self.processes[name].send_signal(signal.SIGTERM if name != "postgres" else signal.SIGINT)
        for name in reversed(tuple(self.processes)):
            with suppress(subprocess.TimeoutExpired):
                self.processes[name].wait(20)
            self.kill(name)
        shutil.rmtree(self._data.parent, ignore_errors=True)

    def _ready(self, name: str) -> bool:
        if name in JOBS:
            return self.processes[name].poll() is not None
        if name == "api":
            return _answers(f"{self.api}/health")
        if name == "postgres":
            ready = [_postgres("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._ports[name]), "-d", "prefect"]
            return subprocess.run(ready, check=False).returncode == 0
        if name in self._ports:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._ports[name])) == 0
        return True

    def _ours(self, name: str, service: str) -> tuple[list[str], dict[str, str], None]:
        said = self._services[service]
        lines = (ROOT / "deploy" / "stack.env").read_text("utf-8").splitlines()
        settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        settings |= {key: str(value) for key, value in said.get("environment", {}).items()} | self._settings
        ours = ("PREFECT_", "CUEFLOW_ROOTS", "CUEFLOW_CACHE", "AWS_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        settings = {key: self._here(value, name) for key, value in settings.items()}
        command = [self._here(word, name) for word in said["command"]]
        command = [str(self._ports[service]) if word == str(_PORTS.get(service)) else word for word in command]
        entry = [sys.executable, str(ROOT / "deploy" / "with-secrets.py")]
        if command[0] == "python":
            entry, command = [*entry, sys.executable, command[1]], command[2:]
        entry += [sys.executable, "-m"]
        secrets = {"CUEFLOW_SECRETS": str(self._secrets_of(name, said.get("secrets", ())))}
        return entry + command, kept | settings | secrets, None

    def _here(self, text: str, name: str) -> str:
        """An address or folder of the stack, on this machine."""
        for service, port in _PORTS.items():
            text = text.replace(f"//{service}:{port}", f"//127.0.0.1:{self._ports[service]}")
        text = text.replace(":4200", f":{self._ports['api']}").replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - it is what is replaced
        for place, here in {**self._places, "/data/scratch": str(self.folder / f"scratch-{name}")}.items():
            text = text.replace(place, here)
        return text

    def _secrets_of(self, name: str, wanted: Sequence[str]) -> Path:
        """A folder with the secrets that a service may see, and no others."""
        folder = self.folder / f"secrets-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for secret in wanted:
            shutil.copy(self.folder / "secrets" / secret, folder / secret)
        return folder

    def _prepare_database(self) -> None:
        user, word = _unprivileged("postgres"), self._data.parent / "password"
        shutil.copy(self.folder / "secrets" / "database_password", word)
        if user:
            for path in (self._data.parent, word):
                shutil.chown(path, user)
        init = [_postgres("initdb"), "-D", str(self._data), "-U", "prefect", "--auth", "scram-sha-256"]
        subprocess.run([*init, "--pwfile", str(word)], check=True, stdout=subprocess.DEVNULL, user=user)
        word.unlink()
        self.start("postgres")
        self.wait_ready("postgres")
        make = [
            _postgres("createdb"),
            "-h",
            "127.0.0.1",
            "-p",
            str(self._ports["postgres"]),
            "-U",
            "prefect",
            "prefect",
        ]
        subprocess.run(make, env=os.environ | {"PGPASSWORD": self.secret("database_password")}, check=True)

    def _database(self) -> tuple[list[str], dict[str, str], str | None]:
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={self._ports['postgres']}"]
        command = [
            _postgres("postgres"),
            "-D",
            str(self._data),
            "-c",
            "unix_socket_directories=",
            *options,
        ]
        return command, dict(os.environ), _unprivileged("postgres")

    def _redis(self) -> tuple[list[str], dict[str, str], None]:
        data = self.folder / "redis"
        data.mkdir(exist_ok=True)
        said = [self._here(word, "redis") for word in self._services["redis"]["command"]]
        said = [
            str(self.folder / "secrets" / "redis.conf") if word.startswith("/run/secrets") else word for word in said
        ]
        return (
            [*said, "--bind", "127.0.0.1", "--port", str(self._ports["redis"]), "--dir", str(data)],
            dict(os.environ),
            None,
        )

    def _store(self) -> tuple[list[str], dict[str, str], None]:
        return (
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._ports["store"])],
            dict(os.environ),
            None,
        )


def _moto() -> bool:
    from importlib.util import find_spec

    return find_spec("moto") is not None and find_spec("flask") is not None


def _postgres(program: str) -> str:
    """Path of a program of PostgreSQL, which Debian keeps off the path; empty where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return str(found[-1]) if found else shutil.which(program) or ""


def _unprivileged(user: str) -> str | None:
    """Whom to become: PostgreSQL does not run as root."""
    return user if os.geteuid() == 0 else None


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def tree(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [grown for child in path.read_text().split() for grown in tree(int(child))]
        except OSError:
            continue
    return found


def kill_process(pid: int) -> None:
    """Kill a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Run the stack until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new; takes databases, secrets and logs")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True)
    said = parser.parse_args(arguments)
    if lacking := missing():
        raise SystemExit(f"The stack needs more than is here: {lacking}.")
    with Stack(said.folder.resolve(), dataset=said.dataset.resolve(), tables=said.tables.resolve()) as stack:
        print(f"{stack.api.removesuffix('/api')}; sign in with the line in {stack.folder / 'secrets' / 'api_auth'}.")
        print("Ctrl-C stops.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("Stopping …")


if __name__ == "__main__":
    main(sys.argv[1:])
