"""How long it takes until a run that somebody cancels or pauses in the UI has stopped, and what it leaves.

python benchmarks/stopping.py [TIMES]    # default 3 of each

The stack of docker-compose.yml as processes (deploy/processes.py); six sessions with a minute of voice, stopped while
they are being computed. What is asked of the API is what the buttons of Prefect's UI ask.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import ROOT, heading

import cueflow
from cueflow.tasks.simulate import Effects, simulate

sys.path.insert(0, str(ROOT / "deploy"))
from processes import Stack, missing, tree

_SESSIONS = 6
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def main(arguments: Sequence[str]) -> None:
    """Cancel and pause some runs."""
    times = int(arguments[0]) if arguments else 3
    if lacking := missing():
        raise SystemExit(f"The stack needs more than is here: {lacking}.")
    spent: dict[str, list[float]] = {"cancel": [], "pause": []}
    chance = random.Random(1)  # noqa: S311 - when to stop is no secret
    with tempfile.TemporaryDirectory(prefix="stopping-") as name:
        folder = Path(name)
        effects = replace(Effects.quick(), modalities=("audio", "ecg"))
        simulate(folder / "dataset", sessions=_SESSIONS, minutes=1, seed=1, effects=effects)
        with Stack(folder / "stack", dataset=folder / "dataset", tables=folder / "tables") as stack:
            for how in spent:
                for _ in range(times):
                    run = stack.start_run("extract", force=True)
                    _await(lambda run=run: _computing(stack) and _type(stack, run) == "RUNNING")
                    time.sleep(chance.uniform(1.0, 6.0))
                    spent[how].append(_stop(stack, run, how))
                    _check_whole(folder / "tables")
                    if how == "pause":
                        stack.ask(f"/flow_runs/{run}/resume", {})
                        _await(lambda run=run: _type(stack, run) in _FINAL)
                        if _type(stack, run) != "COMPLETED":
                            raise SystemExit(f"resumed, it ended as {_type(stack, run)}")
        if len(cueflow.open_tables(folder / "tables").sessions.collect()) != _SESSIONS:
            raise SystemExit("sessions are missing after the last run")
    print(heading("Cancel and pause"))
    print("| asked for | seconds until nothing works any more and the state says so |\n|---|---|")
    for how, seconds in spent.items():
        print(f"| {how} | {', '.join(f'{value:.1f}' for value in seconds)} |")
    print()


def _stop(stack: Stack, run: str, how: str) -> float:
    """Press the button; wait until the workers are gone and the state is the one asked for."""
    until = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    suspended = {"type": "PAUSED", "name": "Suspended"}
    details = {"pause_timeout": until, "pause_reschedule": True}
    state = {"type": "CANCELLING", "name": "Cancelling"} if how == "cancel" else suspended | {"state_details": details}
    started = time.monotonic()
    answer = stack.ask(f"/flow_runs/{run}/set_state", {"state": state})
    if answer["status"] != "ACCEPT":
        raise SystemExit(f"refused: {answer}")
    wanted = "CANCELLED" if how == "cancel" else "PAUSED"
    _await(lambda: not _computing(stack) and _type(stack, run) == wanted)
    return time.monotonic() - started


def _check_whole(tables: Path) -> None:
    """Sessions that are there have their rows, others have none."""
    if not (tables / "sessions").is_dir():
        return
    opened = cueflow.open_tables(tables)
    if set(opened.sessions.collect()["session_id"]) != set(opened.biomarkers.collect()["session_id"]):
        raise SystemExit("a session is partial")


def _type(stack: Stack, run: str) -> str:
    return str(stack.ask(f"/flow_runs/{run}")["state"]["type"])


def _computing(stack: Stack) -> bool:
    """Whether the worker has a run's processes: the flow's own, and those that compute."""
    return len(tree(stack.processes["worker"].pid)) > 2


def _await(found: Callable[[], bool], *, limit_s: float = 240.0) -> None:
    deadline = time.monotonic() + limit_s
    while not found():
        if time.monotonic() > deadline:
            raise SystemExit("nothing happens")
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1:])
