"""The temporal head: motion and appearance in branches of their own, joined late, and relations between classes.

After the three parts of CTRN (arXiv:2110.13473); the sizes, the gates and how the branches join are our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Sizes of a head; a branch with 0 inputs is left out."""

    motion: int
    appearance: int
    classes: int
    width: int = 48
    relation: int = 16
    rounds: int = 2
    motion_dropout: float = 0.2
    appearance_dropout: float = 0.5
    relations: bool = True
    branch_dropout: float = 0.5  # how often a training window is shown without its appearance


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits of a head.

    `final` and `auxiliary` (B, T, C); `adjacency` (B, T, C, C): row i, who supports class i; `branches` (2, B, T, C):
    what each branch says alone, where there are two.
    """

    final: Tensor
    auxiliary: Tensor | None
    adjacency: Tensor | None
    branches: Tensor | None = None


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


class Branch(nn.Module):
    """One source of knowledge: dropout, a short convolution, dilated blocks; the entry and every block are summed."""

    def __init__(self, inputs: int, width: int, dropout: float, dilations: Sequence[int] = DILATIONS) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.entry = nn.Conv1d(inputs, width, 3, padding=1)
        self.blocks = nn.ModuleList([TimeBlock(width, d, dropout) for d in dilations])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Inputs (B, inputs, T) to features (B, width, T)."""
        now = nn.functional.gelu(self.entry(self.drop(x) * mask)) * mask
        for block in self.blocks:
            now = block(now, mask)
        return now


class Relations(nn.Module):
    """Class-specific features that look at one another at each step, then along time.

    Parameters
    ----------
    inputs : int
        Width of the features.
    shape : HeadShape
        Sizes.
    prior : Tensor, shape (C, C)
        Rows sum to 1: how much class j speaks for class i, from the training labels.
    """

    prior: Tensor

    def __init__(self, inputs: int, shape: HeadShape, prior: Tensor) -> None:
        super().__init__()
        classes, size = shape.classes, shape.relation
        self._size = size
        self.own = nn.Conv1d(inputs, classes * size, 1)
        self.own_score = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.own_bias = nn.Parameter(torch.zeros(classes))
        self.query = nn.ModuleList([nn.Linear(size, size, bias=False) for _ in range(shape.rounds)])
        self.key = nn.ModuleList([nn.Linear(size, size, bias=False) for _ in range(shape.rounds)])
        self.value = nn.ModuleList([nn.Linear(size, size) for _ in range(shape.rounds)])
        self.time = nn.ModuleList(
            [nn.Conv1d(size, size, 3, padding=2**r, dilation=2**r, groups=size) for r in range(shape.rounds)]
        )
        for layer in (*self.value, *self.time):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.blend = nn.Parameter(torch.zeros(shape.rounds, 2))
        self.embedding = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.graph = nn.Linear(size, size)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.gate = nn.Parameter(torch.zeros(()))  # relations begin by saying nothing
        self.register_buffer("prior", prior)

    def forward(self, x: Tensor, mask: Tensor) -> Scores:
        """Features (B, inputs, T) to what the relations add (`final`), class-wise logits, and who supported whom."""
        batch, _, steps = x.shape
        nodes = nn.functional.relu(self.own(x)).reshape(batch, -1, self._size, steps).permute(0, 3, 1, 2)
        auxiliary = (nodes * self.own_score).sum(-1) + self.own_bias
        looks: list[Tensor] = []
        for number in range(len(self.query)):
            share = self.blend[number].softmax(-1)
            match = self.query[number](nodes) @ self.key[number](nodes).transpose(-1, -2) / self._size**0.5
            looks.append(share[0] * match.softmax(-1) + share[1] * self.prior)
            nodes = nodes + nn.functional.gelu(self.value[number](looks[-1] @ nodes))
            along = (nodes * mask.transpose(1, 2)[..., None]).permute(0, 2, 3, 1).reshape(-1, self._size, steps)
            along = self.time[number](along).reshape(batch, -1, self._size, steps)
            nodes = nodes + along.permute(0, 3, 1, 2)
        classifier = self.graph(self.prior @ self.embedding)
        added = self.gate * ((nodes * classifier).sum(-1) + self.bias)
        return Scores(added, auxiliary, torch.stack(looks).mean(0))


class ActionHead(nn.Module):
    """Logits of every class at every step.

    Parameters
    ----------
    shape : HeadShape
        Sizes.
    prior : Tensor, shape (C, C)
        As in `Relations`.
    """

    def __init__(self, shape: HeadShape, prior: Tensor) -> None:
        super().__init__()
        self.shape = shape
        given = {"motion": shape.motion, "appearance": shape.appearance}
        dropout = {"motion": shape.motion_dropout, "appearance": shape.appearance_dropout}
        used = [name for name, inputs in given.items() if inputs]
        self.branches = nn.ModuleDict({n: Branch(given[n], shape.width, dropout[n]) for n in used})
        self.scores = nn.ModuleDict({n: nn.Conv1d(shape.width, shape.classes, 1) for n in used})
        self.relations = Relations(shape.width * len(used), shape, prior) if shape.relations else None

    def forward(self, motion: Tensor, appearance: Tensor, mask: Tensor) -> Scores:
        """Logits.

        Parameters
        ----------
        motion, appearance : Tensor, shape (B, T, inputs)
            Standardised; 0 where nothing was seen.
        mask : Tensor, shape (B, T)
            1 where there is a frame.

        Returns
        -------
        Scores
        """
        given, seen = {"motion": motion, "appearance": appearance}, mask[:, None]
        made = {name: branch(given[name].transpose(1, 2), seen) for name, branch in self.branches.items()}
        said = {name: self.scores[name](x).transpose(1, 2) for name, x in made.items()}
        alone = torch.stack(list(said.values())) if len(said) > 1 else None
        if alone is not None and self.training:  # or appearance, which knows each subject by heart, drowns the motion
            shown = (torch.rand(len(mask), 1, 1) >= self.shape.branch_dropout).float()
            made["appearance"], said["appearance"] = made["appearance"] * shown, said["appearance"] * shown
        final = torch.stack(list(said.values())).sum(0)
        if self.relations is None:
            return Scores(final, None, None, alone)
        related: Scores = self.relations(torch.cat(list(made.values()), dim=1), seen)
        return Scores(final + related.final, related.auxiliary, related.adjacency, alone)


def class_prior(labels: Sequence[Tensor], *, floor: float = 0.1) -> Tensor:
    """How often class j is on where class i is: P(j | i), small ones dropped, the class itself added, rows sum to 1.

    Parameters
    ----------
    labels : sequence of Tensor, shape (T, C)
        Of the training recordings only.
    floor : float, optional
        Shares below this count as 0.

    Returns
    -------
    Tensor, shape (C, C)
    """
    table = torch.cat(list(labels))
    together = table.T @ table
    share = together / together.diagonal().clamp(min=1)[:, None]
    share = torch.where(share < floor, 0.0, share)
    share.fill_diagonal_(1.0)
    return share / share.sum(1, keepdim=True)


def action_loss(scores: Scores, labels: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """Masked binary cross-entropy, half as much of each branch alone and of the class-wise logits, total variation.

    Parameters
    ----------
    scores : Scores
        Of the head.
    labels : Tensor, shape (B, T, C)
        0 or 1.
    mask : Tensor, shape (B, T)
        1 where a step counts.
    weights : Tensor, shape (C,)
        Weight of a positive of each class.

    Returns
    -------
    Tensor
        One number.
    """

    def entropy(logits: Tensor) -> Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights, reduction="none")
        return (loss.mean(-1) * mask).sum() / mask.sum().clamp(min=1)

    both = mask[:, 1:] * mask[:, :-1]
    jumps = scores.final.sigmoid().diff(dim=1).abs().mean(-1)
    total = entropy(scores.final) + 0.1 * (jumps * both).sum() / both.sum().clamp(min=1)
    if scores.branches is not None:
        total = total + 0.5 * torch.stack([entropy(alone) for alone in scores.branches]).mean()
    return total if scores.auxiliary is None else total + 0.5 * entropy(scores.auxiliary)
