"""What a session's recorders hold that places their clocks, and what two of them say of each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import PurePosixPath

import numpy as np

from cueflow.schemas.results import Clues, FloatArray, StreamResult, Trace
from cueflow.schemas.session import Modality, Role, Stream
from cueflow.tasks.clock.clues import times_of
from cueflow.tasks.clock.jumps import JUMP_S, Shared, place_with_jumps
from cueflow.tasks.clock.lines import Offset, widened
from cueflow.tasks.clock.marks import marks_offset, nearest
from cueflow.tasks.clock.offsets import WITHIN_S, Track, beats_offset
from cueflow.tasks.clock.tracks import (
    FAR_S,
    between,
    extent,
    gathered,
    loudness_offset,
    movement_offset,
    track_fits,
)
from cueflow.tasks.ingest.formats.e4 import SENSORS

Key = tuple[str, str, str]
_BEATS = frozenset({"beat", "pulse"})
STAMP_S = 2.0
"""95 % of the difference of two recorders' clocks that were set by a network or by hand."""
_COARSE_S = 5.0  # stamps written more coarsely only say where to look
_WINDOW_S = 150.0  # in which beats or sound give a place of their own
_STILL_WINDOWS, _STILL_WINDOW_S = 6, (240.0, 600.0)  # the same of movement: people sit still for minutes
_MATCH_S = 0.05  # a beat that another recorder saw too
_BEAT_DOUBT = 2.5  # beats: some are lost, and some fit a wrong place
_TRACK_DOUBT = 10.0  # products of two tracks in standard deviations, whose neighbours are alike
_MOVED_DOUBT = 20.0  # the same of movement
_QUARTER_S = 900.0  # zones differ by quarters of an hour
_ZONES = 4 * 14  # of them, to either side


@dataclass(frozen=True, slots=True)
class _Way:
    """How much later than the heart's electric beat a sensor sees it, and the half-width of its 95 % interval, s."""

    delay_s: float
    spread_s: float


# Systolic peaks at finger and wrist come 0.15 to 0.45 s after the R peak, by age, pressure and site; a list of
# intervals does not say which of the two it was made from.
_WAYS: Mapping[Modality, _Way] = {
    Modality.ECG: _Way(0.0, 0.0),
    Modality.PPG: _Way(0.30, 0.15),
    Modality.INTERVALS: _Way(0.20, 0.25),
}
_LEADS_S = (
    0.02  # 95 % of how much later the main wave of one lead comes than that of another (benchmarks/clock.py leads)
)


@dataclass(frozen=True, slots=True)
class Recorder:
    """One clock: its streams, and what they hold, in s on it.

    `span` is the extent of what was recorded; beats by whose and which sensor's they are; movement by whose it is.
    """

    clock: str
    streams: tuple[Stream, ...] = ()
    span: tuple[float, float] = (0.0, 0.0)
    beats: Mapping[tuple[Role, Modality], FloatArray] = field(default_factory=dict)
    movement: Mapping[Role, Track] = field(default_factory=dict)
    sound: tuple[Track, ...] = ()
    marks_s: FloatArray = field(default_factory=lambda: np.zeros(0))
    began_s: float | None = None
    began_error_s: float = 0.0
    zoned: bool = False

    @property
    def declared(self) -> bool:
        """Whether the manifest says where it stands."""
        return any(s.start_s is not None for s in self.streams)

    def placed(self, place: Offset) -> Recorder:
        """The recorder with all that it holds on the session clock."""
        return replace(
            self,
            span=(float(place.at(self.span[0])), float(place.at(self.span[1]))),
            beats={who: place.at(beats) for who, beats in self.beats.items()},
            movement={who: (place.at(t), v) for who, (t, v) in self.movement.items()},
            sound=tuple((place.at(t), v) for t, v in self.sound),
            marks_s=place.at(self.marks_s),
            began_s=None if self.began_s is None else self.began_s - place.offset_s,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """What two recorders say of each other: places, whether anything could be compared, and whether stamps mislead.

    `zones`: the recordings meet, by their stamps, only or also where one of the clocks shows another zone's time.
    """

    places: tuple[Offset, ...]
    compared: bool
    zones: bool = False


def clock_of(stream: Stream) -> str:
    """Name of the recorder whose clock a stream has: its file, or the folder of an Empatica export.

    Parameters
    ----------
    stream : Stream
        As the manifest declares it.

    Returns
    -------
    str
    """
    path = PurePosixPath(stream.path)
    return f"{path.parent}/" if path.name.casefold() in SENSORS else stream.path


def recorders_of(results: Sequence[StreamResult], streams: Sequence[Stream]) -> tuple[Recorder, ...]:
    """The recorders of a session in the order of the manifest; streams of one file share a clock.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages.
    streams : sequence of Stream
        As the manifest declares them.

    Returns
    -------
    tuple of Recorder
    """
    grouped: dict[str, list[Stream]] = defaultdict(list)
    for stream in streams:
        grouped[clock_of(stream)].append(stream)
    return tuple(_recorder(clock, own, results) for clock, own in grouped.items())


def result_of(stream: Stream, results: Sequence[StreamResult]) -> StreamResult | None:
    """A stream's result; a room's only video gives those of the people in it.

    Parameters
    ----------
    stream : Stream
        As the manifest declares it.
    results : sequence of StreamResult
        Of all stages.

    Returns
    -------
    StreamResult or None
    """
    same = [r for r in results if (r.modality, r.channel) == (stream.modality, stream.channel) and r.findings]
    room = stream.modality is Modality.VIDEO and stream.role is Role.ROOM
    return next((r for r in same if r.role == stream.role), same[0] if same and room else None)


def _recorder(clock: str, streams: Sequence[Stream], results: Sequence[StreamResult]) -> Recorder:
    found = [(s, r) for s in streams if (r := result_of(s, results)) is not None]
    spans = [(r.findings.start_s, r.findings.end_s) for _, r in found if r.findings is not None]
    clues = [(s, r.clues or Clues()) for s, r in found]
    beats = {(s.role, s.modality): times for s, r in found if s.modality in _WAYS and len(times := _beats_of(r))}
    moving: dict[Role, list[tuple[Trace, ...]]] = defaultdict(list)
    for stream, clue in clues:
        if clue.movement and len(clue.movement[0].values):
            moving[stream.role].append(clue.movement)
    stamped = next((c for _, c in clues if c.began_s is not None), Clues())
    return Recorder(
        clock,
        tuple(streams),
        (min((a for a, _ in spans), default=0.0), max((b for _, b in spans), default=0.0)),
        beats,
        {role: _together(traces) for role, traces in moving.items()},
        tuple((times_of(c.sound), c.sound.values.astype(np.float64)) for _, c in clues if c.sound is not None),
        np.unique(np.concatenate([np.zeros(0), *(np.array(c.marks_s) for _, c in clues)])),
        stamped.began_s,
        stamped.began_error_s,
        stamped.zoned,
    )


def _beats_of(result: StreamResult) -> FloatArray:
    events = result.findings.events if result.findings is not None else ()
    return np.unique([e.start_s for e in events if e.kind in _BEATS])


def _together(streams: Sequence[tuple[Trace, ...]]) -> Track:
    """Movement along all axes of a sensor, (n,), or of the parts of a picture, (n, k)."""
    if len(streams[0]) > 1:
        return times_of(streams[0][0]), np.stack([t.values.astype(np.float64) for t in streams[0]], axis=1)
    n = min(len(trace.values) for (trace, *_) in streams)
    size = np.sqrt(sum(trace.values[:n].astype(np.float64) ** 2 for (trace, *_) in streams))
    return times_of(streams[0][0])[:n], np.asarray(size)


def compare(reference: Recorder, other: Recorder) -> Said:
    """Everything that two recorders say of where the other's clock stands on the reference's.

    Time stamps tell where to look, and are a place of their own where both are written to the second and no zone can
    be mistaken. Stamps whose recordings could only have met if one of the clocks shows another zone's time place
    nothing; what was shared is then looked for in every zone.

    Parameters
    ----------
    reference, other : Recorder
        The reference on the session clock.

    Returns
    -------
    Said
    """
    leads, stamps = _leads(reference, other)
    places: list[Offset] = []
    compared = False
    for lead_s in leads or (0.0,):
        moved = other.placed(Offset(lead_s, 0.0, 0.0, 0))
        around_s = None if not leads else min(STAMP_S + reference.began_error_s + other.began_error_s, FAR_S)
        for place, could in _shared(reference, moved, around_s):
            compared |= could
            if place is not None:
                places.append(place.after(lead_s))
    zones = {zones_off(reference, other, lead) for lead in leads}
    return Said(
        (*places, *((stamps,) if stamps is not None else ())), compared or stamps is not None, zones - {0.0} != set()
    )


def zones_off(reference: Recorder, other: Recorder, lead_s: float) -> float:
    """By how many hours the other's stamps are off where it stands at `lead_s`: 0 within seven minutes of its word.

    Parameters
    ----------
    reference, other : Recorder
        The reference on the session clock.
    lead_s : float
        The other's offset, s.

    Returns
    -------
    float
        In quarters of an hour; 0 where one of the two has no stamps.
    """
    if reference.began_s is None or other.began_s is None:
        return 0.0
    return round((_stamped_lead(reference, other) - lead_s) / _QUARTER_S) / 4.0


def _stamped_lead(reference: Recorder, other: Recorder) -> float:
    if reference.began_s is None or other.began_s is None:
        return 0.0
    return other.began_s - reference.began_s


def _leads(reference: Recorder, other: Recorder) -> tuple[tuple[float, ...], Offset | None]:
    """Where stamps say that the other recorder stands, in every zone in which the two meet; and the place they give."""
    if reference.began_s is None or other.began_s is None:
        return (), None
    lead = _stamped_lead(reference, other)
    error = reference.began_error_s + other.began_error_s
    if error > _COARSE_S:
        return ((lead,), None) if abs(lead) > FAR_S else ((), None)
    certain = reference.zoned and other.zoned
    zones = [0] if certain else sorted(range(-_ZONES, _ZONES + 1), key=abs)
    meeting = [k * _QUARTER_S for k in zones if _meet(reference, other, lead + k * _QUARTER_S, error)]
    if certain and not meeting:
        return (), None
    place = Offset(lead, 0.0, STAMP_S + error, 1, "time stamps") if meeting == [0.0] else None
    return tuple(lead + k for k in meeting), place


def _meet(reference: Recorder, other: Recorder, lead_s: float, error_s: float) -> bool:
    first, last = max(reference.span[0], other.span[0] + lead_s), min(reference.span[1], other.span[1] + lead_s)
    return last - first > -error_s


def _shared(reference: Recorder, other: Recorder, around_s: float | None) -> Iterator[tuple[Offset | None, bool]]:
    """Places by what both recorded; `around_s` is how far they may be from it, None where nobody knows."""
    near, far = (WITHIN_S, FAR_S) if around_s is None else (max(around_s, 5.0),) * 2
    for ((theirs, kind), known), ((whose, sensor), beats) in product(reference.beats.items(), other.beats.items()):
        if whose is theirs:
            yield _by_beats((kind, known), (sensor, beats), near), True
    for heard, sound in product(reference.sound, other.sound):
        yield _by_sound(heard, sound, far), True
    for (seer, seen), (whose, felt) in product(reference.movement.items(), other.movement.items()):
        if whose is seer or Role.ROOM in {whose, seer}:
            yield _by_movement(seen, felt, far), True
    if len(reference.marks_s) and len(other.marks_s):
        yield _by_marks(reference, other, far), True


def _by_marks(reference: Recorder, other: Recorder, within_s: float) -> Offset | None:
    known_s = reference.span if reference.span[1] > reference.span[0] else None  # events.csv has none
    spans = (other.span, known_s)
    return marks_offset(reference.marks_s, other.marks_s, within_s=within_s, extents_s=spans)


def _by_sound(reference: Track, other: Track, within_s: float) -> Offset | None:
    def place(first_s: float, last_s: float, lead_s: float | None) -> Offset | None:
        part = between(other, first_s, last_s)
        return _near(partial(loudness_offset, reference), part, within_s, lead_s)

    fits = track_fits(reference, other, 10.0)
    return place_with_jumps(Shared(place, fits, extent(other), _WINDOW_S, _TRACK_DOUBT, _TRACK_DOUBT))


def _by_movement(reference: Track, other: Track, within_s: float) -> Offset | None:
    if reference[1].ndim > 1 and other[1].ndim > 1:
        return None  # two cameras see the same hand in other parts of the picture
    if other[1].ndim > 1:
        found = _by_movement(other, reference, within_s)
        return None if found is None else found.inverse()

    first_s, last_s = extent(other)
    rough = movement_offset(reference, other, within_s=within_s)
    parts = reference if rough is None else gathered(reference, other, rough)
    middle_s = (first_s + last_s) / 2
    near_s = None if rough is None else float(rough.at(middle_s)) - middle_s

    def place(since_s: float, until_s: float, lead_s: float | None) -> Offset | None:
        part = between(other, since_s, until_s)
        return _near(partial(movement_offset, parts), part, within_s, near_s if lead_s is None else lead_s)

    window_s = float(np.clip((last_s - first_s) / _STILL_WINDOWS, *_STILL_WINDOW_S))
    fits = track_fits(parts, other, 5.0)
    return place_with_jumps(Shared(place, fits, (first_s, last_s), window_s, _MOVED_DOUBT, _MOVED_DOUBT))


def _near(find: Callable[..., Offset | None], other: Track, within_s: float, lead_s: float | None) -> Offset | None:
    """The place of a track, looked for near a lead where that is known."""
    if lead_s is None:
        return find(other, within_s=within_s)
    found = find((other[0] + lead_s, other[1]), within_s=min(within_s, JUMP_S))
    return None if found is None else found.after(lead_s)


def _by_beats(
    reference: tuple[Modality, FloatArray], other: tuple[Modality, FloatArray], within_s: float
) -> Offset | None:
    near, far = _WAYS[reference[0]], _WAYS[other[0]]
    electric = reference[0] is Modality.ECG and other[0] is Modality.ECG
    known, beats = reference[1], other[1]

    def place(first_s: float, last_s: float, _: float | None) -> Offset | None:
        return beats_offset(known, beats[(beats >= first_s) & (beats <= last_s)], within_s=within_s)

    def fits(found: Offset) -> tuple[FloatArray, FloatArray, FloatArray]:
        at = found.at(beats)
        inside = (at >= known[0]) & (at <= known[-1])
        return beats, (np.abs(nearest(known, at) - at) < _MATCH_S).astype(np.float64), inside.astype(np.float64)

    found = place_with_jumps(Shared(place, fits, (float(beats[0]), float(beats[-1])), _WINDOW_S, _BEAT_DOUBT))
    if found is None:
        return None
    spread = _LEADS_S if electric else float(np.hypot(near.spread_s, far.spread_s))
    later = far.delay_s - near.delay_s
    return widened(replace(found, offset_s=found.offset_s + later), spread)
