"""A stage computed: within its time, with memory for it, and tried again where that can help."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol

from cueflow.flows.progress import watcher
from cueflow.flows.work.jobs import Outcome, StageJob
from cueflow.flows.work.limits import expected_s, minutes, time_limit_s
from cueflow.flows.work.memory import MemoryGuard
from cueflow.flows.work.pool import WorkerPool
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group

# What may pass by itself: a store that does not answer, a process that was killed, memory that others took. Bad input
# never gets better, and a job that hung once would hang again.
_PASSING = frozenset({Reason.STORE_UNREACHABLE, Reason.WORKER_DIED, Reason.OUT_OF_MEMORY})
_HUNG = frozenset({Reason.TIME_LIMIT, Reason.WORKER_DIED})
BACK_OFF_S = (2.0, 8.0)


class Pool(Protocol):
    """Where jobs run; `WorkerPool` is one."""

    def run(self, job: StageJob, *, time_limit_s: float, progress: Callable[[float], None], weight: float) -> Outcome:
        """Run a job to its end; of several that wait, the one with the largest weight first."""


class Computer:
    """Runs stages in a pool, with the policies of a run.

    Parameters
    ----------
    pool : Pool
        Where jobs run.
    at_once : mapping, optional
        Jobs of a stage that may run at the same time, where that is fewer than there are workers.
    guard : MemoryGuard, optional
        Who waits for memory.
    back_off_s : sequence of float, optional
        Waits before each further try of what may pass.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        at_once: Mapping[Group, int] | None = None,
        guard: MemoryGuard | None = None,
        back_off_s: tuple[float, ...] = BACK_OFF_S,
    ) -> None:
        self._pool, self._guard, self._back_off_s = pool, guard or MemoryGuard(), back_off_s
        self._gates = {group: threading.Semaphore(count) for group, count in (at_once or {}).items()}

    def compute(self, job: StageJob) -> Outcome:
        """Run a job; a video whose decoder hung or died is tried once more with the second one.

        Parameters
        ----------
        job : StageJob
            What to do.

        Returns
        -------
        Outcome
        """
        told = 0.0

        def tell(share: float) -> None:
            nonlocal told
            if not job.cuts:  # a second pass is part of none that was planned
                watcher().advanced(job.group, max(share - told, 0.0))
            told = max(share, told)

        recorded = minutes(job)
        limit, weight = time_limit_s(job.group, recorded), expected_s(job.group, recorded)
        with ExitStack() as held:
            if job.group in self._gates:
                held.enter_context(self._gates[job.group])
            held.enter_context(self._guard.room_for(job.group))
            outcome = self._pool.run(job, time_limit_s=limit, progress=tell, weight=weight)
            if job.group is Group.VIDEO and outcome.reason in _HUNG:
                second = replace(job, decoder="decord")
                outcome = self._pool.run(second, time_limit_s=limit, progress=tell, weight=weight)
            for wait_s in self._back_off_s:
                if outcome.reason not in _PASSING:
                    break
                time.sleep(wait_s)
                outcome = self._pool.run(job, time_limit_s=limit, progress=tell, weight=weight)
        tell(1.0)
        return outcome


_computers: list[Computer] = []
_own: list[Computer] = []
_lock = threading.Lock()


def computer() -> Computer:
    """The one of this run; in a process that some engine started elsewhere, one of its own."""
    with _lock:
        if _computers:
            return _computers[-1]
        if not _own:
            _own.append(Computer(WorkerPool(1, log=Path(gettempdir()) / "cueflow-workers.log")))
        return _own[0]


@contextmanager
def computing_with(new: Computer) -> Iterator[None]:
    """Let `new` compute what is asked for inside; it cannot travel in Prefect's parameters."""
    _computers.append(new)
    try:
        yield
    finally:
        _computers.remove(new)


@contextmanager
def worker_processes(count: int, *, log: Path, video_at_once: int = 0) -> Iterator[WorkerPool | None]:
    """Workers for the jobs that are asked for inside; where the caller has some already, those.

    Parameters
    ----------
    count : int
        Processes.
    log : Path
        Takes what they print.
    video_at_once : int, optional
        Videos that may be decoded at the same time; 0: as many as there are workers.

    Yields
    ------
    WorkerPool or None
        None where they were there already.
    """
    if _computers:
        yield None
        return
    at_once = {Group.VIDEO: video_at_once} if video_at_once else {}
    with WorkerPool(count, log=log) as pool, computing_with(Computer(pool, at_once=at_once)):
        yield pool
