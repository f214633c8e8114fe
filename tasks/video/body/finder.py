"""Follow the body and the hands of one person through a square crop around the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.finder import Face, Square, ideal_square, image_of

if TYPE_CHECKING:
    from pathlib import Path

Picture = NDArray[np.uint8]

BODY_PER_FACE = 7.0  # side of the crop in face sizes
BELOW = 2.2  # its middle lies so many face sizes below the face's
DRIFT, RESIZE = 0.12, 1.35
HEAD_PER_FACE = 1.6  # sides of a head with its hair in sides of the face's landmarks
HEAD_REACH = 0.8  # the body's nose must lie within so many face sizes of the face's middle
VISIBLE = 0.5
RETRY_S = 0.5  # after somebody else's body was found: models that forget it take five times as long as a look
NOSE, SHOULDERS, WRISTS = 0, (11, 12), (15, 16)


@dataclass(frozen=True, slots=True)
class Body:
    """A body in one frame: `points` (33, 2) in pixels of the frame, `visibility` (33,) 0 to 1."""

    points: FloatArray
    visibility: FloatArray


@dataclass(frozen=True, slots=True)
class BodyModels:
    """Files of the models of body and hands."""

    pose: Path
    hands: Path


def body_square(face: FloatArray, height: int, width: int) -> Square:
    """Where the upper body of a face lies.

    Parameters
    ----------
    face : ndarray, shape (n, 2 or more)
        Landmarks of the face in pixels.
    height, width : int
        Of the frame, pixels.

    Returns
    -------
    Square
        Inside the frame where it fits.
    """
    low, high = face[:, :2].min(axis=0), face[:, :2].max(axis=0)
    size, middle = float((high - low).max()), (low + high) / 2 + np.array([0.0, BELOW * float((high - low).max())])
    half = BODY_PER_FACE * size / 2 / 2.8  # ideal_square enlarges by its own factor
    return ideal_square(np.stack([middle - half, middle + half]), height, width)


class BodyFollower:
    """Follows one person's body; `close` it at the end.

    Parameters
    ----------
    models : BodyModels
        Files of the models; anything else is a `ModelError`.
    """

    def __init__(self, models: BodyModels) -> None:
        self._models = models
        self._pose: Any = None
        self._hands: Any = None
        self._square: Square | None = None
        self._stamp_ms = -1
        self._again_s = -np.inf

    def close(self) -> None:
        """Free the landmarkers, and forget where the body was."""
        self._forget()
        self._square, self._again_s = None, -np.inf

    def look(self, time_s: float, frame: Picture, face: Face | None, others: Sequence[Face] = ()) -> Body | None:
        """The body in the next frame.

        Parameters
        ----------
        time_s : float
            Stamp of the frame; later than that of the frame before.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB, upright.
        face : Face or None
            The person's face; where it is not seen, the body is looked for where it was.
        others : sequence of Face, optional
            Faces of other people in the frame: they are covered, or the one model that finds one body finds theirs.

        Returns
        -------
        Body or None
            None where there is none, or where it belongs to another head.
        """
        if face is not None:
            self._place(face, frame)
        if self._square is None or time_s < self._again_s:
            return None
        if self._pose is None:
            self._pose = _landmarker("Pose", self._models.pose)
        self._stamp_ms = max(round(time_s * 1000), self._stamp_ms + 1)
        found = self._pose.detect_for_video(image_of(_alone(self._square, frame, face, others)), self._stamp_ms)
        body = _body(found, self._square)
        if body is None or body.visibility[list(SHOULDERS)].min() < VISIBLE:
            return None
        if face is not None and not on_head(body, face):
            self._forget()
            self._again_s = time_s + RETRY_S
            return None
        return body

    def hands(self, time_s: float, frame: Picture, body: Body) -> list[FloatArray | None]:
        """The person's hands, where the pose says that they are in the picture.

        Parameters
        ----------
        time_s : float
            Stamp of the frame, the one of the last `look`.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB.
        body : Body
            As `look` gave it.

        Returns
        -------
        list of ndarray (21, 2) or None
            The person's left and right hand, landmarks in pixels of the frame.
        """
        size = np.array(frame.shape[1::-1])
        wrists = body.points[list(WRISTS)]
        there = (body.visibility[list(WRISTS)] >= VISIBLE) & np.all((wrists >= 0) & (wrists <= size), axis=1)
        if self._square is None or not there.any():
            return [None, None]
        if self._hands is None:
            self._hands = _landmarker("Hand", self._models.hands)
        found = self._hands.detect_for_video(
            image_of(self._square.of(frame)), max(self._stamp_ms, round(time_s * 1000))
        )
        corner = np.array([self._square.left, self._square.top])
        hands = [np.array([(p.x, p.y) for p in hand]) * self._square.side + corner for hand in found.hand_landmarks]
        return _by_side(hands, wrists, there)

    def _place(self, face: Face, frame: Picture) -> None:
        ideal, now = body_square(face.points, *frame.shape[:2]), self._square
        if now is not None:
            off = max(abs(2 * (now.left - ideal.left) + now.side - ideal.side),
                      abs(2 * (now.top - ideal.top) + now.side - ideal.side)) / 2  # fmt: skip
            if off <= DRIFT * now.side and 1 / RESIZE < ideal.side / now.side < RESIZE:
                return
        self._square = ideal
        self._forget()

    def _forget(self) -> None:
        """What the landmarkers know of the body; they are opened again when they are needed."""
        for landmarker in (self._pose, self._hands):
            if landmarker is not None:
                landmarker.close()
        self._pose = self._hands = None


def _alone(square: Square, frame: Picture, face: Face | None, others: Sequence[Face]) -> Picture:
    """The square's picture, other people's heads covered in its mean colour, as far as they do not hide the face."""
    whole = square.of(frame)
    if not others:
        return whole
    picture, colour = whole.copy(), whole[::8, ::8].mean(axis=(0, 1))
    for other in others:
        picture[_box(other, square, HEAD_PER_FACE)] = colour
    if face is not None:
        own = _box(face, square, 1.0)
        picture[own] = whole[own]
    return picture


def _box(face: Face, square: Square, larger: float) -> tuple[slice, slice]:
    """Rows and columns of the square that a face takes."""
    low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
    middle, half = (low + high) / 2 - np.array([square.left, square.top]), larger * (high - low) / 2
    left, top = np.clip(middle - half, 0, square.side).astype(int)
    right, bottom = np.clip(middle + half, 0, square.side).astype(int)
    return slice(top, bottom), slice(left, right)


def _landmarker(kind: str, model: Path) -> Any:  # noqa: ANN401 - MediaPipe has no types
    from mediapipe.tasks.python import BaseOptions, vision

    most = {"num_poses": 1} if kind == "Pose" else {"num_hands": 2}
    options = getattr(vision, f"{kind}LandmarkerOptions")(
        base_options=BaseOptions(model_asset_path=str(model)), running_mode=vision.RunningMode.VIDEO, **most
    )
    try:
        return getattr(vision, f"{kind}Landmarker").create_from_options(options)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        raise ModelError(f"The {kind.lower()} landmarker cannot be opened; run `cueflow models pull`") from error


def _body(result: Any, square: Square) -> Body | None:  # noqa: ANN401
    if not result.pose_landmarks:
        return None
    marks = result.pose_landmarks[0]
    points = np.array([(p.x, p.y) for p in marks]) * square.side + np.array([square.left, square.top])
    return Body(points, np.array([p.visibility for p in marks], dtype=np.float64))


def on_head(body: Body, face: Face) -> bool:
    """Whether a body's nose is about where a face is.

    Parameters
    ----------
    body : Body
        Of a frame.
    face : Face
        Of the same frame.

    Returns
    -------
    bool
    """
    middle = face.points[:, :2].mean(axis=0)
    size = float(np.ptp(face.points[:, :2], axis=0).max())
    return float(np.linalg.norm(body.points[NOSE] - middle)) <= HEAD_REACH * size


def _by_side(hands: list[FloatArray], wrists: FloatArray, there: NDArray[np.bool_]) -> list[FloatArray | None]:
    """Each hand goes to the nearer wrist of the pose, if that is within two hand lengths."""
    sides: list[FloatArray | None] = [None, None]
    gaps: list[float] = [np.inf, np.inf]
    for hand in hands:
        length = float(np.linalg.norm(hand[12] - hand[0]))
        away = np.where(there, np.linalg.norm(wrists - hand[0], axis=1), np.inf)
        side = int(np.argmin(away))
        if away[side] < min(2 * length, gaps[side]):
            sides[side], gaps[side] = hand, float(away[side])
    return sides
