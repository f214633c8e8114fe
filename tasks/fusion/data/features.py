"""From a long table of biomarkers to one matrix per modality; what is missing stays missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason

if TYPE_CHECKING:
    import polars as pl

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REQUIRED = ("session_id", "subject_id", "modality", "biomarker", "value")
OPTIONAL = (
    "visit",
    "coverage",
    "quality",
    "role",
    "phase",
    "window_start_s",
    "window_end_s",
    "method_version",
)
NUMBERS = ("value", "coverage", "quality", "window_start_s", "window_end_s")
SESSION = "session"
PATIENT = "patient"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One modality of n sessions and p biomarkers.

    `values` (n, p) and `rest` (n, p, the same measures in the rest phase, or None where none is asked for) hold NaN
    where a value is missing. `reliability` (n,) is coverage × quality, 0 to 1, and 0 where the modality is missing;
    `spans` (2, n, p) start and end of the windows in s, NaN where unknown, None unless asked for.
    """

    biomarkers: tuple[str, ...]
    values: FloatArray
    reliability: FloatArray
    rest: FloatArray | None = None
    spans: FloatArray | None = None

    @property
    def present(self) -> NDArray[np.bool_]:
        """Sessions (n,) with at least one value."""
        return np.asarray(np.isfinite(self.values).any(axis=1))


@dataclass(frozen=True, slots=True)
class Features:
    """Sessions with their subjects and one matrix per modality, all in the order of `session_ids`."""

    session_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    modalities: Mapping[str, Matrix]
    methods: Mapping[str, tuple[str, ...]]


def read_long_table(path: str | Path, *, also: Sequence[str] = ()) -> pl.DataFrame:
    """Read biomarkers made anywhere, one value a row.

    Parameters
    ----------
    path : path
        Parquet, CSV or TSV with session_id, subject_id, modality, biomarker, value, and optionally visit, coverage,
        quality, role, phase, window_start_s, window_end_s, method_version; other columns are not read.
    also : sequence of str, optional
        Columns that are read as text where they are there (site, say).

    Returns
    -------
    polars.DataFrame
        Ids as categories, numbers as 64-bit floats.

    Raises
    ------
    FusionError
        If the file cannot be read or a required column is missing.
    """
    import polars as pl

    path = Path(path)
    text = dict.fromkeys((*REQUIRED[:4], "visit", "role", "phase", "method_version", *also), pl.String)
    try:
        if path.suffix == ".parquet":
            lazy = pl.scan_parquet(path)
        else:
            separator = "\t" if path.suffix == ".tsv" else ","
            names = pl.scan_csv(path, separator=separator).collect_schema().names()
            kinds = {name: kind for name, kind in text.items() if name in names}
            lazy = pl.scan_csv(path, separator=separator, schema_overrides=kinds, null_values=["", "NA", "NaN", "nan"])
        known = lazy.collect_schema().names()
        _require(known, path.name)
        keep = [name for name in dict.fromkeys((*REQUIRED, *OPTIONAL, *also)) if name in known]
        few = [pl.col(name).cast(pl.String).cast(pl.Categorical) for name in keep if name not in NUMBERS]
        some = [pl.col(name).cast(pl.Float64) for name in keep if name in NUMBERS]
        return lazy.select(keep).with_columns(few + some).collect(engine="streaming")
    except (OSError, pl.exceptions.PolarsError) as error:
        line = str(error).splitlines()[0].replace(str(path), path.name)
        raise FusionError(f"{path.name}: cannot be read ({line})", reason=Reason.FILE_UNREADABLE) from error


def _require(columns: Sequence[str], what: str) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise FusionError(
            f"{what}: needs the columns {', '.join(missing)} (a long table has one value a row)",
            reason=Reason.COLUMN_MISSING,
        )


def prepare(frame: pl.DataFrame) -> pl.DataFrame:
    """Check a long table and keep the patient's rows.

    Parameters
    ----------
    frame : polars.DataFrame
        Long table with the required columns.

    Returns
    -------
    polars.DataFrame
        Only columns that fusion uses; rows of other roles are gone.

    Raises
    ------
    FusionError
        If a column is missing, a value is not a number or infinite, or a session has two subjects.
    """
    import polars as pl

    _require(frame.columns, "table")
    frame = frame.select([name for name in (*REQUIRED, *OPTIONAL) if name in frame.columns])
    try:
        frame = frame.with_columns([pl.col(name).cast(pl.Float64) for name in NUMBERS if name in frame.columns])
    except pl.exceptions.PolarsError as error:
        raise FusionError("table: a number column holds text; clean it first", reason=Reason.NOT_A_NUMBER) from error
    if "role" in frame.columns:
        frame = frame.filter(pl.col("role").cast(pl.String).fill_null(PATIENT) == PATIENT)
    if frame.select(pl.col("session_id").is_null().any() | pl.col("subject_id").is_null().any()).item():
        raise FusionError(
            "table: rows without session_id or subject_id; fill or drop them", reason=Reason.TABLES_INVALID
        )
    if frame.select(pl.col("value").is_infinite().any()).item():
        names = frame.filter(pl.col("value").is_infinite())["biomarker"].cast(pl.String).unique().sort()
        raise FusionError(
            f"infinite values in {', '.join(names[:3])}: make them empty (missing) first", reason=Reason.NOT_A_NUMBER
        )
    pairs = frame.select("session_id", "subject_id").unique()
    if pairs.height != pairs["session_id"].n_unique():
        raise FusionError("a session belongs to two subjects; correct the table", reason=Reason.TABLES_INVALID)
    return frame


def to_features(
    frame: pl.DataFrame,
    *,
    columns: Mapping[str, Sequence[str]] | None = None,
    rest_phase: str | None = None,
    with_spans: bool = False,
) -> Features:
    """Spread a prepared long table into one matrix per modality.

    Several rows of one session and biomarker (channels) become their mean.

    Parameters
    ----------
    frame : polars.DataFrame
        What `prepare` returned.
    columns : mapping, optional
        Modality to biomarkers, in the order wanted (a model's); default: all of the table, by name.
    rest_phase : str, optional
        Phase whose values are the baseline of the same session.
    with_spans : bool, optional
        Keep the windows that the values come from.

    Returns
    -------
    Features

    Raises
    ------
    FusionError
        If there is no row of phase "session".
    """
    import polars as pl

    rest = frame.clear() if rest_phase is None else _phase(frame, rest_phase)
    frame = _phase(frame, SESSION)
    if not frame.height:
        raise FusionError("no values for whole sessions (phase session); check the table", reason=Reason.TABLES_INVALID)
    subjects = frame.select(pl.col("session_id").cast(pl.String), pl.col("subject_id").cast(pl.String)).unique()
    subjects = subjects.sort("session_id")
    sessions = pl.Enum(subjects["session_id"])
    if columns is None:
        pairs = frame.select(pl.col("modality").cast(pl.String), pl.col("biomarker").cast(pl.String)).unique()
        listed = pairs.sort("modality", "biomarker").group_by("modality", maintain_order=True).agg("biomarker")
        columns = {row["modality"]: tuple(row["biomarker"]) for row in listed.iter_rows(named=True)}
    found: dict[str, Matrix] = {}
    for modality, names in columns.items():
        main, quiet = (_cells(part, modality, tuple(names), sessions) for part in (frame, rest))
        found[modality] = _matrix(
            main, quiet if rest_phase is not None else None, tuple(names), subjects.height, spans=with_spans
        )
    return Features(tuple(subjects["session_id"]), tuple(subjects["subject_id"]), found, _methods(frame))


def _phase(frame: pl.DataFrame, phase: str) -> pl.DataFrame:
    import polars as pl

    if "phase" not in frame.columns:
        return frame if phase == SESSION else frame.clear()
    return frame.filter(pl.col("phase").cast(pl.String).fill_null(SESSION) == phase)


def _cells(frame: pl.DataFrame, modality: str, names: tuple[str, ...], sessions: pl.Enum) -> pl.DataFrame:
    """Rows of a modality that have a value, with `row` and `column` of the matrix."""
    import polars as pl

    wanted = pl.col("biomarker").cast(pl.String).is_in(list(names))
    mine = frame.filter((pl.col("modality").cast(pl.String) == modality) & wanted & pl.col("value").is_not_null())
    row = pl.col("session_id").cast(pl.String).cast(sessions, strict=False).to_physical().cast(pl.Int64)
    column = pl.col("biomarker").cast(pl.String).cast(pl.Enum(list(names))).to_physical().cast(pl.Int64)
    numbers = [name for name in NUMBERS if name in mine.columns]
    return mine.select(row.alias("row"), column.alias("column"), *numbers).filter(
        pl.col("value").is_not_nan() & pl.col("row").is_not_null()
    )


def _matrix(cells: pl.DataFrame, rest: pl.DataFrame | None, names: tuple[str, ...], n: int, *, spans: bool) -> Matrix:
    values = _scatter(cells, "value", n, len(names))
    return Matrix(
        biomarkers=names,
        values=values,
        reliability=_reliability(cells, n),
        rest=None if rest is None else _scatter(rest, "value", n, len(names)),
        spans=_spans(cells, n, len(names)) if spans else None,
    )


def _scatter(cells: pl.DataFrame, name: str, n: int, p: int) -> FloatArray:
    """Mean of the column over the rows of each cell, shape (n, p), NaN where there is none."""
    flat = cells["row"].to_numpy() * p + cells["column"].to_numpy()
    numbers = cells[name].fill_null(np.nan).to_numpy()
    count = np.bincount(flat, minlength=n * p)
    total = np.bincount(flat, weights=numbers, minlength=n * p)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(n, p))


def _reliability(cells: pl.DataFrame, n: int) -> FloatArray:
    weight = np.ones(cells.height)
    for name in ("coverage", "quality"):
        if name in cells.columns:
            weight *= np.clip(cells[name].fill_null(1.0).fill_nan(1.0).to_numpy(), 0.0, 1.0)
    row = cells["row"].to_numpy()
    count = np.bincount(row, minlength=n)
    return np.asarray(np.bincount(row, weights=weight, minlength=n) / np.maximum(count, 1))


def _spans(cells: pl.DataFrame, n: int, p: int) -> FloatArray:
    both = [
        _scatter(cells, name, n, p) if name in cells.columns else np.full((n, p), np.nan)
        for name in ("window_start_s", "window_end_s")
    ]
    return np.stack(both)


def _methods(frame: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """Versions of the methods behind each biomarker, where the table says."""
    import polars as pl

    if "method_version" not in frame.columns:
        return {}
    known = frame.filter(pl.col("value").is_not_null() & pl.col("method_version").is_not_null())
    pairs = known.select(pl.col("biomarker").cast(pl.String), pl.col("method_version").cast(pl.String)).unique()
    listed = pairs.filter(pl.col("method_version") != "").sort("biomarker", "method_version")
    grouped = listed.group_by("biomarker", maintain_order=True).agg("method_version")
    return {row["biomarker"]: tuple(row["method_version"]) for row in grouped.iter_rows(named=True)}
