"""WFDB records (PhysioNet): the text header and the packed samples beside it.

Own reader: the `wfdb` package brings pandas, aiohttp and matplotlib for a format whose description (header(5) and
signal(5) of the WFDB Applications Guide, https://physionet.org/physiotools/wag/) fits in one module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.held import Decoded
from cueflow.tasks.ingest.raw import Query, Raw, pick, wall_seconds
from cueflow.tasks.ingest.tabular.comments import COUNTS

WHOLE_SHARE = 0.9  # a file that ends before this share of what its header counts is cut
_DEFAULT_HZ = 250.0
_MOST_BYTES = 1 << 20  # of a header
_MOST_PER_FRAME = 10_000
_SIGNAL = re.compile(r"(?P<format>\d+)(x(?P<each>\d+))?(:(?P<skew>\d+))?(\+(?P<offset>\d+))?$")
_GAIN = re.compile(r"(?P<gain>[^(/]+)(\((?P<baseline>-?\d+)\))?(/(?P<unit>.+))?$")
_DAMAGED = "the WFDB header is damaged: copy the .hea file again"

Bytes = NDArray[np.uint8]
Digits = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WfdbSignal:
    """A signal: the file that holds it, its packing, samples per frame, and how digits become values.

    `value = (digit - baseline) / gain` in `unit`; `skew` samples of it come before the record's first.
    """

    file: str
    packing: str
    each: int
    skew: int
    offset: int
    gain: float
    baseline: float
    unit: str
    name: str


@dataclass(frozen=True, slots=True)
class WfdbHeader:
    """Frames per second, number of frames (None: not said), and the signals in the order of the header.

    `began_s` is the start in seconds since 1970 by the clock on the wall, None where the header gives no date.
    """

    frame_rate: float
    n_frames: int | None
    signals: tuple[WfdbSignal, ...]
    began_s: float | None = None

    def rate(self, index: int) -> float:
        """Sampling rate of a signal, Hz."""
        return self.frame_rate * self.signals[index].each

    @property
    def duration_s(self) -> float | None:
        """Length in s; None where the header does not say."""
        return None if self.n_frames is None else self.n_frames / self.frame_rate


def read_wfdb(path: Path, query: Query) -> Raw:
    """One signal of a WFDB record, whose samples are read as they are asked for.

    Parameters
    ----------
    path : Path
        The header (.hea) or the samples (.dat, .mat) of the record; the other one lies beside it.
    query : Query
        Description of the signal, such as MLII.

    Returns
    -------
    Raw
        In physical units, or "adc" where the header says that the signal is not calibrated; NaN where the packing's
        lowest digit marks a missing sample.

    Raises
    ------
    StreamError
        If the header or the samples are damaged, cut or not there, the packing is not read, or there is no such
        signal.
    """  # noqa: DOC502  raised by the helpers
    header = read_wfdb_header(path)
    index = pick([s.name for s in header.signals], query, kind="signal")
    samples = _Samples.of(path, header, index)
    signal = samples.signal

    def read(first: int, last: int) -> FloatArray:
        return _physical(signal, samples.digits(first + signal.skew, last + signal.skew))

    n = max(samples.frames * signal.each - signal.skew, 0)
    return Raw(Decoded(n, read), None, header.rate(index), signal.unit, began_s=header.began_s, began_error_s=1.0)


def _physical(signal: WfdbSignal, digits: FloatArray) -> FloatArray:
    values = (digits - signal.baseline) / signal.gain
    values[digits == _PACKINGS[signal.packing].missing] = np.nan
    return values


def read_wfdb_header(path: Path) -> WfdbHeader:
    """Read the header of a record; comments, which may tell of the patient, are not read.

    Parameters
    ----------
    path : Path
        Any file of the record.

    Returns
    -------
    WfdbHeader

    Raises
    ------
    StreamError
        FILE_MISSING if there is none, FILE_UNREADABLE if it is none or damaged, FORMAT_UNKNOWN if the record has
        several segments.
    """
    file = path.with_suffix(".hea")
    if not file.is_file():
        message = f"no header {file.name} beside the samples: copy it there"
        raise StreamError(message, reason=Reason.FILE_MISSING)
    with file.open("rb") as opened:
        text = opened.read(_MOST_BYTES).decode("latin-1")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines or "\0" in text:
        raise StreamError("not a WFDB header: copy the .hea file again", reason=Reason.FILE_UNREADABLE)
    record = lines[0].split()
    if "/" in record[0]:
        message = "a record of several segments: name the header of one segment"
        raise StreamError(message, reason=Reason.FORMAT_UNKNOWN)
    count = _whole(record[1] if len(record) > 1 else "")
    rate = _number(re.split(r"[/(]", record[2])[0]) if len(record) > 2 else _DEFAULT_HZ
    frames = _whole(record[3]) if len(record) > 3 else 0
    if not 0 < count <= len(lines) - 1 or rate <= 0:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    signals = tuple(_signal(line, i) for i, line in enumerate(lines[1 : count + 1]))
    return WfdbHeader(rate, frames or None, signals, _wall(record[4:6]))


def _wall(cells: list[str]) -> float | None:
    time, date = (re.split(r"[:/]", cell) for cell in cells) if len(cells) == 2 else ([], [])
    digits = [part.split(".")[0] for part in (*date[::-1], *time)]
    if len(digits) != 6 or not all(d.isascii() and d.isdigit() for d in digits):
        return None
    return wall_seconds(*map(int, digits))


def _signal(line: str, position: int) -> WfdbSignal:
    cells = line.split(maxsplit=8)
    packed = _SIGNAL.match(cells[1]) if len(cells) > 1 else None
    scale = _GAIN.match(cells[2] if len(cells) > 2 else "0")
    if packed is None or scale is None:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    gain, zero = _number(scale["gain"]), _number(cells[4]) if len(cells) > 4 else 0.0
    each = _whole(packed["each"] or "1")
    if not 0 < each <= _MOST_PER_FRAME:
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    return WfdbSignal(
        file=cells[0],
        packing=packed["format"],
        each=each,
        skew=_whole(packed["skew"] or "0"),
        offset=_whole(packed["offset"] or "0"),
        gain=gain or 1.0,
        baseline=0.0 if not gain else zero if scale["baseline"] is None else float(scale["baseline"]),
        unit=(scale["unit"] or "mV") if gain else COUNTS,
        name=cells[8].strip() if len(cells) > 8 else str(position),
    )


@dataclass(frozen=True, slots=True)
class _Samples:
    """Where the digits of a signal lie: the file, how they are packed, digits per frame, and where its own begin."""

    file: Path
    packing: _Packing
    signal: WfdbSignal
    width: int
    own: int
    frames: int

    @classmethod
    def of(cls, path: Path, header: WfdbHeader, index: int) -> _Samples:
        signal = header.signals[index]
        group = [s for s in header.signals if s.file == signal.file]
        if len({(s.packing, s.offset) for s in group}) > 1 or signal.packing not in _PACKINGS:
            known = ", ".join(_PACKINGS)
            message = f"samples packed as {signal.packing}: convert the record with xform to one of {known}"
            raise StreamError(message, reason=Reason.FORMAT_UNKNOWN)
        packing, file = _PACKINGS[signal.packing], _samples_file(path, signal.file)
        width = sum(s.each for s in group)
        frames = packing.count(max(file.stat().st_size - signal.offset, 0)) // width
        if not frames or frames < WHOLE_SHARE * (header.n_frames or 1):
            message = f"the samples end after {frames} of {header.n_frames or 1} frames: copy {signal.file} again"
            raise StreamError(message, reason=Reason.FILE_TRUNCATED)
        frames = min(frames, (header.n_frames or frames) + max(s.skew for s in group))
        own = sum(s.each for s in group[: group.index(signal)])
        return cls(file, packing, signal, width, own, frames)

    def digits(self, first: int, last: int) -> FloatArray:
        """Digits of the signal from one sample to another, which is left out."""
        each, packing = self.signal.each, self.packing
        lo, hi = first // each, min(-(-last // each), self.frames)
        start = lo * self.width // packing.digits  # of the file's smallest units
        end = -(-hi * self.width // packing.digits)
        data = np.fromfile(
            self.file, dtype=np.uint8, offset=self.signal.offset + start * packing.size,
            count=(end - start) * packing.size,
        )  # fmt: skip
        found = packing.unpack(data)[lo * self.width - start * packing.digits :]
        table = found[: (hi - lo) * self.width].reshape(hi - lo, self.width)[:, self.own : self.own + each]
        return np.asarray(table.ravel()[first - lo * each :][: last - first], dtype=np.float64)


def _samples_file(path: Path, name: str) -> Path:
    file = path.parent / name
    if Path(name).name != name or "\\" in name:
        message = "the header names samples in another folder: put them beside it and correct the header"
        raise StreamError(message, reason=Reason.PATH_OUTSIDE)
    if file.name == path.name:  # its links were followed when the manifest was checked
        return path
    try:
        target = file.resolve()
        there, inside = target.is_file(), target.parent == path.parent.resolve()
    except (OSError, RuntimeError) as error:  # a name that is too long, a ring of links
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE) from error
    if not there:
        raise StreamError(f"no samples {name[:40]!r} beside the header: copy them there", reason=Reason.FILE_MISSING)
    if not inside:
        message = "the samples are a link to another folder: name them in the manifest instead of the header"
        raise StreamError(message, reason=Reason.PATH_OUTSIDE)
    return target


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not text.isascii():
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    return value


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise StreamError(_DAMAGED, reason=Reason.FILE_UNREADABLE)
    return int(text)


@dataclass(frozen=True, slots=True)
class _Packing:
    """How bytes become digits, the digit that marks a missing sample, and how many digits lie in how many bytes."""

    unpack: Callable[[Bytes], Digits]
    missing: float
    digits: int
    size: int

    def count(self, n_bytes: int) -> int:
        """Digits in so many bytes; a last one of 12 bits may stand alone in two."""
        whole, rest = divmod(n_bytes, self.size)
        return whole * self.digits + (self.digits > 1 and rest == 2)


def _plain(kind: str) -> Callable[[Bytes], Digits]:
    size = np.dtype(kind).itemsize

    def unpack(data: Bytes) -> Digits:
        return data[: len(data) // size * size].view(kind).astype(np.int64)

    return unpack


def _offset_binary(kind: str, zero: int) -> Callable[[Bytes], Digits]:
    plain = _plain(kind)

    def unpack(data: Bytes) -> Digits:
        return plain(data) - zero

    return unpack


def _three_bytes(data: Bytes) -> Digits:
    parts = data[: len(data) // 3 * 3].reshape(-1, 3).astype(np.int64)
    whole = parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16
    return np.asarray(whole - ((whole >> 23) << 24))


def _packed_212(data: Bytes) -> Digits:
    # two samples of 12 bits in three bytes; a last one may stand alone in two
    whole = np.concatenate([data, np.zeros(-len(data) % 3, dtype=np.uint8)]).reshape(-1, 3).astype(np.int64)
    pairs = np.stack([whole[:, 0] | (whole[:, 1] & 15) << 8, whole[:, 2] | (whole[:, 1] >> 4) << 8], axis=1).ravel()
    digits = pairs[: 2 * (len(data) // 3) + (len(data) % 3 == 2)]
    return np.asarray(digits - ((digits >> 11) << 12))


_PACKINGS = {
    "16": _Packing(_plain("<i2"), -(2**15), 1, 2),
    "61": _Packing(_plain(">i2"), -(2**15), 1, 2),
    "160": _Packing(_offset_binary("<u2", 2**15), -(2**15), 1, 2),
    "80": _Packing(_offset_binary("u1", 2**7), -(2**7), 1, 1),
    "24": _Packing(_three_bytes, -(2**23), 1, 3),
    "32": _Packing(_plain("<i4"), -(2**31), 1, 4),
    "212": _Packing(_packed_212, -(2**11), 2, 3),
}
