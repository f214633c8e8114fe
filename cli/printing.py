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
from cueflow.storage.atomic import disk_errors

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from cueflow.storage.erasing.erasure import Erasure

_COLUMNS = 8  # of a table on the screen, which narrow ones show, too


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
    QueryError
        If a column is of a kind that hardly any program reads.
    """
    from cueflow.schemas.errors import QueryError

    if style == "parquet" and out is None:
        raise typer.BadParameter("parquet needs a file", param_hint="--out")
    if odd := [field.name for field in table.schema if "interval" in str(field.type)]:
        raise QueryError(f"Column {odd[0]!r} holds intervals inside of something else: CAST it AS VARCHAR.")
    with disk_errors("writing the answer"):
        if style == "parquet":
            import pyarrow.parquet as pq

            pq.write_table(table, out, compression="zstd")
        else:
            _emit(_text(table, style), out)


def _text(table: pa.Table, style: str) -> str:
    import polars as pl

    frame = pl.DataFrame(table)
    if style == "csv":
        buffer = io.StringIO()
        _flat(frame).write_csv(buffer)
        return buffer.getvalue()
    if style == "json":
        finite = [
            pl.when(pl.col(name).is_finite()).then(name) for name, kind in frame.schema.items() if kind.is_float()
        ]
        return json.dumps(frame.with_columns(*finite).to_dicts(), default=str, ensure_ascii=False, indent=1)
    shown = -1 if frame.width <= _COLUMNS else max(_COLUMNS, console().width // 14)
    with pl.Config(tbl_rows=200, tbl_cols=shown, tbl_width_chars=console().width, fmt_str_lengths=80):
        return str(frame)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists and the like as JSON, since CSV has only texts and numbers."""
    import polars as pl

    plain = {pl.String, pl.Boolean, pl.Null, pl.Categorical, pl.Enum, pl.Date, pl.Time, pl.Datetime}
    texts = {
        name: [None if v is None else _one_text(v) for v in frame[name].to_list()]
        for name, kind in frame.schema.items()
        if not (kind in plain or kind.is_numeric())
    }
    return frame.with_columns(*(pl.Series(name, values, pl.String) for name, values in texts.items()))


def _one_text(value: object) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


def _emit(text: str, out: Path | None) -> None:
    text = text if text.endswith("\n") else f"{text}\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")


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
