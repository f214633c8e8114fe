"""What a cohort shows beyond single values: completeness, quality, outliers, reliability, correlations, comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS, declared_as
from cueflow.schemas.errors import TooShortError
from cueflow.tasks.report.download import Download, csv_download
from cueflow.tasks.report.matrix import Matrix
from cueflow.tasks.report.numbers.ranks import (
    Ranked,
    benjamini_hochberg,
    compare_groups,
    compare_pairs,
    correlate,
    correlation_p,
    robust_z,
)
from cueflow.tasks.report.numbers.reliability import icc_one_way
from cueflow.tasks.report.text import number, sentence_of, title_of, title_of_modality

if TYPE_CHECKING:
    import polars as pl

    from cueflow.schemas.results import FloatArray

FAR = 3.5  # robust standard deviations
MOST_ROWS = 40
MOST_SESSIONS = 240  # columns of the heat map
MOST_MEASURES = 400


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts with its caption, what it left out, and the whole of it to download."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    download: Download
    nothing: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One line of the heat map: a modality's kind of measure; `shades` are paths by how much is there, 0 to 4."""

    title: str
    modality: str
    shades: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Completeness: share of values that are ok, by modality and session (in order of subject and visit)."""

    rows: tuple[HeatRow, ...]
    n: int
    of: int
    download: Download


def heat_map(matrix: Matrix, biomarkers: pl.DataFrame) -> HeatMap:
    """Lay out how complete the sessions are.

    Parameters
    ----------
    matrix : Matrix
        For the order of the sessions.
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.

    Returns
    -------
    HeatMap
    """
    import polars as pl

    whole = biomarkers.filter(pl.col("phase") == "session")
    share = whole.group_by("modality", "session_id").agg((pl.col("status") == "ok").mean().alias("share_ok"))
    known = {(m, s): v for m, s, v in share.iter_rows()}
    shown = matrix.sessions[:MOST_SESSIONS]
    rows = []
    for modality in dict.fromkeys(b.modality for b in BIOMARKERS.values()):
        shares = [known.get((modality, session)) for session in shown]
        there = [v for v in shares if v is not None]
        if there:
            words = (
                f"{title_of_modality(modality)}: on average {100 * float(np.mean(there)):.0f} % of the values are ok"
            )
            rows.append(HeatRow(title_of_modality(modality), modality, _shades(shares), words))
    table = share.sort("modality", "session_id")
    return HeatMap(tuple(rows), len(shown), len(matrix.sessions), csv_download(table, "completeness.csv"))


def _shades(shares: Sequence[float | None]) -> tuple[str, ...]:
    paths = [""] * 5
    for at, share in enumerate(shares):
        if share is not None:
            paths[min(int(share * 5), 4)] += f"M{at} 0h1v1h-1z"
    return tuple(paths)


def quality(biomarkers: pl.DataFrame) -> Table:
    """Count states and their most frequent reason by modality.

    Parameters
    ----------
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.

    Returns
    -------
    Table
    """
    import polars as pl

    counted = biomarkers.group_by("modality").agg(
        pl.len().alias("values"),
        *((pl.col("status") == s).sum().alias(s) for s in ("ok", "low_quality", "too_short", "absent", "failed")),
        pl.col("quality").median().alias("median_quality"),
        pl.col("coverage").median().alias("median_coverage"),
        pl.col("reason").drop_nulls().mode().first().alias("most_frequent_reason"),
    )
    order = {modality: place for place, modality in enumerate(dict.fromkeys(b.modality for b in BIOMARKERS.values()))}
    rows = counted.sort(pl.col("modality").replace_strict(order, default=len(order)), "modality")
    texts = [(title_of_modality(row[0]), *map(_text, row[1:-1]), sentence_of(row[-1])) for row in rows.iter_rows()]
    heads = (
        "Modality",
        "Values",
        "Ok",
        "Low quality",
        "Too short",
        "Absent",
        "Failed",
        "Quality",
        "Coverage",
        "Most frequent reason",
    )
    return Table("Quality by modality", "", heads, tuple(texts), csv_download(rows, "quality.csv"), "No values.")


def outliers(matrix: Matrix) -> Table:
    """Values that lie far from the rest.

    Parameters
    ----------
    matrix : Matrix
        Of the cohort.

    Returns
    -------
    Table
        Furthest first.
    """
    found = []
    for k, name in enumerate(matrix.names):
        column = matrix.values[:, k]
        if np.isfinite(column).sum() < 2 * 5:
            continue
        z = robust_z(column)
        found += [(matrix.sessions[i], name, float(column[i]), float(z[i])) for i in np.flatnonzero(np.abs(z) > FAR)]
    found.sort(key=lambda row: -abs(row[3]))
    texts = [(s, title_of(n), _unit(n, v), _signed(z, 1)) for s, n, v, z in found]
    return _table(
        "Outliers",
        f"Beyond {FAR} robust standard deviations (1.4826 × median distance) of the cohort's median.",
        ("Session", "Measure", "Value", "Distance"),
        texts,
        _frame(("session_id", "biomarker", "value", "robust_z"), found),
        "outliers.csv",
        nothing="No value lies that far out, or the cohort is too small to say (10 sessions).",
    )


def reliability(matrix: Matrix) -> Table:
    """ICC of each measure over repeated visits.

    Parameters
    ----------
    matrix : Matrix
        Of the cohort.

    Returns
    -------
    Table
        Most reliable first.
    """
    found = []
    for k, name in enumerate(matrix.names):
        try:
            icc = icc_one_way(list(_by_subject(matrix, k).values()))
        except TooShortError:
            continue
        found.append((name, icc.icc, icc.low, icc.high, icc.word, icc.n_subjects, icc.n_values))
    found.sort(key=lambda row: -row[1])
    texts = [(title_of(n), f"{i:.2f}", f"{a:.2f} to {b:.2f}", w, str(p), str(v)) for n, i, a, b, w, p, v in found]
    return _table(
        "Reliability over repeated visits",
        "ICC(1,1), one-way, with its 95 % interval; the word goes by its lower end. Real change lowers it.",
        ("Measure", "ICC", "95 %", "In words", "Subjects", "Values"),
        texts,
        _frame(("biomarker", "icc", "low", "high", "word", "subjects", "values"), found),
        "reliability.csv",
        nothing="Fewer than five subjects came twice with values.",
    )


def correlations(matrix: Matrix) -> Table:
    """Pairs of measures that go together, over the means of subjects.

    Parameters
    ----------
    matrix : Matrix
        Of the cohort.

    Returns
    -------
    Table
        Strongest first; q corrects for all pairs.
    """
    _, means = matrix.of_subjects()
    names = matrix.names[:MOST_MEASURES]
    rho, n = correlate(means[:, : len(names)])
    i, j = np.tril_indices(len(names), -1)
    known = np.isfinite(rho[i, j])
    i, j = i[known], j[known]
    q = benjamini_hochberg(correlation_p(rho[i, j], n[i, j].astype(np.float64)))
    order = np.argsort(-np.abs(rho[i, j]), kind="stable")
    found = [
        (names[i[o]], names[j[o]], float(rho[i[o], j[o]]), float(q[o]), int(n[i[o], j[o]]))
        for o in order[: 50 * MOST_ROWS]
    ]
    texts = [(title_of(a), title_of(b), _signed(r, 2), _p(v), str(k)) for a, b, r, v, k in found]
    return _table(
        "Correlations",
        f"Spearman, over the means of subjects; q is corrected for {len(i)} pairs (Benjamini–Hochberg).",
        ("Measure", "Measure", "ρ", "q", "Subjects"),
        texts,
        _frame(("biomarker", "other", "rho", "q", "subjects"), found),
        "correlations.csv",
        nothing="Fewer than ten subjects have values.",
    )


def visits(matrix: Matrix) -> Table:
    """First against second visit of the same people.

    Parameters
    ----------
    matrix : Matrix
        Of the cohort.

    Returns
    -------
    Table
    """
    tests = {}
    for k, name in enumerate(matrix.names):
        pairs = np.array([v[:2] for v in _by_subject(matrix, k).values() if len(v) > 1], dtype=np.float64)
        try:
            tests[name] = compare_pairs(pairs[:, 0], pairs[:, 1]) if len(pairs) else None
        except TooShortError:
            continue
    note = "Wilcoxon's signed ranks; the effect is the rank-biserial correlation, positive where the second is higher."
    return _tests(
        "First against second visit", note, tests, file="visits.csv", nothing="Fewer than five subjects came twice."
    )


def groups(matrix: Matrix, group_of: Mapping[str, str]) -> Table:
    """Groups of people against each other, over the means of subjects.

    Parameters
    ----------
    matrix : Matrix
        Of the cohort.
    group_of : mapping
        Subject to group; empty where none were given.

    Returns
    -------
    Table
    """
    people, means = matrix.of_subjects()
    labels = sorted({group_of[p] for p in people if p in group_of})
    tests = {}
    for k, name in enumerate(matrix.names):
        parts = []
        for label in labels:
            column = means[[group_of.get(p) == label for p in people], k]
            parts.append(column[np.isfinite(column)])
        try:
            tests[name] = compare_groups(parts) if parts else None
        except TooShortError:
            continue
    which = " against ".join(labels) if len(labels) == 2 else ", ".join(labels)
    note = "By rank, over the means of subjects; the effect is positive where the second group is higher."
    nothing = (
        "No two groups of five subjects." if labels else "No groups were given (cueflow report --groups FILE.csv)."
    )
    return _tests(f"Groups: {which}" if labels else "Groups", note, tests, file="groups.csv", nothing=nothing)


def _tests(title: str, note: str, tests: Mapping[str, Ranked | None], *, file: str, nothing: str) -> Table:
    done = {name: test for name, test in tests.items() if test is not None}
    q = benjamini_hochberg(np.array([test.p for test in done.values()]))
    found = [
        (name, test.name, test.effect, test.p, float(v), test.n)
        for (name, test), v in zip(done.items(), q, strict=True)
    ]
    found.sort(key=lambda row: (row[4], -abs(row[2])))
    texts = [(title_of(n), t, _signed(e, 2), _p(p), _p(v), str(k)) for n, t, e, p, v, k in found]
    return _table(
        title,
        f"{note} q is corrected for {len(found)} measures (Benjamini–Hochberg).",
        ("Measure", "Test", "Effect", "p", "q", "Subjects"),
        texts,
        _frame(("biomarker", "test", "effect", "p", "q", "subjects"), found),
        file,
        nothing=nothing,
    )


def _by_subject(matrix: Matrix, k: int) -> dict[str, FloatArray]:
    """Values of each subject in order of visits."""
    found: dict[str, list[float]] = {}
    for person, value in zip(matrix.subjects, matrix.values[:, k].tolist(), strict=True):
        if person and np.isfinite(value):
            found.setdefault(person, []).append(value)
    return {person: np.array(values) for person, values in found.items()}


def _table(  # noqa: PLR0917 - the parts of a table
    title: str,
    note: str,
    heads: tuple[str, ...],
    texts: Sequence[tuple[str, ...]],
    rows: pl.DataFrame,
    file: str,
    *,
    nothing: str,
) -> Table:
    left = f" The first {MOST_ROWS} of {len(texts)}." if len(texts) > MOST_ROWS else ""
    return Table(title, note + left, heads, tuple(texts[:MOST_ROWS]), csv_download(rows, file), nothing)


def _frame(names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(list(rows), schema=list(names), orient="row")


def _text(value: object) -> str:
    return "" if value is None else number(value) if isinstance(value, int | float) else str(value)


def _unit(name: str, value: float) -> str:
    unit = declared_as(name).unit
    return f"{number(value)} {'' if unit == '1' else unit}".strip()


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"
