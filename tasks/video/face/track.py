"""One row of numbers per frame of the face, built up as the video is decoded."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face import geometry
from cueflow.tasks.video.face.cover import FOREHEAD, mask_signs
from cueflow.tasks.video.face.glasses import glasses_signs
from cueflow.tasks.video.face.pose import head_rotation
from cueflow.tasks.video.face.units import UNITS, unit_scores

if TYPE_CHECKING:
    from cueflow.tasks.video.face.finder import Face

# movement is measured over a tenth of a second, between frames that are further apart by interpolation: the longer the
# step, the more of a movement's corners it cuts, and three frames of 25 a second take 120 ms
BASELINE_S, ROUNDING_S = 0.1, 1e-4
COVER_S = 0.5  # masks and glasses are looked for so often
MAX_STEP_S = 0.25  # two faces further apart in time are not compared

SKIN = (
    FOREHEAD,
    (117, 118, 119, 100, 142, 36, 205, 187, 123),
    (346, 347, 348, 329, 371, 266, 425, 411, 352),
)
"""Forehead and cheeks, as polygons of landmarks."""

COLUMNS = (
    "eye_aspect", "mouth_open", "pitch", "yaw", "roll", "size", "nose_x", "nose_y", "nearness", "inside",
    "asymmetry_mouth", "asymmetry_eye", "asymmetry_brow", "eye_yaw", "eye_pitch", "head_speed", "moved_upper",
    "moved_lower", "moved_lips", "moved_brows", "moved_all", "skin_r", "skin_g", "skin_b", "corners", "lip_red",
    "jaw_colour", "bridge_dark", "bridge_edge", "iris_dark", "quick_pitch", "quick_yaw", *UNITS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """A face over time: `times_s` (n,), and by name of `COLUMNS` (n,) with NaN where it was not seen.

    eye_aspect: ratio; mouth_open: inter-ocular distances (IOD); pitch, yaw, roll: degrees; quick_pitch, quick_yaw: the
    same without the landmarker's smoothing; size: share of the shorter side; nose_x, nose_y: shares of width and
    height; nearness: inter-ocular distance, its foreshortening undone, in shares of the shorter side; inside: share of
    the landmarks in the picture; asymmetry: IOD; eye_yaw, eye_pitch: eye in head, degrees; head_speed: deg/s; moved_*:
    IOD/s; skin_*: mean grey levels of forehead and cheeks; au…: scores 0 to 1. The speeds are known once in a tenth of
    a second, NaN in between.
    """

    times_s: FloatArray
    columns: dict[str, FloatArray]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """True where the face was seen, (n,)."""
        return np.isfinite(self.columns["yaw"])

    def __getitem__(self, name: str) -> FloatArray:
        return self.columns[name]

    def joined(self, other: FaceTrack) -> FaceTrack:
        """The track, with the other's frames where it saw no face."""
        return FaceTrack(self.times_s, {name: np.where(self.visible, self[name], other[name]) for name in self.columns})

    def only(self, keep: NDArray[np.bool_]) -> FaceTrack:
        """The track without some frames: there is a gap in their place."""
        return FaceTrack(self.times_s[keep], {name: column[keep] for name, column in self.columns.items()})


class TrackBuilder:
    """Collects the faces of one person into a `FaceTrack`, keeping only numbers.

    Parameters
    ----------
    height, width : int
        Of the frames, pixels.
    unseen : int, optional
        Frames before the first one taken: the person was not seen in them.
    """

    def __init__(self, height: int, width: int, *, unseen: int = 0) -> None:
        self._height, self._width = height, width
        # Plain floats of the frames with a face only: who comes by once takes no room for the rest of the recording.
        self._frames, self._at, self._cells = unseen, array("l"), array("f")
        self._anchor: tuple[float, FloatArray] | None = None
        self._recent: deque[tuple[float, FloatArray]] = deque(maxlen=3)
        self._cover_s = -np.inf

    def add(self, time_s: float, face: Face | None, picture: NDArray[np.uint8]) -> None:
        """Take the next frame.

        Parameters
        ----------
        time_s : float
            Its stamp.
        face : Face or None
            None where the face was not seen: its place in time is kept.
        picture : ndarray, shape (height, width, 3)
            uint8, RGB.
        """
        if face is None:
            self._start_anew()  # no difference across a loss
        else:
            self._at.append(self._frames)
            self._cells.extend(self._row(time_s, face, picture))
        self._frames += 1

    def forget(self, frames: int) -> None:
        """Take the last frames back: the face in them was somebody else's."""
        kept = bisect_left(self._at, self._frames - frames)
        del self._at[kept:], self._cells[kept * len(COLUMNS) :]
        self._start_anew()

    def _start_anew(self) -> None:
        self._anchor = None
        self._recent.clear()

    @property
    def seen(self) -> int:
        """Number of frames with a face."""
        return len(self._at)

    def done(self, times_s: FloatArray) -> FaceTrack:
        """The track; frames after the last one taken count as unseen.

        Parameters
        ----------
        times_s : ndarray, shape (n,)
            Stamps of all frames of the recording.
        """
        table = np.full((len(times_s), len(COLUMNS)), np.nan)
        table[np.array(self._at, dtype=np.int64)] = np.array(self._cells, np.float32).reshape(-1, len(COLUMNS))
        return FaceTrack(times_s, {name: table[:, i] for i, name in enumerate(COLUMNS)})

    def _row(self, time_s: float, face: Face, picture: NDArray[np.uint8]) -> tuple[float, ...]:
        points = face.points
        height, width = self._height, self._width
        shorter = min(height, width)
        asymmetry = geometry.asymmetry(points)
        return (
            geometry.eye_aspect_ratio(points),
            geometry.mouth_gap(points),
            *geometry.head_angles(face.pose),
            float(np.ptp(points[:, :2], axis=0).max()) / shorter,
            float(points[geometry.NOSE_TIP, 0]) / width,
            float(points[geometry.NOSE_TIP, 1]) / height,
            geometry.inter_ocular(points) / shorter,
            geometry.inside_share(points, height, width),
            *(asymmetry[part] for part in ("mouth", "eye", "brow")),
            *geometry.eye_in_head(points, face.pose),
            *self._speeds(time_s, points),
            *skin_colour(picture, points),
            geometry.mouth_corners(points, face.pose),
            *self._cover(time_s, picture, points),
            *geometry.head_angles(face.pose if face.quick_pose is None else face.quick_pose)[:2],
            *unit_scores(face.shapes),
        )

    def _cover(self, time_s: float, picture: NDArray[np.uint8], points: FloatArray) -> tuple[float, ...]:
        if time_s - self._cover_s < COVER_S:
            return (np.nan,) * 5
        self._cover_s = time_s
        return *mask_signs(picture, points), *glasses_signs(picture, points)

    def _speeds(self, time_s: float, points: FloatArray) -> tuple[float, ...]:
        unknown = (np.nan,) * 6
        self._recent.append((time_s, points))
        if self._anchor is None:
            self._anchor = time_s, points
            return unknown
        then, old = self._anchor
        if time_s - then < BASELINE_S - ROUNDING_S:
            return unknown
        now, new = time_s, points
        if time_s - self._recent[-2][0] <= BASELINE_S:  # frames further apart are taken as they are
            now = min(then + BASELINE_S, time_s)
            new = _between(self._recent, now)
        self._anchor = now, new
        step = now - then
        if step > MAX_STEP_S:
            return unknown
        turned = geometry.rotation_between(head_rotation(old), head_rotation(new))
        return turned / step, *(way / step for way in geometry.moved(new, old))


def _between(recent: Sequence[tuple[float, FloatArray]], time_s: float) -> FloatArray:
    """Landmarks at a moment between the last two frames: on the parabola through the last three."""
    total = np.zeros_like(recent[0][1])
    for t, points in recent:
        total += np.prod([(time_s - other) / (t - other) for other, _ in recent if other != t]) * points
    return total


def skin_colour(picture: NDArray[np.uint8], points: FloatArray) -> tuple[float, float, float]:
    """Mean colour of forehead and cheeks.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    points : ndarray, shape (478, 3)
        Landmarks in pixels.

    Returns
    -------
    tuple of float
        Red, green and blue, 0 to 255; NaN where no skin lies in the picture.
    """
    import cv2

    low = np.maximum(np.floor(points[:, :2].min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(points[:, :2].max(axis=0)).astype(int), picture.shape[1::-1])
    if np.any(high - low < 2):
        return np.nan, np.nan, np.nan
    part = picture[low[1] : high[1], low[0] : high[0]]
    mask = np.zeros(part.shape[:2], np.uint8)
    for patch in SKIN:
        cv2.fillPoly(mask, [np.round(points[list(patch), :2] - low).astype(np.int32)], 1)
    if not mask.any():
        return np.nan, np.nan, np.nan
    red, green, blue, _ = cv2.mean(part, mask)
    return float(red), float(green), float(blue)
