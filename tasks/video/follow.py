"""One pass over a video: everybody's face and body, and the motion of the picture, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.finder import BodyFollower, BodyModels, on_head
from cueflow.tasks.video.body.track import BodyBuilder, BodyTrack
from cueflow.tasks.video.decode import Beat, Decoder, FrameBatch, Gap, frames, inspect
from cueflow.tasks.video.face.track import FaceTrack, TrackBuilder
from cueflow.tasks.video.motion.backbone import CHUNK, Backbone
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder, MotionTrack
from cueflow.tasks.video.people.cast import Cast, CastModels, Sightings
from cueflow.tasks.video.people.roster import Person

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.schemas.config import VideoConfig
    from cueflow.tasks.video.face.finder import Face

Progress = Callable[[float], None]

TRACKS_MAX = 8  # of all who came by, so many have a track in the end: a table of an hour takes 30 MB


class FrameTaker(Protocol):
    """Somebody else who wants the decoded frames, so that the file is decoded once."""

    rate_hz: float

    def take(self, times_s: FloatArray, pictures: NDArray[np.uint8]) -> None:
        """Take frames: stamps (n,) on the file's clock, uint8 RGB (n, height, width, 3)."""


@dataclass(frozen=True, slots=True)
class VideoModels:
    """Files of the models of the video stage; `backbone` is a folder of a ViT that transformers loads."""

    landmarker: Path
    detector: Path
    identity: Path
    pose: Path
    hands: Path
    backbone: Path


@dataclass(frozen=True, slots=True)
class PersonTrack:
    """One person over a recording, on the file's clock."""

    face: FaceTrack
    body: BodyTrack

    def joined(self, other: PersonTrack) -> PersonTrack:
        """The track, with what the other saw where it saw nothing."""
        return PersonTrack(self.face.joined(other.face), self.body.joined(other.body))


@dataclass(frozen=True, slots=True)
class Tracks:
    """What one pass over the file gave, on the file's clock: stamps of all its frames (n,), people, motion.

    `people` by their index in `persons`: the `TRACKS_MAX` most seen; others are only in `sightings`. `promised_s` is
    how long the header says the pictures last, None where it does not; `height` and `width` of the frames looked at;
    `dark_share` of them are too dark for anything to be seen; `upside_down` says that the camera stood on its head.
    """

    seen_s: FloatArray
    people: dict[int, PersonTrack]
    persons: list[Person]
    sightings: Sightings
    motion: MotionTrack
    promised_s: float | None = None
    height: int = 360
    width: int = 640
    dark_share: float = 0.0
    upside_down: bool = False


def follow(
    path: Path,
    *,
    models: VideoModels,
    config: VideoConfig,
    decoder: Decoder,
    progress: Progress,
    also: FrameTaker | None = None,
) -> Tracks:
    """Decode a video once and follow people and motion through it, in bounded memory.

    Parameters
    ----------
    path : Path
        The recording.
    models : VideoModels
        Files of the models.
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
    backbone = Backbone(
        models.backbone, key_layers=KEY_LAYERS, attention_layers=config.flow_layers, device=config.device
    )
    motion = MotionBuilder(
        backbone, size=config.flow_size, aspect=shape.width / shape.height, sharpening=config.flow_sharpening
    )
    seen: list[FloatArray] = []
    with ExitStack() as stack:
        cast = stack.enter_context(
            Cast(CastModels(models.landmarker, models.detector, models.identity), most=config.people_max)
        )
        crowd = _Crowd(cast, BodyModels(models.pose, models.hands), (height, width), config=config)
        stack.callback(crowd.close)
        feed = _Feed(crowd, motion, config=config)
        rate = max(config.face_rate_hz, config.flow_rate_hz, also.rate_hz if also is not None else 0.0)
        for batch in frames(path, decoder=decoder, max_side=config.face_side, max_rate_hz=rate):
            feed.take(batch)
            if also is not None:
                also.take(batch.times_s, batch.frames)
            seen.append(batch.seen_s)
            if shape.duration_s:
                progress(min(1.0, float(batch.seen_s[-1]) / shape.duration_s))
        feed.flush()
        who = cast.who_is_who()
        people, sightings, persons = crowd.done(who), cast.sightings().renamed(who), cast.roster.persons
        dark, upside_down = cast.dark_share, cast.upside_down
    return Tracks(
        np.concatenate(seen),
        people,
        persons,
        sightings,
        motion.done(),
        promised_s=shape.picture_s,
        height=height,
        width=width,
        dark_share=dark,
        upside_down=upside_down,
    )


@dataclass(slots=True)
class _Builders:
    face: TrackBuilder
    body: BodyBuilder
    follower: BodyFollower


class _Crowd:
    """Faces at every frame, bodies at some of them, hands at fewer."""

    def __init__(self, cast: Cast, models: BodyModels, shape: tuple[int, int], *, config: VideoConfig) -> None:
        self._cast, self._models, self._shape = cast, models, shape
        self._people: dict[int, _Builders] = {}
        self._times = array("d")
        self._body_beat, self._hand_beat = Beat(config.body_rate_hz), Beat(config.hand_rate_hz)

    def close(self) -> None:
        """Free the landmarkers."""
        for builders in self._people.values():
            builders.follower.close()

    def take(self, time_s: float, picture: NDArray[np.uint8]) -> None:
        """Look at the next frame."""
        step = self._cast.look(time_s, picture)
        for who, since in step.forget_since.items():
            if who in self._people:
                self._forget(self._people[who], since)
        for who in step.faces.keys() - self._people.keys():
            self._people[who] = _Builders(
                TrackBuilder(*self._shape, unseen=len(self._times)),
                BodyBuilder(*self._shape),
                BodyFollower(self._models),
            )
        self._times.append(time_s)
        body = self._body_beat.keeps(time_s)
        hands = body and self._hand_beat.keeps(time_s)
        for who, builders in self._people.items():
            seen = step.faces.get(who)
            builders.face.add(time_s, seen, picture)
            if step.cut:  # there is somebody else where the body was
                builders.follower.close()
            if body:
                others = [face for k, face in step.faces.items() if k != who]
                self._look_at_body(builders, time_s, picture, face=seen, others=others, hands=hands)

    def done(self, who: dict[int, int]) -> dict[int, PersonTrack]:
        """Those who were seen most; those who turned out to be one are joined."""
        times, seen = np.array(self._times), Counter[int]()
        for index, builders in self._people.items():
            seen[who[index]] += builders.face.seen
        most = {name for name, _ in seen.most_common(TRACKS_MAX)}
        found: dict[int, PersonTrack] = {}
        for index in sorted(i for i in self._people if who[i] in most):
            builders = self._people[index]
            track, name = PersonTrack(builders.face.done(times), builders.body.done()), who[index]
            found[name] = found[name].joined(track) if name in found else track
        return found

    def _forget(self, builders: _Builders, since_s: float) -> None:
        builders.face.forget(len(self._times) - bisect_right(self._times, since_s))
        builders.body.forget(since_s)
        builders.follower.close()

    @staticmethod
    def _look_at_body(
        builders: _Builders,
        time_s: float,
        picture: NDArray[np.uint8],
        *,
        face: Face | None,
        others: list[Face],
        hands: bool,
    ) -> None:
        body = builders.follower.look(time_s, picture, face, others)
        if body is not None and face is None and any(on_head(body, other) for other in others):
            builders.follower.close()  # somebody else came to where the body was
            body = None
        builders.body.add(time_s, body)
        if hands:
            nobody: list[FloatArray | None] = [None, None]
            found = nobody if body is None else builders.follower.hands(time_s, picture, body)
            builders.body.add_hands(time_s, found)


class _Feed:
    """Hands frames to the crowd and, a chunk at a time, to the backbone."""

    def __init__(self, crowd: _Crowd, motion: MotionBuilder, *, config: VideoConfig) -> None:
        self._crowd, self._motion = crowd, motion
        self._face_gap, self._flow_beat = Gap(config.face_rate_hz), Beat(config.flow_rate_hz)
        self._times: list[float] = []
        self._pictures: list[NDArray[np.uint8]] = []

    def take(self, batch: FrameBatch) -> None:
        for stamp, picture in zip(batch.times_s, batch.frames, strict=True):
            time = float(stamp)
            if self._face_gap.keeps(time):
                self._crowd.take(time, picture)
            if self._flow_beat.keeps(time):
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
