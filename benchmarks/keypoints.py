"""How near landmarks of face, body and hands come to points that people marked in photographs.

python benchmarks/keypoints.py    # COCO (bodies; face and hands of COCO-WholeBody) and OneHand10K beside the checkout

A photograph plays as a film that stands still, as the video stage would see it: people are found by their faces, the
body below the face, the hands where the body's wrists are. The photographs of COCO are enlarged first: their faces are
20 to 40 pixels tall, and the stage follows none below 32. "Model alone" looks into a square around the marked box (of
OneHand10K, at the whole photograph). PCK: share of the marked points that are off by less than a fifth (or a tenth) of
the longer side of the marked box. A face's error is that of 51 points (brows, nose, eyes, mouth) in distances of the
outer corners of the eyes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from measure import DATA, heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.finder import Body, BodyFollower, BodyModels
from cueflow.tasks.video.face.finder import Face, Square, image_of
from cueflow.tasks.video.people.cast import Cast, CastModels

Picture = NDArray[np.uint8]
Off = FloatArray
PLACE = DATA / "image_keypoints"
LEAST = 8  # marked points of a person
LARGER = 3  # times
FRAMES, STEP_S = 4, 0.3
BODY = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Where the 33 points of the pose have COCO's 17."""
FACE = (71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153,
        144, 362, 385, 387, 263, 373, 380, 61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308,
        317, 14, 87)  # fmt: skip
"""Where the mesh has points 18 to 68 of the 68 that COCO-WholeBody marks in a face."""
EYES = (19, 28)  # outer corners among these


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody found in a photograph: face, body and left and right hand, where they were."""

    face: Face
    body: Body | None
    hands: list[FloatArray | None]


def main() -> None:
    """Print bodies, faces and hands."""
    rows: dict[str, list[Off | None]] = defaultdict(list)
    marks = json.loads((PLACE / "coco" / "test_coco_wholebody.json").read_text())
    with _landmarker("Pose") as pose, _landmarker("Hand") as hand:
        for photo in marks["images"]:
            seen = _read(PLACE / "coco" / photo["file_name"])
            picture = cv2.resize(seen, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_CUBIC)
            people = found_in(picture)
            for truth in (a for a in marks["annotations"] if a["image_id"] == photo["id"]):
                for what, off in (*by_face(truth, people), *alone(truth, picture, pose=pose, hand=hand)):
                    rows[what].append(off)
        rows["hand of OneHand10K, model alone"] = list(single_hands(hand))
    print(heading("Landmarks against marks of people"))
    print("| what | shown | found | points | PCK .2 | PCK .1 | error, median |\n|---|---|---|---|---|---|---|")
    for what, each in rows.items():
        found = [off for off in each if off is not None]
        off = np.concatenate(found) if found else np.empty(0)
        pck = [f"{np.mean(off < share):.3f}" if len(off) else "–" for share in (0.2, 0.1)]
        middle = f"{np.median(off):.3f}" if len(off) else "–"
        print(f"| {what} | {len(each)} | {len(found)} | {len(off)} | {pck[0]} | {pck[1]} | {middle} |")


def found_in(photo: NDArray[np.uint8]) -> list[Person]:
    """Everybody whose face is found, as the video stage finds them in a film that stands still."""
    models = video_models()
    bodies: dict[int, BodyFollower] = {}
    found: dict[int, Person] = {}
    with Cast(CastModels(models.landmarker, models.detector, models.identity), most=8) as cast:
        for k in range(FRAMES):
            time_s = k * STEP_S
            faces = cast.look(time_s, photo).faces
            for who, face in faces.items():
                follower = bodies.setdefault(who, BodyFollower(BodyModels(models.pose, models.hands)))
                body = follower.look(time_s, photo, face, [f for k, f in faces.items() if k != who])
                hands = [None, None] if body is None else follower.hands(time_s, photo, body)
                found[who] = Person(face, body, hands)
    for follower in bodies.values():
        follower.close()
    return list(found.values())


def by_face(truth: dict[str, Any], people: list[Person]) -> Iterator[tuple[str, Off | None]]:
    """One marked person against whoever's face lies at the marked head."""
    points, known = _marks(truth["keypoints"])
    if known.sum() < LEAST:
        return
    head = points[:5][known[:5]]
    mine = next((p for p in people if len(head) and _holds(p.face, head.mean(axis=0))), None)
    body = None if mine is None or mine.body is None else mine.body.points[list(BODY)]
    yield "body", _off(body, points, known, LARGER * max(truth["bbox"][2:]))
    if truth["face_valid"]:
        marked, there = _marks(truth["face_kpts"])
        eyes = float(np.linalg.norm(np.subtract(*marked[17:][list(EYES)])))
        yield "face", _off(mine and mine.face.points[list(FACE), :2], marked[17:], there[17:], eyes)
    for side, name in enumerate(("left", "right")):
        if truth[f"{name}hand_valid"]:
            hand = None if mine is None else mine.hands[side]
            yield "hand", _off(hand, *_marks(truth[f"{name}hand_kpts"]), LARGER * max(truth[f"{name}hand_box"][2:]))


def alone(truth: dict[str, Any], photo: Picture, *, pose: Any, hand: Any) -> Iterator[tuple[str, Off | None]]:  # noqa: ANN401
    """The models in squares around the marked boxes, without looking for a face first."""
    points, known = _marks(truth["keypoints"])
    if known.sum() >= LEAST:
        square = _around(truth["bbox"], 1.4)
        body = _points(pose.detect(image_of(square.of(photo))).pose_landmarks, square)
        body = None if body is None else body[list(BODY)]
        yield "body, model alone", _off(body, points, known, LARGER * max(truth["bbox"][2:]))
    for name in ("left", "right"):
        if truth[f"{name}hand_valid"]:
            box = truth[f"{name}hand_box"]
            square = _around(box, 3.0)
            found = _points(hand.detect(image_of(square.of(photo))).hand_landmarks, square)
            yield "hand, model alone", _off(found, *_marks(truth[f"{name}hand_kpts"]), LARGER * max(box[2:]))


def single_hands(hand: Any) -> Iterator[Off | None]:  # noqa: ANN401
    """Each hand that was photographed by itself."""
    marks = json.loads((PLACE / "onehand10k" / "test_onehand10k.json").read_text())
    names = {photo["id"]: photo["file_name"] for photo in marks["images"]}
    for truth in marks["annotations"]:
        photo = _read(PLACE / "onehand10k" / names[truth["image_id"]])
        seen = hand.detect(image_of(photo)).hand_landmarks
        found = np.array([(p.x, p.y) for p in seen[0]]) * photo.shape[1::-1] if seen else None
        yield _off(found, *_marks(truth["keypoints"], 1.0), max(truth["bbox"][2:]))


def _landmarker(kind: str) -> Any:  # noqa: ANN401 - MediaPipe has no types
    from mediapipe.tasks.python import BaseOptions, vision

    models = video_models()
    model = str(models.pose if kind == "Pose" else models.hands)
    options = getattr(vision, f"{kind}LandmarkerOptions")(base_options=BaseOptions(model_asset_path=model))
    return getattr(vision, f"{kind}Landmarker").create_from_options(options)


def _around(box: list[float], share: float) -> Square:
    left, top, width, height = (LARGER * v for v in box)
    side = round(share * max(width, height))
    return Square(round(left + width / 2 - side / 2), round(top + height / 2 - side / 2), side)


def _points(found: list[Any], square: Square) -> FloatArray | None:
    if not found:
        return None
    return np.array([(p.x, p.y) for p in found[0]]) * square.side + np.array([square.left, square.top])


def _off(found: FloatArray | None, marked: FloatArray, known: NDArray[np.bool_], size: float) -> Off | None:
    """Distances of the marked points in shares of a size; None where nothing was found."""
    return None if found is None else np.linalg.norm(found - marked, axis=1)[known] / size


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path.name} is not there")
    return np.ascontiguousarray(picture[:, :, ::-1])


def _marks(flat: list[float], larger: float = LARGER) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Points (n, 2) and which of them are marked (n,)."""
    table = np.array(flat, dtype=np.float64).reshape(-1, 3)
    return larger * table[:, :2], table[:, 2] > 0


def _holds(face: Face, place: FloatArray) -> bool:
    low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
    reach = 0.25 * (high - low)
    return bool(np.all((place > low - reach) & (place < high + reach)))


if __name__ == "__main__":
    main()
