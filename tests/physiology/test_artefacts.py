"""Beats that are none, put in on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.artefacts import rhythm


@pytest.fixture
def steady(drawn_beats):
    return drawn_beats(30.0, 850.0, 200, seed=7)


def test_a_plain_rhythm_passes(steady):
    found = rhythm(steady)
    assert not (found.ectopic | found.missed).any()
    assert found.extra.sum() <= 2  # tails of the drawn distribution


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


@pytest.mark.slow
def test_neurokit_flags_the_same_beats_of_a_variable_rhythm(drawn_beats):
    # the thresholds have a floor here and none there, so the rhythm must vary more than that; they treat ends otherwise
    import neurokit2

    beats = drawn_beats(80.0, 900.0, 300, seed=9)
    beats[100] -= 0.4
    beats = np.delete(beats, 200)
    theirs = neurokit2.signal_fixpeaks(
        np.round(beats * 1000).astype(int), sampling_rate=1000, method="Kubios", iterative=False
    )[0]
    ours = rhythm(np.round(beats * 1000) / 1000)
    inner = set(range(46, len(beats) - 46))
    assert set(np.flatnonzero(ours.ectopic)) & inner == set(theirs["ectopic"]) & inner
    assert set(np.flatnonzero(ours.missed)) & inner == set(theirs["missed"]) & inner
    assert set(np.flatnonzero(ours.extra)) & inner == (set(theirs["extra"]) | set(theirs["longshort"])) & inner
