"""What all commands share: the console, the one-line error, progress bars."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from cueflow.schemas.errors import CueflowError
from cueflow.schemas.session import Group

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from cueflow.flows.progress import Watcher

USAGE = 2
_PIPED_WIDTH = 200  # nobody wants a file wrapped at 80


def console(*, err: bool = False) -> Console:
    """A console that knows whether it writes to a terminal."""
    from rich.console import Console

    made = Console(stderr=err, highlight=False)
    return made if made.is_terminal else Console(stderr=err, highlight=False, width=_PIPED_WIDTH)


def fail(error: CueflowError) -> NoReturn:
    """One line on standard error: the reason code and what to do; exit code 2."""
    print(f"cueflow: {error.message} [{error.reason}]", file=sys.stderr)  # noqa: T201 - this is the command line
    sys.exit(USAGE)


def stop_at_once(last: Callable[[], None]) -> None:
    """Let Ctrl-C, or a service manager's SIGTERM, end the process there and then, after `last`.

    Waiting for the embedded server to end by itself would take a minute of error messages. Tables are safe at any
    moment: a session is written whole or not at all.
    """

    def stop(number: int, _frame: object) -> None:
        os.write(2, b"\nStopped; what was written stays, and the next run goes on from there.\n")
        last()
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


STATUS_STYLE = {"ok": "green", "degraded": "yellow", "failed": "red"}


def styled(status: str) -> str:
    """A status word in its colour; the word itself says it too."""
    style = STATUS_STYLE.get(status)
    return f"[{style}]{status}[/{style}]" if style else status


class _Bars:
    """Progress bars of a run: one for sessions, one for each stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._groups: dict[Group, TaskID] = {}
        self._sessions: TaskID | None = None

    def planned(self, *, sessions: int, unchanged: int, jobs: dict[Group, int]) -> None:
        if unchanged:
            self._progress.console.print(f"{unchanged} sessions are unchanged and stay as they are.")
        for group, count in jobs.items():
            if count:
                self._groups[group] = self._progress.add_task(f"{group.value}", total=count)
        if sessions:
            self._sessions = self._progress.add_task("sessions written", total=sessions)

    def advanced(self, group: Group, share: float) -> None:
        if group in self._groups:
            self._progress.advance(self._groups[group], share)

    def finished(self, status: str) -> None:
        if self._sessions is not None:
            self._progress.advance(self._sessions)


@contextmanager
def bars() -> Iterator[Watcher]:
    """Show progress bars on a terminal while a run goes on; elsewhere a line per stage at the end."""
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Left(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            if task.finished or task.time_remaining is None:
                return Text("")
            return Text.assemble("about ", super().render(task), " left")

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=32),
        TextColumn("{task.completed:>5.1f} of {task.total:.0f}"),
        TimeElapsedColumn(),
        Left(),
    )
    # minutes may pass between two videos: what is left is judged by the last ten of them
    with Progress(*columns, console=console(err=True), speed_estimate_period=600) as progress:
        yield _Bars(progress)
