"""Worker processes with a time limit for each job; one that hangs or dies is replaced, and only its own job is lost."""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cueflow.flows.work.jobs import Outcome, StageJob, dump_job
from cueflow.schemas.reasons import Reason

Progress = Callable[[float], None]
_CLOSE_LIMIT_S = 5.0
WORKER = (sys.executable, "-m", "cueflow.flows.work.worker")


class PoolClosedError(Exception):
    """The run was stopped: whoever still works or waits shall end at once."""


class _Worker:
    """One process; not thread-safe: the pool hands it to one job at a time."""

    def __init__(self, command: Sequence[str], *, threads: int, log: Path) -> None:
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
            environment[name] = str(threads)
        # One heap for all threads: what decoders free is less scattered so.
        environment.setdefault("MALLOC_ARENA_MAX", "1")
        environment["GLOG_minloglevel"] = environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self._buffer = b""

    def run(self, job: StageJob, *, time_limit_s: float, progress: Progress) -> Outcome:
        """Run one job to its end, its time limit or the worker's death."""
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        started = time.monotonic()
        try:
            self._process.stdin.write(dump_job(job) + b"\n")
            self._process.stdin.flush()
            for line in self._lines(started + time_limit_s):
                answer = json.loads(line)
                if "progress" in answer:
                    progress(answer["progress"])
                    continue
                reason = Reason(answer["reason"]) if answer["reason"] else None
                return Outcome(reason, answer["message"], answer["seconds"])
        except TimeoutError:
            return self._lost(Reason.TIME_LIMIT, started)
        except BrokenPipeError:
            pass
        return self._lost(Reason.WORKER_DIED, started)

    def _lines(self, deadline: float) -> Iterator[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        pipe = self._process.stdout.fileno()
        while True:
            line, separator, rest = self._buffer.partition(b"\n")
            if separator:
                self._buffer = rest
                yield line
                continue
            if not select.select([pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError
            chunk = os.read(pipe, 65536)
            if not chunk:
                return
            self._buffer += chunk

    def _lost(self, reason: Reason, started: float) -> Outcome:
        self.stop()
        return Outcome(reason, reason.sentence, time.monotonic() - started)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process; whoever waits for its answer sees it dead."""
        self._process.kill()

    def stop(self) -> None:
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class _Slots:
    """Places for workers; where several jobs wait for one, the heaviest gets it.

    Long jobs that start last would leave the other cores idle at the end.
    """

    def __init__(self, size: int) -> None:
        self._free: list[_Worker | None] = [None] * size
        self._queue: list[tuple[float, int]] = []
        self._turn = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    def get(self, weight: float) -> _Worker | None:
        """Wait for a place: the worker that was there, None where none was started yet.

        Raises
        ------
        PoolClosedError
            If nothing more shall be started.
        """
        with self._changed:
            self._turn += 1
            mine = (-weight, self._turn)
            heapq.heappush(self._queue, mine)
            self._changed.wait_for(lambda: self._closed or (self._free and self._queue[0] == mine))
            if self._closed:
                raise PoolClosedError
            heapq.heappop(self._queue)
            self._changed.notify_all()  # there may be another place for the next one
            return self._free.pop()

    def put(self, worker: _Worker | None) -> None:
        """Give the place back."""
        with self._changed:
            self._free.append(worker)
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more shall be started."""
        return self._closed

    def close(self) -> None:
        """Send everybody away who waits, now and later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_idle(self, size: int, *, limit_s: float | None = None) -> None:
        """Wait until all places are free."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) == size, limit_s)


class WorkerPool:
    """At most `size` worker processes, started when first needed.

    Parameters
    ----------
    size : int
        Processes that may work at the same time.
    log : Path
        File that takes what the workers print (traces; no ids, no paths of recordings).
    threads : int, optional
        Threads of the numerical libraries in each worker.
    command : sequence of str, optional
        The program that reads jobs and writes answers.
    """

    def __init__(self, size: int, *, log: Path, threads: int = 1, command: Sequence[str] = WORKER) -> None:
        self._slots = _Slots(size)
        self._started: set[_Worker] = set()
        self.size, self._threads, self._log, self._command = size, threads, log, command

    def run(
        self, job: StageJob, *, time_limit_s: float, progress: Progress = lambda _: None, weight: float = 0.0
    ) -> Outcome:
        """Run a job in a free worker; wait for one first.

        Parameters
        ----------
        job : StageJob
            What to do.
        time_limit_s : float
            After this the worker is killed.
        progress : callable, optional
            Told the share that is done, 0 to 1.
        weight : float, optional
            Where several jobs wait, the one with the largest goes first.

        Returns
        -------
        Outcome
            What happens inside the worker is never raised.

        Raises
        ------
        PoolClosedError
            If the pool was closed before the job was done.
        """
        worker = self._slots.get(weight)
        try:
            if worker is None or not worker.alive:
                if worker is not None:
                    self._started.discard(worker)
                worker = self._new(self._command)
            found = worker.run(job, time_limit_s=time_limit_s, progress=progress)
        finally:
            self._slots.put(worker)
        if self._slots.closed:
            raise PoolClosedError
        return found

    def _new(self, command: Sequence[str]) -> _Worker:
        """Start a process.

        Raises
        ------
        PoolClosedError
            If the pool was closed meanwhile.
        """
        made = _Worker(command, threads=self._threads, log=self._log)
        self._started.add(made)
        if self._slots.closed:  # while it was being made
            made.stop()
            raise PoolClosedError
        return made

    def start(self, count: int, groups: Iterable[str]) -> None:
        """Start workers before there are jobs, so that they load the libraries of these stages meanwhile.

        Parameters
        ----------
        count : int
            Workers; no more than the pool has.
        groups : iterable of str
            Stages: video, audio, physiology.
        """
        command = (*self._command, *groups)
        for worker in [self._slots.get(0.0) for _ in range(min(count, self.size))]:
            self._slots.put(worker or self._new(command))

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker."""
        return self._slots.waiting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._slots.wait_idle(self.size)
        self.close()

    def close(self) -> None:
        """Kill the workers, also those that work: what they were doing ends at once with `PoolClosedError`."""
        self._slots.close()
        for worker in tuple(self._started):
            worker.kill()
        self._slots.wait_idle(self.size, limit_s=_CLOSE_LIMIT_S)
        while self._started:
            self._started.pop().stop()
