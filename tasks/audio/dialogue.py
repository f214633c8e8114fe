"""Talk between two people: turn taking, entrainment and their events, in one recording or between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice_turns as vt
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Heard, Measure, StreamResult, Window
from cueflow.schemas.session import Role
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.following import following
from cueflow.tasks.audio.talk.people import introduced, matched
from cueflow.tasks.audio.talk.turns import both, exchanges, joined, moments, turn_taking
from cueflow.tasks.clock.lines import Offset

Flags = NDArray[np.bool_]

SAME_CLOCK = Offset(0.0, 0.0, 0.0, 0)
_SCRAP = 10  # frames
_STANDS_OUT, _DEEPEST_DB = 0.8, -50.0  # of the way down from a person's usual level to the noise
_BLEED_DB = 10.0  # this much further below its own usual level than the other: the other's voice, heard from afar
BESIDE = ("turn_interruption", "turn_backchannel")
"""Measures of what is said while the other speaks: one microphone loses most of it."""
OVER, LATENCY = "turn_overlap", "turn_latency"
"""What one microphone tells roughly: a tenth of a second, and four in five moments."""
_TURNS = frozenset(b.name for b in vt.VOICE_TURNS)


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


def between_recordings(
    results: Sequence[StreamResult], *, place: Offset | None = SAME_CLOCK
) -> tuple[StreamResult, ...]:
    """Put together what several recordings of one session heard.

    Where patient and clinician have a recording each, turn taking is measured between them; a voice that one microphone
    hears from afar counts for the other one. Speakers of a room get their role where their voice print is that of a
    person with an own recording.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all audio streams, with `heard`.
    place : Offset, optional
        Of the clinician's clock on the patient's; None where it is not known: then nobody knows who answered whom.

    Returns
    -------
    tuple of StreamResult
        In the same order; each on its own clock, as before.
    """
    found = list(results)
    own = {
        role: next((i for i, r in enumerate(found) if _is_own(r, role)), None)
        for role in (Role.PATIENT, Role.CLINICIAN)
    }
    known = {role.value: _print_of(found[i]) for role, i in own.items() if i is not None}
    for i, result in enumerate(found):
        if result.findings is not None and result.role == Role.ROOM:
            found[i] = _named(result, {role: p for role, p in known.items() if len(p)})
    patient, clinician = own[Role.PATIENT], own[Role.CLINICIAN]
    if patient is None or clinician is None:
        return tuple(found)
    if place is None:
        found[patient], found[clinician] = (_without_turns(found[i]) for i in (patient, clinician))
        return tuple(found)
    ours, theirs = _heard(found[patient]), _heard(found[clinician])
    found[patient] = _with_turns(found[patient], *_apart(ours, heard_on(theirs, place)))
    found[clinician] = _with_turns(found[clinician], *_apart(theirs, heard_on(ours, place, back=True)))
    return tuple(found)


def heard_on(heard: Heard, place: Offset, *, back: bool = False) -> Heard:
    """What was heard, on another recorder's clock.

    Parameters
    ----------
    heard : Heard
        On its own clock.
    place : Offset
        Of its clock on the other one.
    back : bool, optional
        True where `place` is that of the other's clock on its own.

    Returns
    -------
    Heard
        Frames of a time that the clock left out when it jumped cannot be used.
    """
    if place == SAME_CLOCK:
        return heard
    times = np.asarray(heard.start_s + (np.arange(len(heard.speech)) + 0.5) * FRAME_S, dtype=np.float64)
    if back:
        around = abs(place.offset_s) + sum(abs(jump.by_s) for jump in place.jumps) + 1.0
        theirs = np.asarray(np.arange(times[0] - around, times[-1] + around, FRAME_S), dtype=np.float64)
        moved = np.interp(times, np.maximum.accumulate(place.at(theirs)), theirs)
    else:
        moved = np.maximum.accumulate(place.at(times))
    grid = np.arange(moved[0], moved[-1] + FRAME_S / 2, FRAME_S)
    from_frame = np.clip(np.round(np.interp(grid, moved, np.arange(len(moved)))).astype(np.int64), 0, len(moved) - 1)
    near = np.abs(moved[from_frame] - grid) <= FRAME_S
    return replace(
        heard,
        start_s=float(grid[0]) - 0.5 * FRAME_S,
        speech=heard.speech[from_frame] & near,
        anyone=heard.anyone[from_frame] & near,
        used=heard.used[from_frame] & near,
        level_db=heard.level_db[from_frame],
        f0_hz=heard.f0_hz[from_frame],
    )


def _without_turns(result: StreamResult) -> StreamResult:
    """What one microphone heard of both stays; what it did not hear has another reason than a lonely speaker."""
    found = result.findings
    if found is None:
        return result
    measures = (
        replace(m, reason=Reason.UNSYNCHRONISED) if m.reason is Reason.ONE_SPEAKER and not m.speaker else m
        for m in found.measures
    )
    return replace(result, findings=replace(found, measures=tuple(measures)))


def _is_own(result: StreamResult, role: Role) -> bool:
    found = result.findings
    return result.role == role and found is not None and found.heard is not None and bool(found.heard.speech.any())


def _heard(result: StreamResult) -> Heard:
    if result.findings is None or result.findings.heard is None:
        raise ValueError("the recording was not heard")
    return result.findings.heard


def _print_of(result: StreamResult) -> FloatArray:
    """Voice print of the one person; empty where it is not one."""
    prints = _heard(result).prints
    return np.asarray(prints[0] if len(prints) == 1 else np.empty(0))


def _named(result: StreamResult, known: dict[str, FloatArray]) -> StreamResult:
    found = result.findings
    if found is None or found.heard is None or not found.speakers:
        return result
    roles = matched(found.heard.prints, found.speakers, known)
    return replace(result, findings=replace(found, speakers=roles, events=introduced(found.events, roles)))


def _apart(one: Heard, two: Heard) -> tuple[Voice, Voice]:
    """Both on one grid, each where it was its microphone's own and louder, for that person, than on the other one."""
    start_s = min(one.start_s, two.start_s)
    shifts = [round((h.start_s - start_s) / FRAME_S) for h in (one, two)]
    n = max(shift + len(h.speech) for shift, h in zip(shifts, (one, two), strict=True))
    wide = [_on_grid(heard, shift, n) for shift, heard in zip(shifts, (one, two), strict=True)]
    usual = [heard.level_db - np.median(heard.level_db[heard.speech]) for heard in wide]
    used = wide[0].used & wide[1].used
    mine, theirs = (
        Voice(
            start_s,
            _whole(_above_noise(wide[i], usual[i]) & (usual[i] > usual[1 - i] - _BLEED_DB)) & used,
            used,
            wide[i].level_db,
            wide[i].f0_hz,
        )
        for i in (0, 1)
    )
    return mine, theirs


def _on_grid(heard: Heard, shift: int, n: int) -> Heard:
    return replace(
        heard,
        speech=_wide(heard.speech, shift, n, fill=False),
        anyone=_wide(heard.anyone, shift, n, fill=False),
        used=_wide(heard.used, shift, n, fill=False),
        level_db=_wide(heard.level_db, shift, n, fill=-120.0),
        f0_hz=_wide(heard.f0_hz, shift, n, fill=np.nan),
    )


def _above_noise(heard: Heard, usual_db: NDArray[np.floating]) -> Flags:
    """The person's speech where it stands out of the recording's own noise: between voices there may be none."""
    silence = usual_db[heard.used & ~heard.anyone]
    noise_db = float(np.median(silence)) if len(silence) else -np.inf
    return np.asarray(heard.speech & (usual_db > _STANDS_OUT * max(noise_db, _DEEPEST_DB)))


def _whole(speech: Flags) -> Flags:
    """Without gaps and scraps of under .1 s, which comparing levels frame by frame leaves."""
    out = speech.copy()
    for value in (False, True):
        for first, last in runs(out == value):
            if first > 0 and last < len(out) and last - first < _SCRAP:
                out[first:last] = not value
    return out


def _wide(track: NDArray[np.generic], shift: int, n: int, *, fill: float) -> NDArray:  # type: ignore[type-arg]
    out = np.full(n, fill, dtype=track.dtype)
    out[shift : shift + len(track)] = track
    return out


def _with_turns(result: StreamResult, voice: Voice, partner: Voice) -> StreamResult:
    found = result.findings
    if found is None:
        return result
    windows = dict.fromkeys(m.window for m in found.measures)
    kept = [m for m in found.measures if m.biomarker not in _TURNS or m.speaker]
    whole = Window(voice.start_s, voice.start_s + len(voice.used) * FRAME_S)
    times = voice.start_s + (np.arange(len(voice.used)) + 0.5) * FRAME_S
    for window in windows:
        inside = voice.used & (times >= window.start_s) & (times < window.end_s)
        kept += talk_measures(voice, partner, window, observed_s=float(inside.sum()) * FRAME_S)
    events = sorted([*found.events, *talk_events(voice, partner, whole)], key=lambda event: event.start_s)
    return replace(result, findings=replace(found, measures=tuple(kept), events=tuple(events)))
