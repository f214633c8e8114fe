"""Voice activity frames, turns, pauses and syllables on flags that are known."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.audio.signal.vad import Leveller, VoiceDetector, on_frames, runs, speech_frames
from cueflow.tasks.audio.talk.timing import lengths_s, pairwise_variability, syllable_nuclei, turns_and_pauses

RATE = 16_000


def flags(n, *spans):
    out = np.zeros(n, dtype=bool)
    for first, last in spans:
        out[first:last] = True
    return out


def test_runs_are_half_open_and_reach_the_ends():
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, dtype=bool)) == []


def test_hysteresis_holds_speech_down_to_the_lower_threshold():
    p = np.zeros(300, dtype=np.float32)
    p[50:100], p[100:150], p[200:250] = 0.9, 0.4, 0.4
    assert runs(speech_frames(p, threshold=0.5, delay=0)) == [(50, 150)]
    assert runs(speech_frames(p, threshold=0.5)) == [(47, 147)]


def test_short_speech_is_dropped_and_short_silence_closed():
    p = np.zeros(300, dtype=np.float32)
    p[10:25] = p[50:80] = p[85:120] = 0.9
    assert runs(speech_frames(p, threshold=0.5, delay=0)) == [(50, 120)]


def test_probabilities_land_on_the_frame_they_cover():
    p = on_frames(np.array([0.1, 0.9, 0.2], dtype=np.float32), 10)
    # windows of 512 samples: frames whose middle (80 + 160 i) lies in 0–511, 512–1023, 1024–1535
    assert p.tolist() == pytest.approx([0.1] * 3 + [0.9] * 3 + [0.2] * 4)


def test_leveller_lifts_the_quiet_but_not_an_empty_room():
    rng = np.random.default_rng(0)
    quiet = rng.normal(0, 0.01, RATE).astype(np.float32)
    assert np.quantile(np.abs(Leveller()(quiet)), 0.999) == pytest.approx(0.9, rel=1e-3)
    empty = rng.normal(0, 1e-5, RATE).astype(np.float32)
    assert np.abs(Leveller()(empty)).max() < 0.01
    leveller = Leveller()
    leveller(np.full(RATE, 0.5, dtype=np.float32))
    assert np.abs(leveller(quiet)).max() < 0.2, "what was loud before still counts"


def test_turns_close_over_short_silences():
    nobody = flags(1000)
    speech = flags(1000, (100, 200), (220, 300), (400, 500))
    turns, pauses = turns_and_pauses(speech, np.ones(1000, dtype=bool), others=nobody, pause_min_s=0.25)
    assert turns == ((100, 300), (400, 500))
    assert pauses == ((300, 400),)
    assert lengths_s(pauses) == pytest.approx([1.0])


def test_a_pause_at_its_limit_counts():
    nobody = flags(200)
    everything = np.ones(200, dtype=bool)
    assert turns_and_pauses(flags(200, (0, 50), (75, 120)), everything, others=nobody, pause_min_s=0.25)[1] == (
        (50, 75),
    )
    assert turns_and_pauses(flags(200, (0, 50), (74, 120)), everything, others=nobody, pause_min_s=0.25)[1] == ()


def test_what_is_left_out_is_neither_turn_nor_pause():
    speech = flags(1000, (100, 400), (600, 800))
    used = ~flags(1000, (200, 300), (450, 460))
    turns, pauses = turns_and_pauses(speech, used, others=flags(1000), pause_min_s=0.25)
    assert turns == ((100, 200), (300, 400), (600, 800))
    assert pauses == ()


@pytest.mark.parametrize("rate_hz", [2.0, 4.0, 5.5])
def test_syllables_of_a_modulated_voice(rate_hz):
    t = (np.arange(1000) + 0.5) * 0.01
    power = (1e-4 + (0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * t)) ** 2).astype(np.float32)
    assert len(syllable_nuclei(power, np.ones(1000, dtype=bool))) == pytest.approx(10 * rate_hz, abs=1)


def test_syllables_need_voice_and_a_dip_of_two_decibels():
    t = (np.arange(1000) + 0.5) * 0.01
    shallow = (10 ** (0.04 * np.sin(2 * np.pi * 4 * t))).astype(np.float32)  # .8 dB from dip to peak
    assert len(syllable_nuclei(shallow, np.ones(1000, dtype=bool))) <= 1
    deep = (1e-4 + (0.5 - 0.5 * np.cos(2 * np.pi * 4 * t)) ** 2).astype(np.float32)
    half = flags(1000, (0, 500))
    assert syllable_nuclei(deep, half).max() < 500
    assert len(syllable_nuclei(deep, np.zeros(1000, dtype=bool))) == 0


def test_detector_streams_as_it_hears_the_whole(vad_model, make_speech):
    x = np.concatenate([np.zeros(RATE), make_speech(3.0), np.zeros(RATE + 77)]).astype(np.float32)
    whole = VoiceDetector(vad_model)
    once = np.concatenate([whole.feed(x), whole.finish()])
    for size in (100, 5_000, 30_001):
        parts = VoiceDetector(vad_model)
        found = [parts.feed(x[i : i + size]) for i in range(0, len(x), size)]
        assert np.concatenate([*found, parts.finish()]) == pytest.approx(once, abs=1e-5)
    assert len(once) == -(-len(x) // 512)
    assert once.max() > 0.9
    assert once[: RATE // 512 - 1].max() < 0.2


def test_detector_without_its_network(tmp_path):
    with pytest.raises(ModelError, match="pull the models") as caught:
        VoiceDetector(tmp_path / "silero_vad_16k_sequence.onnx")
    assert caught.value.reason is Reason.MODEL_MISSING


def test_frames_beyond_the_last_window_are_silence():
    assert on_frames(np.empty(0, dtype=np.float32), 5).tolist() == [0.0] * 5


def test_rhythm_of_even_and_of_alternating_syllables():
    even = np.arange(0, 400, 20)
    assert pairwise_variability(even, ((0, 400),)) == 0.0
    uneven = np.cumsum([0, 10, 30, 10, 30, 10])  # every pair differs by 20 around 20
    assert pairwise_variability(uneven, ((0, 400),)) == pytest.approx(100.0)
    # A pair does not reach from one stretch into the next: the first has 10 and 30, the second one interval alone.
    assert pairwise_variability(uneven, ((0, 41), (41, 400))) == pytest.approx(100.0)
    assert np.isnan(pairwise_variability(uneven[:2], ((0, 400),)))
