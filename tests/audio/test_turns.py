"""Turn taking of made-up and of hand-marked dialogues."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.tasks.audio.dialogue import BESIDE, LATENCY, OVER, Voice, talk_events, talk_measures
from cueflow.tasks.audio.talk.turns import TurnRules, exchanges, joined, moments, overlap_s, turn_taking

OTHER = [(0.0, 4.0), (10.0, 14.0), (20.0, 24.0)]
OWN = [(4.5, 9.0), (13.5, 19.0), (25.0, 30.0)]  # .5 s after, .5 s before, 1 s after the other's end


def test_latencies_are_known():
    found = turn_taking(OWN, OTHER, observed_s=30.0)
    assert found.n_latencies == 3
    assert found.latency_mean_s == pytest.approx(1.0 / 3)
    assert found.latency_p50_s == pytest.approx(0.5)
    assert found.latency_weighted_s == pytest.approx((0.5 * 4.5 - 0.5 * 5.5 + 1.0 * 5.0) / 15.0)


@pytest.mark.parametrize(
    ("unheard", "left"),
    [
        ([(24.2, 24.4)], [0.5, -0.5]),  # in the silence before the last answer
        ([(24.02, 24.5)], [0.5, -0.5]),  # the other may have talked on
        ([(24.5, 25.0)], [0.5, -0.5]),  # self may have begun before
        ([(13.7, 13.8)], [0.5, 1.0]),  # while both speak
        ([(2.0, 3.0), (6.0, 7.0)], [0.5, -0.5, 1.0]),  # within turns
    ],
)
def test_no_answer_reaches_over_what_was_not_heard(unheard, left):
    found = turn_taking(OWN, OTHER, observed_s=30.0, unheard=unheard)
    assert found.n_latencies == len(left)
    assert found.latency_mean_s == pytest.approx(np.mean(left))
    assert exchanges(OWN, OTHER, unheard=unheard)[:, 2] - exchanges(OWN, OTHER, unheard=unheard)[:, 1] == pytest.approx(
        left
    )
    assert sum(kind == "answer" for kind, *_ in moments(OWN, OTHER, unheard=unheard)) == len(left)


def test_overlap_and_floor_are_known():
    found = turn_taking(OWN, OTHER, observed_s=30.0)
    assert found.overlap_share == pytest.approx(0.5 / 30)
    assert found.floor_share == pytest.approx(15.0 / 27.0)
    assert found.interruption_rate == pytest.approx(1 / (12.0 / 60))
    assert found.n_turns == 3


def test_a_backchannel_takes_no_floor_and_answers_nothing():
    found = turn_taking([(2.0, 2.4), (4.5, 9.0)], [(0.0, 4.0)], observed_s=10.0)
    assert found.backchannel_rate == pytest.approx(1 / (4.0 / 60))
    assert found.interruption_rate == 0
    assert found.floor_share == pytest.approx(4.5 / 8.5)
    assert found.latency_mean_s == pytest.approx(0.5)
    long = turn_taking([(1.0, 3.0)], [(0.0, 4.0)], observed_s=10.0)
    assert (long.backchannel_rate, long.interruption_rate) == (0, pytest.approx(15.0))


def test_the_other_one_is_the_mirror():
    mine, theirs = (turn_taking(a, b, observed_s=30.0) for a, b in ((OWN, OTHER), (OTHER, OWN)))
    assert mine.overlap_share == theirs.overlap_share
    assert mine.floor_share + theirs.floor_share == pytest.approx(1.0)
    assert theirs.latency_mean_s == pytest.approx((1.0 + 1.0) / 2)


def test_splitting_and_shuffling_change_nothing():
    whole = turn_taking(OWN, OTHER, observed_s=30.0)
    pieces = [(a, (a + b) / 2) for a, b in OWN] + [((a + b) / 2 + 0.1, b) for a, b in OWN]
    assert turn_taking(pieces[::-1], OTHER[::-1], observed_s=30.0) == whole


def test_a_silence_of_half_a_minute_is_no_latency():
    found = turn_taking([(40.0, 45.0)], [(0.0, 4.0)], observed_s=60.0)
    assert found.n_latencies == 0
    assert np.isnan(found.latency_mean_s)
    assert (
        turn_taking([(40.0, 45.0)], [(0.0, 4.0)], observed_s=60.0, rules=TurnRules(latency_max_s=60)).n_latencies == 1
    )


def test_one_who_never_speaks():
    found = turn_taking([], OTHER, observed_s=30.0)
    assert (found.floor_share, found.overlap_share, found.backchannel_rate) == (0.0, 0.0, 0.0)
    assert np.isnan(found.latency_p50_s)
    alone = turn_taking(OWN, [], observed_s=30.0)
    assert alone.floor_share == 1.0
    assert np.isnan(alone.interruption_rate)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="ends before"):
        joined([(2.0, 1.0)], join_s=0.1)
    with pytest.raises(ValueError, match="positive"):
        turn_taking(OWN, OTHER, observed_s=0.0)


def test_touching_is_no_overlap():
    assert overlap_s([(0.0, 1.0)], [(1.0, 2.0)]) == 0.0
    assert overlap_s([(0.0, 1.0), (2.0, 5.0)], [(0.5, 3.0)]) == pytest.approx(1.5)


@pytest.mark.real
def test_a_marked_dialogue(shared_data):
    people: dict[str, list[tuple[float, float]]] = {}
    for line in (shared_data / "speech_diar" / "sample.rttm").read_text(encoding="utf-8").splitlines():
        part = line.split()
        people.setdefault(part[7], []).append((float(part[3]), float(part[3]) + float(part[4])))
    one, two = people.values()
    found = turn_taking(one, two, observed_s=30.0)
    grid = np.arange(0, 30, 0.001) + 0.0005
    on = [np.any([(grid >= a) & (grid < b) for a, b in joined(spans, join_s=0.3)], axis=0) for spans in (one, two)]
    assert found.overlap_share == pytest.approx((on[0] & on[1]).mean(), abs=2e-3)
    assert found.floor_share + turn_taking(two, one, observed_s=30.0).floor_share == pytest.approx(1.0)
    assert found.n_latencies >= 2


def voice(spans, seconds=30):
    frames = np.arange(seconds * 100) / 100
    speech = np.any([(frames >= a) & (frames < b) for a, b in spans], axis=0)
    level, f0_hz = np.full(len(frames), -20.0, np.float32), np.full(len(frames), 110.0, np.float32)
    return Voice(0.0, speech, np.ones(len(frames), dtype=bool), level, f0_hz)


def test_one_microphone_tells_talk_over_the_other_roughly_or_not_at_all():
    own, other, window = voice(OWN), voice(OTHER), Window(0.0, 30.0)
    sure = {m.biomarker: m for m in talk_measures(own, other, window, observed_s=30.0)}
    found = {
        m.biomarker: m
        for m in talk_measures(own, other, window, observed_s=30.0, unheard=BESIDE, rough=(LATENCY, OVER))
    }
    for name, one in found.items():
        if name.startswith(BESIDE):
            assert (one.value, one.reason) == (None, Reason.ONE_MICROPHONE)
        elif name.startswith((LATENCY, OVER)):
            assert (one.value, one.status, one.reason) == (
                sure[name].value, Status.LOW_QUALITY, Reason.ONE_MICROPHONE
            )  # fmt: skip
            assert one.value is not None
        else:
            assert one == sure[name]
    both_p = np.where(own.speech & other.speech, 0.8, 0.1).astype(np.float32)
    (overlap,) = [e for e in talk_events(own, other, window, both_p=both_p) if e.kind != "answer"]
    assert (overlap.kind, overlap.score) == ("overlap", pytest.approx(0.8))
    assert "interruption" in {e.kind for e in talk_events(own, other, window)}


def test_frames_that_cannot_be_used_leave_no_answer():
    own, other, window = voice(OWN), voice(OTHER), Window(0.0, 30.0)
    own.used[2420:2440] = False
    found = {m.biomarker: m for m in talk_measures(own, other, window, observed_s=29.8)}
    assert found["turn_latency_mean"].n_evidence == 2
    assert sum(e.kind == "answer" for e in talk_events(own, other, window)) == 2
