"""The portrait that acts: its outline, an eyelid that can be painted shut, a mouth that smiles and opens.

The picture is the public-domain portrait of Grace Hopper that matplotlib ships as sample data. Outline and landmarks
are constants, found once with a segmentation and MediaPipe's face landmarker, so that simulating needs no model.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ConfigError
from cueflow.schemas.results import FloatArray

Image = NDArray[np.uint8]
Map = NDArray[np.float32]

_OUTLINE = (
    "218,30 212,43 202,46 186,58 179,58 177,71 173,75 173,84 150,104 149,150 163,157 163,177 157,184 153,197 "
    "153,211 164,237 169,260 177,268 177,275 181,277 181,288 191,296 202,298 203,317 196,334 181,334 165,344 "
    "129,355 124,359 97,363 41,400 36,417 26,427 27,459 17,526 11,599 511,599 511,434 506,433 497,405 490,392 "
    "464,377 422,366 381,347 365,342 334,318 334,310 339,305 343,290 350,283 356,266 361,262 367,227 370,223 "
    "370,208 374,201 374,188 369,183 371,134 369,129 369,100 365,89 354,86 345,65 335,56 313,44 299,41 289,31 "
    "270,24 249,23 237,25 229,30"
)
# outer corner, along the lower lid, inner corner, back along the upper lid
_RIGHT_EYE = (
    "207.2,193.5 210.3,195.2 213.2,196.2 217.2,196.9 223.2,197.1 229.2,196.6 234.9,196.2 238.8,196.1 240.5,195.8 "
    "238.0,193.5 232.8,189.9 226.1,187.2 219.6,186.7 213.6,188.1 210.3,190.2 208.5,192.0"
)
_LEFT_EYE = (
    "322.0,186.7 319.2,188.9 316.2,190.3 312.0,191.4 306.1,192.3 299.8,192.5 294.4,192.6 290.7,192.8 288.9,192.8 "
    "291.2,190.1 295.7,186.0 301.9,182.5 308.7,181.3 314.7,182.1 318.5,183.9 320.6,185.4"
)
_LIP_LINE = "234,279.6 245,279 258,279.2 266.7,279.4 283,277.7 294,277.1 302.5,276.8"
_MOUTH_CENTRE, _MOUTH_HALF, _JAW_Y = 268.0, 32.0, 350.0
# Painted lid, chosen by a search of 500 settings for the landmarker's highest blink score (.65; squeezing gave .2):
# depth and sag of the closed lash line, its width and darkness, bulge of the lid, its crease
_LINE_DEPTH, _LINE_SAG, _LINE_WIDTH, _LINE_DARK, _BULGE, _CREASE, _CREASE_RISE = 6.9, 4.6, 3.4, 0.87, 24.0, 0.34, 7.4
EYES = (slice(164, 214), slice(186, 344))
MOUTH = (slice(236, 352), slice(176, 360))
LEVELS = 16
"""Steps of closure, smile and opening that are drawn; what lies between is rounded."""


def _points(text: str) -> FloatArray:
    return np.array([[float(number) for number in pair.split(",")] for pair in text.split()])


def load_picture() -> Image:
    """The portrait's pixels.

    Returns
    -------
    ndarray, shape (600, 512, 3)
        Blue, green, red.

    Raises
    ------
    ConfigError
        If matplotlib's sample data is not installed.
    """
    import cv2

    spec = find_spec("matplotlib")
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    picture = cv2.imread(str(folder / "mpl-data" / "sample_data" / "grace_hopper.jpg"))
    if picture is None:
        raise ConfigError("the portrait in matplotlib's sample data is missing; reinstall matplotlib from its wheel")
    return np.asarray(picture, dtype=np.uint8)


def outline_alpha(shape: tuple[int, int]) -> Image:
    """How much of a pixel is person.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the portrait.

    Returns
    -------
    ndarray, shape (rows, columns)
        0 background to 255 person, with a soft edge.
    """
    import cv2

    alpha = np.zeros(shape, np.uint8)
    cv2.fillPoly(alpha, [_points(_OUTLINE).astype(np.int32)], 255)
    return np.asarray(cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (0, 0), 1.0), dtype=np.uint8)


def _lid_texture(picture: Image) -> tuple[FloatArray, FloatArray]:
    """The closed lid's skin without its lash line, and where it covers the picture, (rows, columns) in 0 to 1."""
    import cv2

    rows, columns = picture.shape[:2]
    mask = np.zeros((rows, columns), np.uint8)
    eyes = [_points(_RIGHT_EYE), _points(_LEFT_EYE)]
    for eye in eyes:
        cv2.fillConvexPoly(mask, cv2.convexHull(eye.astype(np.int32)), 255)
    mask = cv2.dilate(mask, np.ones((5, 5), np.uint8))
    skin = cv2.inpaint(picture, mask, 5, cv2.INPAINT_TELEA).astype(np.float64)
    wide = cv2.dilate(mask, np.ones((7, 7), np.uint8)).astype(np.float64) / 255.0
    cover = cv2.GaussianBlur(wide, (0, 0), 2.0)
    skin = cv2.GaussianBlur(skin, (0, 0), 4.6)
    down, across = np.mgrid[0:rows, 0:columns].astype(np.float64)
    for eye in eyes:
        (x, y), half = (eye[0] + eye[8]) / 2.0, abs(eye[0, 0] - eye[8, 0]) / 2.0
        bulge = _BULGE * np.exp(-(((across - x) / half) ** 2) - ((down - y + 3.0) / 5.0) ** 2)
        skin += bulge[..., None] * np.array([0.8, 0.9, 1.0])
    return skin, cover


def _curve(eye: FloatArray, share: float) -> FloatArray:
    """The lid's edge, shape (25, 2), between the upper lid (share 0) and the closed line (share 1)."""
    along = np.linspace(-0.05, 1.05, 25)
    chord = eye[0] + (eye[8] - eye[0]) * along[:, None]
    arc = 4.0 * along * (1.0 - along)
    order = np.argsort(eye[8:, 0])
    upper = np.interp(chord[:, 0], eye[8:, 0][order], eye[8:, 1][order])
    closed = chord[:, 1] + _LINE_SAG * arc + _LINE_DEPTH
    return np.stack([chord[:, 0], (1.0 - share) * upper + share * closed], axis=1)


def _strokes(shape: tuple[int, int], curves: list[FloatArray], width: float) -> FloatArray:
    """Smooth lines of the given width in pixels, values 0 to 1."""
    import cv2

    fine = np.zeros((shape[0] * 4, shape[1] * 4), np.float32)
    for curve in curves:
        line = (curve * 4.0).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(fine, [line], isClosed=False, color=1.0, thickness=round(width * 4), lineType=cv2.LINE_AA)
    return np.asarray(cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), dtype=np.float64)


def draw_eyes(picture: Image) -> list[Image]:
    """The eye region at every step of closure.

    Parameters
    ----------
    picture : ndarray, shape (600, 512, 3)
        The portrait.

    Returns
    -------
    list of ndarray
        `LEVELS` + 1 images of the region `EYES`, from open to closed.
    """
    skin, cover = _lid_texture(picture)
    skin, cover, base = skin[EYES], cover[EYES], picture[EYES].astype(np.float64)
    down = np.arange(EYES[0].start, EYES[0].stop, dtype=np.float64)[:, None]
    across = np.arange(EYES[1].start, EYES[1].stop, dtype=np.float64)
    origin = np.array([EYES[1].start, EYES[0].start], dtype=np.float64)
    eyes = [_points(_RIGHT_EYE), _points(_LEFT_EYE)]
    images = [picture[EYES].copy()]
    for level in range(1, LEVELS + 1):
        share = level / LEVELS
        curves = [_curve(eye, share) for eye in eyes]
        edge = np.full(len(across), -1.0)
        for curve in curves:
            order = np.argsort(curve[:, 0])
            inside = (across >= curve[:, 0].min() - 6.0) & (across <= curve[:, 0].max() + 6.0)
            edge[inside] = np.interp(across[inside], curve[order, 0], curve[order, 1])
        # closed, the paint also covers what the line leaves below
        above = np.clip(edge[None, :] - down + 1.0 + 12.0 * max(share - 0.9, 0.0) * 10.0, 0.0, 1.0)
        paint = (above * cover)[..., None]
        image = base * (1.0 - paint) + skin * paint
        crease = [_curve(eye, 1.0) - np.array([0.0, _LINE_DEPTH + _CREASE_RISE]) for eye in eyes]
        for shape, width, dark, colour in (
            (crease, 1.0, _CREASE * share, (60.0, 80.0, 130.0)),
            (curves, 1.0 + (_LINE_WIDTH - 1.0) * share, _LINE_DARK * min(2.0 * share, 1.0), (30.0, 30.0, 50.0)),
        ):
            ink = dark * _strokes(image.shape[:2], [curve - origin for curve in shape], width)[..., None]
            image = image * (1.0 - ink) + np.array(colour) * ink
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images


class Mouth:
    """The mouth region at any smile and opening; each pair of steps is drawn once.

    Parameters
    ----------
    picture : ndarray, shape (600, 512, 3)
        The portrait.
    """

    def __init__(self, picture: Image) -> None:
        self._base = np.ascontiguousarray(picture[MOUTH])
        rows, columns = self._base.shape[:2]
        self._down, self._across = np.mgrid[0:rows, 0:columns].astype(np.float64)
        self._down += MOUTH[0].start
        self._across += MOUTH[1].start
        line = _points(_LIP_LINE)
        self._line = np.interp(self._across[0], line[:, 0], line[:, 1])
        self._drawn: dict[tuple[int, int], Image] = {}

    def at(self, smile: float, opening: float) -> Image:
        """The region `MOUTH`.

        Parameters
        ----------
        smile, opening : float
            0 to 1 each.

        Returns
        -------
        ndarray
            Blue, green, red; not to be changed.
        """
        key = (round(min(max(smile, 0.0), 1.0) * LEVELS), round(min(max(opening, 0.0), 1.0) * LEVELS))
        if key not in self._drawn:
            self._drawn[key] = self._draw(key[0] / LEVELS, key[1] / LEVELS)
        return self._drawn[key]

    def _lift(self, across: FloatArray, down: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where a full smile's pixels come from, relative to themselves: corners go up and outwards."""
        dx, dy = np.zeros_like(across), np.zeros_like(across)
        for corner, side in ((234.0, -1.0), (302.5, 1.0)):
            near = np.exp(-0.5 * ((across - corner - 3.0 * side) / 15.0) ** 2 - 0.5 * ((down - 274.0) / 14.0) ** 2)
            dx -= 9.0 * side * near
            dy += 11.0 * near
        return dx, dy

    def _draw(self, smile: float, opening: float) -> Image:
        import cv2

        dx, dy = self._lift(self._across, self._down)
        line = self._line - smile * self._lift(self._across[0], self._line)[1]
        half = _MOUTH_HALF + 6.0 * smile
        bow = np.clip(1.0 - ((self._across[0] - _MOUTH_CENTRE) / half) ** 2, 0.0, 1.0)
        gap = 22.0 * opening * np.sqrt(bow)
        jaw = 22.0 * opening * np.exp(-0.5 * ((self._across[0] - _MOUTH_CENTRE) / 55.0) ** 2)
        below = self._down - line
        reach = _JAW_Y - line
        drop = np.maximum(gap, np.where(below > 12.0, jaw * np.clip((below - 12.0) / 20.0, 0.0, 1.0), 0.0))
        pulled = line + np.clip(below - drop, 0.0, None) * reach / np.maximum(reach - drop, 1.0)
        source_y = np.where(below > 0.0, np.minimum(pulled, _JAW_Y + 1.0), self._down)
        at_x = (self._across + smile * dx - MOUTH[1].start).astype(np.float32)
        at_y = (source_y + smile * dy - MOUTH[0].start).astype(np.float32)
        face = cv2.remap(self._base, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
        inside = np.clip(np.minimum(below, gap - below), 0.0, 1.5) / 1.5 * (gap > 0.8)
        teeth = np.clip(1.0 - below / np.maximum(0.35 * gap, 1.0), 0.0, 1.0) * np.clip(bow * 1.5 - 0.4, 0.0, 1.0)
        colour = np.array([28.0, 20.0, 72.0]) + teeth[..., None] * np.array([110.0, 130.0, 110.0])
        mixed = face * (1.0 - inside[..., None]) + colour * inside[..., None]
        return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)


def adjust(picture: Image, *, gains: FloatArray, gamma: float) -> Image:
    """Colour and brightness of a subject's skin and clothes.

    Parameters
    ----------
    picture : ndarray
        Blue, green, red.
    gains : ndarray, shape (3,)
        Factors of the channels.
    gamma : float
        Above 1: darker.

    Returns
    -------
    ndarray
        Same shape.
    """
    import cv2

    steps = np.arange(256) / 255.0
    table = np.stack([np.clip(255.0 * g * steps**gamma, 0, 255) for g in gains], axis=1).astype(np.uint8)
    result: Any = cv2.LUT(picture, table.reshape(256, 1, 3))
    return np.asarray(result, dtype=np.uint8)
