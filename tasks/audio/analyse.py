"""The audio stage: one recording in, its findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, FloatArray, Series, Window
from cueflow.schemas.session import Exclusion
from cueflow.tasks.audio.signal.level import decibels
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import speech_frames
from cueflow.tasks.audio.summary import CLIPPED_SHARE_MAX, View, clipped_in_speech, measures_of, quality_of, view_of
from cueflow.tasks.audio.talk.timing import Flags
from cueflow.tasks.audio.tracks import Tracks, measure_tracks
from cueflow.tasks.windows import excluded, measuring_windows, per_second, within

VERSION = "2"


def analyse_audio(
    blocks: Iterable[NDArray[np.float32]],
    *,
    start_s: float,
    phases: Sequence[Window],
    exclusions: Sequence[Exclusion],
    vad_model: Path,
    config: AudioConfig,
    progress: Callable[[float], None] | None = None,
) -> Findings:
    """Voice biomarkers of one recording.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1, in order. The length of the blocks does not change any value.
    start_s : float
        Session time of the first sample.
    phases : sequence of Window
        Phases of the session.
    exclusions : sequence of Exclusion
        Spans that no measure may use.
    vad_model : Path
        `silero_vad_16k_sequence.onnx`.
    config : AudioConfig
        Thresholds and ranges.
    progress : callable, optional
        Told the seconds of audio done.

    Returns
    -------
    Findings
        All declared audio measures for the recording and for every phase it reaches, turns and pauses as events, and
        per-second series. A recording without voice is too_short with reason no_voice; its speech share is 0.

    Notes
    -----
    StreamError is raised where there is less than one frame of audio, ModelError where the network cannot be used.
    """
    tracks = measure_tracks(
        blocks,
        vad_model=vad_model,
        f0_floor_hz=config.f0_floor_hz,
        f0_ceiling_hz=config.f0_ceiling_hz,
        progress=progress,
    )
    times = tracks.times_s + start_s
    end_s = start_s + len(times) * FRAME_S
    speech = speech_frames(tracks.probability, threshold=config.vad_threshold)
    used = ~excluded(times, exclusions)
    windows = measuring_windows(start_s, end_s, phases)
    views = [
        view_of(tracks, speech, used & within(times, window), pause_min_s=config.pause_min_s) for window in windows
    ]
    whole = views[0]
    measures = tuple(m for view, window in zip(views, windows, strict=True) for m in measures_of(view, window))
    snr = next(m.value for m in measures if m.biomarker == "level_snr")
    status, reason = _state(whole)
    return Findings(
        start_s=start_s,
        end_s=end_s,
        coverage=float(used.mean()),
        quality=quality_of(np.nan if snr is None else snr) if whole.speech.any() else None,
        status=status,
        reason=reason,
        measures=measures,
        events=_events(whole, start_s),
        series=_series(tracks, whole, times, end_s=end_s),
    )


def _state(whole: View) -> tuple[Status, Reason | None]:
    if not whole.speech.any():
        return Status.TOO_SHORT, Reason.NO_VOICE
    if clipped_in_speech(whole) > CLIPPED_SHARE_MAX:
        return Status.LOW_QUALITY, Reason.CLIPPED
    return Status.OK, None


def _events(whole: View, start_s: float) -> tuple[Event, ...]:
    """Turns with their mean speech probability and level, and the pauses between them."""
    found = [_turn(whole, span, start_s) for span in whole.talk.turns]
    found += [
        Event(kind="pause", label="silence", start_s=start_s + first * FRAME_S, end_s=start_s + last * FRAME_S)
        for first, last in whole.talk.pauses
    ]
    return tuple(sorted(found, key=lambda event: event.start_s))


def _turn(whole: View, span: tuple[int, int], start_s: float) -> Event:
    first, last = span
    part = slice(first, last)
    evidence: dict[str, float | str] = {
        "level_db": float(decibels(whole.tracks.frames.power[part].mean(keepdims=True))[0])
    }
    voiced = whole.voice[part]
    if voiced.any():
        evidence["f0_p50_hz"] = float(np.median(whole.tracks.frames.f0_hz[part][voiced]))
    return Event(
        kind="turn",
        label="speech",
        start_s=start_s + first * FRAME_S,
        end_s=start_s + last * FRAME_S,
        score=float(whole.tracks.probability[part].mean()),
        evidence=evidence,
    )


def _series(tracks: Tracks, whole: View, times: FloatArray, *, end_s: float) -> tuple[Series, ...]:
    start_s = float(times[0]) - FRAME_S / 2

    def seconds(name: str, values: NDArray[np.floating], among: Flags) -> Series:
        kept = np.where(among, values, np.nan).astype(np.float64)
        return per_second(name, times, kept, start_s=start_s, end_s=end_s)

    power = seconds("voice_level", tracks.frames.power, whole.used)
    return (
        seconds("voice_active", whole.speech.astype(np.float64), whole.used),
        seconds("voice_f0", tracks.frames.f0_hz, whole.voice),
        seconds("voice_loudness", tracks.spectra.loudness, whole.used),
        Series(power.name, power.t_s, decibels(power.values).astype(np.float64)),
        seconds("voice_hnr", tracks.frames.hnr_db, whole.voice),
    )
