"""Find and follow a face: landmarks, expression scores and pose, through a square crop that moves with it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.pose import STIFF, head_rotation, rotation_of_stiff
from cueflow.tasks.video.face.unsmooth import Unsmoother

if TYPE_CHECKING:
    from pathlib import Path

Picture = NDArray[np.uint8]

SEARCH_TRIES = 6  # squares tried in one search, 3 ms each; the next search goes on where this one stopped
SEARCH_SIDES = (1.0, 0.75, 0.5)  # sides of the squares, in shorter sides of the frame
CROP_PER_FACE = 2.8  # side of the crop in face sizes
DRIFT = 0.15  # the crop follows when its ideal place is this share of its side away …
MIN_FACE = 32  # pixels: what is found below that is as often a pattern as a face, and shows no expression
RESIZE = 1.4  # … or its ideal side this factor smaller or larger


@dataclass(frozen=True, slots=True)
class Square:
    """A square over the frame: left and top corner and side, in pixels; it may reach beyond the frame."""

    left: int
    top: int
    side: int

    def of(self, frame: Picture) -> Picture:
        """The square's picture, contiguous, black outside the frame."""
        top, left = max(self.top, 0), max(self.left, 0)
        inside = frame[top : self.top + self.side, left : self.left + self.side]
        if inside.shape[:2] == (self.side, self.side):
            return np.ascontiguousarray(inside)
        whole = np.zeros((self.side, self.side, 3), np.uint8)
        top, left = top - self.top, left - self.left
        whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        return whole


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one frame.

    `points` (478, 3): landmarks in pixels of the frame, depth on the same scale; `pose` (3, 3): rotation of the head
    against the line of sight (x right, y up, z towards the camera); `shapes`: expression scores, 0 to 1, of all 52
    blendshapes by name; `quick_pose` (3, 3): the same rotation without the landmarker's smoothing, which lags, None
    where it did not smooth.
    """

    points: FloatArray
    pose: FloatArray
    shapes: dict[str, float]
    quick_pose: FloatArray | None = None


def ideal_square(points: FloatArray, height: int, width: int) -> Square:
    """Square around a face, inside the frame where it fits.

    The landmarker's own detector misses small faces in wide frames; in a square of some face sizes it finds them.

    Parameters
    ----------
    points : ndarray, shape (n, 2 or more)
        Landmarks in pixels.
    height, width : int
        Of the frame, pixels.

    Returns
    -------
    Square
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    side = int(np.clip(np.max(high - low) * CROP_PER_FACE, 48, max(height, width)))
    left, top = (low + high) / 2 - side / 2
    return Square(_placed(left, side, width), _placed(top, side, height), side)


def _placed(start: float, side: int, length: int) -> int:
    """Start of a square along one axis: inside the frame, or centred on it where it is larger."""
    return (length - side) // 2 if side > length else int(np.clip(round(start), 0, length - side))


def squares(height: int, width: int) -> list[Square]:
    """The square around the frame, then squares inside it at three sizes, half overlapping, the middle first.

    Parameters
    ----------
    height, width : int
        Of the frame, pixels.

    Returns
    -------
    list of Square
    """
    longer = max(height, width)
    found = [Square((width - longer) // 2, (height - longer) // 2, longer)]
    for share in SEARCH_SIDES:
        side = max(1, int(min(height, width) * share))
        tops, lefts = ({round(x) for x in np.linspace(0, n - side, _steps(n, side))} for n in (height, width))
        row = [Square(left, top, side) for top in tops for left in lefts]
        found += sorted(
            row, key=lambda s: (abs(2 * s.left + s.side - width) + abs(2 * s.top + s.side - height), s.left)
        )
    return found


def _steps(length: int, side: int) -> int:
    return int(np.ceil((length - side) / (side / 2))) + 1


class FaceSearch:
    """Looks for a face in single pictures; use it in a `with` statement.

    Parameters
    ----------
    model : Path
        MediaPipe's `face_landmarker.task`; anything else is a `ModelError`.
    """

    def __init__(self, model: Path) -> None:
        self._landmarker = open_landmarker(model, "IMAGE")
        self._to_try: deque[Square] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()  # its finaliser raises at interpreter exit where this was not called

    def inside(self, square: Square, frame: Picture) -> Face | None:
        """The face in one square of a frame.

        Parameters
        ----------
        square : Square
            Where to look.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB.

        Returns
        -------
        Face or None
        """
        return _face(self._landmarker.detect(image_of(square.of(frame))), square)

    def anywhere(self, frame: Picture, *, tries: int | None = SEARCH_TRIES) -> Face | None:
        """A face in some square of the frame, for where no detector sees one.

        Parameters
        ----------
        frame : ndarray, shape (height, width, 3)
            uint8, RGB.
        tries : int, optional
            Squares looked at in this call, 3 ms each; the next call goes on where this one stopped. None: all.

        Returns
        -------
        Face or None
        """
        if not self._to_try:
            self._to_try.extend(squares(*frame.shape[:2]))
        for _ in range(len(self._to_try) if tries is None else min(tries, len(self._to_try))):
            square = self._to_try[0]
            self._to_try.rotate(-1)
            face = self.inside(square, frame)
            if face is not None:
                self._to_try.clear()  # after the next loss the search starts anew
                return face
        return None


class FaceFollower:
    """Follows one face from frame to frame through a square crop that moves with it; `close` it at the end.

    Parameters
    ----------
    model : Path
        MediaPipe's `face_landmarker.task`; anything else is a `ModelError`.
    """

    def __init__(self, model: Path) -> None:
        self._model = model
        self._landmarker: Any = None
        self._square: Square | None = None
        self._unsmoother = Unsmoother()
        self._stamp_ms = -1

    def close(self) -> None:
        """Free the landmarker."""
        if self._landmarker is not None:
            self._landmarker.close()
        self._landmarker, self._square = None, None

    def start(self, face: Face, frame: Picture) -> None:
        """Follow this face from now on.

        Parameters
        ----------
        face : Face
            As found in the frame.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB.
        """
        self._move(ideal_square(face.points, *frame.shape[:2]))

    def look(self, time_s: float, frame: Picture) -> Face | None:
        """The face in the next frame.

        Parameters
        ----------
        time_s : float
            Stamp of the frame; later than that of the frame before.
        frame : ndarray, shape (height, width, 3)
            uint8, RGB, upright.

        Returns
        -------
        Face or None
            None where the face is not seen.
        """
        if self._square is None:
            return None
        self._stamp_ms = max(round(time_s * 1000), self._stamp_ms + 1)  # the landmarker wants whole ms that increase
        face = _face(self._landmarker.detect_for_video(image_of(self._square.of(frame)), self._stamp_ms), self._square)
        if face is None:
            self._unsmoother = Unsmoother()
            return None
        size = float(np.ptp(face.points[:, :2], axis=0).mean())
        seen = self._unsmoother.undo(self._stamp_ms / 1000, face.points[list(STIFF)], size=size)
        self._keep_centred(face, frame)
        return replace(face, quick_pose=rotation_of_stiff(seen))

    def _keep_centred(self, face: Face, frame: Picture) -> None:
        now, ideal = self._square, ideal_square(face.points, *frame.shape[:2])
        if now is None:
            return
        off = max(abs(2 * (now.left - ideal.left) + now.side - ideal.side),
                  abs(2 * (now.top - ideal.top) + now.side - ideal.side)) / 2  # fmt: skip
        if off > DRIFT * now.side or not 1 / RESIZE < ideal.side / now.side < RESIZE:
            self._move(ideal)

    def _move(self, square: Square) -> None:
        """Look elsewhere from the next frame on: what the landmarker remembers of its old place would mislead it."""
        self.close()
        self._landmarker, self._square = open_landmarker(self._model, "VIDEO"), square
        self._unsmoother = Unsmoother()


def open_landmarker(model: Path, mode: str) -> Any:  # noqa: ANN401 - MediaPipe has no types
    """MediaPipe's face landmarker for one face.

    Parameters
    ----------
    model : Path
        `face_landmarker.task`.
    mode : {"IMAGE", "VIDEO"}
        Single pictures, or frames in order of time.

    Returns
    -------
    mediapipe.tasks.python.vision.FaceLandmarker

    Raises
    ------
    ModelError
        If the file is no such model.
    """
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        running_mode=vision.RunningMode[mode],
        num_faces=1,
        output_face_blendshapes=True,
    )
    try:
        return vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, FileNotFoundError) as error:
        raise ModelError("The face landmarker cannot be opened; run `cueflow models pull`") from error


def image_of(picture: Picture) -> Any:  # noqa: ANN401
    """A picture as MediaPipe takes it.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB, contiguous.

    Returns
    -------
    mediapipe.Image
    """
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)


def _face(result: Any, square: Square) -> Face | None:  # noqa: ANN401
    if not result.face_landmarks:
        return None
    points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]]) * square.side
    if np.ptp(points[:, :2], axis=0).max() < MIN_FACE:
        return None
    points[:, 0] += square.left
    points[:, 1] += square.top
    return Face(
        points=points,
        pose=head_rotation(points),
        shapes={c.category_name: float(c.score) for c in result.face_blendshapes[0]},
    )
