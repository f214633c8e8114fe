"""Real recordings against other tools: Praat, SPTK, openSMILE, and hand-marked speech.

Values are those of speech_reference/*.csv in the folder of real recordings (its manifest names tools and settings).
"""

from __future__ import annotations

import csv
import math
import runpy
from pathlib import Path

import numpy as np
import pytest

from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.quality.pitch import track_pitch
from cueflow.tasks.audio.signal.held import with_held
from cueflow.tasks.audio.signal.spectrum import spectral_frames
from cueflow.tasks.audio.signal.stream import chunks
from cueflow.tasks.audio.signal.vad import speech_frames
from cueflow.tasks.audio.tracks import measure_tracks

pytestmark = pytest.mark.real
RATE = 16_000


def read(path: Path) -> tuple[np.ndarray, int]:
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return x[:, 0], rate


def at_16k(x, rate):
    from scipy.signal import resample_poly

    common = math.gcd(rate, RATE)
    return x if rate == RATE else resample_poly(x, RATE // common, rate // common).astype(np.float32)


@pytest.fixture(scope="module")
def against_praat(shared_data):
    """Pairs (ours, Praat's) by measure, over segments with at least 50 cycles and 1 s; settings of the reference."""
    folder = Path(__file__).parents[2] / "benchmarks"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        values_of = runpy.run_path(str(folder / "praat_agreement.py"))["values_of"]
    pairs: dict[str, list[tuple[float, float]]] = {}
    with (shared_data / "speech_reference" / "praat.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if float(r["n_periods"]) >= 50]
    for row in rows:
        x, rate = read(shared_data / row["file"])
        ours = values_of(at_16k(x[int(float(row["start_s"]) * rate) : int(float(row["end_s"]) * rate)], rate))
        for name, value in ours.items():
            pairs.setdefault(name, []).append((value, float(row[name])))
    return {name: np.asarray(found) for name, found in pairs.items()}


@pytest.mark.parametrize(
    ("name", "median", "worst_tenth"),
    [  # of the relative deviation from Praat over 32 segments; measured .003, .04, .04, .07, .024, .04, .04, .03
        ("f0_p50_hz", 0.005, 0.015),
        ("jitter_local", 0.06, 0.20),
        ("jitter_rap", 0.07, 0.22),
        ("jitter_ppq5", 0.10, 0.20),
        ("shimmer_local", 0.04, 0.16),
        ("shimmer_db", 0.06, 0.16),
        ("shimmer_apq3", 0.06, 0.14),
        ("shimmer_apq11", 0.05, 0.18),
        ("f1_p50_hz", 0.02, 0.05),
        ("f2_p50_hz", 0.02, 0.05),
        ("f3_p50_hz", 0.03, 0.05),
    ],
)
def test_near_praat(against_praat, name, median, worst_tenth):
    ours, theirs = against_praat[name].T
    away = np.abs(ours / theirs - 1)
    assert np.median(away) < median
    assert np.quantile(away, 0.9) < worst_tenth


@pytest.mark.parametrize("name", ["jitter_local", "jitter_rap", "shimmer_local", "shimmer_db", "cpps_db", "f0_p50_hz"])
def test_ranks_as_praat_does(against_praat, name):
    assert np.corrcoef(against_praat[name].T)[0, 1] > 0.93


def test_voicing_and_noise_near_praat(against_praat):
    voiced = against_praat["voiced_fraction"]
    assert abs(np.median(voiced[:, 0] - voiced[:, 1])) < 0.01
    ours, theirs = against_praat["hnr_mean_db"].T
    assert np.median(np.abs(ours - theirs)) < 0.5
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98
    cepstral = against_praat["cpps_db"]
    assert abs(np.median(cepstral[:, 0] - cepstral[:, 1])) < 0.4


@pytest.mark.parametrize("detector", ["rapt", "swipe"])
def test_pitch_tracks_of_sptk(shared_data, detector):
    folder = shared_data / "speech_pitch_ref"
    x, _ = read(folder / "arctic_a0007.wav")
    period = np.loadtxt(folder / f"arctic_a007_p16_L60_H240_o0_{detector}.txt")
    chunk = next(iter(chunks([x])))
    peak = float(np.abs(chunk.core).max())
    f0 = track_pitch(chunk.samples, n_frames=chunk.n_frames, floor_hz=60.0, ceiling_hz=240.0, peak=peak).f0_hz
    at = np.round((np.arange(len(f0)) + 0.5) * 0.01 / 0.005).astype(int)  # the reference has 5 ms frames
    theirs = np.where(period > 0, RATE / np.maximum(period, 1.0), np.nan)[np.minimum(at, len(period) - 1)]
    both = np.isfinite(f0) & np.isfinite(theirs)
    away = np.abs(f0[both] / theirs[both] - 1)
    assert both.sum() > 150
    assert (away > 0.2).mean() < 0.01
    assert np.median(away) < 0.015
    assert (np.isfinite(f0) == np.isfinite(theirs)).mean() > 0.9


@pytest.mark.parametrize(
    ("column", "ours", "least"),
    [
        ("Loudness_sma3", lambda s: s.loudness, 0.99),
        ("alphaRatio_sma3", lambda s: s.alpha_ratio_db, 0.98),
        ("hammarbergIndex_sma3", lambda s: s.hammarberg_db, 0.97),
        ("mfcc1_sma3", lambda s: s.mfcc[:, 0], 0.99),
        ("mfcc2_sma3", lambda s: s.mfcc[:, 1], 0.98),
        ("mfcc4_sma3", lambda s: s.mfcc[:, 3], 0.98),
    ],
)
def test_spectral_tracks_of_opensmile(shared_data, column, ours, least):
    with (shared_data / "speech_reference" / "egemaps_v02_lld.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["file"] == "speech_diar/dev00.wav"]
    theirs = np.array([float(r[column]) for r in rows])
    x, _ = read(shared_data / "speech_diar" / "dev00.wav")
    chunk = next(iter(chunks([x[: 5 * RATE]])))
    track = ours(spectral_frames(chunk.samples, n_frames=chunk.n_frames))
    smooth = np.convolve(track, np.ones(3) / 3, "same")
    # openSMILE's frames begin at 0, 10, … ms and last 20 ms: ours, centred at 5, 15, …, fall half a step beside
    beside = np.interp((np.arange(len(theirs)) + 1.0) * 0.01, (np.arange(len(smooth)) + 0.5) * 0.01, smooth)
    assert np.corrcoef(beside, theirs)[0, 1] > least
    assert beside.mean() == pytest.approx(theirs.mean(), rel=0.06, abs=0.5 if column != "Loudness_sma3" else 0)


def marked_speech(path: Path, name: str, n: int) -> np.ndarray:
    out = np.zeros(n, dtype=bool)
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if path.suffix == ".rttm" and parts[1] == name:
            start, end = float(parts[3]), float(parts[3]) + float(parts[4])
        elif path.suffix == ".segments" and len(parts) == 3 and parts[2] == "speech":
            start, end = float(parts[0]), float(parts[1])
        else:
            continue
        out[round(start * 100) : round(end * 100)] = True
    return out


@pytest.mark.parametrize(
    ("name", "marks", "least"),
    # measured .994, .94 (of digits said one by one, marked by hand), .82 (far microphone; its marks span the pauses)
    [("sample", "sample.rttm", 0.98), ("count", "count.segments", 0.92), ("dev00", "debug.development.rttm", 0.80)],
)
def test_speech_where_it_was_marked(shared_data, voice_models, name, marks, least):
    x, _ = read(shared_data / "speech_diar" / f"{name}.wav")
    config = AudioConfig(pause_min_s=0.1)
    result = analyse_audio([x], Setting(), models=voice_models, config=config)
    n = len(x) // 160
    truth = marked_speech(shared_data / "speech_diar" / marks, name, n)
    ours = np.zeros(n, dtype=bool)
    for turn in (e for e in result.events if e.kind == "turn"):
        ours[round(turn.start_s * 100) : round(turn.end_s * 100)] = True
    assert 2 * (ours & truth).sum() / (ours.sum() + truth.sum()) > least


@pytest.mark.parametrize(
    ("name", "syllables"),
    [  # counted in the transcripts
        ("speech_asr/librivox_0870.wav", 30),
        ("speech_asr/librivox_0890.wav", 20),
    ],
)
def test_syllables_of_read_sentences(shared_data, voice_models, name, syllables):
    x, _ = read(shared_data / name)
    result = analyse_audio([x], Setting(), models=voice_models, config=AudioConfig())
    found = next(m for m in result.measures if m.biomarker == "speech_syllables_rate").value
    assert found * len(x) / RATE == pytest.approx(syllables, rel=0.12)


def test_a_broken_channel_has_no_voice(shared_data, voice_models):
    x, _ = read(shared_data / "speech_robust" / "empty.wav")
    result = analyse_audio([x], Setting(), models=voice_models, config=AudioConfig())
    values = {m.biomarker: m for m in result.measures}
    assert (result.status, result.reason) == (Status.TOO_SHORT, Reason.NO_VOICE)
    assert values["speech_share"].value == 0.0
    assert values["level_clipped_share"].value > 0.4
    assert values["level_clipped_share"].reason is Reason.IMPLAUSIBLE


def _held(vowel, seconds):
    """The steady middle of a vowel said again and again: each piece laid on where it fits the one before best."""
    middle, over = vowel[len(vowel) // 4 : len(vowel) * 4 // 5], 160
    fade, out = np.linspace(0, 1, over), middle
    while len(out) < seconds * RATE:
        places = np.lib.stride_tricks.sliding_window_view(middle[: 400 + over], over)
        at = int(np.argmax(places @ out[-over:] / np.linalg.norm(places, axis=1)))
        out = np.concatenate([out[:-over], out[-over:] * (1 - fade) + places[at] * fade, middle[at + over :]])
    return 0.4 * out / np.abs(out).max()


@pytest.mark.parametrize("vowel", "aeiou")
def test_real_vowels_that_are_held_have_voice_quality(shared_data, voice_models, vowel):
    held = _held(at_16k(*read(shared_data / "speech_vowels" / f"female_mono_{vowel}.wav")), 5.0)
    pause = np.zeros(RATE)
    x = np.concatenate([pause, held, pause, held, pause])
    x += np.random.default_rng(0).normal(0, 2e-4, len(x))
    found = analyse_audio([x.astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
    v = {m.biomarker: m for m in found.measures if not m.speaker}
    assert v["speech_time_total"].value == pytest.approx(2 * len(held) / RATE, abs=0.4)
    assert v["voice_f0_p50"].value == pytest.approx(220, abs=30)
    names = ("voice_f0_p50", "voice_jitter_local", "voice_shimmer_local", "voice_hnr", "voice_cpps")
    assert [(v[n].status, v[n].reason) for n in names] == [(Status.OK, None)] * 5


def test_the_real_vowels_of_one_person_are_one_persons(shared_data, voice_models):
    """a, e, i, o and u are less alike than two people's talk; without a silence around them they are heard too."""
    files = [shared_data / "speech_vowels" / f"female_mono_{vowel}.wav" for vowel in "aeiou"]
    parts = [_held(at_16k(*read(path)), 5.0) for path in files]
    pause = np.zeros(round(0.7 * RATE))
    for x in (np.concatenate([np.concatenate([part, pause]) for part in parts]), np.concatenate(parts)):
        found = analyse_audio([x.astype(np.float32)], Setting(), models=voice_models, config=AudioConfig())
        v = {m.biomarker: m.value for m in found.measures if not m.speaker}
        assert v["speech_time_total"] == pytest.approx(sum(map(len, parts)) / RATE, abs=0.5)
        assert v["speech_speaker_count"] == 1
        assert (found.status, found.reason) == (Status.OK, None)


@pytest.mark.parametrize("folder", ["speech_asr", "speech_diar", "speech_pitch_ref"])
def test_in_talk_no_tone_is_held(shared_data, voice_models, folder):
    """What follows vowels must not lengthen the turns of people who talk, nor make voice of a room."""
    looked = 0
    for path in sorted((shared_data / folder).glob("*.wav")):
        tracks = measure_tracks([at_16k(*read(path))], models=voice_models, f0_floor_hz=60.0, f0_ceiling_hz=500.0)
        speech = speech_frames(tracks.probability, threshold=0.5)
        held = with_held(speech, tracks.voicing)
        assert np.array_equal(held.speech, speech), path.name
        assert not held.tones.any(), path.name
        looked += int(speech.any())
    assert looked
