"""Bodies of two real people side by side, against what is found of each alone.

python benchmarks/neighbours.py [PAIRS]   # default: all but the 25 that the cover's size was chosen on

Photographs of single people (`image_gesture` of the data), brought to one size of face and put beside each other at
several distances. Found: shoulders seen, and the head its owner's.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

import cv2
import numpy as np
from measure import DATA, heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.finder import VISIBLE, Body, BodyFollower, BodyModels
from cueflow.tasks.video.face.finder import Face
from cueflow.tasks.video.people.cast import Cast, CastModels

Picture = NDArray[np.uint8]

FACE, HEIGHT, ABOVE = 64.0, 360, 110  # pixels: of a face, of the picture, of the face's middle
APART = (5.0, 3.5, 2.75)  # sizes of a face between the faces' middles
CHOSEN_ON = 25
LOOKS = 6
ARMS = [11, 12, 13, 14, 15, 16]


def main(arguments: Sequence[str]) -> None:
    """Measure."""
    people = [person for path in sorted((DATA / "image_gesture").glob("*/*.jpg")) for person in _person(path)]
    pairs = list(itertools.combinations(people, 2))
    np.random.default_rng(0).shuffle(pairs)
    pairs = pairs[CHOSEN_ON:][: int(arguments[0]) if arguments else None]
    print(heading(f"Bodies of two people side by side: {len(people)} people, {len(pairs)} pairs"))
    print(
        "| faces apart, sizes | other's head | shown | found | off, shoulder widths, median, 90 % |\n"
        "|---|---|---|---|---|"
    )
    for apart in APART:
        found = [each for pair in pairs for each in _beside(pair, round(apart * FACE))]
        for k, how in enumerate(("left", "covered")):
            off = np.concatenate([each[k] for each in found if each[k] is not None])
            seen = sum(each[k] is not None for each in found)
            print(
                f"| {apart:g} | {how} | {len(found)} | {seen} | {np.median(off):.2f}, {np.quantile(off, 0.9):.2f} |",
                flush=True,
            )
    print()


def _person(path: object) -> list[Picture]:
    """A photograph scaled to the size of face, where one face and its body are found in it."""
    photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    photo = cv2.resize(photo, None, fx=384 / len(photo), fy=384 / len(photo))
    faces = _faces(photo)
    if len(faces) != 1 or _bodies(photo, faces, cover=False)[0] is None:
        return []
    low, high = faces[0].points[:, :2].min(axis=0), faces[0].points[:, :2].max(axis=0)
    scale, middle = FACE / float((high - low).max()), (low + high) / 2
    widest = round(max(APART) * FACE)
    move = np.array([[scale, 0, widest / 2 - scale * middle[0]], [0, scale, ABOVE - scale * middle[1]]])
    return [np.asarray(cv2.warpAffine(photo, move, (widest, HEIGHT), borderMode=cv2.BORDER_REPLICATE), np.uint8)]


def _beside(pair: tuple[Picture, Picture], width: int) -> list[list[FloatArray | None]]:
    """Of each: how far shoulders and arms lie from where they are found alone, the other's head left and covered.

    None where no body is found; nothing of two in whose picture not both faces are found.
    """
    halves = [photo[:, (photo.shape[1] - width) // 2 :][:, :width] for photo in pair]
    both = np.hstack(halves)
    faces, alone = _faces(both), [_faces(half) for half in halves]
    if len(faces) != 2 or [len(each) for each in alone] != [1, 1]:
        return []
    together = [_bodies(both, faces, cover=cover) for cover in (False, True)]
    off: list[list[FloatArray | None]] = []
    for k, (half, face) in enumerate(zip(halves, alone, strict=True)):
        own = _bodies(half, face, cover=False)[0]
        if own is not None:
            off.append([_off(bodies[k], own, width * k) for bodies in together])
    return off


def _off(body: Body | None, own: Body, aside: int) -> FloatArray | None:
    if body is None:
        return None
    seen = own.visibility[ARMS] >= VISIBLE
    gaps = np.linalg.norm(body.points - (aside, 0) - own.points, axis=1)[ARMS][seen]
    return np.asarray(gaps / np.linalg.norm(own.points[11] - own.points[12]))


def _faces(picture: Picture) -> list[Face]:
    """From left to right."""
    models = video_models()
    with Cast(CastModels(models.landmarker, models.detector, models.identity), most=4) as cast:
        for k in range(LOOKS):
            faces = cast.look(k / 10, picture).faces
    return sorted(faces.values(), key=lambda face: float(face.points[:, 0].mean()))


def _bodies(picture: Picture, faces: Sequence[Face], *, cover: bool) -> list[Body | None]:
    """Of each face, as the video stage finds it in a film that stands still."""
    models = video_models()
    found: list[Body | None] = []
    for face in faces:
        follower = BodyFollower(BodyModels(models.pose, models.hands))
        others = [other for other in faces if other is not face] if cover else []
        for k in range(3):
            body = follower.look(k / 10, picture, face, others)
        found.append(body)
        follower.close()
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
