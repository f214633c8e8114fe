"""`cueflow contours`: what the tables hold once a second, every 10 ms for one recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: `cueflow contours talk.wav --out talk.contours.parquet`")(contours)


def contours(
    recording: Annotated[Path, typer.Argument(help="A file with an audio track.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Parquet file; default: beside the recording, .contours.parquet.")
    ] = None,
    channel: Annotated[str, typer.Option(help="left, right or a number from 0 on; default: the mean of all.")] = "",
) -> None:
    """Write the 25 low-level descriptors of eGeMAPS every 10 ms, for a plot or for one's own statistics."""
    from rich.progress import Progress

    from cueflow.flows.contours import write_contours

    target = out or recording.with_suffix(".contours.parquet")
    with Progress(console=console(err=True), transient=True) as progress:
        task = progress.add_task("contours", total=1.0)
        frames = write_contours(
            recording, target, channel=channel, progress=lambda share: progress.update(task, completed=share)
        )
    console().print(f"{target.name}: {frames} frames of 10 ms, 25 contours.")
