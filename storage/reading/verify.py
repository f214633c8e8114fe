"""Damaged files of the tables: what is wrong with them, and which sessions must be written again.

`verify_tables` reads every file whole. A run calls `unreadable_files` before it plans, which reads the files of
`sessions` whole and only the ends of the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cueflow.schemas.biomarkers import find_biomarker
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.compaction.buckets import bucket_files, bucket_of
from cueflow.storage.layout import PART, part_path
from cueflow.storage.owner import is_tables
from cueflow.storage.readers import reading
from cueflow.storage.reading.lost import Damage, lost_rows
from cueflow.storage.scan import part_files
from cueflow.storage.seal import is_whole

if TYPE_CHECKING:
    import pyarrow as pa


_LOOKED_AT = ("session_id", "biomarker")  # of files whose bytes are those that were written


def verify_tables(root: Path) -> tuple[int, tuple[Damage, ...]]:
    """Read every file, compare its bytes with the hash in it, and its rows with what its place and its session say.

    Of files that an older version wrote only the checksums of the pages are compared, where they have any.

    Parameters
    ----------
    root : Path
        TABLES.

    Returns
    -------
    tuple
        Files read, and those that are damaged or missing.

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
        found += lost_rows(root, without=frozenset(root / damage.path for damage in found))
    return files, tuple(found)


def _wrong(path: Path, table: str) -> str:
    """What is wrong with a file; empty where nothing is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        whole = is_whole(path)
        if whole is False:
            return "is not what was written"
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            rows = file.read(columns=[*_LOOKED_AT] if whole else None)
            columns = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({type(error).__name__})"
    return _misplaced(path, rows) or _foreign(columns, rows, table)


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


def _foreign(columns: pa.Schema, rows: pa.Table, table: str) -> str:
    import pyarrow.compute as pc

    declared = arrow_schema(table)
    for field in columns:
        known = declared.field(field.name).type if field.name in declared.names else None
        if known is not None and field.type != known:
            return f"column {field.name} has another type"
    if table == "biomarkers" and rows.num_rows:
        names = set(pc.unique(rows["biomarker"].cast("string")).to_pylist())
        if unknown := sorted(str(n) for n in names if find_biomarker(str(n)) is None):
            return f"holds {len(unknown)} biomarkers that are not declared, {unknown[0]} for one"
    return ""


def unreadable_files(root: Path, *, dataset: str | None = None) -> dict[Path, tuple[str, ...]]:
    """Files that are cut, empty or no Parquet, and any damage in those of `sessions`, which every reader opens.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset : str, optional
        Only this dataset.

    Returns
    -------
    dict
        File to the ids of the sessions that must be written again.
    """
    files = (
        p for t in TABLES for p in (*part_files(root, t, dataset=dataset), *bucket_files(root, t, dataset=dataset))
    )
    return {
        path: _to_write_again(root, path)
        for path in files
        if not _readable(path, whole=_table(root, path) == "sessions")
    }


def replaced_buckets(root: Path) -> frozenset[Path]:
    """Damaged bucket files of `sessions` whose sessions were all written again: nothing in them counts."""
    found = (p for p in bucket_files(root, "sessions") if not _readable(p, whole=True))
    return frozenset(p for p in found if _held(root, p) and not _to_write_again(root, p))


def _readable(path: Path, *, whole: bool) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
        return not (whole and is_whole(path) is False)
    except (pa.ArrowException, OSError):
        return not path.exists()  # a session that is being removed right now is not damaged


def _table(root: Path, path: Path) -> str:
    return path.relative_to(root).parts[0]


def _damage(root: Path, path: Path, what: str) -> Damage:
    relative = path.relative_to(root)
    return Damage(relative.as_posix(), _dataset(path), _to_write_again(root, path), what)


def _dataset(path: Path) -> str:
    folder = path.parent if path.name != PART else path.parent.parent
    return unquote(folder.name.removeprefix("dataset="))


def _to_write_again(root: Path, path: Path) -> tuple[str, ...]:
    held = _held(root, path)
    if path.name == PART:
        return held
    return tuple(s for s in held if not part_path(root, "sessions", _dataset(path), s).exists())


def _held(root: Path, path: Path) -> tuple[str, ...]:
    """Whose rows a file holds: from its place, or from the bucket's file of another table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.name == PART:
        return (unquote(path.parent.name.removeprefix("session=")),)
    for table in ("sessions", "biomarkers", "windows"):
        other = root / table / path.parent.name / path.name
        if not other.exists() or is_whole(other) is False:
            continue
        try:
            with pq.ParquetFile(other, page_checksum_verification=True) as file:
                ids = file.read(columns=["session_id"])["session_id"].cast("string")
        except (pa.ArrowException, OSError):
            continue
        return tuple(sorted(set(ids.to_pylist())))
    return ()
