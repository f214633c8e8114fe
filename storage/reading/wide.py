"""The wide view: one row per session, one column per biomarker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.storage.scan import collected

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_SESSION = ("dataset", "session_id")
_HEAD = (*_SESSION, "subject_id", "visit")


def wide_frame(
    sessions: pl.LazyFrame, biomarkers: pl.LazyFrame, *, phase: str, role: str, sessions_wanted: Sequence[str] | None
) -> pl.LazyFrame:
    """Turn the values of sessions into columns.

    Parameters
    ----------
    sessions, biomarkers : polars.LazyFrame
        Rows that count.
    phase : str
        Phase whose values are taken.
    role : str
        Whose recordings are taken.
    sessions_wanted : sequence of str, optional
        Only these session ids.

    Returns
    -------
    polars.LazyFrame
        `dataset`, `session_id`, `subject_id`, `visit` and every declared biomarker, sorted by dataset and session.
    """
    import polars as pl

    named = pl.lit(value=True) if sessions_wanted is None else pl.col("session_id").is_in(list(sessions_wanted))
    head = collected(sessions.filter(named).select(_HEAD)).sort(_SESSION)
    taken = pl.col("value").is_not_null() & (pl.col("phase") == phase) & (pl.col("role") == role)
    rows = biomarkers.filter(named, pl.col("status") == "ok", taken).select(*_SESSION, "biomarker", "value", "coverage")
    return pl.concat([head, _turned(head, collected(rows))], how="horizontal").lazy()


def _turned(head: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """A column per declared biomarker, a row per session of `head`; of several values the best covered one."""
    import polars as pl

    names = sorted(BIOMARKERS)
    where = head.select(_SESSION).with_row_index("row")
    which = pl.DataFrame({"biomarker": names}).with_row_index("column")
    placed = rows.join(where, on=list(_SESSION)).join(which, on="biomarker").sort("coverage", nulls_last=False)
    values = np.full((head.height, len(names)), np.nan)
    values[placed["row"].to_numpy(), placed["column"].to_numpy()] = placed["value"].to_numpy()  # the last one stays
    return pl.DataFrame(values, schema=names).fill_nan(None)


def described(rows: pa.Table) -> pa.Table:
    """Rows whose columns named as a biomarker carry its unit, definition and source in the field metadata."""
    import pyarrow as pa

    fields = []
    for field in rows.schema:
        known = BIOMARKERS.get(field.name)
        about = {"unit": known.unit, "definition": known.definition, "source": known.source} if known else None
        fields.append(field.with_metadata(about) if about else field)
    return rows.cast(pa.schema(fields))
