"""BIDS trees: physio with sidecars, and the audio and video of BEP047, without a manifest."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Marker, Modality, Problem, Role, Session, Stream
from cueflow.tasks.ingest.signals import Raw
from cueflow.tasks.ingest.tables import read_columns_by_position

_ENTITY = re.compile(r"(sub|ses|task|acq|run|recording|split)-([A-Za-z0-9]+)")
_SESSION = ("sub", "ses", "task", "acq", "run")
_COLUMNS: dict[str, Modality] = {
    "cardiac": Modality.PPG,
    "ppg": Modality.PPG,
    "pulse": Modality.PPG,
    "ecg": Modality.ECG,
    "ekg": Modality.ECG,
    "respiratory": Modality.RESPIRATION,
    "respiration": Modality.RESPIRATION,
    "rsp": Modality.RESPIRATION,
    "resp": Modality.RESPIRATION,
    "eda": Modality.EDA,
    "gsr": Modality.EDA,
    "scr": Modality.EDA,
    "temperature": Modality.TEMPERATURE,
}
_MEDIA = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".wav", ".flac", ".mp3", ".ogg", ".m4a"})


def read_bids(root: Path) -> list[Session]:
    """Sessions of a BIDS tree: one for each subject, session, task, acquisition and run.

    The column `cardiac` is taken as a pulse wave (PPG), as scanners record it; a column called `ecg` is an ECG.

    Parameters
    ----------
    root : Path
        Folder with `sub-*`.

    Returns
    -------
    list of Session
        In order of their names; empty where there is nothing that is read.
    """
    from cueflow.tasks.ingest.dataset import check_streams, no_usable

    found: dict[tuple[str, ...], list[Stream | Problem]] = defaultdict(list)
    markers: dict[tuple[str, ...], list[Marker]] = defaultdict(list)
    for path in sorted(p for p in root.rglob("sub-*_*") if p.is_file()):
        entities = dict(_ENTITY.findall(path.name))
        key = tuple(f"{name}-{entities[name]}" for name in _SESSION if name in entities)
        if path.name.endswith("_events.tsv"):
            markers[key] += _events(path)
        else:
            found[key] += _streams(root, path, entities)
    sessions = []
    for key in sorted(k for k, streams in found.items() if streams):
        entities = dict(part.split("-", 1) for part in key)
        streams, problems = check_streams(root, found[key])
        sessions.append(
            Session(
                session_id="_".join(key),
                subject_id=entities.get("sub", ""),
                visit=entities.get("ses", "1"),
                streams=tuple(streams),
                problems=tuple(problems if streams else [*problems, no_usable()]),
                markers=tuple(markers[key]),
            )
        )
    return sessions


def _streams(root: Path, path: Path, entities: dict[str, str]) -> Iterator[Stream | Problem]:
    relative = path.relative_to(root).as_posix()
    suffix = path.name.partition(".")[0].rpartition("_")[2]
    recording = entities.get("recording", "")
    if path.name.endswith("_physio.tsv.gz"):
        yield from _physio_streams(path, relative)
    elif path.suffix.lower() in _MEDIA and suffix in {"audio", "video", "audiovideo"}:
        role = Role.ROOM if recording == "room" else Role.PATIENT
        if suffix != "audio":
            yield Stream(Modality.VIDEO, relative, role=role, start_s=0.0)
        if suffix != "video":
            yield Stream(Modality.AUDIO, relative, role=role, start_s=0.0)


def _physio_streams(path: Path, relative: str) -> Iterator[Stream | Problem]:
    sidecar = physio_sidecar(path)
    if sidecar is None:
        message = f"{path.name}: no _physio.json gives its SamplingFrequency and Columns"
        yield Problem(Reason.RATE_MISSING, message, relative, "")
        return
    for column in sidecar.get("Columns", ()):
        modality = _COLUMNS.get(str(column).strip().lower())
        if modality is not None:
            yield Stream(modality, relative, start_s=0.0, channel=str(column))


def physio_sidecar(path: Path) -> dict[str, Any] | None:
    """Metadata of a BIDS physio file: its own .json over those above it that apply (inheritance principle).

    Parameters
    ----------
    path : Path
        A file named `*_physio.tsv.gz`; others have none.

    Returns
    -------
    dict or None
        None unless SamplingFrequency and Columns are known.
    """
    if not path.name.endswith("_physio.tsv.gz"):
        return None
    own = set(path.name.removesuffix("_physio.tsv.gz").split("_"))
    merged: dict[str, Any] = {}
    for folder in reversed(_tree_above(path.parent)):
        applying = [
            f
            for f in folder.glob("*physio.json")
            if set(f.name[: -len("physio.json")].strip("_").split("_")) - {""} <= own
        ]
        for file in sorted(applying, key=lambda f: len(f.name)):
            merged |= _json(file)
    return merged if {"SamplingFrequency", "Columns"} <= set(merged) else None


def _tree_above(folder: Path) -> list[Path]:
    """The folder and those above it, as far as the dataset reaches: one above the last `sub-*`."""
    chain = [folder, *folder.parents]
    last = max((i for i, f in enumerate(chain) if f.name.startswith("sub-")), default=-1)
    return chain[: last + 2]


def _json(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def read_physio(path: Path, channel: str, sidecar: dict[str, Any]) -> Raw:
    """Read one column of a BIDS physio file, which has no header line.

    Parameters
    ----------
    path : Path
        `*_physio.tsv.gz`.
    channel : str
        A name in the sidecar's Columns.
    sidecar : dict
        From `physio_sidecar`.

    Returns
    -------
    Raw
        Starting at the sidecar's StartTime.

    Raises
    ------
    StreamError
        If the sidecar names no such column, or the file has fewer.
    """
    columns = [str(c).strip() for c in sidecar["Columns"]]
    if channel.strip() not in columns:
        message = f"{path.name}: no column {channel.strip()!r}; it has {', '.join(columns)}"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    values = read_columns_by_position(path, position=columns.index(channel.strip()), width=len(columns))
    details = sidecar.get(channel.strip())
    unit = details.get("Units", "") if isinstance(details, dict) else ""
    return Raw(
        values,
        sampling_rate=float(sidecar["SamplingFrequency"]),
        unit="" if unit in {"arbitrary", "n/a"} else str(unit),
        start_s=float(sidecar.get("StartTime", 0.0)),
    )


def _events(path: Path) -> Iterator[Marker]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            try:
                onset, duration = float(row.get("onset", "")), row.get("duration") or "0"
                yield Marker(onset, 0.0 if duration == "n/a" else float(duration), row.get("trial_type") or "event")
            except ValueError:
                continue  # BIDS allows n/a in both
