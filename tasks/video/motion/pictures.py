"""Pictures as a backbone takes them: their size, level and sharpness, and pictures that share nothing but the frame."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    import torch

SOFTEN_PX = 3.0  # standard deviation of the blur of the backbone's input, before it looks for motion
LEVEL = 0.45  # to which the mean of every picture is brought


def resized(pictures: NDArray[np.uint8], size: int, device: torch.device) -> torch.Tensor:
    """Pictures as a backbone takes them, before they are standardised.

    Parameters
    ----------
    pictures : ndarray, shape (n, height, width, 3)
        uint8 RGB; squeezed to a square, smoothed against aliasing.
    size : int
        Its side, pixels.
    device : torch.device
        Where they shall be.

    Returns
    -------
    Tensor, shape (n, 3, size, size)
        0 to 1.
    """
    import torch

    part = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    shape = (size, size)
    # grey levels are kept whole: 30 times faster than numbers, and half a level is less than any sensor's noise
    small = torch.nn.functional.interpolate(part, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return small.to(device).float() / 255


def softened(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures of the same mean, blurred by a Gaussian; borders are mirrored.

    What is finer than a fifth of a patch, sensor noise most of all, moves the keys by chance, and a light that flickers
    moves nothing.

    Parameters
    ----------
    pictures : Tensor, shape (n, channels, height, width)
        0 to 1; sides of 10 pixels and more.

    Returns
    -------
    Tensor, shape (n, channels, height, width)
    """
    import torch

    level = pictures - pictures.mean(dim=(1, 2, 3), keepdim=True) + LEVEL
    down, along = (torch.from_numpy(blur(n)).to(level) for n in level.shape[-2:])
    softer: torch.Tensor = down @ level @ along.T
    return softer


@cache
def blur(size: int) -> FloatArray:
    """The Gaussian blur of a line of `size` pixels as a matrix, (size, size): products are faster than a filter."""
    reach = math.ceil(3 * SOFTEN_PX)
    bell = np.exp(-((np.arange(-reach, reach + 1) / SOFTEN_PX) ** 2) / 2)
    padded = np.pad(np.eye(size), ((reach, reach), (0, 0)), mode="reflect")
    rows = np.stack([bell @ padded[k : k + 2 * reach + 1] for k in range(size)])
    return np.asarray(rows / bell.sum())


def unrelated_pictures(size: int) -> NDArray[np.uint8]:
    """Grey and softly mottled pictures that have nothing in common but the frame, the same ones every time.

    The mean of what a transformer says of them at a patch is what the place alone puts there: it stays where it is when
    the scene moves, and would hold the flow back.

    Parameters
    ----------
    size : int
        Side, pixels.

    Returns
    -------
    ndarray, shape (16, size, size, 3)
    """
    import cv2

    rng = np.random.default_rng(0)
    grey = [np.full((size, size, 3), level, dtype=np.uint8) for level in (40, 100, 160, 220)]
    grains = [rng.integers(0, 256, (grain, grain, 3), dtype=np.uint8) for grain in (3, 7, 14, 28) for _ in range(3)]
    return np.stack([*grey, *(cv2.resize(g, (size, size), interpolation=cv2.INTER_CUBIC) for g in grains)])
