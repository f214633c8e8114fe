"""Hashes of inputs and their memo."""

from __future__ import annotations

import hashlib
import os

import pytest

from cueflow.storage import fingerprints
from cueflow.storage.fingerprints import HashMemo, memo_path, root_fingerprint, sha256_file


def test_the_hash_is_the_one_of_the_bytes(tmp_path):
    data = os.urandom(3 * (1 << 20) + 17)
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Names of the files that were really hashed."""
    names: list[str] = []

    def counting(path):
        names.append(path.name)
        return sha256_file(path)

    monkeypatch.setattr(fingerprints, "sha256_file", counting)
    return names


def _file(tmp_path, name="rec.wav", data=b"sound"):
    path = tmp_path / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_file_is_hashed_once_over_runs(tmp_path, reads):
    path, root = _file(tmp_path), tmp_path / "t"
    memo = HashMemo(root)
    first = memo.sha256(path, "rec.wav")
    memo.save()
    assert HashMemo(root).sha256(path, "rec.wav") == first == hashlib.sha256(b"sound").hexdigest()
    assert reads == ["rec.wav"]


def test_other_content_of_the_same_length_is_hashed_again(tmp_path, reads):
    path, root = _file(tmp_path), tmp_path / "t"
    memo = HashMemo(root)
    memo.sha256(path, "rec.wav")
    memo.save()
    path.write_bytes(b"SOUND")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert HashMemo(root).sha256(path, "rec.wav") == hashlib.sha256(b"SOUND").hexdigest()
    assert len(reads) == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"version":1}', '{"version":1,"hashes":{"k":[1]}}', '{"version":99,"hashes":{}}', "\x00\xff"],
)
def test_a_damaged_memo_counts_as_none(tmp_path, content):
    path, root = _file(tmp_path), tmp_path / "t"
    memo_path(root).parent.mkdir(parents=True)
    memo_path(root).write_text(content, encoding="latin-1")
    assert HashMemo(root).sha256(path, "rec.wav") == hashlib.sha256(b"sound").hexdigest()


def test_the_memo_names_no_file(tmp_path):
    path, root = _file(tmp_path, "sub-P001_ses-1.wav"), tmp_path / "t"
    memo = HashMemo(root)
    memo.sha256(path, "sub-P001_ses-1.wav")
    memo.save()
    assert "P001" not in memo_path(root).read_text()


def test_datasets_in_different_places_differ(tmp_path):
    assert root_fingerprint(tmp_path / "a") != root_fingerprint(tmp_path / "b")
    assert root_fingerprint(tmp_path / "a") == root_fingerprint(tmp_path / "b" / ".." / "a")
