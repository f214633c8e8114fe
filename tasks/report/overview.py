"""The top of a session's page: what it is, how it went, and what each stage measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group, Modality
from cueflow.tasks.report.text import (
    NOTHING,
    as_float,
    as_text,
    clock,
    instant,
    number,
    percent,
    sentence_of,
    title_of_modality,
    word_of,
)

if TYPE_CHECKING:
    import polars as pl

_HASH_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Tile:
    """What one stage measured."""

    group: str
    title: str
    status: str
    word: str
    reason: str
    coverage: str
    coverage_share: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """Where a stream begins on the session clock."""

    stream: str
    offset: str
    uncertainty: str
    source: str
    drift: str
    note: str


@dataclass(frozen=True, slots=True)
class Methods:
    """What a modality's values were computed with; `weights` are short hashes."""

    title: str
    methods: str
    weights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """The top of the page; `facts` are pairs of a label and a text."""

    session_id: str
    status: str
    word: str
    reason: str
    message: str
    facts: tuple[tuple[str, str], ...]
    run: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...]
    sync: tuple[Sync, ...]
    methods: tuple[Methods, ...]


def overview(session: Mapping[str, object], biomarkers: pl.DataFrame, events: pl.DataFrame) -> Overview:
    """Say what the row of a session says.

    Parameters
    ----------
    session : mapping
        Row of the `sessions` table.
    biomarkers : polars.DataFrame
        Its rows of the `biomarkers` table.
    events : polars.DataFrame
        Its rows of the `events` table.

    Returns
    -------
    Overview
    """
    values, found, good = _values_by_group(biomarkers), _events_by_group(events), _quality_by_group(biomarkers)
    modalities = session.get("modalities")
    known = list(Modality)
    used = [title_of_modality(m) for m in known if m in modalities] if isinstance(modalities, list | tuple) else []
    reason, message = sentence_of(session.get("reason")), as_text(session.get("message"))
    return Overview(
        session_id=as_text(session.get("session_id")) or "unnamed session",
        status=as_text(session.get("status")),
        word=word_of(session.get("status")),
        reason="" if reason in message else reason,
        message=message,
        facts=(
            ("Subject", as_text(session.get("subject_id")) or NOTHING),
            ("Visit", as_text(session.get("visit")) or NOTHING),
            ("Length", clock(session.get("duration_s"))),
            ("Used", ", ".join(used) or "nothing"),
        ),
        run=_run(session),
        tiles=tuple(
            _tile(session, g, (*values.get(g, (0, 0)), found.get(g, 0)), good.get(g)) for g in (g.value for g in Group)
        ),
        sync=_sync(session.get("sync")),
        methods=_methods(biomarkers),
    )


def _run(session: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    version, layout = as_text(session.get("cueflow_version")), as_text(session.get("schema_version"))
    return (
        ("cueflow", version or NOTHING),
        ("Table layout", layout or NOTHING),
        ("Run", as_text(session.get("run_id")) or NOTHING),
        ("Parameters", as_text(session.get("config_hash"))[:_HASH_SHOWN] or NOTHING),
        ("Started", instant(session.get("started_utc"))),
        ("Finished", instant(session.get("finished_utc"))),
    )


def _methods(biomarkers: pl.DataFrame) -> tuple[Methods, ...]:
    """Methods behind values, in the order of the registry's modalities."""
    columns = ("modality", "method", "method_version", "model_sha256")
    used = biomarkers.filter(biomarkers["value"].is_not_null()).select(columns).unique().sort(columns)
    order = {modality.value: place for place, modality in enumerate(Modality)}
    made = []
    for modality in sorted(used["modality"].drop_nulls().unique(), key=lambda m: (order.get(m, len(order)), m)):
        mine = used.filter(modality=modality)
        pairs = mine.select("method", "method_version").unique(maintain_order=True).iter_rows()
        hashes = [one for several in mine["model_sha256"].drop_nulls().unique() for one in several.split("+") if one]
        made.append(
            Methods(
                title=title_of_modality(modality),
                methods=", ".join(f"{as_text(method)} {as_text(version)}".strip() for method, version in pairs),
                weights=tuple(one[:_HASH_SHOWN] for one in dict.fromkeys(hashes)),
            )
        )
    return tuple(made)


def _group_of(modality: object) -> str:
    try:
        return Modality(as_text(modality)).group.value
    except ValueError:
        return ""


def _values_by_group(biomarkers: pl.DataFrame) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for modality, status in biomarkers.select("modality", "status").iter_rows():
        ok, n = counts.get(_group_of(modality), (0, 0))
        counts[_group_of(modality)] = (ok + (status == "ok"), n + 1)
    return counts


def _events_by_group(events: pl.DataFrame) -> dict[str, int]:
    counts: dict[str, int] = {}
    for source, n in events["source"].value_counts().iter_rows():
        counts[_group_of(source)] = counts.get(_group_of(source), 0) + n
    return counts


def _quality_by_group(biomarkers: pl.DataFrame) -> dict[str, float]:
    """Median quality of the signals behind the values."""
    found: dict[str, list[float]] = {}
    for modality, value in biomarkers.select("modality", "quality").drop_nulls("quality").iter_rows():
        found.setdefault(_group_of(modality), []).append(value)
    return {group: median(values) for group, values in found.items()}


def _tile(session: Mapping[str, object], group: str, counts: tuple[int, int, int], quality: float | None) -> Tile:
    status, coverage = as_text(session.get(f"{group}_status")), as_float(session.get(f"{group}_coverage"))
    lines = [f"{number(counts[0])} of {number(counts[1])} values ok", f"{number(counts[2])} events"]
    if quality is not None:
        lines.append(f"median quality {number(round(quality, 2))}")
    seconds = as_float(session.get(f"{group}_seconds"))
    if seconds is not None:
        lines.append(f"processed in {number(round(seconds, 1))} s")
    return Tile(
        group=group,
        title=title_of_modality(group),
        status=status,
        word=word_of(status or None),
        reason=sentence_of(session.get(f"{group}_reason")),
        coverage=percent(coverage),
        coverage_share=min(max(coverage or 0.0, 0.0), 1.0),
        lines=tuple(lines),
    )


def _sync(text: object) -> tuple[Sync, ...]:
    try:
        records = json.loads(as_text(text) or "[]")
    except json.JSONDecodeError:
        return ()
    return tuple(_record(r) for r in records if isinstance(r, dict)) if isinstance(records, list) else ()


def _record(record: Mapping[str, Any]) -> Sync:
    uncertainty = as_float(record.get("uncertainty_s"))
    parts = (title_of_modality(record.get("modality")), as_text(record.get("role")), as_text(record.get("channel")))
    known = (as_text(record.get("source")), "" if record.get("group") else as_text(record.get("method")))
    offset, drift = as_float(record.get("offset_s")), as_float(record.get("drift_ppm"))
    return Sync(
        stream=", ".join(part for part in parts if part),
        offset=NOTHING if offset is None else f"{number(round(offset, 3))} s",
        uncertainty="unknown" if uncertainty is None else f"± {number(uncertainty)} s",
        source=" by ".join(part for part in known if part) or NOTHING,
        drift=f"{number(round(drift, 1))} ppm" if drift else "",
        note=" ".join([_why(record), *_jumps(record.get("jumps"))]).strip(),
    )


def _why(record: Mapping[str, Any]) -> str:
    """Why a recorder's place is not known, also of those that were placed on one another only."""
    group, reason = as_float(record.get("group")), sentence_of(record.get("reason"))
    if not group:
        return reason
    by = f" by {method}" if (method := as_text(record.get("method"))) else ""
    placed = f"Placed{by} on the other recorders of group {number(group)}, not on the session."
    if record.get("reason") == Reason.NOTHING_SHARED:
        return f"{placed} They share nothing with one whose place is known."
    return f"{reason} {placed}".strip()


def _jumps(jumps: object) -> list[str]:
    """Steps of a recorder's clock in words."""
    known = [j for j in jumps if isinstance(j, list | tuple) and len(j) == 3] if isinstance(jumps, list | tuple) else []
    return [f"Jumps by {number(step)} s at {clock(at)} ± {number(within)} s." for at, step, within in known]
