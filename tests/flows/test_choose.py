"""Which sessions a form means."""

from __future__ import annotations

from datetime import date

import pytest

from cueflow.flows.deployments.choose import Choice, Family, Pick, choose
from cueflow.flows.planning.why import Why
from cueflow.schemas.errors import ConfigError


def why(session, subject, *, status="ok", state="unchanged", outdated=False, visit="1", day=None, of=("ecg",)):
    processed = date(2026, 3, day) if day else None
    return Why(session, subject, visit, status, state, (), "", outdated, of, processed)


FOUND = (
    why("S01", "P1", day=1, of=("ecg", "eda")),
    why("S02", "P1", status="failed", visit="2", day=2),
    why("S03", "P2", status="degraded", state="changed", outdated=True, day=3),
    why("T01", "P2", status="", state="new", visit="2", of=("video",)),
)


@pytest.mark.parametrize(
    ("choice", "sessions"),
    [
        (Choice(sessions="*"), "S01 S02 S03 T01"),
        (Choice(sessions="S0*"), "S01 S02 S03"),
        (Choice(sessions="S01, T01"), "S01 T01"),
        (Choice(sessions="S01\nS03\n"), "S01 S03"),
        (Choice(subject="P2"), "S03 T01"),
        (Choice(visit="2"), "S02 T01"),
        (Choice(subject="P1", visit="2"), "S02"),
        (Choice(states=(Pick.FAILED,)), "S02"),
        (Choice(states=(Pick.FAILED, Pick.DEGRADED)), "S02 S03"),
        (Choice(states=(Pick.OUTDATED,)), "S03"),
        (Choice(since=date(2026, 3, 2)), "S02 S03"),
        (Choice(until=date(2026, 3, 2)), "S01 S02"),
        (Choice(since=date(2026, 3, 2), until=date(2026, 3, 2)), "S02"),
        (Choice(families=(Family.SKIN, Family.FACE)), "S01 T01"),
        (Choice(states=(Pick.NEW, Pick.CHANGED)), "S03 T01"),
    ],
)
def test_every_field_narrows(choice, sessions):
    assert [w.session_id for w in choose(FOUND, choice)] == sessions.split()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(), "Say which sessions"),
        (Choice(sessions="S01, S99"), "first is 'S99'"),
        (Choice(subject="P1", states=(Pick.DEGRADED,)), "No session of the dataset fits"),
    ],
)
def test_an_empty_or_wrong_form_is_refused(choice, message):
    with pytest.raises(ConfigError, match=message):
        choose(FOUND, choice)


def test_an_unknown_subject_is_not_repeated_in_the_message():
    with pytest.raises(ConfigError) as caught:
        choose(FOUND, Choice(subject="Miller"))
    assert "Miller" not in caught.value.message
