"""Words of a transcript as numbers: rate and filled pauses. The words themselves go no further."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cueflow.schemas.biomarkers import voice
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Measure, Window
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.talk.timing import Flags
from cueflow.tasks.ingest.transcripts import UNKNOWN, Utterance

# hesitations as transcribers write them in English, German, French, Spanish, Dutch and Italian
_FILLED = re.compile(r"^(u+h+m*|u+m+|e+r+m*|e+h+m*|ä+h*m*|a+h+m*|h+m+|m+h*m+|eu+h*|e+m+)$")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def count_words(texts: Sequence[str]) -> tuple[int, int]:
    """Words and filled pauses.

    Parameters
    ----------
    texts : sequence of str
        Utterances.

    Returns
    -------
    words, filled : int
        Filled pauses ("um", "äh", "euh", "hmm") are no words.
    """
    tokens = [token.casefold() for text in texts for token in _WORD.findall(text)]
    filled = sum(bool(_FILLED.match(token)) for token in tokens)
    return len(tokens) - filled, filled


def spoken_in(utterances: Sequence[Utterance], speech: Flags, *, start_s: float) -> tuple[Utterance, ...]:
    """Utterances of which at least half lies in speech.

    Parameters
    ----------
    utterances : sequence of Utterance
        On the session's clock.
    speech : ndarray of bool, shape (n,)
        Frames with the speech of whoever is asked for.
    start_s : float
        Session time of the first frame.

    Returns
    -------
    tuple of Utterance
    """
    kept = []
    for one in utterances:
        first, last = (max(round((at - start_s) / FRAME_S), 0) for at in (one.start_s, one.end_s))
        if last > first and speech[first:last].sum() >= (last - first) / 2.0:
            kept.append(one)
    return tuple(kept)


def recognised_measure(utterances: Sequence[Utterance], window: Window, *, reason: Reason | None) -> Measure:
    """Words per minute of recognised utterances whose middle lies in a window.

    Parameters
    ----------
    utterances : sequence of Utterance
        Of the person, on the session's clock.
    window : Window
        The window.
    reason : Reason or None
        Why nothing was recognised.

    Returns
    -------
    Measure
    """
    own = _within(utterances, window)
    words, _ = count_words([u.text for u in own])
    minutes = sum(u.end_s - u.start_s for u in own) / 60.0
    return voice.RECOGNISED.measure(
        words / minutes if minutes > 0 else None, window, n_evidence=float(words), reason=reason
    )


def _within(utterances: Sequence[Utterance], window: Window) -> list[Utterance]:
    return [u for u in utterances if u.text and window.start_s <= (u.start_s + u.end_s) / 2.0 < window.end_s]


def word_measures(
    utterances: Sequence[Utterance], window: Window, *, role: str, reason: Reason | None
) -> tuple[Measure, ...]:
    """Words and filled pauses per minute of the utterances whose middle lies in a window.

    Parameters
    ----------
    utterances : sequence of Utterance
        On the session's clock.
    window : Window
        The window.
    role : str
        Whose utterances count, besides those of nobody in particular; empty: everybody's.
    reason : Reason or None
        Why there are no utterances.

    Returns
    -------
    tuple of Measure
    """
    there = _within(utterances, window)
    own = [u for u in there if not role or u.role in {role, ""}]
    if not own and any(u.role == UNKNOWN for u in there):
        reason = Reason.TRANSCRIPT_NAMES
    words, filled = count_words([u.text for u in own])
    minutes = sum(u.end_s - u.start_s for u in own) / 60.0
    values = {"speech_words_rate": words, "speech_filled_pause_rate": filled}
    return tuple(
        b.measure(values[b.name] / minutes if minutes > 0 else None, window, n_evidence=float(words), reason=reason)
        for b in voice.OF_WORDS
    )
