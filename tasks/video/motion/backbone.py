"""A frozen vision transformer that gives patch keys and attention maps of chosen blocks at the speed of SDPA."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.tasks.video.motion.pictures import resized, softened, unrelated_pictures
from cueflow.tasks.video.motion.vit import IMAGENET, load_vit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import torch

CHUNK = 16  # frames in one pass at most
TOKENS = 1040  # in one pass of a CPU: what more make of themselves does not fit into its cache
CACHED = 400_000  # numbers of attention that are worked on at once
MEAN, STD = IMAGENET  # what the published DINOv2 weights expect

Float32 = NDArray[np.float32]
Turn: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"


class _SeenError(Exception):
    """Raised inside the model once all that is wanted of a pass is there: the rest of its last block need not run."""


class HeadMode(StrEnum):
    """What becomes of the attention of several heads."""

    MEAN = "mean"
    MAX = "max"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Maps:
    """What the backbone says of n frames of `side` × `side` patches, P = side².

    `keys` by block, (n, P, channels), without what the place in the picture alone puts into them; `attention` by block,
    (n, P, P), or (n, heads, P, P) with heads apart: each row (query) sums to 1 over the patches (class and register
    tokens left out); `images` by block, (n, images, P): log of the attention that each patch receives, by head, and of
    the class token's, where there is one; `tokens` (n, leading + P, channels) after the last block that ran, where
    asked for.
    """

    side: int
    keys: dict[int, Float32]
    attention: dict[int, Float32]
    images: dict[int, Float32] = field(default_factory=dict)
    tokens: Float32 | None = None


class Backbone:
    """A frozen vision transformer, read from a folder as transformers writes it (see `load_vit` for the families).

    Parameters
    ----------
    folder : Path
        With `config.json` and `model.safetensors`.
    key_layers, attention_layers : sequence of int
        Blocks, from 0, whose patch keys, and attention maps and images are wanted; the rest of the last
        of them and blocks behind it do not run, unless tokens are wanted.
    images, tokens : bool, optional
        Whether attention images and the last tokens are wanted. Where tokens are, pictures are shown as they are;
        otherwise as `softened` makes them.
    heads : HeadMode, optional
        Mean over heads, largest of them (rows made to sum to 1 again), or each apart.
    device : str, optional
        Where torch computes: "cpu", "cuda", "cuda:1"; as `usable_device` has it.

    Raises
    ------
    ModelError
        If the folder holds no such model, it has fewer blocks, or the device is not there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        key_layers: Sequence[int],
        attention_layers: Sequence[int],
        images: bool = False,
        tokens: bool = False,
        heads: HeadMode = HeadMode.MEAN,
        device: str = "",
    ) -> None:
        import torch

        self._vit = vit = load_vit(folder)
        self._device = usable_device(device)
        vit.model.to(self._device)
        self._key_layers, self._attention_layers = tuple(key_layers), tuple(attention_layers)
        self._images, self._tokens, self._mode = images, tokens, heads
        self._projected: dict[tuple[int, str], torch.Tensor] = {}
        self._turn: Turn | None = None
        wanted = sorted({*key_layers, *attention_layers})
        if not (wanted or tokens) or any(not 0 <= layer < vit.blocks for layer in wanted):
            raise ModelError(f"The backbone has {vit.blocks} blocks; blocks {wanted} were asked for")
        self._wanted = {(n, "key") for n in wanted} | {(n, "query") for n in attention_layers}
        if not tokens:
            del vit.layers()[wanted[-1] + 1 :]
        for layer in wanted:
            for name, module in vit.projections(layer).items():
                if (layer, name) in self._wanted:
                    module.register_forward_hook(self._keeper(layer, name))
        for module in vit.rotary():
            module.register_forward_hook(self._keep_turn)
        self._mean, self._std = (torch.tensor(x, device=self._device).view(1, 3, 1, 1) for x in (vit.mean, vit.std))
        self._places: dict[int, dict[int, Float32]] = {}

    def _keeper(self, layer: int, name: str) -> Callable[[Any, Any, torch.Tensor], None]:
        def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:  # noqa: ANN401
            self._projected[layer, name] = output
            if not self._tokens and self._projected.keys() == self._wanted:
                raise _SeenError

        return keep

    def _keep_turn(self, _module: Any, _inputs: Any, output: Turn) -> None:  # noqa: ANN401
        self._turn = output

    @property
    def class_token(self) -> bool:
        """Whether the first token stands for the whole picture."""
        return self._vit.class_token

    def side(self, size: int) -> int:
        """Patches along one side of a picture of `size` pixels."""
        return size // self._vit.patch

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
        return _joined(list(self.parts(pictures, size=size)))

    def parts(self, pictures: NDArray[np.uint8], *, size: int) -> Iterator[Maps]:
        """As `maps`, a few frames at a time while they are still in the processor's cache.

        Parameters
        ----------
        pictures : ndarray, shape (n, height, width, 3)
            As in `maps`.
        size : int
            As in `maps`.

        Yields
        ------
        Maps

        Raises
        ------
        ModelError
            If the size is no multiple of the patch, or holds less than three.
        """
        import torch

        side = self.side(size)
        if side < 3 or size % self._vit.patch:
            raise ModelError(f"The size must be a multiple of the backbone's patch of {self._vit.patch} pixels")
        if self._key_layers and size not in self._places:
            self._places[size] = {}  # while they are being found, nothing is taken out
            shown = self.maps(unrelated_pictures(size), size=size)
            self._places[size] = {n: keys.mean(axis=0) for n, keys in shown.keys.items()}
        step = CHUNK if self._device.type == "cuda" else frames_at_once(self._vit.leading + side**2)
        for first in range(0, len(pictures), step):
            with torch.inference_mode():
                tokens = self._tokens_of((self._shown(pictures[first : first + step], size) - self._mean) / self._std)
                made = self._read(side, tokens, self._places.get(size, {}))
            yield made

    def _tokens_of(self, pixels: torch.Tensor) -> torch.Tensor | None:
        """Tokens after the last block where they are wanted; what the hooks keep in any case."""
        try:
            return self._vit.run(pixels)
        except _SeenError:
            return None

    def _shown(self, pictures: NDArray[np.uint8], size: int) -> torch.Tensor:
        small = resized(pictures, size, self._device)
        return small if self._tokens else softened(small)

    def _read(self, side: int, tokens: torch.Tensor | None, places: dict[int, Float32]) -> Maps:
        keys: dict[int, Float32] = {n: self._patches(n, "key").float().cpu().numpy() for n in self._key_layers}
        keys = {n: x - places[n] if places else x for n, x in keys.items()}
        attention, images = {}, {}
        for n in self._attention_layers:
            query, key = (self._placed(self._patches(n, name)) for name in ("query", "key"))
            attention[n], received = self._attended(query, key)
            if received is not None:
                images[n] = self._image(n, received)
        self._projected.clear()
        return Maps(side, keys, attention, images, None if tokens is None else tokens.float().cpu().numpy())

    def _attended(self, query: torch.Tensor, key: torch.Tensor) -> tuple[Float32, torch.Tensor | None]:
        """Joined attention, and what each patch receives where images are wanted; a few frames at a time."""
        import torch

        few = max(1, CACHED // (self._vit.heads * query.shape[1] ** 2))
        joined, received = list[torch.Tensor](), list[torch.Tensor]()
        for first in range(0, len(query), few):
            q, k = query[first : first + few], key[first : first + few]
            by_head = head_attention(q, k, heads=self._vit.heads)
            joined.append(joined_heads(by_head, self._mode))
            if self._images:
                received.append(by_head.sum(dim=-2))
        return torch.cat(joined).cpu().numpy(), torch.cat(received) if received else None

    def _patches(self, layer: int, name: str) -> torch.Tensor:
        # class and register tokens come first
        return self._projected[layer, name][:, self._vit.leading :]

    def _placed(self, patches: torch.Tensor) -> torch.Tensor:
        return patches if self._turn is None else rotated(patches, self._turn, heads=self._vit.heads)

    def _image(self, layer: int, received: torch.Tensor) -> Float32:
        import torch

        shown = [received]
        if self._vit.class_token:
            first = self._projected[layer, "query"][:, :1]
            patches = received.shape[-1]
            shown.append(
                head_attention(first, self._placed(self._patches(layer, "key")), heads=self._vit.heads)[:, :, 0]
                * patches
            )
        made: Float32 = torch.cat(shown, dim=1).clamp(min=1e-6).log().cpu().numpy()
        return made


def frames_at_once(tokens: int) -> int:
    """Frames in one pass of a CPU, by the tokens of a frame."""
    return max(1, min(CHUNK, TOKENS // tokens))


def usable_device(name: str) -> torch.device:
    """The device of that name.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:1"; empty: what CUEFLOW_DEVICE says on this machine, otherwise "cpu".

    Returns
    -------
    torch.device

    Raises
    ------
    ModelError
        If there is none.
    """
    import torch

    name = name or os.environ.get("CUEFLOW_DEVICE", "") or "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"{name!r} is no device: cpu, cuda, cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ModelError(f"there is no GPU {name!r} that this torch can use; take cpu")
    return device


def _joined(parts: list[Maps]) -> Maps:
    def together(name: str) -> dict[int, Float32]:
        return {n: np.concatenate([getattr(p, name)[n] for p in parts]) for n in getattr(parts[0], name)}

    tokens = [p.tokens for p in parts if p.tokens is not None]
    return Maps(
        parts[0].side,
        together("keys"),
        together("attention"),
        together("images"),
        np.concatenate(tokens) if tokens else None,
    )


def rotated(patches: torch.Tensor, turn: Turn, *, heads: int) -> torch.Tensor:
    """Projected patches with rotary places, as DINOv3 gives them to queries and keys but not to other tokens.

    Parameters
    ----------
    patches : Tensor, shape (n, P, channels)
        Queries or keys.
    turn : tuple of Tensor, shape (P, channels / heads)
        Cosine and sine of each patch's place.
    heads : int
        Attention heads.

    Returns
    -------
    Tensor, shape (n, P, channels)
    """
    import torch

    cos, sin = (t.reshape(-1, 1, t.shape[-1]) for t in turn)
    x = patches.reshape(*patches.shape[:2], heads, -1)
    first, second = x.chunk(2, dim=-1)
    return (x * cos + torch.cat([-second, first], dim=-1) * sin).reshape(patches.shape)


def head_attention(query: torch.Tensor, key: torch.Tensor, *, heads: int) -> torch.Tensor:
    """Attention of some tokens to the patches, head by head.

    The softmax over patch keys alone equals the full attention row without its class column, renormalised.

    Parameters
    ----------
    query, key : Tensor, shape (n, Q, channels) and (n, P, channels)
        Projected tokens.
    heads : int
        Attention heads.

    Returns
    -------
    Tensor, shape (n, heads, Q, P)
        Rows sum to 1.
    """
    n, _, channels = query.shape
    q, k = (x.reshape(n, x.shape[1], heads, channels // heads).transpose(1, 2) for x in (query, key))
    return (q @ k.transpose(-1, -2) / math.sqrt(channels // heads)).softmax(dim=-1)


def joined_heads(by_head: torch.Tensor, mode: HeadMode) -> torch.Tensor:
    """Attention (n, heads, P, P) as (n, P, P), or as it is with `HeadMode.EACH`; rows sum to 1."""
    if mode is HeadMode.EACH:
        return by_head
    if mode is HeadMode.MEAN:
        return by_head.mean(dim=1)
    most = by_head.amax(dim=1)
    return most / most.sum(dim=-1, keepdim=True)
