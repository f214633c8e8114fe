"""Pitch, harmonics-to-noise ratio, cepstral peak, formants against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cueflow.tasks.audio.quality.cepstrum import peak_prominence
from cueflow.tasks.audio.quality.formants import burg, formant_tracks, resonances
from cueflow.tasks.audio.quality.glottal import first_harmonics, glottal_to_noise
from cueflow.tasks.audio.quality.harmonicity import harmonicity
from cueflow.tasks.audio.quality.pitch import PathCosts, best_path, speaker_range, track_pitch
from cueflow.tasks.audio.signal.stream import CONTEXT, chunks

RATE = 16_000


def chunk_of(x):
    return next(iter(chunks([np.asarray(x, dtype=np.float32)])))


def harmonics(phase, count=12):
    return sum(np.sin(k * phase) / k for k in range(1, count + 1))


def pitch_of(x, floor_hz=60.0, ceiling_hz=500.0):
    chunk = chunk_of(x)
    peak = float(np.abs(chunk.core).max())
    return track_pitch(chunk.samples, n_frames=chunk.n_frames, floor_hz=floor_hz, ceiling_hz=ceiling_hz, peak=peak)


@pytest.mark.parametrize("hertz", [75.0, 98.3, 120.0, 223.7, 341.0, 450.0])
def test_pitch_of_a_steady_tone(hertz):
    t = np.arange(RATE) / RATE
    track = pitch_of(0.1 * harmonics(2 * np.pi * hertz * t))
    assert np.median(track.f0_hz[5:-5]) == pytest.approx(hertz, rel=0.002)
    assert np.isfinite(track.f0_hz[5:-5]).all()
    assert track.strength[5:-5].min() > 0.97


def test_pitch_follows_a_glide():
    t = np.arange(2 * RATE) / RATE
    hertz = 100.0 * 2 ** (t / 2.0)
    track = pitch_of(0.1 * harmonics(2 * np.pi * np.cumsum(hertz) / RATE))
    middles = (np.arange(200) + 0.5) * 0.01
    assert track.f0_hz[10:-10] == pytest.approx(100.0 * 2 ** (middles[10:-10] / 2.0), rel=0.01)


def test_pitch_without_its_fundamental():
    t = np.arange(RATE) / RATE
    x = sum(np.sin(2 * np.pi * 150 * k * t) for k in (3, 4, 5, 6))
    assert np.nanmedian(pitch_of(0.1 * x).f0_hz) == pytest.approx(150.0, rel=0.003)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    assert np.isfinite(pitch_of(noise).f0_hz).mean() < 0.06
    silence = pitch_of(np.zeros(RATE))
    assert not np.isfinite(silence.f0_hz).any()
    assert not silence.strength.any()


def test_quiet_tone_beside_a_loud_one_is_silence():
    t = np.arange(RATE) / RATE
    x = harmonics(2 * np.pi * 150 * t) * np.where(t < 0.5, 0.2, 0.0005)
    voiced = np.isfinite(pitch_of(x).f0_hz)
    assert voiced[5:45].all()
    assert not voiced[56:].any()


def test_the_path_is_the_best_of_all_paths():
    rng = np.random.default_rng(3)
    costs = PathCosts()
    for _ in range(20):
        f0 = rng.uniform(80, 400, (5, 3)).astype(np.float32)
        score = rng.uniform(0, 1, (5, 3)).astype(np.float32)
        unvoiced = rng.uniform(0, 1, 5).astype(np.float32)

        def worth(path, f0=f0, score=score, unvoiced=unvoiced):
            total = sum(unvoiced[i] if c < 0 else score[i, c] for i, c in enumerate(path))
            for i, (a, b) in enumerate(itertools.pairwise(path)):
                if (a < 0) != (b < 0):
                    total -= costs.switch
                elif a >= 0:
                    total -= costs.jump * abs(np.log2(f0[i, a] / f0[i + 1, b]))
            return total

        best = max(worth(p) for p in itertools.product((-1, 0, 1, 2), repeat=5))
        assert worth(best_path(f0, score, unvoiced, costs=costs).tolist()) == pytest.approx(best, abs=1e-5)


def test_speaker_range_keeps_two_voices_and_drops_hisses():
    voices = np.array([110.0] * 30 + [210.0] * 70, dtype=np.float32)
    low, high = speaker_range(voices)
    assert low < 110.0 < 210.0 < high
    assert speaker_range(np.array([100.0] * 99 + [440.0], dtype=np.float32))[1] < 440.0
    assert np.isnan(speaker_range(np.empty(0, dtype=np.float32))).all()


@pytest.mark.parametrize("ratio_db", [5.0, 10.0, 20.0, 30.0])
def test_harmonicity_is_the_ratio_that_was_mixed(ratio_db):
    t = np.arange(4 * RATE) / RATE
    tone = harmonics(2 * np.pi * 160 * t)
    noise = np.random.default_rng(4).standard_normal(len(t))
    noise *= np.sqrt(np.mean(tone**2) / np.mean(noise**2)) * 10 ** (-ratio_db / 20)
    chunk = chunk_of(0.05 * (tone + noise))
    found = harmonicity(chunk.samples, np.ones(chunk.n_frames, dtype=bool), floor_hz=75.0)[5:-5]
    assert float(np.median(found)) == pytest.approx(ratio_db, abs=1.0)


def test_harmonicity_of_unvoiced_frames_is_missing():
    chunk = chunk_of(np.zeros(RATE))
    assert np.isnan(harmonicity(chunk.samples, np.zeros(100, dtype=bool), floor_hz=60.0)).all()


def test_excitation_tells_pulses_from_turbulence():
    from scipy.signal import lfilter

    pulses = np.zeros(2 * RATE)
    pulses[:: RATE // 125] = 1.0
    tract = np.poly(
        [r for f in (700, 1200, 2600, 3500) for r in np.exp(-0.02 + 2j * np.pi * f / RATE * np.array([1, -1]))]
    )
    voice, breath = (
        lfilter([1.0], tract.real, x) for x in (pulses, np.random.default_rng(5).standard_normal(2 * RATE))
    )
    found = []
    for share in (0.0, 0.3, 0.6, 1.0):
        chunk = chunk_of(0.05 * ((1 - share) * voice / voice.std() + share * breath / breath.std()))
        gne = glottal_to_noise(chunk.samples, np.ones(chunk.n_frames, dtype=bool))
        assert np.isnan(gne[1::2]).all()
        found.append(np.nanmean(gne[10:-10]))
    assert found[0] > 0.98
    assert found[-1] < 0.6
    assert np.all(np.diff(found) < 0)


def test_first_harmonic_over_the_second():
    t = np.arange(RATE) / RATE
    chunk = chunk_of(
        0.1 * np.sin(2 * np.pi * 150 * t) + 0.05 * np.sin(2 * np.pi * 300 * t + 1) + 0.08 * np.sin(2 * np.pi * 450 * t)
    )
    f0 = np.full(chunk.n_frames, 151.0, dtype=np.float32)
    f0[:10] = np.nan
    found = first_harmonics(chunk.samples, f0)
    assert np.isnan(found[:10]).all()
    assert np.median(found[10:-5]) == pytest.approx(20 * np.log10(2), abs=0.15)


def test_cepstral_peak_falls_with_breathiness():
    t = np.arange(RATE) / RATE
    tone = harmonics(2 * np.pi * 130 * t, count=30)
    noise = np.random.default_rng(5).standard_normal(len(t))
    found = []
    for share in (0.01, 0.3, 1.0, 10.0):
        chunk = chunk_of(0.05 * (tone + share * noise))
        found.append(float(np.median(peak_prominence(chunk.samples, np.ones(100, dtype=bool))[1])))
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 10.0


def test_cepstral_peak_is_the_one_of_the_definition():
    """Hillenbrand's, written down plainly for one frame: the smoothed one is lower, for its peak is levelled."""
    t = np.arange(RATE) / RATE
    x = 0.05 * harmonics(2 * np.pi * 130 * t, count=30) + np.random.default_rng(6).normal(0, 0.01, RATE)
    chunk = chunk_of(x)
    plain, smooth = peak_prominence(chunk.samples, np.ones(100, dtype=bool))
    emphasised = np.append(chunk.samples[:1], chunk.samples[1:] - np.exp(-2 * np.pi * 50 / RATE) * chunk.samples[:-1])
    middle = CONTEXT + 50 * 160 + 80
    n = np.arange(1600)
    frame = emphasised[middle - 800 : middle + 800] * np.exp(-12 * ((n - 799.5) / 1600) ** 2)
    log = 20 * np.log10(np.abs(np.fft.rfft(frame, 2048))[:641] + 1e-10)
    cepstrum = 20 * np.log10(np.abs(np.fft.irfft(log, 1280))[:501])
    quefrency = np.arange(501) / 10_000
    line = quefrency >= 0.001
    slope, level = np.polyfit(quefrency[line], cepstrum[line], 1)
    near = (quefrency >= 1 / 330) & (quefrency <= 1 / 60)
    at = np.flatnonzero(near)[cepstrum[near].argmax()]
    assert quefrency[at] == pytest.approx(1 / 130, abs=1e-4)
    assert plain[50] == pytest.approx(cepstrum[at] - (level + slope * quefrency[at]), abs=0.05)
    assert np.median(smooth) < np.median(plain)


def test_cepstral_peak_does_not_depend_on_the_gain():
    t = np.arange(RATE) / RATE
    x = 0.05 * harmonics(2 * np.pi * 130 * t, count=30) + np.random.default_rng(6).normal(0, 0.01, RATE)
    voiced = np.ones(100, dtype=bool)
    a, b = (peak_prominence(chunk_of(g * x).samples, voiced)[1] for g in (1.0, 0.1))
    assert a == pytest.approx(b, abs=0.01)


def test_burg_finds_the_filter_that_made_the_noise():
    from scipy.signal import lfilter

    poles = [0.97 * np.exp(2j * np.pi * f / 11_000) for f in (600.0, 1500.0)]
    filt = np.real(np.poly([*poles, *np.conj(poles)]))
    x = lfilter([1.0], filt, np.random.default_rng(7).standard_normal(20_000))
    found = burg(x[None, :], 4)
    assert found[0] == pytest.approx(filt, abs=0.02)
    assert resonances(found, 11_000.0)[0, :2] == pytest.approx([600.0, 1500.0], rel=0.01)


@pytest.mark.parametrize("formants", [(730, 1090, 2440), (300, 2290, 3010), (530, 1840, 2480)])
def test_formants_of_a_whispered_vowel(formants):
    from scipy.signal import lfilter

    x = np.random.default_rng(8).standard_normal(2 * RATE)
    x = lfilter([1.0], [1.0, -0.97], x)
    for hertz in (*formants, 3500, 4500):
        r = np.exp(-np.pi * 80 / RATE)
        x = lfilter([1.0], [1.0, -2 * r * np.cos(2 * np.pi * hertz / RATE), r * r], x)
    chunk = chunk_of(0.1 * x / np.abs(x).max())
    found = np.nanmedian(formant_tracks(chunk.samples, np.ones(chunk.n_frames, dtype=bool)), axis=0)
    assert found == pytest.approx((*formants, 3500), rel=0.05)
