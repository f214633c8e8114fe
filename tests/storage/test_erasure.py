"""Erasing a subject, and the search that proves it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cueflow.flows.forgetting import expire_sessions
from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage import owner
from cueflow.storage.erasing import erasure
from cueflow.storage.erasing.erasure import Also, expire, forget
from cueflow.storage.erasing.pages import remember_pages
from cueflow.storage.erasing.traces import traces
from cueflow.storage.fingerprints import HashMemo, memo_path
from cueflow.storage.records.audit import read_audit, record
from cueflow.storage.records.certificate import is_about, verify
from cueflow.storage.records.trained import models_of, remember_model
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


def test_the_certificate_says_what_but_not_who(root):
    forget(root, "P001")
    [path] = (root / ".cueflow" / "certificates").iterdir()
    text, note = path.read_text(), verify(path)
    assert "P001" not in text
    assert "S9" not in json.dumps(note)
    salted = hashlib.scrypt(b"P001", salt=note["salt"].encode(), n=2**14, r=8, p=1).hex()
    assert note["subject_scrypt"] == salted
    assert is_about(note, "P001")
    assert not is_about(note, "P0012")
    assert (note["sessions"], note["traces"]) == (3, 0)
    assert note["audit_head"] == read_audit(root).head
    path.write_text(text.replace('"sessions": 3', '"sessions": 2'))
    with pytest.raises(TablesError, match="changed after it was signed"):
        verify(path)


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


def test_a_running_writer_is_not_disturbed(root, monkeypatch):
    monkeypatch.setattr(owner, "PATIENCE_S", 0.1)
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
        assert traces(root, subjects=["P001"], sessions={}) == (where,)

    def test_are_found_in_compressed_rows(self, root, write):
        forget(root, "P001")
        write("S3", "run-b", subject="P001")
        assert set(traces(root, subjects=["P001"], sessions={})) >= {"sessions", "biomarkers", "predictions"}

    def test_an_id_inside_a_longer_one_is_none(self, root):
        forget(root, "P001")
        assert traces(root, subjects=["P00"], sessions={"d": ["S"]}) == ()

    def test_a_short_id_counts_as_a_whole_value_only(self, root, write):
        write("7", "run-a", subject="3")
        forget(root, "3")
        (root / "n.json").write_text('{"n": 3, "m": [7, 3]}')
        assert traces(root, subjects=["3"], sessions={"d": ["7"]}) == ()
        (root / "n.json").write_text('{"subject": "3"}')
        assert traces(root, subjects=["3"], sessions={"d": ["7"]}) == ("n.json",)


def test_models_that_were_trained_with_the_subject_are_named(root):
    remember_model(root, "a" * 64, ["P001", "P0012"], target="y")
    remember_model(root, "b" * 64, ["P0012"], target="y")
    done = forget(root, "P001")
    assert done.models == ("a" * 64,)
    assert verify(done.certificate)["models"] == ["a" * 64]
    assert models_of(root, ["P001"]) == []
    entries = [json.loads(line) for line in (root / ".cueflow" / "models.jsonl").read_text().splitlines()]
    assert [e["retrain"] for e in entries] == [True, False]
    assert models_of(root, ["P0012"]) == ["a" * 64, "b" * 64]


def test_pages_that_name_the_subject_go(root, tmp_path):
    pages, others = tmp_path / "pages", tmp_path / "others"
    for folder in (pages, others):
        folder.mkdir()
        (folder / "S1.html").write_text("<h1>S1</h1> P001")
        (folder / "S3.html").write_text("<h1>S3</h1> P0012")
        (folder / "index.html").write_text("S1 S3 &lt;x P001 &gt;")
    remember_pages(root, pages)
    assert forget(root, "P001", also=Also(pages=[others])).pages == 4
    assert sorted(p.name for p in tmp_path.rglob("*.html")) == ["S3.html", "S3.html"]


def test_sessions_leave_by_age_and_their_subjects_with_the_last(root):
    with pytest.raises(TablesError, match="older than 100000 days"):
        expire(root, days=100_000)
    done = expire(root, days=0.5)  # all were written on the first of January
    assert (done.sessions, done.traces) == (5, ())
    said = verify(done.certificate)
    assert said["what"] == "erasure of sessions by age"
    assert said["subject_scrypt"] is None
    assert read_sessions(root).is_empty()


def test_an_erasure_killed_before_its_certificate_is_certified_when_asked_again(root, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "sign", killed)
        with pytest.raises(KeyboardInterrupt):
            forget(root, "P001")
    assert not list((root / ".cueflow" / "certificates").glob("[0-9a-f]*.json"))
    with pytest.raises(TablesError, match="nothing of that subject"):
        forget(root, "P00X")
    done = forget(root, "P001")
    assert (done.sessions, done.traces) == (3, ())
    assert is_about(verify(done.certificate), "P001")


def test_prefects_records_of_sessions_that_leave_by_age_go_too(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    (tmp_path / "prefect").mkdir()
    with closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as database:
        database.execute("CREATE TABLE log (message TEXT)")
        database.executemany("INSERT INTO log VALUES (?)", [("done: P001",), ("done: somebody",)])
        database.commit()
    assert expire_sessions(root, days=0.5, dry_run=True).sessions == 5
    done = expire_sessions(root, days=0.5)
    assert verify(done.certificate)["prefect_records"] == 1
    with closing(sqlite3.connect(tmp_path / "prefect" / "prefect.db")) as database:
        assert database.execute("SELECT message FROM log").fetchall() == [("done: somebody",)]
    assert b"P001" not in (tmp_path / "prefect" / "prefect.db").read_bytes()


def test_one_by_age_that_was_killed_is_certified_without_a_search(root, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(erasure, "sign", killed)
        with pytest.raises(KeyboardInterrupt):
            expire(root, days=0.5)
    done = expire(root, days=0.5)
    said = verify(done.certificate)
    assert (done.sessions, said["what"]) == (5, "erasure of sessions by age")
    assert said["searched"].startswith("nothing")
    assert "killed before it could search" in done.sentence
    with pytest.raises(TablesError, match="No session is older"):
        expire(root, days=0.5)


class TestAudit:
    def test_a_chain_of_lines(self, root):
        for n in range(3):
            record(root, "query", asked="SELECT ?", rows=n)
        log = read_audit(root)
        assert [e["rows"] for e in log.entries] == [0, 1, 2]
        assert log.broken_at is None

    @pytest.mark.parametrize("change", ["alter", "remove", "swap"])
    def test_a_change_is_found(self, root, change):
        for n in range(4):
            record(root, "query", rows=n)
        path = root / ".cueflow" / "audit.jsonl"
        lines = path.read_text().splitlines()
        if change == "alter":
            lines[1] = lines[1].replace('"rows": 1', '"rows": 7')
        elif change == "remove":
            del lines[1]
        else:
            lines[1], lines[2] = lines[2], lines[1]
        path.write_text("\n".join(lines) + "\n")
        assert read_audit(root).broken_at == 2

    def test_writers_at_once_keep_one_chain(self, root):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: record(root, "query", rows=n), range(60)))
        log = read_audit(root)
        assert (len(log.entries), log.broken_at) == (60, None)


@pytest.mark.parametrize("session", ["..", ".", "1", "a/b", "*", "ok", "ms"])
def test_a_session_that_is_called_like_a_path_or_a_word_of_ours_leaves_no_false_trace(write, tmp_path, session):
    write(session, "run-a", subject="P1")
    root = write("S2", "run-a", subject="P2").root
    for folder in ("pages", "tables/pages", "."):
        remember_pages(root, tmp_path / folder)
    done = forget(root, "P1")
    assert (done.sessions, done.traces) == (1, ())
    assert read_sessions(root)["session_id"].to_list() == ["S2"]
