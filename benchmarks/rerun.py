"""A run that has nothing to do, and what `cueflow status --dataset` costs, over many small sessions.

python benchmarks/rerun.py [SESSIONS]    # default 500, of 15 s of ECG each
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from measure import CUEFLOW, cost_of, heading

from cueflow.tasks.simulate import Effects, simulate


def main(arguments: Sequence[str]) -> None:
    """Make the dataset, run it, and run it again."""
    sessions = int(arguments[0]) if arguments else 500
    with tempfile.TemporaryDirectory() as folder:
        dataset, tables = Path(folder, "cohort"), Path(folder, "tables")
        make_many(dataset, Path(folder, "one"), sessions)
        run = [*CUEFLOW, "run", str(dataset), "--out", str(tables)]
        first = cost_of(run)
        again = [cost_of(run) for _ in range(2)]
        status = cost_of([*CUEFLOW, "status", str(tables), "--dataset", str(dataset)])
    for cost in again:
        if f"nothing to do, {sessions} unchanged" not in cost.output:
            raise SystemExit(cost.output)
    print(heading(f"A run with nothing to do, {sessions} sessions"))
    print("| what | seconds | ms a session |\n|---|---|---|")
    for what, seconds in (
        ("first run, everything computed", first.seconds),
        ("second run, nothing to do", again[0].seconds),
        ("third run, nothing to do", again[1].seconds),
        ("cueflow status --dataset", status.seconds),
    ):
        print(f"| {what} | {seconds:.1f} | {1000 * seconds / sessions:.1f} |")
    print()


def make_many(dataset: Path, one: Path, sessions: int) -> None:
    """A dataset of many small sessions. Every session has its own bytes: the last digit of one sample differs."""
    simulate(one, sessions=1, minutes=0.25, seed=5, effects=replace(Effects.plain(), modalities=("ecg",)))
    lines = (one / "s001" / "chest.csv").read_text(encoding="utf-8").splitlines()
    (dataset / "recordings").mkdir(parents=True)
    rows = list(csv.DictReader((one / "manifest.csv").open(encoding="utf-8", newline="")))
    with (dataset / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for number in range(sessions):
            path = f"recordings/{number:05}.csv"
            lines[-1] = f"{lines[-1].rpartition(',')[0]},{number / 1e6:.6f}"
            (dataset / path).write_text("\n".join(lines) + "\n", encoding="utf-8")
            ids = {"session_id": f"S{number:05}", "subject_id": f"P{number // 2:05}", "path": path}
            writer.writerows(row | ids for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
