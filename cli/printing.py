"""Print rows, the dictionary and the proof of an erasure."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cueflow.cli.console import console

if TYPE_CHECKING:
    import pyarrow as pa

    from cueflow.storage.erasing.erasure import Erasure


def print_rows(table: pa.Table, style: str, out: Path | None) -> None:
    """Print an Arrow table as table, csv, json or parquet.

    Parameters
    ----------
    table : pyarrow.Table
        The rows.
    style : str
        table, csv, json or parquet.
    out : Path or None
        File to write instead of standard output.

    Raises
    ------
    typer.BadParameter
        If parquet is asked for without a file.
    """
    if style == "parquet":
        import pyarrow.parquet as pq

        if out is None:
            raise typer.BadParameter("parquet needs a file", param_hint="--out")
        pq.write_table(table, out, compression="zstd")
        return
    _emit(_text(table, style), out)


def _text(table: pa.Table, style: str) -> str:
    import polars as pl

    frame = pl.DataFrame(table)
    if style == "csv":
        buffer = io.StringIO()
        frame.write_csv(buffer)
        return buffer.getvalue()
    if style == "json":
        return json.dumps(frame.to_dicts(), default=str, ensure_ascii=False, indent=1)
    with pl.Config(tbl_rows=200, tbl_cols=-1, tbl_width_chars=console().width, fmt_str_lengths=80):
        return str(frame)


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text.rstrip("\n") + "\n")
    else:
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def print_examples(tables: Path) -> None:
    """Print the example queries with the command that runs each.

    Parameters
    ----------
    tables : Path
        Folder of tables, for the commands.
    """
    from cueflow.storage.reading.queries import EXAMPLES

    for example in EXAMPLES:
        sys.stdout.write(f'# {example.title}\ncueflow query {tables} "{example.sql.strip()}"\n\n')


def print_dictionary(style: str, out: Path | None) -> None:
    """Print the dictionary as md, json or parquet.

    Parameters
    ----------
    style : str
        md, json or parquet.
    out : Path or None
        File to write instead of standard output.
    """
    from cueflow.schemas.dictionary import dictionary_json, dictionary_markdown, dictionary_table

    if style == "parquet":
        print_rows(dictionary_table(), style, out)
    elif style == "json":
        _emit(json.dumps(dictionary_json(), ensure_ascii=False, indent=1), out)
    else:
        _emit(dictionary_markdown(), out)


def print_erasure(erasure: Erasure) -> None:
    """Print what was erased, and the proof.

    Parameters
    ----------
    erasure : Erasure
        What `storage.erasing.erasure.forget` did.
    """
    screen = console()
    for table, rows in erasure.rows.items():
        screen.print(f"  {table:<14} {rows} rows")
    screen.print(erasure.sentence)
    for sha256 in erasure.models:
        screen.print(f"A model was trained with this subject: train it again ({sha256}).")
    if erasure.certificate is not None:
        screen.print(f"Signed certificate, without the identity: {erasure.certificate}", soft_wrap=True)


def print_models_that_know(models: Mapping[str, bool]) -> None:
    """Say which models were trained on an erased subject.

    Parameters
    ----------
    models : mapping
        Folder of a model to whether it knows the subject.
    """
    for folder, knows in models.items():
        if knows:
            console().print(f"{folder}: was trained on this subject; delete it or train it again without the subject.")
        else:
            console().print(f"{folder}: was not trained on this subject.")
