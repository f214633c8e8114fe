"""Erasing a subject, and the search that proves it."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.erasing.erasure import forget
from cueflow.storage.erasing.traces import traces
from cueflow.storage.fingerprints import HashMemo, memo_path
from cueflow.storage.tables import TableStore, read_sessions, scan


@pytest.fixture
def root(write) -> Path:
    """P001 in S1 and S2 and, in another dataset, S9; P0012 in S3, and in the other dataset in its own S1."""
    write("S1", "run-a")
    write("S2", "run-a")
    write("S9", "run-a", dataset="e")
    write("S1", "run-a", dataset="e", subject="P0012")
    root = write("S3", "run-a", subject="P0012").root
    for session in ("S1", "S3"):
        cached = root / ".cueflow" / "cache" / "dataset=d" / f"session={session}" / "video-0.json.z"
        cached.parent.mkdir(parents=True)
        body = zlib.compress(json.dumps({"session": session}).encode())
        cached.write_bytes(hashlib.sha256(body).hexdigest().encode() + body)
    (root / ".cueflow" / "workers.log").write_text("start\nsubject P001 failed\nsubject P0012 failed\n")
    return root


def test_every_row_and_file_of_the_subject_goes_and_the_others_stay(root, counts):
    memo = HashMemo(root)
    memo.sha256(root / ".cueflow" / "owner.json", "sub-P001.wav")
    memo.save()
    done = forget(root, "P001")
    assert done.rows == {name: 3 * n for name, n in counts.items()}
    assert (done.sessions, done.files, done.traces) == (3, 18, ())
    assert "no trace" in done.sentence
    assert read_sessions(root).select("dataset", "session_id").rows() == [("d", "S3"), ("e", "S1")]
    for name in TABLES:
        assert scan(root, name).collect().height == 2 * counts[name]
    assert not memo_path(root).exists()
    assert [p.parent.name for p in (root / ".cueflow" / "cache").rglob("*.z")] == ["session=S3"]
    assert (root / ".cueflow" / "workers.log").read_text() == "start\nsubject P0012 failed\n"
    assert not (root / ".cueflow" / "erasing.json").exists()


def test_no_byte_of_the_ids_is_left(root):
    forget(root, "P001")
    for path in (p for p in root.rglob("*") if p.is_file()):
        text = (
            str(pq.read_table(path, partitioning=None).to_pylist())
            if path.suffix == ".parquet"
            else path.read_text("latin-1")
        )
        assert "P001'" not in text, path
        assert "P001 " not in text, path


def test_the_note_says_what_but_not_who(root):
    forget(root, "P001")
    text = (root / ".cueflow" / "erasures.jsonl").read_text()
    note = json.loads(text)
    assert "P001" not in text
    assert "S9" not in text
    salted = hashlib.scrypt(b"P001", salt=note["salt"].encode(), n=2**14, r=8, p=1).hex()
    assert note["subject_scrypt"] == salted
    assert (note["sessions"], note["traces"]) == (3, 0)


def test_a_dry_run_counts_and_changes_nothing(root):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    would = forget(root, "P001", dry_run=True)
    assert (would.sessions, would.files) == (3, 18)
    assert "Would erase 3 sessions" in would.sentence
    assert before == {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    done = forget(root, "P001")
    assert (done.rows, done.size) == (would.rows, would.size)


def test_an_unknown_subject_is_a_typed_error(root):
    with pytest.raises(TablesError, match="nothing of that subject"):
        forget(root, "P00")
    forget(root, "P001")
    with pytest.raises(TablesError, match="nothing of that subject"):
        forget(root, "P001")


def test_it_waits_for_no_running_writer(root):
    writing = TableStore(root, "d").writing(root_fingerprint="f", session_ids=["S1"], join=True)
    with writing, pytest.raises(TablesError, match="Another run"):
        forget(root, "P001")


def test_rows_without_a_sessions_row_are_found_too(root):
    (root / "sessions" / "dataset=d" / "session=S1" / "part.parquet").unlink()
    assert forget(root, "P001").sessions == 3
    assert not (root / "events" / "dataset=d" / "session=S1").exists()


def test_a_file_that_still_names_the_subject_is_reported(root):
    (root / "notes.txt").write_text("asked P001 to come again")
    pq.write_table(
        pq.read_table(root / "biomarkers" / "dataset=d" / "session=S1" / "part.parquet"), root / "copy.parquet"
    )
    done = forget(root, "P001")
    assert done.traces == ("copy.parquet", "notes.txt")
    assert "still name the subject" in done.sentence


class TestTraces:
    @pytest.mark.parametrize(
        ("where", "content"),
        [
            (".cueflow/x.json", b'{"subject": "P001"}'),
            (".cueflow/cache/dataset=d/session=S3/audio-0.json.z", b"0" * 64 + zlib.compress(b'["P001"]')),
            ("session=P001/x", b""),
            ("x.bin", b"\x00P001\x00"),
        ],
    )
    def test_are_found_in_any_kind_of_file(self, root, where, content):
        forget(root, "P001")
        (root / where).parent.mkdir(parents=True, exist_ok=True)
        (root / where).write_bytes(content)
        assert traces(root, subject_id="P001", sessions={}) == (where,)

    def test_are_found_in_compressed_rows(self, root, write):
        forget(root, "P001")
        write("S3", "run-b", subject="P001")
        assert set(traces(root, subject_id="P001", sessions={})) == {"sessions", "biomarkers", "predictions"}

    def test_an_id_inside_a_longer_one_is_none(self, root):
        forget(root, "P001")
        assert traces(root, subject_id="P00", sessions={"d": ["S"]}) == ()

    def test_a_short_id_counts_as_a_whole_value_only(self, root, write):
        write("7", "run-a", subject="3")
        forget(root, "3")
        (root / "n.json").write_text('{"n": 3, "m": [7, 3]}')
        assert traces(root, subject_id="3", sessions={"d": ["7"]}) == ()
        (root / "n.json").write_text('{"subject": "3"}')
        assert traces(root, subject_id="3", sessions={"d": ["7"]}) == ("n.json",)
