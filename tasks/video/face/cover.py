"""Whether a mask lies over the mouth: lips that are no redder than the chin, cheeks unlike the forehead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.geometry import inside

FOREHEAD = (103, 67, 109, 10, 338, 297, 332, 333, 299, 337, 151, 108, 69, 104)
_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
_CHIN = (18, 83, 182, 194, 32, 208, 199, 428, 262, 418, 406, 313)
_JAWS = ((205, 50, 187, 147, 192, 214, 212, 216), (425, 280, 411, 376, 416, 434, 432, 436))
MASK_RED, MASK_COLOUR = 2.0, 12.0  # steps of CIELAB; of 24 bare faces none is below the one and above the other


def mask_signs(picture: NDArray[np.uint8], points: FloatArray) -> tuple[float, float]:
    """What tells a covered mouth; the landmarker does not, it draws lips onto a mask.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    points : ndarray, shape (478, 3)
        Landmarks in pixels.

    Returns
    -------
    tuple of float
        How much redder the lips are than the chin, and how far the lower cheeks are in hue and saturation from the
        forehead, on the side where it is less, both in CIELAB; NaN where they are not in the picture.
    """
    import cv2

    low = np.maximum(np.floor(points[:, :2].min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(points[:, :2].max(axis=0)).astype(int), picture.shape[1::-1])
    if np.any(high - low < 2):
        return np.nan, np.nan
    part = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    colours = np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2LAB), dtype=np.uint8)
    lips, chin, forehead, *jaws = (
        _median(colours, points[list(p), :2] - low) for p in (_LIPS, _CHIN, FOREHEAD, *_JAWS)
    )
    return float(lips[1] - chin[1]), min(float(np.hypot(*(jaw - forehead)[1:])) for jaw in jaws)


def _median(colours: NDArray[np.uint8], outline: FloatArray) -> FloatArray:
    """Median colour inside an outline, (3,)."""
    mask = inside(colours, outline)
    return np.median(colours[mask].astype(np.float64), axis=0) if mask.any() else np.full(3, np.nan)


def mouth_covered(lip_red: FloatArray, jaw_colour: FloatArray) -> bool:
    """True where a mask lies over the mouth for most of the time.

    Parameters
    ----------
    lip_red, jaw_colour : ndarray, shape (n,)
        As `mask_signs` gives them; NaN where nobody looked.

    Returns
    -------
    bool
    """
    known = np.isfinite(lip_red + jaw_colour)
    if not known.any():
        return False
    return bool(np.median(lip_red[known]) < MASK_RED and np.median(jaw_colour[known]) > MASK_COLOUR)
