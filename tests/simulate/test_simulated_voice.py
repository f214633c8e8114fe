"""The voice says what truth says: pitch, perturbation, pauses; librosa is the other tool."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cueflow.tasks.simulate import Effects, simulate
from cueflow.tasks.simulate.talk import Span, Syllable, draw_talk, mouth_opening
from cueflow.tasks.simulate.voice import LEVEL, Voice, background, draw_cycles, pitch_statistics, speak

RATE = 16_000


def say(voice: Voice, seconds: float = 4.0) -> tuple[np.ndarray, dict[str, float]]:
    phrase = Span("patient", 0.5, 0.5 + seconds)
    edges = np.linspace(0.5, 0.5 + seconds, int(4 * seconds) + 1)
    syllables = [Syllable(a, b, k % 5, False, 1.0) for k, (a, b) in enumerate(itertools.pairwise(edges))]
    cycles = draw_cycles(np.random.default_rng(0), [phrase], voice)
    sound = np.zeros(int((seconds + 1.0) * RATE), np.float32)
    speak(np.random.default_rng(1), [phrase], syllables, cycles, formant_scale=1.0, rate=RATE, into=sound)
    return sound, pitch_statistics(cycles)


def test_jitter_and_shimmer_are_those_asked_for():
    for jitter, shimmer in ((0.0, 0.0), (0.5, 3.0), (2.0, 8.0)):
        cycles = draw_cycles(
            np.random.default_rng(0), [Span("patient", 0.0, 60.0)], Voice(150.0, 0.0, jitter, shimmer, 1.0, 0.0)
        )
        found = pitch_statistics(cycles)
        assert found["jitter"] == pytest.approx(jitter, rel=0.03, abs=1e-9)
        assert found["shimmer"] == pytest.approx(shimmer, rel=0.03, abs=1e-9)
        assert found["f0_mean"] == pytest.approx(150.0, rel=0.002)


def test_a_steady_voice_has_its_period():
    sound, _ = say(Voice(125.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    middle = sound[RATE : RATE + 4096].astype(np.float64)
    correlation = np.correlate(middle, middle, "full")[4095:]
    assert 60 + np.argmax(correlation[60:200]) == pytest.approx(RATE / 125.0, abs=1)


def test_speech_has_the_stated_level_and_silence_is_silent():
    sound, _ = say(Voice(125.0, 2.0, 1.0, 4.0, 1.0, 0.0))
    assert np.sqrt(np.mean(sound[RATE // 2 : -RATE // 2] ** 2)) == pytest.approx(LEVEL, rel=0.02)
    assert not sound[: RATE // 2 - 1].any()


def test_noise_has_the_stated_level_and_falls_by_3_db_per_octave():
    noise = np.zeros(RATE * 40, np.float32)
    background(np.random.default_rng(0), noise, 0.01)
    assert noise.std() == pytest.approx(0.01, rel=0.03)
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1.0 / RATE)
    bands = [10.0 * np.log10(power[(hz >= f) & (hz < 1.2 * f)].mean()) for f in (250.0, 500.0, 1000.0, 2000.0)]
    assert np.diff(bands) == pytest.approx([-3.0] * 3, abs=0.8)


def test_a_conversation_has_its_shares_and_nobody_interrupts():
    talk = draw_talk(np.random.default_rng(0), (10.0, 610.0), speaking_share=0.6, pause_share=0.25)
    turns = sorted(talk.turns, key=lambda turn: turn.onset_s)
    assert all(a.end_s < b.onset_s for a, b in itertools.pairwise(turns))
    spoken = talk.seconds("patient", phrases=False)
    assert spoken / 600.0 == pytest.approx(0.6, abs=1e-6)
    pauses = talk.pauses("patient")
    assert sum(b - a for a, b in pauses) / spoken == pytest.approx(0.25, abs=0.01)
    assert min(b - a for a, b in pauses) > 0.29
    rate = len(talk.syllables["patient"]) / talk.seconds("patient", phrases=True)
    assert rate == pytest.approx(4.2, rel=0.05)


def test_the_mouth_is_shut_in_pauses():
    talk = draw_talk(np.random.default_rng(0), (1.0, 60.0), speaking_share=0.6, pause_share=0.25)
    times = np.arange(0.0, 61.0, 0.04)
    opening = mouth_opening(talk, "patient", times)
    spoken = np.zeros(len(times), dtype=bool)
    for phrase in talk.phrases:
        if phrase.speaker == "patient":
            spoken |= (times >= phrase.onset_s) & (times < phrase.end_s)
    assert opening[~spoken].max() == pytest.approx(0.0, abs=1e-9)
    assert opening[spoken].mean() > 0.2


def test_librosa_hears_the_pitch_of_truth(tmp_path):
    import soundfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns about other packages' deprecations
        import librosa
    effects = replace(Effects.plain(), modalities=("audio",))
    simulate(tmp_path / "c", sessions=1, minutes=0.4, seed=1, effects=effects)
    truth = pl.read_parquet(tmp_path / "c" / "truth.parquet")
    sound, rate = soundfile.read(tmp_path / "c" / "s001" / "patient.wav")
    f0 = librosa.yin(sound, fmin=70, fmax=400, sr=rate, frame_length=1024, hop_length=512)
    times = np.arange(len(f0)) * 512 / rate
    spoken = np.zeros(len(f0), dtype=bool)
    for onset, length in truth.filter(kind="speech", name="patient").select("onset_s", "duration_s").rows():
        spoken |= (times > onset + 0.1) & (times < onset + length - 0.1)
    value = dict(truth.filter(kind="parameter").select("name", "value").rows())
    assert np.median(f0[spoken]) == pytest.approx(value["f0_mean"], rel=0.04)


def test_speech_stands_out_of_the_noise_where_truth_says(tmp_path):
    import soundfile

    effects = replace(Effects.plain(), modalities=("audio",), noise_db=-30.0)
    simulate(tmp_path / "c", sessions=1, minutes=0.5, seed=2, effects=effects)
    truth = pl.read_parquet(tmp_path / "c" / "truth.parquet")
    sound, rate = soundfile.read(tmp_path / "c" / "s001" / "patient.wav")
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    loud = 10.0 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    times = (np.arange(len(frames)) + 0.5) * 160 / rate
    spoken = np.zeros(len(frames), dtype=bool)
    for onset, length in truth.filter(kind="speech", name="patient").select("onset_s", "duration_s").rows():
        spoken |= (times > onset) & (times < onset + length)
    assert np.median(loud[spoken]) - np.median(loud[~spoken]) > 25.0
    assert np.mean((loud > -40.0) == spoken) > 0.9
