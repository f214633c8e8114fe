"""Computing spread over several flow runs: each fills the stage cache for its share, and writes no table.

The run that asked for it then finds the results, computes what is still missing, and stays the tables' one writer. So
the machines need nothing in common but the recordings and the cache (TABLES, or the store of CUEFLOW_CACHE).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling
from pydantic import Field

from cueflow.flows.deployments.engine import stop_if_suspended, task_runner
from cueflow.flows.deployments.fan_out import IN_FLIGHT, Unit, fan_out
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.planning.options import chosen_sessions
from cueflow.flows.planning.plan import Plan, Request, SessionPlan, plan_run
from cueflow.flows.roots import allowed, optional
from cueflow.flows.work.compute import worker_processes
from cueflow.flows.work.jobs import Outcome
from cueflow.flows.work.limits import expected_s, minutes
from cueflow.schemas.config import load_config
from cueflow.schemas.errors import ConfigError, CueflowError
from cueflow.schemas.session import Group
from cueflow.storage.caches.shared_cache import shared_cache
from cueflow.storage.fingerprints import HashMemo
from cueflow.storage.layout import state_dir, worker_log
from cueflow.tasks.ingest.dataset import read_dataset

COMPUTE = "compute/compute"
SHARE = "CUEFLOW_SHARE_S"
LEAST_S = 300.0  # starting a flow run costs up to 22 s: a share is worth that from here on
_LOOK_EVERY_S = 3.0


@flow(
    name="compute",
    task_runner=task_runner(),
    persist_result=False,
)
@form
def compute(  # noqa: PLR0913 - flat parameters become the form in Prefect's UI
    *,
    dataset: str,
    tables: str,
    manifest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")],
    dataset_name: str = "",
    modalities: tuple[Group, ...] = (),
    config: str = "",
    workers: Annotated[int, Field(ge=1, le=256)] = 2,
    granularity: Granularity = Granularity.AUTO,
    force: bool = False,
) -> State[Any] | None:
    """Compute the stages of some sessions into the cache; other runs of extract and reprocess start this.

    Parameters
    ----------
    dataset : str
        Root (or a folder below one, ROOT/below/it) with a manifest or a BIDS tree.
    tables : str
        Root of the tables, or a folder of this machine for what is computed where CUEFLOW_CACHE names a store.
    manifest : str
        Name of the list of sessions, made by the run that asks.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    modalities : tuple of Group
        Only these stages; empty: all.
    config : str
        Configuration file, below a root; empty: the defaults.
    workers : int
        Worker processes, 1 to 256.
    granularity : Granularity
        What one task is.
    force : bool
        Compute again what has not changed.

    Returns
    -------
    State or None
        A failed state where the dataset, the configuration or the list cannot be used.
    """
    try:
        where, to = allowed(dataset), allowed(tables)
        loaded = chosen_sessions(read_dataset(where, name=dataset_name or None), _read_manifest(to, manifest))
        request = Request(to, load_config(optional(config)), frozenset(modalities or Group), force)
        plan = plan_run(loaded, request, written={}, file_hash=HashMemo(to).sha256)
    except CueflowError as error:
        return refused(error)
    units = [Unit(p.session.session_id, p.jobs) for p in plan.todo if p.jobs]
    found = _Counted()
    state_dir(to).mkdir(parents=True, exist_ok=True)
    with worker_processes(workers, log=worker_log(to)):
        fan_out(units, found, granularity=granularity.for_sessions(len(units)), in_flight=IN_FLIGHT * workers)
    get_run_logger().info("%d stages computed, %d failed", found.good, found.bad)
    return None


class _Counted:
    """Counts stages; their results are in the cache."""

    halted = False

    def __init__(self) -> None:
        self.good = self.bad = 0

    def start(self, session: str) -> None:
        """Nothing."""

    def finish(self, session: str, done: Mapping[Group, Outcome]) -> None:
        """Count; what failed is tried again, and recorded, by the run that asked."""
        self.good += sum(outcome.reason is None for outcome in done.values())
        self.bad += sum(outcome.reason is not None for outcome in done.values())

    def failed(self, session: str) -> None:
        """Nothing can have failed here."""


def run_shards(plan: Plan, parameters: Mapping[str, Any], *, tables: Path, shards: int) -> int:
    """Have other flow runs compute a plan's stages, and wait for them.

    Parameters
    ----------
    plan : Plan
        What has to be done.
    parameters : mapping
        Parameters of `compute`, less the list of sessions.
    tables : Path
        TABLES, which keeps the lists where no store is shared.
    shards : int
        How many runs at most; fewer where a share would be less than five minutes of work.

    Returns
    -------
    int
        Runs that were started. A run that crashes is no trouble: what it did not compute is computed by its asker.

    Raises
    ------
    ConfigError
        If the server knows no deployment `compute`.
    """  # noqa: DOC502  raised where the runs are started
    shares = split(plan.todo, shards, least_s=_least_s())
    if len(shares) < 2:
        return 0
    waiting = [_start(sessions, parameters, tables) for sessions in shares]
    get_run_logger().info("%d runs of `compute` share %d sessions", len(waiting), len(plan.todo))
    with get_client(sync_client=True) as client:
        try:
            for run_id in waiting:
                _await(client, run_id)
        except BaseException:  # who cancels or pauses this run means its shares, too
            for run_id in waiting:
                with suppress(Exception):  # what ends this run is said, not what its server answers now
                    client.set_flow_run_state(run_id, Cancelling())
            raise
    return len(waiting)


def _await(client: SyncPrefectClient, run_id: UUID) -> None:
    """Wait until a run has ended.

    Raises
    ------
    ConfigError
        If somebody deleted it.
    """
    try:
        while not client.read_flow_run(run_id).state.is_final():  # type: ignore[union-attr]
            stop_if_suspended()
            time.sleep(_LOOK_EVERY_S)
    except ObjectNotFound as error:
        raise ConfigError("A run of `compute` was deleted while others waited for it: start again.") from error


def split(plans: Sequence[SessionPlan], shards: int, *, least_s: float = LEAST_S) -> list[tuple[str, ...]]:
    """Sessions in shares of about equal work.

    Parameters
    ----------
    plans : sequence of SessionPlan
        What has to be done.
    shards : int
        How many shares at most.
    least_s : float, optional
        Work that a share must hold, in s of one core.

    Returns
    -------
    list of tuple of str
        Session ids; each session that has anything to compute is in exactly one share.
    """
    work = {p.session.session_id: sum(expected_s(job.group, minutes(job)) for job in p.jobs) for p in plans if p.jobs}
    count = max(1, min(shards, int(sum(work.values()) // least_s) if least_s else shards, len(work)))
    shares: list[list[str]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for session in sorted(work, key=lambda name: (-work[name], name)):
        least = loads.index(min(loads))
        shares[least].append(session)
        loads[least] += work[session]
    return [tuple(sorted(share)) for share in shares if share]


def _least_s() -> float:
    """Work that a share must hold: what CUEFLOW_SHARE_S says, for trying shares out.

    Raises
    ------
    ConfigError
        If that is no number.
    """
    try:
        return float(os.environ.get(SHARE, LEAST_S))
    except ValueError as error:
        raise ConfigError(f"{SHARE} wants a number of seconds.") from error


def _start(sessions: tuple[str, ...], parameters: Mapping[str, Any], tables: Path) -> UUID:
    """Start a run, once: a second asker of the same share gets the same run, unless that one ended badly.

    Raises
    ------
    ConfigError
        If the server knows no deployment `compute`.
    """
    text = json.dumps({"sessions": sessions})
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    _write_manifest(tables, name, text)
    asked = hashlib.sha256(json.dumps([name, dict(parameters)], sort_keys=True).encode()).hexdigest()
    for attempt in range(1000):
        try:
            made = run_deployment(
                COMPUTE,
                parameters={**parameters, "manifest": name},
                idempotency_key=f"{asked}:{attempt}",
                timeout=0,
            )
        except ObjectNotFound as error:
            message = "The server knows no deployment `compute`: shards need a work pool (`cueflow deploy`)."
            raise ConfigError(message) from error
        assert isinstance(made, FlowRun)  # noqa: S101 - run_deployment is called from a synchronous flow
        if made.state is None or not made.state.is_final():
            return made.id
    raise ConfigError("A share of the work ended a thousand times: look at the runs of `compute`.")


def _write_manifest(tables: Path, name: str, text: str) -> None:
    if (shared := shared_cache()) is not None:
        shared.put_text(f"shards/{name}.json", text)
        return
    path = state_dir(tables) / "shards" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _read_manifest(tables: Path, name: str) -> tuple[str, ...]:
    try:
        shared = shared_cache()
        path = state_dir(tables) / "shards" / f"{name}.json"
        raw = shared.text(f"shards/{name}.json") if shared is not None else path.read_text(encoding="utf-8")
        listed = json.loads(raw)["sessions"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("The list of sessions of this run is not there: start the asking run again.") from error
    if hashlib.sha256(json.dumps({"sessions": listed}).encode()).hexdigest()[:32] != name:
        raise ConfigError("The list of sessions of this run was altered: start the asking run again.")
    return tuple(str(session) for session in listed)
