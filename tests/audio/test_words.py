"""Transcripts: three formats, who said what, what is wrong with them; words and filled pauses counted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import cueflow
from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.tasks.audio.talk.recognise import _pieces
from cueflow.tasks.audio.talk.words import count_words, recognised_measure, spoken_in, word_measures
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


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("one (laughs) two", "one two"),
        ("one [inaudible 00:12] {cough} <sighs> two", "one two"),
        ("((door slams)) one ♪ soft music ♪ two", "one two"),
        ("one &amp; two&nbsp;&lt;laughs&gt; three -- four", "one & two three -- four"),
        ("- don&#39;t (never closed", "- don't (never closed"),
        ("[laughs]", ""),
        ("3 &lt; 4 or 5 &gt; 2", "3 < 4 or 5 > 2"),
        ("（笑） un ♫ la la ♫ deux", "un deux"),
        ("{\\an8}one <00:01.500>two </c>", "one two"),
        ("(" * 9 + "laughs" + ")" * 9, "((((( )))))"),  # nobody writes so, and nothing is swallowed
    ],
)
def test_what_was_not_said_is_no_word(tmp_path, written, spoken):
    for name, text in (
        ("a.vtt", f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Patient>{written}\n"),
        ("a.srt", f"1\n00:00:01,000 --> 00:00:02,000\n{written}\n"),
        ("a.csv", f"start_time\tstop_time\tspeaker\tvalue\n1\t2\tEllie\t{written}\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (said,) = read_transcript(tmp_path / name)
        assert said.text == spoken
    assert count_words(["one & two three -- four"]) == (4, 0)


@pytest.mark.parametrize("words", ["[00:12] Patient: five", "Patient: (sighs) five", "<v Patient>[door] five"])
def test_a_note_does_not_hide_who_speaks(tmp_path, words):
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{words}\n", encoding="utf-8")
    assert read_transcript(tmp_path / "a.vtt") == (Utterance(1.0, 2.0, "patient", "five"),)


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["Patient", "Psychologist", "Patient"], ["patient", "clinician", "patient"]),
        (["Jane Doe", "Dr. Smith", "Jane Doe"], ["unknown", "clinician", "unknown"]),
        (["Patient", "Mary", "Patient"], ["patient", "unknown", "patient"]),
        (["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"], ["unknown"] * 3),
        (["Jane Doe", "Jane Doe", "Jane Doe"], ["", "", ""]),  # nobody else speaks
        (["", "", "He said"], ["", "", ""]),  # a colon in what was said
    ],
)
def test_a_name_that_says_no_role_is_nobodys(tmp_path, names, roles):
    cues = "".join(
        f"00:{k:02d}.000 --> 00:{k + 1:02d}.000\n{name + ': ' if name else ''}word\n\n" for k, name in enumerate(names)
    )
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{cues}", encoding="utf-8")
    assert [u.role for u in read_transcript(tmp_path / "a.vtt")] == roles


def test_words_of_a_name_that_says_no_role_are_not_the_patients():
    said = [Utterance(0, 6, "unknown", "one " * 20), Utterance(6, 12, "unknown", "two " * 20)]
    none = word_measures(said, Window(0, 60), role="patient", reason=None)[0]
    assert (none.value, none.reason) == (None, Reason.TRANSCRIPT_NAMES)
    own = word_measures(
        [*said, Utterance(12, 24, "patient", "three " * 20)], Window(0, 60), role="patient", reason=None
    )
    assert (own[0].value, own[0].n_evidence) == (pytest.approx(100.0), 20)
    assert word_measures(said, Window(0, 60), role="", reason=None)[0].value == pytest.approx(200.0), "of a room, all"


def test_a_file_of_brackets_is_read(tmp_path):
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{'(' * 200_000}\n", encoding="utf-8")
    assert len(read_transcript(tmp_path / "a.vtt")) == 1


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
        ("a.csv", DAIC.replace("4.0", "nan").encode(), Reason.NOT_A_NUMBER),
        ("a.csv", DAIC.replace("4.0", "inf").encode(), Reason.NOT_A_NUMBER),
        ("a.vtt", b"<!DOCTYPE html><html><body>404</body></html>", Reason.FILE_EMPTY),
        ("a.vtt", bytes(range(256)), Reason.FILE_UNREADABLE),
    ],
)
def test_what_is_wrong_is_said(tmp_path, name, text, reason):
    (tmp_path / name).write_bytes(text)
    with pytest.raises(StreamError) as caught:
        read_transcript(tmp_path / name)
    assert caught.value.reason is reason
    assert "yes" not in caught.value.message


def test_words_that_were_heard_count_where_their_speaker_speaks():
    heard = [Utterance(10.0 + k, 11.0 + k, "", "one two three four") for k in range(10)]
    speech = np.zeros(2000, dtype=bool)
    speech[:650] = True  # session seconds 10 to 16.5
    own = spoken_in(heard, speech, start_s=10.0)
    assert [u.start_s for u in own] == [10.0 + k for k in range(7)]  # half of the seventh
    rate = recognised_measure(own, Window(0, 60), reason=None)
    assert (rate.value, rate.n_evidence) == (pytest.approx(240.0), 28)
    off = recognised_measure((), Window(0, 60), reason=Reason.NO_RECOGNISER)
    assert (off.value, off.reason) == (None, Reason.NO_RECOGNISER)


@pytest.mark.parametrize("block", [16_000, 700_000])
def test_pieces_for_the_network_are_cut_in_silences_and_lose_nothing(block):
    noise = np.random.default_rng(0).normal(0, 0.1, 70 * 16_000).astype(np.float32)
    for second in (25, 51):
        noise[second * 16_000 : second * 16_000 + 8_000] *= 0.01
    pieces = list(_pieces(noise[at : at + block] for at in range(0, len(noise), block)))
    assert np.array_equal(np.concatenate([piece for _, piece in pieces]), noise)
    assert [first for first, _ in pieces] == list(np.cumsum([0, *(len(piece) for _, piece in pieces[:-1])]))
    assert all(len(piece) <= 28 * 16_000 for _, piece in pieces)
    assert 25.0 < pieces[1][0] / 16_000 < 25.5
    assert 51.0 < pieces[2][0] / 16_000 < 51.5


@pytest.mark.slow
@pytest.mark.real
def test_words_of_sentences_that_were_read(shared_data, tmp_path):
    """As a user asks for them: audio.recognise in a configuration, and the rate in the tables."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    shutil.copy(shared_data / "speech_asr" / "libri-1088-134315-0000.wav", dataset / "talk.wav")
    (dataset / "manifest.csv").write_text("subject_id,session_id,modality,role,path\np1,s1,audio,patient,talk.wav\n")
    (tmp_path / "words.toml").write_text("[audio]\nrecognise = true\n")
    assert cueflow.run(dataset, tmp_path / "tables", config=tmp_path / "words.toml").exit_code == 0
    rows = cueflow.open_tables(tmp_path / "tables").biomarkers
    row = rows.filter(biomarker="speech_words_recognised_rate", phase="session").collect().row(0, named=True)
    assert row["n_evidence"] == pytest.approx(53, abs=3)  # words of the two sentences
    assert 150 < row["value"] < 260
    assert "admiration" not in str(rows.collect().to_dicts())


def test_hesitations_are_no_words():
    assert count_words(["Well, um... I don't— uh, know. Ähm, hmm, euh, er"]) == (4, 6)
    assert count_words(["her ham eh? Emma"]) == (3, 1)


def test_rates_of_one_person():
    said = [Utterance(0, 6, "patient", "one two three four five six seven eight nine ten um"),
            Utterance(6, 10, "clinician", "and then"), Utterance(20, 26, "", "a b c d e f g h i j")]  # fmt: skip
    rate, filled = word_measures(said, Window(0, 60), role="patient", reason=None)
    assert (rate.biomarker, rate.value, rate.n_evidence) == ("speech_words_rate", pytest.approx(100.0), 20)
    assert filled.value == pytest.approx(5.0)
    laughs = [*said, Utterance(30, 40, "patient", "")]  # nothing of it was said
    assert word_measures(laughs, Window(0, 60), role="patient", reason=None)[0] == rate
    early = word_measures(said, Window(0, 15), role="patient", reason=None)[0]
    assert (early.value, early.reason) == (None, Reason.FEW_EVIDENCE)
    nothing = word_measures([], Window(0, 60), role="patient", reason=Reason.NO_TRANSCRIPT)[0]
    assert (nothing.value, nothing.status, nothing.reason) == (None, Status.TOO_SHORT, Reason.NO_TRANSCRIPT)
