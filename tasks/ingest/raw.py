"""What every reader of signals is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality
from cueflow.tasks.ingest.held import Numbers

_NEVER_SET = 2000
SHOWN = 12  # names that a message lists
NAMES: dict[str, Modality] = {
    **dict.fromkeys(("ecg", "ekg"), Modality.ECG),
    **dict.fromkeys(("ppg", "cardiac", "pulse", "pleth", "bvp", "pulseox"), Modality.PPG),
    **dict.fromkeys(("eda", "gsr", "scr", "scl", "skinconductance", "electrodermal"), Modality.EDA),
    **dict.fromkeys(("respiratory", "respiration", "resp", "rsp", "breathing"), Modality.RESPIRATION),
    **dict.fromkeys(("temperature", "temp", "skt", "skintemperature"), Modality.TEMPERATURE),
    **dict.fromkeys(("accelerometer", "acc", "accx", "accy", "accz"), Modality.ACCELEROMETER),
    **dict.fromkeys(
        (
            "intervals",
            "ibi",
            "rr",
            "rri",
            "nn",
            "nni",
            "rrinterval",
            "rrintervals",
            "rrintervalms",
            "rrms",
            "rrs",
            "ibims",
            "heartbeatinterval",
            "beattobeatinterval",
            "interbeatinterval",
        ),
        Modality.INTERVALS,
    ),
}
"""Modality by name of a column or signal, letters and digits only."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which signal of a file: its modality and channel; the channel may be empty where there is no choice."""

    modality: Modality
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """What a reader found.

    `values` (n,) in `unit`, NaN where a sample is missing; `times_s` (n,) on the file's own clock, or None;
    `sampling_rate` in Hz as the header says it, or None where it is silent; `unit` as the file writes it; `start_s` is
    where the file itself puts its first sample on the session clock; `began_s` is its first sample (time 0 of the
    file's clock) in seconds since 1970 by the recorder's own clock, None where it does not say, written to
    `began_error_s`; `zoned` where that is known to be UTC, and not the time on the wall; `cut` where the file ends
    within a line, before its last cell.
    """

    values: Numbers
    times_s: Numbers | None = None
    sampling_rate: float | None = None
    unit: str = ""
    start_s: float = 0.0
    began_s: float | None = None
    began_error_s: float = 0.0
    zoned: bool = False
    cut: bool = False


Reader = Callable[[Path, Query], Raw]


def wall_seconds(*parts: int) -> float | None:
    """Seconds from 1970 to a date and time on some wall, read as if it were UTC.

    Parameters
    ----------
    *parts : int
        Year, month, day, hour, minute, second.

    Returns
    -------
    float or None
        None for what is no date, or lies before 2001: recorders whose clock was never set, dates taken out of headers.
    """
    try:
        moment = datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.timestamp() if moment.year > _NEVER_SET else None


def extra_missing(extra: str, what: str) -> StreamError:
    """The error of a format whose optional package is not installed.

    Parameters
    ----------
    extra : str
        Name of the extra.
    what : str
        The kind of file.

    Returns
    -------
    StreamError
        FORMAT_UNKNOWN, with the command that mends it.
    """
    message = f"{what} needs an optional package: pip install 'cueflow[{extra}]'"
    return StreamError(message, reason=Reason.FORMAT_UNKNOWN)


def modality_of(name: str) -> Modality | None:
    """The modality that a column's or signal's name stands for, if any."""
    return NAMES.get("".join(c for c in name.casefold() if c.isalnum()))


def pick(names: Sequence[str], query: Query, *, leave_out: int | None = None, kind: str = "column") -> int:
    """Position of the signal that is asked for.

    Compared without outer spaces, then also without case, then as a position, counted from 0: names may be there twice,
    and two files may give their columns one name. An empty channel means the only one there is, or the only one whose
    name stands for the modality.

    Parameters
    ----------
    names : sequence of str
        What the file has.
    query : Query
        What is asked for.
    leave_out : int, optional
        Position of the time column, which an empty channel never means.
    kind : str, optional
        What the message calls it.

    Returns
    -------
    int

    Raises
    ------
    StreamError
        COLUMN_MISSING if there is none, or more than one.
    """
    wanted = query.channel.strip()
    bare = [name.strip() for name in names]
    if wanted:
        found = [i for i, name in enumerate(bare) if name == wanted]
        found = found or [i for i, name in enumerate(bare) if name.casefold() == wanted.casefold()]
        found = found or [i for i in range(len(bare)) if str(i) == wanted and i != leave_out]
    else:
        found = [i for i in range(len(bare)) if i != leave_out]
        if len(found) > 1:
            found = [i for i in found if modality_of(bare[i]) is query.modality]
    if len(found) == 1:
        return found[0]
    raise StreamError(_not_found(bare, wanted, len(found), kind), reason=Reason.COLUMN_MISSING)


def _not_found(names: Sequence[str], wanted: str, n_found: int, kind: str) -> str:
    listed = ", ".join(name[:40] or "(no name)" for name in names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    if not names:
        return f"the file holds no {kind}"
    if not wanted:
        return f"the manifest names no channel and the file has several: name one of {listed}"
    if n_found:
        return f"{n_found} {kind}s are called {wanted[:40]!r}: give the position of one, counted from 0"
    return f"no {kind} {wanted[:40]!r}; the file has {listed}"
