"""Recorders whose start the manifest does not give: found from the heart beats that another recorder saw too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from cueflow.schemas.results import Event, Findings, FloatArray, Series, StreamResult
from cueflow.schemas.session import Modality, Role, Stream
from cueflow.tasks.clock.offsets import Offset, beats_offset
from cueflow.tasks.ingest.formats.e4 import SENSORS

Key = tuple[str, str, str]
_BEATS = frozenset({"beat", "pulse"})


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
BEATING = frozenset(_WAYS)
"""Modalities whose recordings show single heart beats."""


def estimated_places(results: Sequence[StreamResult], streams: Sequence[Stream]) -> dict[Key, Offset]:
    """Where recorders without a declared start stand on the session clock.

    Streams of one file, or of one Empatica export, have one clock. The reference is a recorder with a declared start;
    where there is none, the first in the manifest that saw beats, which stays assumed.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages, computed with an assumed start of 0.
    streams : sequence of Stream
        As the manifest declares them.

    Returns
    -------
    dict
        Stream key to its place; nothing for streams that keep theirs because it is declared or cannot be told.
    """
    recorders: dict[tuple[str, str], list[Stream]] = defaultdict(list)
    for stream in streams:
        recorders[stream.role, clock_of(stream)].append(stream)
    beats = {(r.modality, r.role, r.channel): found for r in results if len(found := _beats(r))}
    places: dict[Key, Offset] = {}
    for (role, clock), own in recorders.items():
        if any(s.start_s is not None for s in own) or not any(s.key in beats for s in own):
            continue
        anchors = _anchors({c: group for (r, c), group in recorders.items() if r == role}, beats)
        if clock not in anchors and (place := _best(anchors, own, beats)) is not None:
            places.update(dict.fromkeys((s.key for s in own), place))
    return places


def moved(results: Sequence[StreamResult], places: Mapping[Key, Offset]) -> tuple[StreamResult, ...]:
    """Results on the session clock.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages.
    places : mapping
        From `estimated_places`.

    Returns
    -------
    tuple of StreamResult
        Extent, events, series and windows of the whole recording are moved. Windows of phases keep the times of the
        phase, by which tables are joined, though what was measured lies beside it by the offset.
    """
    return tuple(
        replace(r, findings=_moved(r.findings, place))
        if r.findings is not None and (place := _place_of(r, places)) is not None
        else r
        for r in results
    )


def _place_of(result: StreamResult, places: Mapping[Key, Offset]) -> Offset | None:
    """A room's only video gives results of the people in it: they lie where the room's stream does."""
    roles = (result.role, Role.ROOM) if result.modality == Modality.VIDEO else (result.role,)
    return next((p for role in roles if (p := places.get((result.modality, role, result.channel))) is not None), None)


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


def _beats(result: StreamResult) -> FloatArray:
    if result.modality not in _WAYS or result.findings is None:
        return np.zeros(0)
    return np.unique([e.start_s for e in result.findings.events if e.kind in _BEATS])


def _anchors(recorders: Mapping[str, Sequence[Stream]], beats: Mapping[Key, FloatArray]) -> dict[str, list[Stream]]:
    """Streams with beats by recorder, of those that others are placed on."""
    heard = {clock: [s for s in group if s.key in beats] for clock, group in recorders.items()}
    heard = {clock: group for clock, group in heard.items() if group}
    declared = {clock: group for clock, group in heard.items() if all(s.start_s is not None for s in group)}
    return declared or dict(list(heard.items())[:1])


def _best(
    anchors: Mapping[str, Sequence[Stream]], own: Sequence[Stream], beats: Mapping[Key, FloatArray]
) -> Offset | None:
    pairs = [(a, s) for group in anchors.values() for a in group for s in own if s.key in beats]
    found = [place for a, s in pairs if (place := _pair(a, s, beats)) is not None]
    return min(found, key=lambda place: place.uncertainty_s, default=None)


def _pair(anchor: Stream, other: Stream, beats: Mapping[Key, FloatArray]) -> Offset | None:
    near, far = _WAYS[anchor.modality], _WAYS[other.modality]
    electric = anchor.modality is Modality.ECG and other.modality is Modality.ECG
    return beats_offset(
        beats[anchor.key],
        beats[other.key],
        delay_s=far.delay_s - near.delay_s,
        delay_spread_s=0.0 if electric else float(np.hypot(near.spread_s, far.spread_s)),
    )


def _moved(findings: Findings, place: Offset) -> Findings:
    def at(time_s: float) -> float:
        return place.offset_s + time_s * (1.0 + 1e-6 * place.drift_ppm)

    shift = round(at((findings.start_s + findings.end_s) / 2) - (findings.start_s + findings.end_s) / 2)

    def event(e: Event) -> Event:
        return replace(e, start_s=at(e.start_s), end_s=at(e.end_s))

    return replace(
        findings,
        start_s=at(findings.start_s),
        end_s=at(findings.end_s),
        measures=tuple(
            replace(m, window=replace(m.window, start_s=at(m.window.start_s), end_s=at(m.window.end_s)))
            if m.window.phase == "session"
            else m
            for m in findings.measures
        ),
        events=tuple(event(e) for e in findings.events),
        series=tuple(Series(s.name, s.t_s + shift, s.values) for s in findings.series),
    )
