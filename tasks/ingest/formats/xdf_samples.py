"""The bytes of XDF files: chunks, streams, and the stamps and values of their samples.

Format: https://github.com/sccn/xdf/wiki/Specifications (version 1.0). Own reader: the samples of a stream are parsed in
whole chunks, and damaged bytes end in typed errors.
"""

from __future__ import annotations

import html
import math
import mmap
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray

Bytes = NDArray[np.uint8]

_HEADER, _SAMPLES, _OFFSET = 2, 3, 4
_FORMATS = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
_MOST_CHANNELS = 10_000
_MOST_HEADER = 1 << 20
_LATEST_S = 1e11  # of any stamp: three thousand years
_AT_ONCE = 1 << 23  # bytes of the file that are held in memory
_GROUP = 1 << 16  # samples of chunks that are looked at together
_DAMAGED = "the XDF file is damaged: copy it again"


@dataclass(slots=True)
class Stream:
    """What is known of a stream: names, its chunks of samples, and offsets of its clock.

    `places` holds first byte, last byte and number of samples of each chunk, one after the other.
    """

    number: int
    name: str
    kind: str
    code: str
    rate: float
    channels: tuple[tuple[str, str], ...]
    places: array[int] = field(default_factory=lambda: array("q"))
    offsets: list[tuple[float, float]] = field(default_factory=list)

    @property
    def chunks(self) -> Iterator[tuple[int, int, int]]:
        """First byte, last byte and number of samples of each chunk."""
        numbers = iter(self.places)
        return zip(numbers, numbers, numbers, strict=True)

    @property
    def empty(self) -> bool:
        """Whether it has no samples."""
        return not self.places


def mapped(path: Path) -> mmap.mmap:
    """Open a file, of which only what is looked at is read.

    Parameters
    ----------
    path : Path
        .xdf.

    Returns
    -------
    mmap

    Raises
    ------
    StreamError
        FILE_EMPTY.
    """
    if not path.stat().st_size:
        raise StreamError("the file is empty: copy it again from the recorder", reason=Reason.FILE_EMPTY)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def streams_of(data: mmap.mmap) -> list[Stream]:
    """The streams of a file.

    Parameters
    ----------
    data : mmap
        From `mapped`.

    Returns
    -------
    list of Stream
        In the order of their headers.

    Raises
    ------
    StreamError
        FILE_UNREADABLE if the file is damaged, FILE_TRUNCATED if it is cut.
    """
    if data[:4] != b"XDF:":
        raise StreamError("not an XDF file: copy it again", reason=Reason.FILE_UNREADABLE)
    found: dict[int, Stream] = {}
    for tag, first, last in _chunks(data):
        if tag not in {_HEADER, _SAMPLES, _OFFSET}:
            continue
        if last - first < 4:
            raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
        number = int.from_bytes(data[first : first + 4], "little")
        if tag == _HEADER:
            found.setdefault(number, _described(number, data[first + 4 : min(last, first + _MOST_HEADER)]))
        elif (stream := found.get(number)) is not None:
            _note(stream, data, tag, (first + 4, last))
    return list(found.values())


def _note(stream: Stream, data: mmap.mmap, tag: int, where: tuple[int, int]) -> None:
    if tag == _SAMPLES:
        first, count = _length(data, where[0])
        if count:
            stream.places.extend((first, where[1], count))
    elif where[1] - where[0] >= 16:
        at, offset = np.frombuffer(data[where[0] : where[0] + 16], dtype="<f8").tolist()
        if abs(at) < _LATEST_S and abs(offset) < _LATEST_S:
            stream.offsets.append((at, offset))


def _chunks(data: mmap.mmap) -> Iterator[tuple[int, int, int]]:
    # tag, and first and last byte of the content, of every chunk
    at, size, dropped = 4, len(data), 0
    while at < size:
        if at - dropped > _AT_ONCE:
            dropped = _drop(data, at)
        first, length = _length(data, at)
        if length < 2 or first + length > size:
            message = "the XDF file is cut off: copy it again"
            raise StreamError(message, reason=Reason.FILE_TRUNCATED)
        yield int.from_bytes(data[first : first + 2], "little"), first + 2, first + length
        at = first + length


def _drop(data: mmap.mmap, at: int) -> int:
    """Let the system take back what was read of the file, up to `at`."""
    if hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)
    return at


def _length(data: mmap.mmap, at: int) -> tuple[int, int]:
    # where the content begins, and the number that says how long it is
    width = data[at] if at < len(data) else 0
    if width not in {1, 4, 8}:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    return at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "little")


def _described(number: int, raw: bytes) -> Stream:
    text = raw.decode("utf-8", errors="replace")
    count, rate = _number(_tag(text, "channel_count")), _number(_tag(text, "nominal_srate"))
    if not 1 <= count <= _MOST_CHANNELS or not 0 <= rate <= 1e6:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    parts = text.split("<channel>")[1 : int(count) + 1]
    channels = [(_tag(p, "label"), _tag(p, "unit")) for p in parts]
    channels += [("", "")] * (int(count) - len(channels))
    code = _FORMATS.get(_tag(text, "channel_format"), "")
    return Stream(number, _tag(text, "name"), _tag(text, "type"), code, rate, tuple(channels))


def _tag(text: str, name: str) -> str:
    """Text of the first element of a name; parsed by hand, as no entity of a stranger's XML may be followed."""
    first = text.find(f"<{name}>")
    last = text.find(f"</{name}>", first)
    return html.unescape(text[first + len(name) + 2 : last]).strip()[:200] if first >= 0 and last >= 0 else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def text_stamps(data: mmap.mmap, stream: Stream) -> FloatArray:
    """Stamps of the samples of a stream of single texts.

    Parameters
    ----------
    data : mmap
        From `mapped`.
    stream : Stream
        Of any kind; streams of numbers have no texts.

    Returns
    -------
    ndarray, shape (n,)
        On the stream's clock, s; what follows a text without a stamp is not read.
    """
    if stream.code or len(stream.channels) != 1:
        return np.zeros(0)
    stamps = []
    for first, last, count in stream.chunks:
        at = first
        for _ in range(count):
            if at + 9 > last or data[at] != 8:
                break
            stamps.append(float(np.frombuffer(data[at + 1 : at + 9], dtype="<f8")[0]))
            start, length = _length(data, at + 9)
            at = start + length
    kept = np.array(stamps, dtype=np.float64)
    return kept[np.abs(kept) < _LATEST_S]


def samples_of(data: mmap.mmap, stream: Stream, channel: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Stamps and values of one channel in parts; a sample without a stamp follows the one before it by the rate.

    Parameters
    ----------
    data : mmap
        From `mapped`.
    stream : Stream
        Of numbers.
    channel : int
        Position in it.

    Yields
    ------
    tuple of ndarray, shape (m,) each
        Stamps on the stream's clock, s; values, NaN where a sample is missing.

    Raises
    ------
    StreamError
        FILE_UNREADABLE if a chunk is damaged.
    """  # noqa: DOC502  raised by the helpers
    before: tuple[float, int] | None = None  # the last written stamp, and how many samples came after it
    waiting: list[FloatArray] = []  # values before the first stamp
    for stamps, values in _grouped(_chunk_samples(data, stream, channel, chunk) for chunk in _freed(data, stream)):
        stamps[~(np.abs(stamps) < _LATEST_S)] = np.nan
        values[~np.isfinite(values)] = np.nan
        known = np.flatnonzero(np.isfinite(stamps))
        if before is None and not len(known):
            waiting.append(values)
            continue
        early = sum(map(len, waiting))
        made = np.concatenate([np.full(early, np.nan), stamps])
        values = np.concatenate([*waiting, values])
        waiting = []
        if stream.rate > 0:
            made = _followed(made, before, 1.0 / stream.rate)
        good = np.isfinite(made)
        yield made[good], values[good]
        if len(known):
            before = float(stamps[known[-1]]), len(stamps) - 1 - int(known[-1])
        elif before is not None:
            before = before[0], before[1] + len(stamps)


def _followed(stamps: FloatArray, before: tuple[float, int] | None, period_s: float) -> FloatArray:
    """Stamps of samples that have none: counted on from the last that was written, or back from the first."""
    known = np.flatnonzero(np.isfinite(stamps))
    index = np.arange(len(stamps))
    origins, numbers = stamps[known], known
    if before is not None:
        origins, numbers = np.concatenate([[before[0]], origins]), np.concatenate([[-1 - before[1]], numbers])
    at = np.clip(np.searchsorted(numbers, index, side="right") - 1, 0, None)
    return np.asarray(origins[at] + (index - numbers[at]) * period_s)


def _freed(data: mmap.mmap, stream: Stream) -> Iterator[tuple[int, int, int]]:
    """The chunks of a stream; what was read of the file before them is let go."""
    dropped = 0
    for chunk in stream.chunks:
        if chunk[0] - dropped > _AT_ONCE:
            dropped = _drop(data, chunk[0])
        yield chunk


def _grouped(parts: Iterator[tuple[FloatArray, FloatArray]]) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Small parts put together."""
    held: list[tuple[FloatArray, FloatArray]] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part[0])
        if count >= _GROUP:
            yield _put_together(held)
            held, count = [], 0
    if held:
        yield _put_together(held)


def _put_together(parts: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([stamps for stamps, _ in parts]), np.concatenate([values for _, values in parts])


def _chunk_samples(
    data: mmap.mmap, stream: Stream, channel: int, chunk: tuple[int, int, int]
) -> tuple[FloatArray, FloatArray]:
    # stamps (NaN where a sample has none) and values of one channel; a sample is a flag, perhaps a stamp, and a row
    first, last, n = chunk
    raw = np.frombuffer(data[first:last], dtype=np.uint8)
    kind = np.dtype(stream.code)
    row = kind.itemsize * len(stream.channels)
    if n * (1 + row) > len(raw):
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    stamps = np.full(n, np.nan)
    if len(raw) == n * (9 + row) and bool((raw[:: 9 + row] == 8).all()):
        rows = raw.reshape(n, 9 + row)
        stamps[:] = np.ascontiguousarray(rows[:, 1:9]).view("<f8")[:, 0]
        rows = rows[:, 9:]
    elif len(raw) == n * (1 + row) and not raw[:: 1 + row].any():
        rows = raw.reshape(n, 1 + row)[:, 1:]
    else:
        rows = _one_by_one(raw, stamps, row)
    cells = np.ascontiguousarray(rows[:, kind.itemsize * channel : kind.itemsize * (channel + 1)])
    with np.errstate(invalid="ignore"):  # some NaNs warn when they are widened
        return stamps, cells.view(kind)[:, 0].astype(np.float64)


def _one_by_one(raw: Bytes, stamps: FloatArray, row: int) -> Bytes:
    # rows of a chunk in which some samples have a stamp and some have none; fills in the stamps
    rows = np.zeros((len(stamps), row), dtype=np.uint8)
    at = 0
    for k in range(len(stamps)):
        width = int(raw[at]) if at < len(raw) else -1
        if width not in {0, 8} or at + 1 + width + row > len(raw):
            raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
        if width:
            stamps[k] = np.frombuffer(raw[at + 1 : at + 9].tobytes(), dtype="<f8")[0]
        rows[k] = raw[at + 1 + width : at + 1 + width + row]
        at += 1 + width + row
    if at != len(raw):
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    return rows


def first_stamp(data: mmap.mmap, stream: Stream) -> float | None:
    """Stamp of a stream's first sample, whatever its samples are.

    Parameters
    ----------
    data : mmap
        From `mapped`.
    stream : Stream
        That has samples.

    Returns
    -------
    float or None
        On the stream's clock, s; None where it has no stamp.
    """
    first = stream.places[0]
    if data[first] != 8 or first + 9 > len(data):
        return None
    stamp = float(np.frombuffer(data[first + 1 : first + 9], dtype="<f8")[0])
    return stamp if abs(stamp) < _LATEST_S else None
