"""Readers say that they read, so that compaction removes no file under their eyes.

A reader holds a shared lock, which the system takes back when its process ends. `cueflow maintain` removes the old
copies of moved sessions only while nobody holds one, and a session that is written again waits a little for readers.
Where locks do not work, reading goes on without.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cueflow.storage.layout import state_dir

_PAUSE_S = 0.05
_held: dict[Path, tuple[int | None, int]] = {}  # lock of this process and how many hold it, by folder
_guard = threading.Lock()


def hold(root: Path) -> None:
    """Count this process among the readers of TABLES, until `release` or its end."""
    key = root.resolve()
    with _guard:
        handle, n = _held.get(key) or (_shared(key), 0)
        _held[key] = (handle, n + 1)


def release(root: Path) -> None:
    """Take back one `hold`."""
    key = root.resolve()
    with _guard:
        handle, n = _held.pop(key, (None, 0))
        if n > 1:
            _held[key] = (handle, n - 1)
        elif handle is not None:
            os.close(handle)


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Hold TABLES for reading."""
    hold(root)
    try:
        yield
    finally:
        release(root)


@contextmanager
def nobody_reads(root: Path, *, wait_s: float) -> Iterator[bool]:
    """Keep readers waiting, which must be short.

    Parameters
    ----------
    root : Path
        TABLES.
    wait_s : float
        How long to wait for those that read now, in s.

    Yields
    ------
    bool
        False where some still read.
    """
    if root.resolve() in _held:  # this process reads itself: waiting would be in vain
        yield False
        return
    with (state_dir(root) / "gate").open("ab") as gate, (state_dir(root) / "readers").open("ab") as file:
        fcntl.flock(gate, fcntl.LOCK_EX)  # whoever comes now waits; those who read already are waited for
        until = time.monotonic() + wait_s
        alone = _alone(file.fileno())
        while not alone and time.monotonic() < until:
            time.sleep(_PAUSE_S)
            alone = _alone(file.fileno())
        yield alone


def _alone(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _shared(root: Path) -> int | None:
    path = state_dir(root) / "readers"
    handle = None
    with contextlib.suppress(OSError):  # a folder that may only be read: whoever writes it made the file
        handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o666)
    if handle is None:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
    if handle is not None:
        with contextlib.suppress(OSError), _through_the_gate(root):
            fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


@contextmanager
def _through_the_gate(root: Path) -> Iterator[None]:
    """Wait while a writer that has announced itself waits for the readers, or works."""
    try:
        gate = os.open(state_dir(root) / "gate", os.O_RDONLY)
    except OSError:  # nobody has written since there are gates
        yield
        return
    try:
        fcntl.flock(gate, fcntl.LOCK_SH)
        yield
    finally:
        os.close(gate)
