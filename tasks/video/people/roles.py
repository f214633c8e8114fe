"""Who of the people in a recording it is about: by a reference photograph, or by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.config import PersonRule
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.people.cast import Sightings
from cueflow.tasks.video.people.roster import SAME, Person

MIN_LOOKS = 2  # somebody seen at a single look of many is not yet a person
LOOK_MAX_S = 1.5  # a look stands for at most so much time
BY_REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Appearance:
    """How somebody appears over a recording: seconds seen, median side of the face, median place from left to right."""

    person: int
    seconds: float
    size: float
    x: float


def appearances(sightings: Sightings) -> tuple[Appearance, ...]:
    """Everybody in a recording, the most present first.

    Parameters
    ----------
    sightings : Sightings
        Who was seen at each look.

    Returns
    -------
    tuple of Appearance
    """
    spans = look_seconds(sightings.looks_s)
    found = []
    for person in np.unique(sightings.person[sightings.person >= 0]):
        chosen = sightings.person == person
        looks = np.isin(sightings.looks_s, sightings.times_s[chosen])
        if looks.sum() < min(MIN_LOOKS, len(spans)):
            continue
        size, x = float(np.median(sightings.size[chosen])), float(np.median(sightings.x[chosen]))
        found.append(Appearance(int(person), float(spans[looks].sum()), size, x))
    return tuple(sorted(found, key=lambda a: (-a.seconds, -a.size)))


def look_seconds(looks_s: FloatArray) -> FloatArray:
    """How much time each look stands for.

    Parameters
    ----------
    looks_s : ndarray, shape (n,)
        Stamps of the looks, s.

    Returns
    -------
    ndarray, shape (n,)
    """
    if len(looks_s) < 2:
        return np.ones(len(looks_s))
    steps = np.minimum(np.diff(looks_s), LOOK_MAX_S)
    return np.append(steps, np.median(steps))


def choose(
    found: Sequence[Appearance],
    persons: Sequence[Person],
    *,
    rule: PersonRule,
    reference: FloatArray | None = None,
) -> tuple[Appearance | None, str]:
    """The person a recording is about.

    Parameters
    ----------
    found : sequence of Appearance
        Those who come into question, the most present first.
    persons : sequence of Person
        Everybody on the roster.
    rule : PersonRule
        What counts where there is no reference.
    reference : ndarray, shape (128,), optional
        Numbers of the face of a reference photograph.

    Returns
    -------
    tuple
        The person, None where nobody is there or nobody resembles the reference; and what decided: `reference`, or the
        rule's name.
    """
    if reference is not None:
        gaps = [float(np.min(np.linalg.norm(np.stack(persons[a.person].numbers) - reference, axis=1))) for a in found]
        nearest = int(np.argmin(gaps)) if gaps else -1
        return (found[nearest] if gaps and gaps[nearest] <= SAME else None), BY_REFERENCE
    if not found:
        return None, str(rule)
    keys = {
        PersonRule.MOST_PRESENT: lambda a: -a.seconds,
        PersonRule.LARGEST: lambda a: -a.size,
        PersonRule.LEFT: lambda a: a.x,
        PersonRule.RIGHT: lambda a: -a.x,
    }
    return min(found, key=keys[rule]), str(rule)
