"""Beats that are none, put in on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.heart.artefacts import rhythm, rhythms
from cueflow.tasks.physiology.variability.hrv import rmssd
from cueflow.tasks.physiology.variability.intervals import Intervals


@pytest.fixture
def steady(drawn_beats):
    return drawn_beats(30.0, 850.0, 200, seed=7)


def test_a_plain_rhythm_passes(steady):
    found = rhythm(steady)
    assert not (found.ectopic | found.extra | found.missed).any()


def test_a_missed_beat_is_seen_and_no_beat_is_blamed(steady):
    found = rhythm(np.delete(steady, 100))
    assert found.missed[100]
    assert not found.extra[98:103].any()
    assert not found.ectopic[98:103].any()


def test_a_beat_too_many_is_flagged(steady):
    added = np.insert(steady, 100, steady[99] + 0.3 * (steady[100] - steady[99]))
    found = rhythm(added)
    assert (found.extra | found.ectopic)[100:102].any()


def test_an_early_beat_with_its_pause_is_flagged(steady):
    early = steady.copy()
    early[100] -= 0.35
    found = rhythm(early)
    assert (found.ectopic | found.extra)[100]


def test_too_few_beats_cannot_be_judged(steady):
    for number in (0, 1, 2, 11):
        found = rhythm(steady[:number])
        assert len(found.ectopic) == number
        assert not (found.ectopic | found.extra | found.missed).any()


@pytest.mark.parametrize("variability_ms", [20.0, 47.0, 80.0, 120.0])
def test_high_variability_is_not_taken_for_artefacts(variability_ms, drawn_beats):
    beats = drawn_beats(variability_ms, 900.0, 3000, seed=1)
    found = rhythm(beats)
    flagged = found.ectopic | found.extra
    assert flagged.mean() < 0.002
    yes = np.zeros(len(beats), dtype=np.int64)
    kept = Intervals.between(beats, yes, trusted=~flagged, joined=~found.missed)
    assert rmssd(kept) == pytest.approx(variability_ms, rel=0.01)


@pytest.mark.slow
def test_neurokit_flags_real_artefacts_too_but_more_besides(drawn_beats):
    # NeuroKit2 0.2.13 takes the quartile deviation of absolute changes: its limits are 2.2 and not 3.5 SD wide
    import neurokit2

    beats = drawn_beats(47.0, 900.0, 600, seed=9)
    beats[100] -= 0.35
    beats = np.delete(beats, 400)
    theirs = neurokit2.signal_fixpeaks(
        np.round(beats * 1000).astype(int), sampling_rate=1000, method="Kubios", iterative=False
    )[0]
    ours = rhythm(beats)
    flagged = set(np.flatnonzero(ours.ectopic | ours.extra))
    assert 100 in flagged
    assert flagged & {100, 101} <= set(theirs["ectopic"]) | set(theirs["longshort"]) | set(theirs["extra"])
    assert set(np.flatnonzero(ours.missed)) == {400}
    assert 400 in theirs["missed"]
    assert len(flagged) < len(theirs["ectopic"] + theirs["longshort"] + theirs["extra"])


def test_a_short_segment_is_judged_among_its_neighbours(drawn_beats):
    before, after = drawn_beats(30.0, 850.0, 200, seed=1), 400.0 + drawn_beats(30.0, 850.0, 200, seed=2)
    short = 250.0 + np.cumsum([0.85, 0.86, 1.70, 0.84, 0.85, 0.50, 1.19, 0.85, 0.86])  # one missed, one early
    assert not rhythm(short).ectopic.any()
    first, own, last = rhythms([before, short, after])
    whole = rhythm(np.concatenate([before, before[-1] + 0.85 + np.concatenate([[0.0], np.diff(short)]).cumsum()]))
    for found, inside in ((own.missed, whole.missed), (own.ectopic, whole.ectopic)):
        assert found.sum() == 1
        np.testing.assert_array_equal(found, inside[len(before) :])
    for alone, found in ((before, first), (after, last)):
        np.testing.assert_array_equal(found.ectopic, rhythm(alone).ectopic)


def test_segments_that_are_all_short_are_judged_together():
    rng = np.random.default_rng(4)
    pieces = [20.0 * k + np.cumsum(0.8 + rng.normal(0.0, 0.02, 10)) for k in range(8)]
    assert not any(r.ectopic.any() or r.extra.any() or r.missed.any() for r in rhythms(pieces))
    pieces[3] = np.delete(pieces[3], 5)
    assert [bool(r.missed.any()) for r in rhythms(pieces)] == [k == 3 for k in range(8)]
    assert [len(r.missed) for r in rhythms([np.array([1.0, 1.8]), np.empty(0)])] == [2, 0]
