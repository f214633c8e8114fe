"""Time stamps of samples: which column has them, their rate, and stamps that were rounded when they were written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest.tabular.text import as_number

GAP_PERIODS = 1.5  # a step of more than this many sample periods is a gap
_JUMP = 4.0  # a step of more than this many median steps takes no part in the first guess of the rate
_ROUNDED_SHARE = 0.02  # more equal neighbours than this are rounding, fewer are samples that were stored twice
_WALL_CLOCK_S = 1e8  # three years: stamps beyond count from 1970, not from the recording's start
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "minutes"), 60.0),
}
_TIME = re.compile(
    r"(elapsed_?|unix_?|lsl_?|system_?|phone_?|device_?|packet_?)?(time|times|t|timestamps?|time_stamps?)(_([a-zµμ]+))?"
)


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """Position of the column of time stamps, and the length of its unit in s (None: the name has no unit)."""

    index: int
    scale: float | None


def time_column(names: Sequence[str], *, channel: str = "") -> TimeColumn | None:
    """The column of time stamps, by its name: `time`, `t`, `timestamp`, `seconds`, with or without a unit.

    Parameters
    ----------
    names : sequence of str
        Columns of the file.
    channel : str, optional
        The signal that is asked for; it is never taken for the time.

    Returns
    -------
    TimeColumn or None
        The first one whose name gives its unit, else the first.
    """
    found = [
        TimeColumn(i, scale)
        for i, name in enumerate(names)
        if name.strip() != channel.strip() and (scale := _scale(name)) is not False
    ]
    return next((c for c in found if c.scale is not None), found[0] if found else None)


def _scale(name: str) -> float | bool | None:
    """Length of the unit in s; None for a time column without a unit; False for other columns."""
    bare = re.sub(r"[^a-z0-9.µμ]+", "_", name.strip().casefold()).strip("_")
    if bare in _UNITS:
        return _UNITS[bare]
    match = _TIME.fullmatch(bare)
    if match is None:
        start = as_number(bare)  # Empatica's beat list is headed by its start and "IBI"
        return 1.0 if start is not None and start > _WALL_CLOCK_S else False
    unit = match.group(4)
    return None if unit is None else _UNITS.get(unit, False)


def in_seconds(stamps: FloatArray, scale: float | None) -> FloatArray:
    """Time stamps in seconds on the file's own clock.

    Stamps that count from 1970 are counted from the first one; without a unit in the name theirs is told from their
    size (seconds, ms, µs or ns), otherwise it is the second.

    Parameters
    ----------
    stamps : ndarray, shape (n,)
        As the file has them.
    scale : float or None
        Length of their unit in s, if it is known.

    Returns
    -------
    ndarray, shape (n,)
    """
    first = _first(stamps)
    scale = _unit(first) if scale is None else scale
    return (stamps - first) * scale if abs(first) * scale > _WALL_CLOCK_S else stamps * scale


def since_1970(stamps: FloatArray, scale: float | None) -> float | None:
    """The first of stamps that count from 1970, in seconds; None for those that do not.

    Parameters
    ----------
    stamps : ndarray, shape (n,)
        As the file has them.
    scale : float or None
        Length of their unit in s, if it is known.

    Returns
    -------
    float or None
    """
    first = _first(stamps)
    first *= _unit(first) if scale is None else scale
    return first if first > _WALL_CLOCK_S else None


def _unit(first: float) -> float:
    return next((unit for limit, unit in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)) if abs(first) > limit), 1.0)


def _first(stamps: FloatArray) -> float:
    known = stamps[np.isfinite(stamps)]
    return float(known[0]) if len(known) else 0.0


def measured_rate(times_s: FloatArray) -> float | None:
    """Sampling rate that time stamps say, gaps left out.

    The mean step is used, not the median: stamps rounded to two digits step by 0.01 or 0 at 125 Hz.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Not decreasing.

    Returns
    -------
    float or None
        Hz; None for fewer than two different stamps.
    """
    steps = np.diff(times_s)
    positive = steps[steps > 0]
    if not len(positive):
        return None
    guess = float(np.mean(steps[steps <= _JUMP * np.median(positive)]))
    grain = float(np.min(positive)) if len(positive) < len(steps) * (1 - _ROUNDED_SHARE) else 0.0
    return 1.0 / float(np.mean(steps[steps <= GAP_PERIODS * guess + grain]))  # without single lost samples


def need_order(times_s: FloatArray) -> None:
    """Make sure that stamps do not run backwards.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Finite.

    Raises
    ------
    StreamError
        TIME_NOT_INCREASING if they do, or never change.
    """
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        at = int(backwards[0]) + 1
        message = f"the time stamps run backwards at sample {at + 1} ({times_s[at - 1]:g} s, then {times_s[at]:g} s)"
        raise StreamError(f"{message}: sort or split the recording", reason=Reason.TIME_NOT_INCREASING)
    if len(times_s) > 1 and times_s[0] == times_s[-1]:
        message = "the time stamps never change: leave the column out and give sampling_rate"
        raise StreamError(message, reason=Reason.TIME_NOT_INCREASING)


def even_stamps(times_s: FloatArray, values: FloatArray, rate: float) -> tuple[FloatArray, FloatArray]:
    """Strictly increasing stamps.

    Where stamps were rounded (more than 2 % equal neighbours), each stretch without a gap is laid on the straight line
    that fits it best; where a few are equal, the first sample of each stays.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Not decreasing.
    values : ndarray, shape (n,)
        The samples.
    rate : float
        From `measured_rate`, Hz.

    Returns
    -------
    tuple of ndarray, shape (m,)
        Stamps and samples.
    """
    steps = np.diff(times_s)
    equal = steps <= 0
    if not equal.any():
        return times_s, values
    if equal.mean() < _ROUNDED_SHARE:
        keep = np.concatenate([[True], ~equal])
        return times_s[keep], values[keep]
    grain = float(np.min(steps[steps > 0]))
    borders = np.flatnonzero(steps > GAP_PERIODS / rate + grain) + 1
    stretches = np.split(times_s, borders)
    return np.concatenate([_line(stretch, rate) for stretch in stretches]), values


def _line(stamps: FloatArray, rate: float) -> FloatArray:
    index = np.arange(len(stamps), dtype=np.float64)
    if len(stamps) < 3 or stamps[-1] <= stamps[0]:
        return np.asarray(stamps[0] + index / rate)
    slope, start = np.polyfit(index, stamps, 1)
    return np.asarray(start + slope * index)
