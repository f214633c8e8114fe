"""AcqKnowledge files (BIOPAC, .acq), read by the optional package bioread; no text of a marker is looked at."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.held import MANY, Held
from cueflow.tasks.ingest.raw import Query, Raw, extra_missing, pick

_SAMPLE_BYTES = 2  # the fewest that a sample takes
_MOST_RATIO = 200  # by which compressed samples can shrink
_TROUBLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, AssertionError, OSError,
            EOFError, MemoryError, NotImplementedError, struct.error, zlib.error)  # fmt: skip
"""What the parser raises on damaged bytes."""


@dataclass(frozen=True, slots=True)
class AcqSignal:
    """A channel: its name, unit, samples per second and number of samples, as the header says them."""

    name: str
    unit: str
    rate: float
    n_samples: int


def read_acq(path: Path, query: Query) -> Raw:
    """Read one channel of an AcqKnowledge file.

    Parameters
    ----------
    path : Path
        .acq, of any version that bioread knows (3.0 to 5.0).
    query : Query
        Name of the channel.

    Returns
    -------
    Raw
        In the file's unit, with its rate.

    Raises
    ------
    StreamError
        FORMAT_UNKNOWN where the extra is not installed; FILE_UNREADABLE or FILE_TRUNCATED where the file is damaged;
        COLUMN_MISSING where there is no such channel.
    """
    signals = read_acq_signals(path)
    index = pick([s.name for s in signals], query, kind="channel")
    values = Held(_samples(path, index))
    if values.n < signals[index].n_samples:
        message = "the file ends before its header says: copy it again"
        raise StreamError(message, reason=Reason.FILE_TRUNCATED)
    return Raw(values, None, signals[index].rate, signals[index].unit)


def _samples(path: Path, index: int) -> Iterator[FloatArray]:
    """Values of a channel in parts; compressed ones, which lie in one piece, are unpacked as the integers they are."""
    with path.open("rb") as file:
        with _readable() as bioread:
            reader: Any = bioread.reader.Reader.read_headers(file)
            channel = reader.datafile.channels[index]
            parts = _unpacked(bioread, file, index) if reader.is_compressed else reader.stream([index])
        while True:
            with _readable():
                part = next(parts, None)
                if part is None:
                    return
                raw = part if isinstance(part, np.ndarray) else part[index].buffer
                values = np.asarray(raw * channel.raw_scale_factor + channel.raw_offset, dtype=np.float64)
            values[~np.isfinite(values)] = np.nan
            yield values


def _unpacked(bioread: Any, file: Any, index: int) -> Iterator[Any]:  # noqa: ANN401 - bioread is not typed
    raw = bioread.read(file, channel_indexes=[index]).channels[index].raw_data
    yield from (raw[first : first + MANY] for first in range(0, len(raw), MANY))


def read_acq_signals(path: Path) -> tuple[AcqSignal, ...]:
    """Channels of a file, from its headers.

    Parameters
    ----------
    path : Path
        .acq.

    Returns
    -------
    tuple of AcqSignal

    Raises
    ------
    StreamError
        As `read_acq`.
    """
    with _readable() as bioread:
        data: Any = bioread.reader.Reader.read_headers(str(path))
        found = tuple(
            AcqSignal(c.name.strip(), c.units.strip(), float(c.samples_per_second), int(c.point_count))
            for c in data.datafile.channels
        )
        room = path.stat().st_size * (_MOST_RATIO if data.is_compressed else 1)
    if not found or not all(0 < s.rate < 1e6 and s.n_samples >= 0 for s in found):
        raise StreamError("the AcqKnowledge header is damaged: save it again", reason=Reason.FILE_UNREADABLE)
    if _SAMPLE_BYTES * sum(s.n_samples for s in found) > room:
        message = "the file ends before its header says: copy it again"
        raise StreamError(message, reason=Reason.FILE_TRUNCATED)
    return found


def read_acq_marks(path: Path) -> FloatArray:
    """Times of a file's event markers; their texts are not read.

    Parameters
    ----------
    path : Path
        .acq.

    Returns
    -------
    ndarray, shape (n,)
        In s from the first sample, increasing, without the mark that the recorder itself sets there.
    """
    read_acq_signals(path)
    with _readable() as bioread:
        markers = bioread.reader.Reader.read_headers(str(path)).event_markers or ()
        found = np.array([m.time_index for m in markers], dtype=np.float64)
    return np.unique(found[np.isfinite(found) & (found > 0)])


@contextmanager
def _readable() -> Iterator[Any]:
    try:
        import bioread
    except ImportError as error:
        raise extra_missing("acq", "an AcqKnowledge file") from error
    logging.getLogger("bioread").setLevel(logging.CRITICAL)  # it would print what the header says
    try:
        yield bioread
    except _TROUBLE as error:
        message = "the AcqKnowledge file is damaged, or is none: save it again"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error
