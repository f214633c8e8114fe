"""Read a physiological signal from any format, on the session clock, in the unit its measures are computed in.

A reader takes a file and a query and gives `Raw`; a new format is one function and its suffix.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, LongSignal, Recorded, Signal
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest import held
from cueflow.tasks.ingest.held import Held, Numbers, steps
from cueflow.tasks.ingest.raw import Query, Raw, Reader
from cueflow.tasks.ingest.tabular.stamps import even_stamps, need_even, need_order, whole_packets
from cueflow.tasks.ingest.units import EXPECTED, agreed_unit, conversion, need_size

_PACKET_SHARE = 0.02  # equal stamps of a list of intervals: several beats came in one packet
_PAUSE_S = 3.0  # between packets that follow each other
_SHORTEST_MS, _LONGEST_MS = 240.0, 10_000.0  # a median interval beyond is not in ms: no heart beats so fast, or slowly
_RATES = (20.0, 240.0)  # as the numbers of a list of heart rates are


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

    Session time is `start_s` plus the file's own time stamp where it has a time column (stamps that count from 1970 are
    counted from the first), else `start_s` plus sample number / rate. Where the manifest gives no `start_s` it is the
    StartTime of a BIDS sidecar or the delay of an E4 sensor after the export's first, else 0. A few equal stamps (below
    2 %) are merged, the first sample stays; more are rounding, and are laid on a straight line between gaps.

    The declared rate is compared with the time stamps and with the rate in the header. A table without time stamps says
    nothing about its rate: the declared one is believed.

    Parameters
    ----------
    path : Path
        .csv, .tsv, .txt (also .gz), .parquet, .edf, .bdf, BIDS physio (.tsv.gz with .json), WFDB (.hea, .dat or .mat
        with .hea), XDF, AcqKnowledge .acq, EmbracePlus .avro (or a .zip of them), or an Empatica E4 export (a table of
        its folder, or its .zip).
    modality : Modality
        What the signal is.
    channel : str, optional
        Column or signal inside the file; may be empty where there is only one, or only one named like the modality.
    sampling_rate : float, optional
        As the manifest declares it, Hz.
    unit : str, optional
        As the manifest declares it; empty: the file's, or else the expected one.
    start_s : float, optional
        Offset of the file's clock on the session clock, s.
    rate_tolerance : float, optional
        Relative difference of declared and measured rate that is allowed.

    Returns
    -------
    Signal
        NaN where a sample is missing; a step of time of more than 1.5 periods is a gap. Intervals (ms) stand at the
        beat that ends them; without a time column the first interval starts at `start_s`.

    Raises
    ------
    StreamError
        If the format, channel, rate, unit or time stamps cannot be used; its reason says which.
    """  # noqa: DOC502  raised by the helper
    signal = open_signal(
        path, modality=modality, channel=channel, sampling_rate=sampling_rate, unit=unit, start_s=start_s,
        rate_tolerance=rate_tolerance,
    )  # fmt: skip
    return signal.part(0, signal.n)


def open_signal(
    path: Path,
    *,
    modality: Modality,
    channel: str = "",
    sampling_rate: float | None = None,
    unit: str = "",
    start_s: float | None = None,
    rate_tolerance: float = 0.02,
) -> Recorded:
    """As `read_signal`, but the samples of long recordings are not held in memory.

    Those of EDF, BDF and WFDB stay in the file until they are needed; those of other formats are put into a file
    without a name in the folder of temporary files, 8 bytes a sample and 8 a time stamp, as they are read.

    Parameters
    ----------
    path : Path
        As for `read_signal`, as are all others.
    modality : Modality
        What the signal is.
    channel : str, optional
        Column or signal inside the file.
    sampling_rate : float, optional
        As the manifest declares it, Hz.
    unit : str, optional
        As the manifest declares it.
    start_s : float, optional
        Offset of the file's clock on the session clock, s.
    rate_tolerance : float, optional
        Relative difference of declared and measured rate that is allowed.

    Returns
    -------
    Signal or LongSignal
        Lists of intervals are never long.

    Raises
    ------
    StreamError
        As `read_signal`.
    """
    raw = reader_for(path)(path, Query(modality, channel))
    if not raw.values.n:
        raise StreamError("the signal has no samples: export it again", reason=Reason.FILE_EMPTY)
    agreed = agreed_unit(modality, unit, raw.unit)
    convert = conversion(modality, agreed)
    if convert.unit == EXPECTED[modality]:
        need_size(modality, convert(raw.values.read(0, held.MANY)), agreed)
    origin = raw.start_s if start_s is None else start_s
    if modality is Modality.INTERVALS:
        stamps = None if raw.times_s is None else raw.times_s.read(0, raw.times_s.n)
        beats = _intervals(convert(raw.values.read(0, raw.values.n)), stamps, origin, unit=convert.unit)
        return replace(beats, cut=raw.cut)
    times, values, rate = _on_clock(raw, declared=sampling_rate, tolerance=rate_tolerance)
    if times is not None and modality in {Modality.ECG, Modality.PPG}:
        need_even(times, rate)
    long = LongSignal(
        values.n,
        lambda first, last: convert(values.read(first, last)),
        origin,
        rate,
        convert.unit,
        None if raw.began_s is None else raw.began_s - origin,
        raw.began_error_s,
        raw.zoned,
        origin - raw.start_s,
        None if times is None else lambda first, last: origin + times.read(first, last),
        raw.cut,
    )
    return long if long.n >= held.MANY else long.part(0, long.n)


def is_length(path: Path, channel: str) -> bool:
    """Whether an accelerometer's channel is the length of the vector of its axes, which a wristband's reader makes.

    Parameters
    ----------
    path : Path
        The file.
    channel : str
        As the manifest names it.

    Returns
    -------
    bool
    """
    from cueflow.tasks.ingest.formats.e4 import is_e4

    suffix = path.suffix.lower()
    made = suffix in {".avro", ".zip"} or (suffix == ".csv" and is_e4(path))
    return made and channel.strip().casefold() in {"", "magnitude"}


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
        FORMAT_UNKNOWN if no reader knows the suffix.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = path.with_suffix("").suffix.lower() + suffix
    if suffix not in READERS:
        message = f"{suffix or 'no suffix'} is not a format of signals: convert it to one of {', '.join(READERS)}"
        raise StreamError(message, reason=Reason.FORMAT_UNKNOWN)
    return READERS[suffix]


def check_rate(declared: float | None, said: float | None, *, tolerance: float, source: str) -> None:
    """Compare the manifest's sampling rate with what the file says.

    Parameters
    ----------
    declared : float or None
        The manifest's, Hz.
    said : float or None
        The file's, Hz.
    tolerance : float
        Relative difference that is allowed.
    source : str
        What says so, for the message.

    Raises
    ------
    StreamError
        RATE_MISMATCH, with both figures.
    """
    if declared is not None and said is not None and abs(said / declared - 1.0) > tolerance:
        message = f"the manifest declares {declared:g} Hz and {source} {said:.5g} Hz"
        raise StreamError(f"{message}: correct sampling_rate or leave it empty", reason=Reason.RATE_MISMATCH)


def _on_clock(raw: Raw, *, declared: float | None, tolerance: float) -> tuple[Numbers | None, Numbers, float]:
    # times on the file's clock (None: even from 0 on), values and rate
    check_rate(declared, raw.sampling_rate, tolerance=tolerance, source="the file's header says")
    nominal = declared if declared is not None else raw.sampling_rate
    if raw.times_s is None:
        if nominal is None:
            message = "neither a time column nor a rate: add sampling_rate to the manifest"
            raise StreamError(message, reason=Reason.RATE_MISSING)
        return None, raw.values, nominal
    need_order(raw.times_s)
    stamps, measured = whole_packets(raw.times_s)
    check_rate(nominal, measured, tolerance=tolerance, source="the time stamps say")
    rate = nominal if nominal is not None else measured
    if rate is None:
        message = "a single time stamp gives no rate: add sampling_rate to the manifest"
        raise StreamError(message, reason=Reason.RATE_MISSING)
    times, values = even_stamps(stamps, raw.values, rate)
    if any(float(np.min(step, initial=np.inf)) <= 0 for step in steps(times)):
        message = "the time stamps are too coarse: leave the column out and give sampling_rate"
        raise StreamError(message, reason=Reason.TIME_NOT_INCREASING)
    return times, values, rate


def _intervals(values_ms: FloatArray, times_s: FloatArray | None, origin_s: float, *, unit: str) -> Signal:
    known = values_ms[np.isfinite(values_ms)]
    middle = float(np.median(known)) if len(known) else np.nan
    if not _SHORTEST_MS <= middle <= _LONGEST_MS and np.isfinite(middle):
        rates = " (are these heart rates? They are no intervals)" if _RATES[0] < middle < _RATES[1] else ""
        message = f"the median interval would be {middle:.3g} ms{rates}: give the unit of the column in the manifest"
        raise StreamError(message, reason=Reason.UNIT_WRONG)
    if times_s is None:
        if len(known) < len(values_ms):
            message = "a missing interval leaves the times after it unknown: add a time column"
            raise StreamError(message, reason=Reason.NOT_A_NUMBER)
        times_s = np.cumsum(values_ms) / 1e3
    need_order(Held([times_s]))
    times_s = _beat_times(values_ms, times_s)
    keep = np.concatenate([[True], np.diff(times_s) > 0])
    return Signal(values_ms[keep], origin_s + times_s[keep], 1e3 / middle, unit)


def _beat_times(values_ms: FloatArray, times_s: FloatArray) -> FloatArray:
    """Times of the beats of a list whose stamps are those of the packets that brought them, some with several beats.

    Within a stretch without a pause the beats follow each other by their intervals, from the earliest place that lets
    none come after its packet; other lists keep their stamps.
    """
    if len(times_s) < 2 or float(np.mean(np.diff(times_s) <= 0)) < _PACKET_SHARE or not np.isfinite(values_ms).all():
        return times_s
    run = np.cumsum(values_ms) / 1e3
    late = times_s - run
    borders = np.flatnonzero(np.abs(np.diff(late)) > _PAUSE_S) + 1
    parts = zip(np.split(run, borders), np.split(late, borders), strict=True)
    return np.concatenate([part + float(np.min(lateness)) for part, lateness in parts])


def _text(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.tabular.tables import read_text

    return read_text(path, query)


def _maybe_e4(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.e4 import is_e4, read_e4

    return read_e4(path, query) if is_e4(path) else _text(path, query)


def _e4(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.e4 import read_e4

    return read_e4(path, query)


def _embrace(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.embrace import read_embrace

    return read_embrace(path, query)


def _zip(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.embrace import is_embrace_zip

    return _embrace(path, query) if is_embrace_zip(path) else _e4(path, query)


def _acq(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.acq import read_acq

    return read_acq(path, query)


def _wfdb(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.wfdb import read_wfdb

    return read_wfdb(path, query)


def _xdf(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.xdf import read_xdf

    return read_xdf(path, query)


def _maybe_bids(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.sidecars import is_physio, read_physio

    return read_physio(path, query) if is_physio(path) else _text(path, query)


def _parquet(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.tabular.tables import read_parquet

    return read_parquet(path, query)


def _edf(path: Path, query: Query) -> Raw:
    from cueflow.tasks.ingest.formats.edf import read_edf

    return read_edf(path, query)


READERS: dict[str, Reader] = {
    ".csv": _maybe_e4,
    ".csv.gz": _text,
    ".tsv": _text,
    ".tsv.gz": _maybe_bids,
    ".txt": _text,
    ".txt.gz": _text,
    ".parquet": _parquet,
    ".edf": _edf,
    ".bdf": _edf,
    ".hea": _wfdb,
    ".dat": _wfdb,
    ".mat": _wfdb,
    ".zip": _zip,
    ".acq": _acq,
    ".avro": _embrace,
    ".xdf": _xdf,
}
