"""A hash of the whole file inside the file, so that any byte that changes later is found: in pages, footer or texts.

Checksums of Parquet's pages say nothing of the footer (statistics, places, texts), and most readers ignore them. The
hash stands among the footer's key-value metadata, and is that of the file with zeros in its place.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.storage.atomic import sync_file

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

_KEY, _SEALED = b"cueflow_sha256", b"cueflow_sealed"
_ZEROS = b"0" * 64
_FIELD = _KEY + b"\x18\x40"  # as Thrift writes it: what follows is a text of 64 bytes


def leave_room(file: ParquetWriter) -> None:
    """Reserve the place of the hash in a file that is being written; seal it when it is closed."""
    # Two keys: a file that has lost one of them is damaged, and one that never had any is older.
    file.add_key_value_metadata({_KEY.decode(): _ZEROS.decode(), _SEALED.decode(): "sha256"})


def sealed(raw: bytes) -> bytes:
    """A file's bytes with their hash in the place that `leave_room` reserved."""
    at = _place(raw)
    return raw[:at] + hashlib.sha256(raw).hexdigest().encode() + raw[at + len(_ZEROS) :]


def seal_file(path: Path) -> None:
    """Write the hash into a file and wait until the disk has it."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as raw:
        digest, at = hashlib.sha256(raw).hexdigest().encode(), _place(raw)
        raw[at : at + len(_ZEROS)] = digest
    sync_file(path)


def is_whole(path: Path) -> bool | None:
    """Whether a file's bytes are those that were written.

    Parameters
    ----------
    path : Path
        A file of the tables.

    Returns
    -------
    bool or None
        None where the file holds no hash: an older version wrote it. One that cannot be read raises `OSError`.
    """
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        at = _place(raw)
        if at < 0:
            return None if raw.find(_SEALED) < 0 else False
        with memoryview(raw) as view:
            digest = hashlib.sha256(view[:at])
            digest.update(_ZEROS)
            digest.update(view[at + len(_ZEROS) :])
        return digest.hexdigest().encode() == raw[at : at + len(_ZEROS)]


def _place(raw: bytes | mmap.mmap) -> int:
    """Where the hash stands; -1 where it does not."""
    found = raw.rfind(_FIELD)  # the key-value metadata come behind everything that a table's texts can reach
    return -1 if found < 0 else found + len(_FIELD)
