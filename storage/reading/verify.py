"""Read every file of the tables whole: what is damaged, which sessions it holds, and how to get them back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.compaction.buckets import bucket_files, bucket_of
from cueflow.storage.layout import PART
from cueflow.storage.owner import is_tables
from cueflow.storage.readers import reading
from cueflow.storage.scan import part_files

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that cannot be trusted: where it lies inside TABLES, whose rows it holds, and what is wrong."""

    path: str
    dataset: str
    sessions: tuple[str, ...]
    what: str


def verify_tables(root: Path) -> tuple[int, tuple[Damage, ...]]:
    """Read every file, with the checksums of its pages, and compare it with what its place says.

    Parameters
    ----------
    root : Path
        TABLES.

    Returns
    -------
    tuple
        Files read, and the damaged ones.

    Raises
    ------
    TablesError
        If the folder holds no tables.
    """
    if not is_tables(root):
        raise TablesError("This folder holds no cueflow tables: name the folder that `cueflow run` wrote.")
    files, found = 0, []
    with reading(root):
        for table in TABLES:
            for path in [*part_files(root, table), *bucket_files(root, table)]:
                files += 1
                what = _wrong(path, table)
                if what:
                    found.append(_damage(root, path, what))
        found += _missing(root)
    return files, tuple(found)


def _wrong(path: Path, table: str) -> str:
    """What is wrong with a file; empty where nothing is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.read()
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({type(error).__name__})"
    return _misplaced(path, rows) or _foreign(rows, table)


def _misplaced(path: Path, rows: pa.Table) -> str:
    import pyarrow.compute as pc

    if "session_id" not in rows.column_names:
        return "has no session_id"
    ids = pc.unique(rows["session_id"].cast("string")).to_pylist()
    if path.name == PART:
        own = unquote(path.parent.name.removeprefix("session="))
        return "" if ids in ([], [own]) else "holds rows of another session"
    number = int(path.stem.removeprefix("bucket="))
    return "" if all(bucket_of(s) == number for s in ids) else "holds rows of another bucket"


def _foreign(rows: pa.Table, table: str) -> str:
    import pyarrow.compute as pc

    declared = arrow_schema(table)
    for field in rows.schema:
        known = declared.field(field.name).type if field.name in declared.names else None
        if known is not None and field.type != known:
            return f"column {field.name} has another type"
    if table == "biomarkers" and rows.num_rows:
        names = set(pc.unique(rows["biomarker"].cast("string")).to_pylist())
        if unknown := sorted(str(n) for n in names - set(BIOMARKERS)):
            return f"holds {len(unknown)} biomarkers that are not declared, {unknown[0]} for one"
    return ""


def _missing(root: Path) -> Iterator[Damage]:
    """Sessions with rows in other tables, whose sessions file or biomarkers file is gone."""
    for here, there in (("sessions", "biomarkers"), ("biomarkers", "sessions")):
        others = {(p.parent.parent.name, p.parent.name) for p in part_files(root, there)}
        for path in part_files(root, here):
            if (path.parent.parent.name, path.parent.name) not in others:
                yield _damage(root, path, f"the session's file of {there} is missing")


def _damage(root: Path, path: Path, what: str) -> Damage:
    relative = path.relative_to(root)
    dataset = unquote(relative.parts[1].removeprefix("dataset="))
    return Damage(relative.as_posix(), dataset, _sessions(root, path), what)


def _sessions(root: Path, path: Path) -> tuple[str, ...]:
    """Whose rows a file holds: from its place, or from the bucket's file of another table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name == PART:
        return (unquote(path.parent.name.removeprefix("session=")),)
    for table in ("sessions", "biomarkers", "windows"):
        other = root / table / path.parent.name / path.name
        try:
            with pq.ParquetFile(other, page_checksum_verification=True) as file:
                ids = file.read(columns=["session_id"])["session_id"].cast("string")
        except (pa.ArrowException, OSError):
            continue
        return tuple(sorted(set(ids.to_pylist())))
    return ()
