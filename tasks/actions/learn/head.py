"""The temporal head: motion and appearance in branches of their own, joined late, and relations between classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cueflow.tasks.actions.adapters.tpu import Adapter, Unit
from cueflow.tasks.actions.learn.relations import Relations
from cueflow.tasks.actions.learn.trunk import Branch, focal

HEAT_WEIGHT = 0.05


@dataclass(frozen=True, slots=True)
class HeadShape:
    """Sizes of a head; a branch with 0 inputs is left out.

    `unit` is the temporal adapter before each branch, empty for none; `lags` are steps, from `lag_steps`.
    """

    motion: int
    appearance: int
    classes: int
    width: int = 48
    relation: int = 16
    rounds: int = 2
    scales: int = 3
    motion_dropout: float = 0.2
    appearance_dropout: float = 0.5
    relations: bool = True
    branch_dropout: float = 0.5  # how often a training window is shown without its appearance
    unit: str = ""
    lags: tuple[tuple[int, int], ...] = ((0, 0),)


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits of a head.

    `final`, `auxiliary` and `heat` (B, T, C); `adjacency` (B, T, C, C): row i, who supports class i; `branches` (2, B,
    T, C): what each branch says alone, where there are two.
    """

    final: Tensor
    auxiliary: Tensor | None
    adjacency: Tensor | None
    branches: Tensor | None = None
    heat: Tensor | None = None


class ActionHead(nn.Module):
    """Logits of every class at every step.

    Parameters
    ----------
    shape : HeadShape
        Sizes.
    together : Tensor, shape (C, C)
        From `class_prior`.
    lagged : Tensor, shape (L, C, C)
        From `lagged_prior`.
    """

    trust: Tensor

    def __init__(self, shape: HeadShape, together: Tensor, lagged: Tensor) -> None:
        super().__init__()
        self.shape = shape
        given = {"motion": shape.motion, "appearance": shape.appearance}
        dropout = {"motion": shape.motion_dropout, "appearance": shape.appearance_dropout}
        used = [name for name, inputs in given.items() if inputs]
        units = {n: Adapter(given[n], Unit(shape.unit)) for n in used} if shape.unit else {}
        self.adapters = nn.ModuleDict(units)
        self.branches = nn.ModuleDict({n: Branch(given[n], shape.width, dropout[n], scales=shape.scales) for n in used})
        self.scores = nn.ModuleDict({n: nn.Conv1d(shape.width, shape.classes, 1) for n in used})
        self.register_buffer("trust", torch.ones(()))  # how much the appearance counts once training is over
        joined = shape.width * len(used)
        self.heat = nn.Conv1d(joined, shape.classes, 3, padding=1)
        self.relations = (
            Relations(
                joined,
                size=shape.relation,
                rounds=shape.rounds,
                together=together,
                lagged=lagged,
                lags=shape.lags,
            )
            if shape.relations
            else None
        )

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
        if self.adapters:
            moved = motion.square().mean(-1, keepdim=True).clamp(min=1e-6).sqrt() - 1 if motion.shape[-1] else None
            given |= {
                n: adapter((given[n] * mask[..., None])[:, :, None], moved)[:, :, 0]
                for n, adapter in self.adapters.items()
            }
        made = {name: branch(given[name].transpose(1, 2), seen) for name, branch in self.branches.items()}
        said = {name: self.scores[name](x).transpose(1, 2) for name, x in made.items()}
        alone = torch.stack(list(said.values())) if len(said) > 1 else None
        if alone is not None:
            shown = self.trust
            if self.training:  # or appearance, which knows each subject by heart, drowns the motion
                shown = (torch.rand(len(mask), 1, 1) >= self.shape.branch_dropout).float()
            made["appearance"], said["appearance"] = made["appearance"] * shown, said["appearance"] * shown
        joined, trunk = torch.cat(list(made.values()), dim=1), torch.stack(list(said.values())).sum(0)
        heat = self.heat(joined).transpose(1, 2)
        if self.relations is None:
            return Scores(trunk, None, None, alone, heat)
        related = self.relations(joined, trunk, mask)
        return Scores(trunk + related.added, related.auxiliary, related.adjacency, alone, heat)


def action_loss(scores: Scores, labels: Tensor, mask: Tensor, *, weights: Tensor, heat: Tensor | None = None) -> Tensor:
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
    heat : Tensor, shape (B, T, C), optional
        From `heat_target`: adds a twentieth of the focal loss of the heat map.

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
    if scores.heat is not None and heat is not None:
        total = total + HEAT_WEIGHT * focal(scores.heat, heat, mask)
    return total if scores.auxiliary is None else total + 0.5 * entropy(scores.auxiliary)
