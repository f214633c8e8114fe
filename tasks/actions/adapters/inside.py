"""What frames look like to a backbone with an adapter plugged in: clips instead of single frames."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cueflow.schemas.errors import ModelError
from cueflow.tasks.actions.adapters.files import CONFIG_FILE, load_adapter
from cueflow.tasks.actions.adapters.through import AdaptedBackbone
from cueflow.tasks.video.motion.backbone import usable_device
from cueflow.tasks.video.motion.pictures import resized

if TYPE_CHECKING:
    from pathlib import Path

CLIP_FRAMES = 16  # that an adapter looks along; two seconds at 8 frames/s
NAME = "inside"  # of the adapter on its backbone, and of its folder in a model's


class Inside:
    """A frozen backbone with a trained adapter plugged in.

    Parameters
    ----------
    folder : Path
        Of the backbone, as in `load_vit`.
    adapter : Path
        From `save_adapter`.
    backbone_sha256 : str
        Hash of the backbone's weights.
    device : str, optional
        As in `usable_device`.

    Raises
    ------
    ModelError
        If there is no such backbone or adapter, one was changed, or they do not belong together.
    """

    frames = CLIP_FRAMES  # of a clip

    def __init__(self, folder: Path, adapter: Path, *, backbone_sha256: str, device: str = "") -> None:
        self._backbone = AdaptedBackbone.load(folder)
        load_adapter(self._backbone, NAME, adapter, backbone_sha256=backbone_sha256)
        self._device = usable_device(device)
        self._backbone.to(self._device).eval()

    def rows(self, pictures: NDArray[np.uint8], speed: NDArray[np.float16], *, size: int) -> NDArray[np.float16]:
        """What the frames of one clip look like.

        Parameters
        ----------
        pictures : ndarray, shape (T, height, width, 3)
            uint8 RGB; `CLIP_FRAMES` or fewer.
        speed : ndarray, shape (T, P)
            Residual speed of each patch.
        size : int
            Side of the backbone's input, pixels.

        Returns
        -------
        ndarray, shape (T, 2 × channels)
            Class token, or the mean of the patches where the model has none; mean of the patches, weighted by motion.
        """
        with torch.inference_mode():
            shown = resized(pictures, size, self._device)[None]
            moving = torch.from_numpy(speed.astype(np.float32)).to(self._device)[None]
            found: NDArray[np.float16] = looked(self._backbone, shown, moving)[0].half().cpu().numpy()
        return found


def looked(backbone: AdaptedBackbone, pixels: Tensor, speed: Tensor) -> Tensor:
    """Rows of clips, with gradients where they are asked for.

    Parameters
    ----------
    backbone : AdaptedBackbone
        Its active adapter looks along the clips.
    pixels : Tensor, shape (B, T, 3, size, size)
        0 to 1.
    speed : Tensor, shape (B, T, P)
        Residual speed of each patch; standardised, it is the flow that opens the adapter's gate.

    Returns
    -------
    Tensor, shape (B, T, 2 × channels)
        As `Inside.rows`.
    """
    vit = backbone.vit
    mean, std = (torch.tensor(x, device=pixels.device).view(1, 1, 3, 1, 1) for x in (vit.mean, vit.std))
    spread = speed.std(-1, keepdim=True)
    flow = (speed - speed.mean(-1, keepdim=True)) / spread.clamp(min=1e-3)
    tokens = backbone((pixels - mean) / std, flow).float()
    patches = tokens[:, :, vit.leading :]
    busy = (speed - speed.median(-1, keepdim=True).values).clamp(min=0) + 1e-6  # all the same where nothing moves
    moving = ((busy / busy.sum(-1, keepdim=True))[..., None] * patches).sum(dim=2)
    return torch.cat([tokens[:, :, 0] if vit.class_token else patches.mean(dim=2), moving], dim=-1)


def adapter_sha256(folder: Path) -> str:
    """Hash that a saved adapter says it has; `load_adapter` checks it.

    Parameters
    ----------
    folder : Path
        From `save_adapter`.

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If there is no adapter.
    """
    try:
        return str(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder.name}: no adapter there; train the model again") from error
