"""Read a physiological signal from any format, on the session clock, in the unit its measures are computed in.

A reader takes a file and a channel and gives `Raw`; a new format is one function and its suffix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Signal
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.stamps import even_stamps, measured_rate
from cueflow.tasks.ingest.units import conversion


@dataclass(frozen=True, slots=True)
class Raw:
    """What a reader found.

    `values` (n,); `times_s` (n,) on the file's own clock, or None; `sampling_rate` in Hz, or None where the file is
    silent; `start_s` of the file's clock against the recording's.
    """

    values: FloatArray
    times_s: FloatArray | None = None
    sampling_rate: float | None = None
    unit: str = ""
    start_s: float = 0.0


Reader = Callable[[Path, str], Raw]


def read_signal(
    path: Path,
    *,
    modality: Modality,
    channel: str = "",
    sampling_rate: float | None = None,
    unit: str = "",
    start_s: float | None = None,
    rate_tolerance: float = 0.02,
) -> Signal:
    """Read one signal of a file.

    Session time is `start_s` (0 where it is unknown) plus the file's own time stamp, or plus sample number / rate.

    Parameters
    ----------
    path : Path
        .csv, .tsv (.gz), .parquet, .edf, .bdf, or BIDS physio (.tsv.gz with .json).
    modality : Modality
        What the signal is.
    channel : str, optional
        Column or signal inside the file; may be empty where there is only one.
    sampling_rate : float, optional
        As the manifest declares it, Hz; compared with the file's rate or time stamps where it has them.
    unit : str, optional
        As the manifest declares it; empty: the file's, or the expected one.
    start_s : float, optional
        The recording's first sample on the session clock.
    rate_tolerance : float, optional
        Relative difference of declared and measured rate that is allowed.

    Returns
    -------
    Signal
        NaN where a sample is missing; a step of time of more than 1.5 periods is a gap.

    Raises
    ------
    StreamError
        If the format, channel, rate, unit or time stamps cannot be used.
    """
    raw = reader_for(path)(path, channel)
    if not len(raw.values):
        raise StreamError(f"{path.name}: the signal has no samples", reason=Reason.FILE_EMPTY)
    factor, expected = conversion(modality, unit or raw.unit)
    origin = (start_s or 0.0) + raw.start_s
    if modality is Modality.INTERVALS and raw.times_s is None:
        ends = origin + np.cumsum(np.nan_to_num(raw.values * factor)) / 1e3
        return Signal(raw.values * factor, ends, 1.0, expected)
    values, times = _stamped(raw, path)
    measured = raw.sampling_rate if times is None else measured_rate(times)
    rate = _agreed_rate(measured, sampling_rate, tolerance=rate_tolerance, name=path.name)
    if times is None:
        times = np.arange(len(values)) / rate
    else:
        times, values = even_stamps(times, values, rate)
    return Signal(values * factor, origin + times, rate, expected)


def reader_for(path: Path) -> Reader:
    """The reader of a file's format.

    Parameters
    ----------
    path : Path
        The file; only its name is looked at.

    Returns
    -------
    callable

    Raises
    ------
    StreamError
        If no reader knows the suffix.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz" and path.with_suffix("").suffix.lower() in {".csv", ".tsv"}:
        suffix = path.with_suffix("").suffix.lower()
    if suffix not in READERS:
        known = ", ".join(READERS)
        raise StreamError(f"{path.name}: not a format of signals that is read ({known})", reason=Reason.FORMAT_UNKNOWN)
    return READERS[suffix]


def _table(path: Path, channel: str) -> Raw:
    from cueflow.tasks.ingest.bids import physio_sidecar, read_physio
    from cueflow.tasks.ingest.tables import read_columns

    if (sidecar := physio_sidecar(path)) is not None:
        return read_physio(path, channel, sidecar)
    values, times = read_columns(path, channel=channel)
    return Raw(values, times)


def _edf(path: Path, channel: str) -> Raw:
    from cueflow.tasks.ingest.edf import read_edf

    return read_edf(path, channel)


READERS: dict[str, Reader] = {
    ".csv": _table,
    ".tsv": _table,
    ".parquet": _table,
    ".edf": _edf,
    ".bdf": _edf,
}


def _stamped(raw: Raw, path: Path) -> tuple[FloatArray, FloatArray | None]:
    if raw.times_s is None:
        return raw.values, None
    stamped = np.isfinite(raw.times_s)
    values, times = raw.values[stamped], raw.times_s[stamped]
    backwards = np.diff(times) < 0
    if np.any(backwards):
        message = f"{path.name}: the time stamps run backwards, first at sample {int(np.argmax(backwards)) + 1}"
        raise StreamError(message, reason=Reason.TIME_NOT_INCREASING)
    return values, times


def _agreed_rate(measured: float | None, declared: float | None, *, tolerance: float, name: str) -> float:
    if measured is not None and declared is not None and abs(measured / declared - 1.0) > tolerance:
        message = f"{name}: the manifest declares {declared:g} Hz, the data say {measured:.4g} Hz: correct one of them"
        raise StreamError(message, reason=Reason.RATE_MISMATCH)
    rate = declared if declared is not None else measured
    if rate is None:
        message = f"{name}: no time column and no rate; add sampling_rate to the manifest"
        raise StreamError(message, reason=Reason.RATE_MISSING)
    return rate
