"""What a recorder leaves out or adds: telephone band, hum, offset, and what may then be computed."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.biomarkers import of_modality
from cueflow.schemas.biomarkers.voice_bands import needs_hz
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.signal.recorder import RecorderMeter

RATE = 16_000


def metered(x, speech=None, lost=None, tones=None):
    meter = RecorderMeter()
    meter.feed((x - x.mean()).astype(np.float32), x.astype(np.float32))
    n = len(x) // 160
    return meter.result(
        np.ones(n, dtype=bool) if speech is None else speech, np.zeros(n, dtype=bool) if lost is None else lost, tones
    )


def low_passed(x, edge_hz):
    from scipy.signal import butter, sosfiltfilt

    return sosfiltfilt(butter(8, edge_hz, fs=RATE, output="sos"), x)


@pytest.mark.parametrize("edge_hz", [2000, 3000, 3400, 4000])
def test_the_band_ends_where_it_was_cut(make_speech, edge_hz):
    x = low_passed(make_speech(8.0), edge_hz)
    assert metered(x).band_hz == pytest.approx(edge_hz, abs=600)


def test_what_was_not_cut_has_the_whole_band(make_speech):
    quiet = make_speech(8.0) + np.random.default_rng(0).normal(0, 1e-5, 8 * RATE)
    assert metered(quiet).band_hz == 8000.0


def test_behind_a_held_vowels_last_formant_the_band_does_not_end():
    """A vowel of four formants in a room falls by 26 dB from 3.5 to 4 kHz; a cut falls more steeply."""
    from scipy.signal import butter, lfilter, sosfiltfilt

    t = np.arange(5 * RATE) / RATE
    x = np.diff(np.floor(np.cumsum(150.0 * (1.0 + 0.01 * np.sin(4.4 * t))) / RATE), prepend=0.0)
    for hertz, width in ((300, 80), (2300, 90), (3000, 120), (3600, 150)):
        r = np.exp(-np.pi * width / RATE)
        x = lfilter([1.0], [1.0, -2.0 * r * np.cos(2.0 * np.pi * hertz / RATE), r * r], x)
    x = lfilter([1.0], [1.0, -0.95], x)
    x = 0.3 * x / np.abs(x).max() + np.random.default_rng(0).normal(0, 1e-4, len(x))
    held = np.ones(len(x) // 160, dtype=bool)
    assert metered(x).band_hz == 3750.0, "speech of people who talk would not fall like this"
    assert metered(x, tones=held).band_hz == 8000.0
    cut = sosfiltfilt(butter(24, 3400.0, fs=RATE, output="sos"), x)
    assert metered(cut, tones=held).band_hz == pytest.approx(3400.0, abs=400)


@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_hum_is_found_in_silence(mains):
    t = np.arange(20 * RATE) / RATE
    noise = np.random.default_rng(1).normal(0, 1e-3, len(t))
    hum = sum(0.01 / k * np.sin(2 * np.pi * mains * k * t + k) for k in range(1, 7))
    silent = np.zeros(len(t) // 160, dtype=bool)
    found = metered(noise + hum, silent)
    assert found.hum_db > 20
    assert found.hum_power == pytest.approx(float(np.mean(hum**2)), rel=0.15)
    assert abs(metered(noise, silent).hum_db) < 3
    assert np.isnan(found.band_hz), "without speech nobody knows the band"


def test_what_was_not_recorded_is_no_silence():
    t = np.arange(20 * RATE) / RATE
    x = np.random.default_rng(1).normal(0, 1e-3, len(t)) + 0.01 * np.sin(2 * np.pi * 50 * t)
    x[: 10 * RATE] = 0.0
    silent = np.zeros(len(t) // 160, dtype=bool)
    lost = np.arange(len(silent)) < 1000
    assert metered(x, silent, lost).hum_power == pytest.approx(5e-5, rel=0.1)
    assert metered(x, silent).hum_power == pytest.approx(2.5e-5, rel=0.1)


@pytest.fixture(scope="module")
def room(make_speech):
    x = np.random.default_rng(3).normal(0, 3e-5, 14 * RATE)
    x[2 * RATE : 10 * RATE] += make_speech(8.0)
    return x


def values(x, models):
    found = analyse_audio([x.astype(np.float32)], Setting(), models=models, config=AudioConfig())
    return found, {m.biomarker: m for m in found.measures}


def test_a_telephone_has_no_measure_above_its_band(room, voice_models):
    _, v = values(low_passed(room, 3400), voice_models)
    assert v["level_band_max"].value == pytest.approx(3400, abs=600)
    beyond = [b.name for b in of_modality("audio") if needs_hz(b.name)]
    assert len(beyond) > 30
    for name in beyond:
        assert (v[name].value, v[name].status, v[name].reason) == (None, Status.LOW_QUALITY, Reason.BAND_LIMITED), name
    assert v["voice_f0_p50"].status is Status.OK
    assert v["voice_f0_p50"].value == pytest.approx(120, rel=0.02)


def test_loud_hum_marks_the_voices_own_noise_and_pitch(room, voice_models):
    t = np.arange(len(room)) / RATE
    _, v = values(room + 0.03 * np.sin(2 * np.pi * 50 * t), voice_models)
    assert v["level_hum_ratio"].value > 20
    for name in ("voice_jitter_local", "voice_f0_p50", "voice_f0_st_mean", "egemaps_f0_mean", "voice_formant_f1_p50"):
        assert (v[name].status, v[name].reason) == (Status.LOW_QUALITY, Reason.HUM), name
    assert v["speech_share"].reason is None


def test_samples_far_off_zero_are_told(room, voice_models):
    found, v = values(0.5 * room + 0.3, voice_models)
    assert (found.status, found.reason) == (Status.LOW_QUALITY, Reason.OFFSET)
    assert v["level_offset_mean"].value == pytest.approx(0.3, abs=0.01)
    assert v["level_offset_mean"].reason is Reason.IMPLAUSIBLE
    assert v["voice_shimmer_local"].reason is Reason.OFFSET
    assert v["voice_f0_p50"].value == pytest.approx(120, rel=0.02)
