"""A run over a long table of biomarkers made elsewhere: nothing to extract, the rest as for recordings."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.fuse import Fuser, load_fuser
from cueflow.flows.planning.options import Options
from cueflow.flows.planning.why import fingerprints, session_rows
from cueflow.flows.summary import RunSummary
from cueflow.flows.work.session import SessionOutcome
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import DatasetError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.session import Group, Session
from cueflow.storage.fingerprints import root_fingerprint
from cueflow.storage.rows import SessionState, Stamp, fusion_rows, session_row, to_table
from cueflow.storage.tables import TableStore
from cueflow.tasks.align import align

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from cueflow.schemas.results import Prediction

SUFFIXES = frozenset({".parquet", ".csv", ".tsv"})
_DEFAULTS: dict[str, object] = {
    "visit": "",
    "role": "patient",
    "phase": "session",
    "method_version": "",
    "coverage": None,
    "quality": None,
    "window_start_s": None,
    "window_end_s": None,
}


def is_long_table(source: Path) -> bool:
    """Whether a run is asked to start from a table instead of recordings."""
    return source.is_file() and source.suffix in SUFFIXES


def run_features(source: Path, tables: Path, *, dataset_name: str, options: Options) -> RunSummary:
    """Write the sessions of a long table, with the fusion model's answers, where they are new or changed.

    Parameters
    ----------
    source : Path
        Parquet, CSV or TSV: session_id, subject_id, modality, biomarker, value.
    tables : Path
        Folder of the tables.
    dataset_name : str
        Name of the dataset in the tables.
    options : Options
        Sessions asked for, fusion model, force, join.

    Returns
    -------
    RunSummary
    """
    from cueflow.tasks.fusion import read_long_table
    from cueflow.tasks.fusion.data.features import prepare

    frame = _complete(read_long_table(source))
    prepare(frame)
    fuser = load_fuser(options.fusion_model) if options.fusion_model else None
    said = {} if fuser is None else {p.session_id: p for p in fuser.predict(frame)}
    parts = _sessions(frame, options.sessions)
    stamp = Stamp(run_id=str(uuid.uuid4()), config_hash="")
    store = TableStore(tables, dataset_name)
    outcomes, unchanged = [], 0
    with store.writing(root_fingerprint=root_fingerprint(source), session_ids=list(parts), join=options.join):
        written = fingerprints(session_rows(store.root, store.dataset))
        for session_id, rows in parts.items():
            mark = _fingerprint(rows, fuser)
            if written.get(session_id) == mark and not options.force:
                unchanged += 1
                continue
            made = _tables(rows, said.get(session_id), fuser, stamp=stamp, fingerprint=mark)
            store.commit_session(session_id, made, run_id=stamp.run_id)
            outcomes.append(SessionOutcome(session_id, "ok", None, "", 0.0, 0.0))
    return RunSummary(stamp.run_id, tuple(outcomes), unchanged, 0, disk_full=False)


def _complete(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column that rows need, ids as text."""
    import polars as pl

    made = frame.with_columns(pl.col(pl.Categorical).cast(pl.String))
    for name, default in _DEFAULTS.items():
        if name not in made.columns:
            kind = pl.Float64 if default is None else pl.String
            made = made.with_columns(pl.lit(default, dtype=kind).alias(name))
        elif default is not None:
            made = made.with_columns(pl.col(name).fill_null(default))
    return made


def _sessions(frame: pl.DataFrame, wanted: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """Rows by session.

    Raises
    ------
    DatasetError
        If a session asked for is not in the table.
    """
    parts = {str(key[0]): part for key, part in frame.sort("session_id").group_by("session_id", maintain_order=True)}
    if missing := [one for one in wanted if one not in parts]:
        raise DatasetError(f"{len(missing)} of the sessions are not in the table, the first is {missing[0]!r}")
    return {key: part for key, part in parts.items() if not wanted or key in wanted}


def _fingerprint(rows: pl.DataFrame, fuser: Fuser | None) -> str:
    ordered = rows.sort("modality", "biomarker", "role", "phase", "window_start_s").write_csv()
    model = "" if fuser is None else fuser.sha256
    return hashlib.sha256(f"{model}\n{ordered}".encode()).hexdigest()


def _tables(
    rows: pl.DataFrame, said: Prediction | None, fuser: Fuser | None, *, stamp: Stamp, fingerprint: str
) -> dict[str, pa.Table]:
    first = rows.row(0, named=True)
    session = Session(first["session_id"], first["subject_id"], first["visit"], streams=())
    status = str(Reason.NO_FUSION_MODEL)
    if fuser is not None:
        status = str(said.reason) if said is not None and said.reason else "ok"
    state = SessionState("ok", None, "", status, fingerprint, datetime.now(UTC))
    groups: dict[Group, tuple[str, Reason | None, float]] = dict.fromkeys(
        Group, (str(Status.ABSENT), Reason.NO_STREAM, 0.0)
    )
    about = session_row(session, (), align((), ()), stamp, state=state, groups=groups)
    about["modalities"] = sorted(set(rows["modality"]))
    why = fusion_rows(session, [] if said is None else [said], model_sha256=fuser.sha256 if fuser else "", stamp=stamp)
    return {
        "sessions": to_table("sessions", [about]),
        "biomarkers": to_table("biomarkers", [_row(row, stamp) for row in rows.iter_rows(named=True)]),
        "windows": to_table("windows", []),
        "events": to_table("events", []),
        "predictions": to_table("predictions", why[0]),
        "explanations": to_table("explanations", why[1]),
    }


def _row(row: Mapping[str, Any], stamp: Stamp) -> dict[str, object]:
    """A row of `biomarkers`; what the registry knows of a name is added, nothing is guessed."""
    known = BIOMARKERS.get(row["biomarker"])
    missing = row["value"] is None or row["value"] != row["value"]
    return dict(row) | {
        "channel": "",
        "value": None if missing else row["value"],
        "unit": "" if known is None else known.unit,
        "statistic": "" if known is None else known.statistic,
        "method": "" if known is None else known.method,
        "status": str(Status.ABSENT if missing else Status.OK),
        "reason": str(Reason.NO_STREAM) if missing else None,
        "model_sha256": "",
        "input_sha256": "",
        "run_id": stamp.run_id,
        "config_hash": stamp.config_hash,
    }
