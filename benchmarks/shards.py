"""A run that spreads its computing over several flow runs: what that costs, and whether every session is there once.

python benchmarks/shards.py [SESSIONS] [SHARDS] [SECONDS]    # default 20000 sessions of 15 s of ECG, 4 shards of 300 s

The stack of docker-compose.yml as processes (deploy/processes.py) with two workers for shares, each with a working
folder of its own and the store between them. Afterwards `cueflow run` on the same tables, which has nothing to do.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from measure import CUEFLOW, ROOT, cost_of, heading
from rerun import make_many

import cueflow

sys.path.insert(0, str(ROOT / "deploy"))
from processes import Stack, missing

_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def main(arguments: Sequence[str]) -> None:
    """Make the dataset, run it in shards, run it again."""
    sessions, shards, least_s = (int(given) for given in (*arguments, *("20000", "4", "300")[len(arguments) :]))
    if lacking := missing():
        raise SystemExit(f"The stack needs more than is here: {lacking}.")
    with tempfile.TemporaryDirectory(prefix="shards-") as name:
        folder = Path(name)
        dataset, tables = folder / "dataset", folder / "tables"
        make_many(dataset, folder / "one", sessions)
        settings = {"CUEFLOW_SHARE_S": str(least_s)}
        with Stack(folder / "stack", dataset=dataset, tables=tables, settings=settings) as stack:
            stack.start("compute-2", service="compute")
            started = time.monotonic()
            run = stack.start_run("extract", shards=shards)
            while (state := stack.ask(f"/flow_runs/{run}")["state"])["type"] not in _FINAL:
                time.sleep(1.0)
            seconds = time.monotonic() - started
            if state["type"] != "COMPLETED":
                raise SystemExit(f"{state['name']}: {state['message']}")
            shares = [made for made in _runs(stack) if "manifest" in made["parameters"]]
        written = cueflow.open_tables(tables).sessions.collect()["session_id"]
        again = cost_of([*CUEFLOW, "run", str(dataset), "--out", str(tables)])
    if len(written) != sessions or written.n_unique() != sessions or f"{sessions} unchanged" not in again.output:
        raise SystemExit(f"{len(written)} rows, {written.n_unique()} sessions of {sessions}; {again.output}")
    print(heading(f"{sessions} sessions over {len(shares)} flow runs"))
    print("| what | |\n|---|---|")
    lengths = [_seconds(share) for share in shares]
    for what, value in (
        ("the whole run, s", f"{seconds:.0f}"),
        ("ms a session", f"{1000 * seconds / sessions:.1f}"),
        ("runs of `compute`, s each", ", ".join(f"{length:.0f}" for length in lengths)),
        ("keys that keep a share from being started twice", len({share["idempotency_key"] for share in shares})),
        ("lists of sessions, by name of their file", len({share["parameters"]["manifest"] for share in shares})),
        ("largest parameters of a run, bytes", max(len(str(share["parameters"])) for share in shares)),
        ("the same tables again with `cueflow run`, s", f"{again.seconds:.1f}"),
    ):
        print(f"| {what} | {value} |")
    print()


def _runs(stack: Stack) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return list(stack.ask("/flow_runs/filter", wanted))


def _seconds(run: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[name].replace("Z", "+00:00")) for name in ("start_time", "end_time"))
    return (ended - began).total_seconds()


if __name__ == "__main__":
    main(sys.argv[1:])
