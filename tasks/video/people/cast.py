"""Everybody who appears: found at regular looks, followed in between, and never mixed up silently."""

from __future__ import annotations

from array import array
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.finder import SEARCH_TRIES, Face, FaceFollower, FaceSearch, Square, ideal_square
from cueflow.tasks.video.people.detect import FaceDetector, Seen
from cueflow.tasks.video.people.identity import FaceIdentity, aligned_face, mesh_anchors
from cueflow.tasks.video.people.roster import Roster, Sight, same_persons

if TYPE_CHECKING:
    from pathlib import Path

Picture = NDArray[np.uint8]

LOOK_S = 0.5  # between two looks at the whole picture …
CALM_S = 1.0  # … and where one person is there and is being followed
LOST_S = 0.25  # and where nobody is
CUT_LEVELS, CUT_SHARE = 20.0, 0.13  # share of a tiny picture that changes by so many grey levels in a cut
THUMB = (32, 18)
TURNED_LOOKS = 12  # so many looks are also taken with the picture turned upside down …
TURNED_SCORE, TURNED_LEAD = 0.5, 0.4  # … where the faces are surer by so much if the camera stood on its head
DARK_LEVELS = 20.0  # grey levels that the brightest spot of a tiny picture must reach for anything to be seen
NUMBERS_FROM = 40  # pixels of a face's box from which its numbers say who it is
UNSURE_S = 2.5  # a followed face that nobody can name for so long is followed no more


@dataclass(frozen=True, slots=True)
class CastModels:
    """Files of the models that find people."""

    landmarker: Path
    detector: Path
    identity: Path


@dataclass(frozen=True, slots=True)
class Sightings:
    """Who was seen at each look: `looks_s` (m,); and per face `times_s`, `person` (−1: nobody known), `x`, `size` (n,).

    x: share of the width, size: side of the face in shorter sides of the frame.
    """

    looks_s: FloatArray
    times_s: FloatArray
    person: NDArray[np.int64]
    x: FloatArray
    size: FloatArray

    def renamed(self, who: dict[int, int]) -> Sightings:
        """The same with persons under the names they turned out to have."""
        return replace(self, person=np.array([who.get(int(p), -1) for p in self.person], dtype=np.int64))


@dataclass(slots=True)
class _Followed:
    follower: FaceFollower
    face: Face | None = None
    confirmed_s: float = -np.inf
    doubled: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """A face at one look: the person whose follower has it, and the landmarks, where there are such."""

    owner: int | None
    face: Face | None
    sight: Sight


@dataclass(frozen=True, slots=True)
class Step:
    """What one frame brought: the face of every person seen, since when a person's faces must be forgotten, a cut."""

    faces: dict[int, Face]
    forget_since: dict[int, float]
    cut: bool = False


class Cast:
    """All persons of one recording; use it in a `with` statement.

    Parameters
    ----------
    models : CastModels
        Files of the models.
    most : int
        So many persons are followed at a time, those seen most often so far; others are only seen at looks.
    """

    def __init__(self, models: CastModels, *, most: int) -> None:
        self._models, self._most = models, most
        self.roster = Roster()
        self._followed: dict[int, _Followed] = {}
        self._next_s = -np.inf
        self._thumb: NDArray[np.float32] | None = None
        self._looks, self._cells = array("d"), array("d")
        self._passed_on: set[tuple[int, int]] = set()
        self._frames = self._dark = 0
        self._upright, self._turned = array("d"), array("d")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._search = self._stack.enter_context(FaceSearch(self._models.landmarker))
        self._detect = self._stack.enter_context(FaceDetector(self._models.detector))
        self._identity = FaceIdentity(self._models.identity)
        return self

    def __exit__(self, *_: object) -> None:
        for followed in self._followed.values():
            followed.follower.close()
        self._stack.close()

    def look(self, time_s: float, frame: Picture) -> Step:
        """Take the next frame.

        Parameters
        ----------
        time_s : float
            Its stamp; they increase.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB, upright.

        Returns
        -------
        Step
        """
        cut = self._is_cut(frame)
        if cut:  # what is known of places is worth nothing
            for followed in self._followed.values():
                followed.follower.close()
        for followed in self._followed.values():
            followed.face = followed.follower.look(time_s, frame)
        forget: dict[int, float] = {}
        if cut or time_s >= self._next_s:
            forget = self._look_around(time_s, frame, cut=cut)
            self._next_s = time_s + self._interval()
        return Step({who: f.face for who, f in self._followed.items() if f.face is not None}, forget, cut)

    @property
    def dark_share(self) -> float:
        """Share of the frames so far in which nothing reaches `DARK_LEVELS`."""
        return self._dark / self._frames if self._frames else 0.0

    @property
    def upside_down(self) -> bool:
        """Whether the detector is surer of faces when the picture is turned by half a turn.

        The landmarker is no witness: it fits an upright face into an inverted one.
        """
        if len(self._turned) < 3:
            return False
        upright, turned = float(np.mean(self._upright)), float(np.mean(self._turned))
        return turned > TURNED_SCORE and turned > upright + TURNED_LEAD

    def sightings(self) -> Sightings:
        """Who was seen at each look so far."""
        table = np.array(self._cells).reshape(-1, 4)
        return Sightings(
            np.array(self._looks), table[:, 0], table[:, 1].astype(np.int64), table[:, 2].copy(), table[:, 3].copy()
        )

    def who_is_who(self) -> dict[int, int]:
        """Index of everybody to the index of the person they turned out to be."""
        seen = self.sightings()
        together = {
            (int(a), int(b))
            for look in np.unique(seen.times_s)
            for a in seen.person[seen.times_s == look]
            for b in seen.person[seen.times_s == look]
            if 0 <= a < b
        }
        return same_persons(self.roster.persons, together, self._passed_on)

    def _interval(self) -> float:
        following = sum(f.face is not None for f in self._followed.values())
        if not following:
            return LOST_S
        return CALM_S if following == 1 and len(self.roster.persons) == 1 else LOOK_S

    def _is_cut(self, frame: Picture) -> bool:
        import cv2

        thumb = cv2.resize(frame, THUMB, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._thumb = self._thumb, thumb
        self._frames += 1
        self._dark += bool(thumb.max() < DARK_LEVELS)
        if before is None:
            return False
        changed = np.abs(thumb - before).max(axis=2) > CUT_LEVELS
        return float(changed.mean()) > CUT_SHARE

    def _look_around(self, time_s: float, frame: Picture, *, cut: bool) -> dict[int, float]:
        """Name everybody in the frame; followers keep, lose or change their face."""
        height, width = frame.shape[:2]
        self._looks.append(time_s)
        found = self._all_faces(frame)
        names = self.roster.name(time_s, [f.sight for f in found], cut=cut)
        for one, name in zip(found, names, strict=True):
            place = (one.sight.centre[0] / width, one.sight.side / min(height, width))
            self._cells.extend((time_s, -1 if name is None else name, *place))
        forget = self._checked(time_s, found, names)
        for one, name in zip(found, names, strict=True):
            if name is not None and one.face is not None and one.owner != name:
                self._start(name, one.face, time_s, frame)
        return forget

    def _all_faces(self, frame: Picture) -> list[_Found]:
        height, width = frame.shape[:2]
        found: list[_Found] = []
        for who, followed in self._followed.items():
            if followed.face is None:
                continue
            sight = self._sight(frame, followed.face)
            if any(_same_place(sight, other.sight) for other in found):  # two followers on one face
                followed.doubled = True
                continue
            found.append(_Found(who, followed.face, sight))
        for seen in self._detected(frame):
            sight = Sight(seen.centre, seen.side, None)
            if any(_same_place(sight, other.sight) for other in found):
                continue
            face = self._search.inside(_around(seen, height, width), frame)
            found.append(_Found(None, face, sight if face is None else self._sight(frame, face)))
        if not found:
            face = self._search.anywhere(frame, tries=None if len(self._looks) == 1 else SEARCH_TRIES)
            found += [] if face is None else [_Found(None, face, self._sight(frame, face))]
        return found

    def _detected(self, frame: Picture) -> list[Seen]:
        """Faces that the detector sees; the first times, also how sure it is of those of the turned picture."""
        found = self._detect(frame)
        if len(self._turned) < TURNED_LOOKS:
            for scores, seen in ((self._upright, found), (self._turned, self._detect(frame[::-1, ::-1]))):
                scores.append(max((face.score for face in seen), default=0.0))
        return found

    def _checked(self, time_s: float, found: list[_Found], names: list[int | None]) -> dict[int, float]:
        """Since when a follower had somebody else's face: back to when it was last right."""
        right = {f.owner for f, name in zip(found, names, strict=True) if f.owner is not None and f.owner == name}
        named = {f.owner: name for f, name in zip(found, names, strict=True) if f.owner is not None}
        forget: dict[int, float] = {}
        for who, followed in self._followed.items():
            if who in right:
                followed.confirmed_s = time_s
            elif (
                followed.doubled
                or named.get(who) is not None
                or (who in named and time_s - followed.confirmed_s > UNSURE_S)
            ):
                if (other := named.get(who)) is not None:
                    self._passed_on.add((min(who, other), max(who, other)))
                forget[who] = followed.confirmed_s
                followed.follower.close()
                followed.face, followed.doubled = None, False
        return forget

    def _start(self, who: int, face: Face, time_s: float, frame: Picture) -> None:
        followed = self._followed.setdefault(who, _Followed(FaceFollower(self._models.landmarker)))
        if followed.face is None and self._room(who):
            followed.follower.start(face, frame)
            followed.face, followed.confirmed_s = face, time_s

    def _room(self, who: int) -> bool:
        """Whether one more can be followed: who was seen more often takes the place of who was seen least."""
        busy = [k for k, f in self._followed.items() if f.face is not None]
        if len(busy) < self._most:
            return True
        least = min(busy, key=lambda k: self.roster.persons[k].looks)
        if self.roster.persons[who].looks <= self.roster.persons[least].looks:
            return False
        self._followed[least].follower.close()
        self._followed[least].face = None
        return True

    def _sight(self, frame: Picture, face: Face) -> Sight:
        low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
        side = float((high - low).max())
        chip = aligned_face(frame, mesh_anchors(face.points))
        return Sight((low + high) / 2, side, self._identity(chip[None])[0] if side >= NUMBERS_FROM else None)


def _same_place(one: Sight, other: Sight) -> bool:
    return float(np.linalg.norm(one.centre - other.centre)) < 0.6 * max(one.side, other.side)


def _around(seen: Seen, height: int, width: int) -> Square:
    left, top, right, bottom = seen.box
    return ideal_square(np.array([[left, top], [right, bottom]]), height, width)
