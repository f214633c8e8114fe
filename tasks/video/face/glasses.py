"""Whether glasses lie before the eyes: a dark line across the root of the nose, where bare skin has none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.geometry import inside

_EYES = ((33, 133), (362, 263))  # corners
_LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
         (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466))  # fmt: skip
_IRISES = ((468, 469), (473, 474))  # middle and a point of the edge
_RIDGE = (9, 8, 168, 6, 197, 195, 5)  # of the nose, from between the brows down
_CHEEKS = ((117, 118, 119, 100, 142, 36, 205, 187, 123), (346, 347, 348, 329, 371, 266, 425, 411, 352))
APART = 60  # pixels between the eyes in the picture that is looked at
ABOVE, BELOW, BESIDE = 21, 27, 6  # pixels of it around the eyes' line and the ridge
THICK = 13  # a bridge is less tall
# of the cheeks' lightness: how much darker a bridge is than the nose above and below it, and how sharp its edge is
BRIDGE_DARK, BRIDGE_EDGE = 0.21, 0.081
IRIS_DARK = 0.05  # of the cheeks' lightness: how much darker than the white an iris is that can be seen


def glasses_signs(picture: NDArray[np.uint8], points: FloatArray) -> tuple[float, float, float]:
    """What tells glasses, and dark ones.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    points : ndarray, shape (478, 3)
        Landmarks in pixels.

    Returns
    -------
    tuple of float
        In shares of the cheeks' lightness (CIELAB): how much darker a line across the ridge of the nose is than what
        lies above and below it, the steepest step along the ridge, over a sixtieth of the eyes' distance, and how much
        darker the iris is than the white, in the eye where it is more; NaN where no cheek is in the picture.
    """
    import cv2

    light, at = _level(picture, points)
    cheeks = [_light(light, at[list(cheek)]) for cheek in _CHEEKS]
    if not np.nansum(cheeks) > 0:
        return np.nan, np.nan, np.nan
    skin = float(np.nanmean(cheeks))
    down = np.arange(APART - ABOVE, APART + BELOW, dtype=np.float32)[:, None]
    ridge = np.interp(down, *at[list(_RIDGE)].T[::-1])
    across = (ridge + np.arange(-BESIDE, BESIDE + 1)).astype(np.float32)
    nose = cv2.remap(light, across, np.repeat(down, across.shape[1], axis=1), cv2.INTER_LINEAR)
    rows = cv2.GaussianBlur(np.median(nose, axis=1, keepdims=True), (0, 0), 1.0)
    lighter = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((THICK, 1), np.uint8))
    irises = [_iris_darkness(light, at, lids, iris) for lids, iris in zip(_LIDS, _IRISES, strict=True)]
    seen = [dark for dark in irises if np.isfinite(dark)]
    return (
        float((lighter - rows).max()) / skin,
        float(np.abs(np.diff(rows, axis=0)).max()) / skin,
        max(seen) / skin if seen else np.nan,
    )


def wears_glasses(bridge_dark: FloatArray, bridge_edge: FloatArray) -> bool:
    """True where a bridge lies over the nose for most of the time.

    Parameters
    ----------
    bridge_dark, bridge_edge : ndarray, shape (n,)
        As `glasses_signs` gives them; NaN where nobody looked.

    Returns
    -------
    bool
    """
    known = np.isfinite(bridge_dark + bridge_edge)
    if not known.any():
        return False
    return bool(np.median(bridge_dark[known]) > BRIDGE_DARK and np.median(bridge_edge[known]) > BRIDGE_EDGE)


def hides_eyes(iris_dark: FloatArray) -> bool:
    """True where, behind glasses, no iris stands out from the white: they are dark, or mirror, or far away.

    Parameters
    ----------
    iris_dark : ndarray, shape (n,)
        As `glasses_signs` gives it; NaN where nobody looked.

    Returns
    -------
    bool
    """
    known = iris_dark[np.isfinite(iris_dark)]
    return len(known) == 0 or bool(np.median(known) < IRIS_DARK)


def _level(picture: NDArray[np.uint8], points: FloatArray) -> tuple[NDArray[np.float32], FloatArray]:
    """Lightness of the face with its eyes level and `APART` pixels apart, and its landmarks there, (478, 2)."""
    import cv2

    right, left = (points[list(pair), :2].mean(axis=0) for pair in _EYES)
    distance = max(float(np.linalg.norm(left - right)), 1e-6)
    scale = APART / distance
    cosine, sine = scale * (left - right) / distance
    turn = np.array([[cosine, sine], [-sine, cosine]])
    low, high = ((right + left) / 2 + side * 1.8 * distance for side in (-1, 1))
    left_top = np.clip(np.floor(low).astype(int), 0, np.array(picture.shape[1::-1]) - 1)
    right_bottom = np.clip(np.ceil(high).astype(int), left_top + 1, np.array(picture.shape[1::-1]))
    part = picture[left_top[1] : right_bottom[1], left_top[0] : right_bottom[0]]
    if scale < 1:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.3 / scale), dtype=np.uint8)
    shift = np.array([1.5 * APART, APART]) - turn @ ((right + left) / 2)
    warp = np.column_stack([turn, shift + turn @ left_top])
    small = cv2.warpAffine(np.ascontiguousarray(part), warp, (3 * APART, round(2.6 * APART)))
    light = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0], dtype=np.float32)
    return light, np.asarray(points[:, :2] @ turn.T + shift)


def _light(light: NDArray[np.float32], outline: FloatArray) -> float:
    """Median lightness inside an outline; NaN outside of the picture."""
    mask = inside(light, outline)
    return float(np.median(light[mask])) if mask.any() else np.nan


def _iris_darkness(light: NDArray[np.float32], at: FloatArray, lids: tuple[int, ...], iris: tuple[int, int]) -> float:
    """Of one eye, between its lids; NaN where nothing of iris or white is seen."""
    eye = inside(light, at[list(lids)])
    down, across = np.mgrid[: light.shape[0], : light.shape[1]]
    radius = max(float(np.linalg.norm(at[iris[1]] - at[iris[0]])), 1e-6)
    away = np.hypot(across - at[iris[0], 0], down - at[iris[0], 1]) / radius
    iris_seen, white = eye & (away < 0.9), eye & (away > 1.25)
    if iris_seen.sum() < 4 or white.sum() < 4:
        return np.nan
    return float(np.median(light[white]) - np.median(light[iris_seen]))
