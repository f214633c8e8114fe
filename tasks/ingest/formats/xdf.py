"""XDF files (Lab Streaming Layer): signals and marks of their streams, put on the recording computer's clock."""

from __future__ import annotations

import mmap
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.formats.xdf_samples import Stream, first_stamp, mapped, samples_of, streams_of, text_stamps
from cueflow.tasks.ingest.held import Decoded, Held, Numbers, blocks
from cueflow.tasks.ingest.raw import Query, Raw, modality_of, pick
from cueflow.tasks.ingest.tabular.stamps import straight_lines

_NO_UNIT = frozenset({"", "n/a", "na", "none", "unknown", "normalized"})
_PAUSE_S = 1.0  # stamps of samples sent in packets may be this uneven; a longer step is a gap
_NEAR_S = 86400.0  # clocks of one recording; a stream stamped beyond counts from another epoch
_JUMP_S = 0.5  # of a clock against the other


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
    with mapped(path) as data:
        streams = streams_of(data)
        signals = _signals(streams)
        names = [s.name for s in signals]
        if _means_an_empty_one(streams, names, query):
            raise StreamError("the stream has no samples: was its device switched on?", reason=Reason.FILE_EMPTY)
        signal = signals[pick(names, query, kind="channel")]
        wanted = next(s for s in streams if s.number == signal.stream)
        stamps, values, clock = Held(), Held(), _computer_clock(wanted.offsets)
        for some, found in samples_of(data, wanted, signal.channel):
            stamps.add(clock(some))
            values.add(found)
        firsts = [first for s in streams if not s.empty and (first := _first(data, s)) is not None]
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
    with mapped(path) as data:
        streams = [s for s in streams_of(data) if not s.empty]
        firsts = [first for s in streams if (first := _first(data, s)) is not None]
        found = [_computer_clock(s.offsets)(text_stamps(data, s)) for s in streams if s.kind.casefold() == "markers"]
    stamps = np.unique(np.concatenate([np.zeros(0), *found]))
    if not len(stamps):
        return stamps
    near = [first for first in firsts if abs(first - stamps[0]) < _NEAR_S]
    return np.asarray(stamps - min([*near, float(stamps[0])]))


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
    with mapped(path) as data:
        return _signals(streams_of(data))


def _signals(streams: Sequence[Stream]) -> tuple[XdfSignal, ...]:
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


def _means_an_empty_one(streams: Sequence[Stream], names: Sequence[str], query: Query) -> bool:
    """Whether a stream without samples is asked for, lest another one be taken for it."""
    asked = query.channel.strip().casefold()

    def meant(words: Iterable[str]) -> bool:
        return any(w.casefold() == asked if asked else modality_of(w) is query.modality for w in words)

    empty = ((s.name, s.kind, *(label for label, _ in s.channels)) for s in streams if s.empty)
    return not meant(names) and any(map(meant, empty))


def _plain(stream: Stream, k: int) -> str:
    if len(stream.channels) > 1:
        return stream.channels[k][0] or str(k)
    named = next((n for n in (stream.channels[0][0], stream.kind, stream.name) if modality_of(n) is not None), "")
    return named or stream.channels[0][0] or stream.name or str(k)


def _unique(stream: Stream, k: int, plain: dict[str, int]) -> str:
    short = _plain(stream, k)
    longer = f"{stream.name}/{short}"
    if plain[short] == 1:
        return short
    return longer if plain[longer] == 1 else f"{stream.name}#{stream.number}/{short}"


def _unit(text: str) -> str:
    return "" if text.casefold() in _NO_UNIT else text


def _first(data: mmap.mmap, stream: Stream) -> float | None:
    """Stamp of a stream's first sample on the computer's clock."""
    stamp = first_stamp(data, stream)
    return None if stamp is None else float(_computer_clock(stream.offsets)(np.array([stamp]))[0])


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
