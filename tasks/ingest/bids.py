"""BIDS trees: physio with sidecars, and the audio and video of BEP047, without a manifest."""

from __future__ import annotations

import csv
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Marker, Modality, Problem, Role, Session, Stream
from cueflow.tasks.ingest.formats.sidecars import PHYSIO, Sidecar, read_sidecar
from cueflow.tasks.ingest.raw import modality_of
from cueflow.tasks.ingest.streams import check_streams, closing_problems

_ENTITY = re.compile(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)(?=_)")
_SESSION = ("sub", "ses", "task", "run")
_MEDIA = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".wav", ".flac", ".mp3", ".ogg", ".m4a"})
_KINDS = {
    "video": (Modality.VIDEO,),
    "audio": (Modality.AUDIO,),
    "audiovideo": (Modality.VIDEO, Modality.AUDIO),
}
_NOT_RECORDINGS = frozenset({"derivatives", "sourcedata", "code", "stimuli"})
_HEART_ELECTRIC = ("ecg", "ekg", "electrocardio")


def read_bids(root: Path) -> list[Session]:
    """Sessions of a BIDS tree: one for each subject, session, task and run.

    A column is told by its name; `cardiac` is a pulse wave (PPG), as BIDS defines it, unless its description speaks of
    an ECG. Columns that stand for no modality (triggers) are left out. A recording labelled `room` or `clinician` has
    that role.

    Parameters
    ----------
    root : Path
        Folder with `sub-*`.

    Returns
    -------
    list of Session
        In order of their names; empty where there is nothing that is read.
    """
    found: dict[tuple[str, ...], list[Stream | Problem]] = defaultdict(list)
    markers: dict[tuple[str, ...], list[Marker]] = defaultdict(list)
    for path in _files(root):
        entities = dict(_ENTITY.findall(path.name))
        key = tuple(f"{name}-{entities[name]}" for name in _SESSION if name in entities)
        if path.name.endswith("_events.tsv"):
            markers[key] += _events(path)
        elif streams := list(_streams(root, path, entities)):
            found[key] += streams
    return [_session(root, key, found[key], tuple(markers[key])) for key in sorted(found)]


def _session(root: Path, key: tuple[str, ...], rows: list[Stream | Problem], markers: tuple[Marker, ...]) -> Session:
    entities = dict(part.split("-", 1) for part in key)
    streams, problems = check_streams(root, rows)
    return Session(
        session_id="_".join(key),
        subject_id=entities["sub"],
        visit=entities.get("ses", "1"),
        streams=tuple(streams),
        problems=closing_problems(streams, problems),
        markers=markers,
    )


def _files(root: Path) -> list[Path]:
    """Files named for a subject, outside of derivatives and links to other folders."""
    found = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _NOT_RECORDINGS and not name.startswith(".")]
        found += [Path(folder, name) for name in names if name.startswith("sub-") and "_" in name]
    return sorted(found)


def _streams(root: Path, path: Path, entities: dict[str, str]) -> Iterator[Stream | Problem]:
    relative = path.relative_to(root).as_posix()
    recording = entities.get("recording", "").casefold()
    role = Role(recording) if recording in set(Role) else Role.PATIENT
    if path.name.endswith(PHYSIO):
        yield from _physio_streams(path, relative, role)
    elif path.suffix.lower() in _MEDIA:
        for modality in _KINDS.get(path.stem.rpartition("_")[2], ()):
            yield Stream(modality, relative, role=role)


def _physio_streams(path: Path, relative: str, role: Role) -> Iterator[Stream | Problem]:
    try:
        sidecar = read_sidecar(path)
    except StreamError as error:
        yield Problem(error.reason, error.message, relative, "")
        return
    known = [(column, modality) for column in sidecar.columns if (modality := _modality(sidecar, column)) is not None]
    for column, modality in known:
        yield Stream(
            modality,
            relative,
            role=role,
            start_s=sidecar.start_s,
            sampling_rate=sidecar.sampling_rate,
            channel=column,
            unit=sidecar.unit(column),
        )
    if not known:
        message = f"none of the columns stands for a modality: {', '.join(sidecar.columns[:12])}"
        yield Problem(Reason.MODALITY_UNKNOWN, message, relative, "")


def _modality(sidecar: Sidecar, column: str) -> Modality | None:
    if column.casefold() == "cardiac" and sidecar.describes(column, *_HEART_ELECTRIC):
        return Modality.ECG
    return modality_of(column)


def _events(path: Path) -> Iterator[Marker]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            onset, duration = _seconds(row.get("onset")), _seconds(row.get("duration"))
            if onset is not None:  # BIDS allows n/a in both
                yield Marker(onset, max(duration or 0.0, 0.0), row.get("trial_type") or "event")


def _seconds(cell: str | None) -> float | None:
    try:
        value = float(cell or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
