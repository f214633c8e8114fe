"""What the header of a video says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.container import decoded_frames, duration_of, is_cover, opened

_PACKETS = 200  # this many time stamps tell whether the frame rate varies
_REORDERED = 16  # the last ones read may miss frames that are shown before them
_VARIES = 0.25  # a step that differs from the middle one by more than this share; Matroska rounds to ms


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Header of a video.

    `width` and `height` in pixels as shown, upright and square; `frame_rate` the mean, Hz; `n_frames` and `duration_s`
    None where the header does not say; `rotation` of the stored picture in degrees counter-clockwise;
    `variable_rate` whether the first time stamps are uneven, None where there are too few.
    """

    width: int
    height: int
    frame_rate: float
    n_frames: int | None
    duration_s: float | None
    codec: str
    rotation: int
    has_audio: bool
    variable_rate: bool | None


def probe_video(path: Path) -> VideoInfo:
    """Read the header of a video, its first picture and the time stamps of its first frames.

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
        NO_VIDEO_FRAMES if there is no video track or no picture can be decoded; FILE_EMPTY, FILE_TRUNCATED or
        FILE_UNREADABLE if the file does not open.
    """
    with opened(path) as container:
        tracks = [track for track in container.streams.video if not is_cover(track)]
        if not tracks:
            message = "the file has no video track: name the file that has the picture"
            raise StreamError(message, reason=Reason.NO_VIDEO_FRAMES)
        best = container.streams.best("video")
        track = best if best in tracks else tracks[0]
        frame = next(decoded_frames(container, track), None)
        if frame is None:
            message = "no frame of the video can be decoded: copy it again or convert it"
            raise StreamError(message, reason=Reason.NO_VIDEO_FRAMES)
        width, height = _shown(frame, track)
        return VideoInfo(
            width=width,
            height=height,
            frame_rate=float(track.average_rate or track.guessed_rate or 0.0),
            n_frames=track.frames or None,
            duration_s=duration_of(container, track),
            codec=track.codec_context.codec.canonical_name,
            rotation=round(frame.rotation) % 360,
            has_audio=bool(container.streams.audio),
            variable_rate=_varies(container, track),
        )


def _shown(frame: Any, track: Any) -> tuple[int, int]:  # noqa: ANN401 - PyAV has no stubs
    width = round(frame.width * (float(track.sample_aspect_ratio or 1) or 1.0))
    return (frame.height, width) if round(frame.rotation / 90) % 2 else (width, frame.height)


def _varies(container: Any, track: Any) -> bool | None:  # noqa: ANN401 - PyAV has no stubs
    import av

    stamps: list[int] = []
    try:
        container.seek(0)
        for packet in container.demux(track):
            if packet.pts is not None:
                stamps.append(packet.pts)
            if len(stamps) >= _PACKETS:
                break
    except av.error.FFmpegError:
        return None  # not seekable or damaged further on; decoding will tell
    in_order = np.sort(np.array(stamps, dtype=np.int64))
    steps = np.diff(in_order[:-_REORDERED] if len(stamps) > 2 * _REORDERED else in_order)
    if len(steps) < 2:
        return None
    middle = float(np.median(steps))
    return bool(np.any(np.abs(steps - middle) > _VARIES * middle))
