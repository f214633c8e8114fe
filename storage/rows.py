"""The rows of one session's tables, from what its stages found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any

import pyarrow as pa

from cueflow import __version__
from cueflow.schemas.biomarkers import SERIES, Biomarker, declared_as, of_modality, relations_of
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Aligned, Event, FloatArray, Measure, Prediction, StreamResult
from cueflow.schemas.session import Group, Marker, Session
from cueflow.schemas.tables import SCHEMA_VERSION, arrow_schema, layout

Row = dict[str, Any]
_BATCH = 2000  # rows
Grid = Mapping[str, tuple[FloatArray, Mapping[str, FloatArray]]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of a run carries."""

    run_id: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class SessionState:
    """How a session ended; `fingerprint` is empty where the next run must try again.

    `depends_on` holds, per stage, hashes of what the rows depend on, so that a later run can say what has changed.
    """

    status: str
    reason: Reason | None
    message: str
    fusion_status: str
    fingerprint: str
    started: datetime
    depends_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def to_table(name: str, rows: Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table of the declared schema.

    Parameters
    ----------
    name : str
        A table of `schemas.tables.TABLES`.
    rows : iterable of dict
        Column to value; a missing column is null. They are taken in batches: a day holds a hundred thousand beats.

    Returns
    -------
    pyarrow.Table
    """
    schema, left = arrow_schema(name), iter(rows)
    batches = iter(lambda: pa.RecordBatch.from_pylist(list(islice(left, _BATCH)), schema=schema), None)
    return pa.Table.from_batches(takewhile(len, batches), schema=schema)


def biomarker_rows(
    session: Session, results: Sequence[StreamResult], absent: Mapping[str, tuple[Status, Reason]], stamp: Stamp
) -> list[Row]:
    """One row per value; every declared biomarker has at least one, with a reason where there is no value.

    Parameters
    ----------
    session : Session
        Whose rows they are.
    results : sequence of StreamResult
        Of all its streams.
    absent : mapping
        Modality without any stream that was tried, to its state and reason.
    stamp : Stamp
        Run and configuration.

    Returns
    -------
    list of dict
        Rows of the `biomarkers` table.
    """
    common = {
        "session_id": session.session_id,
        "subject_id": session.subject_id,
        "visit": session.visit,
        "run_id": stamp.run_id,
        "config_hash": stamp.config_hash,
    }
    rows = [common | row for result in results for row in _stream_rows(result)]
    for modality, (status, reason) in absent.items():
        rows += [
            common | _valueless(b, status=status, reason=reason)
            for b in (*of_modality(modality), *relations_of(modality))
        ]
    return rows


def _stream_rows(result: StreamResult) -> Iterable[Row]:
    origin = {
        "role": result.role,
        "channel": result.channel,
        "method_version": result.method_version,
        "model_sha256": result.model_sha256,
        "input_sha256": result.input_sha256,
    }
    if result.findings is None:
        reason = result.reason or Reason.UNEXPECTED
        for declared in (*of_modality(result.modality), *relations_of(result.modality)):
            yield _valueless(declared, status=Status.FAILED, reason=reason) | origin
        return
    roles = _roles(result)
    for measure in result.findings.measures:
        yield _measure_row(declared_as(measure.biomarker), measure) | origin | {"role": roles[measure.speaker]}


def _roles(result: StreamResult) -> dict[str, str]:
    """Role by speaker: the recording's own for the unnamed one, empty for whoever is not known."""
    speakers = result.findings.speakers if result.findings else ()
    return {"": str(result.role), **{s.speaker: s.role for s in speakers}}


def _declared(declared: Biomarker) -> Row:
    return {
        "modality": declared.modality,
        "biomarker": declared.name,
        "unit": declared.unit,
        "statistic": declared.statistic,
        "method": declared.method,
    }


def _measure_row(declared: Biomarker, measure: Measure) -> Row:
    return _declared(declared) | {
        "value": measure.value,
        "speaker": measure.speaker,
        "phase": measure.window.phase,
        "window_start_s": measure.window.start_s,
        "window_end_s": measure.window.end_s,
        "n_evidence": measure.n_evidence,
        "coverage": measure.coverage,
        "quality": measure.quality,
        "status": measure.status.value,
        "reason": None if measure.reason is None else measure.reason.value,
    }


def _valueless(declared: Biomarker, *, status: Status, reason: Reason) -> Row:
    return _declared(declared) | {
        "role": "patient",
        "channel": "",
        "speaker": "",
        "method_version": "",
        "model_sha256": "",
        "input_sha256": "",
        "phase": "session",
        "n_evidence": 0.0,
        "coverage": 0.0,
        "status": status.value,
        "reason": reason.value,
    }


def event_rows(
    session: Session, results: Sequence[StreamResult], markers: Sequence[Marker], stamp: Stamp
) -> Iterator[Row]:
    """Events of all streams and the markers of events.csv, in order of time.

    Parameters
    ----------
    session : Session
        Whose rows they are.
    results : sequence of StreamResult
        Of all its streams.
    markers : sequence of Marker
        Rows of events.csv.
    stamp : Stamp
        Run and configuration.

    Yields
    ------
    dict
        A row of the `events` table.
    """
    common = {"session_id": session.session_id, "run_id": stamp.run_id}
    found: list[Event | Marker] = []
    origins, which = [{"source": "events.csv"}], []
    for result in results:
        events = result.findings.events if result.findings is not None else ()
        roles = _roles(result)
        numbers = {speaker: len(origins) + k for k, speaker in enumerate(roles)}
        origins += [{"role": role, "channel": result.channel, "source": result.modality} for role in roles.values()]
        found += events
        which += [numbers[event.speaker] for event in events]
    found += markers
    which += [0] * len(markers)
    for k in sorted(range(len(found)), key=lambda k: _begin(found[k])):
        one = found[k]
        own = _marker_row(one) if isinstance(one, Marker) else _event_row(one)
        yield common | own | origins[which[k]]


def _begin(event: Event | Marker) -> tuple[float, str]:
    return (event.onset_s, _kind(event)) if isinstance(event, Marker) else (event.start_s, event.kind)


def _event_row(event: Event) -> Row:
    own = {name: getattr(event, name) for name in Event.__slots__}
    return own | {"evidence": json.dumps(dict(event.evidence), sort_keys=True)}


def _marker_row(marker: Marker) -> Row:
    end_s = marker.onset_s + marker.duration_s
    return {"kind": _kind(marker), "label": marker.label, "start_s": marker.onset_s, "end_s": end_s, "evidence": "{}"}


def _kind(marker: Marker) -> str:
    return "annotation" if marker.kind == "action" else ("phase" if marker.is_phase else "marker")


def window_table(session: Session, grid: Grid, stamp: Stamp) -> pa.Table:
    """The per-second table: one row per role and second, one column per declared series.

    Parameters
    ----------
    session : Session
        Whose rows they are.
    grid : mapping
        Role to seconds (n,) and series (n,) by name; NaN becomes null.
    stamp : Stamp
        Run and configuration.

    Returns
    -------
    pyarrow.Table
        Rows of the `windows` table.
    """
    schema = arrow_schema("windows")
    parts = [schema.empty_table()]
    for role, (seconds, series) in grid.items():
        n = len(seconds)
        fixed = {
            "session_id": pa.repeat(session.session_id, n),
            "role": pa.repeat(str(role), n),
            "t_s": pa.array(seconds),
            "run_id": pa.repeat(stamp.run_id, n),
        }
        nothing = pa.nulls(n, pa.float64())
        values = {k: pa.array(series[k], from_pandas=True) if k in series else nothing for k in SERIES}
        parts.append(pa.table({**fixed, **values}).select(schema.names).cast(schema))
    return pa.concat_tables(parts)


def session_row(
    session: Session,
    results: Sequence[StreamResult],
    aligned: Aligned,
    stamp: Stamp,
    *,
    state: SessionState,
    groups: Mapping[Group, tuple[str, Reason | None, float]],
) -> Row:
    """The row of the `sessions` table.

    Parameters
    ----------
    session : Session
        Whose row it is.
    results : sequence of StreamResult
        Of all its streams.
    aligned : Aligned
        Extent, coverage and sync records.
    stamp : Stamp
        Run and configuration.
    state : SessionState
        How the session ended.
    groups : mapping
        Stage to its status, reason and processing time in s.

    Returns
    -------
    dict
    """
    row: Row = {
        "session_id": session.session_id,
        "subject_id": session.subject_id,
        "visit": session.visit,
        "status": state.status,
        "reason": state.reason,
        "message": state.message,
        "duration_s": aligned.duration_s,
        "modalities": sorted({r.modality for r in results if r.findings is not None}),
        "sync": json.dumps([asdict(record) for record in aligned.sync]),
        "fusion_status": state.fusion_status,
        "run_id": stamp.run_id,
        "cueflow_version": __version__,
        "schema_version": SCHEMA_VERSION,
        "layout": layout(),
        "config_hash": stamp.config_hash,
        "fingerprint": state.fingerprint,
        "depends_on": json.dumps(state.depends_on),
        "input_sha256": json.dumps({"/".join((r.modality, r.role, r.channel)): r.input_sha256 for r in results}),
        "started_utc": state.started,
        "finished_utc": datetime.now(UTC),
    }
    for group, (status, reason, seconds) in groups.items():
        row |= {
            f"{group}_status": str(status),
            f"{group}_reason": reason,
            f"{group}_coverage": aligned.coverage[group],
            f"{group}_seconds": seconds,
        }
    return row


def fusion_rows(
    session: Session, predictions: Sequence[Prediction], *, model_sha256: str, stamp: Stamp
) -> tuple[list[Row], list[Row]]:
    """Rows of the `predictions` and `explanations` tables.

    Parameters
    ----------
    session : Session
        Whose rows they are.
    predictions : sequence of Prediction
        One per target.
    model_sha256 : str
        Hash of the fusion model.
    stamp : Stamp
        Run and configuration.

    Returns
    -------
    tuple of two lists of dict
    """
    common = {"session_id": session.session_id, "run_id": stamp.run_id}
    made = [
        common
        | {"subject_id": session.subject_id, "visit": session.visit, "model_sha256": model_sha256}
        | {name: getattr(p, name) for name in _PREDICTION}
        for p in predictions
    ]
    why = [
        common | {"target": p.target} | {name: getattr(c, name) for name in _CONTRIBUTION}
        for p in predictions
        for c in p.contributions
    ]
    return made, why


_PREDICTION = ("target", "probability", "interval_low", "interval_high", "log_odds", "bias", "abstained", "reason")
_CONTRIBUTION = ("modality", "biomarker", "contribution", "value", "reference", "span_start_s", "span_end_s")
