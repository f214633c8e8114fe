"""A reference photograph: whose face it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.finder import FaceSearch, ideal_square
from cueflow.tasks.video.people.detect import FaceDetector
from cueflow.tasks.video.people.identity import FaceIdentity, aligned_face, mesh_anchors

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.tasks.video.follow import VideoModels

MAX_SIDE = 1280
LARGER = 1.5  # the photo's main face must be so much larger than any other


def reference_numbers(photo: Path, models: VideoModels) -> FloatArray | None:
    """Numbers of the face on a photograph.

    Parameters
    ----------
    photo : Path
        JPEG or PNG.
    models : VideoModels
        Files of the models.

    Returns
    -------
    ndarray, shape (128,), or None
        None where the file is no picture, shows no face, or several of like size.
    """
    import cv2

    picture = cv2.imread(str(photo))
    if picture is None:
        return None
    scale = min(1.0, MAX_SIDE / max(picture.shape[:2]))
    frame = np.ascontiguousarray(cv2.resize(picture, None, fx=scale, fy=scale)[..., ::-1], dtype=np.uint8)
    with FaceDetector(models.detector) as detect, FaceSearch(models.landmarker) as search:
        seen = detect(frame)
        if len(seen) > 1 and seen[0].side < LARGER * seen[1].side:
            return None
        face = search.anywhere(frame, tries=None)
        if seen:
            corners = np.array(seen[0].box).reshape(2, 2)
            face = search.inside(ideal_square(corners, *frame.shape[:2]), frame)
    if face is None:
        return None
    chip = aligned_face(frame, mesh_anchors(face.points))
    numbers: FloatArray = FaceIdentity(models.identity)(chip[None])[0]
    return numbers
