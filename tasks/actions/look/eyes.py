"""The frozen backbone as this room uses it, what it says of frames, and motion between two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.look.sources import Float32, Pictures, attention_row, flow_row, grey, optical_row, pixel_row
from cueflow.tasks.video.motion.backbone import Backbone
from cueflow.tasks.video.motion.flow import attention_flow, attention_magnitude, signed_flow
from cueflow.tasks.video.motion.track import KEY_LAYERS, key_grid

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.tasks.actions.adapters.inside import Inside


@dataclass(frozen=True, slots=True)
class Eyes:
    """The frozen backbone as this room uses it.

    `flow` sees every frame, softened, and stops behind the last block that motion is read from; `appearance` sees some
    as they are, in full depth, None where nobody asks what they look like; `attended` whether attention is read too;
    `inside` sees all of them through an adapter, in the place of `appearance`.
    """

    flow: Backbone
    appearance: Backbone | None
    attended: bool
    inside: Inside | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """What is kept of n frames until they are compared, side² = P.

    `times_s` (n,); `keys` (n, side, side, channels) and `images` (n, side, side, images) to follow; `attention` (n,
    layers, P, P); `grey` (n, size, size). Images and attention are None where they are not read.
    """

    times_s: FloatArray
    keys: Float32
    images: Float32 | None
    attention: Float32 | None
    grey: Pictures

    def one(self, index: int) -> Looks:
        """A single look, with its axis kept."""
        part = slice(index, index + 1)
        return Looks(
            self.times_s[part],
            self.keys[part],
            None if self.images is None else self.images[part],
            None if self.attention is None else self.attention[part],
            self.grey[part],
        )


def see(eyes: Eyes, times_s: FloatArray, pictures: Pictures, *, size: int) -> Looks:
    """Show frames to the backbone, to find out what moves.

    Parameters
    ----------
    eyes : Eyes
        From `make_eyes`.
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
    maps = eyes.flow.maps(pictures, size=size)
    images = attention = None
    if eyes.attended:
        shown = np.concatenate([maps.images[layer] for layer in sorted(maps.images)], axis=1)
        images = shown.transpose(0, 2, 1).reshape(len(shown), maps.side, maps.side, -1)
        attention = np.stack([maps.attention[layer] for layer in sorted(maps.attention)], axis=1)
    small = np.stack([grey(picture, size) for picture in pictures])
    return Looks(np.asarray(times_s, dtype=np.float64), key_grid(maps), images, attention, small)


def appearance_of(backbone: Backbone, pictures: Pictures, *, size: int) -> tuple[Float32, Float32]:
    """What frames look like.

    Parameters
    ----------
    backbone : Backbone
        Made with tokens.
    pictures : ndarray, shape (n, height, width, 3)
        uint8, RGB.
    size : int
        Side of the backbone's input, pixels.

    Returns
    -------
    tuple of ndarray
        Class token (n, channels), or the mean of the patches where the model has none; patches (n, P, channels).
    """
    maps = backbone.maps(pictures, size=size)
    assert maps.tokens is not None  # noqa: S101 - the backbone was made with them
    patches = maps.tokens[:, -(maps.side**2) :]
    return maps.tokens[:, 0] if backbone.class_token else patches.mean(axis=1), patches


def compare(before: Looks, now: Looks, *, seconds: float, stretch: FloatArray) -> dict[str, FloatArray]:
    """Motion between two single looks, from every source but the keys that they hold.

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
    dict
        A row by source.
    """
    rows = {
        "optical": optical_row(before.grey[0], now.grey[0], side=now.keys.shape[1], seconds=seconds, stretch=stretch),
        "pixels": pixel_row(before.grey[0], now.grey[0]),
    }
    if before.images is not None and now.images is not None:
        rows["images"] = flow_row(signed_flow(before.images[0], now.images[0], seconds=seconds), stretch)
    if before.attention is not None and now.attention is not None:
        pair = before.attention[0], now.attention[0]
        rows["attention"] = attention_row(attention_flow(*pair), attention_magnitude(*pair))
    return rows


def make_eyes(
    folder: Path,
    *,
    attended: bool = False,
    appearance: bool = True,
    inside: Inside | None = None,
    device: str = "",
) -> Eyes:
    """The backbone as this room uses it.

    Parameters
    ----------
    folder : Path
        As in `Backbone`.
    attended : bool, optional
        Whether attention is read, too: that of the last third of the blocks, four at most.
    appearance : bool, optional
        Whether it is looked at what the frames look like.
    inside : Inside, optional
        The backbone with an adapter, which then says what the frames look like.
    device : str, optional
        As in `Backbone`.

    Returns
    -------
    Eyes
        Keys of the blocks at 4 and 6 twelfths of the depth.

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
    last = range(blocks - max(1, min(4, blocks // 3)), blocks) if attended else range(0)
    flow = Backbone(folder, key_layers=keys, attention_layers=last, images=attended, device=device)
    if inside is not None or not appearance:
        return Eyes(flow, None, attended, inside if appearance else None)
    looks = Backbone(folder, key_layers=(), attention_layers=(), tokens=True, device=device)
    return Eyes(flow, looks, attended)
