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
    from cueflow.storage.remote.mirror import place

    source = place(source)
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


def remember_training(source: Path, labels: Path, *, target: str, model_sha256: str) -> None:
    """Note in the tables whom a model was trained on, so that an erasure can name it; a long table has no place for it.

    Parameters
    ----------
    source, labels : Path
        What the model was trained on.
    target : str
        What it predicts.
    model_sha256 : str
        Hash that names it.
    """
    from cueflow.storage.remote.mirror import place

    source = place(source)
    if not source.is_dir():
        return
    import polars as pl

    from cueflow.storage.reading.queries import open_tables
    from cueflow.storage.records.trained import remember_model

    labelled = pl.read_csv(labels, infer_schema=False).filter(target=target)["session_id"].unique().to_list()
    sessions = open_tables(source).sessions.filter(pl.col("session_id").is_in(labelled)).collect()
    remember_model(source, model_sha256, sessions["subject_id"].drop_nulls().to_list(), target=target)
