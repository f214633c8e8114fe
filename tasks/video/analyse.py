"""One recording of video, decoded once: face and motion, as findings on the session clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Findings, FloatArray, Window
from cueflow.tasks.video.decode import Decoder, FrameBatch, Gap, frames, inspect
from cueflow.tasks.video.face.finder import FaceTracker
from cueflow.tasks.video.face.measures import face_event_rows, face_measures, face_series, find_events, frame_seconds
from cueflow.tasks.video.face.track import FaceTrack, TrackBuilder
from cueflow.tasks.video.motion.backbone import CHUNK, Backbone
from cueflow.tasks.video.motion.measures import burst_rows, motion_bursts, motion_measures, motion_series
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder, MotionTrack
from cueflow.tasks.windows import excluded, measuring_windows

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.schemas.config import VideoConfig
    from cueflow.schemas.session import Exclusion

VERSION = "1"
MIN_DURATION_S = 1.0
MIN_PRESENT = 0.98  # of the promised duration, less a second
MIN_VISIBLE = 0.05  # share of frames with a face below which the recording as a whole says "no face"

Progress = Callable[[float], None]


class FrameTaker(Protocol):
    """Somebody else who wants the decoded frames, so that the file is decoded once."""

    rate_hz: float

    def take(self, times_s: FloatArray, pictures: NDArray[np.uint8]) -> None:
        """Take frames: stamps (n,) on the file's clock, uint8 RGB (n, height, width, 3)."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """What one pass over the file gave, on the file's clock: stamps of all its frames (n,), the face, the motion.

    `promised_s` is how long the header says the pictures last, None where it does not.
    """

    seen_s: FloatArray
    face: FaceTrack
    motion: MotionTrack
    promised_s: float | None = None


def analyse_video(  # noqa: PLR0913 - the contract of a stage
    path: Path,
    *,
    start_s: float,
    phases: Sequence[Window],
    exclusions: Sequence[Exclusion],
    face_model: Path,
    backbone_dir: Path,
    config: VideoConfig,
    decoder: str = "av",
    also: FrameTaker | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Face and motion of one video.

    Parameters
    ----------
    path : Path
        The recording.
    start_s : float
        The file's zero on the session clock, s.
    phases : sequence of Window
        Phases of the session.
    exclusions : sequence of Exclusion
        Spans of the session that no measure may use.
    face_model : Path
        MediaPipe's face landmarker bundle.
    backbone_dir : Path
        Folder of a ViT that transformers loads.
    config : VideoConfig
        Rates, sizes, layers, thresholds.
    decoder : {"av", "decord"}
        Which decoder to use; decord may have to be killed by the caller.
    also : FrameTaker, optional
        Who else is shown the decoded frames.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    Findings
        `StreamError` comes up where the file cannot be decoded, with this decoder or at all, and `ModelError` where a
        model cannot be loaded.
    """
    tracks = follow(
        path,
        face_model=face_model,
        backbone_dir=backbone_dir,
        config=config,
        decoder=Decoder(decoder),
        also=also,
        progress=progress or (lambda _: None),
    )
    return findings(
        tracks, start_s=start_s, phases=phases, exclusions=exclusions, still_threshold=config.still_threshold
    )


def follow(
    path: Path,
    *,
    face_model: Path,
    backbone_dir: Path,
    config: VideoConfig,
    decoder: Decoder,
    progress: Progress,
    also: FrameTaker | None = None,
) -> Tracks:
    """Decode a video once and follow face and motion through it, in bounded memory.

    Parameters
    ----------
    path : Path
        The recording.
    face_model, backbone_dir : Path
        As in `analyse_video`.
    config : VideoConfig
        Rates, sizes, layers.
    decoder : Decoder
        Which one.
    progress : callable
        Told the share that is done, 0 to 1.
    also : FrameTaker, optional
        Who else is shown the decoded frames.

    Returns
    -------
    Tracks
    """
    shape = inspect(path)
    width, height = shape.reduced(config.face_side)
    backbone = Backbone(backbone_dir, key_layers=KEY_LAYERS, attention_layers=config.flow_layers)
    motion = MotionBuilder(
        backbone, size=config.flow_size, aspect=shape.width / shape.height, sharpening=config.flow_sharpening
    )
    seen: list[FloatArray] = []
    with ExitStack() as stack:
        feed = _Feed(stack.enter_context(FaceTracker(face_model)), TrackBuilder(height, width), motion, config=config)
        rate = max(config.face_rate_hz, config.flow_rate_hz, also.rate_hz if also is not None else 0.0)
        for batch in frames(path, decoder=decoder, max_side=config.face_side, max_rate_hz=rate):
            feed.take(batch)
            if also is not None:
                also.take(batch.times_s, batch.frames)
            seen.append(batch.seen_s)
            if shape.duration_s:
                progress(min(1.0, float(batch.seen_s[-1]) / shape.duration_s))
        feed.flush()
    return Tracks(np.concatenate(seen), feed.face.done(), motion.done(), promised_s=shape.picture_s)


class _Feed:
    """Hands each frame to the face, and some frames, a chunk at a time, to the backbone."""

    def __init__(self, tracker: FaceTracker, face: TrackBuilder, motion: MotionBuilder, *, config: VideoConfig) -> None:
        self._tracker, self.face, self._motion = tracker, face, motion
        self._face_gap, self._flow_gap = Gap(config.face_rate_hz), Gap(config.flow_rate_hz)
        self._times: list[float] = []
        self._pictures: list[NDArray[np.uint8]] = []

    def take(self, batch: FrameBatch) -> None:
        for stamp, picture in zip(batch.times_s, batch.frames, strict=True):
            time = float(stamp)
            if self._face_gap.keeps(time):
                self.face.add(time, self._tracker.look(time, picture))
            if self._flow_gap.keeps(time):
                self._times.append(time)
                self._pictures.append(picture)
        if len(self._times) >= CHUNK:
            self.flush()
        else:
            self._pictures = [p.copy() if p.base is not None else p for p in self._pictures]  # let the batch go

    def flush(self) -> None:
        if self._times:
            self._motion.add(np.array(self._times), np.stack(self._pictures))
            self._times, self._pictures = [], []


def findings(
    tracks: Tracks,
    *,
    start_s: float,
    phases: Sequence[Window],
    exclusions: Sequence[Exclusion],
    still_threshold: float,
) -> Findings:
    """Measures, events and series of followed face and motion.

    Parameters
    ----------
    tracks : Tracks
        On the file's clock.
    start_s : float
        The file's zero on the session clock, s.
    phases : sequence of Window
        Phases of the session.
    exclusions : sequence of Exclusion
        Spans to leave out.
    still_threshold : float
        Patches/s.

    Returns
    -------
    Findings
    """
    seen = tracks.seen_s + start_s
    begin, end = float(seen[0]), float(seen[-1]) + (float(np.median(np.diff(seen))) if len(seen) > 1 else 0.0)
    face, motion = _placed(tracks, start_s, exclusions)
    windows = measuring_windows(begin, end, phases)
    events = find_events(face)
    bursts = motion_bursts(motion, still_threshold=still_threshold)
    moving = motion_series(motion, still_threshold=still_threshold, start_s=begin, end_s=end)
    status, reason = _state(face, end - begin, promised_s=tracks.promised_s)
    visible = face.visible
    rows = [*face_event_rows(events), *burst_rows(bursts, motion)]
    return Findings(
        start_s=begin,
        end_s=end,
        coverage=min(1.0, float(frame_seconds(seen).sum()) / (end - begin)) if end > begin else 0.0,
        quality=float(visible.mean()) if len(visible) else None,
        status=status,
        reason=reason,
        measures=(*face_measures(face, events, windows), *motion_measures(motion, moving, bursts, windows)),
        events=tuple(sorted(rows, key=lambda e: (e.start_s, e.kind))),
        series=(*face_series(face, events, start_s=begin, end_s=end), *moving),
    )


def _placed(tracks: Tracks, start_s: float, exclusions: Sequence[Exclusion]) -> tuple[FaceTrack, MotionTrack]:
    """Face and motion on the session clock, without what lies in an excluded span: there is a gap in its place."""
    face, motion = tracks.face, tracks.motion
    times = face.times_s + start_s
    keep = ~excluded(times, exclusions)
    placed = FaceTrack(times[keep], {name: column[keep] for name, column in face.columns.items()})
    middles = motion.times_s + start_s
    half = motion.steps_s / 2
    kept = ~(
        excluded(middles, exclusions) | excluded(middles - half, exclusions) | excluded(middles + half, exclusions)
    )
    return placed, replace(
        motion,
        times_s=middles[kept],
        steps_s=motion.steps_s[kept],
        columns={name: column[kept] for name, column in motion.columns.items()},
    )


def _state(face: FaceTrack, duration_s: float, *, promised_s: float | None) -> tuple[Status, Reason | None]:
    if promised_s is not None and duration_s < MIN_PRESENT * promised_s - 1:
        return Status.LOW_QUALITY, Reason.FILE_TRUNCATED
    if duration_s < MIN_DURATION_S:
        return Status.TOO_SHORT, Reason.FEW_EVIDENCE
    if not len(face.times_s) or face.visible.mean() < MIN_VISIBLE:
        return Status.LOW_QUALITY, Reason.NO_FACE
    return Status.OK, None
