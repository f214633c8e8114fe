"""What a recording holds by which its clock can be placed: time stamps, loudness, movement, marks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.results import Clues, FloatArray, Signal, Trace
from cueflow.schemas.session import Modality, Stream
from cueflow.tasks.clock.marks import marks_of
from cueflow.tasks.ingest.audio import audio_blocks, audio_start_s, probe_audio
from cueflow.tasks.ingest.container import decoded_frames, is_cover, opened
from cueflow.tasks.ingest.signals import open_signal

SOUND_HZ = 100.0
MOVEMENT_HZ = 20.0
_AUDIO_HZ = 8000
_FLOOR_DB = 50.0  # below the loudest
_PICTURE = (64, 36)  # small enough that noise of single pixels averages out
_PARTS = (3, 12, 4, 16)  # three rows of four parts, 12 by 16 pixels each
_STILL_S = 1.0  # acceleration that lasts longer is gravity
_HOLE_S = 0.5  # between samples; a camera in the dark takes two frames a second


def clues_of(path: Path, stream: Stream) -> Clues:
    """What a recording holds by which its clock can be placed.

    Parameters
    ----------
    path : Path
        The recording.
    stream : Stream
        As the manifest declares it; times count from its start.

    Returns
    -------
    Clues
        A sound track that cannot be heard, or marks that cannot be read, are left out: `StreamError` comes up only
        where the recording itself cannot be read.
    """
    start_s = stream.start_s or 0.0
    if stream.modality is Modality.AUDIO:
        return Clues(sound=loudness(path, start_s=start_s, channel=stream.channel))
    if stream.modality is Modality.VIDEO:
        return _video(path, start_s)
    signal = open_signal(
        path,
        modality=stream.modality,
        channel=stream.channel,
        sampling_rate=stream.sampling_rate,
        unit=stream.unit,
        start_s=stream.start_s,
    )
    return Clues(
        began_s=signal.began_s,
        began_error_s=signal.began_error_s,
        zoned=signal.zoned,
        movement=(shaking(signal.part(0, signal.n)),) if stream.modality is Modality.ACCELEROMETER else (),
        marks_s=tuple((marks_of(path, sampling_rate=stream.sampling_rate) + signal.moved_s).tolist()),
    )


def loudness(path: Path, *, start_s: float = 0.0, channel: str = "") -> Trace:
    """Loudness of a sound track, a hundred times per second.

    Parameters
    ----------
    path : Path
        Sound file, or video with sound.
    start_s : float, optional
        Where the file's clock begins, s.
    channel : str, optional
        As for `audio_blocks`.

    Returns
    -------
    Trace
        Level in dB, at most 50 dB below the loudest.
    """
    size = round(_AUDIO_HZ / SOUND_HZ)
    blocks = audio_blocks(path, rate=_AUDIO_HZ, channel=channel)
    parts = [np.zeros(0)]
    for block in blocks:
        whole = np.nan_to_num(block[: len(block) - len(block) % size])
        parts.append((whole.astype(np.float64).reshape(-1, size) ** 2).mean(axis=1))
    power = np.concatenate(parts)
    top = float(power.max(initial=0.0))
    level = np.full(len(power), np.nan)
    if top > 0:
        level = 10.0 * np.log10(np.maximum(power / top, 10.0 ** (-_FLOOR_DB / 10.0)))
    began = start_s + audio_start_s(path) + 0.5 / SOUND_HZ
    return Trace(began, SOUND_HZ, level.astype(np.float32))


def shaking(signal: Signal) -> Trace:
    """Size of the acceleration without gravity, twenty times per second.

    Parameters
    ----------
    signal : Signal
        An axis, or the length of the vector.

    Returns
    -------
    Trace
    """
    from scipy.ndimage import uniform_filter1d

    good = np.isfinite(signal.values)
    times, values = signal.times_s[good], signal.values[good]
    width = max(round(_STILL_S * signal.sampling_rate) | 1, 3)
    return evenly(times, np.abs(values - uniform_filter1d(values, width)))


def _video(path: Path, start_s: float) -> Clues:
    times, sizes, made, length = _changes(path)
    try:
        sound = loudness(path, start_s=start_s) if probe_audio(path) else None
    except StreamError:  # a film without sound
        sound = None
    return Clues(
        began_s=None if made is None else made - start_s,
        began_error_s=length,  # some cameras write when they started, some when they were stopped
        movement=tuple(evenly(start_s + times, size) for size in sizes.T),
        sound=sound,
    )


def _changes(path: Path) -> tuple[FloatArray, FloatArray, float | None, float]:
    """Middles of the pairs of frames in s, how much each part of the picture changes, when it was made, and its length.

    The picture's median change is left out, so that light does not count as movement. A hand moves in a part of the
    picture, and is lost in the sum of all.
    """
    with opened(path) as container:
        track = next(t for t in container.streams.video if not is_cover(t))
        track.thread_type = "AUTO"
        zero = (container.start_time or 0) / 1e6
        times, sizes = [], []
        last: tuple[float, FloatArray] | None = None
        for frame in decoded_frames(container, track):
            if frame.pts is None:
                continue
            now = float(frame.pts * frame.time_base) - zero
            small = frame.reformat(*_PICTURE, format="gray").to_ndarray().astype(np.float64)
            if last is not None and now > last[0]:
                change = np.abs(small - last[1])
                parts = np.maximum(change - np.median(change), 0.0).reshape(*_PARTS).mean(axis=(1, 3)).ravel()
                times.append((now + last[0]) / 2)
                sizes.append(parts / (now - last[0]))
            last = now, small
        made = _made(container.metadata.get("creation_time", ""))
    return np.array(times), np.array(sizes).reshape(len(times), -1), made, last[0] if last is not None else 0.0


def _made(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC).timestamp() if moment.year > 2000 else None


def evenly(times: FloatArray, values: FloatArray) -> Trace:
    """Means of twentieths of a second; where samples are further apart than that, the line between them.

    Parameters
    ----------
    times, values : ndarray, shape (n,)
        In s, increasing, and in any unit.

    Returns
    -------
    Trace
        NaN where nothing was sampled for half a second.
    """
    if len(times) < 2:
        return Trace(0.0, MOVEMENT_HZ, np.zeros(0, dtype=np.float32))
    start = float(times[0])
    at = np.round((times - start) * MOVEMENT_HZ).astype(np.int64)
    count = np.bincount(at)
    with np.errstate(invalid="ignore"):
        means = np.bincount(at, weights=values) / count
    seen, grid = np.flatnonzero(count), np.arange(len(count))
    following = np.clip(np.searchsorted(seen, grid), 0, len(seen) - 1)
    before = np.clip(np.searchsorted(seen, grid, side="right") - 1, 0, len(seen) - 1)
    near = seen[following] - seen[before] <= _HOLE_S * MOVEMENT_HZ
    scale = float(np.nanmax(means, initial=0.0)) or 1.0  # fits two bytes whatever the unit is
    filled = np.where(near, np.interp(grid, seen, means[seen]) / scale, np.nan)
    return Trace(start, MOVEMENT_HZ, filled.astype(np.float32))


def times_of(trace: Trace) -> FloatArray:
    """Times of a trace's values, s.

    Parameters
    ----------
    trace : Trace
        Any.

    Returns
    -------
    ndarray, shape (n,)
    """
    return np.asarray(trace.start_s + np.arange(len(trace.values)) / trace.rate)
