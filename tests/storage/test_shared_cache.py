"""The stage cache over an S3-compatible server: shared between machines, erased with its session, verified."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cueflow.schemas.errors import ConfigError, StoreError
from cueflow.storage.caches.shared_cache import SHARED, SharedCache, shared_cache
from cueflow.storage.caches.stage_cache import cache_path, entry_name, is_intact, write_results

NAME = entry_name("d", "S1", group="audio", key="0" * 64)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A bucket on a server of its own."""
    import s3fs

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as out, pytest.MonkeyPatch.context() as patch:
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            }.items():
                patch.setenv(name, value)
            _await(f"http://127.0.0.1:{port}/moto-api/")
            s3fs.S3FileSystem.clear_instance_cache()  # one of another server would be taken for this one
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir("cueflow")
            yield "s3://cueflow/cache"
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.kill()
            server.wait()


def _await(url):
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own server
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


@pytest.fixture(params=["s3", "folder"])
def shared(request, tmp_path):
    return SharedCache(request.getfixturevalue("address") if request.param == "s3" else str(tmp_path / "store"))


def test_an_entry_travels_to_another_machine(shared, tmp_path):
    here = cache_path(tmp_path / "a", "d", "S1", group="audio", key="0" * 64)
    there = cache_path(tmp_path / "b", "d", "S1", group="audio", key="0" * 64)
    write_results(here, ())
    assert shared.names("other") == frozenset()
    assert not shared.fetch(entry_name("d", "S2", group="audio", key="1" * 64), there)
    shared.push(NAME, here)
    assert shared.names("d") == {NAME}
    assert shared.fetch(NAME, there)
    assert there.read_bytes() == here.read_bytes()
    # One that was altered in the store is removed there, and does not arrive.
    shared.put_text(NAME, "x" * 100)
    shutil.rmtree(tmp_path / "b")
    assert not shared.fetch(NAME, there)
    assert not is_intact(there)
    assert shared.names("d") == frozenset()
    # Erasure takes a session's entries along, whatever their stage.
    shared.push(NAME, here)
    shared.remove("dataset=d/session=S1")
    assert shared.names("d") == frozenset()


def test_a_store_that_does_not_answer_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match="could not be reached"):
        SharedCache("s3://cueflow/elsewhere").text("x")
    s3fs.S3FileSystem.clear_instance_cache()


def test_an_unknown_address_is_refused_and_none_is_none(monkeypatch):
    monkeypatch.delenv(SHARED, raising=False)
    assert shared_cache() is None
    with pytest.raises(ConfigError, match=SHARED):
        SharedCache("odd://place")
