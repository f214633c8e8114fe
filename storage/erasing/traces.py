"""The proof after an erasure: what is left under TABLES is read, decoded, and searched for the ids."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from cueflow.schemas.session import Group
from cueflow.schemas.tables import TABLES
from cueflow.storage.erasing.removal import pattern_of
from cueflow.storage.layout import PART
from cueflow.storage.scan import collected, raw_scan

_CHECKSUM = 64  # bytes in front of a cached stage's compressed JSON
# Whole values of these are our own words, or count visits: a session that is called "1" is not named by a unit of 1.
_WORDS = frozenset({
    "visit", "modality", "role", "speaker", "biomarker", "unit", "statistic", "status", "reason", "method",
    "method_version", "kind", "source", "fusion_status",
    *(f"{group}_{what}" for group in Group for what in ("status", "reason")),
})  # fmt: skip


def traces(root: Path, *, subjects: Sequence[str], sessions: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Search everything under TABLES for ids.

    Rows of the tables are searched decoded (Parquet compresses them), their files' own bytes for statistics that name
    somebody, cached stages decompressed, any other file byte by byte, and every path. Session ids are unique within a
    dataset only: in files of another dataset they are not looked for.

    Parameters
    ----------
    root : Path
        TABLES.
    subjects : sequence of str
        Those of whom nothing may be left.
    sessions : mapping
        Dataset to its session ids.

    Returns
    -------
    tuple of str
        Where a trace is left: a path inside TABLES, or a table's name.
    """
    found = [*_in_rows(root, subjects, sessions), *_in_files(root, subjects, sessions)]
    return tuple(sorted(set(found)))


def _in_rows(root: Path, subjects: Sequence[str], sessions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    import polars as pl

    datasets = {unquote(p.name.removeprefix("dataset=")) for t in TABLES for p in (root / t).glob("dataset=*")}
    for table in TABLES:
        for dataset in sorted(datasets):
            ids = [*subjects, *sessions.get(dataset, ())]
            if not ids:
                continue
            rows = raw_scan(root, table, dataset=dataset).drop("dataset")
            texts = pl.col(pl.String).str.contains(pattern_of(ids))
            words = pl.col(sorted(_WORDS.intersection(rows.collect_schema().names())))
            rows = rows.with_columns(pl.when(~words.is_in(ids)).then(words))
            named = pl.any_horizontal(texts.fill_null(value=False))
            if collected(rows.filter(named).select(pl.len())).item():
                yield table


def _in_files(root: Path, subjects: Sequence[str], sessions: Mapping[str, Sequence[str]]) -> Iterator[str]:
    everything = [s for ids in sessions.values() for s in ids]
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        relative = path.relative_to(root).as_posix()
        dataset = next((unquote(p.removeprefix("dataset=")) for p in path.parts if p.startswith("dataset=")), None)
        ids = [*subjects, *(everything if dataset is None else sessions.get(dataset, ()))]
        if not ids:
            continue
        named = re.compile(pattern_of(ids).encode())
        found = _in_footer(path, ids) if _is_table(path) else named.search(_content(path)) is not None
        if found or named.search(relative.encode()):
            yield relative


def _in_footer(path: Path, ids: Sequence[str]) -> bool:
    """Whether a table's file, whose rows are searched decoded, holds an id in its own bytes: as a statistic, or plain.

    Parquet writes a text behind its length, as one byte in the footer and as four in a page.
    """
    raw = path.read_bytes()
    texts = [name.encode() for name in ids]
    return any(
        bytes([len(t)]) + t in raw or len(t).to_bytes(4, "little") + t in raw for t in texts if 4 <= len(t) < 128
    )


def _is_table(path: Path) -> bool:
    """Whether its rows are searched with the tables."""
    return path.name == PART or (path.suffix == ".parquet" and path.name.startswith("bucket="))


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.name.endswith(".json.z"):
        try:
            return zlib.decompress(raw[_CHECKSUM:])
        except zlib.error:
            return raw
    if path.suffix == ".parquet":
        return _texts(path)
    return raw


def _texts(path: Path) -> bytes:
    """All text in a Parquet file that is not one of the tables, a value a line."""
    import polars as pl

    frame = collected(pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.col(pl.String)))
    return "\n".join(v for column in frame for v in column.drop_nulls().unique()).encode()
