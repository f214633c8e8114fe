"""The room around the person: a wall, two hands, the camera and the light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.tasks.simulate.head import Head, Pose
from cueflow.tasks.simulate.portrait import (
    EYES,
    LEVELS,
    MOUTH,
    Image,
    Mouth,
    adjust,
    draw_eyes,
    load_picture,
    outline_alpha,
)


@dataclass(frozen=True, slots=True)
class Instant:
    """What a frame shows: closure, smile and opening 0 to 1, pose, hands and camera in pixels, light as a factor."""

    closure: float
    smile: float
    opening: float
    pose: Pose
    hands: tuple[tuple[float, float], tuple[float, float]]
    camera: tuple[float, float]
    zoom: float
    light: float
    present: bool = True


def wall(rng: np.random.Generator, rows: int, columns: int) -> Image:
    """A wall with a picture, a shelf and some texture, different for every seed.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    rows, columns : int
        Size in pixels.

    Returns
    -------
    ndarray, shape (rows, columns, 3)
        Blue, green, red.
    """
    import cv2

    colour = rng.uniform(100.0, 180.0) + rng.uniform(-22.0, 22.0, 3)
    slope = np.linspace(1.08, 0.85, rows)[:, None, None]
    grain = cv2.GaussianBlur(rng.normal(0.0, 40.0, (rows, columns, 1)), (0, 0), 3.0)[..., None]
    image = np.clip(colour * slope + grain, 0, 255).astype(np.uint8)
    for _ in range(5):
        x, y = int(rng.integers(0, columns)), int(rng.integers(0, rows // 2))
        size = (int(columns * rng.uniform(0.05, 0.2)), int(rows * rng.uniform(0.08, 0.3)))
        fill = tuple(int(c) for c in rng.integers(30, 230, 3))
        edge = tuple(int(c) for c in rng.integers(10, 120, 3))
        cv2.rectangle(image, (x, y), (x + size[0], y + size[1]), fill, -1)
        cv2.rectangle(image, (x, y), (x + size[0], y + size[1]), edge, 3)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.003 * columns), dtype=np.uint8)


def hand(rng: np.random.Generator, side: int, skin: tuple[float, float, float]) -> Image:
    """A raised hand: a palm, five fingers and texture.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (texture).
    side : int
        Height and width in pixels.
    skin : tuple of float
        Its colour: blue, green, red.

    Returns
    -------
    ndarray, shape (side, side, 4)
        Blue, green, red, alpha.
    """
    import cv2

    big = 240
    alpha = np.zeros((big, big), np.uint8)
    cv2.ellipse(alpha, (120, 165), (52, 60), 0, 0, 360, 255, -1)
    for x, y in ((62, 60), (98, 30), (134, 28), (170, 55)):
        cv2.line(alpha, (x // 2 + 60, 150), (x, y), 255, 27)
    cv2.line(alpha, (90, 175), (32, 120), 255, 26)
    shade = cv2.GaussianBlur(rng.normal(0.0, 160.0, (big, big)), (0, 0), 5.0) + np.linspace(12, -25, big)[:, None]
    for x, y in ((98, 140), (120, 135), (142, 140)):
        cv2.line(shade, (x, y), (x, y + 20), -35.0, 5)
    colour = np.clip(np.array(skin) + shade[..., None], 0, 255).astype(np.uint8)
    sprite = np.dstack([colour, cv2.GaussianBlur(alpha, (0, 0), 2.0)])
    return np.asarray(cv2.resize(sprite, (side, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _lay(canvas: Image, layer: Image, at: tuple[int, int]) -> None:
    """Put a layer with alpha onto the canvas, in place, cut at the canvas's edges."""
    import cv2

    top, left = max(at[0], 0), max(at[1], 0)
    bottom, right = min(at[0] + layer.shape[0], canvas.shape[0]), min(at[1] + layer.shape[1], canvas.shape[1])
    if bottom <= top or right <= left:
        return
    part = layer[top - at[0] : bottom - at[0], left - at[1] : right - at[1]]
    target = canvas[top:bottom, left:right]
    weight = cv2.extractChannel(part, 3).astype(np.float32) * np.float32(1.0 / 255.0)
    over = cv2.cvtColor(part, cv2.COLOR_BGRA2BGR)
    canvas[top:bottom, left:right] = cv2.blendLinear(over, np.ascontiguousarray(target), weight, 1.0 - weight)


class Scene:
    """One subject in one room; `draw` makes a frame.

    Parameters
    ----------
    look_seed, room_seed : int
        What makes the subject and the room.
    width, height : int
        Frame size in pixels.
    margin : int
        How far the camera can shift, in pixels.
    noise : float
        Standard deviation of sensor noise in grey levels.
    """

    def __init__(self, *, look_seed: int, room_seed: int, width: int, height: int, margin: int, noise: float) -> None:
        import cv2

        look, room = np.random.default_rng(look_seed), np.random.default_rng(room_seed)
        self._size, self._margin = (width, height), margin
        unit = height / 360.0
        scale = float(look.uniform(0.78, 0.95)) * unit
        gains, gamma = look.uniform(0.88, 1.1, 3), float(look.uniform(0.8, 1.25))
        picture = adjust(load_picture(), gains=gains, gamma=gamma)
        self._eyes, self._mouth = draw_eyes(picture), Mouth(picture)
        self._person = np.dstack([picture, outline_alpha(picture.shape[:2])])
        if scale < 0.7:  # or fine texture would flicker
            self._person[..., :3] = cv2.GaussianBlur(self._person[..., :3], (0, 0), 0.4 / scale)
            blur = (0, 0), 0.4 / scale
            self._eyes = [cv2.GaussianBlur(eye, *blur) for eye in self._eyes]
        rows = round(min(height + margin - Head.top * scale, (600 - Head.top) * scale))
        self._head = Head(scale=scale, rows=rows, mirrored=bool(look.random() < 0.5))
        drop = round(float(look.uniform(0.01, 0.06)) * height)
        aside = look.uniform(-0.05, 0.05) * width + (width - Head.width * scale) / 2
        self._at = (margin + drop + round((Head.top - 8.0) * scale), margin + round(aside))
        self._wall = wall(room, height + 2 * margin, width + 2 * margin)
        skin = tuple(float(c) for c in np.array([110.0, 140.0, 205.0]) * gains)
        side = round(74 * unit)
        self._hands = [hand(look, side, (skin[0], skin[1], skin[2])) for _ in range(2)]
        self._hands[1] = np.ascontiguousarray(self._hands[1][:, ::-1])
        y = margin + height - round(1.25 * side)
        self._rests = ((margin + round(0.13 * width) - side // 2, y), (margin + round(0.87 * width) - side // 2, y))
        self._grain = [
            np.clip(8.0 + room.normal(0.0, noise, (height * 3 // 2, width)), 0, 16).astype(np.uint8) for _ in range(5)
        ]
        for grain in self._grain:
            grain[height:] = 8  # chroma stays clean
        self._noisy = noise > 0
        self._frame = 0

    def draw(self, instant: Instant) -> Image:
        """One frame.

        Parameters
        ----------
        instant : Instant
            What it shows.

        Returns
        -------
        ndarray, shape (height × 3 / 2, width)
            YUV 4:2:0, planar.
        """
        import cv2

        canvas = self._wall.copy()
        if instant.present:
            _lay(canvas, self._act(instant), self._at)
        for sprite, rest, move in zip(self._hands, self._rests, instant.hands, strict=True):
            self._lay_hand(canvas, sprite, (rest[0] + move[0], rest[1] + move[1]))
        frame = self._look(canvas, instant)
        if abs(instant.light - 1.0) > 1e-3:
            frame = cv2.convertScaleAbs(frame, alpha=instant.light)
        planes = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420), dtype=np.uint8)
        if self._noisy:
            grain = self._grain[self._frame % len(self._grain)]
            planes = np.asarray(cv2.subtract(cv2.add(planes, grain), 8), dtype=np.uint8)
        self._frame += 1
        return planes

    def _act(self, instant: Instant) -> Image:
        """The person as it looks now."""
        person = self._person
        person[EYES][..., :3] = self._eyes[round(min(max(instant.closure, 0.0), 1.0) * LEVELS)]
        person[MOUTH][..., :3] = self._mouth.at(instant.smile, instant.opening)
        return self._head.render(person, instant.pose)

    @staticmethod
    def _lay_hand(canvas: Image, sprite: Image, at: tuple[float, float]) -> None:
        import cv2

        left, top = int(np.floor(at[0])), int(np.floor(at[1]))
        shift = np.array([[1.0, 0.0, at[0] - left], [0.0, 1.0, at[1] - top]])
        moved = cv2.warpAffine(sprite, shift, (sprite.shape[1] + 1, sprite.shape[0] + 1))
        _lay(canvas, moved, (top, left))

    def _look(self, canvas: Image, instant: Instant) -> Image:
        """What the camera sees: the picture moves by `camera` pixels and grows by `zoom` about its middle."""
        import cv2

        (width, height), margin = self._size, self._margin
        if not instant.zoom and instant.camera == (0.0, 0.0):
            return np.ascontiguousarray(canvas[margin : margin + height, margin : margin + width])
        grow = 1.0 + instant.zoom
        x = width / 2 + instant.camera[0] - grow * (margin + width / 2)
        y = height / 2 + instant.camera[1] - grow * (margin + height / 2)
        return np.asarray(cv2.warpAffine(canvas, np.array([[grow, 0.0, x], [0.0, grow, y]]), (width, height)), np.uint8)
