"""The time lines of a session: one axis, its phases, and a block of lanes per modality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cueflow.tasks.report.bins import make_grid
from cueflow.tasks.report.lanes import EventLane, SeriesLane, event_lanes, series_lanes
from cueflow.tasks.report.text import as_float, clock, title_of_modality

if TYPE_CHECKING:
    import polars as pl

_BLOCKS = ("video", "audio", "ecg", "intervals", "ppg", "eda", "respiration", "accelerometer", "temperature")
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MAX_TICKS = 6
MAX_PHASES = 200


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of events.csv, in s from the start of the axis."""

    label: str
    x: float
    width: float
    when: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis, in s from its start."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Block:
    """The lanes of one modality."""

    modality: str
    title: str
    series: tuple[SeriesLane, ...]
    events: tuple[EventLane, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything drawn on the common axis; `step_s` is the width of the bins of the lines."""

    start_s: float
    length_s: float
    step_s: float
    ticks: tuple[Tick, ...]
    phases: tuple[Phase, ...]
    blocks: tuple[Block, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """Whose lines are drawn: the first solid, further ones dashed."""
        return tuple(dict.fromkeys(t.role for block in self.blocks for lane in block.series for t in lane.traces))


def make_timeline(windows: pl.DataFrame, events: pl.DataFrame, duration_s: object) -> Timeline | None:
    """Lay out the time lines.

    Parameters
    ----------
    windows : polars.DataFrame
        Rows of the `windows` table of one session.
    events : polars.DataFrame
        Rows of the `events` table of one session.
    duration_s : object
        Length of the session where there are no windows, s, or null.

    Returns
    -------
    Timeline or None
        None where there is nothing to draw.
    """
    extent = _extent(windows, events, as_float(duration_s))
    if extent is None:
        return None
    grid = make_grid(*extent)
    start, end = grid.start_s, max(extent[1], grid.start_s + 1)
    lanes, marks = series_lanes(windows, grid), event_lanes(events, start, end)
    names = ["", *_BLOCKS, *sorted({*lanes, *marks} - {"", *_BLOCKS})]
    blocks = tuple(
        Block(
            name, title_of_modality(name) if name else "Session", tuple(lanes.get(name, ())), tuple(marks.get(name, ()))
        )
        for name in names
        if name in lanes or name in marks
    )
    phases = _phases(events, start, end)
    if not blocks and not phases:
        return None
    return Timeline(start, end - start, grid.step_s, _ticks(start, end), phases, blocks)


def _extent(windows: pl.DataFrame, events: pl.DataFrame, duration_s: float | None) -> tuple[float, float] | None:
    seconds = windows["t_s"].drop_nulls()
    if seconds.len():
        return seconds.to_numpy().min().item(), seconds.to_numpy().max().item() + 1
    if duration_s:
        return 0.0, duration_s
    times = events.select("start_s", "end_s").unpivot()["value"].drop_nulls()
    if not times.len():
        return None
    return min(times.to_numpy().min().item(), 0.0), times.to_numpy().max().item()


def _ticks(start_s: float, end_s: float) -> tuple[Tick, ...]:
    step = next((s for s in _TICKS_S if (end_s - start_s) / s <= MAX_TICKS), 28800)
    first = int(-(-start_s // step))
    return tuple(Tick(k * step - start_s, clock(k * step)) for k in range(first, int(end_s // step) + 1))


def _phases(events: pl.DataFrame, start_s: float, end_s: float) -> tuple[Phase, ...]:
    found = []
    for row in events.filter(kind="phase").drop_nulls(["start_s", "end_s"]).head(MAX_PHASES).iter_rows(named=True):
        first, last = max(row["start_s"], start_s), min(row["end_s"], end_s)
        if last > first:
            when = f"{clock(row['start_s'])} to {clock(row['end_s'])}"
            found.append(Phase(row["label"] or "phase", round(first - start_s, 2), round(last - first, 2), when))
    return tuple(found)
