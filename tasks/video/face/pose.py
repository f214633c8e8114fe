"""Where the head points: the stiff part of the face laid on a metric model of it."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

MODEL_CM = {
    168: (0.00, 3.27, 5.24), 6: (0.00, 2.47, 5.79), 197: (0.00, 1.73, 6.32), 195: (0.00, 1.06, 6.77),
    5: (0.00, 0.37, 7.24), 4: (0.00, -0.46, 7.59), 1: (0.00, -1.13, 7.48), 19: (0.00, -1.50, 7.11),
    94: (0.00, -1.72, 6.60), 2: (0.00, -2.09, 6.06), 98: (-1.41, -1.71, 5.24), 327: (1.41, -1.71, 5.24),
    48: (-1.61, -0.94, 5.81), 278: (1.61, -0.94, 5.81), 122: (-0.56, 2.31, 5.57), 351: (0.56, 2.31, 5.57),
    188: (-0.95, 1.91, 5.20), 412: (0.95, 1.91, 5.20), 129: (-1.79, -0.98, 4.85), 358: (1.79, -0.98, 4.85),
    198: (-1.25, 0.23, 5.68), 420: (1.25, 0.23, 5.68), 236: (-0.88, 0.66, 6.23), 456: (0.88, 0.66, 6.23),
    114: (-1.30, 1.42, 4.83), 343: (1.30, 1.42, 4.83), 33: (-4.45, 2.66, 3.17), 133: (-1.86, 2.59, 3.76),
    263: (4.45, 2.66, 3.17), 362: (1.86, 2.59, 3.76), 117: (-5.26, 0.95, 2.97), 346: (5.26, 0.95, 2.97),
    119: (-3.30, 0.86, 3.87), 348: (3.30, 0.86, 3.87), 121: (-1.82, 1.47, 4.22), 350: (1.82, 1.47, 4.22),
    118: (-4.43, 0.72, 3.52), 347: (4.43, 0.72, 3.52), 100: (-2.34, 0.57, 4.29), 329: (2.34, 0.57, 4.29),
    10: (0.00, 8.26, 4.48), 151: (0.00, 6.55, 5.03), 9: (0.00, 4.89, 5.39), 109: (-1.89, 8.24, 4.27),
    338: (1.89, 8.24, 4.27), 67: (-3.52, 8.01, 3.73), 297: (3.52, 8.01, 3.73), 54: (-6.28, 6.62, 1.43),
    284: (6.28, 6.62, 1.43), 103: (-5.13, 7.49, 2.66), 332: (5.13, 7.49, 2.66), 127: (-7.74, 2.36, -2.01),
    356: (7.74, 2.36, -2.01), 234: (-7.66, 0.67, -2.44), 454: (7.66, 0.67, -2.44),
}  # fmt: skip
"""Nose, corners of the eyes, cheeks below them, forehead and temples of MediaPipe's canonical face (Apache-2.0), in cm.

x to the right in the picture, y up, z towards the camera. Of its mesh what neither speech nor blinks nor brows move.
"""

STIFF = tuple(MODEL_CM)
_MODEL = np.array(list(MODEL_CM.values()))
_FLIP = np.array([1.0, -1.0, -1.0])  # landmarks have y down and z away from the camera


def head_rotation(points: FloatArray) -> FloatArray:
    """Rotation of the head against the line of sight from the camera to it.

    MediaPipe's own matrix takes the landmarks for seen through a wide-angle camera close by, which makes yaw too small;
    here they are taken as they are.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks in pixels, depth on the same scale and away from the camera.

    Returns
    -------
    ndarray, shape (3, 3)
        x right in the picture, y up, z towards the camera.

    References
    ----------
    Umeyama (1991), doi:10.1109/34.88573
    """
    return rotation_of_stiff(points[list(STIFF)])


def rotation_of_stiff(points: FloatArray) -> FloatArray:
    """The same as `head_rotation` from the stiff points alone.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Landmarks of `STIFF`, as in `head_rotation`.

    Returns
    -------
    ndarray, shape (3, 3)
    """
    return similarity(_MODEL, points * _FLIP)[0]


def similarity(points: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """Rotation and scale that lay points on others, both about their means.

    Parameters
    ----------
    points, target : ndarray, shape (n, 3)
        Pairs of points.

    Returns
    -------
    rotation : ndarray, shape (3, 3)
        The best in least squares, never a mirror image.
    scale : float
    """
    a, b = points - points.mean(axis=0), target - target.mean(axis=0)
    left, values, right = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(left * sign @ right), float((values * sign).sum() / (a**2).sum())
