"""Annotations from where people make them: events.csv, a CSV of our own, ELAN's .eaf, exports of BORIS."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cueflow.schemas.errors import DatasetError
from cueflow.tasks.actions.data.labels import Action

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.schemas.session import Dataset

COLUMNS = ("session_id", "onset_s", "duration_s", "label")
BORIS = ("Observation id", "Behavior", "Behavior type")

Found = dict[str, tuple[Action, ...]]
_Row = Mapping[str, str]


def annotations_of(dataset: Dataset) -> Found:
    """Annotated actions of the dataset's own events table.

    Parameters
    ----------
    dataset : Dataset
        From `read_dataset`.

    Returns
    -------
    dict of str to tuple of Action
        By session. Rows of kind "action"; where the table has no kinds, all rows with a duration.

    Raises
    ------
    DatasetError
        If there is none.
    """
    marked = any(m.kind for s in dataset.sessions for m in s.markers)
    found = {
        s.session_id: tuple(
            sorted(
                (
                    Action(m.label, m.onset_s, m.onset_s + m.duration_s)
                    for m in s.markers
                    if m.duration_s > 0 and (m.kind == "action" or not marked)
                ),
                key=_order,
            )
        )
        for s in dataset.sessions
    }
    found = {session: actions for session, actions in found.items() if actions}
    if not found:
        raise DatasetError(
            "events.csv holds no annotated action: write rows with session_id, onset_s, duration_s, label and kind "
            "action, or name another file with --labels"
        )
    return found


def read_annotations(path: Path) -> tuple[Found, tuple[str, ...]]:
    """Read annotations.

    Parameters
    ----------
    path : Path
        CSV with session_id, onset_s, duration_s, label; a CSV that BORIS exported (tabular or aggregated events, the
        observation's id names the session); an .eaf file of ELAN, whose name is the session's id, or a folder of them.

    Returns
    -------
    tuple
        Actions by session, in order of time, and warnings: what was left out, and why.

    Raises
    ------
    DatasetError
        If the file cannot be read, is none of these, holds no annotation, or a row has no label or no positive span.
    """
    found, warnings = _read(path)
    if not found:
        raise DatasetError(f"{path.name}: holds no annotation; write one row an action")
    return {session: tuple(sorted(rows, key=_order)) for session, rows in found.items()}, tuple(warnings)


def _order(action: Action) -> tuple[float, str]:
    return action.start_s, action.label


def _read(path: Path) -> tuple[dict[str, list[Action]], list[str]]:
    if path.is_dir() or path.suffix.casefold() == ".eaf":
        files = sorted(path.glob("*.eaf")) if path.is_dir() else [path]
        both = {file.stem: _elan(file) for file in files}
        warnings = [
            f"{name}: {n} annotation(s) without times of their own left out" for name, (_, n) in both.items() if n
        ]
        return {name: rows for name, (rows, _) in both.items() if rows}, warnings
    columns, rows = _table(path)
    if all(name in columns for name in BORIS):
        return _boris(path.name, columns, rows)
    if missing := [name for name in COLUMNS if name not in columns]:
        raise DatasetError(f"{path.name}: the column {missing[0]} is missing; it needs {', '.join(COLUMNS)}")
    found: dict[str, list[Action]] = {}
    for line, row in rows:
        if (row.get("kind") or "action").strip().casefold() == "action":
            length = _number(row["duration_s"])
            action = _action(path.name, line, row["label"], _number(row["onset_s"]), length=length)
            found.setdefault((row["session_id"] or "").strip(), []).append(action)
    return found, []


def _table(path: Path) -> tuple[Sequence[str], list[tuple[int, _Row]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count))
            # cells that a line lacks are empty, those it has too many are left out
            rows: list[tuple[int, _Row]] = [
                (reader.line_num, {k: v or "" for k, v in row.items() if k is not None}) for row in reader
            ]
            return reader.fieldnames or (), rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name}: cannot be read as a CSV file in UTF-8") from error


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _action(name: str, line: int, label: str | None, onset: float, *, length: float) -> Action:
    word = (label or "").strip()
    if not word or not math.isfinite(onset) or not math.isfinite(length) or length <= 0:
        raise DatasetError(f"{name}: line {line} needs a label, an onset in s and a duration above 0 s")
    return Action(word, onset, onset + length)


# BORIS


def _boris(
    name: str, columns: Sequence[str], rows: Sequence[tuple[int, _Row]]
) -> tuple[dict[str, list[Action]], list[str]]:
    states = [(line, row) for line, row in rows if row["Behavior type"].strip().casefold() != "point"]
    read = _aggregated if "Start (s)" in columns else _tabular
    points = len(rows) - len(states)
    warnings = [f"{name}: {points} point event(s) have no duration; left out"] if points else []
    return read(name, states), warnings


def _aggregated(name: str, rows: Sequence[tuple[int, _Row]]) -> dict[str, list[Action]]:
    found: dict[str, list[Action]] = {}
    for line, row in rows:
        start, stop = _number(row["Start (s)"]), _number(row.get("Stop (s)"))
        action = _action(name, line, row["Behavior"], start, length=stop - start)
        found.setdefault(row["Observation id"].strip(), []).append(action)
    return found


def _tabular(name: str, rows: Sequence[tuple[int, _Row]]) -> dict[str, list[Action]]:
    """Rows of START and STOP (or of STATE, by turns), which belong together by observation, subject and behaviour.

    Raises
    ------
    DatasetError
        If a behaviour starts or stops twice in a row, or never stops.
    """
    found: dict[str, list[Action]] = {}
    running: dict[tuple[str, ...], float] = {}
    for line, row in rows:
        session = row["Observation id"].strip()
        key = (session, (row.get("Subject") or "").strip(), row["Behavior"].strip())
        status, time = (row.get("Status") or "").strip().casefold(), _number(row.get("Time"))
        if key not in running and status != "stop":
            running[key] = time
        elif key in running and status != "start":
            begun = running.pop(key)
            found.setdefault(session, []).append(_action(name, line, key[2], begun, length=time - begun))
        else:
            raise DatasetError(f"{name}: line {line} starts or stops {key[2]!r} twice in a row")
    if running:
        raise DatasetError(f"{name}: {min(running)[2]!r} is started and never stopped")
    return found


# ELAN


def _elan(path: Path) -> tuple[list[Action], int]:
    """Annotations of all tiers with times of their own, and how many have none (they hang on another tier).

    Raises
    ------
    DatasetError
        If the file is no ELAN file.
    """
    from xml.etree import ElementTree as ET

    try:
        root = ET.parse(path).getroot()  # noqa: S314 - expat refuses entities that blow up; no external ones are read
    except (OSError, ET.ParseError, LookupError, ValueError) as error:  # an encoding that nobody knows
        raise DatasetError(f"{path.name}: cannot be read as an ELAN file") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DatasetError(f"{path.name}: is no ELAN file")
    slots = {s.get("TIME_SLOT_ID"): s.get("TIME_VALUE") for s in root.iter("TIME_SLOT")}
    found, lost = [], 0
    for tier in root.iter("TIER"):
        lost += len(list(tier.iter("REF_ANNOTATION")))
        for annotation in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (_number(slots.get(annotation.get(f"TIME_SLOT_REF{k}"))) / 1000 for k in (1, 2))
            label = (annotation.findtext("ANNOTATION_VALUE") or "").strip() or tier.get("TIER_ID", "").strip()
            if not end > start or not label:
                lost += 1
                continue
            found.append(Action(label, start, end))
    return found, lost
