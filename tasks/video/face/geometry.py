"""Geometry of a face mesh: eye opening, mouth gap, head angles, and movement with the head's own movement removed."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

# indices into the 478-point mesh of MediaPipe; "right" is the person's right
EYE_RIGHT, EYE_LEFT = (33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373)
LIP_UPPER, LIP_LOWER, NOSE_TIP = 13, 14, 4
STIFF = (168, 6, 197, 195, 5, 4, 33, 133, 263, 362, 127, 356, 234, 454, 10, 151, 9, 109, 338, 67, 297)
UPPER = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 159, 145, 386, 374, 160, 144, 387, 373, 158, 153, 385, 380)
LOWER = (61, 291, 0, 17, 13, 14, 37, 267, 84, 314, 39, 269, 181, 405, 40, 270, 91, 321, 152, 148, 377, 205, 425)
MIRRORED = ((61, 291), (159, 386), (145, 374), (105, 334), (66, 296), (70, 300), (40, 270), (91, 321))


def inter_ocular(points: FloatArray) -> float:
    """Distance of the two eyes' centres.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks, any length unit.

    Returns
    -------
    float
        In the landmarks' unit.
    """
    right, left = points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)
    return float(np.linalg.norm(left - right))


def eye_aspect_ratio(points: FloatArray) -> float:
    """Height of the eye opening over its width, mean of both eyes.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks.

    Returns
    -------
    float
        About .3 for open eyes, below .1 for closed ones.

    References
    ----------
    Soukupová and Čech (2016), Real-time eye blink detection using facial landmarks, 21st CVWW
    """
    ratios = []
    for outer, up1, up2, inner, low2, low1 in (EYE_RIGHT, EYE_LEFT):
        height = np.linalg.norm(points[up1] - points[low1]) + np.linalg.norm(points[up2] - points[low2])
        ratios.append(height / (2 * np.linalg.norm(points[outer] - points[inner])))
    return float(np.mean(ratios))


def mouth_gap(points: FloatArray) -> float:
    """Gap between the inner lips in inter-ocular distances.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks.

    Returns
    -------
    float
    """
    return float(np.linalg.norm(points[LIP_UPPER] - points[LIP_LOWER])) / inter_ocular(points)


def head_angles(pose: FloatArray) -> FloatArray:
    """Pitch, yaw and roll of the head in degrees.

    Parameters
    ----------
    pose : ndarray, shape (3, 3)
        Rotation of the head (x right in the picture, y up, z towards the camera).

    Returns
    -------
    ndarray, shape (3,)
        Pitch, positive with the chin down; yaw, positive towards the right edge of the picture; roll, positive with the
        head's top towards the left edge.
    """
    pitch = np.arctan2(-pose[1, 2], np.hypot(pose[0, 2], pose[2, 2]))
    yaw = np.arctan2(pose[0, 2], pose[2, 2])
    roll = np.arctan2(pose[1, 0], pose[1, 1])
    return np.asarray(np.degrees(np.array([pitch, yaw, roll])))


def rotation_between(first: FloatArray, second: FloatArray) -> float:
    """Angle of the single rotation that leads from one pose to the other, degrees.

    Parameters
    ----------
    first, second : ndarray, shape (3, 3)
        Rotations.

    Returns
    -------
    float
        0 to 180.
    """
    cosine = (np.trace(first.T @ second) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def aligned(points: FloatArray, reference: FloatArray) -> FloatArray:
    """Landmarks moved, turned and scaled so that the stiff part of the face lies on that of a reference.

    Parameters
    ----------
    points, reference : ndarray, shape (478, 3)
        Landmarks.

    Returns
    -------
    ndarray, shape (478, 3)
        What is left of the difference to the reference is expression, and noise.

    References
    ----------
    Umeyama (1991), doi:10.1109/34.88573
    """
    stiff = list(STIFF)
    a, b = points[stiff], reference[stiff]
    a0, b0 = a.mean(axis=0), b.mean(axis=0)
    left, values, right = np.linalg.svd((b - b0).T @ (a - a0))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = float((values * sign).sum() / ((a - a0) ** 2).sum())
    turned: FloatArray = scale * (points - a0) @ (left @ np.diag(sign) @ right).T + b0
    return turned


def moved(points: FloatArray, before: FloatArray) -> tuple[float, float, float]:
    """How far the face moved in itself: the mean way of the upper part, of the lower part, and of both.

    Parameters
    ----------
    points, before : ndarray, shape (478, 3)
        Landmarks now and before.

    Returns
    -------
    tuple of float
        In inter-ocular distances.
    """
    way = np.linalg.norm(aligned(points, before) - before, axis=1) / inter_ocular(before)
    upper, lower = float(way[list(UPPER)].mean()), float(way[list(LOWER)].mean())
    return upper, lower, float(way[list(UPPER + LOWER)].mean())


def asymmetry(points: FloatArray) -> float:
    """Mean distance between a landmark and the mirror image of its partner on the other side.

    The mirror is the plane that best swaps the stiff pairs: through the midpoint of the eyes, across the line that
    joins them.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks.

    Returns
    -------
    float
        In inter-ocular distances; 0 for a symmetric face.
    """
    right, left = points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)
    size = np.linalg.norm(left - right)
    axis = (left - right) / size
    pairs = np.array(MIRRORED)
    first, second = points[pairs[:, 0]], points[pairs[:, 1]]
    image = second - 2 * np.outer((second - (left + right) / 2) @ axis, axis)
    return float(np.linalg.norm((first - image)[:, :2], axis=1).mean() / size)
