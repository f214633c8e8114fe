"""The sound tracks of a session: the patient's microphone and, sometimes, the room's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.plan import Clock, Plan
from cueflow.tasks.simulate.talk import Span, Syllable
from cueflow.tasks.simulate.voice import LEVEL, Cycles, Voice, background, draw_cycles, speak

_VOICE, _NOISE = 30, 31
_ROOM_RATE = 16_000


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


def _spoken(plan: Plan, speaker: str, clock: Clock, *, samples: int, rate: int) -> FloatArray:
    """One speaker as a device with the given clock hears it."""
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
    return speak(
        plan.rng(_VOICE + (4 if speaker == "patient" else 5)),
        phrases,
        syllables,
        heard,
        formant_scale=voices(plan)[speaker].formant_scale,
        samples=samples,
        rate=float(rate),
    )


def _samples(plan: Plan, clock: Clock, rate: int) -> int:
    return max(int(float(clock.local(plan.duration_s)) * rate), rate // 10)


def patient_track(plan: Plan, effects: Effects, clock: Clock) -> FloatArray:
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
    rate = plan.audio_rate
    samples = _samples(plan, clock, rate)
    sound = _spoken(plan, "patient", clock, samples=samples, rate=rate)
    sound += 10.0 ** (effects.crosstalk_db / 20.0) * _spoken(plan, "clinician", clock, samples=samples, rate=rate)
    return sound + background(plan.rng(_NOISE), samples, LEVEL * 10.0 ** (effects.noise_db / 20.0))


def room_track(plan: Plan, effects: Effects) -> tuple[FloatArray, int]:
    """What a microphone in the room records: both speakers at like levels, 6 dB more noise.

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
    clock = plan.clocks["room"]
    samples = _samples(plan, clock, _ROOM_RATE)
    sound = 0.6 * _spoken(plan, "patient", clock, samples=samples, rate=_ROOM_RATE)
    sound += 0.7 * _spoken(plan, "clinician", clock, samples=samples, rate=_ROOM_RATE)
    noise = background(plan.rng(_NOISE + 1), samples, LEVEL * 10.0 ** ((effects.noise_db + 6.0) / 20.0))
    return sound + noise, _ROOM_RATE


def write_wav(path: Path, sound: FloatArray, rate: int) -> None:
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

    soundfile.write(path, np.clip(sound, -1.0, 1.0), rate, subtype="PCM_16")
