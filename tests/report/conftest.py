"""Rows of one synthetic session, of every declared biomarker and series, in the declared table schemas."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.biomarkers import BIOMARKERS, SERIES
from cueflow.schemas.tables import arrow_schema

STATES = [("ok", None)] * 8 + [("low_quality", "implausible"), ("too_short", "few_evidence")]


def frame(table, rows):
    """Rows as a frame of the declared schema."""
    import pyarrow as pa

    made = pl.from_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(table)))
    assert isinstance(made, pl.DataFrame)
    return made


def session_row(**changes):
    """A degraded session: video and audio used, breathing lost."""
    row = dict.fromkeys(arrow_schema("sessions").names)
    row |= {
        "session_id": "S001",
        "subject_id": "P01",
        "visit": "1",
        "status": "degraded",
        "reason": "stream_failed",
        "message": "respiration: the column is not in the file",
        "duration_s": 600.0,
        "modalities": ["audio", "ecg", "eda", "ppg", "video"],
        "sync": json.dumps(
            [
                {
                    "modality": "video",
                    "role": "patient",
                    "channel": "",
                    "offset_s": 0.0,
                    "uncertainty_s": None,
                    "source": "assumed",
                },
                {
                    "modality": "ecg",
                    "role": "patient",
                    "channel": "I",
                    "offset_s": -1.25,
                    "uncertainty_s": 0.02,
                    "source": "declared",
                },
            ]
        ),
        "fusion_status": "ok",
        "run_id": "20261124-abcdef",
        "cueflow_version": "0.1.0",
        "schema_version": 2,
        "config_hash": "c0ffee" * 10,
        "started_utc": datetime(2026, 11, 24, 2, 0, tzinfo=UTC),
        "finished_utc": datetime(2026, 11, 24, 2, 3, tzinfo=UTC),
    }
    for group, status, reason, coverage in (
        ("video", "ok", None, 0.93),
        ("audio", "ok", None, 0.994),
        ("physiology", "low_quality", "contact_loss", 0.71),
    ):
        row |= {
            f"{group}_status": status,
            f"{group}_reason": reason,
            f"{group}_coverage": coverage,
            f"{group}_seconds": 12.3,
        }
    return row | changes


def biomarker_rows(phases=("session", "rest", "interview"), *, seed=0):
    """A row per declared biomarker and phase; breathing is absent."""
    rng, rows = np.random.default_rng(seed), []
    for b in BIOMARKERS.values():
        low, high = (max(min(end, 1e4), -1e4) for end in b.plausible)
        for k, phase in enumerate(phases if b.modality != "respiration" else ("session",)):
            status, reason = STATES[rng.integers(len(STATES))]
            if b.modality == "respiration":
                status, reason = "failed", "column_missing"
            rows.append(
                {
                    "session_id": "S001",
                    "subject_id": "P01",
                    "visit": "1",
                    "modality": b.modality,
                    "role": "patient",
                    "channel": "",
                    "biomarker": b.name,
                    "value": float(low + (high - low) * rng.beta(2, 5)) if status in {"ok", "low_quality"} else None,
                    "unit": b.unit,
                    "statistic": b.statistic,
                    "phase": phase,
                    "window_start_s": [0.0, 0.0, 200.0][k % 3],
                    "window_end_s": [600.0, 200.0, 600.0][k % 3],
                    "n_evidence": float(b.evidence.n_min * rng.integers(1, 9)),
                    "coverage": float(rng.uniform(0.5, 1)),
                    "quality": float(rng.uniform(0.6, 1)),
                    "status": status,
                    "reason": reason,
                    "method": b.method,
                    "method_version": "1",
                    "run_id": "20261124-abcdef",
                }
            )
    return rows


def series_values(spec, seconds, role="patient"):
    """A smooth noisy line per series, with a gap for all of them between 30 and 36 % of the session."""
    rng = np.random.default_rng(zlib.crc32(f"{spec.name}{role}".encode()))
    t = np.arange(seconds)
    walk = np.convolve(rng.normal(size=seconds + 40), np.ones(41) / 41, mode="valid")[:seconds] * 4
    if spec.unit == "1":
        values = np.clip(0.5 + walk / 2 + 0.2 * np.sin(t / 37), 0, 1)
    else:
        values = 70 + 12 * walk + 3 * np.sin(t / 11) + rng.normal(size=seconds)
    values[int(0.30 * seconds) : int(0.36 * seconds)] = np.nan
    return values


def window_frame(seconds=600, roles=("patient",)):
    """The per-second table with all declared series."""
    parts = [
        pl.DataFrame(
            {
                "session_id": ["S001"] * seconds,
                "role": [role] * seconds,
                "t_s": np.arange(seconds, dtype=float),
                "run_id": ["20261124-abcdef"] * seconds,
                **{s.name: pl.Series(series_values(s, seconds, role)).fill_nan(None) for s in SERIES.values()},
            }
        )
        for role in roles
    ]
    return pl.concat(parts).select(arrow_schema("windows").names)


def event_rows(seconds=600, *, beats=True, seed=1):
    """Phases, markers, blinks, actions, turns, pauses, responses and beats."""
    rng = np.random.default_rng(seed)

    def some(kind, source, n, length, labels=("",)):
        starts = np.sort(rng.uniform(0, seconds - length, n))
        found = zip(starts.tolist(), (starts + length * rng.uniform(0.5, 1.5, n)).tolist(), strict=True)
        common = {"kind": kind, "source": source, "role": "patient", "evidence": "{}"}
        return [
            common | {"label": str(rng.choice(labels)), "start_s": first, "end_s": last, "score": 0.75}
            for first, last in found
        ]

    rows = [
        {"kind": "phase", "label": "rest", "start_s": 0.0, "end_s": seconds / 3, "source": "events.csv"},
        {
            "kind": "phase",
            "label": "interview",
            "start_s": seconds / 3,
            "end_s": float(seconds),
            "source": "events.csv",
        },
        {"kind": "marker", "label": "button", "start_s": seconds / 2, "end_s": seconds / 2, "source": "events.csv"},
    ]
    rows += some("blink", "video", 160, 0.2) + some("nod", "video", 12, 1) + some("smile", "video", 9, 3)
    rows += some("action", "video", 24, 6, ["gesture", "hand_face", "fold_arms"]) + some(
        "turn", "audio", 30, 8, ["patient"]
    )
    rows += some("pause", "audio", 80, 0.7) + some("scr", "eda", 25, 2)
    if beats:
        times = np.cumsum(rng.normal(0.82, 0.04, int(seconds / 0.82)))
        rows += [
            {"kind": "beat", "label": "", "start_s": float(t), "end_s": float(t), "source": "ecg", "role": "patient"}
            for t in times
        ]
    common = {"session_id": "S001", "run_id": "20261124-abcdef"}
    return [common | row for row in rows]


def prediction_rows(n=22, *, abstained=False, bias=-0.4, seed=2):
    """A prediction and its contributions, whose sum is the log-odds exactly."""
    rng = np.random.default_rng(seed)
    names = list(BIOMARKERS)[:n]
    amounts = rng.normal(scale=0.4, size=len(names))
    odds = bias + float(amounts.sum())
    chance = 1 / (1 + np.exp(-odds))
    common = {"session_id": "S001", "target": "pain_present", "run_id": "20261124-abcdef"}
    made = common | {
        "subject_id": "P01",
        "visit": "1",
        "probability": None if abstained else float(chance),
        "interval_low": None if abstained else float(chance * 0.7),
        "interval_high": None if abstained else float(1 - (1 - chance) * 0.7),
        "log_odds": odds,
        "bias": bias,
        "abstained": abstained,
        "reason": "out_of_distribution" if abstained else None,
    }
    why = [
        common
        | {
            "modality": BIOMARKERS[name].modality,
            "biomarker": name,
            "contribution": float(amount),
            "value": None if k == 3 else float(rng.normal(50, 10)),
            "reference": 48.0,
            "span_start_s": 0.0,
            "span_end_s": 600.0,
        }
        for k, (name, amount) in enumerate(zip(names, amounts, strict=True))
    ]
    return [made], why


def session_parts(seconds=600, **changes):
    """Everything `session_page` takes."""
    made, why = prediction_rows()
    parts = {
        "session": session_row(duration_s=float(seconds)),
        "biomarkers": frame("biomarkers", biomarker_rows()),
        "windows": window_frame(seconds),
        "events": frame("events", event_rows(seconds)),
        "predictions": frame("predictions", made),
        "explanations": frame("explanations", why),
        "generated": "2026-11-24 02:30 UTC",
    }
    return parts | changes


def empty_parts(session):
    """A session of which nothing is known but its row."""
    names = ("biomarkers", "windows", "events", "predictions", "explanations")
    return {"session": session} | {name: frame(name, []) for name in names}


@pytest.fixture(scope="session")
def rows():
    """The builders above, for tests: files of tests cannot import each other."""
    from types import SimpleNamespace

    builders = (
        frame,
        session_row,
        biomarker_rows,
        window_frame,
        event_rows,
        prediction_rows,
        session_parts,
        empty_parts,
    )
    return SimpleNamespace(**{builder.__name__: builder for builder in builders})
