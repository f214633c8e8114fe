"""Stream the sound of any recording at one rate, with flat memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.container import decoded_frames, duration_of, is_cover, opened, promised_s, unread_bytes

Block = NDArray[np.float32]
WHOLE_SHARE = 0.9  # a file whose sound ends before this share of what its header says is cut, not just rounded
_SHORTEST_S = 0.01  # nothing can be said of less
_HOLE_S = 0.1  # a jump of the time stamps beyond this is sound that was not recorded, below it is jitter
_LONGEST_HOLE_S = 3600.0  # a longer jump is a damaged time stamp
_MOST_PLANES = 8
_CANCELLED, _HEARD = 0.01, 1e-10  # of the channels' mean power left in their mean; mean power of silence
_SIDES = {"left": 0, "right": 1}
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0, "f4": 1.0, "f8": 1.0}


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What the header says: rate in Hz, channels, duration in s (None: unknown), codec."""

    sampling_rate: int
    channels: int
    duration_s: float | None
    codec: str


def probe_audio(path: Path) -> AudioInfo:
    """Read the header of a sound file, or of the sound track of a video.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    AudioInfo

    Raises
    ------
    StreamError
        NO_AUDIO_SAMPLES if there is no track, or the header says that it is empty or shorter than 10 ms; FILE_EMPTY,
        FILE_TRUNCATED or FILE_UNREADABLE if the file does not open; HEADER_WRONG for a WAV file with much more than its
        header says.
    """
    with opened(path) as container:
        track = _track(container)
        context, duration = track.codec_context, duration_of(container, track)
        if context.sample_rate <= 0 or (container.format.name in {"wav", "w64"} and not duration):
            raise StreamError("the file holds no audio samples: record again", reason=Reason.NO_AUDIO_SAMPLES)
        if duration is not None and duration < _SHORTEST_S:
            message = "the file holds less than 10 ms of sound: record again"
            raise StreamError(message, reason=Reason.NO_AUDIO_SAMPLES)
        _need_whole(duration or 0.0, promised_s(path, container, track))
        if unread_bytes(path) > (1.0 - WHOLE_SHARE) * path.stat().st_size:
            message = "the file holds more sound than its header says: export it again"
            raise StreamError(message, reason=Reason.HEADER_WRONG)
        return AudioInfo(context.sample_rate, context.channels, duration, context.codec.canonical_name)


def audio_start_s(path: Path) -> float:
    """When the sound starts on the file's clock, whose zero is the start of its earliest track.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    float
        Seconds; above 0 where a video's sound comes late. The video stage counts from the same zero.
    """
    import av

    with opened(path) as container:
        track = _track(container)
        if track.start_time is None or container.start_time is None:
            return 0.0
        late_s = float(track.start_time * track.time_base) - container.start_time / float(av.time_base)
        return max(float(late_s), 0.0)


def unheard_s(path: Path, *, sound_s: float) -> float:
    """How much of a video's picture has no sound.

    Parameters
    ----------
    path : Path
        The file.
    sound_s : float
        How long its sound is, s.

    Returns
    -------
    float
        Seconds of picture before the sound begins or after it has ended; 0 where there is no picture.
    """
    import av

    with opened(path) as container:
        pictures = [track for track in container.streams.video if not is_cover(track)]
        if not pictures:
            return 0.0
        track = container.streams.best("video") or pictures[0]
        length, zero = duration_of(container, track), (container.start_time or 0) / float(av.time_base)
        first = float((track.start_time or 0) * track.time_base) - zero
    begin = audio_start_s(path)
    last = first + (length or 0.0)
    heard = max(min(last, begin + sound_s) - max(first, begin), 0.0)
    return max(last - first - heard, 0.0)


def audio_blocks(path: Path, *, rate: int = 16000, channel: str = "", block_s: float = 30.0) -> Iterator[Block]:
    """Decode, resample and cut the sound into blocks.

    Where the time stamps jump by more than .1 s the sound was not recorded: NaN stands there, as where a sample is no
    number, so that what follows keeps its place. The resampler is linear-phase and carries its state, so that blocks
    join without a seam; it is given a straight line where samples are missing.

    Parameters
    ----------
    path : Path
        Sound file, or video with a sound track.
    rate : int, optional
        Sampling rate of the blocks, Hz.
    channel : str, optional
        Empty: mean of all channels; "0", "1", …, "left", "right": one of them.
    block_s : float, optional
        Length of a block, s; the last one is shorter.

    Yields
    ------
    ndarray of float32, shape (n,)
        Samples between −1 and 1, NaN where there was none.

    Raises
    ------
    StreamError
        NO_AUDIO_SAMPLES if there is no sound; COLUMN_MISSING if there is no such channel. After the last block:
        FILE_TRUNCATED if the file ends before 90 % of what its header says; CHANNELS_CANCEL if the channels have 20 dB
        more than their mean, as where one is the other upside down.
    """
    with opened(path) as container:
        track = _track(container)
        promised = promised_s(path, container, track)
        total = 0
        for block in _blocks(_mono(container, track, rate=rate, channel=channel), size=round(rate * block_s)):
            total += len(block)
            yield block
    _need_whole(total / rate, promised)
    if not total:
        raise StreamError("the file holds no audio samples: record again", reason=Reason.NO_AUDIO_SAMPLES)


def _need_whole(there_s: float, promised: float | None) -> None:
    if promised is not None and there_s < WHOLE_SHARE * promised:
        message = f"the sound ends after {there_s:.1f} of {promised:.1f} s: copy the file again"
        raise StreamError(message, reason=Reason.FILE_TRUNCATED)


def _blocks(pieces: Iterator[Block], *, size: int) -> Iterator[Block]:
    waiting: list[Block] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held < size:
            continue
        whole = np.concatenate(waiting)
        for start in range(0, held - size + 1, size):
            yield whole[start : start + size]
        waiting = [whole[held - held % size :].copy()]  # a copy, so that the whole is not kept alive
        held = len(waiting[0])
    if held:
        yield np.concatenate(waiting)


def _mono(container: Any, track: Any, *, rate: int, channel: str) -> Iterator[Block]:  # noqa: ANN401 - PyAV has no stubs
    index = channel_index(channel, track.codec_context.channels)
    resample, clock, mix = _Resampler(rate), _Clock(), _Mix(index)
    for frame in decoded_frames(container, track):
        if frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES:
            continue  # PyAV reads beyond its array of planes; such frames come of damaged AAC
        for _ in range(clock.missing_s(frame)):
            yield from resample(_nothing(frame.sample_rate), frame.sample_rate)
        yield from resample(_nothing(clock.rest(frame)), frame.sample_rate)
        yield from resample(mix(_samples(frame)), frame.sample_rate)
    yield from resample.flush()
    mix.need_sound()


class _Mix:
    """One channel, or the mean of all, and whether that is what is left of channels that cancel each other."""

    def __init__(self, index: int | None) -> None:
        self._index = index
        self._apart = self._together = 0.0
        self._n = 0

    def __call__(self, samples: Block) -> Block:
        if self._index is not None:
            return np.ascontiguousarray(samples[min(self._index, len(samples) - 1)])
        mean = np.asarray(samples.mean(axis=0, dtype=np.float32), dtype=np.float32)
        if len(samples) > 1:
            there = np.isfinite(mean)
            self._apart += float(np.square(samples[:, there]).sum(dtype=np.float64)) / len(samples)
            self._together += float(np.square(mean[there]).sum(dtype=np.float64))
            self._n += int(there.sum())
        return mean

    def need_sound(self) -> None:
        if self._apart > _HEARD * self._n and self._together < _CANCELLED * self._apart:
            message = 'the channels cancel each other: name one of them ("left" or "right") as the channel'
            raise StreamError(message, reason=Reason.CHANNELS_CANCEL)


class _Clock:
    """Follows the time stamps of frames and tells the holes between them."""

    def __init__(self) -> None:
        self._next_s: float | None = None
        self._hole_s = 0.0

    def missing_s(self, frame: Any) -> int:  # noqa: ANN401 - PyAV has no stubs
        """Whole seconds that are missing before a frame; `rest` then gives the samples of the last one."""
        length_s = frame.samples / frame.sample_rate
        now_s = self._next_s if frame.pts is None else float(frame.pts * frame.time_base)
        hole_s = 0.0 if self._next_s is None or now_s is None else now_s - self._next_s
        self._hole_s = hole_s if _HOLE_S < hole_s <= _LONGEST_HOLE_S else 0.0
        if self._hole_s or self._next_s is None:
            self._next_s = (now_s or 0.0) + length_s
        else:
            self._next_s += length_s  # counting samples: jitter of the stamps does not add up
        return int(self._hole_s)

    def rest(self, frame: Any) -> int:  # noqa: ANN401 - PyAV has no stubs
        """Missing samples besides the whole seconds."""
        return round((self._hole_s % 1.0) * int(frame.sample_rate))


def _nothing(n: int) -> Block:
    return np.full(n, np.nan, dtype=np.float32)


class _Resampler:
    """Mono sound at any rate, which may change on the way, to one rate; what is no number stays none."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._source = 0
        self._stream: Any = None
        self._taken = self._given = 0  # samples of the stream at either rate
        self._gaps: list[tuple[int, int]] = []  # of samples to be given

    def __call__(self, samples: Block, source: int) -> Iterator[Block]:
        import soxr

        if source != self._source:
            yield from self.flush()
            self._source, self._taken, self._given = source, 0, 0
            self._stream = soxr.ResampleStream(source, self._rate, 1, dtype="float32", quality="HQ")
        if len(samples):
            yield self._marked(self._stream.resample_chunk(self._filled(samples)))

    def flush(self) -> Iterator[Block]:
        """What the filter still holds."""
        if self._stream is not None:
            yield self._marked(self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
            self._stream, self._gaps = None, []

    def _filled(self, samples: Block) -> Block:
        """Samples with lines over what is no number, which is remembered."""
        numbers = np.isfinite(samples)
        if not numbers.all():
            at = np.flatnonzero(~numbers)
            for gap in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1):
                first, end = ((self._taken + int(k)) * self._rate / self._source for k in (gap[0], gap[-1] + 1))
                self._gaps.append((math.floor(first), math.ceil(end)))
            known = np.flatnonzero(numbers)
            lines = np.interp(np.arange(len(samples)), known, samples[known]) if len(known) else np.zeros(len(samples))
            filled: Block = lines.astype(np.float32)
        else:
            filled = samples
        self._taken += len(numbers)
        return filled

    def _marked(self, block: Block) -> Block:
        for first, end in self._gaps:
            block[max(first - self._given, 0) : max(end - self._given, 0)] = np.nan
        self._given += len(block)
        self._gaps = [gap for gap in self._gaps if gap[1] > self._given]
        return block


def _samples(frame: Any) -> Block:  # noqa: ANN401 - PyAV has no stubs
    """Samples of a frame between −1 and 1, shape (channels, n)."""
    raw = frame.to_ndarray()
    if not frame.format.is_planar:
        raw = raw.reshape(-1, frame.layout.nb_channels).T
    middle = 128 if raw.dtype == np.uint8 else 0
    scale = _FULL_SCALE[raw.dtype.str[1:]]
    return np.asarray((raw.astype(np.float32) - middle) / np.float32(scale), dtype=np.float32)


def channel_index(channel: str, channels: int) -> int | None:
    """Which of a file's channels a manifest means.

    Parameters
    ----------
    channel : str
        As the manifest has it: "left", "right", "0", "1", …; empty for the mean of all.
    channels : int
        How many the file has.

    Returns
    -------
    int or None
        None for the mean of all.

    Raises
    ------
    StreamError
        COLUMN_MISSING if there is no such channel.
    """
    name = channel.strip().casefold()
    if not name:
        return None
    index = _SIDES.get(name, int(name) if name.isascii() and name.isdigit() else -1)
    if not 0 <= index < channels:
        message = f"no audio channel {name[:20]!r}: the file has {channels}, called 0 (left), 1 (right) and so on"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    return index


def _track(container: Any) -> Any:  # noqa: ANN401 - PyAV has no stubs
    track = container.streams.best("audio")
    if track is None:
        what = "video" if container.streams.video else "file"
        message = f"the {what} has no audio track: name the file that has the sound"
        raise StreamError(message, reason=Reason.NO_AUDIO_SAMPLES)
    return track
