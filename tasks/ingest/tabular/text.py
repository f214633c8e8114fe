"""The head of a text table: its encoding, separator, names, and where its numbers begin."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.tabular.comments import comments_of

BinaryFile = IO[bytes] | gzip.GzipFile
HEAD_BYTES = 65536
_LONGEST_LINE = 1 << 20
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_EPOCH = (1e9, 5e9)  # seconds since 1970 that a device made after 2001 can write
_FASTEST_HZ = 5000.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text table is written.

    `names` of the columns ("0", "1", … where there is no header line); `skip` lines before the first sample;
    `sampling_rate` in Hz where the file starts with its own (Empatica: start, rate, samples; comment lines), else None;
    `began_s` in seconds since 1970 where the file starts with it, `zoned` where that is UTC;
    `unit` of all columns where the comment lines say it.
    """

    names: tuple[str, ...]
    separator: str
    skip: int
    sampling_rate: float | None = None
    began_s: float | None = None
    unit: str = ""
    zoned: bool = False


def head_of(path: Path, *, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a text file, unzipped.

    Parameters
    ----------
    path : Path
        The file; `.gz` is unzipped.
    size : int, optional
        Bytes to read; -1 for all.

    Returns
    -------
    bytes

    Raises
    ------
    StreamError
        FILE_TRUNCATED if the compressed file is cut, FILE_UNREADABLE if it is not compressed or not text.
    """  # noqa: DOC502  raised by the helpers
    with opened_text(path) as file:
        head = file.read(size)
    need_text(head)
    return head


def parts_of(path: Path, *, size: int) -> Iterator[bytes]:
    """A text file, unzipped, in parts of whole lines.

    Parameters
    ----------
    path : Path
        The file; `.gz` is unzipped.
    size : int
        About so many bytes each.

    Yields
    ------
    bytes
        At least one part.

    Raises
    ------
    StreamError
        As `head_of`.
    """  # noqa: DOC502  raised by the helpers
    with opened_text(path) as file:
        yield from parts_in(file, size=size)


def parts_in(file: BinaryFile, *, size: int) -> Iterator[bytes]:
    """What an open text file still holds, in parts of whole lines.

    Parameters
    ----------
    file : binary file
        Unzipped.
    size : int
        About so many bytes each.

    Yields
    ------
    bytes
        At least one part.
    """
    part = file.read(size)
    need_text(part)
    while part:
        part += file.readline(_LONGEST_LINE)
        yield part
        part = file.read(size)


def whole_lines(part: bytes, separator: str) -> tuple[bytes, bool]:
    """A part of a table without a last line that was cut off, and whether there is none.

    A line that nothing ends is taken for one if it has fewer cells than the line before.

    Parameters
    ----------
    part : bytes
        Lines.
    separator : str
        From the layout.

    Returns
    -------
    tuple
        The part, and whether all of its lines are whole.
    """
    body = part.rstrip(b" \t")
    if not body or body[-1:] in b"\r\n":
        return part, True
    before, _, last = body.replace(b"\r", b"\n").rpartition(b"\n")
    full = before.rstrip().rpartition(b"\n")[2]
    if len(cells_of(decoded(last), separator)) >= len(cells_of(decoded(full), separator)):
        return part, True
    return part[: len(before) + 1], False


@contextmanager
def opened_text(path: Path) -> Iterator[BinaryFile]:
    """Open a text file, unzipped where it ends in `.gz`.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    binary file

    Raises
    ------
    StreamError
        FILE_TRUNCATED or FILE_UNREADABLE, for errors of the file while it is read.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except EOFError as error:
        message = "the compressed file is cut off: copy it again"
        raise StreamError(message, reason=Reason.FILE_TRUNCATED) from error
    except (OSError, zlib.error) as error:
        message = "the file is damaged or not compressed as its name says: copy it again"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error


def need_text(head: bytes) -> None:
    """Make sure that a file begins like a text.

    Parameters
    ----------
    head : bytes
        Its beginning.

    Raises
    ------
    StreamError
        FILE_EMPTY or FILE_UNREADABLE.
    """
    if not head.strip():
        raise StreamError("the table is empty: export it again", reason=Reason.FILE_EMPTY)
    if b"\0" in head[:HEAD_BYTES]:
        raise StreamError("this is not a text table in UTF-8: export it again", reason=Reason.FILE_UNREADABLE)


def layout_of(head: bytes, *, names: tuple[str, ...] | None = None) -> Layout:
    """How a text table is written, from its first lines.

    Parameters
    ----------
    head : bytes
        From `head_of`.
    names : tuple of str, optional
        Names of the columns where they stand elsewhere (BIDS), so that a header line is neither needed nor read.

    Returns
    -------
    Layout

    Raises
    ------
    StreamError
        FILE_EMPTY if nothing follows the header; COLUMN_MISSING if there are more or fewer columns than names.
    """
    lines = decoded(head).splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), len(lines))
    separator = _separator(lines[first]) if first < len(lines) else ","
    rows = [cells_of(line, separator) for line in lines[first : first + 3]]
    if not rows or (len(rows) == 1 and not all_numbers(rows[0])):
        raise StreamError("the table has no rows: export it again", reason=Reason.FILE_EMPTY)
    headed = not all_numbers(rows[0])
    filled = len(rows[0]) - (rows[0][-1] == "")  # a row may end in a separator
    if names is not None and len(names) not in {filled, len(rows[0])}:
        message = f"the sidecar names {len(names)} columns and the file has {filled}: correct its Columns"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    said = comments_of(lines[:first])
    if names is None:
        names = tuple(rows[0]) if headed else said.names if len(said.names) <= len(rows[0]) else None
    names = names or tuple(map(str, range(len(rows[0]))))
    device = None if headed else _device_start(rows)
    if device is None:
        return Layout(names, separator, first + headed, said.sampling_rate, said.began_s, said.unit)
    return Layout(names, separator, first + 2, device[1], device[0], zoned=True)


def decoded(raw: bytes) -> str:
    """Text in UTF-8, or else in Latin-1, which old exports write their units in."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start > len(raw) - 4:  # the head ends inside a character
            return raw[: error.start].decode("utf-8-sig")
        return raw.decode("latin-1")


def cells_of(line: str, separator: str) -> list[str]:
    """Cells of a line, without quotes and outer spaces."""
    if separator == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def all_numbers(cells: list[str]) -> bool:
    """Whether every cell is a number or missing, and at least one is a number."""
    known = [cell for cell in cells if cell.casefold() not in MISSING]
    return bool(known) and all(is_number(cell) for cell in known)


def is_number(cell: str) -> bool:
    """Whether a cell is a number, also with a decimal comma."""
    return as_number(cell) is not None


def as_number(cell: str) -> float | None:
    """The number in a cell; None where there is none."""
    try:
        return float(cell.replace(",", ".")) if "_" not in cell else None
    except ValueError:
        return None


def _separator(line: str) -> str:
    for separator in "\t;,":
        if len(cells_of(line, separator)) > 1:
            return separator
    cells = line.split()
    return " " if len(cells) > 1 and all_numbers(cells) else ","


def _device_start(rows: list[list[str]]) -> tuple[float, float] | None:
    """Start and rate of a file that begins with a line of its start in seconds since 1970 and a line of its rate."""
    if len(rows) < 3 or len(set(rows[0])) != 1 or len(set(rows[1])) != 1:
        return None
    start, rate = as_number(rows[0][0]), as_number(rows[1][0])
    if start is None or rate is None or not _EPOCH[0] < start < _EPOCH[1] or not 0 < rate <= _FASTEST_HZ:
        return None
    return start, rate
