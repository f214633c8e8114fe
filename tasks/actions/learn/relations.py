"""Relations between classes: at the same step by attention, across time by what was on before and comes after.

After the three parts of CTRN (arXiv:2110.13473); lags, gates and sizes are our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LAGS_S = ((0.5, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, 20.0))
PRIOR_CLIP = 2.0  # log-odds that a training set of some sessions may give to a relation before anything is learned


@dataclass(frozen=True, slots=True)
class Related:
    """What relations say, (B, T, C) each: what they add, class-wise logits; and who supports whom, (B, T, C, C)."""

    added: Tensor
    auxiliary: Tensor
    adjacency: Tensor


def lag_steps(rate_hz: float) -> tuple[tuple[int, int], ...]:
    """The lags in steps, first and last, both inclusive; negative ones lie in the past."""
    past = [(-max(1, round(b * rate_hz)), -max(1, round(a * rate_hz) + (i > 0))) for i, (a, b) in enumerate(LAGS_S)]
    return (*past, (0, 0), *((-b, -a) for a, b in past))


def seen_at(scores: Tensor, lag: tuple[int, int]) -> Tensor:
    """The most that each class reached within a lag of each step.

    Parameters
    ----------
    scores : Tensor, shape (B, T, C)
        0 to 1.
    lag : tuple of int
        First and last step, relative to the step itself.

    Returns
    -------
    Tensor, shape (B, T, C)
        0 where the lag lies outside.
    """
    first, last = lag
    if first == last == 0:
        return scores
    steps = scores.shape[1]
    padded = nn.functional.pad(scores.transpose(1, 2), (max(0, -first), max(0, last)))
    most = nn.functional.max_pool1d(padded, last - first + 1, stride=1)
    start = max(0, first)  # a lag in the future begins behind the step itself
    return most[..., start : start + steps].transpose(1, 2)


class Succession(nn.Module):
    """Log-odds that a class gains from others that were on before, are on, or come after: readable weights.

    Parameters
    ----------
    prior : Tensor, shape (L, C, C)
        From `lagged_prior`: a start that training blends in and corrects.
    lags : sequence of tuple of int
        From `lag_steps`.
    """

    prior: Tensor

    def __init__(self, prior: Tensor, lags: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.lags = tuple(lags)
        self.blend = nn.Parameter(torch.zeros(len(self.lags)))
        self.free = nn.Parameter(torch.zeros_like(prior))
        self.register_buffer("prior", prior)

    def weights(self) -> Tensor:
        """Log-odds by lag, class, and class that speaks for it: (L, C, C)."""
        return self.blend[:, None, None] * self.prior + self.free

    def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Probabilities (B, T, C) and mask (B, T) to log-odds (B, T, C)."""
        known = scores * mask[..., None]
        seen = torch.stack([seen_at(known, lag) for lag in self.lags])  # (L, B, T, C)
        return torch.einsum("lij,lbtj->bti", self.weights(), seen)


class Relations(nn.Module):
    """Class-specific features that look at one another at each step and along time, and the sequence of classes.

    Parameters
    ----------
    inputs : int
        Width of the features.
    size : int
        Numbers that each class has of its own.
    rounds : int
        How often the classes look at one another.
    together : Tensor, shape (C, C)
        From `class_prior`.
    lagged : Tensor, shape (L, C, C)
        From `lagged_prior`.
    lags : sequence of tuple of int
        From `lag_steps`.
    """

    prior: Tensor

    def __init__(
        self,
        inputs: int,
        *,
        size: int,
        rounds: int,
        together: Tensor,
        lagged: Tensor,
        lags: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__()
        classes = len(together)
        self._size = size
        self.own = nn.Conv1d(inputs, classes * size, 1)
        self.own_score = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.own_bias = nn.Parameter(torch.zeros(classes))
        self.query = nn.ModuleList([nn.Linear(size, size, bias=False) for _ in range(rounds)])
        self.key = nn.ModuleList([nn.Linear(size, size, bias=False) for _ in range(rounds)])
        self.value = nn.ModuleList([nn.Linear(size, size) for _ in range(rounds)])
        self.time = nn.ModuleList(
            [nn.Conv1d(size, size, 3, padding=2**r, dilation=2**r, groups=size) for r in range(rounds)]
        )
        for layer in (*self.value, *self.time):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.blend = nn.Parameter(torch.zeros(rounds, 2))
        self.embedding = nn.Parameter(torch.randn(classes, size) / size**0.5)
        self.graph = nn.Linear(size, size)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.gate = nn.Parameter(torch.zeros(()))  # relations begin by saying nothing
        self.sequence = Succession(lagged, lags)
        self.register_buffer("prior", together)

    def forward(self, x: Tensor, said: Tensor, mask: Tensor) -> Related:
        """Features (B, inputs, T), logits of the trunk (B, T, C) and mask (B, T) to what the relations say."""
        batch, _, steps = x.shape
        nodes = nn.functional.relu(self.own(x)).reshape(batch, -1, self._size, steps).permute(0, 3, 1, 2)
        auxiliary = (nodes * self.own_score).sum(-1) + self.own_bias
        looks: list[Tensor] = []
        for number in range(len(self.query)):
            share = self.blend[number].softmax(-1)
            match = self.query[number](nodes) @ self.key[number](nodes).transpose(-1, -2) / self._size**0.5
            looks.append(share[0] * match.softmax(-1) + share[1] * self.prior)
            nodes = nodes + nn.functional.gelu(self.value[number](looks[-1] @ nodes))
            along = (nodes * mask[..., None, None]).permute(0, 2, 3, 1).reshape(-1, self._size, steps)
            along = self.time[number](along).reshape(batch, -1, self._size, steps)
            nodes = nodes + along.permute(0, 3, 1, 2)
        classifier = self.graph(self.prior @ self.embedding)
        added = self.gate * ((nodes * classifier).sum(-1) + self.bias)
        added = added + self.sequence(said.detach().sigmoid(), mask)  # the trunk is not bent towards its neighbours
        return Related(added, auxiliary, torch.stack(looks).mean(0))


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


def lagged_prior(labels: Sequence[Tensor], lags: Sequence[tuple[int, int]]) -> Tensor:
    """How much more likely class i is where class j was on within a lag: log of P(i | j in the lag) over P(i).

    Parameters
    ----------
    labels : sequence of Tensor, shape (T, C)
        Of the training recordings only.
    lags : sequence of tuple of int
        From `lag_steps`.

    Returns
    -------
    Tensor, shape (L, C, C)
        Between -2 and 2; 0 for a class and itself, and where a class never occurs.
    """
    base = torch.cat(list(labels)).mean(0).clamp(min=1e-4)
    found = []
    for lag in lags:
        seen = [seen_at(x[None], lag)[0] for x in labels]
        both = sum((x.T @ s for x, s in zip(labels, seen, strict=True)), torch.zeros(len(base), len(base)))
        count = sum((s.sum(0) for s in seen), torch.zeros(len(base)))
        lift = (both + base[:, None]) / (count + 1) / base[:, None]  # one step of chance added
        found.append(lift.log().clamp(-PRIOR_CLIP, PRIOR_CLIP).fill_diagonal_(0.0))
    return torch.stack(found)
