"""Where late fusion gets its rows: our tables, or a long table made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def biomarker_frame(source: Path, *, also: Sequence[str] = ()) -> pl.DataFrame:
    """Biomarkers in long form.

    Parameters
    ----------
    source : Path
        Folder that a run wrote, or a long table (Parquet, CSV) with session_id, subject_id, modality, biomarker, value.
    also : sequence of str, optional
        Further columns of a long table, read as text.

    Returns
    -------
    polars.DataFrame
    """
    if source.is_dir():
        from cueflow.storage.reading.queries import open_tables

        return open_tables(source).biomarkers.collect()
    from cueflow.tasks.fusion import read_long_table

    return read_long_table(source, also=also)


def event_frame(source: Path) -> pl.DataFrame | None:
    """The `events` table of a folder that a run wrote; None for a long table, which has none."""
    if not source.is_dir():
        return None
    from cueflow.storage.reading.queries import open_tables

    return open_tables(source).events.collect()
