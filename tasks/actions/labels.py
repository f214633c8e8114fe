"""Annotated actions: what a person wrote down, and the same as a table of zeros and ones over steps of time."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import DatasetError
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("session_id", "onset_s", "duration_s", "label")
MIN_SUBJECTS = 2
MIN_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Action:
    """An annotated interval on the session clock; intervals of one label or of several may overlap."""

    label: str
    start_s: float
    end_s: float


def read_labels(path: Path) -> dict[str, tuple[Action, ...]]:
    """Read annotations.

    Parameters
    ----------
    path : Path
        CSV with session_id, onset_s, duration_s, label.

    Returns
    -------
    dict of str to tuple of Action
        By session, in order of time.

    Raises
    ------
    DatasetError
        If the file cannot be read, lacks a column, holds no row, or a row has no label or no positive span.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise DatasetError(f"{path.name}: the column {missing[0]} is missing; it needs {', '.join(COLUMNS)}")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path.name}: cannot be read as a CSV file in UTF-8") from error
    if not rows:
        raise DatasetError(f"{path.name}: holds no annotation; write one row an action")
    found: dict[str, list[Action]] = {}
    for line, row in rows:
        found.setdefault((row["session_id"] or "").strip(), []).append(_action(path.name, line, row))
    return {session: tuple(sorted(a, key=lambda x: (x.start_s, x.label))) for session, a in found.items()}


def _action(name: str, line: int, row: Mapping[str, str]) -> Action:
    label = (row["label"] or "").strip()
    try:
        onset, duration = float(row["onset_s"]), float(row["duration_s"])
    except (TypeError, ValueError):
        onset = duration = math.nan
    if not label or not math.isfinite(onset) or not math.isfinite(duration) or duration <= 0:
        raise DatasetError(f"{name}: line {line} needs a label, an onset in s and a duration above 0 s")
    return Action(label, onset, onset + duration)


def usable_classes(
    labels: Mapping[str, Sequence[Action]], subjects: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes that a model can be trained and measured on.

    Parameters
    ----------
    labels : mapping of str to sequence of Action
        By session.
    subjects : mapping of str to str
        Subject of each session.

    Returns
    -------
    tuple
        The classes in order of the alphabet, and a warning for each that was left out: seen once, or in one subject.
    """
    count: Counter[str] = Counter()
    who: dict[str, set[str]] = {}
    for session, actions in labels.items():
        for action in actions:
            count[action.label] += 1
            who.setdefault(action.label, set()).add(subjects[session])
    classes, warnings = [], []
    for label in sorted(count):
        if count[label] >= MIN_EXAMPLES and len(who[label]) >= MIN_SUBJECTS:
            classes.append(label)
        else:
            warnings.append(
                f"{label}: {count[label]} example(s) in {len(who[label])} subject(s) is too little; left out"
            )
    return tuple(classes), tuple(warnings)


def step_labels(actions: Sequence[Action], times_s: FloatArray, classes: Sequence[str]) -> FloatArray:
    """Which classes are on at each step.

    Parameters
    ----------
    actions : sequence of Action
        Annotated intervals.
    times_s : ndarray, shape (n,)
        Times of the steps on the same clock.
    classes : sequence of str
        Order of the columns; other labels are left out.

    Returns
    -------
    ndarray, shape (n, classes)
        1 where start < time < end of some action of the class, else 0.
    """
    table = np.zeros((len(times_s), len(classes)))
    for action in actions:
        if action.label in classes:
            inside = (times_s > action.start_s) & (times_s < action.end_s)
            table[inside, list(classes).index(action.label)] = 1.0
    return table


def outside(actions: Sequence[Action], start_s: float, end_s: float) -> int:
    """How many actions do not touch the recording at all."""
    return sum(a.end_s <= start_s or a.start_s >= end_s for a in actions)
