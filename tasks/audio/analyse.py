"""The audio stage: one recording in, its findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice
from cueflow.schemas.biomarkers.voice_egemaps import EGEMAPS_SERIES
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, FloatArray, Heard, Measure, Series, Window
from cueflow.schemas.session import Exclusion, Role
from cueflow.tasks.audio.dialogue import BESIDE, LATENCY, OVER, Voice, alone, talk_events, talk_measures
from cueflow.tasks.audio.geneva.contours import descriptors
from cueflow.tasks.audio.marks import CLIPPED_SHARE_MAX, GONE_SHARE_MIN, OFFSET_MAX, share_in_speech
from cueflow.tasks.audio.signal.held import with_held
from cueflow.tasks.audio.signal.level import decibels
from cueflow.tasks.audio.signal.recorder import Recorder
from cueflow.tasks.audio.signal.stream import FRAME_S, HOP
from cueflow.tasks.audio.signal.vad import runs, sharpened, speech_frames
from cueflow.tasks.audio.summary import measures_of
from cueflow.tasks.audio.talk.people import SPEAKER, People, introduced, people_of
from cueflow.tasks.audio.talk.speakers import find_speakers
from cueflow.tasks.audio.talk.timing import Flags
from cueflow.tasks.audio.talk.words import recognised_measure, spoken_in, word_measures
from cueflow.tasks.audio.tracks import Tracks, VoiceModels, measure_tracks
from cueflow.tasks.audio.view import View, view_of
from cueflow.tasks.ingest.transcripts import Utterance
from cueflow.tasks.windows import excluded, measuring_windows, per_second, within

VERSION = "17"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a recording stands in its session.

    `start_s` is the session time of the first sample; `role` says whose recording it is; `phases` are those of the
    session; no measure may use the spans of `exclusions`; `utterances` are those of a transcript, on the session's
    clock, `no_words` says why there are none; `recognised` are those heard in the sound, None where nobody asked.
    """

    start_s: float = 0.0
    role: Role = Role.PATIENT
    phases: Sequence[Window] = ()
    exclusions: Sequence[Exclusion] = ()
    utterances: Sequence[Utterance] = ()
    no_words: Reason | None = Reason.NO_TRANSCRIPT
    recognised: Sequence[Utterance] | None = None


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything known of the frames of a recording: when, who, and what may be used."""

    tracks: Tracks
    people: People
    speech: Flags
    used: Flags
    times: FloatArray
    pause_min_s: float
    recorder: Recorder

    def view(self, speech: Flags, window: Window) -> View:
        others = self.speech & ~speech
        used = self.used & within(self.times, window)
        return view_of(self.tracks, speech, used, others=others, pause_min_s=self.pause_min_s, recorder=self.recorder)

    def talkers(self, k: int) -> tuple[Voice, Voice]:
        """One speaker, and all others as one, each while holding the floor."""
        level = decibels(self.tracks.frames.power)
        start_s = float(self.times[0]) - FRAME_S / 2
        floor = self.people.speakers.floor & self.used
        others = np.asarray(np.delete(floor, k, axis=0).any(axis=0))
        f0_hz = self.tracks.frames.f0_hz
        own, other = (Voice(start_s, held, self.used, level, f0_hz) for held in (floor[k], others))
        return own, other


def analyse_audio(
    blocks: Iterable[NDArray[np.float32]],
    setting: Setting,
    *,
    models: VoiceModels,
    config: AudioConfig,
    progress: Callable[[float], None] | None = None,
) -> Findings:
    """Voice biomarkers of one recording.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1, in order. The length of the blocks does not change any value.
    setting : Setting
        Its place in the session.
    models : VoiceModels
        Voice activity and speaker networks.
    config : AudioConfig
        Thresholds and ranges.
    progress : callable, optional
        Told the seconds of audio done.

    Returns
    -------
    Findings
        All declared audio measures for the recording and for every phase it reaches, and again for each of several
        speakers; turns, pauses and overlap as events, and per-second series. The recording's own values are those of
        its person where the manifest names one and one voice is clearly the nearest, else of all speech in it. A
        recording without voice is too_short with reason no_voice; its speech share is 0.

    Notes
    -----
    StreamError is raised where there is less than one frame of audio, ModelError where a network cannot be used.
    """
    tracks = measure_tracks(
        blocks,
        models=models,
        f0_floor_hz=config.f0_floor_hz,
        f0_ceiling_hz=config.f0_ceiling_hz,
        progress=progress,
    )
    times = tracks.times_s + setting.start_s
    heard = speech_frames(tracks.probability, threshold=config.vad_threshold)
    lost, power = tracks.lost, tracks.frames.power
    held = with_held(heard, tracks.voicing)
    speech = sharpened(held.speech, power, lost) & ~lost
    known = config.speakers if setting.role is Role.ROOM else 0
    f0_hz = tracks.frames.f0_hz
    speakers = find_speakers(tracks.prints, speech, tracks.local, known=known, tones=held.tones, f0_hz=f0_hz)
    people = people_of(speakers, tracks.frames.power, role=setting.role, rule=config.role_rule)
    used = ~excluded(times, setting.exclusions) & ~lost
    recorder = tracks.meter.result(speech, lost, held.tones)
    scene = _Scene(tracks, people, speech, used, times, config.pause_min_s, recorder)
    end_s = setting.start_s + len(times) * FRAME_S
    windows = measuring_windows(setting.start_s, end_s, setting.phases)
    own = people.own(speech)
    whole = scene.view(own, windows[0])
    measures = (
        *_own_measures(scene, own, windows),
        *_speaker_measures(scene, windows),
        *_words(setting, scene, own, windows),
    )
    ratio = next(m for m in measures if m.biomarker == "level_snr")
    status, reason = _state(whole, people)
    return Findings(
        start_s=setting.start_s,
        end_s=end_s,
        coverage=float(scene.used.mean()),
        quality=ratio.quality if whole.speech.any() else None,
        status=status,
        reason=reason,
        measures=measures,
        events=_events(scene, whole, windows[0]),
        series=_series(tracks, whole, times, end_s=end_s),
        speakers=people.roles,
        heard=Heard(
            setting.start_s,
            own & scene.used,
            speech & scene.used,
            scene.used,
            decibels(tracks.frames.power),
            tracks.frames.f0_hz,
            _own_prints(people),
        ),
    )


def _own_prints(people: People) -> FloatArray:
    centres = people.speakers.centres
    return centres if people.owner is None else centres[people.owner : people.owner + 1]


def _state(whole: View, people: People) -> tuple[Status, Reason | None]:
    gone = float(whole.tracks.frames.gone.mean()) >= GONE_SHARE_MIN * HOP
    if not whole.used.any():
        return Status.TOO_SHORT, Reason.SAMPLES_MISSING if gone else Reason.LOW_COVERAGE
    if not whole.speech.any():
        return Status.TOO_SHORT, Reason.NO_VOICE
    if gone:
        return Status.LOW_QUALITY, Reason.SAMPLES_MISSING
    if share_in_speech(whole.tracks.frames.clipped, whole) > CLIPPED_SHARE_MAX:
        return Status.LOW_QUALITY, Reason.CLIPPED
    if abs(whole.recorder.offset) > OFFSET_MAX:
        return Status.LOW_QUALITY, Reason.OFFSET
    if people.mixed:
        return Status.LOW_QUALITY, Reason.SEVERAL_SPEAKERS
    return Status.OK, None


def _words(setting: Setting, scene: _Scene, own: Flags, windows: Sequence[Window]) -> list[Measure]:
    role = "" if setting.role is Role.ROOM else setting.role.value
    heard = spoken_in(setting.recognised or (), own & scene.used, start_s=setting.start_s)
    off = Reason.NO_RECOGNISER if setting.recognised is None else None
    middles = np.asarray([(u.start_s + u.end_s) / 2.0 for u in setting.utterances], dtype=np.float64)
    left_out = excluded(middles, setting.exclusions)
    written = [u for u, out in zip(setting.utterances, left_out, strict=True) if not out]
    return [
        m
        for window in windows
        for m in (
            *word_measures(written, window, role=role, reason=setting.no_words),
            recognised_measure(heard, window, reason=off),
        )
    ]


def _own_measures(scene: _Scene, own: Flags, windows: Sequence[Window]) -> list[Measure]:
    """Values of the recording's person; of all speech where it has none, marked where they mix people."""
    found: list[Measure] = []
    people = scene.people
    for window in windows:
        reason = Reason.SEVERAL_SPEAKERS if people.mixed else None
        found += measures_of(scene.view(own, window), window, declared=voice.OF_ONE, reason=reason)
        found += _recording_measures(scene, window)
        if people.owner is not None:
            found += _turns_of(scene, people.owner, window, speaker="")
        elif not people.roles:
            found += alone(window)  # of several speakers everyone has own rows
    return found


def _recording_measures(scene: _Scene, window: Window) -> tuple[Measure, ...]:
    """What is said of a recording and not of a person."""
    view = scene.view(scene.speech, window)
    found = measures_of(view, window, declared=voice.OF_RECORDING, extra=_counted(scene, view))
    return tuple(found)


def _counted(scene: _Scene, view: View) -> dict[str, float]:
    labels = scene.people.speakers.labels[view.speech]
    several = scene.people.speakers.count > 1
    return {
        "level_band_max": scene.recorder.band_hz,
        "level_hum_ratio": scene.recorder.hum_db,
        "level_offset_mean": scene.recorder.offset,
        "speech_speaker_count": float(len(np.unique(labels))),
        "speech_speaker_likeness": scene.people.speakers.similarity if several else float("nan"),
    }


def _speaker_measures(scene: _Scene, windows: Sequence[Window]) -> list[Measure]:
    """Values of every speaker that the recording's own values are not those of."""
    found: list[Measure] = []
    for k, role in enumerate(scene.people.roles):
        if k == scene.people.owner:
            continue
        speech = scene.people.speakers.labels == k
        for window in windows:
            of_one = measures_of(scene.view(speech, window), window, declared=voice.OF_ONE)
            found += [replace(m, speaker=role.speaker) for m in of_one]
            found += _turns_of(scene, k, window, speaker=role.speaker)
    return found


def _turns_of(scene: _Scene, k: int, window: Window, *, speaker: str) -> tuple[Measure, ...]:
    """Turn taking of one speaker with all others."""
    observed_s = float((scene.used & within(scene.times, window)).sum()) * FRAME_S
    own, other = scene.talkers(k)
    unheard, rough = (BESIDE, (LATENCY, OVER)) if scene.people.owner is None else ((*BESIDE, OVER), (LATENCY,))
    return talk_measures(own, other, window, observed_s=observed_s, speaker=speaker, unheard=unheard, rough=rough)


def _events(scene: _Scene, whole: View, window: Window) -> tuple[Event, ...]:
    """Turns with their speech probability and level, the pauses between them, and who is who."""
    people = scene.people
    single = not people.roles or people.owner is not None  # the recording's turns are those of one person
    found = [_turn(whole, span, window.start_s) for span in whole.talk.turns] if single else []
    found += [
        Event("pause", "silence", window.start_s + first * FRAME_S, window.start_s + last * FRAME_S)
        for first, last in whole.talk.pauses
    ]
    speakers = people.speakers
    for k, role in enumerate(people.roles):
        view = scene.view(speakers.labels == k, window)
        if k != people.owner:
            turns = runs(speakers.floor[k] & scene.used)
            found += [replace(_turn(view, span, window.start_s), speaker=role.speaker) for span in turns]
        if people.owner is None:
            own, other = scene.talkers(k)
            found += talk_events(own, other, window, speaker=role.speaker, both_p=speakers.both)
        spoke = {"speech_s": round(float(view.speech.sum()) * FRAME_S, 2)}
        name = role.speaker
        found.append(Event(SPEAKER, name, window.start_s, window.end_s, evidence=spoke, speaker=name))
    return introduced(sorted(found, key=lambda event: event.start_s), people.roles)


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

    tone = whole.speech & (tracks.geneva.f0_st > 0)
    geneva = descriptors(tracks.geneva)
    power = seconds("voice_level", tracks.frames.power, whole.used)
    return (
        seconds("voice_active", whole.speech.astype(np.float64), whole.used),
        seconds("voice_f0", tracks.frames.f0_hz, whole.voice),
        seconds("voice_loudness", tracks.spectra.loudness, whole.used),
        Series(power.name, power.t_s, decibels(power.values).astype(np.float64)),
        seconds("voice_hnr", tracks.frames.hnr_db, whole.voice),
        *(
            seconds(spec.name, values, (tone & (values != 0)) if name.endswith("nz") else whole.speech)
            for spec, (name, values) in zip(EGEMAPS_SERIES, geneva.items(), strict=True)
        ),
    )
