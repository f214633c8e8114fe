"""The page of a cohort: sessions by state, what they cover, and how each biomarker is distributed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from cueflow.schemas.biomarkers import Biomarker, in_order
from cueflow.schemas.session import Group
from cueflow.tasks.report.download import Download, csv_download
from cueflow.tasks.report.findings import correlations, heat_map, outliers, quality, reliability, visits
from cueflow.tasks.report.findings import groups as compare_all
from cueflow.tasks.report.matrix import Matrix, make_matrix
from cueflow.tasks.report.render import render
from cueflow.tasks.report.text import (
    as_float,
    as_text,
    clock,
    number,
    page_names,
    percent,
    sentence_of,
    title_of,
    title_of_modality,
    word_of,
)
from cueflow.tasks.report.values import WHOLE, unit_label

if TYPE_CHECKING:
    import polars as pl

    from cueflow.schemas.results import FloatArray

MAX_SESSIONS = 2000
MAX_DOTS = 60  # beyond this many a strip is a histogram
BINS = 40
WIDTH, TALL = 1000.0, 30.0


@dataclass(frozen=True, slots=True)
class Covered:
    """What one stage covers of a session; `share` is 0 to 1."""

    group: str
    share: float
    text: str
    status: str
    word: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session."""

    session_id: str
    page: str
    subject: str
    visit: str
    length: str
    status: str
    word: str
    why: str
    covered: tuple[Covered, ...]
    values: str


@dataclass(frozen=True, slots=True)
class Strip:
    """How one biomarker is distributed: `dots` and `bars` are SVG paths, `…_x` places on a drawing `WIDTH` wide."""

    name: str
    title: str
    unit: str
    definition: str
    n: str
    missing: str
    median: str
    quartiles: str
    low: str
    high: str
    box_x: float
    box_width: float
    mid_x: float
    dots: str
    bars: str
    words: str


@dataclass(frozen=True, slots=True)
class StripGroup:
    """The biomarkers of one modality."""

    modality: str
    title: str
    strips: tuple[Strip, ...]

    @property
    def n(self) -> int:
        """Measures that anybody has a value of."""
        return sum(bool(strip.low) for strip in self.strips)


def cohort_page(
    sessions: pl.DataFrame,
    biomarkers: pl.DataFrame,
    *,
    groups: Mapping[str, str] | None = None,
    generated: str | None = None,
) -> str:
    """Render the page of a cohort.

    Parameters
    ----------
    sessions : polars.DataFrame
        Rows of the `sessions` table.
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.
    groups : mapping, optional
        Subject to group, for the comparison of groups.
    generated : str, optional
        When the page is made, as it shall be printed.

    Returns
    -------
    str
        HTML that makes no request; its links are relative and name the pages of `page_name`.
    """
    counts = Counter(as_text(status) for status in sessions["status"].to_list())
    rows = sessions.sort("session_id").head(MAX_SESSIONS)
    pages = page_names(as_text(name) for name in sessions["session_id"].to_list())
    matrix = make_matrix(sessions, biomarkers)
    ok = _share_ok(biomarkers)
    return render(
        "cohort.html",
        n_sessions=sessions.height,
        n_subjects=sessions["subject_id"].drop_nulls().n_unique(),
        n_shown=rows.height,
        hours=number(round((as_float(sessions["duration_s"].sum()) or 0.0) / 3600, 1)),
        counts=[(status, word_of(status), n) for status, n in counts.most_common()],
        stages=[(g.value, title_of_modality(g.value)) for g in Group],
        sessions=[_session(row, ok, pages) for row in rows.iter_rows(named=True)],
        groups=_strips(biomarkers),
        max_dots=MAX_DOTS,
        heat=heat_map(matrix, biomarkers),
        findings=(
            quality(biomarkers),
            outliers(matrix),
            reliability(matrix),
            correlations(matrix),
            visits(matrix),
            compare_all(matrix, groups or {}),
        ),
        sessions_data=csv_download(rows.drop("sync", "depends_on", "input_sha256"), "sessions.csv"),
        values_data=_wide(matrix),
        generated=generated,
    )


def _share_ok(biomarkers: pl.DataFrame) -> dict[str, tuple[int, int]]:
    import polars as pl

    counted = biomarkers.group_by("session_id").agg(ok=(pl.col("status") == "ok").sum(), n=pl.len())
    return {as_text(name): (ok, n) for name, ok, n in counted.iter_rows()}


def _wide(matrix: Matrix) -> Download:
    import polars as pl

    head = {"session_id": matrix.sessions, "subject_id": matrix.subjects, "visit": matrix.visits}
    columns = {name: pl.Series(matrix.column(name)).fill_nan(None) for name in matrix.names}
    return csv_download(pl.DataFrame({**head, **columns}), "values.csv")


def _session(row: Mapping[str, Any], ok: Mapping[str, tuple[int, int]], pages: Mapping[str, str]) -> SessionRow:
    name, status = as_text(row["session_id"]), as_text(row["status"])
    found, n = ok.get(name, (0, 0))
    why = as_text(row["message"]) or sentence_of(row["reason"])
    return SessionRow(
        session_id=name,
        page=pages[name],
        subject=as_text(row["subject_id"]),
        visit=as_text(row["visit"]),
        length=clock(row["duration_s"]),
        status=status,
        word=word_of(status),
        why=why,
        covered=tuple(_covered(row, g.value) for g in Group),
        values=f"{number(found)} of {number(n)}",
    )


def _covered(row: Mapping[str, Any], group: str) -> Covered:
    coverage, status = as_float(row[f"{group}_coverage"]), as_text(row[f"{group}_status"])
    return Covered(group, min(max(coverage or 0.0, 0.0), 1.0), percent(coverage), status, word_of(status))


def _strips(biomarkers: pl.DataFrame) -> tuple[StripGroup, ...]:
    """Values of whole sessions of patients that are ok; of several channels each counts."""
    import polars as pl

    whole = biomarkers.filter(phase=WHOLE).filter(pl.col("role").fill_null("patient") == "patient")
    found = dict(
        whole.group_by("biomarker").agg("value", "status").select("biomarker", pl.struct("value", "status")).iter_rows()
    )
    strips = [(b.modality, _strip(b, found[b.name])) for b in in_order(found)]
    return tuple(
        StripGroup(modality, title_of_modality(modality), tuple(strip for _, strip in part))
        for modality, part in groupby(strips, lambda item: item[0])
    )


def _strip(declared: Biomarker, found: Mapping[str, list[Any]]) -> Strip:
    pairs = zip(found["value"], found["status"], strict=True)
    values = np.array([v for v, status in pairs if status == "ok" and as_float(v) is not None], dtype=np.float64)
    missing = len(found["value"]) - len(values)
    low, first, mid, third, high = np.percentile(values, [0, 25, 50, 75, 100]).tolist() if len(values) else [np.nan] * 5
    place = Axis(low, high)
    drawn = len(values) > 0
    unit = unit_label(declared.unit)
    return Strip(
        name=declared.name,
        title=title_of(declared.name),
        unit=unit,
        definition=declared.definition,
        n=number(len(values)),
        missing=number(missing) if missing else "",
        median=number(mid),
        quartiles=f"{number(first)} to {number(third)}" if drawn else "",
        low=number(low) if drawn else "",
        high=number(high) if drawn else "",
        box_x=place.x(first) if drawn else 0.0,
        box_width=max(place.x(third) - place.x(first), 1.0) if drawn else 0.0,
        mid_x=place.x(mid) if drawn else 0.0,
        dots=_dots(values, place) if len(values) <= MAX_DOTS else "",
        bars=_bars(values) if len(values) > MAX_DOTS else "",
        words=f"{len(values)} values from {number(low)} to {number(high)} {unit}, median {number(mid)}"
        if drawn
        else "no values",
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """Values to places on a strip; a single value stands in the middle."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Place of a value, with a margin for the dots at the ends.

        Parameters
        ----------
        value : float
            Between `low` and `high`.

        Returns
        -------
        float
        """
        span = self.high - self.low
        return round(WIDTH * (0.02 + 0.96 * ((value - self.low) / span if span else 0.5)), 1)


def _dots(values: FloatArray, place: Axis) -> str:
    return "".join(f"M{place.x(v):g} {TALL / 2:g}h0.01" for v in np.sort(values).tolist())


def _bars(values: FloatArray) -> str:
    count, _ = np.histogram(values, bins=BINS)
    step = 0.96 * WIDTH / BINS
    heights = (TALL * count / count.max()).tolist()
    tops = "".join(f"V{TALL - h:.1f}h{step:g}" for h in heights)
    return f"M{0.02 * WIDTH:g} {TALL:g}{tops}V{TALL:g}z"
