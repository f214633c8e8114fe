"""Train an adapter inside a frozen backbone on short excerpts of annotated recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.adapters.inside import CLIP_FRAMES, looked
from cueflow.tasks.actions.adapters.through import AdaptedBackbone

PROJECTED = 16
RATE = 1e-3
BATCH = 8
ANYWHERE = 0.25  # share of the excerpts that are not about an action
WEIGHT_DECAY = 0.05
EPOCHS = 20


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Clips of `CLIP_FRAMES` frames of several recordings.

    `pictures` (n, T, 3, size, size) uint8; `speed` (n, T, P), residual speed of each patch; `truth` (n, T, classes), 0
    or 1.
    """

    pictures: NDArray[np.uint8]
    speed: NDArray[np.float16]
    truth: FloatArray

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, slots=True)
class InsideOptions:
    """What to train behind the latter half of a backbone's blocks, how long and where.

    `backbone` is a name or a folder; `unit` looks along time, `lora` is the rank of LoRA beside it, 0 for none;
    `patience` epochs without a better loss on the held-out excerpts end it; `device` as in `usable_device`.
    """

    backbone: str
    unit: str = "conv"
    lora: int = 0
    epochs: int = EPOCHS
    patience: int = 5
    seed: int = 0
    device: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """What training says beside the adapter.

    `directions` (2 × channels, 16) of the rows in which the classes are told apart; `losses` of the held-out excerpts,
    epoch by epoch: the adapter is the one of the lowest.
    """

    directions: FloatArray
    losses: tuple[float, ...]


def excerpt_starts(steps_s: FloatArray, truth: FloatArray, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Where excerpts of one recording begin: three in four round an action, every class equally often.

    Parameters
    ----------
    steps_s : ndarray, shape (n,)
        Time since the frame before; 0 where there is none near: no excerpt goes across.
    truth : ndarray, shape (n, classes)
        Which classes are on.
    count : int
        At most.
    rng : Generator
        Source of chance.

    Returns
    -------
    ndarray, shape (count,) or shorter
        Frames at which excerpts begin, each once; none where the recording has no run of `CLIP_FRAMES` frames.
    """
    broken = np.concatenate([[0], np.cumsum(steps_s == 0)])
    first = np.arange(max(0, len(steps_s) - CLIP_FRAMES + 1))
    whole: NDArray[np.int64] = first[broken[first + CLIP_FRAMES] == broken[first + 1]]
    if not len(whole):
        return whole
    on = [np.flatnonzero(column) for column in truth.T if column.any()]
    found = set[int]()
    for _ in range(count):
        middle = int(rng.integers(len(steps_s)))
        if on and rng.random() > ANYWHERE:
            middle = int(rng.choice(on[int(rng.integers(len(on)))]))
        wanted = middle - int(rng.integers(CLIP_FRAMES))
        found.add(int(whole[np.argmin(np.abs(whole - wanted))]))
    return np.array(sorted(found))


def varied(pixels: Tensor) -> Tensor:
    """Clips (n, T, 3, h, w) of 0 to 1, each shifted and scaled by up to a tenth, with other light and contrast."""
    n, steps = pixels.shape[:2]

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape, device=pixels.device).uniform_(low, high)

    turn = torch.eye(2, device=pixels.device) * drawn(0.9, 1.1, 1, 1)
    where = torch.cat([turn, drawn(-0.2, 0.2, 2, 1)], dim=-1).repeat_interleave(steps, 0)
    grid = nn.functional.affine_grid(where, [n * steps, *pixels.shape[2:]], align_corners=False)
    moved = nn.functional.grid_sample(pixels.flatten(0, 1), grid, padding_mode="reflection", align_corners=False)
    tint = drawn(0.8, 1.2, 1, 3, 1, 1)
    return ((moved.reshape(pixels.shape) - 0.5) * tint + 0.5 + drawn(-0.1, 0.1, 1, 1, 1, 1)).clamp(0, 1)


class _Reader(nn.Module):
    """A few directions of the rows, a convolution along time, the classes."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.project = nn.Linear(width, PROJECTED, bias=False)
        self.along = nn.Conv1d(PROJECTED, 32, 5, padding=2)
        self.out = nn.Linear(32, classes)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, T, width) to logits (B, T, classes)."""
        seen = self.project(self.norm(rows.transpose(1, 2)).transpose(1, 2))
        found: Tensor = self.out(nn.functional.gelu(self.along(seen.transpose(1, 2))).transpose(1, 2))
        return found

    def directions(self) -> FloatArray:
        """The projection of rows that are not standardised, (width, PROJECTED)."""
        assert self.norm.running_var is not None  # noqa: S101 - it keeps its statistics
        spread = (self.norm.running_var + self.norm.eps).sqrt()
        return np.asarray((self.project.weight / spread).T.detach().cpu().double().numpy())


def train_inside(
    backbone: AdaptedBackbone,
    learn: Excerpts,
    judge: Excerpts,
    *,
    weights: Tensor,
    options: InsideOptions,
    progress: Callable[[float], None] | None = None,
) -> Learned:
    """Train the active adapter, with a small reader behind it that is thrown away but for its projection.

    Parameters
    ----------
    backbone : AdaptedBackbone
        On the device where it shall be trained; its adapter is changed in place, to the best epoch's.
    learn, judge : Excerpts
        To learn from, and of other subjects, to decide when to stop.
    weights : Tensor, shape (classes,)
        Of positives.
    options : InsideOptions
        How long.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    Learned
    """
    device = next(backbone.parameters()).device
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        reader = _Reader(2 * backbone.width, learn.truth.shape[-1]).to(device)
        own = [*backbone.trainable(), *reader.parameters()]
        optimiser = torch.optim.AdamW(own, lr=RATE, weight_decay=WEIGHT_DECAY)
        loss_of = nn.BCEWithLogitsLoss(pos_weight=weights.to(device))
        steps = options.epochs * math.ceil(len(learn) / BATCH)
        turn = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: _share(k, steps))
        losses, kept = list[float](), _copied(own, reader)

        def loss_in(part: tuple[Tensor, ...], *, vary: bool) -> Tensor:
            pixels, speed, truth = part
            found: Tensor = loss_of(reader(looked(backbone, varied(pixels) if vary else pixels, speed)), truth)
            return found

        for epoch in range(options.epochs):
            reader.train()
            for part in _batches(learn, device, shuffle=True):
                _step(loss_in(part, vary=True), optimiser, own)
                turn.step()
            reader.eval()
            with torch.inference_mode():
                judged = [float(loss_in(part, vary=False)) for part in _batches(judge, device)]
            losses.append(float(np.mean(judged)))
            best = int(np.argmin(losses))
            if best == epoch:
                kept = _copied(own, reader)
            if progress is not None:
                progress((epoch + 1) / options.epochs)
            if epoch - best >= options.patience:
                break
    _put_back(own, reader, kept)
    return Learned(reader.directions(), tuple(losses))


def _step(loss: Tensor, optimiser: torch.optim.Optimizer, own: Sequence[Tensor]) -> None:
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(own, 1.0)
    optimiser.step()


def _put_back(own: Sequence[Tensor], reader: nn.Module, kept: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip([*own, *reader.buffers()], kept, strict=True):
            tensor.copy_(value)


def _copied(own: Sequence[Tensor], reader: nn.Module) -> list[Tensor]:
    return [t.detach().clone() for t in [*own, *reader.buffers()]]


def _share(step: int, steps: int) -> float:
    """Share of the learning rate: a tenth of the steps to warm up, then down along a cosine."""
    return min(1.0, 10 * (step + 1) / steps) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _batches(excerpts: Excerpts, device: torch.device, *, shuffle: bool = False) -> Iterator[tuple[Tensor, ...]]:
    order = (torch.randperm(len(excerpts)) if shuffle else torch.arange(len(excerpts))).numpy()
    for first in range(0, len(order), BATCH):
        k = order[first : first + BATCH]
        yield (
            torch.from_numpy(excerpts.pictures[k]).to(device).float() / 255,
            torch.from_numpy(excerpts.speed[k].astype(np.float32)).to(device),
            torch.from_numpy(excerpts.truth[k]).to(device).float(),
        )
