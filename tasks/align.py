"""Put what the stages found on one session clock: extent, coverage per stage, one grid of seconds, sync records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Aligned, FloatArray, StreamResult, SyncRecord
from cueflow.schemas.session import Group, Modality, Role, Stream
from cueflow.tasks.clock.evidence import Key, clock_of, result_of
from cueflow.tasks.clock.place import Places, apart

_NOWHERE = Places()


def align(results: Sequence[StreamResult], streams: Sequence[Stream], *, places: Places = _NOWHERE) -> Aligned:
    """Align the results of a session's streams.

    Parameters
    ----------
    results : sequence of StreamResult
        Of all stages; those without findings take no part.
    streams : sequence of Stream
        As the manifest declares them.
    places : Places, optional
        From `place_recorders`; the results stand there already.

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
    lonely = set(apart(results))
    return Aligned(
        start_s=start,
        end_s=end,
        coverage=coverage,
        grid={
            role: _grid(of_role, start, end) for role in Role if (of_role := [r for r, _ in found if r.role == role])
        },
        sync=tuple(_sync(s, places, lonely=_key_of(s, results) in lonely) for s in streams),
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


def _key_of(stream: Stream, results: Sequence[StreamResult]) -> Key | None:
    found = result_of(stream, results)
    return None if found is None else (found.modality, found.role, found.channel)


def _sync(stream: Stream, places: Places, *, lonely: bool) -> SyncRecord:
    place = places.found.get(stream.key)
    group = places.groups.get(stream.key, 0)
    declared, alone, placed = stream.start_s is not None, clock_of(stream) == places.reference, place and not group
    source = "declared" if declared else "reference" if alone else "estimated" if placed else "unsynchronised"
    reason = places.reasons.get(stream.key)
    if lonely and source in {"declared", "estimated"}:
        reason = Reason.NO_OVERLAP
    record = SyncRecord(
        modality=stream.modality,
        role=stream.role,
        channel=stream.channel,
        offset_s=stream.start_s or 0.0,
        uncertainty_s=None,
        source=source,
        reason=reason,
        group=group,
    )
    if place is None:
        return record
    return replace(
        record,
        offset_s=place.offset_s,
        uncertainty_s=place.uncertainty_s,
        drift_ppm=place.drift_ppm,
        method=place.method,
        jumps=tuple((float(place.at(j.at_s)), j.by_s, j.within_s) for j in place.jumps),
    )
