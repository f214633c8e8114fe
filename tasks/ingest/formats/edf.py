"""EDF and BDF signals, continuous or not; nothing of the header but rate, unit and label leaves this module.

Layouts: EDF, EDF+C, EDF+D (doi:10.1016/0013-4694(92)90009-7, doi:10.1016/S1388-2457(03)00123-8), BDF, BDF+C, BDF+D.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.held import Decoded
from cueflow.tasks.ingest.raw import Query, Raw, pick, wall_seconds

WHOLE_SHARE = 0.9  # a file that ends before this share of what its header says is cut
_FIXED = 256
_MOST_SIGNALS = 9999  # four digits
_AT_ONCE = 1 << 22  # bytes
_CUT = "the file ends before its header says: copy it again"
# widths of a signal's header fields, in their order
_FIELDS = (("label", 16), ("transducer", 80), ("unit", 8), ("physical_min", 8), ("physical_max", 8), ("digital_min", 8),
           ("digital_max", 8), ("filter", 80), ("samples", 8), ("reserved", 32))  # fmt: skip


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """A signal: label, unit, samples per record, first byte within the record, and how digits become values."""

    label: str
    unit: str
    samples: int
    offset: int
    gain: float
    zero: float


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What is needed to read samples: bytes per sample, of the header and a record; records there are, and their s.

    `began_s` is the start in seconds since 1970 by the clock on the wall, None where it was taken out.
    """

    width: int
    header_bytes: int
    record_bytes: int
    n_records: int
    record_s: float
    discontinuous: bool
    signals: tuple[EdfSignal, ...]
    stamps: EdfSignal | None
    began_s: float | None = None

    def rate(self, index: int) -> float:
        """Sampling rate of a signal, Hz."""
        return self.signals[index].samples / self.record_s

    @property
    def duration_s(self) -> float:
        """Length of what was recorded, gaps left out, s."""
        return self.n_records * self.record_s


def read_edf_header(path: Path) -> EdfHeader:
    """Read the layout of an EDF or BDF file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    EdfHeader

    Raises
    ------
    StreamError
        FILE_UNREADABLE if it is none, FILE_TRUNCATED if it ends before 90 % of the records that its header counts.
    """
    with path.open("rb") as file:
        fixed = file.read(_FIXED)
        width = {b"0       ": 2, b"\xffBIOSEMI": 3}.get(fixed[:8])
        if width is None:
            raise StreamError("not an EDF or BDF file: export it again", reason=Reason.FILE_UNREADABLE)
        if len(fixed) < _FIXED:
            raise StreamError(_CUT, reason=Reason.FILE_TRUNCATED)
        n_signals = _integer(fixed[252:256])
        if not 0 <= n_signals <= _MOST_SIGNALS:
            raise StreamError("the EDF header is damaged: export it again", reason=Reason.FILE_UNREADABLE)
        rest = file.read(_FIXED * n_signals)
    if len(rest) < _FIXED * n_signals:
        raise StreamError(_CUT, reason=Reason.FILE_TRUNCATED)
    signals = _signals(rest, n_signals, width)
    record_bytes = width * sum(s.samples for s in signals)
    header_bytes = _FIXED * (n_signals + 1)
    there = (path.stat().st_size - header_bytes) // max(record_bytes, 1)
    counted = _integer(fixed[236:244])
    if there < WHOLE_SHARE * max(counted, 1):  # -1: the recorder was switched off before it counted
        raise StreamError(_CUT, reason=Reason.FILE_TRUNCATED)
    notes = [s for s in signals if s.label.endswith("Annotations")]
    return EdfHeader(
        width=width,
        header_bytes=header_bytes,
        record_bytes=record_bytes,
        n_records=there if counted < 0 else min(there, counted),
        record_s=_number(fixed[244:252]),
        discontinuous=fixed[192:197] in {b"EDF+D", b"BDF+D"},
        signals=tuple(s for s in signals if s not in notes),
        stamps=notes[0] if notes else None,
        began_s=_wall(fixed[168:184]),
    )


def read_edf(path: Path, query: Query) -> Raw:
    """One signal of an EDF or BDF file, whose samples are read as they are asked for.

    Time counts from the first sample. In a discontinuous file every record stands where its own time stamp puts it, so
    that pauses stay gaps.

    Parameters
    ----------
    path : Path
        The file.
    query : Query
        Label of the signal.

    Returns
    -------
    Raw
        In physical units, with the header's rate.

    Raises
    ------
    StreamError
        If the file is damaged, or has no such signal.
    """  # noqa: DOC502  raised by the helpers
    header = read_edf_header(path)
    index = edf_index(header, query)
    signal, rate = header.signals[index], header.rate(index)

    def read(first: int, last: int) -> FloatArray:
        rows = first // signal.samples, -(-last // signal.samples)
        digits = _digits(path, header, signal, rows).ravel()
        wanted = digits[first - rows[0] * signal.samples :][: last - first]
        return wanted * signal.gain + signal.zero

    values = Decoded(header.n_records * signal.samples, read)
    times = _times(path, header, signal.samples) if header.discontinuous else None
    return Raw(values, times, rate, signal.unit, began_s=header.began_s, began_error_s=1.0)


def read_edf_marks(path: Path) -> FloatArray:
    """Onsets of the annotations of an EDF+ or BDF+ file; their texts are not read.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ndarray, shape (n,)
        In s after the first sample, increasing; empty where there are none.

    Raises
    ------
    StreamError
        If the file is damaged.
    """  # noqa: DOC502  raised by the helpers
    header = read_edf_header(path)
    if header.stamps is None:
        return np.zeros(0)
    onsets, zero = [], 0.0
    for number, row in enumerate(_records(path, header, header.stamps)):
        lists = [part for part in bytes(row).split(b"\0") if part]
        for k, noted in enumerate(lists):
            onset, *texts = noted.split(b"\x14")
            at = _number(onset.split(b"\x15", 1)[0])
            zero = at if number == 0 and k == 0 else zero
            if any(texts):
                onsets.append(at)
    return np.unique(np.array(onsets, dtype=np.float64) - zero)


def edf_index(header: EdfHeader, query: Query) -> int:
    """Position of the signal that is asked for.

    Parameters
    ----------
    header : EdfHeader
        Of the file.
    query : Query
        Label of the signal.

    Returns
    -------
    int

    Raises
    ------
    StreamError
        COLUMN_MISSING if there is none; FILE_UNREADABLE if its records have no length.
    """
    index = pick([s.label for s in header.signals], query, kind="signal")
    if header.record_s <= 0 or header.signals[index].samples <= 0:
        raise StreamError("the header gives no sampling rate: export it again", reason=Reason.FILE_UNREADABLE)
    return index


def _signals(rest: bytes, n: int, width: int) -> list[EdfSignal]:
    columns: dict[str, list[bytes]] = {}
    at = 0
    for name, size in _FIELDS:
        columns[name] = [rest[at + i * size : at + (i + 1) * size] for i in range(n)]
        at += n * size
    signals: list[EdfSignal] = []
    offset = 0
    for i in range(n):
        low, high = _number(columns["physical_min"][i]), _number(columns["physical_max"][i])
        bottom, top = _number(columns["digital_min"][i]), _number(columns["digital_max"][i])
        if top == bottom:
            raise StreamError("the header gives an empty digital range: export it again", reason=Reason.FILE_UNREADABLE)
        gain, samples = (high - low) / (top - bottom), _integer(columns["samples"][i])
        label, unit = (columns[name][i].decode("latin-1").strip() for name in ("label", "unit"))
        signals.append(EdfSignal(label, unit, samples, offset, gain, low - gain * bottom))
        offset += width * samples
    return signals


def _records(
    path: Path, header: EdfHeader, signal: EdfSignal, rows: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Bytes of one signal in some records, or in all, shape (n, bytes); a few MiB of the file are read at once."""
    first, last = rows or (0, header.n_records)
    found = np.empty((last - first, header.width * signal.samples), dtype=np.uint8)
    step = max(1, _AT_ONCE // max(header.record_bytes, 1))
    with path.open("rb") as file:
        file.seek(header.header_bytes + first * header.record_bytes)
        for at in range(0, last - first, step):
            some = np.frombuffer(file.read(min(step, last - first - at) * header.record_bytes), dtype=np.uint8)
            table = some.reshape(-1, max(header.record_bytes, 1))
            found[at : at + len(table)] = table[:, signal.offset : signal.offset + found.shape[1]]
    return found


def _digits(path: Path, header: EdfHeader, signal: EdfSignal, rows: tuple[int, int] | None = None) -> FloatArray:
    raw = _records(path, header, signal, rows)
    if header.width == 2:
        return raw.view("<i2").astype(np.float64)
    three = raw.reshape(len(raw), -1, 3).astype(np.int32)
    whole = three[..., 0] | (three[..., 1] << 8) | (three[..., 2] << 16)
    return np.where(whole >= 1 << 23, whole - (1 << 24), whole).astype(np.float64)


def _times(path: Path, header: EdfHeader, samples: int) -> Decoded:
    if header.stamps is None:
        raise StreamError("a discontinuous EDF without time stamps: export it again", reason=Reason.FILE_UNREADABLE)
    notes = _records(path, header, header.stamps)
    onsets = np.array([_number(bytes(row).split(b"\x14", 1)[0].split(b"\x15", 1)[0]) for row in notes])
    since, period = onsets - onsets[:1], header.record_s / samples

    def read(first: int, last: int) -> FloatArray:
        index = np.arange(first, last)
        return np.asarray(since[index // samples] + index % samples * period)

    return Decoded(header.n_records * samples, read)


def _wall(field: bytes) -> float | None:
    parts = field.decode("latin-1").replace(":", ".")
    cells = (*parts[:8].split("."), *parts[8:].split("."))
    if len(cells) != 6 or not all(c.strip().isascii() and c.strip().isdigit() for c in cells):
        return None
    day, month, year, *time = map(int, cells)
    return wall_seconds(year + (1900 if year > 84 else 2000), month, day, *time)  # as EDF+ defines two digits


def _number(field: bytes) -> float:
    try:
        value = float(field.decode("ascii").strip(" \0").replace(",", "."))
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise StreamError("the EDF header is damaged: export it again", reason=Reason.FILE_UNREADABLE)
    return value


def _integer(field: bytes) -> int:
    value = int(_number(field))
    if value < -1:
        raise StreamError("the EDF header is damaged: export it again", reason=Reason.FILE_UNREADABLE)
    return value
