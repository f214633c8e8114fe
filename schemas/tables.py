"""The six tables: columns, types, units and definitions; the Arrow schemas derive from here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import SERIES

if TYPE_CHECKING:
    import pyarrow as pa

# 2: sessions say the layout of their files. 3: and how many rows they have in each table, and their own actions'
# measures. 4: events say the channel. Older rows have null there, and are read beside newer ones.
SCHEMA_VERSION = 4


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `kind` is string, float, int, bool, instant (UTC) or list (of strings)."""

    name: str
    kind: str
    definition: str
    unit: str = ""


def _ids() -> tuple[Column, ...]:
    return (
        Column("session_id", "string", "Session, as the manifest names it."),
        Column("subject_id", "string", "Subject, as the manifest names it."),
        Column("visit", "string", "Visit of the subject."),
    )


_HERE, _SERIES = "cueflow:docs/tables.md", "cueflow:docs/dictionary.md#per-second-series-columns-of-windows"
_RUN = Column("run_id", "string", "The run that wrote the row; it counts where the sessions row names the same run.")
_ROLE = Column(
    "role", "string", "Whose recording it is: patient, clinician or room; empty for a speaker whose role is not known."
)
_SPEAKER = Column("speaker", "string", "s1, s2, … where several people were told apart in the recording; else empty.")
_CHANNEL = Column("channel", "string", "Channel of the stream inside its file; empty where there is one.")
_MODEL = Column("model_sha256", "string", "Hash of the pretrained weights used; empty without weights.")


def _group_columns(group: str) -> tuple[Column, ...]:
    return (
        Column(f"{group}_status", "string", f"State of the {group} recordings."),
        Column(f"{group}_reason", "string", f"Reason code where {group}_status is not ok."),
        Column(f"{group}_coverage", "float", f"Share of the session that usable {group} covers.", "1"),
        Column(f"{group}_seconds", "float", f"Processing time of the {group} stage.", "s"),
    )


TABLES: dict[str, tuple[Column, ...]] = {
    "sessions": (
        *_ids(),
        Column("status", "string", "ok: all streams used; degraded: some; failed: none."),
        Column("reason", "string", "Reason code where status is not ok."),
        Column("message", "string", "For people, where status is not ok or a recording is poor; no names, no paths."),
        Column("duration_s", "float", "From the first to the last sample of any stream.", "s"),
        Column("modalities", "list", "Modalities that were used."),
        *_group_columns("video"),
        *_group_columns("audio"),
        *_group_columns("physiology"),
        Column("sync", "string", "JSON list: each stream's place on the session clock (docs/methods/clock.md)."),
        Column("fusion_status", "string", "ok, or the reason code why no prediction was made."),
        _RUN,
        Column("cueflow_version", "string", "Version that wrote the row."),
        Column("schema_version", "int", "Version of the table layout."),
        Column("layout", "string", "Hash of the columns of all tables: files of one layout have the same columns."),
        Column("row_counts", "string", "JSON object: table to how many rows the session has in it."),
        Column("own_biomarkers", "list", "Names of the measures of the user's own actions that the session has."),
        Column("config_hash", "string", "Hash of the parameters that matter."),
        Column("fingerprint", "string", "Hash of inputs, parameters, methods and weights: equal means nothing to do."),
        Column("depends_on", "string", "JSON object: stage to hashes of what it depends on."),
        Column("input_sha256", "string", "JSON object: stream key to the hash of its file."),
        Column("started_utc", "instant", "When the session's processing began."),
        Column("finished_utc", "instant", "When its tables were written."),
    ),
    "biomarkers": (
        *_ids(),
        Column("modality", "string", "Modality of the stream the value comes from."),
        _ROLE,
        _CHANNEL,
        _SPEAKER,
        Column("biomarker", "string", "Name in the registry (`cueflow dictionary`)."),
        Column("value", "float", "The value in `unit`; null where status says why."),
        Column("unit", "string", "Unit of the value."),
        Column("statistic", "string", "What summarises the window: mean, sd, rate, …"),
        Column("phase", "string", "session, or a label of events.csv."),
        Column("window_start_s", "float", "Start on the session clock.", "s"),
        Column("window_end_s", "float", "End on the session clock.", "s"),
        Column("n_evidence", "float", "How many beats, frames, seconds, … the value rests on."),
        Column("coverage", "float", "Share of the window that could be observed.", "1"),
        Column("quality", "float", "Quality of the signal, 0 to 1; null where the stage has none.", "1"),
        Column("status", "string", "ok, low_quality, too_short, absent or failed."),
        Column("reason", "string", "Reason code where status is not ok."),
        Column("method", "string", "Method that computed the value."),
        Column("method_version", "string", "Version of the method."),
        _MODEL,
        Column("config_hash", "string", "Hash of the parameters that matter."),
        Column("input_sha256", "string", "Hash of the recording."),
        _RUN,
    ),
    "windows": (
        Column("session_id", "string", "Session, as the manifest names it."),
        _ROLE,
        Column("t_s", "float", "Start of the second on the session clock.", "s"),
        _RUN,
    ),
    "events": (
        Column("session_id", "string", "Session, as the manifest names it."),
        Column("kind", "string", "action, blink, nod, turn, pause, beat, pulse, scr, breath, marker, …"),
        Column("label", "string", "What it is within its kind."),
        Column("start_s", "float", "Start on the session clock.", "s"),
        Column("end_s", "float", "End on the session clock.", "s"),
        Column("score", "float", "Confidence or size, as the kind defines it."),
        _ROLE,
        _CHANNEL,
        _SPEAKER,
        Column("source", "string", "Modality of the stream it was found in."),
        Column("evidence", "string", "JSON object: what it rests on."),
        _RUN,
    ),
    "predictions": (
        *_ids(),
        Column("target", "string", "What is predicted."),
        Column("probability", "float", "Calibrated probability.", "1"),
        Column("interval_low", "float", "Low end of the interval.", "1"),
        Column("interval_high", "float", "High end of the interval.", "1"),
        Column("log_odds", "float", "bias plus the sum of the contributions.", "log-odds"),
        Column("bias", "float", "Log-odds without any biomarker.", "log-odds"),
        Column("abstained", "bool", "True where the model declines to answer."),
        Column("reason", "string", "Reason code where it abstained."),
        _MODEL,
        _RUN,
    ),
    "explanations": (
        Column("session_id", "string", "Session, as the manifest names it."),
        Column("target", "string", "What is predicted."),
        Column("modality", "string", "Modality of the biomarker."),
        Column("biomarker", "string", "Biomarker that contributes."),
        Column("contribution", "float", "What it adds to the log-odds.", "log-odds"),
        Column("value", "float", "The session's value; null where it is missing (missing is a state of its own)."),
        Column("reference", "float", "The value it was compared to."),
        Column("span_start_s", "float", "Start of the span that the value comes from.", "s"),
        Column("span_end_s", "float", "End of the span that the value comes from.", "s"),
        _RUN,
    ),
}  # fmt: skip


@cache
def arrow_schema(table: str) -> pa.Schema:
    """Arrow schema of a table, with unit, definition and source in the field metadata.

    Parameters
    ----------
    table : str
        A key of `TABLES`.

    Returns
    -------
    pyarrow.Schema
        The `windows` table has one float column per declared series after its fixed ones.
    """
    import pyarrow as pa

    kinds = {
        "string": pa.string(),
        "float": pa.float64(),
        "int": pa.int64(),
        "bool": pa.bool_(),
        "instant": pa.timestamp("us", tz="UTC"),
        "list": pa.list_(pa.string()),
    }
    columns = [(column, _HERE) for column in TABLES[table]]
    if table == "windows":
        columns[-1:-1] = [(Column(s.name, "float", s.definition, s.unit), _SERIES) for s in SERIES.values()]
    fields = [
        pa.field(c.name, kinds[c.kind], metadata={"unit": c.unit, "definition": c.definition, "source": source})
        for c, source in columns
    ]
    return pa.schema(fields, metadata={"cueflow_table": table, "schema_version": str(SCHEMA_VERSION)})


@cache
def layout() -> str:
    """Hash of the columns of all tables, 16 hexadecimal digits: what can be read without a look at each file."""
    said = [(table, [(field.name, str(field.type)) for field in arrow_schema(table)]) for table in TABLES]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
