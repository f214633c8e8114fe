"""Files that are there whole or not at all, and errors of the disk said in our own words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cueflow.schemas.errors import DiskFullError, TablesError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn an operating system error into one that says what to do.

    Parameters
    ----------
    what : str
        What was being done, without paths.

    Raises
    ------
    DiskFullError
        If there is no space (or no quota) left.
    TablesError
        For any other trouble of the file system.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            message = f"The disk is full ({what}): free some space and run again; what was written before stays."
            raise DiskFullError(message) from error
        trouble = error.strerror or "input/output error"
        raise TablesError(f"{what}: {trouble}; check the folder and its permissions") from error


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it.

    Parameters
    ----------
    path : Path
        Where to; an existing file is overwritten in place, so give it a name that nobody reads.
    data : bytes
        Its content.

    Raises
    ------
    OSError
        If it cannot be written; the incomplete file is removed.
    """
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def sync_file(path: Path) -> None:
    """Wait until the disk has a file's content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_dir(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_bytes(path: Path, data: bytes) -> None:
    """Give a file new content: readers and a crash see the old one or the new one.

    Parameters
    ----------
    path : Path
        The file; its folder is made if needed. The caller is its only writer.
    data : bytes
        Its new content.

    Raises
    ------
    OSError
        If it cannot be written; the old content stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.tmp")  # one writer at a time: what a killed one left is overwritten
    write_synced(staged, data)
    try:
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    sync_dir(path.parent)
