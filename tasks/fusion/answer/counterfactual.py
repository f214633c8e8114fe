"""The smallest change inside the observed range that would flip an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.answer.predict import Read
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.linear import logit
from cueflow.tasks.fusion.learn.pipeline import Part
from cueflow.tasks.fusion.store.model import FusionModel

GRID = 129
CHANGES_MAX = 6
MARGIN = 1e-6


@dataclass(frozen=True, slots=True)
class Change:
    """A value that would have to be another one; `steps` is the change in scales of the cohort."""

    modality: str
    biomarker: str
    value: float
    wanted: float
    steps: float


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a biomarker could do: scaled values of a grid and the log-odds they would add to the present ones."""

    part: Part
    j: int
    value: float
    here: float
    grid: FloatArray
    gain: FloatArray


def counterfactual(model: FusionModel, read: Read, i: int) -> tuple[Change, ...]:
    """The smallest change, inside the range seen in training, that flips the answer.

    One biomarker if one suffices (the one with the shortest way), otherwise the most effective ones together.

    Parameters
    ----------
    model : FusionModel
        Trained.
    read : Read
        Its sessions.
    i : int
        Which one.

    Returns
    -------
    tuple of Change
        Empty where even six changes do not flip it.
    """
    log_odds, border = float(read.applied.log_odds[i]), logit(model.decision)
    up = log_odds < border
    needed = (border - log_odds) + (MARGIN if up else -MARGIN)
    offers = [offer for m in range(len(model.pipeline.parts)) for offer in _offers(model, read, i, m)]
    single = [found for offer in offers if (found := _shortest(offer, needed)) is not None]
    if single:
        offer, k = min(single, key=lambda pair: abs(pair[0].grid[pair[1]] - pair[0].here))
        return (_change(offer, k, read, i),)
    return _together(offers, needed, read, i)


def _offers(model: FusionModel, read: Read, i: int, m: int) -> list[_Offer]:
    part = model.pipeline.parts[m]
    block, matrix = read.blocks[part.modality].rows(np.array([i])), read.features.modalities[part.modality]
    joint = model.pipeline.joint
    scaled = part.expert.scaler.apply(block)[0]
    p = scaled.size
    steps = np.linspace(0.0, 1.0, GRID)[:, None]
    low, high = part.expert.scaler.low, part.expert.scaler.high
    grid = low + steps * (high - low)
    gain = read.applied.weights[i, m] * (part.expert.terms_of(grid) - part.expert.terms_of(scaled[None, :]))
    if joint is not None:
        own = joint.additive.experts[m]
        gain = gain + read.applied.joint[i, m] * (own.terms_of(grid) - own.terms_of(scaled[None, :]))
    known = [j for j in range(p) if np.isfinite(scaled[j])]
    return [_Offer(part, j, float(matrix.values[i, j]), float(scaled[j]), grid[:, j], gain[:, j]) for j in known]


def _shortest(offer: _Offer, needed: float) -> tuple[_Offer, int] | None:
    enough = np.flatnonzero(offer.gain >= needed if needed > 0 else offer.gain <= needed)
    if not enough.size:
        return None
    return offer, int(enough[np.abs(offer.grid[enough] - offer.here).argmin()])


def _together(offers: Sequence[_Offer], needed: float, read: Read, i: int) -> tuple[Change, ...]:
    sign = 1.0 if needed > 0 else -1.0
    ranked = sorted(offers, key=lambda offer: -float((sign * offer.gain).max()))
    made, left = [], needed
    for offer in ranked[:CHANGES_MAX]:
        last = _shortest(offer, left)
        k = last[1] if last is not None else int((sign * offer.gain).argmax())
        made.append(_change(offer, k, read, i))
        left -= float(offer.gain[k])
        if sign * left <= 0:
            return tuple(made)
    return ()


def _change(offer: _Offer, k: int, read: Read, i: int) -> Change:
    part, j = offer.part, offer.j
    block = read.blocks[part.modality].rows(np.array([i]))
    scale = np.broadcast_to(part.expert.scaler.scales(block), block.difference.shape)[0, j]
    own = 0.0 if block.offset is None else float(block.offset[0, j])
    wanted = own + float(part.expert.scaler.location[j]) + float(offer.grid[k]) * float(scale)
    name = read.features.modalities[part.modality].biomarkers[j]
    return Change(part.modality, name, offer.value, wanted, float(offer.grid[k] - offer.here))
