"""What was measured, drawn into frames: landmarks of faces, bodies and hands, and where people look.

Nobody's face is shown unless that is asked for. A frame in which no face is found, and none was half a second before
or after, is hidden as a whole: the detector may have missed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.finder import VISIBLE, Body, BodyFollower, BodyModels
from cueflow.tasks.video.decode import Decoder, frames
from cueflow.tasks.video.face.finder import Face
from cueflow.tasks.video.face.geometry import eye_in_head, head_angles
from cueflow.tasks.video.follow import VideoModels
from cueflow.tasks.video.people.cast import Cast, CastModels
from cueflow.tasks.video.people.detect import FaceDetector
from cueflow.tasks.video.shots import RATE_HZ, Picture, Shot

LOOK_SIDE = 640  # longer side of the frame that is searched, pixels
LONGEST_S = 20.0
HIDDEN_S = 0.5  # a face is hidden where it was so long before and after, too
AROUND = 0.35  # of a face's size, hidden on each side: hair, ears, chin
COARSE = 6  # squares along a hidden face
LOOKS = 0.9  # length of the arrow of a look to the side, in face sizes
_COLOURS = ((255, 200, 60), (90, 200, 255), (160, 255, 140), (255, 140, 200))

Box = tuple[float, float, float, float]


class FacesAs(StrEnum):
    """How faces are shown."""

    DRAWN = "drawn"
    BLURRED = "blurred"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and what was found in it; `boxes` (left, top, right, bottom) of all faces, in pixels."""

    time_s: float
    picture: Picture
    faces: dict[int, Face]
    bodies: dict[int, Body]
    hands: list[FloatArray]
    boxes: list[Box]


def look(path: Path, models: VideoModels, *, span: tuple[float, float], start_s: float, most: int) -> list[Seen]:
    """Follow people through a part of a recording.

    Parameters
    ----------
    path : Path
        The recording.
    models : VideoModels
        Files of the models.
    span : tuple of float
        Start and end on the session clock, s; `LONGEST_S` at most.
    start_s : float
        The file's zero on the session clock, s.
    most : int
        So many people are followed; the faces of others are only hidden.

    Returns
    -------
    list of Seen

    Raises
    ------
    StreamError
        If no frame lies in the span.
    """
    found: list[Seen] = []
    with ExitStack() as stack:
        detect = stack.enter_context(FaceDetector(models.detector))
        cast = stack.enter_context(Cast(CastModels(models.landmarker, models.detector, models.identity), most=most))
        bodies: dict[int, BodyFollower] = {}
        stack.callback(_close, bodies)
        for batch in frames(path, decoder=Decoder.AV, max_side=LOOK_SIDE, max_rate_hz=RATE_HZ):
            for stamp, picture in zip(batch.times_s + start_s, batch.frames, strict=True):
                if span[0] <= stamp <= span[1]:
                    faces = cast.look(float(stamp), picture).faces
                    boxes = [seen.box for seen in detect(picture)] + [_box(face.points) for face in faces.values()]
                    seen = Seen(float(stamp), picture.copy(), faces, {}, [], boxes)
                    _look_at_bodies(seen, bodies, models)
                    found.append(seen)
            if len(batch.seen_s) and batch.seen_s[-1] + start_s > span[1]:
                break
    if not found:
        raise StreamError("no frame of the recording lies in the span", reason=Reason.NO_VIDEO_FRAMES)
    return found


def _close(followers: dict[int, BodyFollower]) -> None:
    for follower in followers.values():
        follower.close()


def _look_at_bodies(seen: Seen, followers: dict[int, BodyFollower], models: VideoModels) -> None:
    for who in seen.faces.keys() | followers.keys():
        follower = followers.setdefault(who, BodyFollower(BodyModels(models.pose, models.hands)))
        others = [face for k, face in seen.faces.items() if k != who]
        body = follower.look(seen.time_s, seen.picture, seen.faces.get(who), others)
        if body is not None:
            seen.bodies[who] = body
            seen.hands.extend(hand for hand in follower.hands(seen.time_s, seen.picture, body) if hand is not None)


def drawn(seen: Sequence[Seen], faces: FacesAs) -> Iterator[Shot]:
    """Frames with what was found drawn into them, faces hidden first.

    Parameters
    ----------
    seen : sequence of Seen
        In order of time.
    faces : FacesAs
        Drawn alone, blurred, or shown.

    Yields
    ------
    tuple
        Time and picture.
    """
    resting = _resting_eyes(seen)
    for now in seen:
        picture = now.picture.copy()
        if faces is not FacesAs.SHOWN:
            near = [box for other in seen if abs(other.time_s - now.time_s) <= HIDDEN_S for box in other.boxes]
            picture = hidden(picture, near)
        for who, body in now.bodies.items():
            _draw_body(picture, body, _COLOURS[who % len(_COLOURS)])
        for hand in now.hands:
            _draw_lines(picture, hand, _connections("Hand", "HAND_CONNECTIONS"), (255, 255, 255))
        for who, face in now.faces.items():
            colour = _COLOURS[who % len(_COLOURS)]
            if faces is not FacesAs.BLURRED:
                _draw_lines(picture, face.points, _connections("Face", "FACE_LANDMARKS_CONTOURS"), (235, 235, 235))
            _draw_look(picture, face, colour, resting[who])
        yield now.time_s, picture


def hidden(picture: Picture, boxes: Sequence[Box]) -> Picture:
    """A picture in which faces cannot be recognised.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    boxes : sequence of tuple
        Left, top, right, bottom of faces, pixels; none: the whole picture is hidden.

    Returns
    -------
    ndarray, shape (height, width, 3)
        Faces, and what is around them, in coarse squares of their mean colour.
    """
    import cv2

    height, width = picture.shape[:2]
    changed = picture.copy()
    for left, top, right, bottom in boxes or [(0.0, 0.0, float(width), float(height))]:
        more = AROUND * max(right - left, bottom - top)
        x0, x1 = int(np.clip(left - more, 0, width)), int(np.clip(right + more, 0, width))
        y0, y1 = int(np.clip(top - more, 0, height)), int(np.clip(bottom + more, 0, height))
        if x1 > x0 and y1 > y0:
            coarse = cv2.resize(picture[y0:y1, x0:x1], (COARSE, COARSE), interpolation=cv2.INTER_AREA)
            changed[y0:y1, x0:x1] = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return changed


def _box(points: FloatArray) -> Box:
    (left, top), (right, bottom) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _resting_eyes(seen: Sequence[Seen]) -> dict[int, FloatArray]:
    """Median of where everybody's eyes stand in the head: their zero depends on the shape of the eyes."""
    angles: dict[int, list[tuple[float, float]]] = {}
    for now in seen:
        for who, face in now.faces.items():
            angles.setdefault(who, []).append(eye_in_head(face.points, face.pose))
    return {who: np.median(np.array(found), axis=0) for who, found in angles.items()}


def _draw_look(picture: Picture, face: Face, colour: tuple[int, int, int], resting: FloatArray) -> None:
    import cv2

    pitch, yaw, _ = head_angles(face.pose)
    eyes = np.array(eye_in_head(face.points, face.pose)) - resting
    across, down = np.sin(np.radians([yaw + eyes[0], pitch + eyes[1]]))
    left, top, right, bottom = _box(face.points)
    start = face.points[[33, 133, 263, 362], :2].mean(axis=0)
    end = start + LOOKS * max(right - left, bottom - top) * np.array([across, down])
    points = [tuple(int(round(v)) for v in point) for point in (start, end)]  # noqa: RUF046 - NumPy's round gives floats
    cv2.arrowedLine(picture, points[0], points[1], colour, 2, cv2.LINE_AA, tipLength=0.25)


def _draw_body(picture: Picture, body: Body, colour: tuple[int, int, int]) -> None:
    both = [
        (a, b)
        for a, b in _connections("Pose", "POSE_LANDMARKS")
        if min(a, b) > 10 and min(body.visibility[a], body.visibility[b]) >= VISIBLE  # 0 to 10 are the face
    ]
    _draw_lines(picture, body.points, both, colour, thickness=2)


def _draw_lines(
    picture: Picture,
    points: FloatArray,
    pairs: Sequence[tuple[int, int]],
    colour: tuple[int, int, int],
    *,
    thickness: int = 1,
) -> None:
    import cv2

    lines = [np.round(points[[a, b], :2]).astype(np.int32).reshape(-1, 1, 2) for a, b in pairs]
    cv2.polylines(picture, lines, isClosed=False, color=colour, thickness=thickness, lineType=cv2.LINE_AA)


def _connections(kind: str, name: str) -> list[tuple[int, int]]:
    from mediapipe.tasks.python import vision

    owner = getattr(vision, f"{kind}LandmarksConnections")
    return [(c.start, c.end) for c in getattr(owner, name)]
