"""A guard that starts fewer jobs at a time where memory runs short, instead of letting the machine kill them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cueflow.schemas.session import Group

# What a job may take on top of what is in use, in MiB: peaks of docs/benchmarks.md, with some room.
NEED_MIB: dict[Group, float] = {Group.VIDEO: 1400.0, Group.AUDIO: 600.0, Group.PHYSIOLOGY: 400.0}
_LOOK_AGAIN_S = 1.0
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def available_mib() -> float:
    """Memory that may still be used, in MiB: of the machine or of the container, whichever is less."""
    found = [_machine_mib(), *(_container_mib(most, now) for most, now in _LIMITS)]
    return min((mib for mib in found if mib is not None), default=float("inf"))


class MemoryGuard:
    """Lets a job start only where there is memory for it; one job may always run.

    Parameters
    ----------
    available : callable, optional
        Free memory in MiB.
    wait_s : float, optional
        How long to wait before it looks again.
    """

    def __init__(self, available: Callable[[], float] = available_mib, *, wait_s: float = _LOOK_AGAIN_S) -> None:
        self._available, self._wait_s = available, wait_s
        self._running = 0
        self._changed = threading.Condition()

    @contextmanager
    def room_for(self, group: Group) -> Iterator[None]:
        """Wait until there is room, then hold it."""
        with self._changed:
            while self._running and self._available() < NEED_MIB[group]:
                self._changed.wait(self._wait_s)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def _machine_mib() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _container_mib(most: Path, now: Path) -> float | None:
    try:
        return (int(most.read_text()) - int(now.read_text())) / 2**20
    except (OSError, ValueError):  # no container, or "max"
        return None
