"""The temporal trunk: short and long looks along time, at several scales, summed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8)
COARSE = (1, 2)  # dilations at each coarser scale


class TimeBlock(nn.Module):
    """x + mix(dilated convolution of the normalised x), masked; the mix starts at 0: identity."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.look = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout(dropout)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features (B, width, T) and mask (B, 1, T) to features of the same shape."""
        normal = self.norm(x.transpose(1, 2)).transpose(1, 2) * mask
        change: Tensor = self.mix(self.drop(nn.functional.gelu(self.look(normal))))
        return x + change * mask


class Coarser(nn.Module):
    """The next scale: half as many steps."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.shrink = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList([TimeBlock(width, d, dropout) for d in COARSE])

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, width, T) and mask (B, 1, T) to those of half the steps."""
        less = nn.functional.max_pool1d(mask, 1, stride=2)[..., : (x.shape[-1] + 1) // 2]
        now = nn.functional.gelu(self.shrink(x)) * less
        for block in self.blocks:
            now = block(now, less)
        return now, less


class Branch(nn.Module):
    """One source of knowledge: dropout, a short convolution, dilated blocks, then coarser scales that are summed up.

    The sum of scales is after MS-TCT (arXiv:2112.03902) and MS-Temba (arXiv:2501.06138); the sizes are ours.
    """

    def __init__(
        self, inputs: int, width: int, dropout: float, *, dilations: Sequence[int] = DILATIONS, scales: int = 3
    ) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.entry = nn.Conv1d(inputs, width, 3, padding=1)
        self.blocks = nn.ModuleList([TimeBlock(width, d, dropout) for d in dilations])
        self.coarser = nn.ModuleList([Coarser(width, dropout) for _ in range(scales - 1)])
        self.back = nn.ModuleList([nn.Conv1d(width, width, 1) for _ in range(scales - 1)])
        for parameter in self.back.parameters():  # at first the coarser scales say nothing
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Inputs (B, inputs, T) to features (B, width, T)."""
        now = nn.functional.gelu(self.entry(self.drop(x) * mask)) * mask
        for block in self.blocks:
            now = block(now, mask)
        total, scale, less = now, now, mask
        for coarser, back in zip(self.coarser, self.back, strict=True):
            scale, less = coarser(scale, less)
            total = total + back(_stretched(scale, x.shape[-1])) * mask
        return total


def _stretched(x: Tensor, steps: int) -> Tensor:
    return nn.functional.interpolate(x, size=steps, mode="linear", align_corners=False)


def heat_target(labels: Tensor) -> Tensor:
    """A bump over the middle of every interval, as high as 1: what the heat map should be.

    Parameters
    ----------
    labels : Tensor, shape (T, C)
        0 or 1.

    Returns
    -------
    Tensor, shape (T, C)
        Gaussians with a quarter of the interval's length as standard deviation; the larger where two meet.
    """
    heat = torch.zeros_like(labels)
    steps = torch.arange(len(labels), dtype=labels.dtype)
    for c in range(labels.shape[1]):
        edges = torch.diff(torch.nn.functional.pad(labels[:, c], (1, 1)))
        for first, end in zip((edges > 0).nonzero()[:, 0], (edges < 0).nonzero()[:, 0], strict=True):
            middle, sigma = (first + end - 1) / 2, max(1.0, float(end - first) / 4)
            heat[:, c] = torch.maximum(heat[:, c], torch.exp(-(((steps - middle) / sigma) ** 2) / 2))
    return heat


def focal(logits: Tensor, heat: Tensor, mask: Tensor) -> Tensor:
    """Focal loss of a heat map (after CenterNet, arXiv:1904.07850): near a middle it counts, besides ever less.

    Parameters
    ----------
    logits, heat : Tensor, shape (B, T, C)
        Found, and from `heat_target`.
    mask : Tensor, shape (B, T)
        1 where a step counts.

    Returns
    -------
    Tensor
        One number, per middle.
    """
    p = logits.sigmoid().clamp(1e-5, 1 - 1e-5)
    middle = (heat > 0.95).float()
    right = middle * (1 - p) ** 2 * p.log()
    wrong = (1 - middle) * (1 - heat) ** 4 * p**2 * (1 - p).log()
    return -((right + wrong) * mask[..., None]).sum() / (middle * mask[..., None]).sum().clamp(min=1)
