"""Columns that divide sessions: site, visit, sex, or any other column of subjects.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason

if TYPE_CHECKING:
    import polars as pl

UNKNOWN = "unknown"


def read_subjects(path: str | Path) -> pl.DataFrame:
    """Read subjects.csv.

    Parameters
    ----------
    path : path
        CSV with subject_id and any other columns.

    Returns
    -------
    polars.DataFrame
        All columns as text.

    Raises
    ------
    FusionError
        If the file cannot be read or has no subject_id.
    """
    import polars as pl

    path = Path(path)
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        line = str(error).splitlines()[0].replace(str(path), path.name)
        raise FusionError(f"{path.name}: cannot be read ({line})", reason=Reason.FILE_UNREADABLE) from error
    if "subject_id" not in frame.columns:
        raise FusionError(f"{path.name}: needs the column subject_id", reason=Reason.COLUMN_MISSING)
    return frame


def group_of_sessions(
    frame: pl.DataFrame, session_ids: Sequence[str], column: str, *, subjects: pl.DataFrame | None
) -> list[str]:
    """Value of a column for each session, from subjects.csv or from the table itself.

    Parameters
    ----------
    frame : polars.DataFrame
        Long table with session_id and subject_id.
    session_ids : sequence of str
        Sessions asked for.
    column : str
        Which column.
    subjects : polars.DataFrame or None
        subject_id and covariates.

    Returns
    -------
    list of str
        In the order of `session_ids`; "unknown" where there is no value.

    Raises
    ------
    FusionError
        If neither has the column, or a subject or session has two different values in it.
    """
    import polars as pl

    pairs = frame.select(pl.col("session_id").cast(pl.String), pl.col("subject_id").cast(pl.String)).unique()
    if subjects is not None and {"subject_id", column} <= set(subjects.columns):
        joined = pairs.join(_one_value(subjects, "subject_id", column), on="subject_id", how="left")
    elif column in frame.columns:
        joined = pairs.join(_one_value(frame, "session_id", column), on="session_id", how="left")
    else:
        raise FusionError(
            f"no column {column!r} in subjects.csv or the table (--subjects names the file)",
            reason=Reason.COLUMN_MISSING,
        )
    known = dict(zip(joined["session_id"], joined["group"].fill_null(UNKNOWN), strict=True))
    return [known[session] for session in session_ids]


def _one_value(frame: pl.DataFrame, key: str, column: str) -> pl.DataFrame:
    """The one value of each key; an empty value beside another one is no contradiction.

    Raises
    ------
    FusionError
        If a key has two.
    """
    import polars as pl

    pairs = frame.select(pl.col(key).cast(pl.String), pl.col(column).cast(pl.String).alias("group"))
    pairs = pairs.filter(pl.col("group").fill_null("") != "").unique()
    twice = pairs.filter(pl.col(key).is_duplicated())[key].n_unique()
    if twice:
        what = "subjects" if key == "subject_id" else "sessions"
        raise FusionError(
            f"{twice} {what} have two different values of {column!r}; keep one each", reason=Reason.CONFIG_INVALID
        )
    return pairs
