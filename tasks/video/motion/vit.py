"""Reads vision transformers of several families from a folder, as transformers writes them; safetensors only."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cueflow.schemas.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_HALF_FAMILIES = frozenset({"siglip", "siglip_vision_model"})
_RESIZABLE = frozenset({"vit_mae", "siglip", "siglip_vision_model", "clip", "clip_vision_model", "vit"})


@dataclass(frozen=True, slots=True)
class Vit:
    """A loaded model and what has to be known of it.

    `mean` and `std` standardise pixels of 0 to 1; `patch` pixels; `blocks` and `heads` counts; `leading` tokens that
    come before the patches; `class_token` whether the first of them is one.
    """

    model: Any
    family: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    patch: int
    blocks: int
    heads: int
    leading: int
    class_token: bool

    def run(self, pixels: torch.Tensor) -> torch.Tensor:
        """Tokens after the last block, in the order of the picture.

        Parameters
        ----------
        pixels : Tensor, shape (n, 3, height, width)
            Standardised; sides are multiples of the patch.

        Returns
        -------
        Tensor, shape (n, leading + patches, channels)
        """
        import torch

        extra: dict[str, Any] = {}
        if self.family in _RESIZABLE:
            extra["interpolate_pos_encoding"] = True
        if self.family == "vit_mae":  # nothing is masked, and the "random" order is the picture's own
            patches = (pixels.shape[2] // self.patch) * (pixels.shape[3] // self.patch)
            extra["noise"] = torch.arange(patches, dtype=torch.float32, device=pixels.device).expand(len(pixels), -1)
        found: torch.Tensor = self.model(pixel_values=pixels, **extra).last_hidden_state
        return found

    def projections(self, block: int) -> dict[str, Any]:
        """The linear layers "query" and "key" of one block, whatever the family calls them.

        Raises
        ------
        ModelError
            If the block has none of its own.
        """
        named = {"query": ("q_proj", "query"), "key": ("k_proj", "key")}
        found: dict[str, Any] = {}
        for path, module in self.model.named_modules():
            parts = path.split(".")
            if str(block) not in parts or not any(p in {"layer", "layers"} for p in parts):
                continue
            found |= {name: module for name, tails in named.items() if parts[-1] in tails}
        if set(found) != set(named):
            raise ModelError("The backbone's attention has no query and key layers of its own")
        return found

    def rotary(self) -> list[Any]:
        """Modules that give rotary places, as DINOv3 has them; none in the other families."""
        return [m for path, m in self.model.named_modules() if path.split(".")[-1] == "rope_embeddings"]

    def layers(self) -> Any:  # noqa: ANN401 - a ModuleList
        """The list of blocks, to wrap or to shorten.

        Raises
        ------
        ModelError
            If there is none of the right length.
        """
        import torch

        for path, module in self.model.named_modules():
            right = isinstance(module, torch.nn.ModuleList) and len(module) == self.blocks
            if right and path.split(".")[-1] in {"layer", "layers"}:
                return module
        raise ModelError("The backbone has no list of blocks")


def load_vit(folder: Path) -> Vit:
    """Load a frozen vision transformer.

    Parameters
    ----------
    folder : Path
        With `config.json` and `model.safetensors`; of a dual encoder (SigLIP, CLIP) the picture's half is taken.

    Returns
    -------
    Vit
        DINOv2 with or without registers, DINOv3, ViT, ViT-MAE, SigLIP and CLIP are known.

    Raises
    ------
    ModelError
        If the folder holds no such model.
    """
    model = _whole(folder)
    model = getattr(model, "vision_model", model).eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature
    config = model.config
    family = str(config.model_type)
    if family == "vit_mae":
        config.mask_ratio = 0.0
    try:
        patch, blocks, heads = (
            int(getattr(config, n)) for n in ("patch_size", "num_hidden_layers", "num_attention_heads")
        )
    except (AttributeError, TypeError) as error:
        raise ModelError("The backbone's folder holds a model that is no vision transformer") from error
    class_token = "siglip" not in family
    registers = int(getattr(config, "num_register_tokens", 0) or 0)
    mean, std = picture_standard(folder, family)
    return Vit(model, family, mean, std, patch, blocks, heads, int(class_token) + registers, class_token)


def _whole(folder: Path) -> Any:  # noqa: ANN401 - transformers is untyped here
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return AutoModel.from_pretrained(  # whatever the file was rounded to: the flow is read from small differences
            folder, attn_implementation="sdpa", local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError("The backbone's folder holds no model that transformers can load") from error
    finally:
        if bar:
            logging.enable_progress_bar()


def picture_standard(folder: Path, family: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the pixels, 0 to 1, by channel: the folder's own where it says them.

    Parameters
    ----------
    folder : Path
        Of the model.
    family : str
        `model_type` of its configuration.

    Returns
    -------
    tuple of tuple of float
    """
    default = HALF if family in _HALF_FAMILIES else IMAGENET
    try:
        said = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        mean, std = (tuple(float(x) for x in said[n]) for n in ("image_mean", "image_std"))
    except (OSError, ValueError, KeyError, TypeError):
        return default
    right = len(mean) == len(std) == 3 and all(math.isfinite(x) for x in (*mean, *std)) and min(std) > 0
    return (mean, std) if right else default
