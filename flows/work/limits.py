"""How long a stage may take before it counts as hung: per minute recorded, far above what one slow core needs."""

from __future__ import annotations

from pathlib import Path

from cueflow.flows.work.jobs import StageJob
from cueflow.schemas.errors import StreamError
from cueflow.schemas.session import Group
from cueflow.tasks.ingest.paths import resolve_inside

BASE_S = 300.0  # starting a process and loading its models on a busy machine
PER_MINUTE_S: dict[Group, float] = {Group.VIDEO: 600.0, Group.AUDIO: 120.0, Group.PHYSIOLOGY: 60.0}
EXPECTED_PER_MINUTE_S: dict[Group, float] = {Group.VIDEO: 60.0, Group.AUDIO: 2.0, Group.PHYSIOLOGY: 0.1}
# A damaged header may claim any length: no recording that is worth a minute has fewer bytes in it.
_LEAST_BYTES_A_MINUTE = 20_000.0


def time_limit_s(job: StageJob) -> float:
    """Seconds that a job may take: ten times its recordings' length for video, two for audio, one for physiology.

    Parameters
    ----------
    job : StageJob
        Its files are asked for their length; where they do not say, their size does.

    Returns
    -------
    float
    """
    return BASE_S + PER_MINUTE_S[job.group] * sum(_minutes(job, stream.path) for stream in job.streams)


def expected_s(job: StageJob) -> float:
    """Seconds of one core that a job will take, from its length and what stages took before (docs/benchmarks.md)."""
    return EXPECTED_PER_MINUTE_S[job.group] * sum(_minutes(job, stream.path) for stream in job.streams)


def size(job: StageJob) -> int:
    """Bytes that a job has to read."""
    return sum(_bytes(job, stream.path) for stream in job.streams)


def _minutes(job: StageJob, relative: str) -> float:
    most = _bytes(job, relative) / _LEAST_BYTES_A_MINUTE
    said = _header_minutes(job, relative) if job.group is not Group.PHYSIOLOGY else None
    return most if said is None else min(said, most)


def _header_minutes(job: StageJob, relative: str) -> float | None:
    import av

    try:
        with av.open(str(resolve_inside(Path(job.dataset_root), relative)), metadata_errors="ignore") as container:
            return container.duration / av.time_base / 60.0 if container.duration else None
    except (StreamError, av.FFmpegError, OSError, ValueError):
        return None  # the stage itself will say what is wrong with it


def _bytes(job: StageJob, relative: str) -> int:
    try:
        return resolve_inside(Path(job.dataset_root), relative).stat().st_size
    except (StreamError, OSError):
        return 0
