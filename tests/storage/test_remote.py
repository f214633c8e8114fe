"""Tables elsewhere: a real S3-compatible server, and any other place that fsspec knows, through the same code."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from pathlib import Path

import pytest

from cueflow.schemas.errors import TablesError
from cueflow.schemas.tables import TABLES
from cueflow.storage.compaction.compact import compact
from cueflow.storage.erasing.erasure import forget
from cueflow.storage.reading.queries import open_tables, query
from cueflow.storage.remote import mirror
from cueflow.storage.remote.mirror import mirror_of, place
from cueflow.storage.tables import TableStore


@pytest.fixture(scope="module")
def endpoint():
    """A moto server on a free port."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


@pytest.fixture(params=["s3", "file", "memory"])
def url(request, monkeypatch, tmp_path):
    """An empty place of each kind, and this machine's mirrors."""
    monkeypatch.setenv("CUEFLOW_CACHE_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("CUEFLOW_SIGNING_KEY", str(tmp_path / "key.pem"))
    name = f"b{uuid.uuid4().hex}"
    if request.param == "file":
        return f"file://{tmp_path}/original"
    if request.param == "memory":
        return f"memory://{name}/tables"
    import s3fs

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("endpoint"))
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}/tables"


@pytest.fixture
def elsewhere(url, monkeypatch, tmp_path):
    """Look at the place from another machine: nothing but the address is shared."""

    def look():
        monkeypatch.setenv("CUEFLOW_CACHE_DIR", str(tmp_path / uuid.uuid4().hex))
        try:
            return place(url)
        finally:
            monkeypatch.setenv("CUEFLOW_CACHE_DIR", str(tmp_path / "here"))

    return look


def _write(root: Path, rows, session: str, run: str, subject: str = "P001") -> None:
    store = TableStore(root, "d")
    with store.writing(root_fingerprint="f", session_ids=[session], join=True):
        store.commit_session(session, rows(session, run, subject=subject), run_id=run)


def _runs(root: Path) -> dict[str, dict[str, int]]:
    tables = open_tables(root)
    return {name: dict(tables[name].collect()["run_id"].value_counts().iter_rows()) for name in TABLES}


def test_what_is_written_here_is_read_elsewhere(url, elsewhere, rows, counts):
    _write(place(url), rows, "S1", "run-a")
    assert _runs(elsewhere()) == {name: {"run-a": n} for name, n in counts.items()}
    _write(place(url), rows, "S1", "run-b")
    _write(place(url), rows, "S2", "run-b", "P002")
    assert _runs(elsewhere()) == {name: {"run-b": 2 * n} for name, n in counts.items()}
    assert query(url, "SELECT count(*) AS n FROM events").to_pylist() == [{"n": 2 * counts["events"]}]
    assert open_tables(url).wide().collect().height == 2


def test_a_path_that_lost_a_slash_is_still_an_address(url, rows, counts):
    _write(place(Path(url)), rows, "S1", "run-a")
    assert open_tables(Path(url)).events.collect().height == counts["events"]


def test_compaction_and_erasure_reach_the_original(url, elsewhere, rows, counts):
    for k in range(3):
        _write(place(url), rows, f"S{k}", "run-a", f"P00{k}")
    before = _runs(elsewhere())
    assert compact(place(url)).sessions == 3
    there = elsewhere()
    assert list(there.rglob("session=*/part.parquet")) == []
    assert _runs(there) == before
    done = forget(place(url), "P001")
    assert (done.sessions, done.traces) == (1, ())
    there = elsewhere()
    assert _runs(there)["events"] == {"run-a": 2 * counts["events"]}
    assert list((there / ".cueflow" / "certificates").glob("*.json"))
    assert not any(b"P001" in p.read_bytes() for p in there.rglob("*") if p.is_file())


def test_a_writer_killed_at_any_put_shows_old_new_or_none(url, elsewhere, rows, counts, monkeypatch):
    _write(place(url), rows, "S1", "run-a")
    seen = []
    for deadly in range(1, 9):
        real, n = mirror.Mirror._put, 0

        def dying(self, name, known, *, real=real, deadly=deadly):
            nonlocal n
            n += 1
            if n >= deadly:  # and nothing after it
                raise KeyboardInterrupt
            real(self, name, known)

        with monkeypatch.context() as patched:
            patched.setattr(mirror.Mirror, "_put", dying)
            with contextlib.suppress(KeyboardInterrupt):
                _write(place(url), rows, "S1", "run-b")
        found = _runs(elsewhere())
        kinds = {frozenset(runs) for runs in found.values()}
        assert len(kinds) == 1, found
        seen.append(next(iter(found["sessions"]), "none"))
        assert all(sum(runs.values()) in {0, counts[name]} for name, runs in found.items())
        _write(place(url), rows, "S1", "run-a")
        assert _runs(elsewhere())["events"] == {"run-a": counts["events"]}
    assert set(seen) <= {"run-a", "none", "run-b"}
    assert "none" in seen


def test_one_writer_at_a_time_and_a_dead_one_does_not_block_for_ever(url, rows, monkeypatch):
    root = place(url)
    _write(root, rows, "S1", "run-a")
    found = mirror_of(root)
    with found.lock(), pytest.raises(TablesError, match="Another run writes"), found.lock():
        pass
    dead = json.dumps({"owner": "x", "until": time.time() - 1}).encode()
    found._fs.pipe_file(found._remote(".cueflow/lock.json"), dead)
    _write(root, rows, "S1", "run-b")
    assert not found._fs.exists(found._remote(".cueflow/lock.json"))


def test_a_place_that_cannot_be_reached_is_a_typed_error(monkeypatch, tmp_path):
    monkeypatch.setenv("CUEFLOW_CACHE_DIR", str(tmp_path))
    with pytest.raises(TablesError, match=r"pip install 'cueflow\[s3\]'"):
        place("nosuchkind://x/y")
    with pytest.raises(TablesError, match="no cueflow tables"):
        open_tables("memory://empty/tables")
