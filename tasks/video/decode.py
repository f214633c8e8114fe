"""Decode a video frame by frame, in bounded memory, with time stamps that were checked against the container's."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

BATCH = 64  # smaller ones cost decord speed, since its queue is stopped after each
REORDER = 16  # frames: the longest run of B-frames that a stream may hold is far shorter
TOLERANCE_S = 0.002  # decord's stamps are float32: at two hours they resolve .5 ms
GAP_SHARE, GAP_SLACK_S = 0.9, 0.003
BEAT_SHARE, ROUNDING = 0.55, 1e-6  # frames less than so much of a beat apart leave a choice
MAX_DROPPED = 0.1  # share of frames without a usable stamp that a stream may have


class Decoder(StrEnum):
    """Which library decodes: PyAV first, for less memory and processor time; decord for what PyAV cannot read."""

    AV = "av"
    DECORD = "decord"


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Some frames in a row.

    `times_s` (n,) on the file's clock, whose zero is the start of its earliest stream; `frames` (n, height, width, 3)
    uint8 RGB, upright, square pixels; `seen_s` (m,) the stamps of all frames passed since the batch before, those that
    were left out too.
    """

    times_s: FloatArray
    frames: NDArray[np.uint8]
    seen_s: FloatArray


@dataclass(frozen=True, slots=True)
class Container:
    """What a file says of its main video stream.

    `width` and `height` as shown, that is upright and with square pixels; `turns` quarter turns counter-clockwise that
    make a stored frame upright; `start_s` the file's zero; `duration_s` of the file and `picture_s` of its video
    stream, None where the header does not say.
    """

    width: int
    height: int
    turns: int
    start_s: float
    duration_s: float | None
    picture_s: float | None

    def reduced(self, max_side: int) -> tuple[int, int]:
        """Width and height after reduction to a longer side of at most `max_side`; never enlarged."""
        scale = min(1.0, max_side / max(self.width, self.height))
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


@contextmanager
def _readable() -> Iterator[None]:
    from av.error import FFmpegError

    try:
        yield
    except (FFmpegError, OSError) as error:
        raise StreamError("The video cannot be opened or decoded; convert it, for example to H.264 in MP4") from error


def inspect(path: Path) -> Container:
    """Read the header of a video file.

    Parameters
    ----------
    path : Path
        Any container that FFmpeg reads.

    Returns
    -------
    Container

    Raises
    ------
    StreamError
        If the file cannot be opened or holds no picture.
    """
    import av

    with _readable(), av.open(str(path)) as file:
        stream = file.streams.best("video")
        if stream is None:
            raise StreamError("The file has no video track", reason=Reason.NO_VIDEO_FRAMES)
        frame = _first_frame(file, stream)
        aspect = float(stream.sample_aspect_ratio or 1) or 1.0
        width, height = round(frame.width * aspect), frame.height
        turns = round(frame.rotation / 90) % 4
        if turns % 2:
            width, height = height, width
        start = 0.0 if file.start_time is None else file.start_time / av.time_base
        duration = None if file.duration is None else file.duration / av.time_base
        picture = None if stream.duration is None else float(stream.duration * stream.time_base)
        return Container(width, height, turns, start_s=start, duration_s=duration, picture_s=picture)


def _first_frame(file: Any, stream: Any) -> Any:  # noqa: ANN401 - PyAV's classes are not typed here
    for frame in _decoded(file, stream):
        return frame
    raise StreamError("No frame of the video can be decoded", reason=Reason.NO_VIDEO_FRAMES)


def frames(
    path: Path, *, decoder: Decoder = Decoder.AV, max_side: int, max_rate_hz: float | None = None
) -> Iterator[FrameBatch]:
    """Frames of a video from its first to its last, in batches.

    Parameters
    ----------
    path : Path
        The file.
    decoder : Decoder
        Which one; decord can loop for ever on a damaged file and then has to be killed by the caller.
    max_side : int
        Longer side of the frames handed out, in pixels, at most; frames are never enlarged.
    max_rate_hz : float, optional
        Frames that come too soon after the last one handed out are left out, see `Gap`.

    Yields
    ------
    FrameBatch
        At most `BATCH` frames; stamps strictly increase over the whole of them.

    Notes
    -----
    `StreamError` comes up with FILE_UNREADABLE if this decoder cannot read the file or disagrees with the container on
    its time stamps, TIME_NOT_INCREASING if the stamps make no time axis, NO_VIDEO_FRAMES if there is no picture.
    """
    shape = inspect(path)
    how = {Decoder.DECORD: _decord_frames, Decoder.AV: _av_frames}[decoder]
    yield from how(path, shape, size=shape.reduced(max_side), gap=Gap(max_rate_hz))


class Gap:
    """Keeps the frames that are far enough from the last one kept.

    Parameters
    ----------
    max_rate_hz : float or None
        Frames sooner than .9 / max_rate_hz less 3 ms after the last one kept are left out: a camera of 50 frames/s
        asked for 30 gives an even 25, one of 30 with jitter keeps all. None keeps every frame.
    """

    def __init__(self, max_rate_hz: float | None) -> None:
        self._least_s = 0.0 if max_rate_hz is None else GAP_SHARE / max_rate_hz - GAP_SLACK_S
        self._last_s = -np.inf

    def keeps(self, time_s: float) -> bool:
        """True if the frame of this time is kept; times increase from call to call."""
        if time_s - self._last_s < self._least_s:
            return False
        self._last_s = time_s
        return True


class Beat:
    """Picks the frames nearest to an even beat, so that cameras of 25, 30 and 60 frames/s are looked at alike.

    `Gap` counts from the last frame kept: how often it looks depends on the camera (asked for 12 a second, at 30
    frames/s it takes 10), and so does when.

    Parameters
    ----------
    rate_hz : float
        Beats per second; the first is at 0. Where frames come less than about twice as often, `Gap` picks.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz, self._least_s = rate_hz, GAP_SHARE / rate_hz - GAP_SLACK_S
        self._before_s = self._last_s = self._due_s = -np.inf

    def keeps(self, time_s: float) -> bool:
        """True if the frame of this time is picked; times increase from call to call."""
        step, self._before_s = time_s - self._before_s, time_s
        half = min(step, 1 / self._rate_hz) / 2  # the next frame is nearer to a beat that is more than this away
        if step > BEAT_SHARE / self._rate_hz:
            picked = time_s - self._last_s >= self._least_s
        else:
            picked = time_s + half >= self._due_s
        if picked:
            self._last_s = time_s
            self._due_s = float(np.floor((time_s + half) * self._rate_hz + ROUNDING) + 1) / self._rate_hz
        return picked


# decord


def _container_times(path: Path, start_s: float) -> FloatArray:
    # presentation times of the frames that are shown: an edit list hides some packets
    import av

    with _readable(), av.open(str(path)) as file:
        stream = file.streams.best("video")
        stamps = [p.pts for p in file.demux(stream) if p.size and not p.is_discard]
        if any(pts is None for pts in stamps):
            raise StreamError("The container gives no time stamps for its video packets")
        return np.sort(np.asarray(stamps, dtype=np.float64)) * float(stream.time_base) - start_s


def _decord_frames(path: Path, shape: Container, *, size: tuple[int, int], gap: Gap) -> Iterator[FrameBatch]:
    import decord

    if shape.turns:
        raise StreamError("decord garbles rotated video; the second decoder turns it")
    times = _container_times(path, shape.start_s)
    decord.logging.set_level(decord.logging.QUIET)
    try:
        reader = decord.VideoReader(str(path), width=size[0], height=size[1], num_threads=1)
        _check_stamps(reader, times)
        kept = np.flatnonzero([gap.keeps(time) for time in times])
        done = 0
        for first in range(0, len(kept), BATCH):
            chosen = kept[first : first + BATCH]
            pictures = reader.get_batch(chosen).asnumpy()
            reader.seek(0)  # stops decord from decoding ahead without bound while the consumer works
            end = int(chosen[-1]) + 1 if first + BATCH < len(kept) else len(times)
            yield FrameBatch(times[chosen], pictures, times[done:end])
            done = end
    except decord.DECORDError as error:
        raise StreamError("decord cannot read the video") from error


def _check_stamps(reader: Any, times_s: FloatArray) -> None:  # noqa: ANN401 - decord has no types
    # a reader that counts or dates frames otherwise than the container would hang or shift time
    if len(reader) != len(times_s):
        raise StreamError(f"decord counts {len(reader)} frames, the container {len(times_s)}")
    if np.any(np.diff(times_s) <= 0):
        raise StreamError("The container's time stamps are not strictly increasing")
    stamps = np.asarray(reader.get_frame_timestamp(np.arange(len(reader))), dtype=np.float64)[:, 0]
    shift = stamps[0] - times_s[0]  # decord counts from the stream's own start
    if np.max(np.abs(stamps - shift - times_s)) > TOLERANCE_S:
        raise StreamError("decord's time stamps differ from the container's")


# PyAV


def _decoded(file: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401
    """Frames in the order of showing; packets that cannot be decoded are passed over."""
    from av.error import InvalidDataError

    try:
        for packet in file.demux(stream):
            try:
                yield from packet.decode()
            except InvalidDataError:
                continue
    except InvalidDataError:
        return  # the file ends in the middle of a packet: what came before counts


def _av_frames(path: Path, shape: Container, *, size: tuple[int, int], gap: Gap) -> Iterator[FrameBatch]:
    import av

    with _readable(), av.open(str(path)) as file:
        stream = file.streams.best("video")
        gather = _Gather(shape, size, gap)
        for frame, time in _dated(_decoded(file, stream)):
            yield from gather.add(frame, time)
        yield from gather.rest()


def _dated(shown: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Frames with strictly increasing stamps.

    Some containers (packed B-frames in AVI) store stamps in the order of decoding: frames come out in the order of
    showing, so within a short run the stamps are sorted. A frame whose stamp repeats is dropped.

    Raises
    ------
    StreamError
        If too many frames have no stamp of their own.
    """
    waiting: list[Any] = []
    stamps: list[float] = []
    last, passed, dropped = -np.inf, 0, 0

    def release() -> Iterator[tuple[Any, float]]:
        nonlocal last, dropped
        frame, time = waiting.pop(0), heapq.heappop(stamps)
        if time > last:
            last = time
            yield frame, time
        else:
            dropped += 1

    for frame in shown:
        passed += 1
        if frame.time is None:
            dropped += 1
            continue
        waiting.append(frame)
        heapq.heappush(stamps, float(frame.time))
        if len(waiting) > REORDER:
            yield from release()
    while waiting:
        yield from release()
    if dropped > MAX_DROPPED * passed:
        raise StreamError(
            f"{dropped} of {passed} frames have no time stamp of their own; re-encode the video with time stamps",
            reason=Reason.TIME_NOT_INCREASING,
        )


class _Gather:
    """Collects frames into batches, resized and upright."""

    def __init__(self, shape: Container, size: tuple[int, int], gap: Gap) -> None:
        self._turns, self._start_s, self._gap = shape.turns, shape.start_s, gap
        self._size = size
        width, height = size[::-1] if shape.turns % 2 else size
        self._reformat = {"width": width, "height": height, "format": "rgb24"}
        self._pictures: list[NDArray[np.uint8]] = []
        self._times: list[float] = []
        self._seen: list[float] = []
        self._handed_out = False

    def add(self, frame: Any, file_time_s: float) -> Iterator[FrameBatch]:  # noqa: ANN401
        time = file_time_s - self._start_s
        self._seen.append(time)
        if self._gap.keeps(time):
            picture = frame.reformat(**self._reformat).to_ndarray()
            self._pictures.append(np.ascontiguousarray(np.rot90(picture, self._turns)))
            self._times.append(time)
        if len(self._pictures) == BATCH:
            yield self._batch()

    def rest(self) -> Iterator[FrameBatch]:
        if not self._handed_out and not self._pictures:
            raise StreamError("No frame of the video can be decoded", reason=Reason.NO_VIDEO_FRAMES)
        if self._seen:
            yield self._batch()

    def _batch(self) -> FrameBatch:
        width, height = self._size
        pictures = np.stack(self._pictures) if self._pictures else np.zeros((0, height, width, 3), np.uint8)
        batch = FrameBatch(np.asarray(self._times), pictures, np.asarray(self._seen))
        self._pictures, self._times, self._seen, self._handed_out = [], [], [], True
        return batch
