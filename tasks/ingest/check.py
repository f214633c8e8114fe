"""A dry run: what is there, what is wrong, what would run; reads headers only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.session import Group, Problem, Session, Stream
from cueflow.tasks.ingest.paths import resolve_inside


@dataclass(frozen=True, slots=True)
class StreamCheck:
    """A stream and what its header says, or the problem that keeps it from being used."""

    stream: Stream
    duration_s: float | None
    detail: str
    problem: Problem | None


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
    return SessionCheck(
        session_id=session.session_id,
        subject_id=session.subject_id,
        visit=session.visit,
        streams=streams,
        problems=(*session.problems, *(c.problem for c in streams if c.problem is not None)),
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
    try:
        path = resolve_inside(root, stream.path)
        duration, detail = _HEADERS[stream.modality.group](path, stream)
    except StreamError as error:
        return StreamCheck(stream, None, "", Problem(error.reason, error.message, stream.path, stream.modality))
    return StreamCheck(stream, duration, detail, None)


def _video(path: Path, _: Stream) -> tuple[float | None, str]:
    from cueflow.tasks.ingest.video import probe_video

    info = probe_video(path)
    return info.duration_s, f"{info.width}×{info.height}, {info.frame_rate:.3g} frames/s, {info.codec}"


def _audio(path: Path, _: Stream) -> tuple[float | None, str]:
    from cueflow.tasks.ingest.audio import probe_audio

    info = probe_audio(path)
    return info.duration_s, f"{info.sampling_rate} Hz, {info.channels} channel{'s'[: info.channels > 1]}, {info.codec}"


def _physiology(path: Path, stream: Stream) -> tuple[float | None, str]:
    from cueflow.tasks.ingest.headers import physiology_header

    header = physiology_header(path, stream)
    rate = "" if header.sampling_rate is None else f"{header.sampling_rate:.5g} Hz, "
    return header.duration_s, f"{rate}{header.format} of {header.n_channels}"


_HEADERS = {Group.VIDEO: _video, Group.AUDIO: _audio, Group.PHYSIOLOGY: _physiology}
