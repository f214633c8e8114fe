"""A dry run: what is there, what is wrong, what would run; reads headers only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Group, Problem, Session, Stream
from cueflow.tasks.ingest.paths import resolve_inside


@dataclass(frozen=True, slots=True)
class Facts:
    """What a header says of a stream; None or 0 where it does not say, or the stream has no such thing.

    `rate_hz` counts samples, or frames of a video; `width` and `height` in pixels as shown.
    """

    detail: str
    duration_s: float | None = None
    rate_hz: float | None = None
    channels: int = 0
    width: int = 0
    height: int = 0
    n_frames: int | None = None
    codec: str = ""


_NOTHING = Facts("")


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """A stream, the size of its file, what its header says, or the problem that keeps it from being used."""

    stream: Stream
    facts: Facts
    size_bytes: int | None
    problem: Problem | None

    @property
    def duration_s(self) -> float | None:
        """Length in s; None where the header does not say."""
        return self.facts.duration_s

    @property
    def detail(self) -> str:
        """The header in words."""
        return self.facts.detail


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """A session: its streams, all problems, and the stages that would run."""

    session_id: str
    subject_id: str
    visit: str
    streams: tuple[StreamCheck, ...]
    problems: tuple[Problem, ...]
    stages: tuple[Group, ...]

    @property
    def state(self) -> str:
        """ok: all streams usable; degraded: some; failed: none."""
        if not self.stages:
            return "failed"
        return "degraded" if self.problems else "ok"


def check_dataset(dataset: Dataset) -> tuple[SessionCheck, ...]:
    """Check every session of a dataset.

    Parameters
    ----------
    dataset : Dataset
        From `read_dataset`.

    Returns
    -------
    tuple of SessionCheck
        In the dataset's order.
    """
    return tuple(check_session(dataset.root, session) for session in dataset.sessions)


def check_session(root: Path, session: Session) -> SessionCheck:
    """Check one session.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    session : Session
        The session.

    Returns
    -------
    SessionCheck
    """
    streams = tuple(check_stream(root, stream) for stream in session.streams)
    usable = {c.stream.modality.group for c in streams if c.problem is None}
    problems = [*session.problems, *(c.problem for c in streams if c.problem is not None)]
    if streams and not usable:
        problems.append(Problem(Reason.NO_USABLE_STREAM, Reason.NO_USABLE_STREAM.sentence))
    return SessionCheck(
        session_id=session.session_id,
        subject_id=session.subject_id,
        visit=session.visit,
        streams=streams,
        problems=tuple(problems),
        stages=tuple(group for group in Group if group in usable),
    )


def check_stream(root: Path, stream: Stream) -> StreamCheck:
    """Read the header of a stream's file.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    stream : Stream
        The stream.

    Returns
    -------
    StreamCheck
    """
    size = None
    try:
        path = resolve_inside(root, stream.path)
        size = path.stat().st_size
        facts = _HEADERS[stream.modality.group](path, stream)
    except StreamError as error:
        problem = Problem(error.reason, error.message, stream.path, stream.modality)
        return StreamCheck(stream, _NOTHING, size, problem)
    return StreamCheck(stream, facts, size, None)


def _video(path: Path, _: Stream) -> Facts:
    from cueflow.tasks.ingest.video import probe_video

    info = probe_video(path)
    uneven = ", uneven" if info.variable_rate else ""
    return Facts(
        f"{info.width}×{info.height}, {info.frame_rate:.4g} frames/s{uneven}, {info.codec}",
        duration_s=info.duration_s,
        rate_hz=info.frame_rate,
        width=info.width,
        height=info.height,
        n_frames=info.n_frames,
        codec=info.codec,
    )


def _audio(path: Path, stream: Stream) -> Facts:
    from cueflow.tasks.ingest.audio import channel_index, probe_audio

    info = probe_audio(path)
    channel_index(stream.channel, info.channels)
    return Facts(
        f"{info.sampling_rate} Hz, {info.channels} channel{'s'[: info.channels > 1]}, {info.codec}",
        duration_s=info.duration_s,
        rate_hz=info.sampling_rate,
        channels=info.channels,
        codec=info.codec,
    )


def _physiology(path: Path, stream: Stream) -> Facts:
    from cueflow.tasks.ingest.headers import physiology_header

    header = physiology_header(path, stream)
    rate = "" if header.sampling_rate is None else f"{header.sampling_rate:.5g} Hz, "
    return Facts(
        f"{rate}{header.format} of {header.n_channels}",
        duration_s=header.duration_s,
        rate_hz=header.sampling_rate,
        channels=header.n_channels,
        codec=header.format,
    )


_HEADERS: dict[Group, Callable[[Path, Stream], Facts]] = {
    Group.VIDEO: _video,
    Group.AUDIO: _audio,
    Group.PHYSIOLOGY: _physiology,
}
