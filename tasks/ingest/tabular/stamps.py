"""Time stamps of samples: which column has them, their rate, and stamps that were rounded when they were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.ingest import held
from cueflow.tasks.ingest.held import Held, Numbers, blocks, steps
from cueflow.tasks.ingest.tabular.text import as_number

GAP_PERIODS = 1.5  # a step of more than this many sample periods is a gap
_JUMP = 4.0  # a step of more than this many median steps takes no part in the first guess of the rate
_PACKET_SHARE, _PACKET_S, _FEWEST_PACKETS = 0.9, 5.0, 10  # of the time between packets; longest time; number
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


@dataclass(frozen=True, slots=True)
class Origin:
    """How written stamps become seconds on the file's own clock: the first of them, and the length of their unit in s.

    Stamps that count from 1970 are counted from the first one; without a unit in the name theirs is told from their
    size (seconds, ms, µs or ns), otherwise it is the second.
    """

    first: float
    scale: float

    @staticmethod
    def of(stamps: FloatArray, scale: float | None) -> Origin | None:
        """From the first stamps of a file; None where none of them is known."""
        known = stamps[np.isfinite(stamps)]
        if not len(known):
            return None
        first = float(known[0])
        return Origin(first, _unit(first) if scale is None else scale)

    @property
    def began_s(self) -> float | None:
        """The first of stamps that count from 1970, in seconds; None for those that do not."""
        return self.first * self.scale if self.first * self.scale > _WALL_CLOCK_S else None

    def seconds(self, stamps: FloatArray) -> FloatArray:
        """Stamps (n,) in s."""
        wall = abs(self.first) * self.scale > _WALL_CLOCK_S
        return (stamps - self.first) * self.scale if wall else stamps * self.scale


def in_seconds(stamps: FloatArray, scale: float | None) -> FloatArray:
    """Time stamps in seconds on the file's own clock; see `Origin`.

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
    return (Origin.of(stamps, scale) or Origin(0.0, 1.0)).seconds(stamps)


def _unit(first: float) -> float:
    return next((unit for limit, unit in ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3)) if abs(first) > limit), 1.0)


@dataclass(slots=True)
class _Sum:
    total: float = 0.0
    n: int = 0

    def add(self, some: FloatArray) -> None:
        self.total += float(some.sum())
        self.n += len(some)

    @property
    def mean(self) -> float:
        return self.total / self.n


def measured_rate(times_s: Numbers) -> float | None:
    """Sampling rate that time stamps say, gaps left out.

    The mean step is used, not the median: stamps rounded to two digits step by 0.01 or 0 at 125 Hz.

    Parameters
    ----------
    times_s : Numbers
        Not decreasing.

    Returns
    -------
    float or None
        Hz; None for fewer than two different stamps.
    """
    every = max(1, times_s.n // held.MANY)
    some, n_positive, least = [np.zeros(0)], 0, np.inf
    for step in steps(times_s):
        positive = step[step > 0]
        n_positive += len(positive)
        least = float(np.min(positive, initial=least))
        some.append(positive[::every].copy())  # what is left of a block must not keep all of it
    if not n_positive:
        return None
    jump = _JUMP * float(np.median(np.concatenate(some)))
    first, last = _Sum(), _Sum()
    for step in steps(times_s):
        first.add(step[step <= jump])
    grain = least if n_positive < (times_s.n - 1) * (1 - _ROUNDED_SHARE) else 0.0
    for step in steps(times_s):
        last.add(step[step <= GAP_PERIODS * first.mean + grain])
    return 1.0 / last.mean  # without single lost samples


def whole_packets(times_s: Numbers) -> tuple[Numbers, float | None]:
    """Stamps of samples that arrived in packets and were stamped as fast as the computer could, made equal in each.

    `even_stamps` then lays them on lines, as it does where a packet's samples have one stamp.

    Parameters
    ----------
    times_s : Numbers
        Not decreasing.

    Returns
    -------
    stamps : Numbers
        As many; those given unless nine tenths of the time lie in the steps from packet to packet, of which there is
        one in five seconds at least.
    rate : float or None
        Theirs, as `measured_rate` has it.
    """
    rate = measured_rate(times_s)
    if rate is None:
        return times_s, None
    between = GAP_PERIODS / rate
    n_long, long_s, span = _long(times_s, between)
    if n_long < max(_FEWEST_PACKETS, span / _PACKET_S) or long_s < _PACKET_SHARE * span:
        return times_s, rate
    whole, at = Held(), float(times_s.read(0, 1)[0])
    for block, step in zip(blocks(times_s), steps(times_s), strict=True):
        begins = np.concatenate([np.zeros(len(block) - len(step), dtype=bool), step > between])
        packet = np.cumsum(begins)
        firsts = np.concatenate([[at], block[begins]])
        whole.add(firsts[packet])
        at = float(firsts[-1])
    return whole, measured_rate(whole)


def _long(times_s: Numbers, limit_s: float) -> tuple[int, float, float]:
    """How many steps are longer, how long they are together, and the span of all."""
    n, total, span = 0, 0.0, 0.0
    for step in steps(times_s):
        n += int((step > limit_s).sum())
        total += float(step[step > limit_s].sum())
        span += float(step.sum())
    return n, total, span


def need_order(times_s: Numbers) -> None:
    """Make sure that stamps do not run backwards.

    Parameters
    ----------
    times_s : Numbers
        Finite.

    Raises
    ------
    StreamError
        TIME_NOT_INCREASING if they do, or never change.
    """
    done = 1
    for step in steps(times_s):
        backwards = np.flatnonzero(step < 0)
        if len(backwards):
            at = done + int(backwards[0])
            before, after = times_s.read(at - 1, at + 1).tolist()
            message = f"the time stamps run backwards at sample {at + 1} ({before:g} s, then {after:g} s)"
            raise StreamError(f"{message}: sort or split the recording", reason=Reason.TIME_NOT_INCREASING)
        done += len(step)
    if times_s.n > 1 and times_s.read(0, 1)[0] == times_s.read(times_s.n - 1, times_s.n)[0]:
        message = "the time stamps never change: leave the column out and give sampling_rate"
        raise StreamError(message, reason=Reason.TIME_NOT_INCREASING)


def need_even(times_s: Numbers, rate: float) -> None:
    """Refuse stamps that jitter so much that hardly a beat lies between two that look like a gap.

    Lost samples leave long steps and no short ones; where both come more than once a second, or the long ones alone and
    take most of the time, the stamps are those of arrival and not of sampling.

    Parameters
    ----------
    times_s : Numbers
        Increasing.
    rate : float
        From `measured_rate`, Hz.

    Raises
    ------
    StreamError
        TIME_UNEVEN.
    """
    n_long, long_s, span = _long(times_s, GAP_PERIODS / rate)
    n_short = sum(int((step * rate < 2 - GAP_PERIODS).sum()) for step in steps(times_s))
    often = max(span, 1.0)
    if min(n_long, n_short) > often or (n_long > often and long_s > span / 2):
        how = "as many are too short" if n_short > often else f"take {long_s / span:.0%} of the time"
        message = f"the time stamps jitter: {n_long / span:.2g} steps a second look like gaps, and {how}"
        raise StreamError(f"{message}; leave the column out and give sampling_rate", reason=Reason.TIME_UNEVEN)


def even_stamps(times_s: Numbers, values: Numbers, rate: float) -> tuple[Numbers, Numbers]:
    """Strictly increasing stamps.

    Where stamps were rounded (more than 2 % equal neighbours), each stretch without a gap is laid on the straight line
    that fits it best; where a few are equal, the first sample of each stays.

    Parameters
    ----------
    times_s : Numbers
        Not decreasing.
    values : Numbers
        The samples, as many.
    rate : float
        From `measured_rate`, Hz.

    Returns
    -------
    tuple of Numbers
        Stamps and samples, as many as are left.
    """
    n_equal, grain = 0, np.inf
    for step in steps(times_s):
        n_equal += int((step <= 0).sum())
        grain = min(grain, float(np.min(step[step > 0], initial=np.inf)))
    if not n_equal:
        return times_s, values
    if n_equal / (times_s.n - 1) >= _ROUNDED_SHARE:
        return straight_lines(blocks(times_s), lambda step: step > GAP_PERIODS / rate + grain, rate), values
    kept = Held(), Held()
    for block, step, part in zip(blocks(times_s), steps(times_s), blocks(values), strict=True):
        fresh = np.concatenate([np.ones(len(block) - len(step), dtype=bool), step > 0])
        kept[0].add(block[fresh])
        kept[1].add(part[fresh])
    return kept


@dataclass(frozen=True, slots=True)
class Lines:
    """Even stamps (n,): from number `firsts[k]` on they begin at `starts_s[k]` and step by `steps_s[k]`, (k,) each."""

    n: int
    firsts: NDArray[np.int64]
    starts_s: FloatArray
    steps_s: FloatArray

    def read(self, first: int, last: int) -> FloatArray:
        """The stamps from `first` to `last`, which is left out."""
        index = np.arange(first, min(last, self.n))
        at = np.searchsorted(self.firsts, index, side="right") - 1
        return np.asarray(self.starts_s[at] + self.steps_s[at] * (index - self.firsts[at]))


@dataclass(slots=True)
class _Fit:
    """Sums of least squares over the stamps of a stretch, counted from its first."""

    start_s: float
    n: int = 0
    last_s: float = 0.0
    total: float = 0.0
    by_number: float = 0.0

    def add(self, stamps: FloatArray) -> None:
        since = stamps - self.start_s
        self.total += float(since.sum())
        self.by_number += float(since @ np.arange(self.n, self.n + len(stamps)))
        self.n, self.last_s = self.n + len(stamps), float(stamps[-1])

    def line(self, rate: float) -> tuple[float, float]:
        if self.n < 3 or self.last_s <= self.start_s:
            return self.start_s, 1.0 / rate
        middle = (self.n - 1) / 2
        slope = (self.by_number - middle * self.total) / (self.n * (self.n**2 - 1) / 12)
        return self.start_s + self.total / self.n - slope * middle, slope


def straight_lines(stamps: Iterator[FloatArray], cut: Callable[[FloatArray], NDArray[np.bool_]], rate: float) -> Lines:
    """Stamps laid on the straight lines that fit them best.

    Parameters
    ----------
    stamps : iterator of ndarray, shape (m,)
        All of them in parts, s.
    cut : callable
        From steps between stamps (m,) to whether a new stretch, with a line of its own, begins after them.
    rate : float
        Hz; stretches of one or two stamps, and those whose stamps never change, go on by it.

    Returns
    -------
    Lines
    """
    firsts, fits, n, before = list[int](), list[_Fit](), 0, np.zeros(0)
    for block in stamps:
        step = np.diff(np.concatenate([before, block]))
        new = np.concatenate([np.ones(len(block) - len(step), dtype=bool), cut(step)])
        edges = np.flatnonzero(new)
        for part, begins in zip(np.split(block, edges), [False] + [True] * len(edges), strict=True):
            if begins:
                fits.append(_Fit(float(part[0])))
                firsts.append(n)
            if len(part):
                fits[-1].add(part)
                n += len(part)
        before = block[-1:]
    lines = np.array([fit.line(rate) for fit in fits]).reshape(-1, 2)
    return Lines(n, np.array(firsts, dtype=np.int64), lines[:, 0], lines[:, 1])
