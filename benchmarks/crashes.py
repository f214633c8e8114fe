"""What is lost when things die: random kill -9 of workers, servers and database during a run, then one more run.

python benchmarks/crashes.py [SESSIONS] [KILLS] [SEED]    # default 40 sessions, 50 kills

The stack of docker-compose.yml as processes (deploy/processes.py): PostgreSQL, Redis, Prefect's API and its services,
a worker. What dies is started again at once, as the stack's restart policy would. Kills happen only while sessions are
being computed; when a run has written all sessions before the last kill, the next one computes them again. At the end
one more run must complete, and the tables must equal those of an undisturbed run in all columns but run ids and times.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from measure import CUEFLOW, ROOT, heading

import cueflow
from cueflow.tasks.simulate import Effects, simulate

sys.path.insert(0, str(ROOT / "deploy"))
from processes import JOBS, Stack, kill_process, missing, tree

_TABLES = ("sessions", "biomarkers", "windows", "events")
_OWN = {"run_id", "started_utc", "finished_utc", "video_seconds", "audio_seconds", "physiology_seconds"}
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
_VICTIMS = (
    "worker and all it started",
    "worker",
    "flow run",
    "computing process",
    "api",
    "services",
    "postgres",
    "redis",
)
_LIMIT_S = 300.0


@dataclass
class Story:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: list[str] = field(default_factory=list)
    died_at: dict[str, float] = field(default_factory=dict)
    marked_s: list[float] = field(default_factory=list)
    orphans: set[int] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)


def main(arguments: Sequence[str]) -> None:
    """Make the dataset, run it undisturbed, then disturbed."""
    sessions, kills, seed = (int(given) for given in (*arguments, *("40", "50", "1")[len(arguments) :]))
    if lacking := missing():
        raise SystemExit(f"The stack needs more than is here: {lacking}.")
    with tempfile.TemporaryDirectory(prefix="crashes-") as name:
        folder = Path(name)
        effects = replace(Effects.quick(), modalities=("audio", "ecg", "eda"))
        simulate(folder / "dataset", sessions=sessions, minutes=0.5, seed=seed, effects=effects)
        quiet = [*CUEFLOW, "run", str(folder / "dataset"), "--out", str(folder / "quiet")]
        started = time.monotonic()
        subprocess.run(quiet, check=False, capture_output=True)
        quiet_s = time.monotonic() - started
        with Stack(folder / "stack", dataset=folder / "dataset", tables=folder / "tables") as stack:
            story, started = Story(), time.monotonic()
            chance = random.Random(seed)  # noqa: S311 - which process dies is no secret
            for number in range(kills):
                if not number % len(_VICTIMS):
                    bag = chance.sample(_VICTIMS, len(_VICTIMS))
                _kill_one(stack, story, chance, folder, victim=bag.pop())
            disturbed_s = time.monotonic() - started
            last = _one_more(stack, story)
            left = [state for run in story.runs if (state := _state(stack, run)) not in _FINAL]
        different = [table for table in _TABLES if not _equal(folder / "quiet", folder / "tables", table)]
    print(heading(f"{kills} kills during runs over {sessions} sessions"))
    print("| what | |\n|---|---|")
    for what, value in (
        ("kills", ", ".join(f"{count} × {victim}" for victim, count in sorted(story.kills.items()))),
        ("undisturbed run, s", f"{quiet_s:.0f}"),
        ("time with kills, s", f"{disturbed_s:.0f}"),
        ("runs asked for", len(story.runs)),
        ("runs of dead workers marked after, s", ", ".join(f"{seconds:.0f}" for seconds in sorted(story.marked_s))),
        ("state of one more run", last),
        ("runs that are left running", len(left)),
        ("sessions lost or partial while it went on", 0),
        ("tables that differ from the undisturbed run's", ", ".join(different) or 0),
    ):
        print(f"| {what} | {value} |")
    print()
    if last != "COMPLETED" or different or left:
        raise SystemExit(1)


def _kill_one(stack: Stack, story: Story, chance: random.Random, folder: Path, *, victim: str) -> None:
    """Wait until sessions are being computed, and a moment more, then kill something and start it again."""
    _await_computing(stack, story, folder)
    deadline = time.monotonic() + chance.uniform(0.0, 6.0)
    while time.monotonic() < deadline:
        _restart(stack)
        time.sleep(0.1)
    worker = stack.processes["worker"].pid
    if victim in {"flow run", "computing process"}:
        wanted = "prefect" if victim == "flow run" else "cueflow.flows.work.worker"
        pids = [pid for pid in tree(worker)[1:] if wanted in _command(pid)]
        if not pids:
            return _kill_one(stack, story, chance, folder, victim=victim)
        kill_process(chance.choice(pids))
    elif victim == "worker":
        story.orphans |= set(tree(worker)[1:])
        kill_process(worker)
        stack.processes["worker"].wait()
    else:
        name = victim.split()[0]
        if name == "worker" and story.runs:
            story.died_at.setdefault(story.runs[-1], time.monotonic())
        stack.kill(name)
        stack.start(name)
    story.kills[victim] += 1
    print(f"{sum(story.kills.values())}: {victim}", file=sys.stderr, flush=True)
    _check_whole(folder / "tables", story)
    return None


def _await_computing(stack: Stack, story: Story, folder: Path) -> None:
    """Have a run going on: ask for one where the last has ended."""
    deadline = time.monotonic() + _LIMIT_S
    while not _computing(story, stack):
        _restart(stack)
        _note_marked(stack, story)
        if not story.runs or _state(stack, story.runs[-1]) in _FINAL:
            done = len(_written(folder / "tables")) == len(_written(folder / "quiet"))
            story.runs.append(stack.start_run("extract", force=done))
        if time.monotonic() > deadline:
            raise SystemExit(f"{sum(story.kills.values())} kills, then nothing for {_LIMIT_S:.0f} s.")
        time.sleep(0.3)


def _computing(story: Story, stack: Stack) -> bool:
    pids = {*tree(stack.processes["worker"].pid), *(grown for pid in story.orphans for grown in tree(pid))}
    return any("cueflow.flows.work.worker" in _command(pid) for pid in pids)


def _restart(stack: Stack) -> None:
    """Start again what has ended, as a restart policy does."""
    for name, process in tuple(stack.processes.items()):
        if name not in JOBS and process.poll() is not None:
            stack.start(name)


def _note_marked(stack: Stack, story: Story) -> None:
    """How long the runs of dead workers went on as running."""
    for run, died in tuple(story.died_at.items()):
        if _state(stack, run) in _FINAL:
            story.marked_s.append(time.monotonic() - died)
            del story.died_at[run]


def _one_more(stack: Stack, story: Story) -> str:
    """Wait for what goes on, then run once more; the state it ends in."""
    _await_end(stack, story)
    story.runs.append(stack.start_run("extract"))
    _await_end(stack, story)
    _note_marked(stack, story)
    for pid in story.orphans:
        if "cueflow" in _command(pid) or "prefect" in _command(pid):
            kill_process(pid)
    return _state(stack, story.runs[-1])


def _await_end(stack: Stack, story: Story) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while _state(stack, story.runs[-1]) not in _FINAL and time.monotonic() < deadline:
        _restart(stack)
        _note_marked(stack, story)
        time.sleep(0.5)


def _state(stack: Stack, run: str) -> str:
    return str(stack.ask(f"/flow_runs/{run}", patient_s=120.0)["state"]["type"])


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _written(tables: Path) -> set[str]:
    if not (tables / "sessions").is_dir():
        return set()
    return set(cueflow.open_tables(tables).sessions.collect()["session_id"])


def _check_whole(tables: Path, story: Story) -> None:
    """At any moment readers see whole sessions, and none that was there is gone."""
    now = _written(tables)
    if not now:
        return
    rows = set(cueflow.open_tables(tables).biomarkers.collect()["session_id"])
    later = _written(tables)  # a run may be going on
    if not story.seen <= now <= rows <= later:
        raise SystemExit(f"{len(story.seen - now)} sessions are gone, {len(now - rows | rows - later)} are partial")
    story.seen = now


def _equal(one: Path, other: Path, table: str) -> bool:
    found = [getattr(cueflow.open_tables(tables), table).drop(_OWN, strict=False).collect() for tables in (one, other)]
    order = [column for column, kind in found[0].schema.items() if not kind.is_nested()]
    return len(found[0]) > 0 and found[0].sort(order).equals(found[1].sort(order))


if __name__ == "__main__":
    main(sys.argv[1:])
