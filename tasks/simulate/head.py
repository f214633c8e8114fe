"""A head that turns: displacement fields of a bulged head over still shoulders, added up per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.portrait import Image, Map

_CENTRE = (264.0, 228.0)
_RADII = (108.0, 140.0)
_BULGE, _PIVOT = 105.0, 45.0
"""Depth of the face before its outline, and of the outline before the axis it turns about, in portrait pixels."""
_PITCH_GAIN, _YAW_GAIN = 1.15, 2.0
"""So that a face landmarker's pose agrees with the angle asked for, between -12 and 12 degrees."""
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
        # before the bulge's edge the slope must be finite, or the warp folds
        inside = np.clip(
            1.0 - ((across - _CENTRE[0]) / _RADII[0]) ** 2 - ((down - _CENTRE[1]) / _RADII[1]) ** 2, 0.0, 1.0
        )
        head = np.clip((365.0 - down) / 70.0, 0.0, 1.0)
        weight = head * head * (3.0 - 2.0 * head)
        depth = (_BULGE * inside + _PIVOT) * weight
        foot = self.top + rows / scale
        self._home = (across.astype(np.float32), down.astype(np.float32))
        self._depth = depth.astype(np.float32)
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
        yaw, pitch, roll = np.sin(np.deg2rad([side * pose.yaw_deg, pose.pitch_deg, side * pose.roll_deg]))
        yaw, pitch = _YAW_GAIN * yaw, _PITCH_GAIN * pitch
        shrink = 1.0 / (1.0 + pose.lean) - 1.0
        at_x, at_y = self._home
        for amount, field_x in ((-yaw, self._depth), (roll, self._roll[0]), (shrink, self._lean[0])):
            if amount:
                at_x = cv2.scaleAdd(field_x, float(amount), at_x)
        for amount, field_y in (
            (-pitch, self._depth),
            (-roll, self._roll[1]),
            (shrink, self._lean[1]),
            (pose.breath, self._chest),
        ):
            if amount:
                at_y = cv2.scaleAdd(field_y, float(amount), at_y)
        return at_x, at_y


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
