"""The audio stage as a whole, on voices whose timing, pitch and level are known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from cueflow.schemas.biomarkers import BIOMARKERS, SERIES, of_modality
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.schemas.session import Exclusion
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.marks import marks_of
from cueflow.tasks.audio.signal.recorder import Recorder
from cueflow.tasks.ingest.transcripts import Utterance

RATE = 16_000
TURNS = ((1.0, 3.0), (3.75, 6.75), (8.25, 10.75), (12.0, 16.0))


def analyse(x, model, *, block_s=30.0, **setting):
    size = int(block_s * RATE)
    return analyse_audio(
        (x[i : i + size] for i in range(0, len(x), size)),
        Setting(**setting),
        models=model,
        config=AudioConfig(),
    )


def values(findings, phase="session"):
    return {m.biomarker: m for m in findings.measures if m.window.phase == phase}


@pytest.fixture(scope="module")
def talk(make_speech):
    """40 s: four turns of known length, then room noise at -70 dB."""
    x = np.random.default_rng(9).normal(0, 10 ** (-70 / 20), 40 * RATE).astype(np.float32)
    for k, (start, end) in enumerate(TURNS):
        first = int(start * RATE)
        piece = make_speech(end - start, seed=k)
        x[first : first + len(piece)] += piece
    return x


@pytest.fixture(scope="module")
def found(talk, voice_models):
    return analyse(talk, voice_models, start_s=100.0)


def test_every_declared_measure_is_there_once_and_no_other(found):
    names = [m.biomarker for m in found.measures]
    assert sorted(names) == sorted(b.name for b in of_modality("audio"))
    assert len(names) >= 60
    assert {s.name for s in found.series} == {n for n, s in SERIES.items() if s.modality == "audio"}
    for m in found.measures:
        assert (m.value is None) == (m.status is not Status.OK), m
        assert (
            m.value is None or BIOMARKERS[m.biomarker].plausible[0] <= m.value <= BIOMARKERS[m.biomarker].plausible[1]
        )


def test_turns_and_pauses_where_they_were_put(found):
    turns = [e for e in found.events if e.kind == "turn"]
    pauses = [e for e in found.events if e.kind == "pause"]
    assert [(e.start_s, e.end_s) for e in turns] == [
        (pytest.approx(100 + start, abs=0.12), pytest.approx(100 + end, abs=0.12)) for start, end in TURNS
    ]
    assert [e.end_s - e.start_s for e in pauses] == pytest.approx([0.75, 1.5, 1.25], abs=0.15)
    assert all(e.score > 0.8 for e in turns)
    assert [e.start_s for e in found.events] == sorted(e.start_s for e in found.events)


def test_timing_measures(found):
    v = values(found)
    assert v["speech_time_total"].value == pytest.approx(11.5, abs=0.4)
    assert v["speech_share"].value == pytest.approx(11.5 / 40, abs=0.01)
    assert v["speech_turn_count"].value == 4
    assert v["speech_turn_weighted"].value == pytest.approx((4 + 9 + 6.25 + 16) / 11.5, abs=0.1)
    assert v["speech_pause_mean"].value == pytest.approx(3.5 / 3, abs=0.1)
    assert v["speech_pause_rate"].value == pytest.approx(60 * 3 / 40)
    assert v["speech_syllables_rate"].value == pytest.approx(46 / 40, rel=0.1)
    assert v["speech_articulation_rate"].value == pytest.approx(4.0, rel=0.1)
    assert v["speech_voiced_rate"].value == pytest.approx(4.0, rel=0.15)
    assert v["speech_voiced_share"].value == pytest.approx(0.19 * 4, abs=0.1)


def test_pitch_and_level_measures(found, talk):
    v = values(found)
    assert v["voice_f0_p50"].value == pytest.approx(120.0, rel=0.01)  # falls from 112 to 88 %
    assert v["voice_f0_sd"].value == pytest.approx(120 * 0.24 / math.sqrt(12), rel=0.15)
    assert v["voice_f0_st_p50"].value == pytest.approx(12 * math.log2(120 / 27.5), abs=0.2)
    noise = 10 * math.log10(float(np.mean(talk[20 * RATE :] ** 2)))
    assert v["level_noise_p10"].value == pytest.approx(noise, abs=1.0)
    speech = np.mean(np.concatenate([talk[int(a * RATE) : int(b * RATE)] for a, b in TURNS]) ** 2)
    assert v["level_speech_mean"].value == pytest.approx(10 * math.log10(speech), abs=0.3)
    assert v["level_snr"].value == pytest.approx(10 * math.log10(speech) - noise, abs=0.5)
    assert v["level_clipped_share"].value == 0.0
    assert found.quality == 1.0
    assert (found.status, found.reason, found.coverage) == (Status.OK, None, 1.0)


def test_series_are_seconds_of_the_session_clock(found):
    series = {s.name: s for s in found.series}
    active = series["voice_active"]
    assert active.t_s[0] == 100.0
    assert len(active.t_s) == 40
    assert active.values[[2, 5, 13]] == pytest.approx([1.0, 1.0, 1.0])
    assert active.values[20:].max() == 0.0
    assert np.isnan(series["voice_f0"].values[20:]).all()
    assert series["voice_f0"].values[[2, 5, 13]] == pytest.approx([120] * 3, rel=0.05)
    assert series["voice_level"].values[30] == pytest.approx(-70, abs=0.5)


@pytest.mark.parametrize("block_s", [5.0, 0.1, 100.0])
def test_the_length_of_the_blocks_changes_nothing(talk, voice_models, found, block_s):
    again = analyse(talk, voice_models, block_s=block_s, start_s=100.0)
    assert again.measures == found.measures
    assert again.events == found.events
    for a, b in zip(again.series, found.series, strict=True):
        assert np.array_equal(a.values, b.values, equal_nan=True)


def test_a_quieter_recording_differs_in_level_only(talk, voice_models, found):
    quiet, loud = values(analyse(0.05 * talk, voice_models, start_s=100.0)), values(found)
    for name in ("voice_f0_p50", "voice_jitter_local", "voice_shimmer_local", "voice_hnr", "speech_share"):
        assert quiet[name].value == pytest.approx(loud[name].value, rel=0.03), name
    assert quiet["level_speech_mean"].value == pytest.approx(loud["level_speech_mean"].value - 26.02, abs=0.3)


def test_a_louder_phase_stands_above_the_speakers_own_level(talk, voice_models):
    louder = talk.copy()
    louder[: 7 * RATE] *= 2.0
    phases = (Window(100.0, 107.0, "task"),)
    plain, raised = (analyse(x, voice_models, start_s=100.0, phases=phases) for x in (talk, louder))
    both = [values(result, "task")["level_speech_relative"].value for result in (plain, raised)]
    usual = [float(values(result)["level_speech_relative"].value) for result in (plain, raised)]
    assert usual == [0.0, 0.0]
    assert 3.0 < both[1] - both[0] <= 6.1  # 6 dB, less what it raises the whole recording's median by


def test_phases_are_measured_apart(talk, voice_models):
    phases = (Window(103.5, 107.0, "task"), Window(120.0, 160.0, "rest"), Window(500.0, 600.0, "later"))
    result = analyse(talk, voice_models, start_s=100.0, phases=phases)
    assert {m.window.phase for m in result.measures} == {"session", "task", "rest"}
    task, rest = values(result, "task"), values(result, "rest")
    assert task["speech_share"].value == pytest.approx(3.0 / 3.5, abs=0.04)
    assert task["speech_turn_count"].value == 1
    assert rest["speech_share"].value == 0.0
    assert rest["speech_share"].coverage == pytest.approx(0.5)
    assert rest["voice_f0_mean"].reason is Reason.NO_VOICE


def test_excluded_time_counts_nowhere(talk, voice_models):
    result = analyse(talk, voice_models, start_s=100.0, exclusions=(Exclusion(103.5, 3.5, "phone"),))
    v = values(result)
    assert result.coverage == pytest.approx(36.5 / 40, abs=0.001)
    assert v["speech_share"].value == pytest.approx(8.5 / 36.5, abs=0.012)
    assert v["speech_turn_count"].value == 3
    assert len([e for e in result.events if e.kind == "pause"]) == 1, "no pause reaches over what was left out"
    active = next(s for s in result.series if s.name == "voice_active")
    assert np.isnan(active.values[[4, 5, 6]]).all()


def test_words_in_excluded_time_count_nowhere(talk, voice_models):
    said = (Utterance(2.0, 8.0, "", "one " * 20), Utterance(20.0, 30.0, "", "two " * 100))
    v = values(
        analyse(talk, voice_models, exclusions=(Exclusion(18.0, 15.0, "phone"),), utterances=said, no_words=None)
    )
    assert (v["speech_words_rate"].value, v["speech_words_rate"].n_evidence) == (pytest.approx(200.0), 20)


def test_clipping_marks_what_it_hurts(talk, voice_models):
    clipped = np.clip(25 * talk, -1, 1)
    result = analyse(clipped, voice_models)
    v = values(result)
    assert (result.status, result.reason) == (Status.LOW_QUALITY, Reason.CLIPPED)
    for name in ("level_speech_mean", "voice_shimmer_local", "loudness_mean", "voice_hnr"):
        assert (v[name].status, v[name].reason) == (Status.LOW_QUALITY, Reason.CLIPPED), name
        assert v[name].value is not None
    assert v["voice_f0_p50"].status is Status.OK
    assert v["voice_f0_p50"].value == pytest.approx(120.0, rel=0.02)


def test_noise_marks_the_voices_own_noise(talk, voice_models):
    loud = talk + np.random.default_rng(10).normal(0, 0.02, len(talk)).astype(np.float32)
    v = values(analyse(loud, voice_models))
    assert v["level_snr"].value < 20
    assert v["voice_hnr"].reason is Reason.LOW_SIGNAL
    assert v["loudness_mean"].reason is (Reason.LOW_SIGNAL if v["level_snr"].value < 15 else None)
    assert v["speech_share"].reason is None
    assert v["level_snr"].quality < 0.5


def test_speech_below_what_lies_outside_has_no_ratio(talk, voice_models):
    """A beep louder than the speech, and as long: not some -90 dB, but no value and quality 0."""
    beep = 0.9 * np.sin(2 * np.pi * 1000.0 * np.arange(60 * RATE) / RATE).astype(np.float32)
    result = analyse(np.concatenate([0.3 * talk, beep]), voice_models)
    v = values(result)
    assert (v["level_snr"].value, v["level_snr"].status, v["level_snr"].reason) == (
        None,
        Status.LOW_QUALITY,
        Reason.LOW_SIGNAL,
    )
    assert (v["level_snr"].quality, result.quality) == (0.0, 0.0)
    assert v["voice_hnr"].reason is Reason.LOW_SIGNAL


@pytest.mark.parametrize(("over_db", "marked"), [(20.0, True), (1.3, False)])
def test_hum_stands_out_of_the_silence(over_db, marked):
    """11 dB below the speech either way: what stands out by 1 dB is noise, or speech that was missed."""
    frames = SimpleNamespace(gone=np.zeros(9, np.uint8), clipped=np.zeros(9, np.uint8))
    view = SimpleNamespace(
        tracks=SimpleNamespace(frames=frames),
        speech=np.ones(9, dtype=bool),
        recorder=Recorder(band_hz=8000.0, hum_db=over_db, hum_power=1e-4, offset=0.0),
    )
    marks = marks_of(view, {"level_speech_mean": -29.0, "level_snr": 30.0})
    assert (Reason.HUM in marks) is marked


T = np.arange(10 * RATE) / RATE
EMPTY_ROOMS = {
    "digital silence": np.zeros(10 * RATE),
    "offset": np.full(10 * RATE, 0.4),
    "step": np.where(T < 5, 0.0, 0.5),
    "hum": 0.2 * np.sin(2 * np.pi * 50 * T) + 0.1 * np.sin(2 * np.pi * 150 * T),
    "hiss": np.random.default_rng(11).normal(0, 0.05, 10 * RATE),
}


@pytest.mark.parametrize("room", EMPTY_ROOMS)
def test_no_voice_where_there_is_none(room, voice_models):
    result = analyse(EMPTY_ROOMS[room].astype(np.float32), voice_models)
    v = values(result)
    assert (result.status, result.reason, result.quality) == (Status.TOO_SHORT, Reason.NO_VOICE, None)
    assert result.events == ()
    assert (v["speech_share"].value, v["speech_share"].status, v["speech_share"].coverage) == (0.0, Status.OK, 1.0)
    assert v["speech_turn_count"].value == 0
    for name in ("voice_f0_mean", "voice_jitter_local", "loudness_mean", "speech_pause_mean", "level_speech_mean"):
        assert (v[name].value, v[name].status, v[name].reason) == (None, Status.TOO_SHORT, Reason.NO_VOICE), name


def test_what_was_not_recorded_is_no_silence(talk, voice_models, found):
    """Samples that are no numbers, 5 s of them in the silence behind the last turn and 1 s within a turn."""
    broken = talk.copy()
    broken[20 * RATE : 25 * RATE] = np.nan
    broken[5 * RATE : 6 * RATE] = np.nan
    result = analyse(broken, voice_models, start_s=100.0)
    v, whole = values(result), values(found)
    assert (result.status, result.reason) == (Status.LOW_QUALITY, Reason.SAMPLES_MISSING)
    assert result.coverage == pytest.approx(34 / 40, abs=0.005)
    assert v["speech_share"].coverage == pytest.approx(34 / 40, abs=0.005)
    assert v["level_snr"].value == pytest.approx(whole["level_snr"].value, abs=0.3)
    assert v["level_noise_p10"].value == pytest.approx(whole["level_noise_p10"].value, abs=0.3)
    assert v["speech_time_total"].value == pytest.approx(10.5, abs=0.4)
    assert v["level_hum_ratio"].value == pytest.approx(whole["level_hum_ratio"].value, abs=2.0)
    pauses = [e for e in result.events if e.kind == "pause"]
    assert [e.start_s for e in pauses] == [pytest.approx(at, abs=0.2) for at in (103.0, 106.75, 110.75)]
    level = next(s for s in result.series if s.name == "voice_level").values
    assert np.isnan(level[[5, 20, 24]]).all()
    assert np.isfinite(level[[4, 6, 19, 25]]).all()


def test_where_nothing_could_be_used_nobody_says_that_there_was_no_voice(talk, voice_models):
    left_out = analyse(talk, voice_models, exclusions=(Exclusion(0.0, 50.0, "no consent"),))
    assert (left_out.status, left_out.reason, left_out.coverage) == (Status.TOO_SHORT, Reason.LOW_COVERAGE, 0.0)
    holes = talk.copy()
    holes[::7] = np.nan
    broken = analyse(holes, voice_models)
    assert (broken.status, broken.reason, broken.coverage) == (Status.TOO_SHORT, Reason.SAMPLES_MISSING, 0.0)
    for found in (left_out, broken):
        assert {m.value for m in found.measures} == {None}
        pitch = values(found)["voice_f0_p50"]
        assert (pitch.status, pitch.reason) == (Status.TOO_SHORT, Reason.LOW_COVERAGE)


def test_single_samples_that_are_no_numbers_are_bridged(talk, voice_models, found):
    broken = talk.copy()
    broken[::1000] = np.inf
    result = analyse(broken, voice_models, start_s=100.0)
    v, whole = values(result), values(found)
    assert (result.status, result.reason, result.coverage) == (Status.LOW_QUALITY, Reason.SAMPLES_MISSING, 1.0)
    for name in ("speech_share", "voice_f0_p50", "voice_jitter_local", "voice_hnr", "loudness_mean"):
        assert v[name].value == pytest.approx(whole[name].value, rel=0.1), name
    assert (v["voice_jitter_local"].status, v["voice_jitter_local"].reason) == (result.status, result.reason)
    assert v["voice_f0_p50"].status is Status.OK
    few = talk.copy()
    few[5000] = np.nan
    assert analyse(few, voice_models, start_s=100.0).status is Status.OK


@pytest.mark.parametrize("seconds", [1, 50])
def test_a_recording_without_a_number_is_refused(seconds, voice_models):
    with pytest.raises(StreamError, match="no sample of the recording is a number") as caught:
        analyse(np.full(seconds * RATE, np.nan, dtype=np.float32), voice_models)
    assert caught.value.reason is Reason.NO_AUDIO_SAMPLES


def test_two_seconds_of_voice_are_too_few(make_speech, voice_models):
    x = np.concatenate([np.zeros(RATE), make_speech(2.0), np.zeros(5 * RATE)]).astype(np.float32)
    v = values(analyse(x, voice_models))
    assert (v["voice_jitter_local"].status, v["voice_jitter_local"].reason) == (Status.TOO_SHORT, Reason.FEW_EVIDENCE)
    assert 0.5 < v["voice_jitter_local"].n_evidence < 3
    assert v["speech_share"].value == pytest.approx(2 / 8, abs=0.03)


@pytest.mark.parametrize("blocks", [[], [np.empty(0, dtype=np.float32)], [np.zeros(100, dtype=np.float32)]])
def test_nothing_to_hear(blocks, voice_models):
    with pytest.raises(StreamError, match="less than 10 ms of sound") as caught:
        analyse_audio(blocks, Setting(), models=voice_models, config=AudioConfig())
    assert caught.value.reason is Reason.NO_AUDIO_SAMPLES


def test_progress_is_told_in_seconds(talk, voice_models):
    told = []
    analyse_audio([talk], Setting(start_s=5.0), models=voice_models, config=AudioConfig(), progress=told.append)
    assert told == pytest.approx([20.48, 40.0])


def test_little_is_kept_however_long_the_recording(voice_models):
    """Memory grows by less than 300 bytes a frame; the samples (640 bytes a frame) are let go."""
    import tracemalloc

    noise = np.random.default_rng(12).normal(0, 0.01, 10 * RATE).astype(np.float32)

    def peak(minutes):
        tracemalloc.start()
        analyse_audio(
            (noise for _ in range(6 * minutes)),
            Setting(),
            models=voice_models,
            config=AudioConfig(),
        )
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high

    short, long = peak(1), peak(5)
    assert (long - short) / (4 * 6000) < 300
