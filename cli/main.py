"""`cueflow`: the commands. Heavy imports happen inside them, so that `--help` answers at once."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Annotated

import typer

from cueflow import __version__
from cueflow.cli import actions, contours, dataset, erasing, fusion, models, serve, sharing, tables
from cueflow.cli.console import USAGE, fail
from cueflow.schemas.errors import CueflowError

app = typer.Typer(
    name="cueflow",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Recordings of clinical sessions (video, voice, physiology) become explained biomarker tables.\n\n"
    "Start with `cueflow simulate cohort`, then `cueflow run cohort --out tables`.",
    epilog="Research software that supports experts; it does not diagnose.",
)
dataset.add_to(app)
tables.add_to(app)
sharing.add_to(app)
erasing.add_to(app)
contours.add_to(app)
serve.add_to(app)
app.add_typer(models.app, name="models")
app.add_typer(fusion.app, name="fusion")
app.add_typer(actions.app, name="actions")
for _made in (app, models.app, fusion.app, actions.app):
    for _command in _made.registered_commands:  # what they raise is no help to who types them
        _command.help = inspect.cleandoc(getattr(_command.callback, "__doc__", None) or "").partition("\n\nRaises\n")[0]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cueflow {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; expected trouble is one line on standard error and exit code 2."""
    try:
        app(prog_name="cueflow")
    except CueflowError as error:
        fail(error)
    except OSError as error:  # a file of the user's own: --out, --labels, …
        typer.echo(f"cueflow: {Path(error.filename or '').name or 'a file'}: {error.strerror or error}", err=True)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        typer.echo("Stopped; what was written stays, and the next run goes on from there.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
