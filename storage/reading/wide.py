"""The wide view: one row per session, one column per biomarker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS, find_biomarker
from cueflow.storage.scan import collected

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_SESSION = ("dataset", "session_id")
_HEAD = (*_SESSION, "subject_id", "visit")

PREFERRED = ("coverage", "n_evidence", "value")
"""Of several values of a session the one that is largest by these, the value itself only so that it is always the same:
a room's microphone and a snippet to know a voice by both cover all of themselves."""


def wide_names(sessions: pl.DataFrame) -> tuple[str, ...]:
    """Columns of the wide view after its ids.

    Parameters
    ----------
    sessions : polars.DataFrame
        From `storage.scan.placed_sessions`.

    Returns
    -------
    tuple of str
        Every declared biomarker, then what the sessions have of the user's own actions, each by name.
    """
    own = sessions["own_biomarkers"].explode().drop_nulls().unique()
    return (*sorted(BIOMARKERS), *sorted(name for name in own if find_biomarker(name)))


def wide_frame(
    sessions: pl.LazyFrame,
    biomarkers: pl.LazyFrame,
    names: Sequence[str],
    *,
    phase: str,
    role: str,
    few: Sequence[str] | None,
) -> pl.LazyFrame:
    """Turn the values of sessions into columns.

    Parameters
    ----------
    sessions, biomarkers : polars.LazyFrame
        Rows that count.
    names : sequence of str
        Biomarkers: the columns, in this order.
    phase : str
        Phase whose values are taken.
    role : str
        Whose recordings are taken.
    few : sequence of str, optional
        Ids of the sessions, where they are few among those in the files.

    Returns
    -------
    polars.LazyFrame
        `dataset`, `session_id`, `subject_id`, `visit` and the biomarkers, sorted by dataset and session.
    """
    import polars as pl

    head = collected(sessions.select(_HEAD)).sort(_SESSION)
    taken = pl.all_horizontal(
        pl.col("status") == "ok", pl.col("value").is_not_null(), pl.col("phase") == phase, pl.col("role") == role
    )
    read = biomarkers.select(*_SESSION, "biomarker", *PREFERRED, "status", "phase", "role")
    if few is None:
        rows = collected(read.filter(taken))
    else:  # one condition decodes one column whole; of the others only the rows that it leaves are decoded
        rows = collected(read.filter(pl.col("session_id").is_in(list(few)))).filter(taken)
    return pl.concat([head, _turned(head, rows, names)], how="horizontal").lazy()


def _turned(head: pl.DataFrame, rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """A column per biomarker, a row per session of `head`; of several values the one preferred."""
    import polars as pl

    where = head.select(_SESSION).with_row_index("row")
    column = pl.col("biomarker").cast(pl.Enum(names), strict=False).to_physical().alias("column")
    placed = rows.select(*_SESSION, column, *PREFERRED).drop_nulls("column").join(where, on=list(_SESSION))
    cells = placed["row"].to_numpy().astype(np.int64) * len(names) + placed["column"].to_numpy()
    if len(cells) and np.bincount(cells).max() > 1:
        placed = placed.sort(PREFERRED, nulls_last=False)
        cells = placed["row"].to_numpy().astype(np.int64) * len(names) + placed["column"].to_numpy()
    values = np.full((len(names), head.height), np.nan)
    values[cells % len(names), cells // len(names)] = placed["value"].to_numpy()  # the last one stays
    return pl.DataFrame(dict(zip(names, values, strict=True))).fill_nan(None)


def described(rows: pa.Table) -> pa.Table:
    """Rows whose columns named as a biomarker carry its unit, definition and source in the field metadata."""
    import pyarrow as pa

    fields = []
    for field in rows.schema:
        known = find_biomarker(field.name)
        about = {"unit": known.unit, "definition": known.definition, "source": known.source} if known else None
        fields.append(field.with_metadata(about) if about else field)
    return rows.cast(pa.schema(fields))
