"""Print why each session of a dataset would run, or would not."""

from __future__ import annotations

from pathlib import Path

from cueflow.cli.console import console, styled


def print_pending(tables: Path, dataset: Path, *, name: str, config: Path | None, fusion_model: Path | None) -> None:
    """Compare a dataset with its tables and print one line per session; nothing is written.

    Parameters
    ----------
    tables, dataset : Path
        TABLES and the recordings.
    name : str
        Name of the dataset in the tables; empty: the folder's name.
    config, fusion_model : Path or None
        As the next run would get them.
    """
    from rich.markup import escape
    from rich.table import Table

    from cueflow.flows.planning.plan import Request
    from cueflow.flows.planning.why import explain_run
    from cueflow.schemas.config import load_config
    from cueflow.schemas.session import Group
    from cueflow.tasks.ingest.dataset import read_dataset

    loaded = read_dataset(dataset, name=name or None)
    request = Request(tables, load_config(config), frozenset(Group), force=False, fusion_sha256=_hash(fusion_model))
    found = explain_run(loaded, request)
    grid = Table("session", "status", "would run", "stages", "why", box=None)
    for why in found:
        runs = "no" if why.state == "unchanged" else why.state
        stages = ", ".join(why.stages) or ("" if runs == "no" else "none: all from the cache")
        grid.add_row(escape(why.session_id), styled(why.status or "-"), runs, stages, escape(why.reason))
    screen = console()
    screen.print(grid)
    waiting = sum(why.state != "unchanged" for why in found)
    screen.print(f"{waiting} of {len(found)} sessions would run with these options.")


def _hash(model: Path | None) -> str:
    from cueflow.flows.fuse import load_fuser

    return load_fuser(model).sha256 if model else ""
