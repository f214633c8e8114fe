"""Tables as a BIDS derivative: a folder per subject and session, values and events as TSV, each with its sidecar."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow import __version__
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import arrow_schema
from cueflow.storage.atomic import disk_errors
from cueflow.storage.readers import reading
from cueflow.storage.records.audit import record
from cueflow.storage.records.runs import git_version
from cueflow.storage.scan import collected, placed_sessions, visible

if TYPE_CHECKING:
    import polars as pl

_BIDS = "1.10.0"
_TABLES = {"biomarkers": "features", "events": "events", "windows": "timeseries"}


def to_bids(root: Path, out: Path) -> int:
    """Write a BIDS derivative of the tables.

    Parameters
    ----------
    root, out : Path
        TABLES, and an empty or new folder outside of it.

    Returns
    -------
    int
        Sessions written.

    Raises
    ------
    TablesError
        If the folder is not empty or inside the tables.
    """
    if out.resolve().is_relative_to(root.resolve()) or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise TablesError("The folder of the export must be new or empty, and outside of the tables.")
    with reading(root), disk_errors("exporting"):
        placed = placed_sessions(root)
        sessions = collected(visible(root, "sessions", placed)).sort("dataset", "session_id")
        out.mkdir(parents=True, exist_ok=True)
        _write_description(out, sessions)
        people = _labels(sessions["subject_id"].to_list())
        keys = [f"{d}/{s}" for d, s in sessions.select("dataset", "session_id").iter_rows()]
        visits = _labels(keys, shown=sessions["session_id"].to_list())
        _write_participants(out, people)
        for row in sessions.to_dicts():
            subject, session = people[str(row["subject_id"])], visits[f"{row['dataset']}/{row['session_id']}"]
            folder = out / f"sub-{subject}" / f"ses-{session}"
            folder.mkdir(parents=True)
            mine = placed.filter(dataset=row["dataset"], session_id=row["session_id"])
            for table, suffix in _TABLES.items():
                rows = collected(visible(root, table, mine)).drop("dataset")
                _write_table(folder / f"sub-{subject}_ses-{session}_desc-cueflow_{suffix}", table, rows, row)
    record(root, "export", kind="bids", sessions=sessions.height)
    return sessions.height


def _write_description(out: Path, sessions: pl.DataFrame) -> None:
    generated: dict[str, Any] = {"Name": "cueflow", "Version": __version__}
    if commit := git_version():
        generated["Description"] = f"commit {commit}"
    said = {
        "Name": f"Biomarkers of {', '.join(sorted(sessions['dataset'].unique().to_list()))}",
        "BIDSVersion": _BIDS,
        "DatasetType": "derivative",
        "GeneratedBy": [generated],
        "SourceDatasets": [{"Version": dataset} for dataset in sorted(sessions["dataset"].unique().to_list())],
    }
    _json(out / "dataset_description.json", said)
    # BIDS has no suffix yet for values of a session: validators must not take these for misspelt ones.
    ignored = [f"*_{suffix}.{kind}" for suffix in ("features", "timeseries") for kind in ("tsv", "json")]
    (out / ".bidsignore").write_text("\n".join(ignored) + "\n", encoding="utf-8")
    (out / "README").write_text(
        "Values, events and per-second series that cueflow computed; each TSV has a JSON sidecar with unit and\n"
        "meaning of its columns. `cueflow dictionary` defines the biomarkers.\n",
        encoding="utf-8",
    )


def _write_participants(out: Path, people: Mapping[str, str]) -> None:
    lines = ["participant_id\tsource_id", *(f"sub-{label}\t{_cell(name)}" for name, label in people.items())]
    (out / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    about = {
        "participant_id": {"Description": "Label of the subject."},
        "source_id": {"Description": "Id in the tables."},
    }
    _json(out / "participants.json", about)


def _write_table(base: Path, table: str, rows: pl.DataFrame, session: Mapping[str, Any]) -> None:
    if rows.is_empty():
        return
    given = {"start_s": "onset"} if table == "events" else {}
    if table == "events":
        rows = rows.with_columns((rows["end_s"] - rows["start_s"]).alias("duration"))
        rows = rows.select(
            "start_s", "duration", *(c for c in rows.columns if c not in {"start_s", "end_s", "duration"})
        )
    names = [given.get(c, c) for c in rows.columns]
    lines = ["\t".join(names), *("\t".join(map(_cell, row)) for row in rows.iter_rows())]
    base.with_name(f"{base.name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _json(base.with_name(f"{base.name}.json"), _sidecar(table, given, session))


def _sidecar(table: str, given: Mapping[str, str], session: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for field in arrow_schema(table):
        about = {k.decode(): v.decode() for k, v in (field.metadata or {}).items()}
        said[given.get(field.name, field.name)] = {
            "Description": about["definition"],
            **({"Units": about["unit"]} if about["unit"] else {}),
        }
    if table == "events":
        said["duration"] = {"Description": "Length of the event.", "Units": "s"}
    said["GeneratedBy"] = {
        "Name": "cueflow",
        "Version": session["cueflow_version"],
        "RunId": session["run_id"],
        "ParametersHash": session["config_hash"],
    }
    return said


def _labels(names: Iterable[Any], shown: Iterable[Any] | None = None) -> dict[str, str]:
    """BIDS labels, letters and digits only; names that would become the same keep a hash apart."""
    whole = [str(name) for name in names]
    wish = dict(zip(whole, [re.sub(r"[^A-Za-z0-9]", "", str(n)) for n in shown or whole], strict=True))
    folded = [label.lower() for label in wish.values()]
    return {
        name: label if label and folded.count(label.lower()) == 1 else f"{label}{_hash(name)}"
        for name, label in wish.items()
    }


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
    return re.sub(r"[\t\r\n]", " ", text) or "n/a"


def _json(path: Path, said: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
