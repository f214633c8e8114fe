"""What motion is read from, and how each source becomes one row of numbers a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.motion.flow import Array, Flow, standardised, without_camera

POOL = 4
CELLS = POOL * POOL
FIELD_COLUMNS = 3 * CELLS + 8  # residual x and y, its length, six affine numbers, two mean speeds
SOURCES: dict[str, int] = {
    "keys": FIELD_COLUMNS,
    "images": FIELD_COLUMNS,
    "attention": CELLS + 1,
    "optical": FIELD_COLUMNS,
    "pixels": CELLS,
}
"""Motion sources and how many numbers each gives a frame."""
ATTENDED = frozenset({"images", "attention"})  # read from attention, by the last blocks
OPTICAL_SOFTEN_PX = 1.0
STEADY = (0.25, 0.5, 0.25)  # weights of the last pairs' velocities, the earliest first

Float32 = NDArray[np.float32]
Pictures = NDArray[np.uint8]


def steadied(recent: Sequence[FloatArray]) -> FloatArray:
    """Mean velocity of the last pairs of frames.

    Noise of a picture moves the pair before it one way and the pair behind it the other; in the mean it goes out.

    Parameters
    ----------
    recent : sequence of ndarray, shape (side, side, 2)
        Of one pair at least and as many as `STEADY` has weights, the latest last.

    Returns
    -------
    ndarray, shape (side, side, 2)
    """
    return np.asarray(np.average(recent, axis=0, weights=STEADY[: len(recent)]))


def pooled(values: FloatArray) -> FloatArray:
    """Mean over a grid of 4 × 4 cells of a picture of at least 4 × 4: (h, w, k) gives (16, k)."""
    height, width = values.shape[:2]
    rows = np.add.reduceat(values, np.arange(POOL) * height // POOL, axis=0)
    cells = np.add.reduceat(rows, np.arange(POOL) * width // POOL, axis=1)
    high = np.diff(np.append(np.arange(POOL) * height // POOL, height))
    wide = np.diff(np.append(np.arange(POOL) * width // POOL, width))
    return np.asarray(cells / (high[:, None, None] * wide[None, :, None])).reshape(CELLS, -1)


def flow_row(flow: Flow, stretch: FloatArray) -> FloatArray:
    """One row of a signed flow.

    Parameters
    ----------
    flow : Flow
        Motion in the scene and what the camera does to each patch, patch/s.
    stretch : ndarray, shape (2,)
        What a patch's width and height measure in patches of a square picture of the same area.

    Returns
    -------
    ndarray, shape (56,)
        Pooled residual x, y and length; affine numbers; mean speed of the scene and of the camera.
    """
    residual = flow.residual * stretch
    speed = np.linalg.norm(residual, axis=-1, keepdims=True)
    cells = pooled(np.concatenate([residual, speed], axis=-1))
    mean = [speed.mean(), np.linalg.norm(flow.field * stretch, axis=-1).mean()]
    return np.concatenate([cells.T.ravel(), flow.camera.ravel(), mean])


def attention_row(change: Array, magnitude: Array) -> FloatArray:
    """Pooled standardised attention flow, mean over layers, and its mean magnitude: (layers, P) gives (17,)."""
    side = round(change.shape[-1] ** 0.5)
    shape = standardised(change).mean(axis=0).reshape(side, side, 1)
    return np.append(pooled(shape).ravel(), magnitude.mean())


def grey(picture: Pictures, size: int) -> Pictures:
    """The picture in grey levels, squeezed to `size` × `size`."""
    import cv2

    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def optical_row(now: Pictures, then: Pictures, *, side: int, seconds: float, stretch: FloatArray) -> FloatArray:
    """Row of Farneback's optical flow, averaged over patches, with the camera fitted out as for the keys.

    References
    ----------
    Farnebäck (2003), doi:10.1007/3-540-45103-X_50
    """
    import cv2

    start = np.zeros((*now.shape, 2), np.float32)
    now, then = (cv2.GaussianBlur(x, (0, 0), OPTICAL_SOFTEN_PX) for x in (now, then))
    moved = cv2.calcOpticalFlowFarneback(now, then, start, 0.5, 3, 11, 3, 5, 1.1, 0)
    patch = now.shape[0] // side
    cells = moved[: side * patch, : side * patch].reshape(side, patch, side, patch, 2).mean(axis=(1, 3))
    displacement = np.asarray(cells, dtype=np.float64) / patch
    return flow_row(without_camera(displacement, seconds=seconds), stretch)


def pixel_row(now: Pictures, then: Pictures) -> FloatArray:
    """Pooled absolute difference of grey levels, 0 to 1."""
    off = np.abs(now.astype(np.float64) - then.astype(np.float64))[..., None] / 255
    return pooled(off).ravel()
