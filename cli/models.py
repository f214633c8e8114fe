"""`cueflow models`: pretrained weights by hash."""

from __future__ import annotations

from typing import Annotated

import typer

from cueflow.cli.console import console

app = typer.Typer(no_args_is_help=True, help="Pretrained weights: listed, fetched and verified by their hashes.")
Names = Annotated[list[str] | None, typer.Argument(help="Names from `cueflow models list`; default: all.")]


@app.command("list", epilog="Example: `cueflow models list`")
def list_models() -> None:
    """List the weights in the lock file: licence, size, hash, and whether they are here."""
    from rich.table import Table

    from cueflow.flows.work.stages import model_store

    grid = Table("name", "licence", "size", "sha256", "here", "use", box=None)
    for entry in model_store().list():
        grid.add_row(
            entry.name,
            entry.licence,
            f"{entry.size / 1e6:.1f} MB",
            entry.sha256[:12],
            "[green]yes[/green]" if entry.present else "no",
            entry.purpose,
        )
    console().print(grid)


@app.command(epilog="Example: `cueflow models pull face_landmarker`")
def pull(names: Names = None) -> None:
    """Fetch weights that are missing, from the first source that has them, and verify them."""
    from cueflow.flows.work.stages import model_store

    screen = console()
    screen.print("Models: fetching what is missing, verifying what is here …")
    model_store().pull(names or None)
    verify(names)


@app.command(epilog="Example: `cueflow models verify`")
def verify(names: Names = None) -> None:
    """Compare the weights that are here with the hashes of the lock file."""
    from cueflow.flows.work.stages import model_store

    for name in model_store().verify(names or None):
        console().print(f"  [green]verified[/green]  {name}")
