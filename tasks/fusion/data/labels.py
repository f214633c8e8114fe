"""What is to be predicted: one 0/1 label a session, never made silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.data.features import FloatArray

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Target:
    """Name of the target and, for a score, the value from which on it counts as present."""

    name: str
    threshold: float | None = None


def read_labels(path: str | Path) -> pl.DataFrame:
    """Read labels.csv.

    Parameters
    ----------
    path : path
        CSV with session_id, target, value.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    FusionError
        If the file cannot be read or a column is missing.
    """
    import polars as pl

    path = Path(path)
    try:
        frame = pl.read_csv(path, schema_overrides={"session_id": pl.String, "target": pl.String})
    except (OSError, pl.exceptions.PolarsError) as error:
        line = str(error).splitlines()[0].replace(str(path), path.name)
        raise FusionError(f"{path.name}: cannot be read ({line})", reason=Reason.FILE_UNREADABLE) from error
    _require(frame, path.name)
    return frame


def _require(frame: pl.DataFrame, what: str) -> None:
    missing = [name for name in ("session_id", "target", "value") if name not in frame.columns]
    if missing:
        raise FusionError(f"{what}: needs the columns {', '.join(missing)}", reason=Reason.COLUMN_MISSING)


def align_labels(labels: pl.DataFrame, session_ids: Sequence[str], target: Target) -> FloatArray:
    """0/1 label of each session.

    Parameters
    ----------
    labels : polars.DataFrame
        session_id, target, value.
    session_ids : sequence of str
        Sessions of the tables, n of them.
    target : Target
        Which label, and its threshold.

    Returns
    -------
    ndarray, shape (n,)
        0.0 or 1.0, NaN where a session has no label.

    Raises
    ------
    FusionError
        If the target is unknown, a labelled session is not in the tables, a session has two different labels, a value
        is not a number, more than two values come without a threshold, or there is one class only.
    """
    import polars as pl

    _require(labels, "labels")
    mine = labels.filter(pl.col("target").cast(pl.String) == target.name)
    if not mine.height:
        known = ", ".join(sorted(labels["target"].cast(pl.String).unique().drop_nulls())[:5])
        raise FusionError(f"no labels for target {target.name!r}; there are: {known}", reason=Reason.CONFIG_INVALID)
    value = mine["value"].cast(pl.Float64, strict=False).fill_nan(None)
    if value.null_count() > mine["value"].null_count() or value.is_infinite().any():
        raise FusionError(f"labels of {target.name!r} must be numbers; correct labels.csv", reason=Reason.NOT_A_NUMBER)
    mine = mine.select(pl.col("session_id").cast(pl.String), value.alias("value")).drop_nulls().unique()
    twice = mine.filter(pl.col("session_id").is_duplicated())["session_id"].unique().sort()
    if len(twice):
        raise FusionError(
            f"{len(twice)} session(s) labelled twice, differently (first: {twice[0]}): keep one label each",
            reason=Reason.CONFIG_INVALID,
        )
    strangers = mine.filter(~pl.col("session_id").is_in(list(session_ids)))["session_id"].sort()
    if len(strangers):
        raise FusionError(
            f"{len(strangers)} labelled session(s) not in the tables (first: {strangers[0]})",
            reason=Reason.CONFIG_INVALID,
        )
    known_values = dict(zip(mine["session_id"], mine["value"], strict=True))
    raw = np.array([known_values.get(session, np.nan) for session in session_ids], dtype=np.float64)
    return _binary(raw, target)


def _binary(raw: FloatArray, target: Target) -> FloatArray:
    seen = np.unique(raw[np.isfinite(raw)])
    if target.threshold is not None:
        made = np.where(np.isfinite(raw), (raw >= target.threshold).astype(np.float64), np.nan)
    elif np.isin(seen, (0.0, 1.0)).all():
        made = raw
    else:
        raise FusionError(
            f"target {target.name!r} is a score from {seen[0]:g} to {seen[-1]:g}: say from which value on it counts as "
            "present (--threshold)",
            reason=Reason.CONFIG_INVALID,
        )
    if len(np.unique(made[np.isfinite(made)])) < 2:
        raise FusionError(f"target {target.name!r} has one class only: nothing to learn", reason=Reason.FEW_SUBJECTS)
    return made
