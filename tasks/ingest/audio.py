"""Stream the sound of any recording at one rate, with flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.container import duration_of, opened, packets_of

Block = NDArray[np.float32]
# A file whose sound ends before this share of what its header says is cut, not just rounded.
WHOLE_SHARE = 0.9
_SIDES = {"left": 0, "right": 1}


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
    """
    with opened(path) as container:
        track = _track(container)
        context = track.codec_context
        return AudioInfo(context.sample_rate, context.channels, duration_of(container, track), context.name)


def audio_start_s(path: Path) -> float:
    """When the sound starts after the earliest stream of its file, in s: above 0 where a video's sound comes late."""
    with opened(path) as container:
        track = _track(container)
        starts = [float(s.start_time * s.time_base) for s in container.streams if s.start_time is not None]
        own = 0.0 if track.start_time is None else float(track.start_time * track.time_base)
        return max(own - min(starts, default=own), 0.0)


def audio_blocks(path: Path, *, rate: int = 16000, channel: str = "", block_s: float = 30.0) -> Iterator[Block]:
    """Decode, resample and cut the sound into blocks.

    Parameters
    ----------
    path : Path
        Sound file, or video with a sound track.
    rate : int, optional
        Sampling rate of the blocks, Hz.
    channel : str, optional
        Empty: mean of all channels; "0", "1", "left", "right": one of them.
    block_s : float, optional
        Length of a block, s; the last one is shorter.

    Yields
    ------
    ndarray of float32, shape (n,)
        Samples between −1 and 1.

    Raises
    ------
    StreamError
        If there is no sound, no sample, no such channel; or, after the last block, if the file ends before 90 % of what
        its header says.
    """
    size, waiting, held, total = round(rate * block_s), [], 0, 0
    with opened(path) as container:
        track = _track(container)
        expected = duration_of(container, track)
        for piece in _mono(container, track, rate=rate, channel=channel):
            waiting.append(piece)
            held += len(piece)
            total += len(piece)
            if held >= size:
                whole = np.concatenate(waiting)
                for start in range(0, len(whole) - size + 1, size):
                    yield whole[start : start + size]
                rest = whole[len(whole) - len(whole) % size :]
                waiting, held = [rest], len(rest)
    if held:
        yield np.concatenate(waiting)
    if not total:
        raise StreamError(f"{path.name}: the file holds no audio samples", reason=Reason.NO_AUDIO_SAMPLES)
    if expected is not None and total / rate < WHOLE_SHARE * expected:
        raise StreamError(
            f"{path.name}: the sound ends after {total / rate:.1f} of {expected:.1f} s: copy the file again",
            reason=Reason.FILE_TRUNCATED,
        )


def _mono(container: Any, track: Any, *, rate: int, channel: str) -> Iterator[Block]:  # noqa: ANN401 - PyAV has no stubs
    from av.audio.resampler import AudioResampler

    index = _index(channel, track.codec_context.channels)
    resampler = AudioResampler(format="fltp", rate=rate)
    for frame in packets_of(container, track):
        frame.pts = None  # the resampler counts samples; time stamps of damaged files would make it stumble
        for made in resampler.resample(frame):
            yield _pick(made, index)
    for made in resampler.resample(None):
        yield _pick(made, index)


def _pick(frame: Any, index: int | None) -> Block:  # noqa: ANN401 - PyAV has no stubs
    samples: Block = frame.to_ndarray()
    return samples.mean(axis=0, dtype=np.float32) if index is None else samples[index].copy()


def _index(channel: str, channels: int) -> int | None:
    name = channel.strip().lower()
    if not name:
        return None
    index = _SIDES.get(name, int(name) if name.isdigit() else -1)
    if not 0 <= index < channels:
        raise StreamError(f"no audio channel {name!r}: the file has {channels}", reason=Reason.COLUMN_MISSING)
    return index


def _track(container: Any) -> Any:  # noqa: ANN401 - PyAV has no stubs
    tracks = container.streams.audio
    if not tracks:
        raise StreamError("the file has no audio track", reason=Reason.NO_AUDIO_SAMPLES)
    return tracks[0]
