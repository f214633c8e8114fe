"""Recorders whose start the manifest does not give: placed by what others recorded too, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import StreamResult
from cueflow.schemas.session import Marker, Modality, Role, Stream
from cueflow.tasks.clock.evidence import Key, Recorder, Said, clock_of, compare, recorders_of, zones_off
from cueflow.tasks.clock.lines import Offset

_HERE = Offset(0.0, 0.0, 0.0, 0)
_TALK_S = 0.1  # who answers whom, and how fast, needs clocks known to that


@dataclass(frozen=True, slots=True)
class Places:
    """Where the streams of a session stand.

    `found` holds the places that were estimated, by stream key; `reasons` why a stream has none, or what is odd about
    the one it has; `reference` names the recorder whose clock is the session's where the manifest gives no start;
    `groups` numbers, from 1 on, the streams that were placed on one another but not on the session: the first recorder
    of a group is taken to start with it, and the others' places in `found` are on that one's clock.
    """

    found: Mapping[Key, Offset] = field(default_factory=dict)
    reasons: Mapping[Key, Reason] = field(default_factory=dict)
    reference: str | None = None
    groups: Mapping[Key, int] = field(default_factory=dict)


def needs_clues(streams: Sequence[Stream]) -> bool:
    """Whether a clock has to be placed: there are several, and the manifest does not say where all of them stand.

    Parameters
    ----------
    streams : sequence of Stream
        Of a session.

    Returns
    -------
    bool
    """
    declared = {clock_of(s) for s in streams if s.start_s is not None}
    clocks = {clock_of(s) for s in streams}
    return len(clocks) > 1 and declared != clocks


def place_recorders(
    results: Sequence[StreamResult], streams: Sequence[Stream], *, markers: Sequence[Marker] = ()
) -> Places:
    """Where recorders without a declared start stand on the session clock.

    One recorder after another is placed on those that have a place, the surest first, by the method with the smallest
    interval: time stamps, sound, movement, heart beats, marks. Recorders with a declared start, and the marks of
    events.csv, are where it begins; where there are none, it is the first recorder on which another can be placed.
    Those that are left may hold something that others of them hold too: they are placed on one another (`groups`).

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages, computed with an assumed start of 0.
    streams : sequence of Stream
        As the manifest declares them.
    markers : sequence of Marker, optional
        Rows of events.csv, which lie on the session clock.

    Returns
    -------
    Places
    """
    recorders = recorders_of(results, streams)
    if len({clock_of(s) for s in streams}) == 1 and not any(s.start_s is not None for s in streams):
        return Places(reference=recorders[0].clock)
    declared = [r for r in recorders if r.declared]
    waiting = [r for r in recorders if not r.declared]
    noted = np.unique([m.onset_s for m in markers if m.kind != "action"])
    table = _Table()
    if not declared:
        groups = list(_groups(waiting, table))
        first, places = groups[0] if groups else (None, {})
        return _described(recorders, places, table, groups=groups[1:], reference=first.clock if first else None)
    anchors = [*declared, Recorder("", marks_s=noted)] if len(noted) else declared
    places = _grown(anchors, waiting, table)
    left = [r for r in waiting if r.clock not in places]
    return _described(recorders, places, table, groups=list(_groups(left, table)))


def microphones_apart(results: Sequence[StreamResult], streams: Sequence[Stream]) -> Offset | None:
    """Where the clock of the clinician's microphone stands on that of the patient's.

    Parameters
    ----------
    results : sequence of StreamResult
        Of the sound recordings.
    streams : sequence of Stream
        As the manifest declares them.

    Returns
    -------
    Offset or None
        No difference where they are one recorder, or the manifest says both starts; None where neither sound nor stamps
        tell it to a tenth of a second.
    """
    own = [s for s in streams if s.modality is Modality.AUDIO and s.role is not Role.ROOM]
    if len({clock_of(s) for s in own}) < 2 or all(s.start_s is not None for s in own):
        return _HERE
    by_role = {s.role: r for r in recorders_of(results, own)[::-1] for s in r.streams}
    if not {Role.PATIENT, Role.CLINICIAN} <= by_role.keys():
        return _HERE
    said = compare(by_role[Role.PATIENT], by_role[Role.CLINICIAN])
    found = min(said.places, key=lambda place: place.uncertainty_s, default=None)
    return found if found is not None and found.uncertainty_s <= _TALK_S else None


class _Table:
    """What pairs of recorders say of each other, each asked once; the reference may have moved between."""

    def __init__(self) -> None:
        self.said: dict[tuple[str, str], Said] = {}
        self.zones: set[str] = set()

    def ask(self, reference: Recorder, other: Recorder) -> Said:
        key = (reference.clock, other.clock)
        if key not in self.said:
            self.said[key] = compare(reference, other)
        return self.said[key]


def _grown(anchors: Sequence[Recorder], waiting: Sequence[Recorder], table: _Table) -> dict[str, Offset]:
    """Places by clock, the surest first; the uncertainty of an anchor is part of that of what is placed on it."""
    known = [(anchor, _HERE) for anchor in anchors]
    left, places = list(waiting), dict[str, Offset]()
    asked = _Table()
    while left:
        offers = [
            (float(np.hypot(place.uncertainty_s, own.uncertainty_s)), place, anchor, other)
            for anchor, own in known
            for other in left
            for place in asked.ask(anchor, other).places
        ]
        if not offers:
            break
        uncertainty, place, anchor, other = min(offers, key=lambda offer: offer[0])
        place = replace(place, uncertainty_s=uncertainty)
        places[other.clock] = place
        if zones_off(anchor, other, place.offset_s):
            asked.zones.add(other.clock)
        known.append((other.placed(place), place))
        left.remove(other)
    table.said.update(asked.said)
    table.zones |= asked.zones
    return places


_Group = tuple[Recorder, dict[str, Offset]]


def _groups(waiting: Sequence[Recorder], table: _Table) -> Iterator[_Group]:
    """Recorders that can be placed on one another: the first of each group, and the places of the others on it."""
    taken: set[str] = set()
    for first in waiting:
        others = [r for r in waiting if r is not first and r.clock not in taken]
        grown = {} if first.clock in taken else _grown([first], others, table)
        if grown:
            taken |= {first.clock, *grown}
            yield first, grown


def _described(
    recorders: Sequence[Recorder],
    places: Mapping[str, Offset],
    table: _Table,
    *,
    groups: Sequence[_Group],
    reference: str | None = None,
) -> Places:
    number = {clock: k for k, (first, grown) in enumerate(groups, 1) for clock in (first.clock, *grown)}
    known = dict(places)
    for _, grown in groups:
        known |= grown
    return Places(
        {s.key: known[r.clock] for r in recorders if r.clock in known for s in r.streams},
        {
            s.key: why
            for r in recorders
            if not r.declared and r.clock != reference and (why := _why(r.clock, places, table, number)) is not None
            for s in r.streams
        },
        reference,
        {s.key: number[r.clock] for r in recorders if r.clock in number for s in r.streams},
    )


def _why(clock: str, places: Mapping[str, Offset], table: _Table, group: Mapping[str, int]) -> Reason | None:
    """Why a recorder has no place on the session clock, or what is odd about it; its own group tells nothing of it."""
    if clock in table.zones:
        return Reason.LOCAL_TIME
    if clock in places:
        return None
    pairs = [(pair, said) for pair, said in table.said.items() if clock in pair]
    said = [s for (one, other), s in pairs if group.get(one, -1) != group.get(other, -2)]
    if any(s.zones for s in said):
        return Reason.LOCAL_TIME
    return Reason.PLACE_UNCLEAR if any(s.compared for s in said) else Reason.NOTHING_SHARED


def apart(results: Sequence[StreamResult]) -> Iterator[Key]:
    """Keys of recordings that do not overlap with any other one of their session, where most of the others do.

    Parameters
    ----------
    results : sequence of StreamResult
        On the session clock.

    Yields
    ------
    tuple of str
    """
    spans = {(r.modality, r.role, r.channel): r.findings for r in results if r.findings is not None}
    meets = {
        key: sum(f.start_s < g.end_s and g.start_s < f.end_s for other, g in spans.items() if other != key)
        for key, f in spans.items()
    }
    most = max(meets.values(), default=0)
    if len(spans) > 1:
        yield from (key for key, count in meets.items() if 2 * count < most or not count)
