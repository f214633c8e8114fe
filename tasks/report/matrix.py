"""Values of a cohort as a matrix: one row per session, one column per biomarker that anybody has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.biomarkers import in_order
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Matrix:
    """`values`, shape (sessions, biomarkers), NaN where a session has none; sessions in order of subject and visit."""

    sessions: tuple[str, ...]
    subjects: tuple[str, ...]
    visits: tuple[str, ...]
    names: tuple[str, ...]
    values: FloatArray

    def column(self, name: str) -> FloatArray:
        """Values of one biomarker, shape (sessions,)."""
        return self.values[:, self.names.index(name)]

    def of_subjects(self) -> tuple[tuple[str, ...], FloatArray]:
        """Mean of each subject, shape (subjects, biomarkers): so that nobody counts twice."""
        people = tuple(dict.fromkeys(self.subjects))
        who = np.array([people.index(s) for s in self.subjects], dtype=np.int64)
        present = np.isfinite(self.values)
        total, n = np.zeros((len(people), len(self.names))), np.zeros((len(people), len(self.names)))
        np.add.at(total, who, np.where(present, self.values, 0.0))
        np.add.at(n, who, present)
        return people, np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


def make_matrix(sessions: pl.DataFrame, biomarkers: pl.DataFrame) -> Matrix:
    """Arrange the values of patients over whole sessions that are ok; of several the best covered one.

    Parameters
    ----------
    sessions : polars.DataFrame
        Rows of the `sessions` table.
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.

    Returns
    -------
    Matrix
    """
    import polars as pl

    rows = [(s or "", p or "", v or "") for s, p, v in sessions.select("session_id", "subject_id", "visit").iter_rows()]
    rows.sort(key=lambda row: (row[1], natural(row[2]), row[0]))
    used = biomarkers.filter(
        pl.col("value").is_not_null(),
        pl.col("status") == "ok",
        pl.col("phase") == "session",
        pl.col("role").fill_null("patient") == "patient",
    ).sort("coverage", nulls_last=False)
    names = tuple(b.name for b in in_order(used["biomarker"].unique()))
    row_of = {row[0]: at for at, row in enumerate(rows)}
    column_of = {name: at for at, name in enumerate(names)}
    values = np.full((len(rows), len(names)), np.nan)
    for session, name, value in used.select("session_id", "biomarker", "value").iter_rows():
        if session in row_of and name in column_of:
            values[row_of[session], column_of[name]] = value  # the last one is the best covered
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return Matrix(tuple(columns[0]), tuple(columns[1]), tuple(columns[2]), names, values)


def natural(text: str) -> list[tuple[int, int, str]]:
    """Key that sorts visit 2 before visit 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
