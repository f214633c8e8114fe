"""Commands that make something of the tables for others: methods, provenance, export."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console
from cueflow.cli.dataset import split
from cueflow.cli.tables import Tables


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: `cueflow methods tables --bib methods.bib`")(methods)
    app.command(epilog="Example: `cueflow provenance tables --out prov.json`")(provenance)
    app.command(epilog="Example: `cueflow export tables shared --deidentify --biomarkers 'hr_*,hrv_rmssd'`")(export)


def methods(
    tables: Tables,
    bib: Annotated[Path | None, typer.Option("--bib", help="File for the BibTeX entries; else they follow.")] = None,
) -> None:
    """Write the methods paragraph of a paper, with citations, for just what these tables hold."""
    from cueflow.schemas.models import locked_models
    from cueflow.storage.reading.queries import open_tables
    from cueflow.tasks.share.methods import methods_section

    weights = {m.sha256: m for m in locked_models().values()}
    with open_tables(tables) as opened:
        made = methods_section(
            opened.sessions.collect(), opened.biomarkers.collect(), weights, opened.predictions.collect()
        )
    sys.stdout.write(made.text)
    if bib is None:
        sys.stdout.write(f"\n{made.bibtex}")
    else:
        bib.write_text(made.bibtex, encoding="utf-8")


def provenance(
    tables: Tables,
    run: Annotated[str, typer.Option("--run", help="Only what this run wrote (run_id).")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; else it is printed.")] = None,
) -> None:
    """Say what came from what, as W3C PROV-JSON: runs, steps, durations, parameters, environment, weights, hashes."""
    from cueflow.storage.records.runs import provenance as graph

    text = json.dumps(graph(tables, run or None), ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")


def export(
    tables: Tables,
    out: Annotated[Path, typer.Argument(help="New folder for the export.")],
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="New pseudonyms, shifted dates, nothing rare.")
    ] = False,
    bids: Annotated[bool, typer.Option("--bids", help="A BIDS derivative with the ids of the tables.")] = False,
    key: Annotated[
        Path | None, typer.Option("--key", help="File that leads back; default: OUT.key.csv beside OUT.")
    ] = None,
    biomarkers: Annotated[
        list[str] | None, typer.Option(help="Only these; names or patterns, repeat or separate by commas.")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Also single events (blinks, beats, …).")] = False,
    windows: Annotated[bool, typer.Option("--windows", help="Also the per-second series.")] = False,
    k: Annotated[int, typer.Option(min=2, help="Leave out what fewer subjects have.")] = 5,
) -> None:
    """Write the tables for others: de-identified and checked by an independent second pass, or as BIDS.

    Raises
    ------
    typer.BadParameter
        If neither or both forms are asked for.
    """
    if deidentify == bids:
        raise typer.BadParameter("choose one form", param_hint="--deidentify / --bids")
    if bids:
        from cueflow.storage.sharing.bids import to_bids

        console().print(f"Wrote {to_bids(tables, out)} sessions as a BIDS derivative. It holds the ids of the tables.")
        return
    from cueflow.storage.sharing.deidentify import Choice
    from cueflow.storage.sharing.deidentify import deidentify as make

    key_file = key or out.with_name(f"{out.name}.key.csv")
    choice = Choice(tuple(split(biomarkers)) or ("*",), events, windows, k)
    console().print(make(tables, out, key_file=key_file, choice=choice).sentence)
    console().print(f"The key, which leads back to the ids, is {key_file.name}: keep it apart from the export.")
