"""The record of a run, and its provenance as W3C PROV-JSON.

What holds no id (parameters, environment, version of the code) is noted when the run begins and ends; the graph of
steps with their durations and hashes is made from the tables when it is asked for, so that erased sessions are in none.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow import __version__
from cueflow.schemas.errors import TablesError
from cueflow.schemas.session import Group
from cueflow.storage.atomic import replace_bytes
from cueflow.storage.layout import encoded, state_dir
from cueflow.storage.scan import collected, placed_sessions, visible

if TYPE_CHECKING:
    import polars as pl

_LIBRARIES = (
    "numpy",
    "scipy",
    "torch",
    "onnxruntime",
    "mediapipe",
    "opencv-contrib-python",
    "pyarrow",
    "polars",
    "prefect",
)
_PREFIXES = {
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "cueflow": "urn:cueflow:",
    "run": "urn:cueflow:run:",
}


def run_path(root: Path, run_id: str) -> Path:
    """Where the record of a run lies."""
    return state_dir(root) / "runs" / f"{encoded(run_id)}.json"


@contextmanager
def recorded_run(root: Path, run_id: str, *, started: datetime, parameters: Mapping[str, Any]) -> Iterator[None]:
    """Note what a run rests on when it begins, and again when it ends; nothing in it names anybody.

    Parameters
    ----------
    root : Path
        TABLES.
    run_id : str
        The run.
    started : datetime
        When it began (UTC).
    parameters : mapping
        Everything that was chosen.
    """
    said = {
        "run_id": run_id,
        "started_utc": started.isoformat(),
        "parameters": dict(parameters),
        "environment": environment(),
    }
    _note(root, run_id, said)  # also of a run that will be killed
    yield
    now = datetime.now(UTC)
    _note(root, run_id, said | {"finished_utc": now.isoformat(), "seconds": round((now - started).total_seconds(), 3)})


def _note(root: Path, run_id: str, said: Mapping[str, Any]) -> None:
    replace_bytes(run_path(root, run_id), json.dumps(said, indent=1, sort_keys=True, default=str).encode())


def environment() -> dict[str, Any]:
    """What the numbers may depend on besides the code: Python, machine and libraries.

    Returns
    -------
    dict
        `git` is null outside of a checkout.
    """
    return {
        "cueflow": __version__,
        "git": git_version(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def git_version() -> str | None:
    """Commit of the code that runs, with `-dirty` where files differ from it; None outside of a checkout."""
    code = Path(__file__).resolve().parents[2]
    if not (code / ".git").exists():
        return None
    command = ["git", "-C", str(code), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def provenance(root: Path, run_id: str | None = None) -> dict[str, Any]:
    """Provenance of the rows that count, as PROV-JSON.

    Parameters
    ----------
    root : Path
        TABLES.
    run_id : str, optional
        Only what this run wrote.

    Returns
    -------
    dict
        Agents are the software; activities the runs, in each the sessions, in each of these the stages with their
        durations, and fusion; entities recordings (by hash), parameters, weights, each session's tables and
        predictions.

    Raises
    ------
    TablesError
        If no row that counts is of that run.
    """
    import polars as pl

    placed = placed_sessions(root)
    sessions = collected(visible(root, "sessions", placed))
    if run_id is not None:
        sessions = sessions.filter(run_id=run_id)
    if sessions.is_empty():
        raise TablesError("No session that counts was written by that run: `cueflow query` lists run_id in sessions.")
    wanted = pl.col("run_id").is_in(sessions["run_id"].unique().to_list())
    used = visible(root, "biomarkers", placed).filter(wanted)
    used = used.select("session_id", "dataset", "modality", "method", "method_version", "model_sha256").unique()
    graph = _Graph()
    for run in sorted(sessions["run_id"].unique().to_list()):
        graph.add_run(run, _noted(root, run), sessions.filter(run_id=run))
    methods = collected(used)
    models = collected(visible(root, "predictions", placed).filter(wanted))
    for row in sessions.sort("dataset", "session_id").to_dicts():
        mine = {"session_id": row["session_id"], "dataset": row["dataset"]}
        graph.add_session(row, methods.filter(**mine))
        graph.add_predictions(row, models.filter(**mine))
    return graph.document


class _Graph:
    """A PROV-JSON document that grows; relations are numbered."""

    def __init__(self) -> None:
        kinds = ("entity", "activity", "agent", "used", "wasGeneratedBy", "wasInformedBy", "wasAssociatedWith")
        self.document: dict[str, Any] = {"prefix": dict(_PREFIXES)} | {kind: {} for kind in kinds}
        self._n = 0

    def _relate(self, kind: str, **ends: str) -> None:
        self._n += 1
        self.document[kind][f"_:r{self._n}"] = {f"prov:{end}": name for end, name in ends.items()}

    def add_run(self, run: str, noted: Mapping[str, Any], sessions: pl.DataFrame) -> None:
        name, version = f"run:{encoded(run)}", sessions["cueflow_version"][0] or __version__
        software = f"cueflow:software/{version}"
        self.document["agent"][software] = {"prov:type": "prov:SoftwareAgent", "cueflow:version": version}
        begin = noted.get("started_utc") or _instant(sessions["started_utc"].min())
        end = noted.get("finished_utc") or _instant(sessions["finished_utc"].max())
        activity: dict[str, Any] = {"prov:startTime": begin, "prov:endTime": end}
        for fact in ("parameters", "environment"):
            if fact in noted:
                activity[f"cueflow:{fact}"] = json.dumps(noted[fact], sort_keys=True)
        self.document["activity"][name] = activity
        self._relate("wasAssociatedWith", activity=name, agent=software)

    def add_session(self, row: Mapping[str, Any], methods: pl.DataFrame) -> None:
        base = f"{encoded(row['dataset'])}/{encoded(row['session_id'])}"
        tables, run = f"cueflow:tables/{base}", f"run:{encoded(row['run_id'])}"
        self.document["entity"][tables] = {"prov:type": "cueflow:session", "cueflow:status": row["status"]}
        settings = f"cueflow:parameters/{row['config_hash']}"
        self.document["entity"][settings] = {"prov:type": "cueflow:parameters"}
        whole = f"{run}/{base}"
        times = {"prov:startTime": _instant(row["started_utc"]), "prov:endTime": _instant(row["finished_utc"])}
        self.document["activity"][whole] = {name: time for name, time in times.items() if time}
        self._relate("wasInformedBy", informed=whole, informant=run)
        hashes = json.loads(row["input_sha256"] or "{}")
        for group in Group:
            if row[f"{group.value}_status"] in {None, "absent"}:
                continue
            step = f"{whole}/{group.value}"
            self.document["activity"][step] = {"cueflow:seconds": row[f"{group.value}_seconds"]}
            self._relate("wasInformedBy", informed=step, informant=whole)
            self._relate("used", activity=step, entity=settings)
            self._use_inputs(step, group.value, hashes, methods)
            self._relate("wasGeneratedBy", entity=tables, activity=step)

    def add_predictions(self, row: Mapping[str, Any], predictions: pl.DataFrame) -> None:
        if predictions.is_empty():
            return
        base = f"{encoded(row['dataset'])}/{encoded(row['session_id'])}"
        whole, answers = f"run:{encoded(row['run_id'])}/{base}", f"cueflow:predictions/{base}"
        step = f"{whole}/fusion"
        self.document["activity"][step] = {"cueflow:targets": sorted(predictions["target"].unique().to_list())}
        self.document["entity"][answers] = {"prov:type": "cueflow:predictions"}
        self._relate("wasInformedBy", informed=step, informant=whole)
        self._relate("used", activity=step, entity=f"cueflow:tables/{base}")
        for sha256 in sorted(predictions["model_sha256"].drop_nulls().unique().to_list()):
            self._use_weights(step, sha256)
        self._relate("wasGeneratedBy", entity=answers, activity=step)

    def _use_weights(self, step: str, sha256: str) -> None:
        entity = f"cueflow:weights/{sha256}"
        self.document["entity"][entity] = {"prov:type": "cueflow:weights", "cueflow:sha256": sha256}
        self._relate("used", activity=step, entity=entity)

    def _use_inputs(self, step: str, group: str, hashes: Mapping[str, str], methods: pl.DataFrame) -> None:
        for stream, sha256 in sorted(hashes.items()):
            if sha256 and _group_of(stream.split("/")[0]) == group:
                entity = f"cueflow:recording/{sha256}"
                self.document["entity"][entity] = {"prov:type": "cueflow:recording", "cueflow:sha256": sha256}
                self._relate("used", activity=step, entity=entity)
        mine = [m for m in methods.to_dicts() if _group_of(m["modality"]) == group]
        self.document["activity"][step]["cueflow:methods"] = sorted(
            {f"{m['method']} {m['method_version']}".strip() for m in mine if m["method_version"]}
        )
        # A stage with several weights joins their hashes.
        for sha256 in sorted({one for m in mine for one in (m["model_sha256"] or "").split("+") if one}):
            self._use_weights(step, sha256)


def _group_of(modality: str | None) -> str:
    from cueflow.schemas.session import Modality

    try:
        return Modality(modality or "").group.value
    except ValueError:
        return ""


def _noted(root: Path, run_id: str) -> dict[str, Any]:
    try:
        noted = json.loads(run_path(root, run_id).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _instant(value: object) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
