"""Lanes of the time lines: one per declared series, one per kind of event, drawn in seconds of the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cueflow.schemas.biomarkers import SERIES, SeriesSpec
from cueflow.tasks.report.bins import Binned, Grid, bin_series, count_in_bins, make_grid, runs
from cueflow.tasks.report.text import clock, number, percent, title_of

if TYPE_CHECKING:
    import polars as pl

    from cueflow.schemas.results import FloatArray

HEIGHT = 40.0
MARK_HEIGHT = 16.0
MAX_MARKS = 400  # beyond this many a lane shows how dense the events are, not each of them
DENSITY_BINS = 300
SPLIT_KINDS = frozenset({"action", "composite", "presence", "turn"})
MAX_LABELS = 14
_PLURALS = {
    "action": "Action",
    "beat": "Heart beats",
    "blink": "Blinks",
    "breath": "Breaths",
    "composite": "Composite action",
    "marker": "Markers",
    "nod": "Nods",
    "presence": "In the picture",
    "pause": "Pauses",
    "pulse": "Pulse beats",
    "scr": "Skin conductance responses",
    "shake": "Head shakes",
    "smile": "Smiles",
    "turn": "Turn",
}


@dataclass(frozen=True, slots=True)
class Trace:
    """One role's line: `line`, `band` and `seen` are SVG paths; `values` one number or None per bin, for the cursor."""

    role: str
    line: str
    band: str
    seen: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SeriesLane:
    """A declared series over the session."""

    name: str
    title: str
    unit: str
    definition: str
    low: str
    high: str
    summary: str
    traces: tuple[Trace, ...]


class Mark(NamedTuple):
    """An event to draw: `x` and `width` in s from the start of the page's axis, `title` for the pointer."""

    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class EventLane:
    """A kind of event: either every one (`marks`) or how dense they are (`density`, an SVG path)."""

    title: str
    note: str
    summary: str
    marks: tuple[Mark, ...]
    density: str


def series_lanes(windows: pl.DataFrame, grid: Grid) -> dict[str, list[SeriesLane]]:
    """Lanes of all series that hold at least one value.

    Parameters
    ----------
    windows : polars.DataFrame
        Rows of the `windows` table of one session.
    grid : Grid
        Bins of the page's axis.

    Returns
    -------
    dict of list
        By modality, in the order of the registry.
    """
    lanes: dict[str, list[SeriesLane]] = {}
    for spec in SERIES.values():
        if spec.drawn and spec.name in windows.columns:
            binned = _by_role(windows, spec.name, grid)
            if binned:
                lanes.setdefault(str(spec.modality), []).append(_series_lane(spec, binned, grid))
    return lanes


def _by_role(windows: pl.DataFrame, name: str, grid: Grid) -> dict[str, Binned]:
    found: dict[str, Binned] = {}
    for (role,), rows in windows.select("role", "t_s", name).group_by("role", maintain_order=True):
        values = rows[name].cast(float).fill_null(float("nan")).to_numpy()
        binned = bin_series(rows["t_s"].cast(float).to_numpy(), values, grid)
        if np.isfinite(binned.mean).any():
            found[str(role or "patient")] = binned
    return found


def _series_lane(spec: SeriesSpec, binned: Mapping[str, Binned], grid: Grid) -> SeriesLane:
    low = min(float(np.nanmin(b.low)) for b in binned.values())
    high = max(float(np.nanmax(b.high)) for b in binned.values())
    if spec.unit == "1" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    margin = (high - low) * 0.06 or max(abs(high), 1.0) * 0.06
    scale = Scale(low - margin, high + margin)
    first = next(iter(binned.values()))
    share = float(np.isfinite(first.mean).mean())
    unit = "" if spec.unit == "1" else f" {spec.unit}"
    return SeriesLane(
        name=spec.name,
        title=title_of(spec.name),
        unit=spec.unit,
        definition=spec.definition,
        low=number(float(f"{low:.3g}")),
        high=number(float(f"{high:.3g}")),
        summary=f"From {number(low)} to {number(high)}{unit}; observed in {percent(share)} of the session.",
        traces=tuple(_trace(role, b, grid, scale) for role, b in binned.items()),
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to heights of a lane, the highest on top."""

    low: float
    high: float

    def y(self, values: FloatArray) -> FloatArray:
        """Heights, shape (n,), 0 at the top of the lane.

        Parameters
        ----------
        values : ndarray, shape (n,)
            In the unit of the series.

        Returns
        -------
        ndarray, shape (n,)
        """
        return HEIGHT * (self.high - values) / (self.high - self.low)


def _trace(role: str, binned: Binned, grid: Grid, scale: Scale) -> Trace:
    x: FloatArray = (np.arange(grid.n, dtype=np.float64) + 0.5) * grid.step_s
    mean, low, high = scale.y(binned.mean), scale.y(binned.low), scale.y(binned.high)
    lines, bands, seen = [], [], []
    for first, last in runs(binned.mean):
        part = slice(first, last)
        lines.append(_polyline(x[part], mean[part]))
        seen.append(f"M{first * grid.step_s:g} {HEIGHT:g}h{(last - first) * grid.step_s:g}")
        if grid.step_s > 1:
            there_and_back = np.concatenate((x[part], x[part][::-1]))
            bands.append(_polyline(there_and_back, np.concatenate((high[part], low[part][::-1]))) + "z")
    values = tuple(None if np.isnan(v) else float(f"{v:.4g}") for v in binned.mean.tolist())
    return Trace(role, "".join(lines), "".join(bands), "".join(seen), values)


def _polyline(x: FloatArray, y: FloatArray) -> str:
    """A path in relative steps of tenths, which halves the page; steps are taken after rounding, so none adds up."""
    tenths = np.round(10 * y).astype(np.int64)
    steps = zip(np.diff(x).tolist(), np.diff(tenths).tolist(), strict=True)
    moves = " ".join(f"{dx:g} {dy / 10:g}" for dx, dy in steps)
    return f"M{x[0]:g} {tenths[0] / 10:g}l{moves or '0 0'}"  # with round caps a line of no length is a dot


def event_lanes(events: pl.DataFrame, start_s: float, end_s: float) -> dict[str, list[EventLane]]:
    """Lanes of all kinds of events but phases.

    Parameters
    ----------
    events : polars.DataFrame
        Rows of the `events` table of one session.
    start_s, end_s : float
        Extent of the page's axis on the session clock, s; events outside are left out.

    Returns
    -------
    dict of list
        By modality of the stream they were found in; "" for those of events.csv.
    """
    import polars as pl

    shown = events.filter(
        pl.col("start_s").is_not_null(),
        pl.col("kind").fill_null("") != "phase",
        pl.col("start_s") < end_s,
        pl.max_horizontal("start_s", "end_s") >= start_s,
    ).with_columns(
        pl.col("kind", "label", "role", "channel", "speaker", "source").fill_null(""),
        end_s=pl.max_horizontal("start_s", "end_s"),
    )
    # Whoever's role is not known goes by the name that the recording gave.
    person = pl.when((pl.col("role") == "") & (pl.col("speaker") != "")).then(pl.lit("speaker ") + pl.col("speaker"))
    shown = _with_lane(shown.with_columns(role=person.otherwise("role")))
    several = {name: _with_several(shown, name) for name in ("role", "channel")}
    lanes: dict[str, list[EventLane]] = {}
    for (source, kind, lane, role, channel), rows in shown.group_by(
        "source", "kind", "lane", "role", "channel", maintain_order=True
    ):
        told = {"role": str(role), "channel": str(channel)}
        whose = ", ".join(said for name, said in told.items() if said and source in several[name])
        title = _lane_title(str(kind), str(lane), whose)
        key = "" if source == "events.csv" else str(source)
        lanes.setdefault(key, []).append(_event_lane(title, rows, start_s, end_s))
    return lanes


def _with_several(events: pl.DataFrame, name: str) -> set[str]:
    """Sources whose events are of several roles or channels."""
    import polars as pl

    counted = events.filter(pl.col(name) != "").group_by("source").agg(pl.col(name).n_unique())
    return {source for source, n in counted.iter_rows() if n > 1}


def _with_lane(events: pl.DataFrame) -> pl.DataFrame:
    """Some kinds have a lane per label, the rarest labels share one."""
    import polars as pl

    split = events.filter(pl.col("kind").is_in(list(SPLIT_KINDS)))
    span = (pl.col("end_s") - pl.col("start_s")).sum()
    often = (
        split.group_by("kind", "label").agg(span=span).sort("kind", "span", "label", descending=[False, True, False])
    )
    often = often.group_by("kind", maintain_order=True).head(MAX_LABELS).select("kind", "label", lane="label")
    rest = pl.when(pl.col("kind").is_in(list(SPLIT_KINDS))).then(pl.lit("others")).otherwise(pl.lit(""))
    return events.join(often, on=["kind", "label"], how="left", maintain_order="left").with_columns(
        lane=pl.coalesce("lane", rest)
    )


def _lane_title(kind: str, lane: str, whose: str) -> str:
    title = _PLURALS.get(kind, title_of(kind) or "Events")
    title = f"{title}: {lane.replace('_', ' ')}" if lane else title
    return f"{title} ({whose})" if whose and whose != lane else title


def _event_lane(title: str, rows: pl.DataFrame, start_s: float, end_s: float) -> EventLane:
    n = rows.height
    if n <= MAX_MARKS:
        marks = tuple(_mark(row, start_s, end_s) for row in rows.iter_rows(named=True))
        return EventLane(title, f"{n}", f"{n} events.", marks, "")
    grid = make_grid(start_s, end_s, most=DENSITY_BINS)
    count = count_in_bins(rows["start_s"].to_numpy(), grid)
    most = max(float(count.max()), 1.0)
    points = [
        f"L{x:g} {y:.1f}h{grid.step_s:g}"
        for x, y in zip(
            (np.arange(grid.n) * grid.step_s).tolist(), (MARK_HEIGHT * (1 - count / most)).tolist(), strict=True
        )
    ]
    path = f"M0 {MARK_HEIGHT:g}{''.join(points)}V{MARK_HEIGHT:g}z"
    note = f"{number(n)}, at most {number(most)} in {grid.step_s:g} s"
    return EventLane(title, note, f"{number(n)} events, drawn as a density.", (), path)


def _mark(row: Mapping[str, Any], start_s: float, end_s: float) -> Mark:
    first, last = float(row["start_s"]), float(row["end_s"])
    drawn = max(first, start_s), min(last, end_s)
    what = str(row["label"] or row["kind"]).replace("_", " ")
    when = clock(first, tenths=True) + (f" to {clock(last, tenths=True)}" if last > first else "")
    score = "" if row["score"] is None else f", score {number(row['score'])}"
    return Mark(round(drawn[0] - start_s, 2), round(max(drawn[1] - drawn[0], 0.0), 2), f"{what}, {when}{score}")
