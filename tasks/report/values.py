"""The table of values: by modality, then by what the measure is about, each with its evidence and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cueflow.schemas.biomarkers import BIOMARKERS, Biomarker, find_biomarker
from cueflow.schemas.dictionary import evidence_rule, source_url
from cueflow.tasks.report.text import (
    NOTHING,
    as_float,
    as_text,
    clock,
    domain_of,
    number,
    percent,
    sentence_of,
    title_of,
    title_of_modality,
    word_of,
)

if TYPE_CHECKING:
    import polars as pl

    from cueflow.tasks.report.compared import Versus

WHOLE = "session"
MOST_ROWS = 3500  # so that a page stays under 5 MB
_ORDER = {name: place for place, name in enumerate(BIOMARKERS)}
_DOMAINS = {domain_of(name): place for name, place in reversed(_ORDER.items())}  # the first place of each


@dataclass(frozen=True, slots=True)
class About:
    """What the registry says of a measure."""

    definition: str
    source: str
    url: str | None
    rule: str
    plausible: str
    method: str
    weights: str
    aliases: str


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One row of the table, ready to print; `about` only in the first row of a measure."""

    name: str
    title: str
    phase: str
    when: str
    whose: str
    value: str
    unit: str
    statistic: str
    evidence: str
    coverage: str
    coverage_share: float
    quality: str
    status: str
    word: str
    reason: str
    versus: Versus | None
    about: About | None


@dataclass(frozen=True, slots=True)
class Domain:
    """Measures about one thing."""

    title: str
    rows: tuple[ValueRow, ...]


@dataclass(frozen=True, slots=True)
class ValueGroup:
    """The measures of one modality; `silent` where none of them has a value, with the common reason."""

    modality: str
    title: str
    domains: tuple[Domain, ...]
    n_rows: int
    n_ok: int
    silent: bool
    reason: str


def shown_rows(biomarkers: pl.DataFrame) -> pl.DataFrame:
    """Rows that a page can hold: first the whole session, then what has values in phases.

    Parameters
    ----------
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table of one session.

    Returns
    -------
    polars.DataFrame
        All of them, or `MOST_ROWS`.
    """
    import polars as pl

    if biomarkers.height <= MOST_ROWS:
        return biomarkers
    order = (pl.col("phase").fill_null(WHOLE) != WHOLE, pl.col("value").is_null())
    return biomarkers.sort(*order, maintain_order=True).head(MOST_ROWS)


def value_groups(biomarkers: pl.DataFrame, compared: Mapping[str, Versus] | None = None) -> tuple[ValueGroup, ...]:
    """Arrange the rows of the `biomarkers` table of one session.

    Parameters
    ----------
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.
    compared : mapping, optional
        Biomarker to how its value over the whole session stands against earlier visits and the cohort.

    Returns
    -------
    tuple of ValueGroup
        In the order of the registry; measures that this version does not know come last.
    """
    rows = sorted(biomarkers.iter_rows(named=True), key=_place)
    return tuple(
        _group(modality, list(part), compared or {})
        for modality, part in groupby(rows, lambda row: as_text(row["modality"]))
    )


def _place(row: Mapping[str, Any]) -> tuple[object, ...]:
    modality, name = as_text(row["modality"]), as_text(row["biomarker"])
    return (
        _first_of(modality),
        modality,
        _person(row) not in {"", "patient"},
        _person(row),
        _DOMAINS.get(domain_of(name), len(_ORDER)),
        domain_of(name),
        _ORDER.get(name, len(_ORDER)),
        name,
        as_text(row["channel"]),
        as_text(row["phase"]) != WHOLE,
        as_float(row["window_start_s"]) or 0.0,
    )


def _first_of(modality: str) -> int:
    return next((_ORDER[b.name] for b in BIOMARKERS.values() if b.modality == modality), len(_ORDER))


def _group(modality: str, rows: list[dict[str, Any]], compared: Mapping[str, Versus]) -> ValueGroup:
    domains, seen = [], set[str]()
    for title, part in groupby(rows, _domain):
        domains.append(Domain(title, tuple(_first_rows(part, seen, compared))))
    reasons = Counter(as_text(row["reason"]) for row in rows)
    return ValueGroup(
        modality=modality,
        title=title_of_modality(modality),
        domains=tuple(domains),
        n_rows=len(rows),
        n_ok=sum(row["status"] == "ok" for row in rows),
        silent=all(row["value"] is None for row in rows),
        reason=sentence_of(reasons.most_common(1)[0][0]),
    )


def _domain(row: Mapping[str, Any]) -> str:
    role = _person(row)
    title = domain_of(as_text(row["biomarker"]))
    return title if role in {"", "patient"} else f"{title} ({role})"


def _first_rows(
    rows: Iterable[Mapping[str, Any]], seen: set[str], compared: Mapping[str, Versus]
) -> Iterable[ValueRow]:
    for row in rows:
        name = as_text(row["biomarker"])
        whole = as_text(row["phase"]) == WHOLE and as_text(row["role"]) in {"", "patient"} and row["status"] == "ok"
        yield _row(row, None if name in seen else find_biomarker(name), compared.get(name) if whole else None)
        seen.add(name)


def _row(row: Mapping[str, Any], declared: Biomarker | None, versus: Versus | None) -> ValueRow:
    name, status = as_text(row["biomarker"]), as_text(row["status"])
    known = find_biomarker(name)
    whose = " ".join(part for part in (_unless_patient(_person(row)), as_text(row["channel"])) if part)
    phase = as_text(row["phase"]) or WHOLE
    n_unit = known.evidence.unit if known else ""
    return ValueRow(
        name=name,
        title=title_of(name),
        phase=phase,
        when=_span(row["window_start_s"], row["window_end_s"]),
        whose=whose,
        value=number(row["value"]),
        unit=unit_label(as_text(row["unit"])) if row["value"] is not None else "",
        statistic=as_text(row["statistic"]),
        evidence=f"{number(row['n_evidence'])} {n_unit}".strip(),
        coverage=percent(row["coverage"]),
        coverage_share=min(max(as_float(row["coverage"]) or 0.0, 0.0), 1.0),
        quality=NOTHING if as_float(row["quality"]) is None else f"{row['quality']:.2f}",
        status=status,
        word=word_of(status),
        reason=sentence_of(row["reason"]),
        versus=versus,
        about=None if declared is None else _about(declared, row),
    )


def _person(row: Mapping[str, Any]) -> str:
    """Role of the row; a speaker whose role is not known goes by name, and is nobody's patient."""
    role, speaker = as_text(row["role"]), as_text(row.get("speaker"))
    return f"speaker {speaker}" if speaker and not role else role


def _unless_patient(role: object) -> str:
    text = as_text(role)
    return "" if text == "patient" else text


def _span(start_s: object, end_s: object) -> str:
    return "" if as_float(start_s) is None else f"{clock(start_s)} to {clock(end_s)}"


def unit_label(unit: str) -> str:
    """A unit as it stands behind a number.

    Parameters
    ----------
    unit : str
        A unit of the registry.

    Returns
    -------
    str
        Empty for "1", which is no unit.
    """
    return "" if unit == "1" else unit


def _about(declared: Biomarker, row: Mapping[str, Any]) -> About:
    low, high = declared.plausible
    version = as_text(row["method_version"])
    return About(
        definition=declared.definition,
        source=declared.source,
        url=source_url(declared.source),
        rule=evidence_rule(declared.evidence),
        plausible=f"{number(low)} to {number(high)} {unit_label(declared.unit)}".strip(),
        method=f"{declared.method} {version}".strip(),
        weights=as_text(row["model_sha256"])[:12],
        aliases=", ".join(declared.aliases),
    )
