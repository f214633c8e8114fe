"""A head that turns in space over still shoulders: displacement fields from its depth, added up per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.portrait import Image, Map

_CENTRE = (264.0, 228.0)
_FRONT, _ROUND, _LEAST = 150.0, 194.0 / 149.0**2, 20.0
"""Depth of the face before the axis it turns about, how much it falls off to the ears, and its least depth."""
_NOSE, _NOSE_AT, _NOSE_WIDE, _NOSE_ABOVE, _NOSE_BELOW = 35.0, (267.0, 243.0), 21.0, 32.0, 11.0
"""Height of the nose before it, its tip, and how far it reaches."""
_TOP, _SKULL, _CHIN, _NECK = 133.0, 110.0, 330.0, 375.0
"""Of the forehead, of the skull's vault above it, of what turns with the head, and of what stays."""
_CHEST_RISE = 2.5


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is.

    Degrees (down, to the image's right, clockwise), lean towards the camera as a share of size, breath 0 to 1.
    """

    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    roll_deg: float = 0.0
    lean: float = 0.0
    breath: float = 0.0


class Head:
    """Warps the portrait into a layer that is as large as the person in the picture.

    Parameters
    ----------
    scale : float
        Pixels of the layer per pixel of the portrait.
    rows : int
        Height of the layer in pixels; the portrait is cut there.
    mirrored : bool
        Whether left and right are exchanged; a turn keeps its direction in the image.
    """

    top = -70.0
    left = -60.0
    width = 632

    def __init__(self, *, scale: float, rows: int, mirrored: bool) -> None:
        columns = round(self.width * scale)
        down, across = np.mgrid[0:rows, 0:columns].astype(np.float64) / scale
        down += self.top
        across += self.left
        self.mirrored = mirrored
        head = np.clip((_NECK - down) / (_NECK - _CHIN), 0.0, 1.0)
        weight = head * head * (3.0 - 2.0 * head)
        depth = _depth(across, down) * weight
        foot = self.top + rows / scale
        self._home = (across.astype(np.float32), down.astype(np.float32))
        self._depth: Map = depth.astype(np.float32)
        self._scale = scale
        self._flat = tuple(
            ((to - at) * weight).astype(np.float32) for to, at in zip((across, down), _CENTRE, strict=True)
        )
        self._roll = (((down - 330.0) * weight).astype(np.float32), ((across - _CENTRE[0]) * weight).astype(np.float32))
        self._lean = ((across - _CENTRE[0]).astype(np.float32), (down - foot).astype(np.float32))
        self._chest = (_CHEST_RISE * (1.0 - weight) * np.clip((down - 320.0) / 80.0, 0.0, 1.0)).astype(np.float32)

    def render(self, portrait: Image, pose: Pose) -> Image:
        """The person in a pose.

        Parameters
        ----------
        portrait : ndarray, shape (600, 512, 4)
            Blue, green, red, alpha.
        pose : Pose
            Where the head is.

        Returns
        -------
        ndarray, shape (rows, columns, 4)
            The layer.
        """
        import cv2

        at_x, at_y = self._maps(pose)
        layer = cv2.remap(portrait, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(cv2.flip(layer, 1) if self.mirrored else layer, dtype=np.uint8)

    def _maps(self, pose: Pose) -> tuple[Map, Map]:
        import cv2

        side = -1.0 if self.mirrored else 1.0
        turns = np.deg2rad([side * pose.yaw_deg, pose.pitch_deg, side * pose.roll_deg])
        yaw, pitch, roll = np.sin(turns)
        shorter_x, shorter_y = 1.0 / np.cos(turns[:2]) - 1.0
        shrink = 1.0 / (1.0 + pose.lean) - 1.0
        depth = self._depth_seen(yaw, pitch)
        at_x, at_y = self._home
        for amount, field_x in (
            (-yaw, depth),
            (shorter_x, self._flat[0]),
            (roll, self._roll[0]),
            (shrink, self._lean[0]),
        ):
            if amount:
                at_x = cv2.scaleAdd(field_x, float(amount), at_x)
        for amount, field_y in (
            (-pitch, depth),
            (shorter_y, self._flat[1]),
            (-roll, self._roll[1]),
            (shrink, self._lean[1]),
            (pose.breath, self._chest),
        ):
            if amount:
                at_y = cv2.scaleAdd(field_y, float(amount), at_y)
        return at_x, at_y

    def _depth_seen(self, yaw: float, pitch: float) -> Map:
        """Depth of what is seen at each place, once the head has turned by these sines."""
        import cv2

        if not yaw and not pitch:
            return self._depth
        at_x = (cv2.scaleAdd(self._depth, -float(yaw), self._home[0]) - self.left) * self._scale
        at_y = (cv2.scaleAdd(self._depth, -float(pitch), self._home[1]) - self.top) * self._scale
        return np.asarray(cv2.remap(self._depth, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _depth(across: FloatArray, down: FloatArray) -> FloatArray:
    """Depth of the portrait's head before its axis: simple shapes, fitted to MediaPipe's canonical face laid on it."""
    face = np.maximum(_FRONT - _ROUND * (across - _CENTRE[0]) ** 2, _LEAST)
    tall = np.where(down < _NOSE_AT[1], _NOSE_ABOVE, _NOSE_BELOW)
    nose = ((across - _NOSE_AT[0]) / _NOSE_WIDE) ** 2 + ((down - _NOSE_AT[1]) / tall) ** 2
    above = np.clip((_TOP - down) / _SKULL, 0.0, 0.95)
    return np.asarray(face * np.sqrt(1.0 - above**2) + _NOSE * np.exp(-nose))


def sway(rng: np.random.Generator, times_s: FloatArray, deg: float) -> FloatArray:
    """Slow wandering of a head about one axis: four sines between .05 and .6 Hz.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (frequencies, phases).
    times_s : ndarray, shape (n,)
        Times in s.
    deg : float
        Standard deviation.

    Returns
    -------
    ndarray, shape (n,)
        In degrees.
    """
    total = np.zeros(len(times_s))
    for low, high, share in ((0.05, 0.1, 0.7), (0.1, 0.2, 0.55), (0.2, 0.35, 0.4), (0.35, 0.6, 0.2)):
        total += share * np.sin(2.0 * np.pi * (rng.uniform(low, high) * times_s + rng.random()))
    return np.asarray(deg * np.sqrt(2.0 / 0.9925) * total)
