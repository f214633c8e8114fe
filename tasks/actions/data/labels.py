"""Annotated actions: what a person wrote down, and the same as a table of zeros and ones over steps of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.biomarkers import action_slug
from cueflow.schemas.results import FloatArray

MIN_SUBJECTS = 2
MIN_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Action:
    """An annotated interval on the session clock; intervals of one label or of several may overlap."""

    label: str
    start_s: float
    end_s: float


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
        The classes in order of the alphabet, and a warning for each that was left out: seen once, in one subject, or
        under a name that no biomarker can have or that another label's gives, too.
    """
    count: Counter[str] = Counter()
    who: dict[str, set[str]] = {}
    for session, actions in labels.items():
        for action in actions:
            count[action.label] += 1
            who.setdefault(action.label, set()).add(subjects[session])
    classes, warnings, names = list[str](), list[str](), set[str]()
    for label in sorted(count):
        if not (slug := action_slug(label)) or slug in names:
            warnings.append(f"{label}: left out: it needs letters or digits that no other label has")
            continue
        names.add(slug)
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
