"""Speed and memory of the whole way, from recordings to tables.

python benchmarks/pipeline.py speed     # a simulated session of 10 minutes: each stage as a share of its length
python benchmarks/pipeline.py memory [DIR]   # peak memory for 2 and for 20 minutes; DIR keeps the recordings
python benchmarks/pipeline.py again     # a second run that has nothing to do; `cueflow --help`
python benchmarks/pipeline.py real DIR  # the real recordings that tests/real composes into a dataset
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import CUEFLOW, cost_of, heading

import cueflow

_STAGES = ("video", "audio", "physiology")


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark that was named."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        match list(arguments):
            case ["speed"]:
                _speed(scratch)
            case ["memory", *kept] if len(kept) <= 1:
                _memory(Path(kept[0]) if kept else scratch, scratch)
            case ["again"]:
                _again(scratch)
            case ["real", dataset]:
                _stages(Path(dataset), scratch / "tables", "Real recordings")
            case _:
                raise SystemExit(__doc__)


def _simulate(scratch: Path, minutes: float) -> Path:
    dataset = scratch / f"cohort-{minutes:g}"
    if (dataset / "manifest.csv").is_file():
        return dataset
    made = [*CUEFLOW, "simulate", str(dataset), "--sessions", "1", "--minutes", str(minutes), "--seed", "3"]
    cost_of(made)
    return dataset


def _speed(scratch: Path) -> None:
    _stages(_simulate(scratch, 10), scratch / "tables", "A simulated session of 10 minutes")


def _stages(dataset: Path, tables: Path, title: str) -> None:
    cost = cost_of([*CUEFLOW, "run", str(dataset), "--out", str(tables)])
    rows = cueflow.open_tables(tables).sessions.filter(status="ok").collect()
    length = rows["duration_s"].sum()
    print(heading(title))
    print(f"{len(rows)} sessions, {length:.0f} s in all; share: seconds of a stage per second recorded\n")
    print("| stage | seconds | share of the length |\n|---|---|---|")
    for stage in _STAGES:
        seconds = rows[f"{stage}_seconds"].sum()
        print(f"| {stage} | {seconds:.1f} | {seconds / length:.3f} |")
    print(f"| everything, wall clock, with start-up | {cost.seconds:.1f} | {cost.seconds / length:.3f} |\n")


def _memory(recordings: Path, scratch: Path) -> None:
    print(heading("Peak memory"))
    print("| minutes | largest process, MiB | all processes, MiB |\n|---|---|---|")
    peaks = []
    for minutes in (2, 20):
        dataset = _simulate(recordings, minutes)
        cost = cost_of([*CUEFLOW, "run", str(dataset), "--out", str(scratch / f"tables-{minutes}")])
        peaks.append(cost)
        print(f"| {minutes} | {cost.largest_mib:.0f} | {cost.tree_mib:.0f} |")
    growth = [100 * (getattr(peaks[1], k) / getattr(peaks[0], k) - 1) for k in ("largest_mib", "tree_mib")]
    print(f"| growth | {growth[0]:+.1f} % | {growth[1]:+.1f} % |\n")


def _again(scratch: Path) -> None:
    dataset = scratch / "cohort"
    cost_of([*CUEFLOW, "simulate", str(dataset), "--sessions", "6", "--minutes", "0.5"])
    run = [*CUEFLOW, "run", str(dataset), "--out", str(scratch / "tables")]
    first, second = cost_of(run), cost_of(run)
    helps = sorted(cost_of([*CUEFLOW, "--help"]).seconds for _ in range(5))
    print(heading("Nothing to do, and help"))
    print("| what | seconds |\n|---|---|")
    print(f"| first run over 6 sessions of 30 s and the broken ones | {first.seconds:.1f} |")
    print(f"| the same command again | {second.seconds:.1f} |")
    print(f"| `cueflow --help`, median of 5 | {helps[2]:.2f} |\n")


if __name__ == "__main__":
    main(sys.argv[1:])
