"""When everybody was there, as events: the track time line."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import Event
from cueflow.tasks.video.people.cast import Sightings
from cueflow.tasks.video.people.roles import LOOK_MAX_S, look_seconds

JOIN_S = 2.0  # somebody missed at looks for less than this was there all the time


def presence_rows(sightings: Sightings, person: int | None) -> list[Event]:
    """Spans in which each person was seen.

    Parameters
    ----------
    sightings : Sightings
        On the session clock.
    person : int or None
        The person of the values beside these events; others are told apart by number.

    Returns
    -------
    list of Event
        Kind `presence`; label `self`, or `person` and a number that means nothing outside this recording.
    """
    spans = dict(zip(sightings.looks_s.tolist(), look_seconds(sightings.looks_s).tolist(), strict=True))
    rows: list[Event] = []
    for who in np.unique(sightings.person[sightings.person >= 0]):
        times = np.unique(sightings.times_s[sightings.person == who])
        breaks = np.flatnonzero(np.diff(times) > LOOK_MAX_S + JOIN_S) + 1
        label = "self" if who == person else f"person {who}"
        for part in np.split(times, breaks):
            end = float(part[-1]) + spans.get(float(part[-1]), 0.0)
            rows.append(Event("presence", label, float(part[0]), end, None, {"looks": float(len(part))}))
    return rows
