"""Damaged files are found and named, wherever the byte was that changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.compaction.buckets import bucket_of
from cueflow.storage.compaction.compact import compact
from cueflow.storage.layout import part_path
from cueflow.storage.reading.verify import verify_tables


@pytest.fixture
def root(write):
    write("S1", "run-a")
    return write("S2", "run-a").root


def test_whole_tables_are_whole(root):
    assert verify_tables(root) == (12, ())
    compact(root)
    files, found = verify_tables(root)
    assert found == ()
    assert files == 6 * len({bucket_of("S1"), bucket_of("S2")})


@pytest.mark.parametrize("back", [1, 2, 10])
def test_a_changed_byte_of_a_page_is_found_and_the_session_named(root, back):
    path = part_path(root, "biomarkers", "d", "S1")
    raw = bytearray(path.read_bytes())
    values = pq.read_metadata(path).row_group(0).column(pq.read_schema(path).names.index("value"))
    end = (values.dictionary_page_offset or values.data_page_offset) + values.total_compressed_size
    raw[end - back] ^= 0x55
    path.write_bytes(bytes(raw))
    [damage] = verify_tables(root)[1]
    assert damage.sessions == ("S1",)
    assert damage.path == "biomarkers/dataset=d/session=S1/part.parquet"


def test_a_damaged_bucket_names_all_its_sessions(root):
    compact(root)
    [path] = (root / "events").rglob(f"bucket={bucket_of('S1'):02d}.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    [damage] = verify_tables(root)[1]
    assert "S1" in damage.sessions


def test_rows_in_the_wrong_place_and_undeclared_names_are_found(root):
    wrong = part_path(root, "events", "d", "S2")
    wrong.write_bytes(part_path(root, "events", "d", "S1").read_bytes())
    path = part_path(root, "biomarkers", "d", "S1")
    rows = pq.read_table(path, partitioning=None)
    at = rows.column_names.index("biomarker")
    pq.write_table(rows.set_column(at, "biomarker", pa.array(["mood"] * rows.num_rows)), path)
    part_path(root, "sessions", "d", "S2").unlink()
    said = {damage.what for damage in verify_tables(root)[1]}
    assert "holds rows of another session" in said
    assert "holds 1 biomarkers that are not declared, mood for one" in said
    assert "the session's file of sessions is missing" in said


def test_a_folder_without_tables_is_a_typed_error(tmp_path):
    with pytest.raises(TablesError, match="no cueflow tables"):
        verify_tables(tmp_path)
    assert len(TABLES) == 6
