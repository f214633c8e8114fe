"""Empatica E4: a folder or zip of one small table per sensor, all on the wristband's clock."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.held import Decoded
from cueflow.tasks.ingest.raw import Query, Raw
from cueflow.tasks.ingest.tabular.tables import PART_BYTES, text_signal
from cueflow.tasks.ingest.tabular.text import (
    HEAD_BYTES,
    BinaryFile,
    as_number,
    cells_of,
    decoded,
    layout_of,
    need_text,
    opened_text,
    parts_in,
)

_MOST_BYTES = 1 << 29  # of an unzipped table: two weeks of the fastest sensor
_MOST_RATIO = 100  # text of numbers shrinks to a tenth; more is not a recording
_MOST_MEMBERS = 1000
_SINCE_1970 = (1e9, 5e9)
_LATEST_S = 86400.0  # sensors of one recording start within a day


@dataclass(frozen=True, slots=True)
class _Sensor:
    modality: Modality
    unit: str


SENSORS: Mapping[str, _Sensor] = {
    "bvp.csv": _Sensor(Modality.PPG, ""),
    "eda.csv": _Sensor(Modality.EDA, "µS"),
    "temp.csv": _Sensor(Modality.TEMPERATURE, "°C"),
    "acc.csv": _Sensor(Modality.ACCELEROMETER, "1/64 g"),
    "ibi.csv": _Sensor(Modality.INTERVALS, "s"),
}
"""Tables of an export by name. HR.csv is a ten-second mean by the maker's algorithm: it is derived from BVP here."""
_TAGS = "tags.csv"
_AXES = {"x": "0", "y": "1", "z": "2", "0": "0", "1": "1", "2": "2"}


@dataclass(frozen=True, slots=True)
class E4Head:
    """Rate in Hz (None: intervals), start in s after the export's first sensor, columns, and unit."""

    sampling_rate: float | None
    start_s: float
    n_columns: int
    unit: str


def is_e4(path: Path) -> bool:
    """Whether a file is a table of an E4 export: by its name and by the start in its first line.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
    """
    return path.name.casefold() in SENSORS and _began(_first_bytes(path)) is not None


def read_e4(path: Path, query: Query) -> Raw:
    """Read one sensor of an E4 export.

    Parameters
    ----------
    path : Path
        The sensor's table in the export's folder, or the export's .zip, in which the modality names the table.
    query : Query
        For the accelerometer the channel is x, y or z; empty means the length of the vector of all three.

    Returns
    -------
    Raw
        In µS, °C, 1/64 g, s or the maker's own unit; `start_s` is counted from the sensor that started first.

    Raises
    ------
    StreamError
        COLUMN_MISSING if the file is of another sensor or the export has none for the modality; else as for tables.
    """  # noqa: DOC502  raised by the helpers
    tables = _Export.of(path)
    name = tables.wanted(path, query)
    began = _began(tables.head(name))
    start = _start(tables, name)
    if query.modality is Modality.ACCELEROMETER:
        found = _acceleration(tables, name, query.channel)
    else:
        found = _one(tables, name, query)
    return replace(found, unit=SENSORS[name].unit, start_s=start, began_s=began, began_error_s=1.0, zoned=True)


def read_e4_marks(path: Path) -> FloatArray:
    """Presses of the wristband's button.

    Parameters
    ----------
    path : Path
        As for `read_e4`.

    Returns
    -------
    ndarray, shape (n,)
        In s after the export's first sensor, increasing; empty where nobody pressed it.
    """
    tables = _Export.of(path)
    starts = [began for name in tables.opener if name in SENSORS and (began := _safe_start(tables, name)) is not None]
    if _TAGS not in tables.opener or not starts:
        return np.zeros(0)
    try:
        lines = decoded(tables.head(_TAGS)).splitlines()
    except StreamError:  # an empty table: nobody pressed it
        return np.zeros(0)
    said = np.array([n for line in lines if (n := as_number(line.split(",")[0])) is not None], dtype=np.float64)
    since = np.unique(said) - min(starts)
    return np.asarray(since[(since >= 0) & (since < _LATEST_S)])


def read_e4_head(path: Path, query: Query) -> E4Head:
    """Read the head of one sensor's table.

    Parameters
    ----------
    path : Path
        As for `read_e4`.
    query : Query
        As for `read_e4`.

    Returns
    -------
    E4Head

    Raises
    ------
    StreamError
        As for `read_e4`.
    """  # noqa: DOC502  raised by the helpers
    tables = _Export.of(path)
    name = tables.wanted(path, query)
    layout = layout_of(tables.head(name))
    if query.modality is Modality.ACCELEROMETER:
        _axis(query.channel)
    return E4Head(layout.sampling_rate, _start(tables, name), len(layout.names), SENSORS[name].unit)


@dataclass(frozen=True, slots=True)
class _Export:
    """Tables by lower-case name, and how to open one."""

    opener: Mapping[str, Callable[[], AbstractContextManager[BinaryFile]]]

    @staticmethod
    def of(path: Path) -> _Export:
        if path.suffix.lower() == ".zip":
            return _zipped(path)
        beside = {f.name.casefold(): f for f in path.parent.iterdir() if f.name.casefold() in {*SENSORS, _TAGS}}
        beside = {name: f for name, f in beside.items() if f.is_file() and not f.is_symlink() and f.stat().st_size}
        beside[path.name.casefold()] = path
        return _Export({name: partial(opened_text, file) for name, file in beside.items()})

    def wanted(self, path: Path, query: Query) -> str:
        found = [name for name in self.opener if name in SENSORS and SENSORS[name].modality is query.modality]
        own = path.name.casefold()
        if path.suffix.lower() != ".zip" and own not in found:
            message = f"{path.name} of an Empatica export is not {query.modality.value}: name the sensor's own table"
            raise StreamError(message, reason=Reason.COLUMN_MISSING)
        if not found:
            message = f"the Empatica export has no table of {query.modality.value}: leave the row out"
            raise StreamError(message, reason=Reason.COLUMN_MISSING)
        return found[0]

    def head(self, name: str) -> bytes:
        with self.opener[name]() as file:
            head = file.read(HEAD_BYTES)
        need_text(head)
        return head

    def parts(self, name: str) -> Iterator[bytes]:
        with self.opener[name]() as file:
            yield from parts_in(file, size=PART_BYTES)


def _zipped(path: Path) -> _Export:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise StreamError("not a zip that can be opened: copy it again", reason=Reason.FILE_UNREADABLE) from error
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members[:_MOST_MEMBERS]:
        name = PurePosixPath(member.filename).name.casefold()
        if name in {*SENSORS, _TAGS} and "__MACOSX" not in member.filename:
            if name in found:
                message = f"the zip holds {name} twice: pack one export in a zip"
                raise StreamError(message, reason=Reason.DUPLICATE_STREAM)
            found[name] = member
    return _Export({name: partial(_unzipped, path, member) for name, member in found.items()})


@contextmanager
def _unzipped(path: Path, member: zipfile.ZipInfo) -> Iterator[BinaryFile]:
    if member.file_size > min(_MOST_BYTES, _MOST_RATIO * max(member.compress_size, HEAD_BYTES)):
        message = "a table of the zip is too large for a recording: unpack it and name the table"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            yield file
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
        message = "the zip is damaged or has a password: unpack it and name the table"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error


def _start(tables: _Export, name: str) -> float:
    # in s after the export's first sensor
    starts = {n: began for n in tables.opener if n in SENSORS and (began := _safe_start(tables, n)) is not None}
    if name not in starts:
        message = "the table does not begin with its start in seconds since 1970: export it again"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE)
    near = [s for s in starts.values() if abs(s - starts[name]) < _LATEST_S]  # one beside it may be of another day
    return starts[name] - min(near)


def _safe_start(tables: _Export, name: str) -> float | None:
    try:
        return _began(tables.head(name))
    except StreamError:  # only its start is asked for; whoever needs the table itself is told
        return None


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(256)


def _began(head: bytes) -> float | None:
    lines = decoded(head[:256]).splitlines()
    cells = cells_of(lines[0], ",") if lines else []
    start = as_number(cells[0]) if cells else None
    return start if start is not None and _SINCE_1970[0] < start < _SINCE_1970[1] else None


def _one(tables: _Export, name: str, query: Query) -> Raw:
    return text_signal(tables.head(name), tables.parts(name), query)


def _axis(channel: str) -> str:
    axis = channel.strip().casefold()
    if axis not in {*_AXES, "", "magnitude"}:
        message = f"no axis {channel.strip()[:40]!r}: write x, y or z, or leave the channel empty for all three"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    return _AXES.get(axis, "")


def _acceleration(tables: _Export, name: str, channel: str) -> Raw:
    axis = _axis(channel)
    if axis:
        return _one(tables, name, Query(Modality.ACCELEROMETER, axis))
    axes = [_one(tables, name, Query(Modality.ACCELEROMETER, number)) for number in "012"]

    def length(first: int, last: int) -> FloatArray:
        return np.sqrt(sum(a.values.read(first, last) ** 2 for a in axes))

    return Raw(Decoded(axes[0].values.n, length), None, axes[0].sampling_rate)
