"""The temporal processing unit and the adapter around it: what looks along time between frozen layers.

That adapters get a temporal unit inside is the idea of AM flow (arXiv:2411.02065); the gate, the variants and the sizes
are our own design.
"""

from __future__ import annotations

import math
from enum import StrEnum

import torch
from torch import Tensor, nn

RATIO = 4  # the adapter's width is the model's over this
LEAST = 8
HEADS = 4
DILATIONS = (1, 2, 4)


class Unit(StrEnum):
    """How an adapter looks along time."""

    NONE = "none"
    CONV = "conv"
    DILATED = "dilated"
    ATTENTION = "attention"
    GRU = "gru"


class ConvUnit(nn.Module):
    """Three steps of every channel, then all channels of a step (after TIA, arXiv:2311.17241)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.mix = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        found: Tensor = self.mix(self.along(x.transpose(1, 2)))
        return found.transpose(1, 2)


class DilatedUnit(nn.Module):
    """Attention over a step and those d before and after it, for d = 1, 2, 4 (after PDAN, WACV 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.looks = nn.ModuleList([nn.Linear(width, 3 * width) for _ in DILATIONS])

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        for look, step in zip(self.looks, DILATIONS, strict=True):
            query, key, value = look(x).chunk(3, dim=-1)
            around = [_shifted(key, k) for k in (-step, 0, step)]
            share = torch.stack([query * k for k in around]).softmax(dim=0)  # per channel
            x = x + (share * torch.stack([_shifted(value, k) for k in (-step, 0, step)])).sum(dim=0)
        return x


def _shifted(x: Tensor, steps: int) -> Tensor:
    """What stands `steps` later; zeros beyond the ends."""
    out = torch.zeros_like(x)
    if steps == 0:
        return x
    if abs(steps) < x.shape[1]:
        if steps > 0:
            out[:, :-steps] = x[:, steps:]
        else:
            out[:, -steps:] = x[:, :steps]
    return out


class AttentionUnit(nn.Module):
    """One layer of attention over all steps, with sinusoidal places."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.MultiheadAttention(width, HEADS, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        placed = x + places(x.shape[1], x.shape[2]).to(x)
        found: Tensor = self.look(placed, placed, x, need_weights=False)[0]
        return found


def places(steps: int, width: int) -> Tensor:
    """Sinusoidal places, (steps, width)."""
    at = torch.arange(steps, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    out = torch.zeros(steps, width)
    out[:, 0::2] = torch.sin(at * rate)
    out[:, 1::2] = torch.cos(at * rate)[:, : width // 2]
    return out


class GruUnit(nn.Module):
    """A recurrent layer in both directions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.run = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        found: Tensor = self.run(x)[0]
        return found


_UNITS: dict[Unit, type[nn.Module]] = {
    Unit.CONV: ConvUnit,
    Unit.DILATED: DilatedUnit,
    Unit.ATTENTION: AttentionUnit,
    Unit.GRU: GruUnit,
}


class Adapter(nn.Module):
    """x + scale · up(h + unit(h)), where h is a narrow, gated view of x; starts as identity.

    Parameters
    ----------
    width : int
        Channels of x.
    unit : Unit
        How it looks along time; `Unit.NONE` does not.
    narrow : int, optional
        Channels of h, a multiple of 4; default: a quarter of the width, 8 at least.
    """

    def __init__(self, width: int, unit: Unit, *, narrow: int | None = None) -> None:
        super().__init__()
        inner = narrow or max(LEAST, width // RATIO // HEADS * HEADS)
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, inner)
        self.unit = _UNITS[unit](inner) if unit in _UNITS else None
        self.up = nn.Linear(inner, width)
        self.gate = nn.Parameter(torch.tensor(0.1))
        self.scale = nn.Parameter(torch.tensor(1.0))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor, flow: Tensor | None = None) -> Tensor:
        """Let every token look along its own time.

        Parameters
        ----------
        x : Tensor, shape (B, T, P, width)
            Tokens.
        flow : Tensor, shape (B, T, P), optional
            How much moves at each token, standardised; what moves speaks louder.

        Returns
        -------
        Tensor, shape (B, T, P, width)
        """
        batch, steps, tokens, _ = x.shape
        h = nn.functional.gelu(self.down(self.norm(x)))
        if flow is not None:
            h = h * (1 + self.gate * flow[..., None])
        change = h
        if self.unit is not None:
            along = h.transpose(1, 2).reshape(batch * tokens, steps, -1)
            change = h + self.unit(along).reshape(batch, tokens, steps, -1).transpose(1, 2)
        found: Tensor = x + self.scale * self.up(change)
        return found
