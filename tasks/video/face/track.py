"""One row of numbers per frame of the face, built up as the video is decoded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face import geometry as geometry

if TYPE_CHECKING:
    from cueflow.tasks.video.face.finder import Face

BASELINE_S = 0.095  # movement is measured over a tenth of a second, so that cameras of 25 and 60 frames/s agree
MAX_STEP_S = 0.25  # two faces further apart in time are not compared

COLUMNS = (
    "blink", "eye_aspect", "mouth_open", "smile", "brow_raise", "brow_lower", "pitch", "yaw", "roll", "size", "nose_x",
    "nose_y", "asymmetry", "head_speed", "moved_upper", "moved_lower", "moved_all",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """The face over time: `times_s` (n,), and by name of `COLUMNS` (n,) with NaN where no face was seen.

    blink, smile, brow_raise, brow_lower: scores 0 to 1; eye_aspect: ratio; mouth_open: inter-ocular distances (IOD);
    pitch, yaw, roll: degrees; size: share of the shorter side; nose_x, nose_y: shares of width and height; asymmetry:
    IOD; head_speed: deg/s; moved_*: IOD/s. The speeds are known once in about a tenth of a second, NaN in between.
    """

    times_s: FloatArray
    columns: dict[str, FloatArray]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """True where a face was seen, (n,)."""
        return np.isfinite(self.columns["yaw"])

    def __getitem__(self, name: str) -> FloatArray:
        return self.columns[name]


_UNSEEN = (np.nan,) * len(COLUMNS)


class TrackBuilder:
    """Collects faces into a `FaceTrack`, keeping only numbers.

    Parameters
    ----------
    height, width : int
        Of the frames, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        # Plain doubles: tuples of floats would take five times as much, and grow with the recording.
        self._times, self._cells = array("d"), array("d")
        self._anchor: tuple[float, Face] | None = None

    def add(self, time_s: float, face: Face | None) -> None:
        """Take the next frame.

        Parameters
        ----------
        time_s : float
            Its stamp.
        face : Face or None
            None where no face was seen: its place in time is kept.
        """
        self._times.append(time_s)
        self._cells.extend(_UNSEEN if face is None else self._row(time_s, face))
        if face is None:
            self._anchor = None  # no difference across a loss

    def done(self) -> FaceTrack:
        """The track of all frames taken."""
        table = np.array(self._cells).reshape(len(self._times), len(COLUMNS))
        return FaceTrack(np.array(self._times), {name: table[:, i] for i, name in enumerate(COLUMNS)})

    def _row(self, time_s: float, face: Face) -> tuple[float, ...]:
        shape = face.shapes
        points = face.points
        return (
            _mean(shape, "eyeBlinkLeft", "eyeBlinkRight"),
            geometry.eye_aspect_ratio(points),
            geometry.mouth_gap(points),
            _mean(shape, "mouthSmileLeft", "mouthSmileRight"),
            _mean(shape, "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
            _mean(shape, "browDownLeft", "browDownRight"),
            *geometry.head_angles(face.pose),
            float(np.ptp(points[:, :2], axis=0).max()) / min(self._height, self._width),
            float(points[geometry.NOSE_TIP, 0]) / self._width,
            float(points[geometry.NOSE_TIP, 1]) / self._height,
            geometry.asymmetry(points),
            *self._speeds(time_s, face),
        )

    def _speeds(self, time_s: float, face: Face) -> tuple[float, float, float, float]:
        unknown = (np.nan, np.nan, np.nan, np.nan)
        if self._anchor is None:
            self._anchor = (time_s, face)
            return unknown
        then, before = self._anchor
        step = time_s - then
        if step < BASELINE_S:
            return unknown
        self._anchor = (time_s, face)
        if step > MAX_STEP_S:
            return unknown
        turned = geometry.rotation_between(before.pose, face.pose)
        upper, lower, both = geometry.moved(face.points, before.points)
        return turned / step, upper / step, lower / step, both / step


def _mean(shapes: dict[str, float], *names: str) -> float:
    return float(np.mean([shapes[name] for name in names]))
