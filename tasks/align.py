"""Put what the stages found on one session clock: extent, coverage per stage, one grid of seconds, sync records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from cueflow.schemas.results import Aligned, FloatArray, StreamResult, SyncRecord
from cueflow.schemas.session import Group, Modality, Role, Stream
from cueflow.tasks.clock.offsets import Offset
from cueflow.tasks.clock.place import BEATING, Key, clock_of

_NONE: Mapping[Key, Offset] = MappingProxyType({})


def align(
    results: Sequence[StreamResult], streams: Sequence[Stream], *, places: Mapping[Key, Offset] = _NONE
) -> Aligned:
    """Align the results of a session's streams.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages; those without findings take no part.
    streams : sequence of Stream
        As the manifest declares them.
    places : mapping, optional
        Stream key to the place that was estimated for it; the results stand there already.

    Returns
    -------
    Aligned
        With zero extent where nothing was found.
    """
    found = [(r, r.findings) for r in results if r.findings is not None]
    start = min((f.start_s for _, f in found), default=0.0)
    end = max((f.end_s for _, f in found), default=0.0)
    coverage = dict.fromkeys(Group, 0.0)
    for result, f in found:
        share = (f.end_s - f.start_s) * f.coverage / (end - start) if end > start else 0.0
        group = Modality(result.modality).group
        coverage[group] = max(coverage[group], min(share, 1.0))
    reference = _reference(streams, places)
    return Aligned(
        start_s=start,
        end_s=end,
        coverage=coverage,
        grid={
            role: _grid(of_role, start, end) for role in Role if (of_role := [r for r, _ in found if r.role == role])
        },
        sync=tuple(_sync(s, places.get(s.key), alone=clock_of(s) == reference) for s in streams),
    )


def _grid(results: Sequence[StreamResult], start_s: float, end_s: float) -> tuple[FloatArray, dict[str, FloatArray]]:
    first = int(np.floor(start_s))
    seconds = np.arange(first, max(int(np.ceil(end_s)), first + 1), dtype=np.float64)
    columns: dict[str, FloatArray] = {}
    for result in results:
        for series in result.findings.series if result.findings else ():
            if series.name in columns:
                continue  # a second stream of the same kind: the first in the manifest speaks for the role
            column = np.full(len(seconds), np.nan)
            at = np.round(series.t_s).astype(np.int64) - first
            inside = (at >= 0) & (at < len(seconds))
            column[at[inside]] = series.values[inside]
            columns[series.name] = column
    return seconds, columns


def _reference(streams: Sequence[Stream], places: Mapping[Key, Offset]) -> str | None:
    """The recorder whose clock is the session's where the manifest gives no start: the one others were placed on."""
    if any(s.start_s is not None for s in streams):
        return None
    clocks = list(dict.fromkeys(clock_of(s) for s in streams))
    if len(clocks) == 1:
        return clocks[0]
    placed = {clock_of(s) for s in streams if s.key in places}
    hearts = [clock_of(s) for s in streams if s.modality in BEATING and clock_of(s) not in placed]
    return hearts[0] if placed and hearts else None


def _sync(stream: Stream, place: Offset | None, *, alone: bool) -> SyncRecord:
    declared = stream.start_s is not None
    if place is not None:
        return SyncRecord(
            modality=stream.modality,
            role=stream.role,
            channel=stream.channel,
            offset_s=place.offset_s,
            uncertainty_s=place.uncertainty_s,
            source="estimated",
            drift_ppm=place.drift_ppm,
            method=place.method,
        )
    return SyncRecord(
        modality=stream.modality,
        role=stream.role,
        channel=stream.channel,
        offset_s=stream.start_s or 0.0,
        uncertainty_s=None,
        source="declared" if declared else "reference" if alone else "unsynchronised",
    )
