"""One row of numbers per pair of looks of the backbone: how much moved, where, which way, and the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.motion.flow import Flow, attention_flow, attention_magnitude, signed_flow

if TYPE_CHECKING:
    from cueflow.tasks.video.motion.backbone import Backbone, Maps

KEY_LAYERS = (4, 6)  # of twelve: together as good as any, and what lies behind them need not run
COLUMNS = ("energy", "x", "y", "centroid_x", "centroid_y", "spread", "camera", "attention", "focus")
TOP_SHARE = 0.1
MAX_PAIR_S = 1.0  # looks further apart than this are not compared


@dataclass(frozen=True, slots=True)
class MotionTrack:
    """Motion over time: `times_s` (n,) middles and `steps_s` (n,) lengths of the pairs; by name of `COLUMNS` (n,).

    energy, camera: patch/s, x and y (signed, of what moves): patch/s; centroid: shares of width and height; spread:
    sides of the picture; attention: its mean absolute change times the patches; focus: share of it in the tenth of the
    patches that take most part. Speeds count patches of a square of the picture's area, so that sideways and
    up-and-down compare.
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
    sharpening : float, optional
        Scale of the attention flow's softmax; default: the number of patches.
    """

    def __init__(self, backbone: Backbone, *, size: int, aspect: float, sharpening: float | None = None) -> None:
        self._backbone, self._size, self._sharpening = backbone, size, sharpening
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
        stamps = iter(times_s)
        for maps in self._backbone.parts(frames, size=self._size):
            attention = np.stack([maps.attention[layer] for layer in sorted(maps.attention)], axis=1)
            for key, attended in zip(key_grid(maps), attention, strict=True):
                self._compare(float(next(stamps)), key, attended)

    def _compare(self, time: float, key: NDArray[np.float32], attended: NDArray[np.float32]) -> None:
        """Append a row, unless the look before is too long ago."""
        if self._before is not None and time - self._before[0] <= MAX_PAIR_S:
            then, old_key, old_attended = self._before
            flow = signed_flow(old_key, key, seconds=time - then)
            change = attention_summary(old_attended, attended, scale=self._sharpening)
            self._rows.append(((then + time) / 2, time - then, *summary(flow, self._stretch), *change))
        self._before = (time, key, attended)

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


def attention_summary(
    now: NDArray[np.float32], then: NDArray[np.float32], *, scale: float | None = None
) -> tuple[float, float]:
    """How much the attention changed, and how far the change keeps to a few patches.

    Parameters
    ----------
    now, then : ndarray, shape (layers, P, P)
        Attention maps of two frames.
    scale : float, optional
        Sharpening of the flow's softmax; default: P.

    Returns
    -------
    tuple of float
        Mean magnitude over layers; share of the flow, .1 to 1, in the tenth of the patches that take most part.
    """
    flow = attention_flow(now, then, scale=scale).mean(axis=0)
    tenth = max(1, round(TOP_SHARE * len(flow)))
    top = float(np.sort(flow)[-tenth:].sum() / flow.sum())
    return float(attention_magnitude(now, then).mean()), top


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
