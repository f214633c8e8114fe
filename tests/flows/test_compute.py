"""Policies around a job: what is tried again and what is not, memory, limits by length, shares of equal work."""

from __future__ import annotations

import threading
import wave

import pytest

from cueflow.flows.planning.granularity import Granularity
from cueflow.flows.work.compute import Computer
from cueflow.flows.work.jobs import Outcome, StageJob
from cueflow.flows.work.limits import (
    BASE_S,
    EXPECTED_PER_MINUTE_S,
    EXPECTED_S,
    PER_MINUTE_S,
    expected_s,
    minutes,
    time_limit_s,
)
from cueflow.flows.work.memory import MemoryGuard
from cueflow.schemas.config import Config
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group, Modality, Stream

MODALITY = {Group.VIDEO: Modality.VIDEO, Group.AUDIO: Modality.AUDIO, Group.PHYSIOLOGY: Modality.ECG}


def job(group=Group.AUDIO, root="data", path="a"):
    return StageJob(
        group=group,
        dataset_root=str(root),
        tables_root="tables",
        dataset="d",
        session_id="S1",
        key="k",
        streams=(Stream(MODALITY[group], path),),
        input_sha256={},
        markers=(),
        exclusions=(),
        config=Config(),
    )


class Pool:
    """Answers with the given reasons, one after the other, then with success."""

    def __init__(self, *reasons):
        self.reasons, self.decoders = list(reasons), []

    def run(self, job, *, time_limit_s, progress, weight):
        self.decoders.append(job.decoder)
        return Outcome(self.reasons.pop(0) if self.reasons else None, "", 0.0)


@pytest.mark.parametrize(
    ("group", "reasons", "decoders", "end"),
    [
        (Group.AUDIO, [], ["av"], None),
        (Group.AUDIO, [Reason.STORE_UNREACHABLE], ["av"] * 2, None),
        (Group.AUDIO, [Reason.OUT_OF_MEMORY, Reason.WORKER_DIED], ["av"] * 3, None),
        (Group.AUDIO, [Reason.WORKER_DIED] * 9, ["av"] * 3, Reason.WORKER_DIED),
        (Group.AUDIO, [Reason.FILE_TRUNCATED], ["av"], Reason.FILE_TRUNCATED),  # bad input: once
        (Group.AUDIO, [Reason.TIME_LIMIT], ["av"], Reason.TIME_LIMIT),  # what hung would hang again
        (Group.VIDEO, [Reason.TIME_LIMIT], ["av", "decord"], None),  # but for the second decoder
        (Group.VIDEO, [Reason.TIME_LIMIT] * 2, ["av", "decord"], Reason.TIME_LIMIT),
    ],
)
def test_only_what_can_pass_is_tried_again(group, reasons, decoders, end):
    pool = Pool(*reasons)
    found = Computer(pool, guard=MemoryGuard(lambda: 1e9), back_off_s=(0.0, 0.0)).compute(job(group))
    assert (pool.decoders, found.reason) == (decoders, end)


def test_short_memory_lowers_concurrency_and_never_stops_the_last_job():
    free = [1e6]
    guard = MemoryGuard(lambda: free[0], wait_s=0.01)
    running, most, gate = [], [], threading.Event()

    def work():
        with guard.room_for(Group.VIDEO):
            running.append(1)
            most.append(len(running))
            gate.wait(0.05)
            running.pop()

    for memory, expected in ((1e6, 4), (0.0, 1)):
        free[0] = memory
        most.clear()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(most) == 4  # all ran
        assert max(most) == expected if expected == 1 else max(most) > 1


def test_a_stage_may_have_fewer_jobs_at_a_time_than_there_are_workers():
    running, most = [], []

    class Slow:
        def run(self, job, *, time_limit_s, progress, weight):
            running.append(1)
            most.append(len(running))
            threading.Event().wait(0.02)
            running.pop()
            return Outcome(None, "", 0.0)

    computer = Computer(Slow(), at_once={Group.VIDEO: 1}, guard=MemoryGuard(lambda: 1e9))
    threads = [threading.Thread(target=computer.compute, args=(job(Group.VIDEO),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1] * 4


def test_limits_go_by_the_length_recorded(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000 * 90))  # 1.5 minutes
    found = job(Group.AUDIO, tmp_path, "a.wav")
    assert time_limit_s(Group.AUDIO, minutes(found)) == pytest.approx(
        BASE_S + 1.5 * PER_MINUTE_S[Group.AUDIO], rel=1e-3
    )
    expected = EXPECTED_S + 1.5 * EXPECTED_PER_MINUTE_S[Group.AUDIO]
    assert expected_s(Group.AUDIO, minutes(found)) == pytest.approx(expected, rel=1e-3)
    (tmp_path / "empty.mp4").touch()
    for path in ("empty.mp4", "gone.mp4", "../a.wav"):  # what says nothing gets no more than the base
        assert time_limit_s(Group.VIDEO, minutes(job(Group.VIDEO, tmp_path, path))) == BASE_S


@pytest.mark.parametrize(("count", "kind"), [(1, "modality"), (1000, "modality"), (1001, "session"), (10_001, "chunk")])
def test_granularity_goes_by_size_where_none_is_given(count, kind):
    assert Granularity.AUTO.for_sessions(count) == kind
    assert Granularity.SESSION.for_sessions(count) == "session"
