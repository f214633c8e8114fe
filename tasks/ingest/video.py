"""What the header of a video says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.container import duration_of, opened


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Header of a video: size in pixels, mean rate in Hz, duration in s (None: unknown), codec, sound track or not."""

    width: int
    height: int
    frame_rate: float
    duration_s: float | None
    codec: str
    has_audio: bool


def probe_video(path: Path) -> VideoInfo:
    """Read the header of a video.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    VideoInfo

    Raises
    ------
    StreamError
        If it is not a video, is cut off, or has no frames.
    """
    with opened(path) as container:
        tracks = [t for t in container.streams.video if not _is_cover(t)]
        if not tracks:
            raise StreamError(f"{path.name}: the file has no video track", reason=Reason.NO_VIDEO_FRAMES)
        track = tracks[0]
        duration = duration_of(container, track)
        if track.frames == 0 and not duration:
            raise StreamError(f"{path.name}: the video has no frames", reason=Reason.NO_VIDEO_FRAMES)
        return VideoInfo(
            width=track.codec_context.width,
            height=track.codec_context.height,
            frame_rate=float(track.average_rate or 0.0),
            duration_s=duration,
            codec=track.codec_context.name,
            has_audio=bool(container.streams.audio),
        )


def _is_cover(track: object) -> bool:
    """Sound files carry their cover as a video of one picture."""
    disposition = getattr(track, "disposition", None)
    return bool(disposition is not None and "attached_pic" in str(disposition))
