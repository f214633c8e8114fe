"""A worker process: reads jobs as lines of JSON, answers with lines of JSON, keeps its models loaded between jobs.

Native decoders can hang with the interpreter lock held, or die; so they run here, where the caller can stop them.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from typing import BinaryIO

from cueflow.flows.work.jobs import StageJob, load_job
from cueflow.schemas.errors import CueflowError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group


def main() -> None:
    """Serve jobs until the caller closes the pipe or dies."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a native library prints must not end up among the answers
    jobs: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    if len(sys.argv) > 1:
        _warm_up(sys.argv[1:])
    while True:
        _answer(answers, load_job(jobs.get()))


def _warm_up(groups: list[str]) -> None:
    """Load the libraries of these stages while the caller still prepares."""
    from importlib import import_module

    from cueflow.flows.work.stages import LIBRARIES

    for group in groups:
        for name in LIBRARIES[Group(group)]:
            import_module(name)


def _listen(jobs: queue.Queue[bytes]) -> None:
    for line in sys.stdin.buffer:
        jobs.put(line)
    os._exit(0)  # the caller is gone: nobody would read the answer


def _answer(answers: BinaryIO, job: StageJob) -> None:
    from cueflow.flows.work.stages import run_stage

    def tell(share: float) -> None:
        _send(answers, {"progress": round(share, 4)})

    started = time.monotonic()
    try:
        run_stage(job, progress=tell)
        reason, message = None, ""
    except CueflowError as error:
        reason, message = error.reason, error.message
    except MemoryError:
        reason, message = Reason.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY.sentence
    except Exception as error:  # noqa: BLE001 - the one boundary of a stage: the session goes on, the log has the trace
        traceback.print_exc()
        reason, message = Reason.UNEXPECTED, f"{Reason.UNEXPECTED.sentence} ({type(error).__name__})"
    _send(answers, {"reason": reason, "message": message, "seconds": time.monotonic() - started})


def _send(answers: BinaryIO, what: dict[str, object]) -> None:
    answers.write(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
