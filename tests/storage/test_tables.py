"""Writing and reading the tables: columns, visibility, owners, locks."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cueflow.schemas.errors import DiskFullError, ForeignOutputError, TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage import owner
from cueflow.storage.tables import TableStore, read_fingerprints, read_sessions, scan


def _counts(root: Path, dataset: str | None = None) -> dict[str, int]:
    return {name: scan(root, name, dataset=dataset).collect().height for name in TABLES}


def _open(store: TableStore, *, root_fingerprint: str, session_ids: list[str]) -> None:
    with store.writing(root_fingerprint=root_fingerprint, session_ids=session_ids):
        pass


def _hidden(root: Path) -> list[str]:
    return [p.name for p in root.rglob("*.tmp")] + [p.name for p in (root / ".cueflow" / "commits").rglob("*.*")]


def test_every_table_comes_back_with_its_declared_columns(write, counts):
    store = write("S1", "run-a")
    assert _counts(store.root) == counts
    for name in TABLES:
        assert scan(store.root, name).collect_schema().names() == [*arrow_schema(name).names, "dataset"]
    assert read_fingerprints(store.root, "d") == {"S1": "f-run-a"}


def test_files_carry_units_and_definitions_and_are_compressed(write):
    store = write("S1", "run-a")
    path = store.root / "biomarkers" / "dataset=d" / "session=S1" / "part.parquet"
    file = pq.ParquetFile(path)
    field = file.schema_arrow.field("window_start_s")
    assert field.metadata[b"unit"] == b"s"
    assert field.metadata[b"definition"] == b"Start on the session clock."
    assert set(field.metadata) == {b"unit", b"definition", b"source"}
    column = file.metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"
    assert any("DICTIONARY" in e for e in column.encodings)
    assert column.statistics.max == "S1"


def test_a_rerun_replaces_all_rows_and_an_empty_table_hides_the_old_prediction(write, counts):
    write("S1", "run-a")
    store = write("S1", "run-b", counts={"sessions": 1, "biomarkers": 2, "events": 0})
    expected = dict.fromkeys(TABLES, 0) | {"sessions": 1, "biomarkers": 2}
    assert _counts(store.root) == expected
    raw = pq.read_table(store.root / "predictions" / "dataset=d" / "session=S1" / "part.parquet")
    assert raw.num_rows == 0
    write("S1", "run-c")
    assert _counts(store.root) == counts


def test_tables_without_rows_write_no_file(write):
    store = write("S1", "run-a", counts={"sessions": 1, "biomarkers": 2})
    assert sorted(p.name for p in store.root.iterdir()) == [".cueflow", "biomarkers", "sessions"]


def test_rows_of_another_run_are_never_seen(write, counts):
    store = write("S1", "run-a")
    other = write("S1", "run-b", root=store.root.parent / "other")
    part = Path("biomarkers", "dataset=d", "session=S1", "part.parquet")
    (other.root / part).replace(store.root / part)
    assert _counts(store.root) == counts | {"biomarkers": 0}


@pytest.mark.parametrize("name", ["S 1", "ä/ö", "..", "a=b", "50%", "x.y"])
def test_any_session_and_dataset_name_finds_its_way_back(write, name, counts):
    store = write(name, "run-a", dataset=f"data {name}")
    assert read_sessions(store.root).select("session_id", "dataset").rows() == [(name, f"data {name}")]
    assert _counts(store.root, f"data {name}") == counts
    assert scan(store.root, "events").filter(session_id=name).collect().height == counts["events"]
    inside = {p.resolve().is_relative_to(store.root.resolve()) for p in store.root.rglob("part.parquet")}
    assert inside == {True}


def test_a_column_that_an_older_version_did_not_write_is_null(write):
    store = write("S1", "run-a")
    path = store.root / "biomarkers" / "dataset=d" / "session=S1" / "part.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["quality"]), path)
    write("S2", "run-a")
    frame = scan(store.root, "biomarkers").collect()
    assert frame.height == 12
    assert frame["quality"].null_count() == 12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t | {"events": t["events"].drop_columns(["score"])}, "events: column 'score' is missing"),
        (lambda t: t | {"events": t["events"].append_column("x", pa.array([1, 2, 3]))}, "column 'x' is unknown"),
        (lambda t: t | {"sessions": t["sessions"].slice(0, 0)}, "exactly one row"),
        (lambda t: {k: v for k, v in t.items() if k != "sessions"}, "exactly one row"),
        (lambda t: t | {"moods": t["events"]}, "no table 'moods'"),
        (lambda t: t | {"events": _with(t["events"], "run_id", ["run-a", "run-a", "old"])}, "a row's run_id"),
        (lambda t: t | {"events": _with(t["events"], "session_id", ["S1", None, "S1"])}, "a row's session_id"),
        (lambda t: t | {"events": _with(t["events"], "score", ["a", "b", "c"])}, "another type"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_changes(write, rows, counts, change, said):
    store = write("S1", "run-a")
    with store.writing(root_fingerprint="f", session_ids=["S1"]), pytest.raises(TablesError, match=re.escape(said)):
        store.commit_session("S1", change(rows("S1", "run-a")), run_id="run-a")
    assert _counts(store.root) == counts


def _with(table: pa.Table, column: str, values: list[object]) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def test_writing_needs_the_tables_to_be_open(tmp_path, rows):
    with pytest.raises(TablesError, match="not open"):
        TableStore(tmp_path / "t", "d").commit_session("S1", rows("S1", "r"), run_id="r")


def test_a_damaged_file_is_a_typed_error(write):
    store = write("S1", "run-a")
    (store.root / "sessions" / "dataset=d" / "session=S1" / "part.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(TablesError, match="damaged"):
        read_sessions(store.root)


def test_a_folder_without_tables_is_a_typed_error(tmp_path):
    with pytest.raises(TablesError, match="no cueflow tables"):
        read_sessions(tmp_path)
    with pytest.raises(TablesError, match="no cueflow tables"):
        read_sessions(tmp_path / "nowhere")


class TestOwner:
    def test_another_dataset_is_refused_unless_joined(self, write):
        store = write("S1", "run-a")
        other = TableStore(store.root, "e")
        with pytest.raises(ForeignOutputError, match="belong to dataset 'd'"):
            _open(other, root_fingerprint="g", session_ids=["S1"])
        write("S1", "run-z", dataset="e")
        assert read_sessions(store.root).select("dataset", "run_id").rows() == [("d", "run-a"), ("e", "run-z")]
        assert read_sessions(store.root, dataset="e").height == 1

    @pytest.mark.parametrize(
        ("fingerprint", "sessions", "fits"),
        [("f", ["S9"], True), ("moved", ["S1", "S9"], True), ("moved", ["S9"], False)],
    )
    def test_the_same_name_needs_the_same_root_or_a_shared_session(self, write, fingerprint, sessions, fits):
        store = write("S1", "run-a")
        writing = store.writing(root_fingerprint=fingerprint, session_ids=sessions)
        if fits:
            with writing:
                pass
            return
        with pytest.raises(ForeignOutputError, match="also named 'd'"), writing:
            pass

    def test_a_folder_with_other_files_is_refused_and_left_alone(self, tmp_path):
        (tmp_path / "thesis.doc").write_text("years of work")
        with pytest.raises(ForeignOutputError, match="thesis"):
            _open(TableStore(tmp_path, "d"), root_fingerprint="f", session_ids=[])
        assert [p.name for p in tmp_path.iterdir()] == ["thesis.doc"]

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / "t").write_text("x")
        with pytest.raises(ForeignOutputError, match="is a file"):
            _open(TableStore(tmp_path / "t", "d"), root_fingerprint="f", session_ids=[])

    def test_a_damaged_owner_file_does_not_open_the_tables_to_others(self, write):
        store = write("S1", "run-a")
        (store.root / ".cueflow" / "owner.json").write_text("{")
        with pytest.raises(ForeignOutputError):
            _open(TableStore(store.root, "e"), root_fingerprint="f", session_ids=["S1"])
        write("S1", "run-b")
        assert read_sessions(store.root)["run_id"].to_list() == ["run-b"]


class TestLock:
    def test_a_second_writer_is_told_to_wait(self, write, monkeypatch):
        monkeypatch.setattr(owner, "PATIENCE_S", 0.1)
        store = write("S1", "run-a")
        with store.writing(root_fingerprint="f", session_ids=["S1"]):
            second = TableStore(store.root, "d")
            with pytest.raises(TablesError, match="Another run writes"):
                _open(second, root_fingerprint="f", session_ids=["S1"])
        write("S1", "run-b")

    def test_a_writer_that_writes_again_and_again_lets_the_next_one_in(self, write):
        """Without turns it takes the lock back before the other one has looked."""
        store, ended = write("S1", "run-a"), threading.Event()

        def write_for_ever():
            while not ended.is_set():
                with TableStore(store.root, "d").writing(root_fingerprint="f", session_ids=["S1"]):
                    time.sleep(0.05)

        writer = threading.Thread(target=write_for_ever)
        writer.start()
        try:
            for k in range(3):
                write("S1", f"run-{k}")
        finally:
            ended.set()
            writer.join()
        assert read_sessions(store.root)["run_id"].to_list() == ["run-2"]

    def test_a_dead_writer_does_not_block(self, write):
        store = write("S1", "run-a")
        program = (
            "import os, signal, sys\nfrom pathlib import Path\nfrom cueflow.storage.tables import TableStore\n"
            "with TableStore(Path(sys.argv[1]), 'd').writing(root_fingerprint='f', session_ids=['S1']):\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        died = subprocess.run([sys.executable, "-c", program, str(store.root)], check=False)
        assert died.returncode == -9
        write("S1", "run-b")
        assert read_sessions(store.root)["run_id"].to_list() == ["run-b"]


class TestFullDisk:
    def test_wherever_the_disk_fills_up_the_old_session_or_the_whole_new_one_is_there(
        self, write, rows, counts, monkeypatch
    ):
        """Every wait for the disk fails once, in turn."""
        store = write("S1", "run-a")
        sync, calls, outcomes = os.fsync, 0, set()
        for failing in range(200):
            calls = 0

            def full(handle: int, failing: int = failing) -> None:
                nonlocal calls
                calls += 1
                if calls == failing + 1:
                    raise OSError(errno.ENOSPC, "No space left on device")
                sync(handle)

            write("S1", "run-a")
            with store.writing(root_fingerprint="f", session_ids=["S1"]):
                monkeypatch.setattr(os, "fsync", full)
                try:
                    store.commit_session("S1", rows("S1", "run-b"), run_id="run-b")
                    written = True
                except DiskFullError:
                    written = False
                monkeypatch.setattr(os, "fsync", sync)
            seen = read_sessions(store.root)["run_id"].to_list()
            outcomes.add((written, *seen))
            assert _counts(store.root) in (counts, dict.fromkeys(TABLES, 0))
            with store.writing(root_fingerprint="f", session_ids=["S1"]):
                pass
            assert _counts(store.root) == counts
            assert _hidden(store.root) == []
            if written:
                break
        assert written
        assert (False, "run-a") in outcomes
        assert (True, "run-b") in outcomes

    def test_a_real_limit_on_file_size_leaves_the_old_session_and_no_remains(self, write, rows, counts):
        store = write("S1", "run-a")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with store.writing(root_fingerprint="f", session_ids=["S1"]):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            try:
                with pytest.raises(DiskFullError, match="free some space"):
                    store.commit_session("S1", rows("S1", "run-b"), run_id="run-b")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert _counts(store.root) == counts
        assert read_sessions(store.root)["run_id"].to_list() == ["run-a"]
        assert _hidden(store.root) == []

    def test_a_first_commit_without_space_leaves_no_folders(self, tmp_path, rows, monkeypatch):
        store = TableStore(tmp_path / "t", "d")
        with store.writing(root_fingerprint="f", session_ids=["S1"]):

            def full(_handle: int) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            monkeypatch.setattr(os, "fsync", full)
            with pytest.raises(DiskFullError):
                store.commit_session("S1", rows("S1", "r"), run_id="r")
        assert list(store.root.rglob("session=*")) == []
