"""Worker processes: time limits, deaths and replacement."""

from __future__ import annotations

import sys
import threading

import pytest

from cueflow.flows.work.jobs import StageJob, dump_job, load_job
from cueflow.flows.work.pool import PoolClosedError, WorkerPool
from cueflow.flows.work.stages import LIBRARIES
from cueflow.schemas.config import Config
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Exclusion, Group, Marker, Modality, Stream

# Answers each job by its key: hang, die, or tell progress and the number of jobs this process has done.
PROGRAM = """
import json, os, sys, time
for number, line in enumerate(sys.stdin):
    key = json.loads(line)["key"]
    if key == "hang":
        time.sleep(60)
    if key == "wait":
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
    if key == "die":
        os.kill(os.getpid(), 9)
    print(json.dumps({"progress": 0.5}), flush=True)
    reason = "file_empty" if key == "bad" else None
    print(json.dumps({"reason": reason, "message": str(number), "seconds": 0.1}), flush=True)
"""


def job(key: str) -> StageJob:
    return StageJob(
        group=Group.VIDEO,
        dataset_root="data",
        tables_root="tables",
        dataset="d",
        session_id="S1",
        key=key,
        streams=(Stream(Modality.VIDEO, "a.mp4", start_s=1.5),),
        input_sha256={"a.mp4": "00"},
        markers=(Marker(0.0, 1.0, "rest"),),
        exclusions=(Exclusion(0.0, 1.0, "noise"),),
        config=Config(),
    )


@pytest.fixture
def pool(tmp_path):
    with WorkerPool(1, log=tmp_path / "log", command=(sys.executable, "-c", PROGRAM)) as made:
        yield made


def test_a_job_survives_its_journey():
    assert load_job(dump_job(job("k"))) == job("k")


def test_a_worker_keeps_working_and_tells_its_progress(pool):
    told = []
    first = pool.run(job("a"), time_limit_s=20, progress=told.append)
    second = pool.run(job("bad"), time_limit_s=20)
    assert (first.reason, first.message, told) == (None, "0", [0.5])
    assert (second.reason, second.message) == (Reason.FILE_EMPTY, "1")  # the same process: its second job


@pytest.mark.parametrize(("key", "reason"), [("hang", Reason.TIME_LIMIT), ("die", Reason.WORKER_DIED)])
def test_a_lost_worker_costs_only_its_own_job(pool, key, reason):
    assert pool.run(job(key), time_limit_s=1.0).reason is reason
    after = pool.run(job("a"), time_limit_s=20)
    assert (after.reason, after.message) == (None, "0")  # a new process


def test_of_jobs_that_wait_the_longest_goes_first(tmp_path):
    gate, order = tmp_path / "gate", []
    with WorkerPool(1, log=tmp_path / "log", command=(sys.executable, "-c", PROGRAM, str(gate))) as pool:

        def ask(key, weight):
            asked = job("wait" if key == "first" else key)
            pool.run(asked, time_limit_s=20, progress=lambda _: order.append(key), weight=weight)

        threads = []
        for count, (key, weight) in enumerate([("first", 0.0), ("a", 1.0), ("b", 30.0), ("c", 2.0), ("d", 30.0)]):
            threads.append(threading.Thread(target=ask, args=(key, weight)))
            threads[-1].start()
            while pool.waiting < count:
                threading.Event().wait(0.01)
        gate.touch()
        for thread in threads:
            thread.join(20)
    assert order == ["first", "b", "d", "c", "a"]


def test_a_stopped_run_ends_what_works_and_what_waits(tmp_path):
    gate, said = tmp_path / "never", []

    def ask():
        try:
            pool.run(job("wait"), time_limit_s=60)
        except PoolClosedError:
            said.append("closed")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    pool = WorkerPool(2, log=tmp_path / "log", command=(sys.executable, "-c", PROGRAM, str(gate)))
    for thread in threads:
        thread.start()
    while pool.waiting < 1:
        threading.Event().wait(0.01)
    pool.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    for thread in threads:
        thread.join(20)
    assert said == ["closed"] * 3
    with pytest.raises(PoolClosedError):
        pool.run(job("a"), time_limit_s=20)


def test_workers_started_early_take_the_first_jobs_and_know_their_stages(tmp_path):
    program = PROGRAM.replace('"message": str(number)', '"message": f"{os.getpid()} {sys.argv[1:]}"')
    with WorkerPool(3, log=tmp_path / "log", command=(sys.executable, "-c", program)) as pool:
        pool.start(2, ["audio", "video"])
        answers = {pool.run(job("a"), time_limit_s=20).message for _ in range(4)}
    assert len(answers) == 1  # one job at a time: the same warm worker
    assert answers.pop().endswith("['audio', 'video']")


def test_more_workers_than_places_are_not_started(tmp_path):
    with WorkerPool(1, log=tmp_path / "log", command=(sys.executable, "-c", PROGRAM)) as pool:
        pool.start(5, [])
        assert pool.run(job("a"), time_limit_s=20).message == "0"


def test_libraries_of_every_stage_can_be_loaded():
    from importlib.util import find_spec

    for names in LIBRARIES.values():
        for name in names:
            assert find_spec(name) is not None, name
