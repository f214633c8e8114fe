"""A column of numbers, and its time stamps, out of CSV, TSV and Parquet files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.raw import Query, Raw, pick
from cueflow.tasks.ingest.tabular.stamps import Origin, TimeColumn, time_column
from cueflow.tasks.ingest.tabular.text import MISSING, Layout, head_of, layout_of, parts_of, whole_lines
from cueflow.tasks.ingest.units import named_unit

if TYPE_CHECKING:
    import polars as pl

PART_BYTES = 1 << 22  # of a table that are text at the same time: cells take many times their size
_PART_ROWS = 1 << 16  # the same of Parquet
_PAGE_BYTES = 1 << 20  # of a column of Parquet that are read at once


def read_text(path: Path, query: Query, *, names: tuple[str, ...] | None = None, from_first: bool = False) -> Raw:
    """Read one signal of a text table.

    Lines before the header that start with `#` are left out, and so is a last line that was cut off. Without a header
    line the columns are called "0", "1", … The separator is a tab, semicolon, comma or white space; with the first two
    a comma may be the decimal sign.

    Parameters
    ----------
    path : Path
        .csv, .tsv or .txt, also with .gz.
    query : Query
        Which column.
    names : tuple of str, optional
        Names of the columns where they stand elsewhere (BIDS).
    from_first : bool, optional
        Time stamps are counted from the first one, wherever they begin.

    Returns
    -------
    Raw
        With time stamps where a column is named so.

    Raises
    ------
    StreamError
        If the file is not a table, the column is not there, or it holds text.
    """  # noqa: DOC502  raised by the helpers
    return text_signal(head_of(path), parts_of(path, size=PART_BYTES), query, names=names, from_first=from_first)


def text_signal(
    head: bytes,
    parts: Iterable[bytes],
    query: Query,
    *,
    names: tuple[str, ...] | None = None,
    from_first: bool = False,
) -> Raw:
    """Read one signal of a text table that comes in parts; see `read_text`.

    Parameters
    ----------
    head : bytes
        Its beginning.
    parts : iterable of bytes
        All of it, in whole lines.
    query : Query
        Which column.
    names : tuple of str, optional
        Names of the columns where they stand elsewhere.
    from_first : bool, optional
        Time stamps are counted from the first one, wherever they begin.

    Returns
    -------
    Raw

    Raises
    ------
    StreamError
        As `read_text`.
    """  # noqa: DOC502  raised by the helpers
    layout = layout_of(head, names=names)
    stamps = time_column(layout.names, channel=query.channel)
    index = pick(layout.names, query, leave_out=None if stamps is None else stamps.index)
    wanted = [index] if stamps is None else [index, stamps.index]
    table, skip = _Table(stamps, layout.zoned, layout.skip + 1, from_first), layout.skip
    whole = True
    for part in parts:
        part, whole = whole_lines(part, layout.separator)
        if not part.strip():
            continue
        found = _columns(part, replace(layout, skip=skip), wanted)
        times = None if stamps is None else table.moments(found[1])
        table.add(
            _numbers(found[0], layout, index, after=table.n),
            None if times is None or stamps is None else _numbers(times, layout, stamps.index, after=table.n),
        )
        skip = 0
    raw = replace(table.raw(layout.unit or named_unit(query.modality, layout.names[index])), cut=not whole)
    if stamps is not None:
        return raw
    return replace(raw, sampling_rate=layout.sampling_rate, began_s=layout.began_s, began_error_s=1.0)


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
    table = _Table(stamps, stamps is not None)
    for frame in _parquet(path, wanted):
        times = None if stamps is None else table.moments(frame.to_series(1))
        table.add(_plain_numbers(frame.to_series(0)), None if times is None else _plain_numbers(times))
    return table.raw("")


@dataclass(slots=True)
class _Table:
    """A signal as it is read: rows so far, values, and stamps in s. What the first rows say holds for all."""

    stamps: TimeColumn | None
    zoned: bool
    first_line: int = 1
    from_first: bool = False
    n: int = 0
    values: Held = field(default_factory=Held)
    times_s: Held = field(default_factory=Held)
    origin: Origin | None = None
    dated: bool = False

    def moments(self, column: pl.Series) -> pl.Series:
        """A column of stamps as numbers, or as text that holds numbers."""
        found = _moments(column)
        if not self.n:
            self.zoned, self.dated = _zoned(column), found is not None
        return column if found is None else found

    def add(self, values: FloatArray, written: FloatArray | None) -> None:
        """Keep rows; those that hold neither a stamp nor a sample are left out.

        Parameters
        ----------
        values : ndarray, shape (m,)
            NaN where a sample is missing.
        written : ndarray, shape (m,), or None
            Stamps as the file has them.

        Raises
        ------
        StreamError
            NOT_A_NUMBER for a sample without a stamp.
        """
        self.n += len(values)
        if written is None or self.stamps is None:
            self.values.add(values)
            return
        scale = 1.0 if self.dated else self.stamps.scale
        self.origin = self.origin or Origin.of(written, scale)
        times = written if self.origin is None else self.origin.seconds(written)
        timed = np.isfinite(times)
        lost = np.flatnonzero(~timed & np.isfinite(values))
        if len(lost):
            line = self.first_line + self.n - len(values) + int(lost[0])
            message = f"a sample has no time stamp: line {line}"
            raise StreamError(f"{message}; complete the time column", reason=Reason.NOT_A_NUMBER)
        if self.from_first and self.origin is not None:
            times = times - self.origin.seconds(np.array([self.origin.first]))
        self.values.add(values[timed])
        self.times_s.add(times[timed])

    def raw(self, unit: str) -> Raw:
        """What was read."""
        if self.stamps is None:
            return Raw(self.values, unit=unit, zoned=self.zoned)
        began = None if self.origin is None else self.origin.began_s
        return Raw(self.values, self.times_s, unit=unit, began_s=began, zoned=self.zoned)


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


def _parquet(path: Path, names: list[str]) -> Iterator[pl.DataFrame]:
    import polars as pl
    import pyarrow.parquet as pq

    with readable_parquet():  # pyarrow refuses damaged pages; the reader of polars panics on some
        file = pq.ParquetFile(path, buffer_size=_PAGE_BYTES, pre_buffer=False)
        wanted = list(dict.fromkeys(names))
        batches = file.iter_batches(batch_size=_PART_ROWS, columns=wanted, use_threads=False)  # threads read ahead
    while True:
        with readable_parquet():
            batch = next(batches, None)
        if batch is None:
            return
        frame = pl.from_arrow(batch)
        yield frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


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
        message = f"text where a number should be: {where}"
        raise StreamError(f"{message}; leave a missing value empty", reason=Reason.NOT_A_NUMBER)
    return _plain_numbers(values)


def _plain_numbers(column: pl.Series) -> FloatArray:
    import polars as pl

    if not (column.dtype.is_numeric() or column.dtype == pl.Null):
        raise StreamError("the column does not hold numbers: write it as numbers", reason=Reason.NOT_A_NUMBER)
    values = np.array(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values
