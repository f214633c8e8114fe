"""What was found on the recorders' own clocks, on the session's; and the session's spans on a recorder's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, Measure, Series, StreamResult, Window
from cueflow.schemas.session import Cut, Exclusion, Marker, Modality, Role, Stream
from cueflow.tasks.clock.evidence import Key, clock_of
from cueflow.tasks.clock.lines import Offset

_Span = TypeVar("_Span", Marker, Exclusion)
_BESIDE_S = 1.0  # that a phase may lie beside what was measured in it


def cuts_of(
    places: Mapping[Key, Offset],
    streams: Sequence[Stream],
    *,
    markers: Sequence[Marker],
    exclusions: Sequence[Exclusion],
) -> dict[str, Cut]:
    """The session's phases and exclusions on the clocks of recorders that stand elsewhere than they were assumed to.

    Parameters
    ----------
    places : mapping
        From `place_recorders`.
    streams : sequence of Stream
        As the manifest declares them.
    markers : sequence of Marker
        Rows of events.csv.
    exclusions : sequence of Exclusion
        Spans to leave out.

    Returns
    -------
    dict
        By clock; empty where no span of the session lies more than a second beside where it was cut.
    """
    every: list[Marker | Exclusion] = [*markers, *exclusions]
    spans = [(x.onset_s, x.onset_s + x.duration_s) for x in every if x.duration_s > 0]
    found = {clock_of(s): places[s.key] for s in streams if s.key in places}
    return {
        clock: Cut(tuple(_shown(place, m) for m in markers), tuple(_shown(place, x) for x in exclusions))
        for clock, place in found.items()
        if any(is_elsewhere(place, *span) for span in spans)
    }


def _shown(place: Offset, span: _Span) -> _Span:
    onset_s, end_s = place.shown(span.onset_s), place.shown(span.onset_s + span.duration_s)
    return replace(span, onset_s=onset_s, duration_s=end_s - onset_s)


def moved(
    results: Sequence[StreamResult], places: Mapping[Key, Offset], *, phases: Sequence[Window] | None = None
) -> tuple[StreamResult, ...]:
    """Results on the session clock.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages.
    places : mapping
        From `place_recorders`.
    phases : sequence of Window, optional
        Of the session, where the results were cut on the recorder's own clock (`cuts_of`).

    Returns
    -------
    tuple of StreamResult
        Extent, events, series and windows of the whole recording are moved. Windows of phases get the times of the
        phase, by which tables are joined. What was not cut on the recorder's own clock, and was measured more than a
        second beside its phase, loses its value (spans_elsewhere).
    """
    return tuple(
        replace(r, findings=_moved(r.findings, place, phases))
        if r.findings is not None and (place := _place_of(r, places)) is not None
        else r
        for r in results
    )


def _place_of(result: StreamResult, places: Mapping[Key, Offset]) -> Offset | None:
    """A room's only video gives results of the people in it: they lie where the room's stream does."""
    roles = (result.role, Role.ROOM) if result.modality == Modality.VIDEO else (result.role,)
    return next((p for role in roles if (p := places.get((result.modality, role, result.channel))) is not None), None)


def _moved(findings: Findings, place: Offset, phases: Sequence[Window] | None) -> Findings:
    def at(time_s: float) -> float:
        return float(place.at(time_s))

    def event(e: Event) -> Event:
        return replace(e, start_s=at(e.start_s), end_s=at(e.end_s))

    return replace(
        findings,
        start_s=at(findings.start_s),
        end_s=at(findings.end_s),
        measures=tuple(
            replace(m, window=replace(m.window, start_s=at(m.window.start_s), end_s=at(m.window.end_s)))
            if m.window.phase == "session"
            else (_kept(m, place) if phases is None else replace(m, window=_phase(m.window, place, phases)))
            for m in findings.measures
        ),
        events=tuple(event(e) for e in findings.events),
        series=tuple(_moved_series(s, place) for s in findings.series),
    )


def is_elsewhere(place: Offset, start_s: float, end_s: float) -> bool:
    """Whether a recorder stands so far from where it was assumed that spans of the session were cut wrongly.

    Parameters
    ----------
    place : Offset
        Of its clock.
    start_s, end_s : float
        The span, s.

    Returns
    -------
    bool
    """
    ends = np.array([start_s, end_s])
    return float(np.abs(place.at(ends) - ends).max()) > _BESIDE_S


def _phase(window: Window, place: Offset, phases: Sequence[Window]) -> Window:
    """The phase that a window on the recorder's clock is: of those that are called so, the nearest."""
    start_s = float(place.at(window.start_s))
    return min((p for p in phases if p.phase == window.phase), key=lambda p: abs(p.start_s - start_s))


def _kept(measure: Measure, place: Offset) -> Measure:
    if not is_elsewhere(place, measure.window.start_s, measure.window.end_s):
        return measure
    return Measure(measure.biomarker, measure.window, None, Status.ABSENT, Reason.SPANS_ELSEWHERE, 0.0, 0.0,
                   speaker=measure.speaker)  # fmt: skip


def _moved_series(series: Series, place: Offset) -> Series:
    """Seconds stay whole; where a clock that ran late puts two in one place, the first stays."""
    seconds, first = np.unique(np.round(place.at(series.t_s)), return_index=True)
    return Series(series.name, seconds, series.values[first])
