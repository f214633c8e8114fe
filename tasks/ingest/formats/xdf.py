"""XDF files (Lab Streaming Layer): streams with their own stamps, put on the recording computer's clock.

Format: https://github.com/sccn/xdf/wiki/Specifications (version 1.0). Own reader: the samples of a stream are parsed in
whole chunks, and damaged bytes end in typed errors.
"""

from __future__ import annotations

import html
import math
import mmap
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.held import Decoded, Held, Numbers, blocks
from cueflow.tasks.ingest.raw import Query, Raw, modality_of, pick
from cueflow.tasks.ingest.tabular.stamps import straight_lines

Bytes = NDArray[np.uint8]

_HEADER, _SAMPLES, _OFFSET = 2, 3, 4
_FORMATS = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
_MOST_CHANNELS = 10_000
_MOST_HEADER = 1 << 20
_NO_UNIT = frozenset({"", "n/a", "na", "none", "unknown", "normalized"})
_PAUSE_S = 1.0  # stamps of samples sent in packets may be this uneven; a longer step is a gap
_NEAR_S = 86400.0  # clocks of one recording; a stream stamped beyond counts from another epoch
_LATEST_S = 1e11  # of any stamp: three thousand years
_JUMP_S = 0.5  # of a clock against the other
_AT_ONCE = 1 << 23  # bytes of the file that are held in memory
_GROUP = 1 << 16  # samples of chunks that are looked at together
_DAMAGED = "the XDF file is damaged: copy it again"


@dataclass(slots=True)
class _Stream:
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


@dataclass(frozen=True, slots=True)
class XdfSignal:
    """One channel of a stream: its name in the file's list, unit, and the rate that its header says (0: irregular)."""

    name: str
    unit: str
    rate: float
    stream: int
    channel: int


def read_xdf(path: Path, query: Query) -> Raw:
    """Read one channel of a stream.

    Stamps are moved by the measured offsets of the stream's clock, and those of an even stream are laid on a straight
    line between gaps: the stamps of samples that travel in packets jitter.

    Parameters
    ----------
    path : Path
        .xdf.
    query : Query
        Label of the channel; of a stream with a single one also its type (ECG) or name. Where streams share a label:
        stream/label, or stream#number/label.

    Returns
    -------
    Raw
        `start_s` is counted from the first sample of any stream.

    Raises
    ------
    StreamError
        If the file is damaged or cut, or has no such channel; streams of text or without samples do not count.
    """
    with _mapped(path) as data:
        streams = _streams(data)
        signals = _signals(streams)
        names = [s.name for s in signals]
        if _means_an_empty_one(streams, names, query):
            raise StreamError("the stream has no samples: was its device switched on?", reason=Reason.FILE_EMPTY)
        signal = signals[pick(names, query, kind="channel")]
        wanted = next(s for s in streams if s.number == signal.stream)
        stamps, values, clock = Held(), Held(), _computer_clock(wanted.offsets)
        for some, found in _samples(data, wanted, signal.channel):
            stamps.add(clock(some))
            values.add(found)
        firsts = [first for s in streams if not s.empty and (first := _first_stamp(data, s)) is not None]
    if not stamps.n:
        raise StreamError("the stream has no stamped samples: record again", reason=Reason.FILE_EMPTY)
    times = _even(stamps, wanted.rate)
    zero = float(times.read(0, 1)[0])
    start = min([*(first for first in firsts if abs(first - zero) < _NEAR_S), zero])
    since = Decoded(times.n, lambda first, last: times.read(first, last) - zero)
    return Raw(values, since, wanted.rate or None, signal.unit, zero - start)


def read_xdf_marks(path: Path) -> FloatArray:
    """Times of the texts that streams of markers hold.

    Parameters
    ----------
    path : Path
        .xdf.

    Returns
    -------
    ndarray, shape (n,)
        In s after the first sample of any stream, increasing.

    Raises
    ------
    StreamError
        If the file is damaged or cut.
    """  # noqa: DOC502  raised by the helpers
    with _mapped(path) as data:
        streams = [s for s in _streams(data) if not s.empty]
        firsts = [first for s in streams if (first := _first_stamp(data, s)) is not None]
        found = [_computer_clock(s.offsets)(_text_stamps(data, s)) for s in streams if s.kind.casefold() == "markers"]
    stamps = np.unique(np.concatenate([np.zeros(0), *found]))
    if not len(stamps):
        return stamps
    near = [first for first in firsts if abs(first - stamps[0]) < _NEAR_S]
    return np.asarray(stamps - min([*near, float(stamps[0])]))


def _text_stamps(data: mmap.mmap, stream: _Stream) -> FloatArray:
    """Stamps of the samples of a stream of single texts; what follows a text without a stamp is not read."""
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


def read_xdf_signals(path: Path) -> tuple[XdfSignal, ...]:
    """Channels of the streams of numbers that have samples.

    Parameters
    ----------
    path : Path
        .xdf.

    Returns
    -------
    tuple of XdfSignal

    Raises
    ------
    StreamError
        If the file is damaged or cut.
    """  # noqa: DOC502  raised by the helpers
    with _mapped(path) as data:
        return _signals(_streams(data))


def _mapped(path: Path) -> mmap.mmap:
    if not path.stat().st_size:
        raise StreamError("the file is empty: copy it again from the recorder", reason=Reason.FILE_EMPTY)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _streams(data: mmap.mmap) -> list[_Stream]:
    if data[:4] != b"XDF:":
        raise StreamError("not an XDF file: copy it again", reason=Reason.FILE_UNREADABLE)
    found: dict[int, _Stream] = {}
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


def _note(stream: _Stream, data: mmap.mmap, tag: int, where: tuple[int, int]) -> None:
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


def _described(number: int, raw: bytes) -> _Stream:
    text = raw.decode("utf-8", errors="replace")
    count, rate = _number(_tag(text, "channel_count")), _number(_tag(text, "nominal_srate"))
    if not 1 <= count <= _MOST_CHANNELS or not 0 <= rate <= 1e6:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    parts = text.split("<channel>")[1 : int(count) + 1]
    channels = [(_tag(p, "label"), _tag(p, "unit")) for p in parts]
    channels += [("", "")] * (int(count) - len(channels))
    code = _FORMATS.get(_tag(text, "channel_format"), "")
    return _Stream(number, _tag(text, "name"), _tag(text, "type"), code, rate, tuple(channels))


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


def _signals(streams: Sequence[_Stream]) -> tuple[XdfSignal, ...]:
    plain: dict[str, int] = defaultdict(int)
    usable = [s for s in streams if s.code and not s.empty]
    for stream in usable:
        for k in range(len(stream.channels)):
            plain[_plain(stream, k)] += 1
            plain[f"{stream.name}/{_plain(stream, k)}"] += 1
    return tuple(
        XdfSignal(_unique(stream, k, plain), _unit(stream.channels[k][1]), stream.rate, stream.number, k)
        for stream in usable
        for k in range(len(stream.channels))
    )


def _means_an_empty_one(streams: Sequence[_Stream], names: Sequence[str], query: Query) -> bool:
    """Whether a stream without samples is asked for, lest another one be taken for it."""
    asked = query.channel.strip().casefold()

    def meant(words: Iterable[str]) -> bool:
        return any(w.casefold() == asked if asked else modality_of(w) is query.modality for w in words)

    empty = ((s.name, s.kind, *(label for label, _ in s.channels)) for s in streams if s.empty)
    return not meant(names) and any(map(meant, empty))


def _plain(stream: _Stream, k: int) -> str:
    if len(stream.channels) > 1:
        return stream.channels[k][0] or str(k)
    named = next((n for n in (stream.channels[0][0], stream.kind, stream.name) if modality_of(n) is not None), "")
    return named or stream.channels[0][0] or stream.name or str(k)


def _unique(stream: _Stream, k: int, plain: dict[str, int]) -> str:
    short = _plain(stream, k)
    longer = f"{stream.name}/{short}"
    if plain[short] == 1:
        return short
    return longer if plain[longer] == 1 else f"{stream.name}#{stream.number}/{short}"


def _unit(text: str) -> str:
    return "" if text.casefold() in _NO_UNIT else text


def _samples(data: mmap.mmap, stream: _Stream, channel: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Stamps and values of one channel in parts; a sample without a stamp follows the one before it by the rate."""
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


def _freed(data: mmap.mmap, stream: _Stream) -> Iterator[tuple[int, int, int]]:
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
    data: mmap.mmap, stream: _Stream, channel: int, chunk: tuple[int, int, int]
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


def _first_stamp(data: mmap.mmap, stream: _Stream) -> float | None:
    """Stamp of a stream's first sample on the computer's clock, whatever its samples are."""
    first = stream.places[0]
    if data[first] != 8 or first + 9 > len(data):
        return None
    stamp = np.frombuffer(data[first + 1 : first + 9], dtype="<f8")
    return float(_computer_clock(stream.offsets)(stamp)[0]) if abs(stamp[0]) < _LATEST_S else None


def _computer_clock(offsets: Sequence[tuple[float, float]]) -> Callable[[FloatArray], FloatArray]:
    """Adds the offset of a stream's clock to stamps: a robust line, or the measurements themselves where it jumped."""
    if not offsets:
        return lambda stamps: stamps
    at, offset = np.array(sorted(offsets)).T
    if len(at) < 3 or float(np.ptp(at)) < _PAUSE_S:
        return lambda stamps: stamps + float(np.median(offset))
    if float(np.max(np.abs(np.diff(offset)))) > _JUMP_S:
        return lambda stamps: np.asarray(stamps + np.interp(stamps, at, offset))
    middle, keep = float(np.mean(at)), np.ones(len(at), dtype=bool)
    for _ in range(3):  # a measurement over a busy network is late: it lies far from the line
        slope, level = np.polyfit(at[keep] - middle, offset[keep], 1)
        rest = np.abs(offset - level - slope * (at - middle))
        keep = rest <= max(3.0 * float(np.median(rest)), 1e-6)
        if keep.sum() < 3:
            break
    return lambda stamps: np.asarray(stamps + level + slope * (stamps - middle))


def _even(times: Numbers, rate: float) -> Numbers:
    """Times of an even stream without jitter; those of an irregular one as they are."""
    if rate <= 0 or times.n < 3:
        return times
    return straight_lines(blocks(times), lambda step: (step > max(_PAUSE_S, 1.5 / rate)) | (step < -_PAUSE_S), rate)
