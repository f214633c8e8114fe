"""A frozen vision transformer that gives patch keys and attention maps of chosen blocks at the speed of SDPA."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

CHUNK = 16  # frames in one pass
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the published DINOv2 weights expect

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Maps:
    """What the backbone says of n frames of `side` × `side` patches, P = side².

    `keys` by block, (n, P, channels); `attention` by block, (n, P, P): mean over heads, each row (query) sums to 1
    over the patches (class and register tokens left out).
    """

    side: int
    keys: dict[int, Float32]
    attention: dict[int, Float32]


class Backbone:
    """A frozen ViT of the DINOv2 family, read from a folder as transformers writes it.

    Parameters
    ----------
    folder : Path
        With `config.json` and `model.safetensors`.
    key_layers, attention_layers : sequence of int
        Blocks, from 0, whose patch keys and attention maps are wanted.

    Raises
    ------
    ModelError
        If the folder holds no such model, or it has fewer blocks.
    """

    def __init__(self, folder: Path, *, key_layers: Sequence[int], attention_layers: Sequence[int]) -> None:
        import torch

        self._model = _load(folder).eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature
        self._key_layers, self._attention_layers = tuple(key_layers), tuple(attention_layers)
        config = self._model.config
        self._heads, self._patch = int(config.num_attention_heads), int(config.patch_size)
        self._projected: dict[tuple[int, str], torch.Tensor] = {}
        wanted = sorted({*key_layers, *attention_layers})
        if not wanted or wanted[-1] >= config.num_hidden_layers or wanted[0] < 0:
            raise ModelError(f"The backbone has {config.num_hidden_layers} blocks; blocks {wanted} were asked for")
        for layer in wanted:
            for name, module in _projections(self._model, layer).items():
                module.register_forward_hook(self._keeper(layer, name))
        self._mean, self._std = (torch.tensor(x).view(1, 3, 1, 1) for x in (MEAN, STD))

    def _keeper(self, layer: int, name: str) -> Callable[[Any, Any, torch.Tensor], None]:
        def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:  # noqa: ANN401
            self._projected[layer, name] = output

        return keep

    def side(self, size: int) -> int:
        """Patches along one side of a picture of `size` pixels."""
        return size // self._patch

    def maps(self, pictures: NDArray[np.uint8], *, size: int) -> Maps:
        """Keys and attention maps of some frames.

        Parameters
        ----------
        pictures : ndarray, shape (n, height, width, 3)
            uint8 RGB; squeezed to `size` × `size`, smoothed against aliasing.
        size : int
            Side of the backbone's input in pixels, a multiple of the patch size.

        Returns
        -------
        Maps
        """
        import torch

        side = self.side(size)
        parts = []
        with torch.inference_mode():
            for first in range(0, len(pictures), CHUNK):
                pixels = torch.from_numpy(np.ascontiguousarray(pictures[first : first + CHUNK])).permute(0, 3, 1, 2)
                small = torch.nn.functional.interpolate(
                    pixels.float(), size=(size, size), mode="bilinear", antialias=True, align_corners=False
                )
                self._model(pixel_values=(small / 255 - self._mean) / self._std)
                parts.append(self._read(side * side))
        return Maps(
            side=side,
            keys={layer: np.concatenate([p[0][layer] for p in parts]) for layer in self._key_layers},
            attention={layer: np.concatenate([p[1][layer] for p in parts]) for layer in self._attention_layers},
        )

    def _read(self, patches: int) -> tuple[dict[int, Float32], dict[int, Float32]]:
        """Patch tokens are the last ones: class and register tokens come first."""
        keys = {n: self._projected[n, "key"][:, -patches:].float().numpy() for n in self._key_layers}
        attention = {
            n: head_mean_attention(
                self._projected[n, "query"][:, -patches:], self._projected[n, "key"][:, -patches:], heads=self._heads
            ).numpy()
            for n in self._attention_layers
        }
        self._projected.clear()
        return keys, attention


def head_mean_attention(query: torch.Tensor, key: torch.Tensor, *, heads: int) -> torch.Tensor:
    """Attention among patches, averaged over heads.

    The softmax over patch keys alone equals the full attention row without its class column, renormalised.

    Parameters
    ----------
    query, key : Tensor, shape (n, P, channels)
        Projected patch tokens.
    heads : int
        Attention heads.

    Returns
    -------
    Tensor, shape (n, P, P)
        Rows sum to 1.
    """
    n, patches, channels = query.shape
    q, k = (x.reshape(n, patches, heads, channels // heads).transpose(1, 2) for x in (query, key))
    return (q @ k.transpose(-1, -2) / math.sqrt(channels // heads)).softmax(dim=-1).mean(dim=1)


def _load(folder: Path) -> Any:  # noqa: ANN401 - transformers is untyped here
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging

    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return AutoModel.from_pretrained(folder, attn_implementation="sdpa", local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError("The backbone's folder holds no model that transformers can load") from error
    finally:
        if bar:
            logging.enable_progress_bar()


def _projections(model: Any, layer: int) -> dict[str, Any]:  # noqa: ANN401
    # the linear layers that make queries and keys of one block, whatever the library's version calls them
    named = {"query": ("q_proj", "query"), "key": ("k_proj", "key")}
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        parts = path.split(".")
        if str(layer) not in parts or not any(p in ("layer", "layers") for p in parts):
            continue
        found |= {name: module for name, tails in named.items() if parts[-1] in tails}
    if set(found) != set(named):
        raise ModelError("The backbone's attention has no query and key layers of its own")
    return found
