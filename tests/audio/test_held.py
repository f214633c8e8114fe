"""Held tones: sustained vowels count as voice, hum and music do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Status
from cueflow.schemas.session import Role
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.signal.held import Voicing, with_held

RATE = 16_000
N = 1500  # frames
A_VOICE = {"h1_h2_db": 2.0, "hnr_db": 20.0, "cpps_db": 15.0, "gne": 0.9, "jitter": 0.004}


def voicing(f0, power, **kinds):
    """Tracks that hold one value everywhere: those of a voice, where nothing else is said."""
    return Voicing(f0, power, **{k: np.full(N, v, dtype=np.float32) for k, v in {**A_VOICE, **kinds}.items()})


def track(*parts, level_db=-20.0):
    """Pitch and power of 15 s: parts are (first, end, pitch in Hz, level in dB)."""
    f0 = np.full(N, np.nan, dtype=np.float32)
    power = np.full(N, 1e-7, dtype=np.float32)
    wobble = 1.0 + 0.01 * np.sin(np.arange(N) / 5.0)
    for first, end, hertz, *own in parts:
        f0[first:end] = hertz * wobble[first:end]
        power[first:end] = 10.0 ** ((own[0] if own else level_db) / 10.0)
    return f0, power


def flags(*spans):
    out = np.zeros(N, dtype=bool)
    for first, end in spans:
        out[first:end] = True
    return out


@pytest.mark.parametrize(
    ("parts", "heard", "expected"),
    [
        ([(100, 700, 200.0)], [(100, 140)], [(100, 700)]),
        ([(100, 700, 200.0)], [], [(100, 700)]),  # nothing of it was heard as speech, and it lasts
        ([(100, 190, 200.0)], [], []),  # nothing was heard, and it does not last
        ([(100, 150, 200.0)], [(100, 140)], [(100, 140)]),  # a last syllable
        ([(100, 400, 200.0), (400, 480, 420.0)], [(100, 140)], [(100, 400)]),  # the pitch leaps: another sound
        ([(100, 200, 200.0), (200, 700, 200.0, -40.0)], [(100, 200)], [(100, 200)]),  # the room's answer
        ([(100, 400, 200.0), (404, 700, 200.0)], [(100, 140)], [(100, 700)]),  # voicing comes back at once
        ([(100, 400, 200.0), (420, 700, 200.0)], [(100, 140)], [(100, 400), (420, 700)]),  # a second vowel
        ([(100, 400, 200.0), (600, 660, 250.0)], [(100, 140)], [(100, 400), (600, 660)]),  # short, and near in pitch
        ([(100, 400, 200.0), (600, 660, 330.0)], [(100, 140)], [(100, 400)]),  # short, and far from the first one's
        ([(100, 400, 200.0), (600, 900, 330.0)], [(100, 140)], [(100, 400), (600, 900)]),  # another person's
        ([(100, 400, 200.0), (600, 900, 200.0, -40.0)], [(100, 150)], [(100, 400)]),  # far softer than the speech
        ([(100, 400, 200.0), (600, 640, 200.0)], [(100, 140)], [(100, 400)]),  # too short to be told
    ],
)
def test_what_is_held(parts, heard, expected):
    found = with_held(flags(*heard), voicing(*track(*parts)))
    assert np.array_equal(found.speech, flags(*expected))
    assert not (found.tones & ~found.speech).any()


@pytest.mark.parametrize("hertz", [60.0, 100.0, 120.2, 150.0])
def test_hum_behind_speech_is_not_held(hertz):
    f0, power = track((100, 200, hertz), (200, N, hertz))
    f0[200:] = hertz  # it never moves
    speech = flags((100, 200))
    assert np.array_equal(with_held(speech, voicing(f0, power)).speech, speech)


@pytest.mark.parametrize(
    "kind",
    [
        {"jitter": 0.001},  # a bowed string
        {"cpps_db": 8.5},  # hum in noise
        {"hnr_db": 0.5},  # a chord
        {"cpps_db": np.nan},  # nothing is known
    ],
)
def test_what_no_larynx_does_is_not_held(kind):
    speech = flags((100, 140))
    found = with_held(speech, voicing(*track((100, 700, 200.0), (800, 1200, 200.0)), **kind))
    assert np.array_equal(found.speech, speech)
    assert not found.tones.any()


def test_a_tone_that_was_not_heard_must_be_surely_a_voice():
    """A motor: it has no excitation that comes in pulses. Behind heard speech it may be a voice in noise."""
    f0, power = track((100, 700, 97.0))
    assert not with_held(flags(), voicing(f0, power, gne=0.53)).speech.any()
    assert with_held(flags((100, 140)), voicing(f0, power, gne=0.53)).speech.sum() == 600


def test_a_sine_is_not_held_and_not_speech_where_the_network_heard_it():
    speech = flags((100, 140), (900, 960))
    h1_h2 = np.full(N, 2.0, dtype=np.float32)
    h1_h2[110:700] = 70.0
    tracks = voicing(*track((100, 700, 200.0), (800, 880, 200.0)))
    found = with_held(speech, replace(tracks, h1_h2_db=h1_h2))
    assert np.array_equal(found.speech, flags((100, 110), (900, 960)))


def test_a_vowel_that_was_heard_to_its_end_is_held_too():
    found = with_held(flags((100, 700)), voicing(*track((100, 700, 200.0))))
    assert np.array_equal(found.tones, flags((100, 700)))


def test_an_engaged_tone_that_follows_speech_at_once_is_no_voice(make_speech, voice_models):
    """And nor is the one after it."""
    speech, t = make_speech(4.0), np.arange(RATE) / RATE
    tone, pause = 0.2 * np.sin(2 * np.pi * 425.0 * t), np.zeros(2 * RATE)
    x = np.concatenate([np.zeros(RATE), speech, tone, pause, tone, pause])
    x += np.random.default_rng(0).normal(0, 3e-4, len(x))
    found = analyse_audio([x.astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
    v = {m.biomarker: m for m in found.measures if not m.speaker}
    assert v["speech_time_total"].value == pytest.approx(4.0, abs=0.4)
    assert v["speech_speaker_count"].value == 1
    assert v["voice_f0_p50"].value == pytest.approx(120.0, rel=0.03)


def vowel(seconds, f0_hz, *, seed=0):
    """Glottal pulses with a slow wander of 1 % through five resonances."""
    from scipy.signal import lfilter

    t = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(f0_hz * (1.0 + 0.01 * np.sin(2 * np.pi * 0.7 * t + seed))) / RATE
    x = np.diff(np.floor(phase), prepend=0.0)
    for hertz, width in ((700, 80), (1200, 90), (2600, 120), (3400, 150), (4300, 200)):
        r = np.exp(-np.pi * width / RATE)
        x = lfilter([1.0], [1.0, -2.0 * r * np.cos(2.0 * np.pi * hertz / RATE), r * r], x)
    return 0.3 * x / np.abs(x).max()


@pytest.fixture(scope="module")
def task():
    """Three sustained vowels of 5 s with pauses of 1.5 s, and room noise 70 dB below full scale."""
    pause = np.zeros(int(1.5 * RATE))
    x = np.concatenate([pause, *(part for k in range(3) for part in (vowel(5.0, 150.0, seed=k), pause))])
    return x + np.random.default_rng(0).normal(0, 3e-4, len(x))


def test_three_sustained_vowels_have_voice_quality(task, voice_models):
    found = analyse_audio([task.astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
    v = {m.biomarker: m for m in found.measures}
    assert v["speech_time_total"].value == pytest.approx(15.0, abs=0.5)
    turns = [(e.start_s, e.end_s) for e in found.events if e.kind == "turn"]
    assert np.ravel(turns) == pytest.approx([1.5, 6.5, 8.0, 13.0, 14.5, 19.5], abs=0.15)
    assert v["voice_f0_p50"].value == pytest.approx(150.0, rel=0.01)
    for name in ("voice_jitter_local", "voice_shimmer_local", "voice_hnr", "voice_cpps", "voice_formant_f1_p50"):
        assert (v[name].status, v[name].reason) == (Status.OK, None), name
    assert v["voice_jitter_local"].value < 0.5
    assert v["voice_formant_f1_p50"].value == pytest.approx(700.0, abs=100.0)  # harmonics 150 Hz apart
    assert found.quality == 1.0


def test_a_chord_is_no_voice(voice_models):
    t = np.arange(10 * RATE) / RATE
    x = sum(0.05 / k * np.sin(2 * np.pi * f * k * t) for f in (220.0, 277.2, 329.6) for k in range(1, 8))
    found = analyse_audio([x.astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
    assert {m.biomarker: m.value for m in found.measures}["speech_share"] == 0.0


@pytest.mark.parametrize("f0_hz", [150.0, 220.0])
def test_a_vowel_that_fills_the_recording_is_voice(f0_hz, voice_models):
    """No silence around it, nothing that the network hears."""
    found = analyse_audio([vowel(5.0, f0_hz).astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
    v = {m.biomarker: m for m in found.measures}
    assert v["speech_share"].value == pytest.approx(1.0, abs=0.02)
    assert v["voice_f0_p50"].value == pytest.approx(f0_hz, rel=0.01)


def test_two_people_hold_vowels_in_turn(make_speech, voice_models):
    """Each is one turn of whoever talks at that pitch."""
    pause = np.zeros(RATE)
    parts = [make_speech(6.0, f0_hz=110.0), vowel(4.0, 115.0), make_speech(6.0, f0_hz=210.0), vowel(4.0, 220.0)]
    x = np.concatenate([pause, *(piece for part in parts for piece in (part, pause))])
    x += np.random.default_rng(0).normal(0, 3e-4, len(x))
    config = AudioConfig(speakers=2)
    found = analyse_audio([x.astype(np.float32)], Setting(role=Role.ROOM), models=voice_models, config=config)
    turns = [(e.start_s, e.end_s, e.speaker) for e in found.events if e.kind == "turn"]
    one, _, two, _ = [who for *_, who in turns]
    assert one != two
    assert [who for *_, who in turns] == [one, one, two, two]
    assert np.ravel([t[:2] for t in turns]) == pytest.approx([1, 7, 8, 12, 13, 19, 20, 24], abs=0.1)
