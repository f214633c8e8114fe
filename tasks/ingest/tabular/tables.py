"""A column of numbers, and its time stamps, out of CSV, TSV and Parquet files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.raw import Query, Raw, pick
from cueflow.tasks.ingest.tabular.stamps import in_seconds, since_1970, time_column
from cueflow.tasks.ingest.tabular.text import HEAD_BYTES, MISSING, Layout, head_of, layout_of, parts_of
from cueflow.tasks.ingest.units import named_unit

if TYPE_CHECKING:
    import polars as pl

PART_BYTES = 1 << 22  # of a table that are text at the same time: cells take many times their size


def read_text(path: Path, query: Query, *, names: tuple[str, ...] | None = None) -> Raw:
    """Read one signal of a text table.

    Lines before the header that start with `#` are left out. Without a header line the columns are called "0", "1", …
    The separator is a tab, semicolon, comma or white space; with the first two a comma may be the decimal sign.

    Parameters
    ----------
    path : Path
        .csv, .tsv or .txt, also with .gz.
    query : Query
        Which column.
    names : tuple of str, optional
        Names of the columns where they stand elsewhere (BIDS).

    Returns
    -------
    Raw
        With time stamps where a column is named so.

    Raises
    ------
    StreamError
        If the file is not a table, the column is not there, or it holds text.
    """  # noqa: DOC502  raised by the helpers
    return _text_signal(head_of(path), parts_of(path, size=PART_BYTES), query, names)


def text_signal(raw: bytes, query: Query, *, names: tuple[str, ...] | None = None) -> Raw:
    """Read one signal of a text table that is in memory; see `read_text`.

    Parameters
    ----------
    raw : bytes
        The whole table.
    query : Query
        Which column.
    names : tuple of str, optional
        Names of the columns where they stand elsewhere.

    Returns
    -------
    Raw

    Raises
    ------
    StreamError
        As `read_text`.
    """  # noqa: DOC502  raised by the helpers
    return _text_signal(raw[:HEAD_BYTES], _split(raw), query, names)


def _split(raw: bytes) -> Iterator[bytes]:
    """A table in memory in parts of whole lines."""
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at + PART_BYTES) + 1 or len(raw)
        yield raw[at:end]
        at = end


def _text_signal(head: bytes, parts: Iterable[bytes], query: Query, names: tuple[str, ...] | None) -> Raw:
    layout = layout_of(head, names=names)
    stamps = time_column(layout.names, channel=query.channel)
    index = pick(layout.names, query, leave_out=None if stamps is None else stamps.index)
    wanted = [index] if stamps is None else [index, stamps.index]
    scale = None if stamps is None else stamps.scale
    zoned, skip, done = layout.zoned, layout.skip, 0
    values, written = [np.empty(0)], [np.empty(0)]
    for part in parts:
        if not part.strip():
            continue
        found = _columns(part, replace(layout, skip=skip), wanted)
        if stamps is not None:
            zoned = zoned if done else _zoned(found[1])
            moments = _moments(found[1])
            scale = scale if moments is None else 1.0
            written.append(_numbers(found[1] if moments is None else moments, layout, stamps.index, after=done))
        values.append(_numbers(found[0], layout, index, after=done))
        skip, done = 0, done + len(found[0])
    unit = layout.unit or named_unit(query.modality, layout.names[index])
    if stamps is None:
        began = {"began_s": layout.began_s, "began_error_s": 1.0, "zoned": layout.zoned}
        return Raw(np.concatenate(values), sampling_rate=layout.sampling_rate, unit=unit, **began)  # type: ignore[arg-type]
    times = np.concatenate(written)
    made = _stamped(np.concatenate(values), in_seconds(times, scale), first_line=layout.skip + 1)
    return replace(made, began_s=since_1970(times, scale), zoned=zoned, unit=unit)


def read_parquet(path: Path, query: Query) -> Raw:
    """Read one signal of a Parquet file.

    Parameters
    ----------
    path : Path
        .parquet.
    query : Query
        Which column.

    Returns
    -------
    Raw
        With time stamps where a column is named so; columns of instants and durations are read as seconds.

    Raises
    ------
    StreamError
        If the file is not Parquet, the column is not there, or it does not hold numbers.
    """  # noqa: DOC502  raised by the helpers
    names = parquet_names(path)
    stamps = time_column(names, channel=query.channel)
    index = pick(names, query, leave_out=None if stamps is None else stamps.index)
    wanted = [names[index]] if stamps is None else [names[index], names[stamps.index]]
    frame = _parquet(path, wanted)
    values = _plain_numbers(frame.to_series(0))
    if stamps is None:
        return Raw(values)
    times, scale = frame.to_series(1), stamps.scale
    zoned = _zoned(times)
    if (read := _moments(times)) is not None:
        times, scale = read, 1.0
    written = _plain_numbers(times)
    found = _stamped(values, in_seconds(written, scale), first_line=1)
    return replace(found, began_s=since_1970(written, scale), zoned=zoned)


def parquet_names(path: Path) -> tuple[str, ...]:
    """Columns of a Parquet file.

    Raises
    ------
    StreamError
        FILE_UNREADABLE if it is none.
    """  # noqa: DOC502  raised by the helper
    import pyarrow.parquet as pq

    with readable_parquet():
        return tuple(pq.ParquetFile(path).schema_arrow.names)


@contextmanager
def readable_parquet() -> Iterator[None]:
    """Turn pyarrow's errors into typed ones.

    Yields
    ------
    None

    Raises
    ------
    StreamError
        FILE_UNREADABLE.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise StreamError("not a readable Parquet file: write it again", reason=Reason.FILE_UNREADABLE) from error


def _parquet(path: Path, names: list[str]) -> pl.DataFrame:
    import polars as pl
    import pyarrow.parquet as pq

    with readable_parquet():  # pyarrow refuses damaged pages; the reader of polars panics on some
        table = pq.ParquetFile(path).read(columns=list(dict.fromkeys(names)))
    frame = pl.from_arrow(table)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _columns(raw: bytes, layout: Layout, wanted: list[int]) -> list[pl.Series]:
    # as text, in the order asked for
    import polars as pl

    body = raw.rstrip()
    if layout.separator == " ":
        body = re.sub(rb"[ \t]+", b" ", re.sub(rb"(?m)^[ \t]+", b"", body))
    try:
        frame = pl.read_csv(
            io.BytesIO(body),
            has_header=False,
            skip_lines=layout.skip,
            separator=layout.separator,
            columns=sorted(set(wanted)),
            infer_schema=False,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
        )
    except pl.exceptions.PolarsError as error:
        raise StreamError("not a table that can be read: export it again", reason=Reason.FILE_UNREADABLE) from error
    order = sorted(set(wanted))
    return [frame.to_series(order.index(i)) for i in wanted]


def _moments(column: pl.Series) -> pl.Series | None:
    """Seconds since 1970 of a column of dates and times, or the seconds of durations; None for other columns."""
    import polars as pl

    if column.dtype == pl.String:
        if "-" not in (column.drop_nulls().head(1).to_list() or [""])[0][1:]:
            return None
        column = column.str.strip_chars().str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        return column.dt.epoch("us") / 1e6 if column.null_count() < len(column) else None
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us") / 1e6
    if isinstance(column.dtype, pl.Duration):
        return column.dt.total_microseconds() / 1e6
    return None


def _zoned(column: pl.Series) -> bool:
    """Whether stamps are known to be UTC: numbers that count from 1970, and dates that name their zone."""
    import polars as pl

    if column.dtype == pl.String:
        first = (column.drop_nulls().head(1).to_list() or [""])[0].strip()
        return "-" not in first[1:] or re.search(r"(Z|[+-]\d\d:?\d\d)$", first[10:]) is not None
    return not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone is not None


def _numbers(column: pl.Series, layout: Layout, index: int, *, after: int) -> FloatArray:
    # NaN where a cell is missing or not finite; so many rows were read before
    import polars as pl

    if column.dtype != pl.String:
        return _plain_numbers(column)
    cells = column.str.strip_chars()
    if layout.separator != ",":
        cells = cells.str.replace(",", ".", literal=True)
    values = cells.cast(pl.Float64, strict=False)
    wrong = (values.is_null() & cells.is_not_null() & ~cells.str.to_lowercase().is_in(list(MISSING))).arg_true()
    if len(wrong):
        where = f"line {layout.skip + after + int(wrong[0]) + 1}, column {index + 1}"
        message = f"text where a number should be: {where} ({len(wrong)} cells in all)"
        raise StreamError(f"{message}; leave a missing value empty", reason=Reason.NOT_A_NUMBER)
    return _plain_numbers(values)


def _plain_numbers(column: pl.Series) -> FloatArray:
    import polars as pl

    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise StreamError("the column does not hold numbers: write it as numbers", reason=Reason.NOT_A_NUMBER)
    values = np.array(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _stamped(values: FloatArray, times_s: FloatArray, *, first_line: int) -> Raw:
    # lines that hold neither a stamp nor a sample are left out
    timed = np.isfinite(times_s)
    lost = np.flatnonzero(~timed & np.isfinite(values))
    if len(lost):
        message = f"a sample has no time stamp: line {first_line + int(lost[0])} ({len(lost)} in all)"
        raise StreamError(f"{message}; complete the time column", reason=Reason.NOT_A_NUMBER)
    return Raw(values[timed], times_s[timed])
