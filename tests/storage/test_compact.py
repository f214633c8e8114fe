"""Compaction: the same rows in fewer files, whatever kills it and whoever reads meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.compaction.buckets import BUCKETS, bucket_of, bucket_path, read_part, write_bucket
from cueflow.storage.compaction.compact import compact
from cueflow.storage.erasing.erasure import forget
from cueflow.storage.layout import part_path
from cueflow.storage.readers import reading
from cueflow.storage.reading.queries import open_tables, query
from cueflow.storage.tables import TableStore, read_fingerprints, read_sessions, scan

_DRIVER = Path(__file__).with_name("commit_and_die.py")
_IN_ONE = [f"S{i}" for i in range(2000) if bucket_of(f"S{i}") == 5][:3]  # they share a bucket


def _seen(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row that readers see, in order, from Polars and from DuckDB, which must agree."""
    seen = {}
    for name in TABLES:
        frame = scan(root, name).collect()
        key = [c for c, kind in frame.schema.items() if kind == pl.String]
        seen[name] = frame.sort(key, maintain_order=False).sort(pl.all().exclude(pl.List)).rows()
        ids = query(root, f"SELECT dataset, session_id, run_id FROM {name} ORDER BY ALL").to_pylist()  # noqa: S608
        assert [tuple(r.values()) for r in ids] == frame.select("dataset", "session_id", "run_id").sort(pl.all()).rows()
    return seen


@pytest.fixture
def root(write: Callable[..., TableStore]) -> Path:
    """Three sessions of one bucket, one of another, and one of another dataset."""
    for session in (*_IN_ONE, "other"):
        write(session, "run-a", subject=f"P-{session}")
    return write("S1", "run-a", dataset="e é", subject="P-else").root


def test_the_same_rows_in_fewer_files(root):
    before = _seen(root)
    done = compact(root)
    assert (done.sessions, done.buckets, done.removed, done.waiting) == (5, 3, 30, 0)
    assert list(root.rglob("session=*")) == []
    assert len(list(root.rglob("bucket=*.parquet"))) == 18
    assert _seen(root) == before
    assert read_fingerprints(root, "d") == dict.fromkeys((*_IN_ONE, "other"), "f-run-a")
    assert compact(root).sentence == "Nothing to move."


def test_files_are_sorted_compressed_and_carry_units(root):
    compact(root)
    file = pq.ParquetFile(bucket_path(root, "biomarkers", "d", 5))
    rows = file.read(columns=["biomarker", "session_id", "bucket"]).to_pylist()
    assert rows == sorted(rows, key=lambda r: (r["biomarker"], r["session_id"]))
    assert {r["bucket"] for r in rows} == {5}
    assert file.schema_arrow.field("window_start_s").metadata[b"unit"] == b"s"
    column = file.metadata.row_group(0).column(0)
    assert (column.compression, column.statistics.min, column.statistics.max) == ("ZSTD", min(_IN_ONE), max(_IN_ONE))


def test_large_tables_are_written_in_row_groups(tmp_path, rows):
    piece = rows("S1", "r", counts={"biomarkers": 9000})["biomarkers"]
    n = write_bucket(tmp_path / "x.parquet", "biomarkers", [piece] * 5, bucket=1)
    file = pq.ParquetFile(tmp_path / "x.parquet")
    assert n == file.metadata.num_rows == 45_000
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [20_000, 20_000, 5_000]


def test_buckets_are_filled_evenly_and_never_change():
    n = [bucket_of(f"S{i:05d}") for i in range(6400)]
    assert max(n.count(b) for b in range(BUCKETS)) < 140
    assert [bucket_of(s) for s in ("S001", "S002", "ä/ö")] == [12, 47, 49]


def test_a_session_that_is_processed_again_counts_once_and_its_old_rows_go_with_the_next_compaction(root, write):
    compact(root)
    again = _IN_ONE[1]
    write(again, "run-b", counts={"sessions": 1, "biomarkers": 2})
    runs = dict.fromkeys(_IN_ONE, "run-a") | {again: "run-b"}
    for _ in range(2):
        for name, n in (("biomarkers", 2), ("events", 0)):
            frame = scan(root, name, dataset="d").filter(pl.col("session_id").is_in(_IN_ONE)).collect()
            assert frame.filter(session_id=again).height == n
            assert set(frame.select("session_id", "run_id").rows()) <= set(runs.items())
        sql = f"SELECT count(*) AS n FROM biomarkers WHERE session_id = '{again}'"  # noqa: S608
        assert query(root, sql).to_pylist() == [{"n": 2}]
        assert read_sessions(root, dataset="d").height == 4
        compact(root)
    for name in TABLES:
        left = pq.read_table(bucket_path(root, name, "d", 5), partitioning=None)
        assert {r["run_id"] for r in left.to_pylist() if r["session_id"] == again} <= {"run-b"}


def test_the_same_run_may_write_a_session_again(root, write):
    """A retried run keeps its id: the rows it wrote last count, not those in the bucket."""
    compact(root)
    session = _IN_ONE[0]
    later = TableStore(root, "d")
    tables = _later(later, session)
    with later.writing(root_fingerprint="f", session_ids=[session], join=True):
        later.commit_session(session, tables, run_id="run-a")
    assert scan(root, "biomarkers", dataset="d").filter(session_id=session).collect()["value"].to_list() == [-1.0]
    compact(root)
    assert scan(root, "biomarkers", dataset="d").filter(session_id=session).collect()["value"].to_list() == [-1.0]


def _later(store: TableStore, session: str) -> dict[str, pa.Table]:
    from datetime import UTC, datetime

    row = read_sessions(store.root, dataset="d").filter(session_id=session).drop("dataset").to_dicts()[0]
    row["finished_utc"] = datetime(2026, 1, 2, tzinfo=UTC)
    value = {"session_id": session, "run_id": "run-a", "biomarker": "hrv_rmssd", "value": -1.0}
    return {
        "sessions": pa.Table.from_pylist([row], schema=arrow_schema("sessions")),
        "biomarkers": pa.Table.from_pylist([value], schema=arrow_schema("biomarkers")),
    }


class TestReaders:
    def test_what_was_opened_before_is_read_to_its_end(self, root):
        with open_tables(root) as tables:
            frame = tables.biomarkers
            expected = tables.duckdb.sql("FROM biomarkers ORDER BY ALL").fetchall()
            done = compact(root, wait_s=0)
            assert (done.removed, done.waiting) == (0, 30)
            assert "still being read" in done.sentence
            assert frame.collect().height == len(expected) == 30
            assert tables.events.collect().height == 15
            assert tables.duckdb.sql("FROM biomarkers ORDER BY ALL").fetchall() == expected
            assert _seen(root)["biomarkers"]
        done = compact(root, wait_s=0)
        assert (done.sessions, done.removed, done.waiting) == (0, 30, 0)

    def test_old_files_that_wait_are_not_seen_twice(self, root, write):
        before = _seen(root)
        with reading(root):
            compact(root, wait_s=0)
            assert _seen(root) == before
            assert list(root.rglob("session=*"))
        write(_IN_ONE[0], "run-b")
        assert read_sessions(root, dataset="d").filter(session_id=_IN_ONE[0])["run_id"].to_list() == ["run-b"]
        assert scan(root, "events", dataset="d").filter(session_id=_IN_ONE[0]).collect().height == 3

    def test_a_folder_that_may_only_be_read_is_read(self, root):
        compact(root)
        (root / ".cueflow" / "readers").chmod(0o444)
        assert read_sessions(root).height == 5


class TestErasure:
    @pytest.mark.parametrize("again", [False, True])
    def test_a_subject_leaves_the_buckets_too(self, root, write, again, counts):
        compact(root)
        session = _IN_ONE[0]
        if again:
            write(session, "run-b", subject=f"P-{session}")
        done = forget(root, f"P-{session}")
        assert (done.sessions, done.traces) == (1, ())
        assert done.rows == {name: n * (2 if again else 1) for name, n in counts.items()}
        for name in TABLES:
            assert scan(root, name, dataset="d").collect().height == 3 * counts[name]
            texts = str(read_part(bucket_path(root, name, "d", 5), name).to_pydict())
            with pq.ParquetFile(bucket_path(root, name, "d", 5), read_dictionary=["session_id"]) as file:
                texts += str(file.read()["session_id"].unify_dictionaries().chunk(0).dictionary.to_pylist())
            assert f"'{session}'" not in texts, name

    def test_a_bucket_without_rows_is_removed(self, root):
        compact(root)
        forget(root, "P-else")
        assert list(root.glob("*/dataset=e*/*.parquet")) == []

    def test_what_a_killed_compaction_left_goes_with_the_subject(self, root):
        part = part_path(root, "sessions", "d", _IN_ONE[0])
        (root / "sessions" / "dataset=d" / ".bucket-bucket=05.parquet.tmp").write_bytes(part.read_bytes())
        forget(root, f"P-{_IN_ONE[0]}")
        assert list(root.rglob("*.tmp")) == []


class TestVersions:
    def test_files_with_fewer_or_more_columns_stand_beside_newer_ones(self, root, write):
        compact(root)
        path = bucket_path(root, "biomarkers", "d", 5)
        rows = pq.read_table(path, partitioning=None)
        more = rows.drop_columns(["quality"]).append_column("mood", pa.array(["x"] * rows.num_rows))
        pq.write_table(more, path)
        own = write(_IN_ONE[0], "run-b").root
        assert scan(own, "biomarkers").collect().height == 30
        found = query(own, "SELECT count(*) AS n, count(quality) AS q FROM biomarkers").to_pylist()
        assert found == [{"n": 30, "q": 0}]
        compact(root)
        assert pq.read_schema(path).names == [*arrow_schema("biomarkers").names, "bucket"]
        assert scan(root, "biomarkers").collect().height == 30

    def test_a_text_that_an_older_version_did_not_write_is_null_in_a_bucket(self, root):
        before = scan(root, "events").collect().height
        path = part_path(root, "events", "d", _IN_ONE[0])
        older = pq.read_table(path, partitioning=None).drop_columns(["channel"])
        pq.write_table(older, path)
        compact(root)
        assert scan(root, "events").collect().height == before
        own = scan(root, "events").filter(pl.col("session_id") == _IN_ONE[0]).collect()
        assert (own.height, own["channel"].null_count()) == (older.num_rows, older.num_rows)

    def test_a_newer_layout_says_what_to_do(self, root):
        path = part_path(root, "sessions", "d", "other")
        rows = pq.read_table(path, partitioning=None)
        at = rows.column_names.index("schema_version")
        pq.write_table(rows.set_column(at, "schema_version", pa.array([99])), path)
        for ask in (read_sessions, open_tables, lambda r: query(r, "FROM events"), compact):
            with pytest.raises(TablesError, match=r"layout 99, .* install a newer cueflow"):
                ask(root)


def test_trouble_is_said_in_one_line_and_leaves_no_remains(root, tmp_path):
    with pytest.raises(TablesError, match="no cueflow tables"):
        compact(tmp_path / "nowhere")
    before = _seen(root)["biomarkers"]
    part_path(root, "events", "d", _IN_ONE[0]).write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(TablesError, match="damaged"):
        compact(root)
    assert list(root.rglob("*.tmp")) == []
    assert scan(root, "biomarkers").collect().height == len(before)


@pytest.mark.slow
def test_killed_before_any_act_readers_see_every_row_once_and_the_next_one_ends_it(root, write, tmp_path):
    compact(root)
    write(_IN_ONE[1], "run-b")
    expected = _seen(root)
    done = subprocess.run(
        [sys.executable, str(_DRIVER), str(root), str(tmp_path / "killed"), "maintain"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    acts, code = map(int, done.stdout.split())
    assert code == 0
    assert acts > 20
    for act in range(acts + 1):
        killed = tmp_path / "killed" / str(act)
        assert _rows(killed) == {name: len(rows) for name, rows in expected.items()}, act
        compact(killed, wait_s=0)
        assert list(killed.rglob("*.tmp")) == []
        assert list(killed.rglob("session=*")) == []
        if act % 10 == 0:
            assert _seen(killed) == expected


def _rows(root: Path) -> dict[str, int]:
    return {name: scan(root, name).select(pl.len()).collect().item() for name in TABLES}


def test_the_command_says_what_it_did(root):
    from typer.testing import CliRunner

    from cueflow.cli.main import app

    done = CliRunner().invoke(app, ["maintain", str(root), "--wait", "0"])
    assert done.exit_code == 0
    assert " ".join(done.stdout.split()) == "Moved 5 sessions into 3 buckets; removed 30 old files."


def test_a_question_about_one_session_opens_the_file_of_its_bucket_only(write):
    for k in range(6):
        root = write(f"S{k}", "run-a", dataset="a b" if k % 2 else "d").root
    compact(root)
    assert len(list((root / "events").rglob("bucket=*.parquet"))) > 2
    plan = query(root, "EXPLAIN ANALYZE SELECT * FROM events WHERE session_id = 'S3'").to_pylist()[0]["explain_value"]
    assert "Total Files Read: 1 " in plan
    assert query(root, "SELECT count(*) AS n FROM events WHERE session_id = 'S3'").to_pylist() == [{"n": 3}]
    assert query(root, "SELECT count(*) AS n FROM events").to_pylist() == [{"n": 18}]
