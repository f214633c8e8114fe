"""Talk between two people who have a recording each: whose voice either one hears, and how they take turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice_turns as vt
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import FloatArray, Heard, Measure, StreamResult, Window
from cueflow.schemas.session import Role
from cueflow.tasks.audio.dialogue import Voice, talk_events, talk_measures
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.people import introduced, matched, renamed
from cueflow.tasks.clock.lines import Offset

Flags = NDArray[np.bool_]

SAME_CLOCK = Offset(0.0, 0.0, 0.0, 0)
_SCRAP = 10  # frames
_STANDS_OUT, _DEEPEST_DB = 0.8, -50.0  # of the way down from a person's usual level to the noise
_BLEED_DB = 10.0  # this much further below its own usual level than the other: the other's voice, heard from afar
_TURNS = frozenset(b.name for b in vt.VOICE_TURNS)


def between_recordings(
    results: Sequence[StreamResult], *, place: Offset | None = SAME_CLOCK
) -> tuple[StreamResult, ...]:
    """Put together what several recordings of one session heard.

    Where patient and clinician have a recording each, turn taking is measured between them; a voice that one microphone
    hears from afar counts for the other one. Speakers of a room get their role where their voice print is that of a
    person with an own recording. Those who are heard beside a person get that person's role before their name
    (`clinician_s2`), so that they are not taken for others of the same name.

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
    found = [_told_apart(result) for result in results] if len(results) > 1 else list(results)
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
    doubt = Reason.SEVERAL_SPEAKERS if any(_is_mixed(found[i]) for i in (patient, clinician)) else None
    found[patient] = _with_turns(found[patient], *_apart(ours, heard_on(theirs, place)), doubt=doubt)
    found[clinician] = _with_turns(found[clinician], *_apart(theirs, heard_on(ours, place, back=True)), doubt=doubt)
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


def _told_apart(result: StreamResult) -> StreamResult:
    if result.findings is None or result.role == Role.ROOM:
        return result
    names = {one.speaker: f"{result.role}_{one.speaker}" for one in result.findings.speakers}
    return replace(result, findings=renamed(result.findings, names))


def _is_mixed(result: StreamResult) -> bool:
    """Whether several speak in a person's recording, and nobody knows who of them the person is."""
    speakers = result.findings.speakers if result.findings else ()
    return bool(speakers) and not any(one.role for one in speakers)


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


def _with_turns(result: StreamResult, voice: Voice, partner: Voice, *, doubt: Reason | None) -> StreamResult:
    found = result.findings
    if found is None:
        return result
    windows = dict.fromkeys(m.window for m in found.measures)
    kept = [m for m in found.measures if m.biomarker not in _TURNS or m.speaker]
    whole = Window(voice.start_s, voice.start_s + len(voice.used) * FRAME_S)
    times = voice.start_s + (np.arange(len(voice.used)) + 0.5) * FRAME_S
    for window in windows:
        inside = voice.used & (times >= window.start_s) & (times < window.end_s)
        made = talk_measures(voice, partner, window, observed_s=float(inside.sum()) * FRAME_S)
        kept += [_doubted(m, doubt) for m in made]
    events = sorted([*found.events, *talk_events(voice, partner, whole)], key=lambda event: event.start_s)
    return replace(result, findings=replace(found, measures=tuple(kept), events=tuple(events)))


def _doubted(measure: Measure, doubt: Reason | None) -> Measure:
    """A value that would be ok, with what is wrong; one that is missing or marked has a reason already."""
    if doubt is None or measure.status is not Status.OK:
        return measure
    return replace(measure, status=Status.LOW_QUALITY, reason=doubt)
