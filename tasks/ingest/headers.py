"""What the head of a physiological file says, without reading its samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality, Stream
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.raw import Query, pick
from cueflow.tasks.ingest.signals import check_rate, reader_for
from cueflow.tasks.ingest.tabular.stamps import (
    TimeColumn,
    in_seconds,
    need_order,
    time_column,
    whole_packets,
)
from cueflow.tasks.ingest.tabular.text import HEAD_BYTES, Layout, as_number, cells_of, decoded, head_of, layout_of
from cueflow.tasks.ingest.units import agreed_unit, conversion
from cueflow.tasks.physiology.needs import need_rate

_ROWS = 1000  # of a Parquet file, for its rate
_TOLERANCE = PhysiologyConfig().rate_tolerance


@dataclass(frozen=True, slots=True)
class SignalHeader:
    """Rate in Hz and duration in s (None: only the samples would tell), how many columns or signals, and the format.

    `timed`: the samples carry time stamps, so that a rate need not be given.
    """

    sampling_rate: float | None
    duration_s: float | None
    n_channels: int
    format: str
    timed: bool = False


def physiology_header(path: Path, stream: Stream, *, rate_tolerance: float = _TOLERANCE) -> SignalHeader:
    """Read the head of a signal's file: at most 64 KiB at either end.

    Parameters
    ----------
    path : Path
        The file.
    stream : Stream
        What the manifest says.
    rate_tolerance : float, optional
        Relative difference of declared and measured rate that is allowed.

    Returns
    -------
    SignalHeader

    Raises
    ------
    StreamError
        If the format, unit, column or rate cannot be used, as far as the head shows it.
    """
    reader_for(path)
    conversion(stream.modality, stream.unit)
    suffix = path.suffix.lower()
    header = _READERS.get(suffix, _text)(path, stream)
    if stream.modality is Modality.INTERVALS:
        return header
    said = "the file's header says" if suffix in _HEADED else "the data say"
    check_rate(stream.sampling_rate, header.sampling_rate, tolerance=rate_tolerance, source=said)
    if header.sampling_rate is not None:
        need_rate(stream.modality, header.sampling_rate)
    if header.sampling_rate is None and not header.timed:
        message = "neither a time column nor a rate: add sampling_rate to the manifest"
        raise StreamError(message, reason=Reason.RATE_MISSING)
    return header


def _query(stream: Stream) -> Query:
    return Query(stream.modality, stream.channel)


def _edf(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.edf import edf_index, read_edf_header

    header = read_edf_header(path)
    index = edf_index(header, _query(stream))
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, header.signals[index].unit))
    return SignalHeader(header.rate(index), header.duration_s, len(header.signals), path.suffix[1:].upper())


def _wfdb(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.wfdb import read_wfdb_header

    header = read_wfdb_header(path)
    index = pick([s.name for s in header.signals], _query(stream), kind="signal")
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, header.signals[index].unit))
    return SignalHeader(header.rate(index), header.duration_s, len(header.signals), "WFDB")


def _xdf(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.xdf import read_xdf_signals

    signals = read_xdf_signals(path)
    signal = signals[pick([s.name for s in signals], _query(stream), kind="channel")]
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, signal.unit))
    return SignalHeader(signal.rate or None, None, len(signals), "XDF", timed=True)


def _acq(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.acq import read_acq_signals

    signals = read_acq_signals(path)
    signal = signals[pick([s.name for s in signals], _query(stream), kind="channel")]
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, signal.unit))
    return SignalHeader(signal.rate, signal.n_samples / signal.rate, len(signals), "AcqKnowledge")


def _embrace(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.embrace import SENSORS, read_embrace

    raw = read_embrace(path, _query(stream))  # half an hour is read in less than a second
    times = raw.times_s
    duration = None if times is None else float(times.read(times.n - 1, times.n)[0])
    return SignalHeader(raw.sampling_rate, duration, len(SENSORS), "EmbracePlus", timed=True)


def _zip(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.embrace import is_embrace_zip

    return _embrace(path, stream) if is_embrace_zip(path) else _e4(path, stream)


def _e4(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.e4 import read_e4_head

    head = read_e4_head(path, _query(stream))
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, head.unit))
    return SignalHeader(head.sampling_rate, None, head.n_columns, "Empatica E4")


def _maybe_e4(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.e4 import is_e4

    return _e4(path, stream) if is_e4(path) else _text(path, stream)


def _parquet(path: Path, stream: Stream) -> SignalHeader:
    import pyarrow.parquet as pq

    from cueflow.tasks.ingest.tabular.tables import parquet_names, readable_parquet

    names = parquet_names(path)
    stamps = time_column(names, channel=stream.channel)
    pick(names, _query(stream), leave_out=None if stamps is None else stamps.index)
    if stamps is None:
        rows = pq.ParquetFile(path).metadata.num_rows
        duration = rows / stream.sampling_rate if stream.sampling_rate else None
        return SignalHeader(stream.sampling_rate, duration, len(names), "Parquet")
    with readable_parquet():
        file = pq.ParquetFile(path)
        rate = _first_rate(file, names[stamps.index], stamps) or stream.sampling_rate
        return SignalHeader(rate, _span(file.metadata, stamps), len(names), "Parquet with time stamps", timed=True)


def _first_rate(file: Any, name: str, stamps: TimeColumn) -> float | None:  # noqa: ANN401 - pyarrow is not typed here
    import pyarrow as pa

    batch = next(file.iter_batches(batch_size=_ROWS, columns=[name]), None)
    if batch is None or not (pa.types.is_floating(batch.column(0).type) or pa.types.is_integer(batch.column(0).type)):
        return None  # dates: only the reader turns them into seconds
    times = np.asarray(batch.column(0).drop_null().to_numpy(zero_copy_only=False), dtype=np.float64)
    return _rate_of(in_seconds(times, stamps.scale))


def _rate_of(times_s: FloatArray) -> float | None:
    """Rate of the first stamps; they are in order, or the recording is refused."""
    times_s = times_s[np.isfinite(times_s)]
    stamps = Held([times_s])
    need_order(stamps)
    return whole_packets(stamps)[1]


def _span(metadata: Any, stamps: TimeColumn) -> float | None:  # noqa: ANN401 - pyarrow is not typed here
    groups = [metadata.row_group(i).column(stamps.index).statistics for i in range(metadata.num_row_groups)]
    if not all(g is not None and g.has_min_max and isinstance(g.min, int | float) for g in groups) or not groups:
        return None
    ends = np.array([min(g.min for g in groups), max(g.max for g in groups)], dtype=np.float64)
    first, last = in_seconds(ends, stamps.scale)
    return float(last - first)


def _text(path: Path, stream: Stream) -> SignalHeader:
    from cueflow.tasks.ingest.formats.sidecars import is_physio, read_sidecar

    sidecar = read_sidecar(path) if is_physio(path) else None
    head = head_of(path)
    layout = layout_of(head, names=None if sidecar is None else sidecar.columns)
    stamps = time_column(layout.names, channel=stream.channel)
    pick(layout.names, _query(stream), leave_out=None if stamps is None else stamps.index)
    if sidecar is not None:
        return SignalHeader(sidecar.sampling_rate, None, len(layout.names), "BIDS physio")
    conversion(stream.modality, agreed_unit(stream.modality, stream.unit, layout.unit))
    if stamps is None:
        rate = layout.sampling_rate or stream.sampling_rate
        return SignalHeader(rate, None, len(layout.names), "table")
    first = _stamps(decoded(head).splitlines()[layout.skip : -1], layout, stamps)
    last = _stamps(_tail(path), layout, stamps)
    duration = None
    if len(first) and len(last):
        ends = in_seconds(np.concatenate([first[:1], last[-1:]]), stamps.scale)
        duration = float(ends[1] - ends[0])
    rate = _rate_of(in_seconds(first, stamps.scale)) if len(first) else None
    return SignalHeader(rate or stream.sampling_rate, duration, len(layout.names), "table with time stamps", timed=True)


def _tail(path: Path) -> list[str]:
    """The last lines; none of a compressed file, which would have to be read whole."""
    if path.suffix.lower() == ".gz":
        return []
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - HEAD_BYTES, 0))
        lines = decoded(file.read()).splitlines()
    return lines[1:]


def _stamps(lines: list[str], layout: Layout, column: TimeColumn) -> FloatArray:
    cells = [cells_of(line, layout.separator) for line in lines if line.strip()]
    read = [as_number(row[column.index]) for row in cells if len(row) > column.index]
    return np.array([value for value in read if value is not None], dtype=np.float64)


_HEADED = frozenset({".edf", ".bdf", ".hea", ".dat", ".mat", ".xdf", ".acq", ".avro"})
_READERS: dict[str, Callable[[Path, Stream], SignalHeader]] = {
    ".edf": _edf,
    ".bdf": _edf,
    ".parquet": _parquet,
    ".hea": _wfdb,
    ".dat": _wfdb,
    ".mat": _wfdb,
    ".csv": _maybe_e4,
    ".zip": _zip,
    ".acq": _acq,
    ".avro": _embrace,
    ".xdf": _xdf,
}
