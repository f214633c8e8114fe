"""Hashes of inputs, remembered by size and time stamp, so that a run with nothing to do reads no recording."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from cueflow.storage.atomic import disk_errors, replace_bytes
from cueflow.storage.layout import state_dir

_CHUNK = 1 << 20
_VERSION = 1


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits. A file that cannot be read raises `OSError`.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def root_fingerprint(root: Path) -> str:
    """Hash of where a dataset lies: tells two datasets of one name apart without writing their paths down."""
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()


def memo_path(root: Path) -> Path:
    """Where the memo of a TABLES folder lies."""
    return state_dir(root) / "hashes.json"


class HashMemo:
    """Hashes that are known already, in TABLES; a damaged memo counts as none.

    A file is hashed again when its size or its modification time (in ns) differs. The memo holds no paths: its keys
    are hashes of the paths inside the dataset. Safe to use from threads.

    Parameters
    ----------
    root : Path
        TABLES.
    """

    def __init__(self, root: Path) -> None:
        self._path = memo_path(root)
        self._known = _load(self._path)
        self._lock = threading.Lock()
        self._changed = False

    def sha256(self, path: Path, relative: str) -> str:
        """SHA-256 of a file, from the memo where the file has not changed.

        Parameters
        ----------
        path : Path
            The file.
        relative : str
            Its path inside the dataset.

        Returns
        -------
        str
            64 hexadecimal digits. A file that cannot be read raises `OSError`.
        """
        state = path.stat()
        # Two datasets may share TABLES: the folder of the dataset is part of the key.
        key = hashlib.sha256(f"{path.parent.resolve()}\n{relative}".encode()).hexdigest()[:32]
        with self._lock:
            known = self._known.get(key)
        if known is not None and known[:2] == [state.st_size, state.st_mtime_ns]:
            return str(known[2])
        digest = sha256_file(path)
        with self._lock:
            self._known[key] = [state.st_size, state.st_mtime_ns, digest]
            self._changed = True
        return digest

    def save(self) -> None:
        """Write the memo, where anything is new; without space left it is a `DiskFullError` and the old one stays."""
        with self._lock:
            if not self._changed:
                return
            content = json.dumps({"version": _VERSION, "hashes": self._known}, separators=(",", ":")).encode()
            self._changed = False
        with disk_errors("writing the memo of hashes"):
            replace_bytes(self._path, content)


def _load(path: Path) -> dict[str, list[Any]]:
    try:
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict) or raw.get("version") != _VERSION or not isinstance(raw.get("hashes"), dict):
        return {}
    return {key: row for key, row in raw["hashes"].items() if _is_row(row)}


def _is_row(row: object) -> bool:
    match row:
        case [int(), int(), str() as digest]:
            return len(digest) == 64
    return False
