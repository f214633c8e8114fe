"""All faces of a frame, near and far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

MIN_SCORE = 0.5
NOSE_BASE = 0.45  # the point between nose and lip lies this share of the way from the nose's tip to the mouth


@dataclass(frozen=True, slots=True)
class Seen:
    """A face that the detector saw: `box` left, top, right, bottom; `anchors` (3, 2) as in `identity`; pixels."""

    box: tuple[float, float, float, float]
    anchors: FloatArray
    score: float

    @property
    def side(self) -> float:
        """Longer side of the box."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> FloatArray:
        """Middle of the box, (2,)."""
        return np.array([self.box[0] + self.box[2], self.box[1] + self.box[3]]) / 2


class FaceDetector:
    """MediaPipe's full-range face detector; use it in a `with` statement.

    Parameters
    ----------
    model : Path
        `face_detection_full_range_sparse.tflite`.

    Raises
    ------
    ModelError
        If the file is no such model.
    """

    def __init__(self, model: Path) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.IMAGE,
            min_detection_confidence=MIN_SCORE,
        )
        try:
            self._detector: Any = vision.FaceDetector.create_from_options(options)
        except (RuntimeError, ValueError, FileNotFoundError) as error:
            raise ModelError("The face detector cannot be opened; run `cueflow models pull`") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._detector.close()

    def __call__(self, frame: NDArray[np.uint8]) -> list[Seen]:
        """Faces of a frame, the largest first.

        Parameters
        ----------
        frame : ndarray, shape (height, width, 3)
            uint8, RGB, upright.

        Returns
        -------
        list of Seen
        """
        import mediapipe

        height, width = frame.shape[:2]
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        found = [_seen(d, np.array([width, height])) for d in self._detector.detect(image).detections]
        return sorted(found, key=lambda s: -s.side)


def _seen(detection: Any, size: NDArray[np.int64]) -> Seen:  # noqa: ANN401 - MediaPipe has no types
    box = detection.bounding_box
    right, left, nose, mouth = (np.array([k.x, k.y]) * size for k in detection.keypoints[:4])
    anchors = np.stack([right, left, nose + NOSE_BASE * (mouth - nose)])
    corners = (box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height)
    return Seen(tuple(float(c) for c in corners), anchors, float(detection.categories[0].score))  # type: ignore[arg-type]
