"""Held tones: sustained vowels count as voice, hum and music do not."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Status
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.signal.held import with_held

RATE = 16_000
N = 1500  # frames
RICH = np.full(N, 2.0, dtype=np.float32)  # the second harmonic is nearly as strong as the first


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
        ([(100, 700, 200.0)], [], []),  # nothing of it was heard as speech
        ([(100, 150, 200.0)], [(100, 140)], [(100, 140)]),  # a last syllable
        ([(100, 400, 200.0), (400, 900, 420.0)], [(100, 140)], [(100, 400)]),  # the pitch leaps: another sound
        ([(100, 200, 200.0), (200, 700, 200.0, -40.0)], [(100, 200)], [(100, 200)]),  # the room's answer
        ([(100, 400, 200.0), (404, 700, 200.0)], [(100, 140)], [(100, 700)]),  # voicing comes back at once
        ([(100, 400, 200.0), (420, 700, 200.0)], [(100, 140)], [(100, 400), (420, 700)]),  # a second vowel
        ([(100, 400, 200.0), (600, 900, 330.0)], [(100, 140)], [(100, 400)]),  # far from the first one's pitch
        ([(100, 400, 200.0), (600, 900, 200.0, -40.0)], [(100, 140)], [(100, 400)]),  # far softer
        ([(100, 400, 200.0), (600, 640, 200.0)], [(100, 140)], [(100, 400)]),  # too short to be told
    ],
)
def test_what_is_held(parts, heard, expected):
    assert np.array_equal(with_held(flags(*heard), *track(*parts), RICH), flags(*expected))


@pytest.mark.parametrize("hertz", [60.0, 100.0, 120.2, 150.0])
def test_hum_behind_speech_is_not_held(hertz):
    f0, power = track((100, 200, hertz), (200, N, hertz))
    f0[200:] = hertz  # it never moves
    speech = flags((100, 200))
    assert np.array_equal(with_held(speech, f0, power, RICH), speech)


def test_a_tone_without_a_second_harmonic_is_not_held():
    speech = flags((100, 140))
    sine = np.full(N, 70.0, dtype=np.float32)
    assert np.array_equal(with_held(speech, *track((100, 700, 200.0), (800, 1200, 200.0)), sine), speech)


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
