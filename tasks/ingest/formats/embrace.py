"""EmbracePlus (Empatica): AVRO files of half an hour, or a .zip of them, read by the optional package fastavro."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.raw import Query, Raw, extra_missing
from cueflow.tasks.ingest.tabular.stamps import Lines

_Made = TypeVar("_Made")

_MOST_BYTES = 1 << 28  # of one file: half an hour takes about 2 MB
_MOST_RATIO = 200
_MOST_FILES = 1000
_TROUBLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, OSError, EOFError,
            MemoryError, NotImplementedError, RecursionError, struct.error, zlib.error)  # fmt: skip
"""What the parser raises on damaged bytes."""


@dataclass(frozen=True, slots=True)
class _Sensor:
    name: str
    unit: str
    columns: tuple[str, ...] = ("values",)


SENSORS: Mapping[Modality, _Sensor] = {
    Modality.PPG: _Sensor("bvp", ""),
    Modality.EDA: _Sensor("eda", "µS"),
    Modality.TEMPERATURE: _Sensor("temperature", "°C"),
    Modality.ACCELEROMETER: _Sensor("accelerometer", "g", ("x", "y", "z")),
    Modality.INTERVALS: _Sensor("systolicPeaks", "ms", ("peaksTimeNanos",)),
}
"""Parts of `rawData` by modality; the file also names the participant and the device, which are never read."""


def is_embrace_zip(path: Path) -> bool:
    """Whether a zip holds AVRO files.

    Parameters
    ----------
    path : Path
        .zip.

    Returns
    -------
    bool
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith(".avro") for name in archive.namelist()[:_MOST_FILES])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_embrace(path: Path, query: Query) -> Raw:
    """Read one sensor of an EmbracePlus recording.

    Parameters
    ----------
    path : Path
        One .avro file, or a .zip of those of one recording, which are joined in order of their time.
    query : Query
        The modality names the sensor; for the accelerometer the channel is x, y or z, empty for the vector's length.

    Returns
    -------
    Raw
        With time stamps from the files' own starts, so that a pause between files stays a gap.

    Raises
    ------
    StreamError
        FORMAT_UNKNOWN where the extra is not installed; FILE_UNREADABLE where a file is damaged; COLUMN_MISSING where
        the recording has no such sensor.
    """
    sensor = SENSORS.get(query.modality)
    if sensor is None:
        message = f"an EmbracePlus recording has no {query.modality.value}: leave the row out"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    if query.modality is Modality.INTERVALS:
        return _peaks(list(_parts(path, sensor, lambda part: np.array(part["peaksTimeNanos"], dtype=np.float64) / 1e9)))
    values, pieces = Held(), []
    for start, rate, found in _parts(path, sensor, lambda part: _block(part, sensor, query)):
        if rate > 0 and len(found):
            pieces.append(_Piece(start, rate, values.n, len(found)))
            values.add(found)
    return _joined(values, pieces, sensor)


def _parts(path: Path, sensor: _Sensor, made: Callable[[Mapping[str, Any]], _Made]) -> Iterator[_Made]:
    """What is made of a sensor's part of each record; no more than one file is held."""
    files = _files(path)
    while True:
        with _readable() as fastavro:
            raw = next(files, None)
            if raw is None:
                return
            records = (record["rawData"] for record in fastavro.reader(io.BytesIO(raw)))
            found = [made(part) for record in records if (part := record.get(sensor.name))]
        yield from found


@dataclass(frozen=True, slots=True)
class _Piece:
    """Samples that follow each other: their start since 1970 in s, rate in Hz, the first one's number, how many."""

    start_s: float
    rate: float
    first: int
    n: int


def _block(part: Mapping[str, Any], sensor: _Sensor, query: Query) -> tuple[float, float, FloatArray]:
    # start in s, rate in Hz, and values
    start, rate = float(part["timestampStart"]) / 1e6, float(part["samplingFrequency"])
    if not np.isfinite(start) or not 0 <= rate < 1e5:
        raise ValueError("a header that cannot be")
    if sensor.name != "accelerometer":
        values = np.array(part["values"], dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return start, rate, values
    scale, zero = _physical(part.get("imuParams") or {})
    axis = query.channel.strip().casefold()
    if axis not in {"", "magnitude", "x", "y", "z"}:
        message = f"no axis {axis[:40]!r}: write x, y or z, or leave the channel empty for all three"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    rows = [np.array(part[name], dtype=np.float64) * scale + zero for name in sensor.columns]
    shortest = min(len(r) for r in rows)
    table = np.stack([r[:shortest] for r in rows])
    values = np.sqrt((table**2).sum(axis=0)) if axis in {"", "magnitude"} else table["xyz".index(axis)]
    values[~np.isfinite(values)] = np.nan
    return start, rate, values


def _physical(said: Mapping[str, Any]) -> tuple[float, float]:
    """How counts become g; as they are where the file does not say."""
    low, high, bottom, top = (said.get(k) for k in ("physicalMin", "physicalMax", "digitalMin", "digitalMax"))
    if None in {low, high, bottom, top} or top == bottom:
        return 1.0, 0.0
    scale = (float(high) - float(low)) / (float(top) - float(bottom))  # type: ignore[arg-type]
    return scale, float(low) - scale * float(bottom)  # type: ignore[arg-type]


def _joined(values: Held, pieces: list[_Piece], sensor: _Sensor) -> Raw:
    if not pieces:
        message = f"the EmbracePlus recording has no samples of {sensor.name}: leave the row out"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    pieces = sorted(pieces, key=lambda piece: piece.start_s)
    kept, lines, latest, origin = Held(), [], -np.inf, pieces[0].start_s
    for piece in pieces:
        times = piece.start_s - origin + np.arange(piece.n) / piece.rate
        again = int(np.searchsorted(times, latest, side="right"))  # of samples sent twice the first stays
        if again < piece.n:
            lines.append((kept.n, times[again], 1.0 / piece.rate))
            kept.add(values.read(piece.first + again, piece.first + piece.n))
            latest = float(times[-1])
    firsts, starts, periods = np.array(lines).T
    rate = float(np.median([piece.rate for piece in pieces]))
    stamps = Lines(kept.n, firsts.astype(np.int64), starts, periods)
    return Raw(kept, stamps, rate, sensor.unit, began_s=origin, zoned=True)


def _peaks(parts: list[FloatArray]) -> Raw:
    beats = np.unique(np.concatenate([np.empty(0), *parts]))
    if len(beats) < 2:
        message = "the EmbracePlus recording has no pulse peaks: leave the row out"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    since = Held([beats[1:] - beats[0]])
    return Raw(Held([np.diff(beats) * 1e3]), since, None, "ms", began_s=float(beats[0]), zoned=True)


def _files(path: Path) -> Iterator[bytes]:
    if path.suffix.lower() != ".zip":
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        yield path.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if PurePosixPath(m.filename).suffix.lower() == ".avro"]
        for member in sorted(members, key=lambda m: m.filename)[:_MOST_FILES]:
            if member.file_size > min(_MOST_BYTES, _MOST_RATIO * max(member.compress_size, 1 << 16)):
                raise ValueError("too large")
            yield archive.read(member)


@contextmanager
def _readable() -> Iterator[Any]:
    try:
        import fastavro
        from fastavro.schema import SchemaParseException
    except ImportError as error:
        raise extra_missing("embrace", "an EmbracePlus file") from error
    try:
        yield fastavro
    except (*_TROUBLE, zipfile.BadZipFile, SchemaParseException) as error:
        message = "the EmbracePlus file is damaged, or is none: export it again"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error
