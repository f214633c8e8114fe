"""Damaged files are found and named, wherever the byte was that changed."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.compaction.buckets import bucket_of, bucket_path
from cueflow.storage.compaction.compact import compact
from cueflow.storage.layout import part_path
from cueflow.storage.reading.lost import lost_sessions
from cueflow.storage.reading.queries import open_tables
from cueflow.storage.reading.verify import unreadable_files, verify_tables
from cueflow.storage.tables import read_sessions


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


def _flip(path, at):
    raw = bytearray(path.read_bytes())
    raw[at] ^= 0x55
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("table", ["biomarkers", "sessions"])
def test_any_changed_byte_is_found_and_the_session_named(root, table):
    """Pages, statistics, texts and the magic number of the footer; the hash, and the word that says there is one."""
    path = part_path(root, table, "d", "S1")
    before = path.read_bytes()
    places = {
        0,
        3,
        len(before) - 1,
        len(before) - 5,
        before.rindex(b"cueflow_sha256"),
        before.rindex(b"cueflow_sealed"),
    }
    for at in sorted(places | set(range(5, len(before), 997))):
        _flip(path, at)
        [damage] = verify_tables(root)[1]
        assert damage.sessions == ("S1",)
        assert damage.path == f"{table}/dataset=d/session=S1/part.parquet"
        path.write_bytes(before)
    assert verify_tables(root)[1] == ()


def test_a_file_of_an_older_version_is_read_by_the_checksums_of_its_pages(root):
    path = part_path(root, "biomarkers", "d", "S1")
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows, path, write_page_checksum=True)
    assert verify_tables(root)[1] == ()
    values = pq.read_metadata(path).row_group(0).column(rows.column_names.index("value"))
    _flip(path, (values.dictionary_page_offset or values.data_page_offset) + values.total_compressed_size - 2)
    [damage] = verify_tables(root)[1]
    assert damage.sessions == ("S1",)


@pytest.mark.parametrize("table", ["biomarkers", "sessions"])
@pytest.mark.parametrize("at", [-1, 40])  # the end, which a run sees by itself, or a page
def test_a_damaged_bucket_is_mended_by_writing_its_sessions_again(root, write, table, at):
    compact(root)
    beside = next(f"T{i}" for i in range(10_000) if bucket_of(f"T{i}") == bucket_of("S1"))
    path = bucket_path(root, table, "d", bucket_of("S1"))
    _flip(path, at)
    [damage] = verify_tables(root)[1]
    assert damage.sessions == ("S1",)
    assert set(unreadable_files(root).values()) == ({("S1",)} if at < 0 or table == "sessions" else set())
    write(beside, "run-b")
    with pytest.raises(TablesError, match="damaged"):
        compact(root)
    write("S1", "run-b")
    assert verify_tables(root)[1][0].sessions == ()
    assert "S1" not in {s for sessions in unreadable_files(root).values() for s in sessions}
    compact(root)
    assert verify_tables(root)[1] == ()
    with open_tables(root) as tables:
        runs = dict(tables.biomarkers.select("session_id", "run_id").unique().collect().iter_rows())
    assert runs == {"S1": "run-b", "S2": "run-a", beside: "run-b"}


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
    said = {damage.what for damage in verify_tables(root)[1]}
    assert "holds rows of another session" in said
    assert "holds 1 biomarkers that are not declared, mood for one" in said


@pytest.mark.parametrize("table", list(TABLES))
def test_a_lost_file_is_named_and_its_session_written_again(root, write, table):
    part_path(root, table, "d", "S1").unlink()
    [damage] = verify_tables(root)[1]
    assert (damage.path, damage.sessions, damage.what) == (
        f"{table}/dataset=d/session=S1/part.parquet", ("S1",), "is missing",
    )  # fmt: skip
    seen = () if table == "sessions" else ("S1",)  # without its row a session is new to the next run anyway
    assert lost_sessions(root, read_sessions(root)) == seen
    write("S1", "run-b")
    assert verify_tables(root)[1] == ()


@pytest.mark.parametrize("table", list(TABLES))
def test_a_lost_bucket_is_named_with_its_sessions(root, write, table):
    compact(root)
    bucket_path(root, table, "d", bucket_of("S1")).unlink()
    [damage] = verify_tables(root)[1]
    assert damage.path == f"{table}/dataset=d/bucket={bucket_of('S1'):02d}.parquet"
    assert damage.sessions == ("S1",)
    assert lost_sessions(root, read_sessions(root)) == (() if table == "sessions" else ("S1",))
    write("S1", "run-b")
    compact(root)
    assert verify_tables(root)[1] == ()


def test_rows_of_an_older_writing_of_a_session_are_no_rows_of_it(root, write):
    other = write("S1", "run-b", root=root.parent / "other").root
    part_path(other, "events", "d", "S1").replace(part_path(root, "events", "d", "S1"))
    [damage] = verify_tables(root)[1]
    assert (damage.path, damage.what) == ("events/dataset=d/session=S1/part.parquet", "lacks rows of 1 sessions")


def test_a_table_without_rows_is_not_missed(root, write):
    write("S1", "run-b", counts={"sessions": 1, "biomarkers": 2, "events": 0})
    part_path(root, "predictions", "d", "S1").unlink()
    assert verify_tables(root)[1] == ()


def test_measures_of_own_actions_are_declared_by_their_form(root, write):
    path = part_path(root, "biomarkers", "d", "S1")
    rows = pq.read_table(path, partitioning=None)
    at = rows.column_names.index("biomarker")
    pq.write_table(rows.set_column(at, "biomarker", pa.array(["action_wave_rate"] * rows.num_rows)), path)
    assert verify_tables(root)[1] == ()


def test_a_folder_without_tables_is_a_typed_error(tmp_path):
    with pytest.raises(TablesError, match="no cueflow tables"):
        verify_tables(tmp_path)
    assert len(TABLES) == 6
