"""A session's values beside the person's own earlier visits and the cohort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.report.matrix import Matrix, natural
from cueflow.tasks.report.text import number

WIDTH, TALL = 120.0, 22.0
MIN_COHORT = 5  # fewer other people are no cohort


@dataclass(frozen=True, slots=True)
class Versus:
    """One value against others: two lines of words, and places on a strip `WIDTH` wide (empty: not drawn)."""

    own: str
    cohort: str
    box_x: float
    box_width: float
    mid_x: float
    now_x: float
    earlier: str
    drawn: bool


def compare(matrix: Matrix, session_id: str) -> dict[str, Versus]:
    """Set the values of a session against earlier visits of the same person and against everybody else.

    Parameters
    ----------
    matrix : Matrix
        Of the whole cohort.
    session_id : str
        The session.

    Returns
    -------
    dict
        By biomarker; only where there is anything to compare with.
    """
    if session_id not in matrix.sessions:
        return {}
    at = matrix.sessions.index(session_id)
    person, visit = matrix.subjects[at], natural(matrix.visits[at])
    own = np.array([s == person for s in matrix.subjects])
    before = own & np.array([natural(v) < visit for v in matrix.visits])
    people, means = matrix.of_subjects()
    others = means[[p != person for p in people]]
    found = {}
    for k, name in enumerate(matrix.names):
        now = matrix.values[at, k]
        if np.isfinite(now):
            made = _versus(float(now), matrix.values[before, k], others[:, k])
            if made is not None:
                found[name] = made
    return found


def _versus(now: float, earlier: FloatArray, others: FloatArray) -> Versus | None:
    earlier, others = earlier[np.isfinite(earlier)], others[np.isfinite(others)]
    if not len(earlier) and len(others) < MIN_COHORT:
        return None
    own = cohort = ""
    if len(earlier):
        last = float(earlier[-1])
        own = f"before {number(last)} ({'+' if now >= last else ''}{number(now - last)})"
    if len(others) < MIN_COHORT:
        return Versus(own, "", 0.0, 0.0, 0.0, 0.0, "", drawn=False)
    first, mid, third = (float(q) for q in np.percentile(others, [25, 50, 75]))
    rank = 100 * (float((others < now).sum()) + float((others == now).sum()) / 2) / len(others)
    cohort = f"higher than {rank:.0f} % of {len(others)} others"
    low, high = min(now, *others, *earlier), max(now, *others, *earlier)

    def x(value: float) -> float:
        return round(WIDTH * (0.03 + 0.94 * ((value - low) / (high - low) if high > low else 0.5)), 1)

    dots = "".join(f"M{x(v):g} {TALL / 2:g}h0.01" for v in earlier.tolist())
    return Versus(own, cohort, x(first), max(round(x(third) - x(first), 1), 1.0), x(mid), x(now), dots, drawn=True)
