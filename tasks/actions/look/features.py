"""What the action head reads of a recording: one row a frame from a frozen backbone, in bounded memory.

Motion and appearance stay apart. Motion comes from five sources that can be compared or joined: the signed flow of the
patch keys, optical flow and pixel difference, and, where they are asked for, since they need the whole depth of the
network for every frame, the signed flow of the attention images and the change of attention (after the idea of AM flow,
arXiv:2411.02065). Appearance is looked at twice a second and kept in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.look.eyes import Eyes, Looks, appearance_of, compare, see
from cueflow.tasks.actions.look.sources import ATTENDED, SOURCES, STEADY, Float32, Pictures, flow_row, steadied
from cueflow.tasks.video.decode import Decoder, Gap, frames, inspect
from cueflow.tasks.video.motion.backbone import CHUNK
from cueflow.tasks.video.motion.flow import key_displacement, without_camera
from cueflow.tasks.video.motion.track import MAX_PAIR_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cueflow.tasks.actions.adapters.inside import Inside
    from cueflow.tasks.actions.look.words import Words
    from cueflow.tasks.video.motion.backbone import Backbone

VERSION = "5"
APPEARANCE_HZ = 2.0  # a posture lasts longer than half a second

Float16 = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """One recording, on its own clock.

    `times_s` (n,) stamps; `steps_s` (n,) time since the frame before, 0 where there is none within a second: motion is
    0 there; `motion` by source, (n, columns of `SOURCES`); `appearance` (n, 2 × channels): class token and the mean of
    the patches weighted by what moves, of the last frame that was looked at; `speed` (n, side²): residual speed of each
    patch, patch/s; `words` (n, labels): how well each frame fits the descriptions, no column where none were given.
    """

    times_s: FloatArray
    steps_s: FloatArray
    motion: dict[str, Float32]
    appearance: Float16
    speed: Float16
    words: Float32

    def __len__(self) -> int:
        return len(self.times_s)


class FeatureBuilder:
    """Shows frames to the backbone, compares each with the one before and collects `ClipFeatures`, only numbers.

    Parameters
    ----------
    eyes : Eyes
        From `make_eyes`.
    size : int
        Side of the backbone's input, pixels.
    aspect : float
        Width over height of the picture as shown.
    """

    def __init__(self, eyes: Eyes, *, size: int, aspect: float) -> None:
        self._eyes, self._size = eyes, size
        self._stretch = np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)])
        self._before: Looks | None = None
        self._recent: tuple[FloatArray, ...] = ()
        self._due = Gap(APPEARANCE_HZ)
        self._clip: list[Pictures] = []
        self._times: list[float] = []
        self._steps: list[float] = []
        self._motion: dict[str, list[FloatArray]] = {
            name: [] for name in SOURCES if eyes.attended or name not in ATTENDED
        }
        self._appearance: list[Float16] = []
        self._speed: list[Float16] = []
        self._words: list[Float32] = []

    def add(self, times_s: FloatArray, pictures: Pictures, words: Float32 | None = None) -> None:
        """Take the next frames, in order of time, and how well they fit the descriptions (n, labels)."""
        self._words.append(np.zeros((len(times_s), 0), np.float32) if words is None else words)
        looks = see(self._eyes, times_s, pictures, size=self._size)
        for index in range(len(times_s)):
            self._compare(looks.one(index))
        if self._eyes.inside is not None:
            self._look_along(self._eyes.inside, pictures)
        elif self._eyes.appearance is not None:
            self._look(self._eyes.appearance, times_s, pictures)

    def _look_along(self, inside: Inside, pictures: Pictures) -> None:
        first = len(self._times) - len(pictures)
        for index, picture in enumerate(pictures):
            if self._steps[first + index] == 0 or len(self._clip) == inside.frames:
                self._end_clip(inside)
            self._clip.append(picture)

    def _end_clip(self, inside: Inside) -> None:
        if self._clip:
            seen = len(self._appearance)
            speed = np.stack(self._speed[seen : seen + len(self._clip)])
            self._appearance += list(inside.rows(np.stack(self._clip), speed, size=self._size))
            self._clip = []

    def _look(self, backbone: Backbone, times_s: FloatArray, pictures: Pictures) -> None:
        due = [self._due.keeps(float(time)) for time in times_s]
        seen = (
            iter(zip(*appearance_of(backbone, pictures[due], size=self._size), strict=True)) if any(due) else iter(())
        )
        for fresh in due:
            if fresh:
                first, patches = next(seen)
                weight = _busy(self._speed[len(self._appearance)].astype(np.float64))
                self._appearance.append(np.concatenate([first, weight @ patches]).astype(np.float16))
            else:
                self._appearance.append(self._appearance[-1])

    def _compare(self, look: Looks) -> None:
        """Append one row of motion."""
        patches, before = look.keys.shape[1] * look.keys.shape[2], self._before
        self._before = look
        self._times.append(float(look.times_s[0]))
        if before is None or look.times_s[0] - before.times_s[0] > MAX_PAIR_S:
            self._recent = ()
            self._steps.append(0.0)
            self._speed.append(np.zeros(patches, np.float16))
            for name, rows in self._motion.items():
                rows.append(np.zeros(SOURCES[name]))
            return
        seconds = float(look.times_s[0] - before.times_s[0])
        self._steps.append(seconds)
        velocity = key_displacement(before.keys[0], look.keys[0]) / seconds
        self._recent = (*self._recent[1 - len(STEADY) :], velocity)
        flow = without_camera(steadied(self._recent) * seconds, seconds=seconds)
        self._motion["keys"].append(flow_row(flow, self._stretch))
        for name, row in compare(before, look, seconds=seconds, stretch=self._stretch).items():
            self._motion[name].append(row)
        self._speed.append(np.linalg.norm(flow.residual * self._stretch, axis=-1).ravel().astype(np.float16))

    def done(self) -> ClipFeatures:
        """The features of all frames taken."""
        if self._eyes.inside is not None:
            self._end_clip(self._eyes.inside)
        count = len(self._times)
        return ClipFeatures(
            np.array(self._times),
            np.array(self._steps),
            {n: np.array(r, dtype=np.float32).reshape(count, SOURCES[n]) for n, r in self._motion.items()},
            np.array(self._appearance, dtype=np.float16).reshape(count, -1 if self._appearance else 0),
            np.array(self._speed, dtype=np.float16).reshape(count, -1),
            np.concatenate(self._words) if self._words else np.zeros((0, 0), np.float32),
        )


def _busy(speed: FloatArray) -> FloatArray:
    """Weight of each patch, summing to 1: how much faster than the median it is; all the same where nothing moves."""
    weight = np.clip(speed - np.median(speed), 0, None)
    total = float(weight.sum())
    return weight / total if total > 0 else np.full(len(speed), 1 / len(speed))


def looked_at(path: Path, *, rate_hz: float, size: int) -> Iterator[tuple[float, Pictures, float]]:
    """The frames of a file that are looked at.

    Parameters
    ----------
    path : Path
        The recording.
    rate_hz : float
        Frames a second at most.
    size : int
        Side of the backbone's input, pixels.

    Yields
    ------
    tuple
        Stamp, s; picture (height, width, 3), uint8 RGB; how far the file was read, s.
    """
    gap = Gap(rate_hz)
    for batch in frames(path, decoder=Decoder.AV, max_side=2 * size, max_rate_hz=rate_hz):
        for time, picture in zip(batch.times_s, batch.frames, strict=True):
            if gap.keeps(float(time)):
                yield float(time), picture.copy(), float(batch.seen_s[-1])


def extract(
    path: Path,
    eyes: Eyes,
    *,
    rate_hz: float,
    size: int,
    words: Words | None = None,
    progress: Callable[[float], None] | None = None,
) -> ClipFeatures:
    """Features of a video file, decoded once in bounded memory.

    Parameters
    ----------
    path : Path
        The recording.
    eyes : Eyes
        From `make_eyes`.
    rate_hz : float
        Frames a second at most.
    size : int
        Side of the backbone's input, pixels.
    words : Words, optional
        Descriptions that each frame is compared with.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    ClipFeatures

    Raises
    ------
    StreamError
        If the file cannot be decoded, or holds fewer than two frames: nothing moves in one.
    """
    shape = inspect(path)
    builder = FeatureBuilder(eyes, size=size, aspect=shape.width / shape.height)

    def hand_over(part: list[tuple[float, Pictures]]) -> None:
        pictures = np.stack([picture for _, picture in part])
        builder.add(np.array([t for t, _ in part]), pictures, None if words is None else words.scores(pictures))

    waiting = list[tuple[float, Pictures]]()
    for time, picture, seen_s in looked_at(path, rate_hz=rate_hz, size=size):
        waiting.append((time, picture))
        if len(waiting) == CHUNK:
            hand_over(waiting)
            waiting = []
        if progress is not None and shape.duration_s:
            progress(min(1.0, seen_s / shape.duration_s))
    if waiting:
        hand_over(waiting)
    found = builder.done()
    if len(found) < 2:
        raise StreamError("The video holds a single frame: actions need at least two", reason=Reason.FEW_EVIDENCE)
    return found
