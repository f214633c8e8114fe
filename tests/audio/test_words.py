"""Transcripts: three formats, who said what, what is wrong with them; words and filled pauses counted."""

from __future__ import annotations

import pytest

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.tasks.audio.talk.words import count_words, word_measures
from cueflow.tasks.ingest.transcripts import Utterance, read_transcript, transcript_beside

VTT = """WEBVTT

NOTE made by hand

1
00:01.000 --> 00:03.500 align:start
<v Participant>Um, I was <b>there</b>.

00:00:04.000 --> 00:00:05.000
<v Ellie>really
"""
SRT = """1
00:00:01,000 --> 00:00:03,500
Patient: Um, I was there.

2
01:00:04,000 --> 01:00:05,250
really
""".replace("\n", "\r\n")
DAIC = "start_time\tstop_time\tspeaker\tvalue\n1.0\t3.5\tParticipant\tum i was there\n4.0\t5.0\tEllie\treally\n"


@pytest.mark.parametrize(
    ("name", "text", "second"),
    [
        ("a.vtt", VTT, Utterance(4.0, 5.0, "clinician", "really")),
        ("a.srt", SRT, Utterance(3604.0, 3605.25, "", "really")),
        ("300_TRANSCRIPT.csv", DAIC, Utterance(4.0, 5.0, "clinician", "really")),
    ],
)
def test_three_formats(tmp_path, name, text, second):
    (tmp_path / name).write_bytes(text.encode())
    first, last = read_transcript(tmp_path / name)
    assert (first.start_s, first.end_s, first.role) == (1.0, 3.5, "patient")
    assert count_words([first.text]) == (3, 1)
    assert last == second


def test_found_by_name(tmp_path):
    (tmp_path / "s").mkdir()
    for name in ("talk.srt", "300_TRANSCRIPT.csv"):
        (tmp_path / "s" / name).write_text("x")
    assert transcript_beside(tmp_path, "s/talk.wav") == "s/talk.srt"
    assert transcript_beside(tmp_path, "s/300_AUDIO.wav") == "s/300_TRANSCRIPT.csv"
    assert transcript_beside(tmp_path, "s/other.wav") is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.vtt", b"WEBVTT\n", Reason.FILE_EMPTY),
        ("a.srt", b"\xff\xfe\x00bad", Reason.FILE_UNREADABLE),
        ("a.srt", b"00:00:05,000 --> 00:00:01,000\nback\n", Reason.FILE_UNREADABLE),
        ("a.csv", b"start_time\tvalue\n1\tyes\n", Reason.COLUMN_MISSING),
        ("a.csv", DAIC.replace("4.0", "four").encode(), Reason.NOT_A_NUMBER),
    ],
)
def test_what_is_wrong_is_said(tmp_path, name, text, reason):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(StreamError) as caught:
        read_transcript(tmp_path / name)
    assert caught.value.reason is reason
    assert "yes" not in caught.value.message


def test_hesitations_are_no_words():
    assert count_words(["Well, um... I don't— uh, know. Ähm, hmm, euh, er"]) == (4, 6)
    assert count_words(["her ham eh? Emma"]) == (3, 1)


def test_rates_of_one_person():
    said = [Utterance(0, 6, "patient", "one two three four five six seven eight nine ten um"),
            Utterance(6, 10, "clinician", "and then"), Utterance(20, 26, "", "a b c d e f g h i j")]  # fmt: skip
    rate, filled = word_measures(said, Window(0, 60), role="patient", reason=None)
    assert (rate.biomarker, rate.value, rate.n_evidence) == ("speech_words_rate", pytest.approx(100.0), 20)
    assert filled.value == pytest.approx(5.0)
    early = word_measures(said, Window(0, 15), role="patient", reason=None)[0]
    assert (early.value, early.reason) == (None, Reason.FEW_EVIDENCE)
    nothing = word_measures([], Window(0, 60), role="patient", reason=Reason.NO_TRANSCRIPT)[0]
    assert (nothing.value, nothing.status, nothing.reason) == (None, Status.TOO_SHORT, Reason.NO_TRANSCRIPT)
