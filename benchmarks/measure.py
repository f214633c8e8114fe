"""What the benchmarks share: time and peak memory of a command and its children, and a line that names the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CUEFLOW_TEST_DATA", ROOT.parent / "shared" / "data"))
"""Recordings with independent truth, for scripts that take no folder."""
CUEFLOW = (sys.executable, "-m", "cueflow")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall time in s and peak resident memory in MiB: of the largest process and of the whole tree."""

    seconds: float
    largest_mib: float
    tree_mib: float
    output: str


def cost_of(command: Sequence[str]) -> Cost:
    """Run a command and watch its process tree."""
    started = time.perf_counter()
    process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks = [0.0, 0.0]

    def watch() -> None:
        while process.poll() is None:
            resident = [_resident_mib(pid) for pid in _tree(process.pid)]
            peaks[0] = max(peaks[0], *resident, 0.0)
            peaks[1] = max(peaks[1], sum(resident))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output, _ = process.communicate()
    watcher.join()
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Cost(time.perf_counter() - started, peaks[0], peaks[1], output)


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += _tree(int(child))
    return found


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def heading(title: str) -> str:
    """Title, date and machine, as docs/benchmarks.md quotes them."""
    cores = len(os.sched_getaffinity(0))
    machine = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
    return f"### {title}\n\n{datetime.now(UTC):%Y-%m-%d}, {machine}\n"
