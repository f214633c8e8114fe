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
WORKER = (sys.executable, "-m", "cueflow.flows.work.worker")


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

    def stop(self) -> None:
        self._process.kill()
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
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._queue)

    def get(self, weight: float) -> _Worker | None:
        """Wait for a place: the worker that was there, None where none was started yet."""
        with self._changed:
            self._turn += 1
            mine = (-weight, self._turn)
            heapq.heappush(self._queue, mine)
            self._changed.wait_for(lambda: self._free and self._queue[0] == mine)
            heapq.heappop(self._queue)
            self._changed.notify_all()  # there may be another place for the next one
            return self._free.pop()

    def put(self, worker: _Worker | None) -> None:
        """Give the place back."""
        with self._changed:
            self._free.append(worker)
            self._changed.notify_all()

    def drain(self) -> list[_Worker]:
        """Workers in free places, which are then places without one."""
        with self._changed:
            found = [worker for worker in self._free if worker is not None]
            self._free = [None] * len(self._free)
            return found

    def wait_idle(self, size: int) -> None:
        """Wait until all places are free."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) == size)


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
            Never raises for what happens inside the worker.
        """
        worker = self._slots.get(weight)
        try:
            if worker is None or not worker.alive:
                worker = _Worker(self._command, threads=self._threads, log=self._log)
            return worker.run(job, time_limit_s=time_limit_s, progress=progress)
        finally:
            self._slots.put(worker)

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
            self._slots.put(worker or _Worker(command, threads=self._threads, log=self._log))

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
        for worker in self._slots.drain():
            worker.stop()
