"""Numbers, times and names as people read them."""

from __future__ import annotations

import re

import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.tasks.report import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
        (0, "0"),
        (72.3456, "72.35"),
        (-0.5, "−0.5"),
        (12345.6, "12\u202f346"),
        (0.00002, "2.0e−05"),
        (999.96, "1000"),
    ],
)
def test_numbers(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(None, "–"), (0.0, "0 %"), (0.001, "<1 %"), (0.996, "99 %"), (1.0, "100 %"), (0.5, "50 %")]
)
def test_a_share_that_is_not_whole_is_not_shown_as_whole(share, shown):
    assert text.percent(share).replace("\u00a0", " ") == shown


@pytest.mark.parametrize(
    ("seconds", "tenths", "shown"),
    [
        (0, False, "0:00"),
        (59.6, False, "1:00"),
        (3725, False, "1:02:05"),
        (125.34, True, "2:05.3"),
        (59.97, True, "1:00.0"),
        (-3, False, "−0:03"),
        (None, False, "–"),
    ],
)
def test_clock(seconds, tenths, shown):
    assert text.clock(seconds, tenths=tenths) == shown


def test_every_reason_and_state_has_words():
    assert all(text.sentence_of(reason.value) == reason.sentence for reason in Reason)
    assert {text.word_of(s.value) for s in Status} == {"ok", "low quality", "too short", "absent", "failed"}
    assert text.sentence_of("of_a_later_version") == "of_a_later_version"
    assert text.word_of(None) == "unknown"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("hrv_rmssd", "HRV RMSSD"),
        ("head_speed_p95", "Head speed p95"),
        ("voice_f0_mean", "Voice F0 mean"),
        ("hrv_pnn50", "HRV PNN50"),
        ("scr_rate", "SCR rate"),
        ("hr", "HR"),
        ("", ""),
    ],
)
def test_names_keep_their_abbreviations(name, title):
    assert text.title_of(name) == title


def test_page_names_are_safe_in_addresses():
    assert re.fullmatch(r"a_b__\.\.1-[0-9a-f]{8}\.html", text.page_name("a b/ü..1"))
    assert text.page_name("S-1.a_b") == "S-1.a_b.html"


def test_no_session_takes_the_page_of_another_or_of_the_cohort():
    names = ["a b", "a_b", "a/b", "index", "Index"]
    pages = [text.page_name(name) for name in names]
    assert len({page.lower() for page in pages} | {"index.html"}) == len(names) + 1
