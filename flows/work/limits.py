"""How long a stage may take before it counts as hung: per minute recorded, far above what one slow core needs."""

from __future__ import annotations

from pathlib import Path

from cueflow.flows.work.jobs import StageJob
from cueflow.schemas.errors import StreamError
from cueflow.schemas.session import Group
from cueflow.tasks.ingest.paths import resolve_inside

BASE_S = 300.0  # starting a process and loading its models on a busy machine
PER_MINUTE_S: dict[Group, float] = {Group.VIDEO: 600.0, Group.AUDIO: 120.0, Group.PHYSIOLOGY: 60.0}
EXPECTED_S = 0.1  # whatever the length
EXPECTED_PER_MINUTE_S: dict[Group, float] = {Group.VIDEO: 56.0, Group.AUDIO: 5.6, Group.PHYSIOLOGY: 0.1}
# A damaged header may claim any length: no recording that is worth a minute has fewer bytes in it.
_LEAST_BYTES_A_MINUTE = 20_000.0


def minutes(job: StageJob) -> float:
    """Minutes that a job's recordings last: what their files say, and where they do not, what their size allows."""
    return sum(_minutes(job, stream.path) for stream in job.streams)


def time_limit_s(group: Group, recorded: float) -> float:
    """Seconds that a stage may take: ten times its recordings' length for video, two for audio, one for physiology.

    Parameters
    ----------
    group : Group
        The stage.
    recorded : float
        From `minutes`.

    Returns
    -------
    float
    """
    return BASE_S + PER_MINUTE_S[group] * recorded


def expected_s(group: Group, recorded: float) -> float:
    """Seconds of one core that a stage will take, from its length and what stages took before (docs/benchmarks.md)."""
    return EXPECTED_S + EXPECTED_PER_MINUTE_S[group] * recorded


def size(job: StageJob) -> int:
    """Bytes that a job has to read."""
    return sum(_bytes(job, stream.path) for stream in job.streams)


def _minutes(job: StageJob, relative: str) -> float:
    path = _path(job, relative)
    if path is None:
        return 0.0  # the stage itself will say what is wrong with it
    most = path.stat().st_size / _LEAST_BYTES_A_MINUTE
    said = _header_minutes(path) if job.group is not Group.PHYSIOLOGY else None
    return most if said is None else min(said, most)


def _header_minutes(path: Path) -> float | None:
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            return container.duration / av.time_base / 60.0 if container.duration else None
    except (av.FFmpegError, OSError, ValueError):
        return None


def _bytes(job: StageJob, relative: str) -> int:
    path = _path(job, relative)
    return path.stat().st_size if path is not None else 0


def _path(job: StageJob, relative: str) -> Path | None:
    try:
        return resolve_inside(Path(job.dataset_root), relative)
    except (StreamError, OSError):
        return None
