"""Geometry of a face mesh: eye opening, mouth gap, head angles, and movement with the head's own movement removed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.pose import STIFF, similarity

# indices into the 478-point mesh of MediaPipe; "right" is the person's right
EYE_RIGHT, EYE_LEFT = (33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373)
LIP_UPPER, LIP_LOWER, NOSE_TIP = 13, 14, 4
UPPER = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 159, 145, 386, 374, 160, 144, 387, 373, 158, 153, 385, 380)
LOWER = (61, 291, 0, 17, 13, 14, 37, 267, 84, 314, 39, 269, 181, 405, 40, 270, 91, 321, 152, 148, 377, 205, 425)
LIPS = (61, 291, 0, 17, 13, 14, 37, 267, 84, 314, 39, 269, 181, 405, 40, 270, 91, 321)
BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
MIRRORED = {
    "mouth": ((61, 291), (40, 270), (91, 321), (39, 269), (181, 405)),
    "eye": ((159, 386), (145, 374), (158, 385), (153, 380)),
    "brow": ((105, 334), (66, 296), (70, 300), (107, 336)),
}
IRISES = ((33, 133, 468), (362, 263, 473))  # corner at the left of the picture, corner at its right, iris
EYE_WIDTH_MM, IRIS_DEPTH_MM = 30.0, 10.5  # opening from corner to corner; iris before the eyeball's centre


def inside(picture: NDArray[Any], outline: FloatArray) -> NDArray[np.bool_]:
    """Which pixels lie inside an outline.

    Parameters
    ----------
    picture : ndarray, shape (height, width, ...)
        Any picture.
    outline : ndarray, shape (n, 2)
        Its corners in pixels, in order.

    Returns
    -------
    ndarray, shape (height, width)
    """
    import cv2

    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask > 0


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
    turn, scale = similarity(points[stiff], reference[stiff])
    turned: FloatArray = scale * (points - points[stiff].mean(axis=0)) @ turn.T + reference[stiff].mean(axis=0)
    return turned


def moved(points: FloatArray, before: FloatArray) -> tuple[float, float, float, float, float]:
    """How far the face moved in itself: mean way of the upper part, the lower part, lips, brows, and both parts.

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
    upper, lower, lips, brows, both = (float(way[list(p)].mean()) for p in (UPPER, LOWER, LIPS, BROWS, UPPER + LOWER))
    return upper, lower, lips, brows, both


def eye_in_head(points: FloatArray, pose: FloatArray) -> tuple[float, float]:
    """Where the eyes look in the head, from the irises' place between the corners of the eyes.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks with irises.
    pose : ndarray, shape (3, 3)
        Rotation of the head, as in `head_angles`.

    Returns
    -------
    tuple of float
        Yaw, positive towards the right edge of the picture, and pitch, positive downwards, degrees; mean of both eyes.
        Only differences mean something: the zero depends on the shape of the person's eyes.
    """
    head = (points * np.array([1.0, -1.0, -1.0])) @ pose  # what the head's own rotation did is undone
    offsets = []
    for left, right, iris in IRISES:
        across = head[right] - head[left]
        width = float(np.linalg.norm(across[:2]))
        offset = head[iris] - (head[left] + head[right]) / 2
        offsets.append((offset[0] / width, -offset[1] / width))
    x, y = np.mean(offsets, axis=0) * EYE_WIDTH_MM / IRIS_DEPTH_MM
    yaw, pitch = np.degrees(np.arcsin(np.clip([x, y], -0.95, 0.95)))
    return float(yaw), float(pitch)


def mouth_corners(points: FloatArray, pose: FloatArray) -> float:
    """How far up and outwards the corners of the mouth are in the head, half the mouth's width and their mean height.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks.
    pose : ndarray, shape (3, 3)
        Rotation of the head, as in `head_angles`.

    Returns
    -------
    float
        In inter-ocular distances, the height from the stiff part of the face; only differences mean something.
    """
    head = (points * np.array([1.0, -1.0, -1.0])) @ pose
    right, left = head[61], head[291]
    height = (right[1] + left[1]) / 2 - float(head[list(STIFF), 1].mean())
    return float((left[0] - right[0]) / 2 + height) / inter_ocular(points)


def inside_share(points: FloatArray, height: int, width: int) -> float:
    """Share of the landmarks that lie in the picture.

    Parameters
    ----------
    points : ndarray, shape (478, 2 or more)
        Landmarks in pixels.
    height, width : int
        Of the picture.

    Returns
    -------
    float
        0 to 1.
    """
    x, y = points[:, 0], points[:, 1]
    return float(np.mean((x >= 0) & (y >= 0) & (x <= width) & (y <= height)))


def asymmetry(points: FloatArray) -> dict[str, float]:
    """Mean distance between a landmark and the mirror image of its partner on the other side, by part of the face.

    The mirror is the plane that best swaps the stiff pairs: through the midpoint of the eyes, across the line that
    joins them.

    Parameters
    ----------
    points : ndarray, shape (478, 3)
        Landmarks.

    Returns
    -------
    dict
        mouth, eye and brow, in inter-ocular distances; 0 for a symmetric face.
    """
    right, left = points[[33, 133]].mean(axis=0), points[[263, 362]].mean(axis=0)
    size = np.linalg.norm(left - right)
    axis = (left - right) / size
    found = {}
    for part, partners in MIRRORED.items():
        pairs = np.array(partners)
        first, second = points[pairs[:, 0]], points[pairs[:, 1]]
        image = second - 2 * np.outer((second - (left + right) / 2) @ axis, axis)
        found[part] = float(np.linalg.norm((first - image)[:, :2], axis=1).mean() / size)
    return found
