"""De-identified export: chosen biomarkers under new names, as a folder of tables that opens like any other."""

from __future__ import annotations

import secrets
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import BIOMARKERS, in_order
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.atomic import disk_errors
from cueflow.storage.layout import state_dir
from cueflow.storage.readers import reading
from cueflow.storage.records.audit import record
from cueflow.storage.scan import collected, placed_sessions, visible
from cueflow.storage.sharing.inspect import second_pass
from cueflow.storage.sharing.pseudonyms import Key, new_key, write_key
from cueflow.storage.tables import TableStore

if TYPE_CHECKING:
    import polars as pl

DATASET = "export"
_GROUPS = ("video", "audio", "physiology")
_KEPT = (
    "status", "reason", "duration_s", "modalities", "cueflow_version", "schema_version", "layout", "config_hash",
    "fusion_status",
    *(f"{group}_{what}" for group in _GROUPS for what in ("status", "reason", "coverage")),
)  # fmt: skip
_HASHES = ("input_sha256",)


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into an export: patterns of biomarkers, whether events and seconds go too, and the smallest cell."""

    biomarkers: Sequence[str] = ("*",)
    events: bool = False
    windows: bool = False
    k: int = 5


@dataclass(frozen=True, slots=True)
class Export:
    """What was exported, and what was left out as too rare to hide in."""

    sessions: int
    subjects: int
    rows: int
    rare: tuple[str, ...]
    checked: int

    @property
    def sentence(self) -> str:
        """The export in one sentence."""
        rare = f" Left out, in fewer subjects than allowed: {', '.join(self.rare)}." if self.rare else ""
        return (
            f"Exported {self.rows} rows of {self.sessions} sessions of {self.subjects} subjects; a second pass read "
            f"{self.checked} files and found no id, date, path or text of the original.{rare}"
        )


def deidentify(root: Path, out: Path, *, key_file: Path, choice: Choice) -> Export:
    """Write a de-identified copy of the tables, and have it checked.

    New pseudonyms, shifted dates, channels numbered, no messages, evidence, hashes of recordings or run ids; a
    biomarker, phase or label that fewer than k subjects have is left out. When the second pass finds anything of the
    original, the copy and the key are removed again.

    Parameters
    ----------
    root, out : Path
        TABLES, and an empty or new folder outside of it.
    key_file : Path
        File for what leads back; not inside `out`.
    choice : Choice
        What goes along.

    Returns
    -------
    Export

    Raises
    ------
    TablesError
        If nothing is left to export, a folder cannot be used, or the second pass finds something.
    """
    _refuse_places(root, out, key_file)
    with reading(root), disk_errors("exporting"):
        placed = placed_sessions(root)
        sessions = collected(visible(root, "sessions", placed))
        tables = {name: collected(visible(root, name, placed)) for name in _wanted(choice)}
        tables["biomarkers"] = _in_names(tables["biomarkers"], choice.biomarkers)
        people = sessions["subject_id"].n_unique()
        if people < choice.k:
            raise TablesError(f"Only {people} subjects, fewer than {choice.k}: nobody can hide among them (--k).")
        tables, rare = _without_rare(tables, sessions, choice.k)
        key = new_key(sessions)
        write_key(key, key_file)
        try:
            rows = _write(out, sessions, tables, key)
            shutil.rmtree(state_dir(out))  # locks and the day of the export: of no use to who receives it
            checked = second_pass(root, out)
        except BaseException:
            shutil.rmtree(out, ignore_errors=True)
            key_file.unlink(missing_ok=True)
            raise
    done = Export(sessions.height, people, rows, rare, checked)
    record(root, "export", kind="deidentified", sessions=done.sessions, subjects=done.subjects, rows=rows)
    return done


def _refuse_places(root: Path, out: Path, key_file: Path) -> None:
    """Refuse folders that would mix what must stay apart.

    Raises
    ------
    TablesError
        If OUT is inside TABLES, is not empty, or would hold the key.
    """
    if out.resolve().is_relative_to(root.resolve()):
        raise TablesError("The export would lie inside the tables: choose another folder.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TablesError("The folder of the export is not empty: choose a new one.")
    if key_file.resolve().is_relative_to(out.resolve()):
        raise TablesError("The key would lie inside the export: name a file elsewhere (--key).")


def _wanted(choice: Choice) -> list[str]:
    return ["biomarkers", *(["events"] if choice.events else []), *(["windows"] if choice.windows else [])]


def _in_names(rows: pl.DataFrame, patterns: Iterable[str]) -> pl.DataFrame:
    """Rows of the biomarkers that fit the patterns; measures of own actions are found by name like the declared ones.

    Raises
    ------
    TablesError
        If a pattern fits nothing.
    """
    import polars as pl

    known = {*BIOMARKERS, *(b.name for b in in_order(rows["biomarker"].unique()))}
    found: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in known if fnmatchcase(name, pattern)}
        if not fitting:
            raise TablesError(f"No biomarker is called {pattern!r}: `cueflow dictionary` lists them.")
        found |= fitting
    return rows.filter(pl.col("biomarker").is_in(sorted(found)))


def _without_rare(
    tables: dict[str, pl.DataFrame], sessions: pl.DataFrame, k: int
) -> tuple[dict[str, pl.DataFrame], tuple[str, ...]]:
    """Leave out what fewer than k subjects have: such a cell points at a person."""
    import polars as pl

    rare: list[str] = []
    who = sessions.select("dataset", "session_id", pl.col("subject_id").alias("person"))
    kept = {}
    for name, rows in tables.items():
        for column in [c for c in ("phase", "label", "kind", "role", "biomarker") if c in rows.columns]:
            counted = rows.join(who, on=["dataset", "session_id"]).filter(_filled(rows))
            often = counted.group_by(column).agg(pl.col("person").n_unique().alias("n")).filter(pl.col("n") >= k)
            left = rows.filter(pl.col(column).is_in(often[column].drop_nulls().to_list()) | pl.col(column).is_null())
            gone = rows[column].n_unique() - left[column].n_unique()
            if gone:
                rare.append(f"{gone} {name} by {column}")
            rows = left
        kept[name] = rows
    return kept, tuple(rare)


def _filled(rows: pl.DataFrame) -> pl.Expr:
    """Rows that say something about their person."""
    import polars as pl

    return pl.col("value").is_not_null() if "value" in rows.columns else pl.lit(value=True)


def _write(out: Path, sessions: pl.DataFrame, tables: dict[str, pl.DataFrame], key: Key) -> int:
    import polars as pl

    run, n = str(uuid.uuid4()), 0
    salt = secrets.token_hex(8)
    order = sorted(sessions.to_dicts(), key=lambda row: key.sessions[row["dataset"], row["session_id"]])
    store = TableStore(out, DATASET)
    ids = list(key.sessions.values())
    with store.writing(root_fingerprint=salt, session_ids=ids):
        for row in order:
            name = key.sessions[row["dataset"], row["session_id"]]
            mine = {
                table: rows.filter((pl.col("dataset") == row["dataset"]) & (pl.col("session_id") == row["session_id"]))
                for table, rows in tables.items()
            }
            new = {"session_id": name, "run_id": run} | _person(row, key)
            numbers = _channel_numbers(mine)
            made = {table: _renamed(table, rows, new, numbers) for table, rows in mine.items()}
            head = pl.DataFrame([_session(row, key) | new], schema=_schema("sessions"))
            store.commit_session(name, {t: _arrow(t, f) for t, f in {**made, "sessions": head}.items()}, run_id=run)
            n += sum(f.height for f in made.values()) + 1
    return n


def _person(row: dict[str, object], key: Key) -> dict[str, str]:
    person, visit = str(row["subject_id"] or ""), str(row["visit"] or "")
    return {"subject_id": key.subjects[person], "visit": key.visits[person, visit]}


def _session(row: dict[str, object], key: Key) -> dict[str, object]:
    shift = key.shifts[str(row["subject_id"] or "")]
    dates = {name: row[name] + shift for name in ("started_utc", "finished_utc") if row[name] is not None}  # type: ignore[operator]
    return {name: row[name] for name in _KEPT} | dates | {"message": "", "sync": "[]", "depends_on": "{}"}


def _modality(rows: pl.DataFrame) -> str:
    """The column that names the modality of a row's stream."""
    return "modality" if "modality" in rows.columns else "source"


def _channel_numbers(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Numbers of a session's channels, the same in all of its tables."""
    import polars as pl

    named = [
        rows.select(pl.col(_modality(rows), "role", "channel").cast(pl.String)).rename({_modality(rows): "modality"})
        for rows in tables.values()
        if "channel" in rows.columns
    ]
    number = pl.col("channel").rank("dense").over("modality", "role").cast(pl.Int64).cast(pl.String)
    return pl.concat(named).unique().filter(pl.col("channel") != "").with_columns(number=number)


def _renamed(table: str, rows: pl.DataFrame, new: dict[str, str], numbers: pl.DataFrame) -> pl.DataFrame:
    """Rows under their new names: channels become numbers, free text and hashes of recordings go."""
    import polars as pl

    changed = {name: pl.lit(value) for name, value in new.items() if name in rows.columns}
    if "channel" in rows.columns:
        on = [_modality(rows), "role", "channel"]
        rows = rows.with_columns(pl.col(on).cast(pl.String)).join(
            numbers.rename({"modality": on[0]}), on=on, how="left", nulls_equal=True, maintain_order="left"
        )
        changed["channel"] = pl.col("number").fill_null("")
    for gone in (*_HASHES, "evidence"):
        if gone in rows.columns:
            changed[gone] = pl.lit("{}" if gone == "evidence" else "")
    return rows.with_columns(**changed).select(arrow_schema(table).names)


def _schema(table: str) -> dict[str, pl.DataType]:
    import polars as pl

    empty = pl.from_arrow(arrow_schema(table).empty_table())
    return dict(empty.schema)  # type: ignore[union-attr]


def _arrow(table: str, rows: pl.DataFrame) -> object:
    return rows.select(arrow_schema(table).names).to_arrow().cast(arrow_schema(table)) if table in TABLES else rows
