"""What the head of a physiological file says, without reading its samples."""

from __future__ import annotations

import gzip
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Stream
from cueflow.tasks.ingest.bids import physio_sidecar
from cueflow.tasks.ingest.signals import reader_for
from cueflow.tasks.ingest.units import conversion

_HEAD_BYTES = 65536


def physiology_header(path: Path, stream: Stream) -> tuple[float | None, str]:
    """Duration in s (None: only the samples would tell) and a description of a signal.

    Parameters
    ----------
    path : Path
        The file.
    stream : Stream
        What the manifest says.

    Returns
    -------
    tuple of float or None and str
        A format, unit or column that cannot be used is a `StreamError`.
    """
    reader_for(path)
    if stream.unit:
        conversion(stream.modality, stream.unit)
    if path.suffix.lower() in {".edf", ".bdf"}:
        return _edf(path, stream)
    if (sidecar := physio_sidecar(path)) is not None:
        return None, f"{float(sidecar['SamplingFrequency']):g} Hz, BIDS physio"
    if path.suffix.lower() == ".parquet":
        return _parquet(path, stream)
    return _text(path, stream)


def _edf(path: Path, stream: Stream) -> tuple[float | None, str]:
    import pyedflib

    from cueflow.tasks.ingest.edf import index_of, refusal

    try:
        reader = pyedflib.EdfReader(str(path))
    except OSError as error:
        raise refusal(path, str(error)) from error
    with reader:
        index = index_of(path, [label.strip() for label in reader.getSignalLabels()], stream.channel.strip())
        return float(reader.getFileDuration()), f"{reader.getSampleFrequency(index):g} Hz, EDF"


def _parquet(path: Path, stream: Stream) -> tuple[float | None, str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        header = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise StreamError(f"{path.name}: not a readable Parquet file", reason=Reason.FILE_UNREADABLE) from error
    _need_column(path, [name.strip() for name in header.schema_arrow.names], stream)
    rows = header.metadata.num_rows
    duration = rows / stream.sampling_rate if stream.sampling_rate else None
    return duration, f"{rows} rows, {_rate(stream)}"


def _text(path: Path, stream: Stream) -> tuple[float | None, str]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, EOFError) as error:
        raise StreamError(f"{path.name}: cut or damaged", reason=Reason.FILE_TRUNCATED) from error
    if b"\0" in head:
        raise StreamError(f"{path.name}: not a text table", reason=Reason.FILE_UNREADABLE)
    first = head.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    separator = max("\t;,", key=first.count)
    names = [cell.strip().strip('"') for cell in first.split(separator)]
    if not _all_numbers(names):
        _need_column(path, names, stream)
    return None, f"table of {len(names)} column{'s'[: len(names) > 1]}, {_rate(stream)}"


def _all_numbers(cells: list[str]) -> bool:
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return False
    return True


def _need_column(path: Path, names: list[str], stream: Stream) -> None:
    if stream.channel.strip() and stream.channel.strip() not in names:
        message = f"{path.name}: no column {stream.channel.strip()!r}; it has {', '.join(names)[:200]}"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)


def _rate(stream: Stream) -> str:
    return f"{stream.sampling_rate:g} Hz declared" if stream.sampling_rate else "rate from its time stamps"
