"""Commands that start from tables: status, query, report, dictionary, maintain."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console, styled


def tables_folder(text: str) -> Path:
    """A folder of tables, or the mirror of an address."""
    from cueflow.storage.remote.mirror import place

    return place(text)


Tables = Annotated[
    Path,
    typer.Argument(
        help="Folder that `cueflow run` wrote, or an address (s3://bucket/tables).",
        parser=tables_folder,
        metavar="TABLES",
    ),
]


class Rows(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class Book(StrEnum):
    """How the dictionary is printed."""

    MARKDOWN = "md"
    JSON = "json"
    PARQUET = "parquet"


class Faces(StrEnum):
    """How faces are shown; the names of `tasks.video.drawn.FacesAs`, whose import takes a second."""

    DRAWN = "drawn"
    BLURRED = "blurred"
    SHOWN = "shown"


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: `cueflow status tables`")(status)
    app.command(epilog='Example: `cueflow query tables "SELECT biomarker, avg(value) FROM biomarkers GROUP BY ALL"`')(
        query
    )
    app.command(epilog="Example: `cueflow report tables S001 --out pages`")(report)
    app.command(epilog="Example: `cueflow dictionary --format json`")(dictionary)
    app.command(epilog="Example: `cueflow maintain tables`")(maintain)


def status(
    tables: Tables,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="The recordings: say instead which sessions would run, and why.")
    ] = None,
    dataset_name: Annotated[str, typer.Option(help="Name of the dataset in the tables; default: the folder's.")] = "",
    config: Annotated[Path | None, typer.Option(help="Parameters of the next run, with --dataset.")] = None,
    fusion_model: Annotated[Path | None, typer.Option(help="Fusion model of the next run, with --dataset.")] = None,
) -> None:
    """Say per session: done, degraded or failed, and why; with --dataset what would run, and why."""
    if dataset is not None:
        from cueflow.cli.pending import print_pending

        print_pending(tables, dataset, name=dataset_name, config=config, fusion_model=fusion_model)
        return
    from rich.markup import escape
    from rich.table import Table

    from cueflow.storage.reading.queries import open_tables

    rows = open_tables(tables).sessions.sort("session_id").collect().to_dicts()
    grid = Table("session", "subject", "visit", "status", "video", "audio", "physiology", "length", "why", box=None)
    for row in rows:
        states = [f"{styled(row[f'{g}_status'])}" for g in ("video", "audio", "physiology")]
        grid.add_row(
            *(escape(row[name]) for name in ("session_id", "subject_id", "visit")),
            styled(row["status"]),
            *states,
            f"{row['duration_s']:.0f} s",
            escape(row["message"] or ""),
        )
    console().print(grid)


def query(
    tables: Tables,
    sql: Annotated[
        str, typer.Argument(help="A SELECT over sessions, biomarkers, windows, events, predictions, explanations.")
    ] = "",
    output: Annotated[Rows, typer.Option("--format", help="How to print the rows.")] = Rows.TABLE,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; needed for parquet.")] = None,
    examples: Annotated[bool, typer.Option("--examples", help="Print ten queries that run.")] = False,
    memory: Annotated[str, typer.Option("--memory", help="Memory that the query may use.")] = "2GB",
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds that it may take.")] = 300.0,
    verify: Annotated[bool, typer.Option("--verify", help="First compare every file with its hash.")] = False,
) -> None:
    """Ask the tables in SQL (DuckDB), read-only.

    Raises
    ------
    TablesError
        If `--verify` finds a damaged file.
    """
    from cueflow.cli.printing import print_examples, print_rows
    from cueflow.schemas.errors import TablesError
    from cueflow.storage.reading.names import names_in
    from cueflow.storage.reading.queries import query as ask

    if examples or not sql:
        print_examples(tables)
        return
    if verify:
        from cueflow.storage.reading.verify import verify_tables

        if damaged := verify_tables(tables)[1]:
            message = f"{len(damaged)} files are damaged or missing: `cueflow check {tables.name} --tables` names them."
            raise TablesError(message)
    rows = ask(tables, sql, memory_limit=memory, timeout_s=timeout)
    print_rows(rows, output.value, out)
    if not rows.num_rows:
        for said in names_in(sql):
            typer.echo(f"No rows: {said}", err=True)


def report(
    tables: Tables,
    session: Annotated[
        str, typer.Argument(help="Session id; without one the cohort page and a page per session.")
    ] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pages.")] = Path("report"),
    groups: Annotated[
        Path | None, typer.Option("--groups", help="CSV with subject_id and group, to compare groups of people.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", help="Dataset of the recordings: show frames of what --action-model found, or of --span."
        ),
    ] = None,
    action_model: Annotated[
        Path | None, typer.Option("--action-model", help="Folder from `cueflow actions train`, with --pictures.")
    ] = None,
    span: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--span", metavar="START END", help="With --pictures: draw people's landmarks and gaze there (session s)."
        ),
    ] = None,
    faces: Annotated[Faces, typer.Option("--faces", help="How --span shows faces.")] = Faces.DRAWN,
    words: Annotated[
        Path | None,
        typer.Option("--words", help="Folder of the model's encoder of words, where it reads descriptions."),
    ] = None,
    dataset_name: Annotated[
        str, typer.Option(help="Name of that dataset in the tables, where it is not the folder's.")
    ] = "",
) -> None:
    """Write self-contained HTML: time lines, events, values with coverage, status and reason.

    Pages hold no picture of a person unless --pictures asks for it; the recordings are then looked at again.
    """
    from cueflow.flows.showing.pages import Pictures, write_pages
    from cueflow.schemas.errors import ConfigError

    if (pictures is None) != (action_model is None and span is None):
        raise ConfigError("--pictures wants --action-model or --span, and these want --pictures")
    shown: list[Pictures] = []
    if pictures is not None and span is not None:
        from cueflow.flows.showing.people import PeoplePictures
        from cueflow.tasks.video.drawn import FacesAs

        drawn = FacesAs(faces.value)
        shown.append(PeoplePictures(pictures, span, faces=drawn, name=dataset_name, strict=bool(session)))
    if pictures is not None and action_model is not None:
        from cueflow.flows.actions.sessions import ActionPictures

        shown.append(ActionPictures(pictures, action_model, words=words, name=dataset_name))
    for page in write_pages(tables, out, session=session or None, groups=groups, pictures=shown):
        console().print(f"Wrote {page}", soft_wrap=True)


def dictionary(
    output: Annotated[Book, typer.Option("--format", help="How to print it.")] = Book.MARKDOWN,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; needed for parquet.")] = None,
) -> None:
    """Print every biomarker: unit, definition, source, range and evidence rule."""
    from cueflow.cli.printing import print_dictionary

    print_dictionary(output.value, out)


def maintain(
    tables: Tables,
    wait: Annotated[float, typer.Option(help="Seconds to wait for readers before old files are removed.")] = 10.0,
) -> None:
    """Gather sessions in larger files, which answers questions faster from some thousands on. Readers go on."""
    from cueflow.storage.compaction.compact import compact

    console().print(compact(tables, wait_s=wait).sentence)
