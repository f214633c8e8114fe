"""One row of numbers per pair of looks of the backbone: how much moved, where, which way, and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.flow import Flow, attention_magnitude, signed_flow

if TYPE_CHECKING:
    from cueflow.tasks.video.backbone import Backbone, Maps

KEY_LAYERS = (5, 8)  # measured best together for signed flow
COLUMNS = ("energy", "x", "y", "centroid_x", "centroid_y", "spread", "camera", "attention")
MAX_PAIR_S = 1.0  # looks further apart than this are not compared


@dataclass(frozen=True, slots=True)
class MotionTrack:
    """Motion over time: `times_s` (n,) middles and `steps_s` (n,) lengths of the pairs; by name of `COLUMNS` (n,).

    energy, camera: patch/s, x and y (signed, of what moves): patch/s; centroid: shares of width and height; spread:
    sides of the picture; attention: change of attention. Speeds count patches of a square of the picture's area, so
    that sideways and up-and-down compare.
    """

    times_s: FloatArray
    steps_s: FloatArray
    columns: dict[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        return self.columns[name]


class MotionBuilder:
    """Feeds frames to the backbone and collects a `MotionTrack`, keeping only numbers.

    Parameters
    ----------
    backbone : Backbone
        With `KEY_LAYERS` as key layers.
    size : int
        Side of the backbone's input, pixels.
    aspect : float
        Width over height of the picture as shown.
    """

    def __init__(self, backbone: Backbone, *, size: int, aspect: float) -> None:
        self._backbone, self._size = backbone, size
        self._stretch = np.array(
            [np.sqrt(aspect), 1 / np.sqrt(aspect)]
        )  # patches of the squeezed picture are not square
        self._rows: list[tuple[float, ...]] = []
        self._before: tuple[float, FloatArray | NDArray[np.float32], NDArray[np.float32]] | None = None

    def add(self, times_s: FloatArray, frames: NDArray[np.uint8]) -> None:
        """Take the next frames.

        Parameters
        ----------
        times_s : ndarray, shape (n,)
            Stamps, s.
        frames : ndarray, shape (n, height, width, 3)
            uint8, RGB.
        """
        maps = self._backbone.maps(frames, size=self._size)
        keys = key_grid(maps)
        attention = np.stack([maps.attention[layer] for layer in sorted(maps.attention)], axis=1)
        for time, key, attended in zip(times_s, keys, attention, strict=True):
            if self._before is not None and time - self._before[0] <= MAX_PAIR_S:
                then, old_key, old_attended = self._before
                flow = signed_flow(old_key, key, seconds=time - then)
                change = float(attention_magnitude(old_attended, attended).mean())
                self._rows.append(((then + time) / 2, time - then, *summary(flow, self._stretch), change))
            self._before = (float(time), key, attended)

    def done(self) -> MotionTrack:
        """The track of all frames taken."""
        table = np.array(self._rows, dtype=np.float64).reshape(-1, 2 + len(COLUMNS))
        return MotionTrack(table[:, 0], table[:, 1], {name: table[:, 2 + i] for i, name in enumerate(COLUMNS)})


def key_grid(maps: Maps) -> NDArray[np.float32]:
    """Keys of all key layers side by side.

    Parameters
    ----------
    maps : Maps
        Of n frames.

    Returns
    -------
    ndarray, shape (n, side, side, channels)
    """
    joined = np.concatenate([maps.keys[layer] for layer in sorted(maps.keys)], axis=-1)
    return joined.reshape(len(joined), maps.side, maps.side, -1)


def summary(flow: Flow, stretch: FloatArray) -> tuple[float, ...]:
    """Numbers of one pair.

    Parameters
    ----------
    flow : Flow
        Signed flow.
    stretch : ndarray, shape (2,)
        What a patch's width and height measure in patches of a square picture of the same area.

    Returns
    -------
    tuple of float
        Energy, signed speed x and y of what moves, centroid x and y, spread, camera speed: the first columns of
        `COLUMNS`. Where nothing moves, the place is NaN.
    """
    residual = flow.residual * stretch
    speed = np.linalg.norm(residual, axis=-1)
    camera = float(np.linalg.norm(flow.field * stretch, axis=-1).mean())
    weight = np.clip(speed - np.median(speed), 0, None)  # half of the picture has no say: noise has no place
    total = float(weight.sum())
    if total <= 0:
        return float(speed.mean()), 0.0, 0.0, np.nan, np.nan, np.nan, camera
    weight = weight / total
    side = len(speed)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    centre_x, centre_y = float((weight * x).sum()), float((weight * y).sum())
    spread = float(np.sqrt((weight * ((x - centre_x) ** 2 + (y - centre_y) ** 2)).sum()))
    signed = (weight[..., None] * residual).sum(axis=(0, 1))
    return float(speed.mean()), float(signed[0]), float(signed[1]), centre_x, centre_y, spread, camera
