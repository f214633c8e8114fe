"""What the action head reads of a recording: one row a frame from a frozen backbone, in bounded memory.

Motion and appearance stay apart. Motion comes from five sources that can be compared or joined: the signed flow of the
patch keys, that of the attention images, the change of attention (after the idea of AM flow, arXiv:2411.02065), optical
flow and pixel difference.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError, StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.decode import Decoder, Gap, frames, inspect
from cueflow.tasks.video.motion.backbone import CHUNK, Backbone
from cueflow.tasks.video.motion.flow import (
    Flow,
    affine_field,
    affine_fit,
    attention_flow,
    attention_magnitude,
    signed_flow,
    standardised,
)
from cueflow.tasks.video.motion.track import KEY_LAYERS, MAX_PAIR_S, key_grid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cueflow.tasks.actions.words import Words

VERSION = "3"
POOL = 4
CELLS = POOL * POOL
FIELD_COLUMNS = 3 * CELLS + 8  # residual x and y, its length, six affine numbers, two mean speeds
SOURCES: dict[str, int] = {
    "keys": FIELD_COLUMNS,
    "images": FIELD_COLUMNS,
    "attention": CELLS + 1,
    "optical": FIELD_COLUMNS,
    "pixels": CELLS,
}
"""Motion sources and how many numbers each gives a frame."""

Float32 = NDArray[np.float32]
Float16 = NDArray[np.float16]
Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """One recording, on its own clock.

    `times_s` (n,) stamps; `steps_s` (n,) time since the frame before, 0 where there is none within a second: motion is
    0 there; `motion` by source, (n, columns of `SOURCES`); `appearance` (n, 2 × channels): class token and the mean of
    the patches weighted by the attention's change; `speed` (n, side²): residual speed of each patch, patch/s;
    `words` (n, labels): how well each frame fits the descriptions, no column where none were given.
    """

    times_s: FloatArray
    steps_s: FloatArray
    motion: dict[str, Float32]
    appearance: Float16
    speed: Float16
    words: Float32

    def __len__(self) -> int:
        return len(self.times_s)


@dataclass(frozen=True, slots=True)
class Looks:
    """What is kept of n frames until they are compared, side² = P.

    `times_s` (n,); `keys` (n, side, side, channels) and `images` (n, side, side, images) to follow; `attention` (n,
    layers, P, P); `tokens` (n, 1 + P, channels): class token (the mean of the patches where the model has none), then
    patches; `grey` (n, size, size).
    """

    times_s: FloatArray
    keys: Float32
    images: Float32
    attention: Float32
    tokens: Float32
    grey: Pictures

    def one(self, index: int) -> Looks:
        """A single look, with its axis kept."""
        part = slice(index, index + 1)
        return Looks(*(getattr(self, name)[part] for name in self.__slots__))


def see(backbone: Backbone, times_s: FloatArray, pictures: Pictures, *, size: int) -> Looks:
    """Show frames to the backbone.

    Parameters
    ----------
    backbone : Backbone
        From `make_backbone`.
    times_s : ndarray, shape (n,)
        Stamps, s.
    pictures : ndarray, shape (n, height, width, 3)
        uint8, RGB.
    size : int
        Side of the backbone's input, pixels.

    Returns
    -------
    Looks
    """
    maps = backbone.maps(pictures, size=size)
    assert maps.tokens is not None  # noqa: S101 - the backbone was made with them
    patches = maps.tokens[:, -(maps.side**2) :]
    first = maps.tokens[:, :1] if backbone.class_token else patches.mean(axis=1, keepdims=True)
    images = np.concatenate([maps.images[layer] for layer in sorted(maps.images)], axis=1)
    return Looks(
        np.asarray(times_s, dtype=np.float64),
        key_grid(maps),
        images.transpose(0, 2, 1).reshape(len(images), maps.side, maps.side, -1),
        np.stack([maps.attention[layer] for layer in sorted(maps.attention)], axis=1),
        np.concatenate([first, patches], axis=1),
        np.stack([grey(picture, size) for picture in pictures]),
    )


class FeatureBuilder:
    """Compares each look with the one before and collects `ClipFeatures`, keeping only numbers.

    Parameters
    ----------
    aspect : float
        Width over height of the picture as shown.
    """

    def __init__(self, *, aspect: float) -> None:
        self._stretch = np.array([np.sqrt(aspect), 1 / np.sqrt(aspect)])
        self._before: Looks | None = None
        self._times: list[float] = []
        self._steps: list[float] = []
        self._motion: dict[str, list[FloatArray]] = {name: [] for name in SOURCES}
        self._appearance: list[Float16] = []
        self._speed: list[Float16] = []
        self._words: list[Float32] = []

    def add(self, looks: Looks, words: Float32 | None = None) -> None:
        """Take the next looks, in order of time, and how well they fit the descriptions (n, labels)."""
        self._words.append(np.zeros((len(looks.times_s), 0), np.float32) if words is None else words)
        for index in range(len(looks.times_s)):
            look = looks.one(index)
            weight = self._compare(look)
            whole = np.concatenate([look.tokens[0, 0], weight @ look.tokens[0, 1:]])
            self._appearance.append(whole.astype(np.float16))
            self._before = look

    def _compare(self, look: Looks) -> FloatArray:
        """Append one row of motion; the weight of each patch (P,), summing to 1."""
        patches, before = look.tokens.shape[1] - 1, self._before
        self._times.append(float(look.times_s[0]))
        if before is None or look.times_s[0] - before.times_s[0] > MAX_PAIR_S:
            self._steps.append(0.0)
            self._speed.append(np.zeros(patches, np.float16))
            for name, columns in SOURCES.items():
                self._motion[name].append(np.zeros(columns))
            return np.full(patches, 1 / patches)
        seconds = float(look.times_s[0] - before.times_s[0])
        self._steps.append(seconds)
        rows, flow, change = compare(before, look, seconds=seconds, stretch=self._stretch)
        for name, row in rows.items():
            self._motion[name].append(row)
        self._speed.append(np.linalg.norm(flow.residual * self._stretch, axis=-1).ravel().astype(np.float16))
        weight = change.mean(axis=0)
        return np.asarray(weight / weight.sum())

    def done(self) -> ClipFeatures:
        """The features of all frames taken."""
        count = len(self._times)
        return ClipFeatures(
            np.array(self._times),
            np.array(self._steps),
            {n: np.array(r, dtype=np.float32).reshape(count, SOURCES[n]) for n, r in self._motion.items()},
            np.array(self._appearance, dtype=np.float16).reshape(count, -1),
            np.array(self._speed, dtype=np.float16).reshape(count, -1),
            np.concatenate(self._words) if self._words else np.zeros((0, 0), np.float32),
        )


def compare(
    before: Looks, now: Looks, *, seconds: float, stretch: FloatArray
) -> tuple[dict[str, FloatArray], Flow, FloatArray]:
    """Motion between two single looks, from every source.

    Parameters
    ----------
    before, now : Looks
        One look each.
    seconds : float
        Time between them.
    stretch : ndarray, shape (2,)
        What a patch's width and height measure in patches of a square picture of the same area.

    Returns
    -------
    tuple
        A row by source; the signed flow of the keys; the change of attention (layers, P).
    """
    keys = signed_flow(before.keys[0], now.keys[0], seconds=seconds)
    images = signed_flow(before.images[0], now.images[0], seconds=seconds)
    change = attention_flow(before.attention[0], now.attention[0])
    magnitude = attention_magnitude(before.attention[0], now.attention[0])
    side = now.keys.shape[1]
    rows = {
        "keys": field_row(keys.residual * stretch, keys.field * stretch, keys.camera),
        "images": field_row(images.residual * stretch, images.field * stretch, images.camera),
        "attention": attention_row(change, magnitude),
        "optical": optical_row(before.grey[0], now.grey[0], side=side, seconds=seconds, stretch=stretch),
        "pixels": pixel_row(before.grey[0], now.grey[0]),
    }
    return rows, keys, change


def pooled(values: FloatArray) -> FloatArray:
    """Mean over a grid of 4 × 4 cells of a picture of at least 4 × 4: (h, w, k) gives (16, k)."""
    height, width = values.shape[:2]
    rows = np.add.reduceat(values, np.arange(POOL) * height // POOL, axis=0)
    cells = np.add.reduceat(rows, np.arange(POOL) * width // POOL, axis=1)
    high = np.diff(np.append(np.arange(POOL) * height // POOL, height))
    wide = np.diff(np.append(np.arange(POOL) * width // POOL, width))
    return np.asarray(cells / (high[:, None, None] * wide[None, :, None])).reshape(CELLS, -1)


def field_row(residual: FloatArray, field: FloatArray, camera: FloatArray) -> FloatArray:
    """One row of a signed flow.

    Parameters
    ----------
    residual, field : ndarray, shape (side, side, 2)
        Motion in the scene and what the camera does to each patch, patch/s.
    camera : ndarray, shape (2, 3)
        The affine field's numbers.

    Returns
    -------
    ndarray, shape (56,)
        Pooled residual x, y and length; affine numbers; mean speed of the scene and of the camera.
    """
    speed = np.linalg.norm(residual, axis=-1, keepdims=True)
    cells = pooled(np.concatenate([residual, speed], axis=-1))
    mean = [speed.mean(), np.linalg.norm(field, axis=-1).mean()]
    return np.concatenate([cells.T.ravel(), camera.ravel(), mean])


def attention_row(change: FloatArray, magnitude: FloatArray) -> FloatArray:
    """Pooled standardised attention flow, mean over layers, and its mean magnitude: (layers, P) gives (17,)."""
    side = round(change.shape[-1] ** 0.5)
    shape = standardised(change).mean(axis=0).reshape(side, side, 1)
    return np.append(pooled(shape).ravel(), magnitude.mean())


def grey(picture: Pictures, size: int) -> Pictures:
    """The picture in grey levels, squeezed to `size` × `size`."""
    import cv2

    small = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def optical_row(now: Pictures, then: Pictures, *, side: int, seconds: float, stretch: FloatArray) -> FloatArray:
    """Row of Farneback's optical flow, averaged over patches, with the camera fitted out as for the keys.

    References
    ----------
    Farnebäck (2003), doi:10.1007/3-540-45103-X_50
    """
    import cv2

    start = np.zeros((*now.shape, 2), np.float32)
    moved = cv2.calcOpticalFlowFarneback(now, then, start, 0.5, 3, 11, 3, 5, 1.1, 0)
    patch = now.shape[0] // side
    cells = moved[: side * patch, : side * patch].reshape(side, patch, side, patch, 2).mean(axis=(1, 3))
    displacement = np.asarray(cells, dtype=np.float64) / patch
    camera = affine_fit(displacement)
    field = affine_field(camera, side)
    return field_row((displacement - field) * stretch / seconds, field * stretch / seconds, camera / seconds)


def pixel_row(now: Pictures, then: Pictures) -> FloatArray:
    """Pooled absolute difference of grey levels, 0 to 1."""
    off = np.abs(now.astype(np.float64) - then.astype(np.float64))[..., None] / 255
    return pooled(off).ravel()


def extract(
    path: Path,
    backbone: Backbone,
    *,
    rate_hz: float,
    size: int,
    words: Words | None = None,
    progress: Callable[[float], None] | None = None,
) -> ClipFeatures:
    """Features of a video file, decoded once in bounded memory.

    Parameters
    ----------
    path : Path
        The recording.
    backbone : Backbone
        From `make_backbone`.
    rate_hz : float
        Frames a second at most.
    size : int
        Side of the backbone's input, pixels.
    words : Words, optional
        Descriptions that each frame is compared with.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    ClipFeatures

    Raises
    ------
    StreamError
        If the file cannot be decoded, or holds fewer than two frames: nothing moves in one.
    """
    shape = inspect(path)
    builder = FeatureBuilder(aspect=shape.width / shape.height)

    def hand_over(part: list[tuple[float, Pictures]]) -> None:
        pictures = np.stack([picture for _, picture in part])
        looks = see(backbone, np.array([t for t, _ in part]), pictures, size=size)
        builder.add(looks, None if words is None else words.scores(pictures))

    gap, waiting = Gap(rate_hz), list[tuple[float, Pictures]]()
    for batch in frames(path, decoder=Decoder.AV, max_side=2 * size, max_rate_hz=rate_hz):
        kept = zip(batch.times_s, batch.frames, strict=True)
        waiting += [(float(t), picture.copy()) for t, picture in kept if gap.keeps(float(t))]
        while len(waiting) >= CHUNK:
            hand_over(waiting[:CHUNK])
            del waiting[:CHUNK]
        if progress is not None and shape.duration_s:
            progress(min(1.0, float(batch.seen_s[-1]) / shape.duration_s))
    if waiting:
        hand_over(waiting)
    found = builder.done()
    if len(found) < 2:
        raise StreamError("The video holds a single frame: actions need at least two", reason=Reason.FEW_EVIDENCE)
    return found


def make_backbone(folder: Path, *, device: str = "") -> Backbone:
    """The backbone as this room uses it: keys of the blocks measured best, attention images and tokens kept.

    Parameters
    ----------
    folder : Path
        As in `Backbone`.
    device : str, optional
        As in `Backbone`.

    Returns
    -------
    Backbone
        Keys of the blocks at 5 and 8 twelfths of the depth, attention of the last third, four blocks at most.

    Raises
    ------
    ModelError
        If the folder holds no model.
    """
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        blocks = int((said.get("vision_config") or said)["num_hidden_layers"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("The backbone's folder holds no model that transformers can load") from error
    keys = sorted({min(layer * blocks // 12, blocks - 1) for layer in KEY_LAYERS})
    last = max(1, min(4, blocks // 3))
    attention = range(blocks - last, blocks)
    return Backbone(folder, key_layers=keys, attention_layers=attention, images=True, tokens=True, device=device)
