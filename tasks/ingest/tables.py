"""Columns of numbers out of CSV, TSV and Parquet files."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    import polars as pl

# Name of a time column, lower case without unit, and its unit's length in s.
_TIME_NAMES = frozenset({"time", "t", "timestamp", "timestamps", "seconds", "sec", "onset"})
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_MISSING = ("", "NA", "NaN", "nan", "n/a", "null")


def read_columns(path: Path, *, channel: str) -> tuple[FloatArray, FloatArray | None]:
    """Read one column of a table, and the column of time stamps if there is one.

    Parameters
    ----------
    path : Path
        .csv, .tsv (also .gz) or .parquet; a file of one column may lack a header.
    channel : str
        Name of the column, compared without outer spaces; may be empty where there is one column besides the time.

    Returns
    -------
    values : ndarray, shape (n,)
        NaN for an empty cell.
    times : ndarray, shape (n,), or None
        Time stamps in s as the file has them.

    Raises
    ------
    StreamError
        If the file is not a table, the column is not there, or it holds text.
    """
    frame = _parquet(path) if path.suffix == ".parquet" else _text(path)
    names = {name.strip(): name for name in frame.columns}
    times = next(((name, scale) for name in names if (scale := _time_scale(name)) is not None), None)
    others = [name for name in names if times is None or name != times[0]]
    if channel.strip() in names:
        chosen = channel.strip()
    elif not channel.strip() and len(others) == 1:
        chosen = others[0]
    else:
        asked = f"no column {channel.strip()!r}" if channel.strip() else "more than one column, and no channel is named"
        raise StreamError(f"{path.name}: {asked}; it has {', '.join(names)[:200]}", reason=Reason.COLUMN_MISSING)
    values = _numbers(frame[names[chosen]], path)
    return values, None if times is None else _numbers(frame[names[times[0]]], path) * times[1]


def read_columns_by_position(path: Path, *, position: int, width: int) -> FloatArray:
    """Read one column of a table without a header line.

    Parameters
    ----------
    path : Path
        .tsv or .tsv.gz.
    position : int
        Of the column, from 0.
    width : int
        How many columns there should be.

    Returns
    -------
    ndarray, shape (n,)
        NaN for an empty cell.

    Raises
    ------
    StreamError
        If there are fewer columns, or the column holds text.
    """
    frame = _text(path, header=False)
    if frame.width < width:
        message = f"{path.name}: {frame.width} columns, the sidecar names {width}"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    return _numbers(frame.to_series(position), path)


def _time_scale(name: str) -> float | None:
    """Seconds per unit of a time column named like `time_s`, `Time [s]`, `timestamp (ms)`; None for other columns."""
    bare = name.strip().lower().replace("[", "_").replace("(", "_").rstrip("])").replace(" ", "_")
    stem, _, unit = bare.partition("_")
    unit = unit.strip("_")
    return _UNITS.get(unit) if stem in _TIME_NAMES else None


def _parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StreamError(f"{path.name}: not a readable Parquet file", reason=Reason.FILE_UNREADABLE) from error


def _text(path: Path, *, header: bool | None = None) -> pl.DataFrame:
    import polars as pl

    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = _unzipped(raw, path)
    first = raw[:4096].split(b"\n", 1)[0]
    separator = max("\t;,", key=lambda c: first.count(c.encode()))
    if b"\0" in raw[:4096]:
        raise StreamError(f"{path.name}: not a text table", reason=Reason.FILE_UNREADABLE)
    if header is None:
        header = not _is_number(first.split(separator.encode())[0])
    try:
        frame = pl.read_csv(
            io.BytesIO(raw), separator=separator, has_header=header, infer_schema=False, truncate_ragged_lines=True
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise StreamError(f"{path.name}: not a table that can be read", reason=Reason.FILE_UNREADABLE) from error
    if frame.is_empty():
        raise StreamError(f"{path.name}: the table has no rows", reason=Reason.FILE_EMPTY)
    return frame


def _unzipped(raw: bytes, path: Path) -> bytes:
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError) as error:
        raise StreamError(
            f"{path.name}: the compressed file is cut or damaged", reason=Reason.FILE_TRUNCATED
        ) from error


def _is_number(cell: bytes) -> bool:
    try:
        float(cell.strip().strip(b'"'))
    except ValueError:
        return False
    return True


def _numbers(column: pl.Series, path: Path) -> FloatArray:
    import polars as pl

    if column.dtype != pl.String:
        return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
    cells = column.str.strip_chars()
    missing = cells.is_null() | cells.is_in(_MISSING)
    values = cells.cast(pl.Float64, strict=False)
    wrong = (values.is_null() & ~missing).arg_true()
    if len(wrong):
        line = int(wrong[0]) + 2
        message = f"{path.name}: text where numbers should be, first in line {line} ({len(wrong)} cells in all)"
        raise StreamError(message, reason=Reason.NOT_A_NUMBER)
    return np.asarray(values.fill_null(float("nan")).to_numpy(), dtype=np.float64)
