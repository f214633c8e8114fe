"""Commands that start from recordings: simulate, check, run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cueflow.cli.console import bars, console, stop_at_once, styled
from cueflow.flows.planning.granularity import Granularity
from cueflow.schemas.session import Group

if TYPE_CHECKING:
    from cueflow.flows.summary import RunSummary

Dataset = Annotated[Path, typer.Argument(help="Folder with manifest.csv (or .parquet), or a BIDS tree.")]


class Format(StrEnum):
    """Output of a command."""

    TABLE = "table"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: `cueflow simulate cohort --sessions 8 --minutes 1 --seed 7`")(simulate)
    app.command(epilog="Example: `cueflow check cohort`")(check)
    app.command(epilog="Example: `cueflow run cohort --out tables --modalities audio,physiology`")(run)


def simulate(
    directory: Annotated[Path, typer.Argument(help="Folder to write; must be empty or new.")],
    sessions: Annotated[int, typer.Option(min=1, max=10_000, help="Sessions to make, besides the broken ones.")] = 8,
    minutes: Annotated[float, typer.Option(min=0.1, max=600, help="Length of each session.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same cohort.")] = 0,
    effects: Annotated[
        list[str] | None,
        typer.Option("--effect", help="Scale an effect, as name=value; repeat. `--effect help` lists them."),
    ] = None,
) -> None:
    """Make a cohort with known truth: video, voice and physiology, with truth.parquet beside it."""
    from rich.progress import Progress

    from cueflow.cli.effects import parse_effects
    from cueflow.flows.api import default_workers
    from cueflow.tasks.simulate.cohort import simulate as make

    chosen = parse_effects(effects or [])
    with Progress(console=console(err=True)) as progress:
        bar = progress.add_task("simulating", total=None)

        def tell(done: int, total: int, _: str) -> None:
            progress.update(bar, completed=done, total=total)

        make(
            directory,
            sessions=sessions,
            minutes=minutes,
            seed=seed,
            effects=chosen,
            progress=tell,
            workers=default_workers(),
        )
    out = console()
    out.print(f"Wrote {directory}: manifest.csv, recordings, labels.csv, events.csv and truth.parquet.")
    out.print(f"Next: cueflow run {directory} --out tables")


def check(
    dataset: Dataset,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    tables: Annotated[
        bool, typer.Option("--tables", help="The folder holds tables: read every file and name the damaged ones.")
    ] = False,
) -> None:
    """Say what is there, what is wrong and what would run; reads headers only (tables whole), writes nothing."""
    from cueflow.cli.checking import print_check, print_table_check
    from cueflow.cli.tables import tables_folder

    if tables:
        raise typer.Exit(print_table_check(tables_folder(str(dataset)), as_json=output is Format.JSON))
    raise typer.Exit(print_check(dataset, as_json=output is Format.JSON))


def run(
    dataset: Annotated[
        Path,
        typer.Argument(help="Folder with manifest.csv (or .parquet), a BIDS tree, or a long table of biomarkers."),
    ],
    out: Annotated[
        str, typer.Option("--out", "-o", help="Folder of the tables, made if it is not there, or s3://bucket/tables.")
    ],
    sessions: Annotated[
        list[str] | None, typer.Option(help="Only these session ids; repeat or separate by commas.")
    ] = None,
    modalities: Annotated[
        list[str] | None, typer.Option(help="Only these stages: video, audio, physiology; repeat or use commas.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML, YAML or JSON file of parameters.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Worker processes; default: one per core.")
    ] = None,
    fusion_model: Annotated[Path | None, typer.Option(help="Model from `cueflow fusion train` to apply.")] = None,
    action_model: Annotated[Path | None, typer.Option(help="Model from `cueflow actions train` to apply.")] = None,
    dataset_name: Annotated[str, typer.Option(help="Name of the dataset in the tables; default: the folder's.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Compute again what has not changed.")] = False,
    join: Annotated[bool, typer.Option("--join", help="Add to tables that hold another dataset.")] = False,
    granularity: Annotated[
        Granularity, typer.Option(help="What one task of Prefect is; auto goes by the number of sessions.")
    ] = Granularity.AUTO,
    video_at_once: Annotated[
        int, typer.Option(min=0, max=256, help="Videos decoded at the same time; 0: as many as workers.")
    ] = 0,
    dask: Annotated[str, typer.Option(help="Compute on the workers of this Dask scheduler, tcp://…")] = "",
) -> None:
    """Process the sessions that are new or changed, and write their tables."""
    from cueflow.flows.api import end_server
    from cueflow.flows.api import run as run_flow

    stop_at_once(end_server)
    err = console(err=True)
    err.print("Starting …")
    with bars() as watcher:
        summary = run_flow(
            dataset,
            out,
            sessions=split(sessions),
            modalities=groups(modalities),
            config=config,
            workers=workers,
            fusion_model=fusion_model,
            action_model=action_model,
            dataset_name=dataset_name,
            force=force,
            join=join,
            granularity=granularity,
            video_at_once=video_at_once,
            dask=dask,
            watcher=watcher,
        )
    print_summary(summary, Path(out), fused=fusion_model is not None)
    raise typer.Exit(summary.exit_code)


def split(values: list[str] | None) -> list[str]:
    """Values given by repeating an option, by commas or both."""
    return [part.strip() for value in values or [] for part in value.split(",") if part.strip()]


def groups(values: list[str] | None) -> list[str]:
    """Stages by name.

    Raises
    ------
    typer.BadParameter
        If there is no such stage.
    """
    chosen = split(values)
    if unknown := sorted(set(chosen) - set(Group)):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(Group)}", param_hint="--modalities")
    return chosen


def print_summary(summary: RunSummary, out: Path, *, fused: bool) -> None:
    """Say what a run did, one line for each session that is not ok."""
    from rich.markup import escape

    screen = console()
    for session in summary.sessions:
        if session.status != "ok":
            why = escape(f"{session.session_id}: {session.message} [{session.reason}]")
            screen.print(f"  {styled(session.status)}  {why}")
    screen.print(f"[bold]{summary.line}[/bold]")
    if summary.disk_full:
        screen.print("The disk is full: free some space and run the same command again; it goes on from here.")
    if not fused and summary.sessions:
        screen.print("No fusion model was given, so no predictions were made (cueflow fusion train makes one).")
    screen.print(f"Next: cueflow status {out}   or   cueflow report {out} SESSION --out pages")
