"""Print what `cueflow check` found, in a dataset or in tables."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.cli.console import console, styled

if TYPE_CHECKING:
    from cueflow.schemas.session import Problem
    from cueflow.storage.reading.lost import Damage
    from cueflow.tasks.ingest.check import SessionCheck

_NAMED = 2000  # sessions on a command line


def print_check(root: Path, *, as_json: bool) -> int:
    """Check a dataset and print the result.

    Parameters
    ----------
    root : Path
        The dataset.
    as_json : bool
        JSON instead of a table.

    Returns
    -------
    int
        Exit code: 0 where every session is ok, 3 where some are degraded or failed.
    """
    from cueflow.tasks.ingest.check import check_session
    from cueflow.tasks.ingest.dataset import read_dataset

    dataset = read_dataset(root)
    if as_json:
        checks = [check_session(dataset.root, session) for session in dataset.sessions]
        whole = {
            "dataset": dataset.name,
            "problems": [_plain_problem(p) for p in dataset.problems],
            "sessions": [_plain(check) for check in checks],
        }
        sys.stdout.write(json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
    else:
        from rich.progress import track

        sessions = track(dataset.sessions, description="reading headers", console=console(err=True), transient=True)
        checks = [check_session(dataset.root, session) for session in sessions]
        _print_table(dataset.name, checks)
        for problem in dataset.problems:
            console().print(f"  the dataset: {problem.message} [{problem.reason}]", markup=False)
    return 0 if not dataset.problems and all(check.state == "ok" for check in checks) else 3


def print_table_check(tables: Path, *, as_json: bool) -> int:
    """Check every file of the tables and print what is damaged, with the command that mends it.

    Parameters
    ----------
    tables : Path
        What a run wrote.
    as_json : bool
        JSON instead of lines.

    Returns
    -------
    int
        Exit code: 0 where every file is whole, 3 where some are damaged.
    """
    from rich.markup import escape

    from cueflow.storage.reading.verify import verify_tables

    n_files, found = verify_tables(tables)
    if as_json:
        whole = {"files": n_files, "damaged": [asdict(damage) for damage in found]}
        sys.stdout.write(json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
        return 3 if found else 0
    screen = console()
    for damage in found:
        screen.print(escape(f"  {damage.path}: {damage.what}"))
    sessions = sorted({session for damage in found for session in damage.sessions})
    if found:
        screen.print(f"[bold]{len(found)} files are damaged or missing.[/bold]")
        screen.print(escape(_how_to_mend(tables, found, sessions)))
    else:
        screen.print(f"All {n_files} files are whole.")
    return 3 if found else 0


def _how_to_mend(tables: Path, found: Sequence[Damage], sessions: Sequence[str]) -> str:
    steps = []
    if sessions:
        which = f" --sessions {shlex.quote(','.join(sessions))}" if len(sessions) <= _NAMED else ""
        many = "its session" if len(sessions) == 1 else f"{len(sessions)} sessions"
        command = f"cueflow run DATASET --out {shlex.quote(str(tables))}{which} --force"
        steps.append(f"write {many} again, with the options of their run: {command}")
    if any(Path(damage.path).name.startswith("bucket=") for damage in found):
        steps.append(f"make the bucket anew: cueflow maintain {shlex.quote(str(tables))}")
    return "To mend this, " + "; then ".join(steps)


def _print_table(name: str, checks: Sequence[SessionCheck]) -> None:
    from rich.markup import escape
    from rich.table import Table

    grid = Table("session", "subject", "visit", "state", "would run", "recordings", box=None, title=None)
    for check in checks:
        kinds = Counter(c.stream.modality.value for c in check.streams if c.problem is None)
        length = max((c.duration_s or 0.0 for c in check.streams), default=0.0)
        recordings = ", ".join(f"{n} × {kind}" if n > 1 else kind for kind, n in kinds.items())
        grid.add_row(
            escape(check.session_id),
            escape(check.subject_id),
            escape(check.visit),
            styled(check.state),
            ", ".join(check.stages) or "nothing",
            f"{recordings}{f' · {length:.0f} s' if length else ''}",
        )
    screen = console()
    screen.print(grid)
    for check in checks:
        for problem in check.problems:
            where = " ".join(part for part in (problem.modality, problem.path) if part)
            said = ": ".join(part for part in (check.session_id, where, problem.message) if part)
            screen.print(escape(f"  {said} [{problem.reason}]"))
    counts = Counter(check.state for check in checks)
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    screen.print(f"[bold]{name}: {len(checks)} sessions, {states}[/bold]")


def _plain(check: SessionCheck) -> dict[str, object]:
    return {
        "session_id": check.session_id,
        "subject_id": check.subject_id,
        "visit": check.visit,
        "state": check.state,
        "stages": list(check.stages),
        "streams": [
            {
                "modality": c.stream.modality,
                "role": c.stream.role,
                "channel": c.stream.channel,
                "path": c.stream.path,
                "duration_s": c.duration_s,
                "detail": c.detail,
                "usable": c.problem is None,
            }
            for c in check.streams
        ],
        "problems": [_plain_problem(p) for p in check.problems],
    }


def _plain_problem(problem: Problem) -> dict[str, str]:
    return {"reason": problem.reason, "message": problem.message, "path": problem.path}
