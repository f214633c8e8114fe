"""Bucket files: many sessions in one file per table, where thousands of small ones would be slow to open.

`TABLES/<table>/dataset=<d>/bucket=<nn>.parquet` holds the sessions whose id hashes to nn. Biomarkers are sorted by
name, then session, so that one biomarker of a cohort lies in few row groups; the other tables go session by session.
The extra column `bucket` lets a question about one session skip the other files.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.tables import SCHEMA_VERSION, arrow_schema, layout
from cueflow.storage.atomic import sync_dir
from cueflow.storage.layout import encoded
from cueflow.storage.seal import is_whole, leave_room, seal_file

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

BUCKETS = 64  # measured for 100,000 sessions; another number would need every file to be written again
ROW_GROUP = 20_000
BUCKET = "bucket"
_STAGED = ".bucket-*.tmp"


def bucket_of(session_id: str) -> int:
    """Number of the bucket that a session belongs to, 0 to 63."""
    return int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:4], "big") % BUCKETS


def bucket_path(root: Path, table: str, dataset: str, bucket: int) -> Path:
    """File of a bucket's rows of one table."""
    return root / table / f"dataset={encoded(dataset)}" / f"bucket={bucket:02d}.parquet"


def staged_path(path: Path) -> Path:
    """Hidden name beside a bucket file, under which its next version is written."""
    return path.with_name(f".bucket-{path.name}.tmp")


def bucket_files(root: Path, table: str, *, dataset: str | None = None) -> list[Path]:
    """All bucket files of a table, in order."""
    which = "dataset=*" if dataset is None else f"dataset={encoded(dataset)}"
    return sorted((root / table).glob(f"{which}/bucket=*.parquet"))


def drop_staged(root: Path) -> None:
    """Remove what a killed writer of buckets left under hidden names; the caller holds the lock of TABLES."""
    for path in root.glob(f"*/dataset=*/{_STAGED}"):
        path.unlink(missing_ok=True)


def read_part(path: Path, table: str) -> pa.Table:
    """Rows of a file in the declared columns; texts are dictionary-encoded, as a bucket of them must fit in memory.

    Parameters
    ----------
    path : Path
        A session's part file, or a bucket file.
    table : str
        Whose columns.

    Returns
    -------
    pyarrow.Table
        A column that an older version did not write is null. A damaged file raises `pyarrow.ArrowException`.
    """
    import pyarrow.parquet as pq

    _refuse_damaged(path)
    with pq.ParquetFile(path, read_dictionary=_texts_of(path, table), page_checksum_verification=True) as file:
        return _conformed(file.read(), table)


def read_pieces(path: Path, table: str) -> Iterator[pa.Table]:
    """Rows of a file as `read_part` gives them, one row group at a time."""
    import pyarrow.parquet as pq

    _refuse_damaged(path)
    with pq.ParquetFile(path, read_dictionary=_texts_of(path, table), page_checksum_verification=True) as file:
        for number in range(file.num_row_groups):
            yield _conformed(file.read_row_group(number), table)


def _refuse_damaged(path: Path) -> None:
    """Refuse to carry damaged rows over into another file.

    Raises
    ------
    pyarrow.ArrowInvalid
        If the file is not what was written.
    """
    import pyarrow as pa

    if is_whole(path) is False:
        raise pa.ArrowInvalid("the file is not what was written")


def write_bucket(path: Path, table: str, pieces: Iterable[pa.Table], *, bucket: int) -> int:
    """Write a bucket file and wait until the disk has it.

    Parameters
    ----------
    path : Path
        Where to; give it a name that nobody reads.
    table : str
        Whose columns.
    pieces : iterable of pyarrow.Table
        The rows, in the declared columns; biomarkers may come in any order, other tables session by session.
    bucket : int
        Number of the bucket.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    OSError
        If it cannot be written; the incomplete file is removed.
    """
    import pyarrow as pa

    n = 0
    try:
        with bucket_writer(path, table) as file:
            for group in _sorted_groups(pieces) if table == "biomarkers" else _groups(pieces):
                numbers = pa.array([bucket], pa.int32()).take(pa.array([0] * group.num_rows, pa.int32()))
                file.write_table(group.append_column(BUCKET, numbers).cast(file.schema), row_group_size=ROW_GROUP)
                n += group.num_rows
            leave_room(file)
        seal_file(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return n


def bucket_writer(path: Path, table: str) -> ParquetWriter:
    """Open a bucket file for writing: the declared columns of the table, and `bucket`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(table).append(pa.field(BUCKET, pa.int32()))
    # Hardly two values are alike: as a dictionary they would be larger and slower to read.
    coded = [name for name in schema.names if name != "value"]
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=coded, write_page_checksum=True)


def remove_from_buckets(root: Path, table: str, doomed: Mapping[str, Iterable[str]]) -> None:
    """Take sessions out of the bucket files of a table; the caller holds the lock of TABLES.

    Parameters
    ----------
    root : Path
        TABLES.
    table : str
        The table.
    doomed : mapping
        Dataset to the ids of its sessions. What the disk refuses raises `OSError`; doing it again is harmless.
    """
    for dataset, ids in doomed.items():
        gone: dict[Path, list[str]] = {}
        for session_id in ids:
            gone.setdefault(bucket_path(root, table, dataset, bucket_of(session_id)), []).append(session_id)
        for path, sessions in sorted(gone.items()):
            if path.exists():
                _remove(path, table, sessions)


def _remove(path: Path, table: str, sessions: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    def others() -> Iterator[pa.Table]:
        for piece in read_pieces(path, table):
            ids = piece["session_id"].cast(pa.string())
            yield piece.filter(pc.invert(pc.is_in(ids, value_set=pa.array(sessions, pa.string()))))

    if write_bucket(staged_path(path), table, others(), bucket=int(path.stem.removeprefix("bucket="))):
        staged_path(path).replace(path)
    else:
        path.unlink()
        staged_path(path).unlink()
    sync_dir(path.parent)


def written_in_buckets(root: Path, dataset: str) -> Iterator[str]:
    """Ids of the sessions that lie in buckets; what cannot be read gives none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in bucket_files(root, "sessions", dataset=dataset):
        with contextlib.suppress(pa.ArrowException), pq.ParquetFile(path) as file:
            yield from file.read(columns=["session_id"])["session_id"].to_pylist()


def _groups(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Pieces joined to row groups; rows of a whole file never have to be in memory at once."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(p.num_rows for p in waiting) >= ROW_GROUP:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _sorted_groups(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.concat_tables(pieces).unify_dictionaries().combine_chunks()
    keys = ["biomarker", "session_id"]
    named = pa.table({key: whole[key].cast(pa.string()) for key in keys})
    order = pc.sort_indices(named, sort_keys=[(key, "ascending") for key in keys])
    for start in range(0, len(order), ROW_GROUP):
        yield whole.take(order.slice(start, ROW_GROUP))


def _texts(table: str) -> list[str]:
    import pyarrow as pa

    return [field.name for field in arrow_schema(table) if field.type == pa.string()]


def _texts_of(path: Path, table: str) -> list[str]:
    """Texts that a file has: an older version wrote fewer."""
    import pyarrow.parquet as pq

    there = set(pq.read_schema(path).names)
    return [name for name in _texts(table) if name in there]


def _conformed(rows: pa.Table, table: str) -> pa.Table:
    import pyarrow as pa

    schema, texts = arrow_schema(table), set(_texts(table))
    columns = []
    for field in schema:
        kind = pa.dictionary(pa.int32(), pa.string()) if field.name in texts else field.type
        known = field.name in rows.column_names
        columns.append(rows[field.name].cast(kind) if known else pa.nulls(rows.num_rows, kind))
    return _migrated(pa.table(columns, names=schema.names), table)


def _migrated(rows: pa.Table, table: str) -> pa.Table:
    """Rows of an older layout say, once they are written with today's columns, that they have today's."""
    import pyarrow as pa

    if table != "sessions":
        return rows
    now = {"schema_version": pa.repeat(SCHEMA_VERSION, rows.num_rows), "layout": pa.repeat(layout(), rows.num_rows)}
    for name, column in now.items():
        at = rows.column_names.index(name)
        rows = rows.set_column(at, name, column.cast(rows.schema.field(name).type))
    return rows
