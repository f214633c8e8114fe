"""The second pass over an export: it knows the original and the copy, and nothing of how the copy was made.

Every byte and every decoded text of the copy, and every name of a file, is searched for the original's ids, run ids,
dates, hashes of recordings, messages, channel names and paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import TablesError
from cueflow.schemas.reasons import SENTENCES
from cueflow.schemas.session import Modality, Role
from cueflow.schemas.tables import TABLES

if TYPE_CHECKING:
    import polars as pl

_PATH = re.compile(
    r"(?:^|[\s\"'=(])(?:/(?:home|Users|mnt|data|tmp|var|srv|media|root|work)/|[A-Za-z]:\\\\?|file://|s3://)"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OWN = {  # words of our own that may also be somebody's channel or label
    "", "session", "patient", "ok", "phase", "marker", "export", *TABLES, *BIOMARKERS, *(m.value for m in Modality),
    *(r.value for r in Role), *SENTENCES.values(),
}  # fmt: skip


def second_pass(original: Path, copy: Path) -> int:
    """Search a copy for anything that leads back to the original.

    Parameters
    ----------
    original, copy : Path
        Two folders of tables.

    Returns
    -------
    int
        Files searched.

    Raises
    ------
    TablesError
        If something is found; the message says what kind and where, not what.
    """
    known = _known(original)
    instants = set(_instants(original))
    n = 0
    for path in sorted(p for p in copy.rglob("*") if p.is_file()):
        n += 1
        where = path.relative_to(copy).as_posix()
        texts = [where, *_texts(path)]
        for kind, values in known.items():
            if any(_holds(text, values) for text in texts) or _in_bytes(path, values):
                raise TablesError(
                    f"The export was refused and removed: a {kind} of the original is in {_short(where)}."
                )
        if any(_PATH.search(text) for text in texts):
            raise TablesError(f"The export was refused and removed: a path is in {_short(where)}.")
        if instants & set(_instants_of(path)):
            raise TablesError(f"The export was refused and removed: a date of the original is in {_short(where)}.")
    return n


def _known(original: Path) -> dict[str, set[str]]:
    """Everything in the original that must not be found, by kind."""
    columns = {
        "subject id": ("sessions", "subject_id"), "session id": ("sessions", "session_id"),
        "run id": ("sessions", "run_id"),
        "message": ("sessions", "message"), "hash of a recording": ("biomarkers", "input_sha256"),
        "channel name": ("biomarkers", "channel"),
    }  # fmt: skip
    found = {kind: set(_column(original, table, column)) for kind, (table, column) in columns.items()}
    found["data set name"] = {p.name.removeprefix("dataset=") for p in original.glob("sessions/dataset=*")}
    found["date"] = {day for text in _instants(original) for day in _DATE.findall(text)}
    for text in _column(original, "sessions", "input_sha256"):
        streams = json.loads(text) if text.startswith("{") else {}
        found["hash of a recording"] |= set(streams.values())
        found["channel name"] |= {name.split("/", 2)[-1] for name in streams}
    return {kind: {v for v in values if v not in _OWN and len(v) > 1} for kind, values in found.items()}


def _holds(text: str, values: Iterable[str]) -> bool:
    """Whether a text is one of the values, or holds it as a whole word."""
    words = set(re.split(r"[^\w.+-]+", text)) | set(re.split(r"[/=]", text))
    return any(value == text or value in words or (len(value) > 5 and value in text) for value in values)


def _in_bytes(path: Path, values: Iterable[str]) -> bool:
    raw = path.read_bytes()
    return any(value.encode() in raw for value in values if len(value) > 5)


def _files(root: Path, table: str) -> Iterator[Path]:
    yield from sorted((root / table).rglob("*.parquet"))


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def _column(root: Path, table: str, column: str) -> set[str]:
    found: set[str] = set()
    for path in _files(root, table):
        frame = _read(path)
        if column in frame.columns:
            found |= {str(v) for v in frame[column].drop_nulls().unique().to_list()}
    return found


def _instants(root: Path) -> set[str]:
    return {text for path in _files(root, "sessions") for text in _instants_of(path)}


def _instants_of(path: Path) -> set[str]:
    import polars as pl

    if path.suffix != ".parquet":
        return set()
    times = _read(path).select(pl.col(pl.Datetime))
    return {value.isoformat() for column in times for value in column.drop_nulls().to_list()}


def _texts(path: Path) -> list[str]:
    """All text of a file: of Parquet its values and its metadata, else its lines."""
    import polars as pl
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        return path.read_text("utf-8", errors="replace").splitlines()
    frame = _read(path)
    values = [str(v) for column in frame.select(pl.col(pl.String)) for v in column.drop_nulls().unique().to_list()]
    lists = [
        str(v) for column in frame.select(pl.col(pl.List(pl.String))) for v in column.explode().drop_nulls().unique()
    ]
    schema = pq.read_schema(path)
    said = [*(schema.metadata or {}).values()]
    return [*values, *lists, *(m.decode("utf-8", errors="replace") for m in said)]


def _short(where: str) -> str:
    """Place of a find: table and kind of file only, as names of folders may be what was found."""
    parts = where.split("/")
    return parts[0] if len(parts) > 1 else where
