"""What a run tells its watcher; the command line draws bars from it, a test may collect it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from cueflow.schemas.session import Group


class Watcher(Protocol):
    """Told what happens during a run, from any thread."""

    def planned(self, *, sessions: int, unchanged: int, jobs: dict[Group, int]) -> None:
        """Say what will be done: sessions to process, sessions that need nothing, jobs per stage."""

    def advanced(self, group: Group, share: float) -> None:
        """A job of a stage went on by this share of itself."""

    def finished(self, status: str) -> None:
        """A session's tables are written, with this status."""


class Silent:
    """A watcher that looks away."""

    def planned(self, *, sessions: int, unchanged: int, jobs: dict[Group, int]) -> None:
        """Nothing."""

    def advanced(self, group: Group, share: float) -> None:
        """Nothing."""

    def finished(self, status: str) -> None:
        """Nothing."""


_watcher: list[Watcher] = [Silent()]


def watcher() -> Watcher:
    """The watcher of this run."""
    return _watcher[-1]


@contextmanager
def watched_by(new: Watcher) -> Iterator[None]:
    """Let `new` watch what runs inside; Prefect's parameters must be plain data, so it cannot travel there."""
    _watcher.append(new)
    try:
        yield
    finally:
        _watcher.remove(new)
