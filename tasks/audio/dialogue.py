"""Talk between two people: turn taking, entrainment and their events, in one recording or between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice_turns as vt
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Window
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.following import following
from cueflow.tasks.audio.talk.turns import both, exchanges, joined, moments, turn_taking

Flags = NDArray[np.bool_]

BESIDE = ("turn_interruption", "turn_backchannel")
"""Measures of what is said while the other speaks: one microphone loses most of it."""
OVER, LATENCY = "turn_overlap", "turn_latency"
"""What one microphone tells roughly: a tenth of a second, and four in five moments."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One person's talk on a grid of 10 ms frames from `start_s` on: `speech`, `level_db` and `f0_hz` (n,).

    `used` (n,): where the person, and whoever the person talks with, could be heard.
    """

    start_s: float
    speech: Flags
    used: Flags
    level_db: NDArray[np.float32]
    f0_hz: NDArray[np.float32]

    def spans(self, window: Window) -> list[tuple[float, float]]:
        """Stretches of speech within a window, s."""
        return self._spans(self.speech, window)

    def unheard(self, window: Window) -> list[tuple[float, float]]:
        """Stretches of a window that could not be used, s."""
        return self._spans(~self.used, window)

    def _spans(self, flags: Flags, window: Window) -> list[tuple[float, float]]:
        found = [(self.start_s + a * FRAME_S, self.start_s + b * FRAME_S) for a, b in runs(flags)]
        cut = [(max(a, window.start_s), min(b, window.end_s)) for a, b in found]
        return [(a, b) for a, b in cut if a < b]

    def mean(self, track: NDArray[np.float32], start_s: float, end_s: float) -> float:
        """Mean of a track on the same frames over a stretch of time."""
        return float(track[round((start_s - self.start_s) / FRAME_S) : round((end_s - self.start_s) / FRAME_S)].mean())

    def of(self, spans: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Median pitch (semitones) and level (dB) of speech in stretches, NaN where there is none."""
        return self._median(
            np.where(self.f0_hz > 0, 12.0 * np.log2(np.maximum(self.f0_hz, 1.0) / 27.5), np.nan), spans
        ), (self._median(self.level_db.astype(np.float64), spans))

    def _median(self, track: FloatArray, spans: FloatArray) -> FloatArray:
        out = np.full(len(spans), np.nan)
        for i, (start, end) in enumerate(spans):
            part = slice(round((start - self.start_s) / FRAME_S), round((end - self.start_s) / FRAME_S))
            values = track[part][self.speech[part]]
            values = values[np.isfinite(values)]
            if len(values):
                out[i] = float(np.median(values))
        return out


def alone(window: Window, *, speaker: str = "") -> tuple[Measure, ...]:
    """The measures of turn taking where nobody else was heard: none has a value.

    Parameters
    ----------
    window : Window
        The window.
    speaker : str, optional
        Whose they would be.

    Returns
    -------
    tuple of Measure
    """
    return tuple(
        replace(b.measure(None, window, n_evidence=0.0, reason=Reason.ONE_SPEAKER), speaker=speaker)
        for b in vt.VOICE_TURNS
    )


def talk_measures(
    own: Voice,
    other: Voice,
    window: Window,
    *,
    observed_s: float,
    speaker: str = "",
    unheard: tuple[str, ...] = (),
    rough: tuple[str, ...] = (),
) -> tuple[Measure, ...]:
    """How one person takes turns with another, and follows the other's pitch and level.

    Parameters
    ----------
    own, other : Voice
        The person and the other one.
    window : Window
        The window.
    observed_s : float
        Time within it in which both could be heard.
    speaker : str, optional
        Whose they are.
    unheard : tuple of str, optional
        Beginnings of the names of measures that have no value where one microphone heard both.
    rough : tuple of str, optional
        The same of measures whose value is of low quality then.

    Returns
    -------
    tuple of Measure
        One per declared measure of turn taking.
    """
    mine, theirs = own.spans(window), other.spans(window)
    if observed_s <= 0 or not mine or not theirs:
        return alone(window, speaker=speaker)
    gaps = own.unheard(window)
    found = turn_taking(mine, theirs, observed_s=observed_s, unheard=gaps)
    pairs = exchanges(mine, theirs, unheard=gaps)
    (my_f0, my_level), (their_f0, their_level) = own.of(pairs[:, 2:]), other.of(pairs[:, :2])
    f0_r, f0_p, n_f0 = following(my_f0, their_f0)
    level_r, level_p, n_level = following(my_level, their_level)
    values = {
        "turn_latency_mean": found.latency_mean_s,
        "turn_latency_p50": found.latency_p50_s,
        "turn_latency_weighted": found.latency_weighted_s,
        "turn_count": float(found.n_turns),
        "turn_duration_weighted": found.turn_weighted_s,
        "turn_overlap_share": found.overlap_share,
        "turn_interruption_rate": found.interruption_rate,
        "turn_backchannel_rate": found.backchannel_rate,
        "turn_floor_share": found.floor_share,
        "turn_entrain_f0_r": f0_r,
        "turn_entrain_f0_p": f0_p,
        "turn_entrain_level_r": level_r,
        "turn_entrain_level_p": level_p,
    }
    amounts = {vt.ANSWERS: float(found.n_latencies), vt.MINUTES: found.other_s, vt.OBSERVED_TWO: observed_s}
    followed = {"turn_entrain_f0": float(n_f0), "turn_entrain_level": float(n_level)}
    coverage = observed_s / max(window.duration_s, FRAME_S)
    return tuple(
        replace(
            b.measure(
                None if b.name.startswith(unheard) else values[b.name],
                window,
                reason=Reason.ONE_MICROPHONE if b.name.startswith((*unheard, *rough)) else None,
                n_evidence=amounts.get(b.evidence.unit, followed.get(b.name.rpartition("_")[0], 0.0)),
                coverage=coverage,
            ),
            speaker=speaker,
        )
        for b in vt.VOICE_TURNS
    )


def talk_events(
    own: Voice, other: Voice, window: Window, *, speaker: str = "", both_p: NDArray[np.float32] | None = None
) -> tuple[Event, ...]:
    """Answers, interruptions and backchannels of a person, and where both speak.

    Parameters
    ----------
    own, other : Voice
        The person and the other one.
    window : Window
        When.
    speaker : str, optional
        Whose they are.
    both_p : ndarray, shape (n,), optional
        Where one microphone heard both: the probability that both speak, of the frames of `own`; its mean is the
        score of an overlap, and what is said beside the other's speech is not told apart.

    Returns
    -------
    tuple of Event
        An answer's evidence has its latency in s, negative where it began before the other's turn had ended.
    """
    mine, theirs, unheard = own.spans(window), other.spans(window), own.unheard(window)
    found = [
        Event("overlap", "both_speak", a, b, None if both_p is None else own.mean(both_p, a, b), speaker=speaker)
        for a, b in both(_flat(mine), _flat(theirs))
    ]
    latency = {(min(b, c), max(b, c)): c - b for _, b, c, _ in exchanges(mine, theirs, unheard=unheard)}
    for kind, start, end in moments(mine, theirs, unheard=unheard):
        if both_p is not None and kind != "answer":
            continue
        evidence = {"latency_s": round(latency[start, end], 3)} if kind == "answer" else {}
        found.append(Event(kind, "talk", start, end, evidence=evidence, speaker=speaker))
    return tuple(found)


def _flat(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in joined(spans, join_s=0.0)]
