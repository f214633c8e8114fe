"""Who is who in one recording: faces seen now and then become persons, by their numbers and by their place."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

import numpy as np

from cueflow.schemas.results import FloatArray

# Distances of a face's numbers from the mean of a person's. Of five people in one room, faces 80 pixels high, 95 % of
# the looks lie within .435 of their own person, and none within .44 of another.
SAME = 0.43  # up to which a face counts as a known person …
NEAR = 0.5  # … or up to here where it also stays in its place
NEW = 0.47  # from which it is somebody new; in between nobody knows
MERGE = 0.38  # between two persons' means, up to which they are one who was not recognised at first …
MERGE_FOLLOWED = NEW  # … or where the one's face, followed all the time, was taken for the other's at a look
MARGIN = 0.05  # a face without its place must be this much nearer to its person than to any other
STAYS_S = 2.5  # a place is remembered for this long
STEP = 1.0  # a face moves at most this many of its sides between two looks
SIZES = 1.8  # and its size changes by at most this factor
KEPT = 12  # numbers kept of a person: the first ones, then at random places


@dataclass(frozen=True, slots=True)
class Sight:
    """A face at one look: centre (2,) and side in pixels, and its numbers (128,) or None where it is too small."""

    centre: FloatArray
    side: float
    numbers: FloatArray | None


@dataclass(slots=True)
class Person:
    """Somebody: the numbers kept, and where and when last seen."""

    numbers: list[FloatArray]
    centre: FloatArray
    side: float
    last_s: float
    looks: int = 1
    _seen: int = field(default=0)

    @property
    def mean(self) -> FloatArray:
        """Mean of the numbers kept, (128,)."""
        return np.asarray(np.mean(self.numbers, axis=0))

    def distance(self, sight: Sight) -> float:
        """How far a face's numbers are from this person's mean."""
        return np.inf if sight.numbers is None else float(np.linalg.norm(self.mean - sight.numbers))

    def in_place(self, sight: Sight, time_s: float) -> bool:
        """True where a face is about where and as large as this person was."""
        if time_s - self.last_s > STAYS_S:
            return False
        moved = float(np.linalg.norm(sight.centre - self.centre)) / max(self.side, 1e-9)
        return moved <= STEP and 1 / SIZES <= sight.side / self.side <= SIZES

    def take(self, sight: Sight, time_s: float) -> None:
        """Remember a face as this person's."""
        self.centre, self.side, self.last_s = sight.centre, sight.side, time_s
        self.looks += 1
        if sight.numbers is None:
            return
        self._seen += 1
        if len(self.numbers) < KEPT:
            self.numbers.append(sight.numbers)
        elif self._seen & (self._seen - 1) == 0:  # ever more rarely: an early mistake stays a small part
            self.numbers[self._seen.bit_length() % KEPT] = sight.numbers


class Roster:
    """The persons of one recording; a new recording starts with an empty one."""

    def __init__(self) -> None:
        self.persons: list[Person] = []

    def name(self, time_s: float, sights: list[Sight], *, cut: bool = False) -> list[int | None]:
        """Say who the faces of one look are.

        Parameters
        ----------
        time_s : float
            Stamp of the look; later than that of the look before.
        sights : list of Sight
            All faces of the frame.
        cut : bool, optional
            True where the picture changed as a whole since the last look: then no place counts.

        Returns
        -------
        list of int or None
            Index into `persons` for each face; None where it may be more than one of them, or is not yet known. No
            person is at two places at once.
        """
        from scipy.optimize import linear_sum_assignment

        costs = np.array([[self._cost(p, s, time_s, cut=cut) for p in self.persons] for s in sights])
        names: list[int | None] = [None] * len(sights)
        if costs.size:
            for row, column in zip(*linear_sum_assignment(np.minimum(costs, 1e3)), strict=True):
                stays = not cut and self.persons[column].in_place(sights[row], time_s)
                if costs[row, column] < np.inf and (stays or _clear(costs[row], int(column))):
                    names[row] = int(column)
        for index, sight in enumerate(sights):
            if names[index] is None and self._is_new(sight, index, names, sights):
                self.persons.append(Person([sight.numbers], sight.centre, sight.side, time_s))  # type: ignore[list-item]
                names[index] = len(self.persons) - 1
            elif names[index] is not None:
                self.persons[names[index]].take(sight, time_s)  # type: ignore[index]
        return names

    @staticmethod
    def _cost(person: Person, sight: Sight, time_s: float, *, cut: bool) -> float:
        stays = not cut and person.in_place(sight, time_s)
        if sight.numbers is None:
            return SAME if stays else np.inf
        distance = person.distance(sight)
        if distance > (NEAR if stays else SAME):
            return np.inf
        return distance - (0.1 if stays else 0.0)

    def _is_new(self, sight: Sight, index: int, names: list[int | None], sights: list[Sight]) -> bool:
        """A face is a new person where it is unlike all, or like only those who are elsewhere in the same picture."""
        if sight.numbers is None:
            return False
        taken = {n for i, n in enumerate(names) if n is not None and i != index}
        like = [i for i, p in enumerate(self.persons) if i not in taken and p.distance(sight) <= NEW]
        return not like


def same_persons(
    persons: list[Person], together: set[tuple[int, int]], passed_on: Set[tuple[int, int]] = frozenset()
) -> dict[int, int]:
    """Persons who turned out to be one, by their means over the whole recording.

    Parameters
    ----------
    persons : list of Person
        The roster.
    together : set of tuple
        Pairs (smaller index first) who were seen at one look: they are two.
    passed_on : set of tuple, optional
        Pairs of whom the one's face, while it was followed, was named as the other's.

    Returns
    -------
    dict
        Index to the index it belongs to, for everybody; the earlier one keeps the name.
    """
    found = {i: i for i in range(len(persons))}
    gaps = sorted(
        (float(np.linalg.norm(persons[i].mean - persons[j].mean)), i, j) for j in range(len(persons)) for i in range(j)
    )
    for gap, i, j in gaps:
        groups = [[k for k, to in found.items() if to == found[m]] for m in (i, j)]
        apart = any((min(a, b), max(a, b)) in together for a in groups[0] for b in groups[1])
        if gap <= (MERGE_FOLLOWED if (i, j) in passed_on else MERGE) and found[i] != found[j] and not apart:
            keep, drop = sorted((found[i], found[j]))
            found.update({k: keep for k, to in found.items() if to == drop})
    return found


def _clear(costs: FloatArray, column: int) -> bool:
    """True where the nearest person is nearer than any other by a margin."""
    others = np.delete(costs, column)
    return not len(others) or float(others.min()) - float(costs[column]) >= MARGIN
