"""Who speaks when: turns, phrases between pauses, and syllables."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.timeline import raised

PAUSE_MIN_S = 0.3


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one speaker, in s on the session clock."""

    speaker: str
    onset_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Syllable:
    """A syllable: vowel by number, `fricative` says whether it starts with one, level is relative to 1."""

    onset_s: float
    end_s: float
    vowel: int
    fricative: bool
    level: float


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation: turns hold phrases, phrases hold syllables; what lies between phrases of a turn is a pause."""

    turns: tuple[Span, ...]
    phrases: tuple[Span, ...]
    syllables: dict[str, tuple[Syllable, ...]]

    def pauses(self, speaker: str) -> list[tuple[float, float]]:
        """Onset and end of the silences inside a speaker's turns.

        Parameters
        ----------
        speaker : str
            Who.

        Returns
        -------
        list of tuple of float
            In s, in order of time.
        """
        own = [p for p in self.phrases if p.speaker == speaker]
        found: list[tuple[float, float]] = []
        for turn in (t for t in self.turns if t.speaker == speaker):
            inside = [p for p in own if turn.onset_s - 1e-9 <= p.onset_s < turn.end_s]
            found += [(a.end_s, b.onset_s) for a, b in pairwise(inside)]
        return found

    def seconds(self, speaker: str, *, phrases: bool) -> float:
        """Total length of a speaker's phrases or turns.

        Parameters
        ----------
        speaker : str
            Who.
        phrases : bool
            Phrases if True, whole turns if False.

        Returns
        -------
        float
            In s.
        """
        return sum(s.end_s - s.onset_s for s in (self.phrases if phrases else self.turns) if s.speaker == speaker)


def _phrases(rng: np.random.Generator, turn: Span, pause_share: float) -> list[Span]:
    """Cut a turn into phrases whose pauses take `pause_share` of it."""
    seconds = turn.end_s - turn.onset_s
    silent = pause_share * seconds
    pauses = int(min(silent / PAUSE_MIN_S, max(round(silent / 0.6), 1 if silent >= PAUSE_MIN_S else 0)))
    if pauses == 0:
        return [turn]
    gaps = PAUSE_MIN_S + rng.dirichlet(np.full(pauses, 3.0)) * (silent - pauses * PAUSE_MIN_S)
    voiced = rng.dirichlet(np.full(pauses + 1, 8.0)) * (seconds - silent)
    spans, at = [], turn.onset_s
    for index, length in enumerate(voiced):
        spans.append(Span(turn.speaker, float(at), float(at + length)))
        at += length + (gaps[index] if index < pauses else 0.0)
    return spans


def _syllables(rng: np.random.Generator, phrase: Span) -> list[Syllable]:
    seconds = phrase.end_s - phrase.onset_s
    number = max(round(seconds * 4.2), 1)
    edges = phrase.onset_s + seconds * np.concatenate([[0.0], np.cumsum(rng.dirichlet(np.full(number, 25.0)))])
    vowels, fricative, level = rng.integers(0, 5, number), rng.random(number) < 0.3, rng.uniform(0.75, 1.0, number)
    return [
        Syllable(float(edges[k]), float(edges[k + 1]), int(vowels[k]), bool(fricative[k]), float(level[k]))
        for k in range(number)
    ]


def draw_talk(
    rng: np.random.Generator, span: tuple[float, float], *, speaking_share: float, pause_share: float
) -> Talk:
    """Draw a conversation: the clinician asks, the patient answers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    span : tuple of float
        When they talk, s.
    speaking_share : float
        Share of the span that is the patient's turns.
    pause_share : float
        Share of the patient's turns that is silence.

    Returns
    -------
    Talk
        Speakers "patient" and "clinician", never at once.
    """
    seconds = span[1] - span[0]
    share = float(np.clip(speaking_share, 0.05, 0.85))
    exchanges = max(round(seconds / 12.0), 1)
    whole = rng.dirichlet(np.full(exchanges, 12.0)) * seconds
    turns: list[Span] = []
    at = span[0]
    for length in whole:
        answer, rest = share * length, (1.0 - share) * length
        turns += [
            Span("clinician", at + 0.1 * rest, at + 0.8 * rest),
            Span("patient", at + rest, at + rest + answer),
        ]
        at += length
    turns = [Span(t.speaker, float(t.onset_s), float(t.end_s)) for t in turns]
    phrases = [p for t in turns for p in _phrases(rng, t, min(pause_share, 0.6) if t.speaker == "patient" else 0.1)]
    syllables = {
        who: tuple(s for p in phrases if p.speaker == who for s in _syllables(rng, p))
        for who in ("patient", "clinician")
    }
    return Talk(tuple(turns), tuple(phrases), syllables)


def mouth_opening(talk: Talk, speaker: str, times_s: FloatArray) -> FloatArray:
    """How far the mouth is open, from the syllables.

    Parameters
    ----------
    talk : Talk
        The conversation.
    speaker : str
        Whose mouth.
    times_s : ndarray, shape (n,)
        Increasing times on the session clock.

    Returns
    -------
    ndarray, shape (n,)
        0 closed to 1 as wide as speech gets.
    """
    opening = np.zeros(len(times_s))
    width = np.array([1.0, 0.75, 0.45, 0.7, 0.4])  # a e i o u
    for syllable in talk.syllables[speaker]:
        lo, hi = np.searchsorted(times_s, [syllable.onset_s, syllable.end_s])
        seconds = syllable.end_s - syllable.onset_s
        opening[lo:hi] = width[syllable.vowel] * raised(times_s[lo:hi], syllable.onset_s, seconds, 0.45 * seconds)
    return opening
