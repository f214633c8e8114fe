"""Fan-out over sessions: tasks as small as the number of sessions allows, a bounded number of them in flight.

What computes goes to the task runner (threads that wait for worker processes, or Dask); what writes stays here, with
the one writer of the tables.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.results import ResultRecord  # type: ignore[attr-defined]

from cueflow.flows.deployments.engine import computes_elsewhere, stop_if_suspended
from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.progress import watcher
from cueflow.flows.work.compute import computer
from cueflow.flows.work.jobs import Outcome, StageJob
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group

CHUNK = 25
_LOOK_EVERY_S = 1.0
IN_FLIGHT = 4  # sessions (chunks) under way for each worker: enough for the longest stages to go first
_task: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


@dataclass(frozen=True, slots=True)
class Unit:
    """A session's share of the work: the stages to compute."""

    session: str
    jobs: tuple[StageJob, ...]


Done = Mapping[Group, Outcome]


class Work:
    """Jobs on their way to where they are computed; not a dataclass, since Prefect walks through those in parameters.

    Parameters
    ----------
    jobs : sequence of StageJob
        In the order to do them.
    """

    def __init__(self, jobs: Sequence[StageJob]) -> None:
        self._jobs = tuple(jobs)

    def done(self) -> list[Outcome]:
        """Compute them, one after the other."""
        return [computer().compute(job) for job in self._jobs]


class Finisher(Protocol):
    """Who turns a session's results into its tables."""

    @property
    def halted(self) -> bool:
        """Whether nothing more shall be started."""

    def start(self, session: str) -> None:
        """Note that the session's tasks are being submitted."""

    def finish(self, session: str, done: Done) -> None:
        """Write the session; `done` says how its stages went."""

    def failed(self, session: str) -> None:
        """Write the session as failed, since `finish` raised something that nobody expected."""


@task(name="video", task_run_name="video · {session}", **_task)
def video(session: str, work: Work) -> Outcome:
    """Face and motion of every video of the session."""
    return work.done()[0]


@task(name="audio", task_run_name="audio · {session}", **_task)
def audio(session: str, work: Work) -> Outcome:
    """Voice of every audio track of the session."""
    return work.done()[0]


@task(name="physiology", task_run_name="physiology · {session}", **_task)
def physiology(session: str, work: Work) -> Outcome:
    """Heart, pulse, skin and breathing of the session."""
    return work.done()[0]


@task(name="tables", task_run_name="tables · {session}", **_task)
def tables(session: str, finish: Callable[[], None]) -> None:
    """Put the stages on one clock, fuse, and write the session's tables all at once."""
    finish()


@task(name="session", task_run_name="session · {label}", **_task)
def sessions_of(label: str, work: Work) -> list[Outcome]:
    """All stages of a session, or of a chunk of sessions, one after the other."""
    return work.done()


_STAGES = {Group.VIDEO: video, Group.AUDIO: audio, Group.PHYSIOLOGY: physiology}


def fan_out(units: Sequence[Unit], finisher: Finisher, *, granularity: Granularity, in_flight: int) -> None:
    """Compute the stages of sessions inside a flow run, and finish each session as soon as its own are done.

    Parameters
    ----------
    units : sequence of Unit
        In the order to start them.
    finisher : Finisher
        Called in this thread.
    granularity : Granularity
        Not `auto`.
    in_flight : int
        Sessions (chunks) whose tasks may wait or run at the same time.
    """
    if granularity is Granularity.MODALITY:
        _by_modality(units, finisher, in_flight=in_flight)
    else:
        _by_chunk(units, finisher, in_flight=in_flight, size=CHUNK if granularity is Granularity.CHUNK else 1)


def _by_modality(units: Sequence[Unit], finisher: Finisher, *, in_flight: int) -> None:
    started = (((unit,), _submit_stages(unit)) for unit in units)
    for (unit,), futures in _as_done(started, finisher, in_flight=in_flight):
        answers = [_answer(future) for future in futures]
        _tell_done(unit)
        done = {
            job.group: _broken(answer) if isinstance(answer, BaseException) else answer
            for job, answer in zip(unit.jobs, answers, strict=True)
        }
        call = _Finish(finisher, unit.session, done)
        # Drawn as edges in the UI. A stage that broke would keep the others from the tables.
        ended = [_Ended(**dict(future.state)) for future in futures if future.state.is_completed()]
        state = tables(unit.session, call, return_state=True, wait_for=ended)
        if not state.is_completed():
            finisher.failed(unit.session)


def _by_chunk(units: Sequence[Unit], finisher: Finisher, *, in_flight: int, size: int) -> None:
    started = (_submit_chunk(chunk) for chunk in _chunks(units, size))
    for chunk, (future,) in _as_done(started, finisher, in_flight=in_flight):
        answer = _answer(future)
        found: dict[str, dict[Group, Outcome]] = {unit.session: {} for unit in chunk}
        for unit in chunk:
            _tell_done(unit)
        if isinstance(answer, BaseException):
            broken = _broken(answer)
            found = {unit.session: {job.group: broken for job in unit.jobs} for unit in chunk}
        else:
            for (session, group), outcome in zip(_named(chunk), answer, strict=True):
                found[session][group] = outcome
        for session, done in found.items():
            try:
                finisher.finish(session, done)
            except Exception:  # noqa: BLE001 - the boundary of a session, which is a task's at the other granularity
                get_run_logger().exception("a session could not be written")
                finisher.failed(session)


def _tell_done(unit: Unit) -> None:
    """Move the bars on for stages that were computed where nobody could tell."""
    if computes_elsewhere():
        for job in unit.jobs:
            watcher().advanced(job.group, 1.0)


def _chunks(units: Sequence[Unit], size: int) -> Iterator[tuple[Unit, ...]]:
    left = iter(units)
    while chunk := tuple(islice(left, size)):
        yield chunk


class _Finish:
    """A call that waits; not a dataclass, since Prefect walks through those in parameters."""

    def __init__(self, finisher: Finisher, session: str, done: Done) -> None:
        self._call = (finisher, session, done)

    def __call__(self) -> None:
        finisher, session, done = self._call
        finisher.finish(session, done)


def _submit_stages(unit: Unit) -> list[PrefectFuture[Any]]:
    return [_STAGES[job.group].submit(unit.session, Work([job])) for job in unit.jobs]


def _submit_chunk(chunk: tuple[Unit, ...]) -> tuple[tuple[Unit, ...], list[PrefectFuture[Any]]]:
    label = chunk[0].session if len(chunk) == 1 else f"{chunk[0].session} and {len(chunk) - 1} more"
    return chunk, [sessions_of.submit(label, Work([job for unit in chunk for job in unit.jobs]))]


def _named(chunk: tuple[Unit, ...]) -> list[tuple[str, Group]]:
    """What the outcomes of a chunk's task belong to, in their order."""
    return [(unit.session, job.group) for unit in chunk for job in unit.jobs]


Started = tuple[tuple[Unit, ...], list[PrefectFuture[Any]]]


def _as_done(started: Iterator[Started], finisher: Finisher, *, in_flight: int) -> Iterator[Started]:
    """Start as many as may be in flight; hand each out when all its futures are done, whichever that is first."""
    done: queue.SimpleQueue[Started] = queue.SimpleQueue()
    waiting = 0
    more = True
    while more or waiting:
        while more and waiting < in_flight:
            item = None if finisher.halted else next(started, None)
            if item is None:
                more = False
                break
            waiting += 1
            for unit in item[0]:
                finisher.start(unit.session)
            _when_done(item, done)
        if waiting:
            yield _next(done)
            waiting -= 1


def _next(done: queue.SimpleQueue[Started]) -> Started:
    """Wait for what is done next; where somebody pauses the run meanwhile, end it there."""
    while True:
        stop_if_suspended()
        try:
            return done.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            continue


def _when_done(item: Started, done: queue.SimpleQueue[Started]) -> None:
    left = len(item[1])
    if not left:
        done.put(item)
        return
    countdown: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(left - 1):
        countdown.put(None)

    def one(_future: PrefectFuture[Any]) -> None:
        try:
            countdown.get_nowait()
        except queue.Empty:
            done.put(item)

    for future in item[1]:
        future.add_done_callback(one)


class _Ended(State[Any]):
    """State of a stage that nobody asks for its result: Prefect would, and each asking starts a coroutine."""

    def result(self, **_: object) -> None:  # type: ignore[override]
        """Nothing."""


def _answer(future: PrefectFuture[Any]) -> Any:  # noqa: ANN401 - what the task returned, or what broke it
    """What a task that has ended returned, without the coroutine that Prefect starts for each such question."""
    future.wait()
    data = future.state.data
    return data.result if isinstance(data, ResultRecord) else future.result(raise_on_failure=False)


def _broken(error: BaseException) -> Outcome:
    get_run_logger().error("a task broke", exc_info=error)
    return Outcome(Reason.UNEXPECTED, Reason.UNEXPECTED.sentence, 0.0)
