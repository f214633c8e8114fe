"""The sound tracks of a session: the patient's microphone and, sometimes, the room's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.plan import Clock, Plan
from cueflow.tasks.simulate.talk import Span, Syllable
from cueflow.tasks.simulate.voice import LEVEL, Cycles, Samples, Voice, background, draw_cycles, speak

_VOICE, _NOISE = 30, 31
ROOM_RATE = 16_000


def voices(plan: Plan) -> dict[str, Voice]:
    """The two voices of a session.

    Parameters
    ----------
    plan : Plan
        The session; the clinician is of the other sex, so that pitch and tract differ.

    Returns
    -------
    dict of str to Voice
        "patient" and "clinician".
    """
    values, woman = plan.latents.values, plan.subject.sex == "f"
    phase = float(plan.rng(_VOICE).uniform(0.0, 2.0 * np.pi))
    return {
        "patient": Voice(
            values["f0_mean"], values["f0_sd"], values["jitter"], values["shimmer"], 1.17 if woman else 1.0, phase
        ),
        "clinician": Voice(118.0 if woman else 205.0, 2.0, 0.6, 3.0, 0.98 if woman else 1.15, phase + 1.0),
    }


def cycles_of(plan: Plan, speaker: str) -> Cycles:
    """Glottal cycles of a speaker on the session clock: what the truth rows are computed from.

    Parameters
    ----------
    plan : Plan
        The session.
    speaker : str
        "patient" or "clinician".

    Returns
    -------
    Cycles
        In order of time; `phrase` counts the speaker's own phrases.
    """
    rng = plan.rng(_VOICE + (2 if speaker == "patient" else 3))
    return draw_cycles(rng, [p for p in plan.talk.phrases if p.speaker == speaker], voices(plan)[speaker])


def _hear(plan: Plan, speaker: str, clock: Clock, *, rate: int, into: Samples) -> None:
    """Add one speaker, as a device with the given clock hears it."""
    cycles = cycles_of(plan, speaker)
    shrink = 1.0 / (1.0 + 1e-6 * clock.drift_ppm)
    phrases = [
        Span(speaker, float(clock.local(p.onset_s)), float(clock.local(p.end_s)))
        for p in plan.talk.phrases
        if p.speaker == speaker
    ]
    syllables = [
        Syllable(float(clock.local(s.onset_s)), float(clock.local(s.end_s)), s.vowel, s.fricative, s.level)
        for s in plan.talk.syllables[speaker]
    ]
    heard = Cycles(clock.local(cycles.starts_s), cycles.periods_s * shrink, cycles.amplitudes, cycles.phrase)
    speak(
        plan.rng(_VOICE + (4 if speaker == "patient" else 5)),
        phrases,
        syllables,
        heard,
        formant_scale=voices(plan)[speaker].formant_scale,
        rate=float(rate),
        into=into,
    )


def _mix(
    plan: Plan, clock: Clock, rate: int, *, levels_db: dict[str, float], noise_db: float, noise_seed: int
) -> Samples:
    """Speakers at their levels over background noise, 4 bytes a sample and nothing else of that length."""
    sound = np.zeros(max(int(float(clock.local(plan.duration_s)) * rate), rate // 10), np.float32)
    for speaker in ("clinician", "patient"):
        # the clinician is written first and then attenuated with all that is there: no second recording in memory
        _hear(plan, speaker, clock, rate=rate, into=sound)
        sound *= np.float32(10.0 ** (levels_db[speaker] / 20.0))
    background(plan.rng(noise_seed), sound, LEVEL * 10.0 ** (noise_db / 20.0))
    return sound


def patient_track(plan: Plan, effects: Effects, clock: Clock) -> Samples:
    """What the patient's microphone records.

    Parameters
    ----------
    plan : Plan
        The session.
    effects : Effects
        Level of noise and crosstalk.
    clock : Clock
        Of the recording device.

    Returns
    -------
    ndarray, shape (n,)
        At `plan.audio_rate`, full scale 1.
    """
    levels = {"clinician": effects.crosstalk_db, "patient": 0.0}
    return _mix(plan, clock, plan.audio_rate, levels_db=levels, noise_db=effects.noise_db, noise_seed=_NOISE)


def room_track(plan: Plan, effects: Effects) -> tuple[Samples, int]:
    """What a microphone in the room records: both speakers 4 dB lower, the clinician 1 dB louder, 6 dB more noise.

    Parameters
    ----------
    plan : Plan
        The session.
    effects : Effects
        Level of noise.

    Returns
    -------
    tuple of ndarray and int
        Samples and sampling rate in Hz.
    """
    levels, noise = {"clinician": 1.0, "patient": -4.0}, effects.noise_db + 6.0
    clock = plan.clocks["room"]
    return _mix(plan, clock, ROOM_RATE, levels_db=levels, noise_db=noise, noise_seed=_NOISE + 1), ROOM_RATE


def write_wav(path: Path, sound: Samples, rate: int) -> None:
    """Write 16-bit samples.

    Parameters
    ----------
    path : Path
        The file.
    sound : ndarray, shape (n,)
        Full scale 1; what is beyond is clipped.
    rate : int
        Sampling rate in Hz.
    """
    import soundfile

    with soundfile.SoundFile(path, "w", samplerate=rate, channels=1, subtype="PCM_16") as file:
        for lo in range(0, len(sound), 1 << 18):
            file.write(np.clip(sound[lo : lo + (1 << 18)], -1.0, 1.0))
