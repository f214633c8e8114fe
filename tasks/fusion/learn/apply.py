"""Apply a fitted pipeline: log-odds, exact shares, spread, support and distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.baseline import Block
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.basis import side_by_side
from cueflow.tasks.fusion.learn.pipeline import Pipeline, active_columns
from cueflow.tasks.fusion.learn.posterior import Posterior
from cueflow.tasks.fusion.learn.spread import distances, interval_ends


@dataclass(frozen=True, slots=True)
class Applied:
    """What a pipeline says of n sessions.

    `log_odds` (n,) = `bias` (n,) + the sum of all `contributions` (modality to (n, p)). `alone` (n, m) is each
    modality's own calibrated log-odds (NaN where missing), `weights` and `joint` (n, m) how much the terms of its
    expert and of the joint model count, `interval` (2, n) the ends of what the log-odds may be,
    `support` (n,) the share of the usual evidence that is there, `distance` (n,) above 1 is unlike any session seen.
    """

    log_odds: FloatArray
    bias: FloatArray
    contributions: Mapping[str, FloatArray]
    alone: FloatArray
    weights: FloatArray
    joint: FloatArray
    interval: FloatArray
    support: FloatArray
    distance: FloatArray


def apply_pipeline(
    pipeline: Pipeline, blocks: Mapping[str, Block], reliability: FloatArray, *, with_interval: bool = True
) -> Applied:
    """Predict sessions, with every biomarker's exact share.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    blocks : mapping
        Modality to block of n sessions, in the order of the pipeline's parts.
    reliability : ndarray, shape (n, m)
        Coverage × quality, 0 where missing.
    with_interval : bool, optional
        False leaves the interval out (NaN).

    Returns
    -------
    Applied
    """
    offset, weight = pipeline.fusion.coefficients(reliability)
    there, gamma = reliability > 0, pipeline.final.slope
    share = np.zeros(reliability.shape[0])
    if pipeline.joint is not None:
        share = pipeline.joint.shares(pipeline.fusion.trust(reliability))
    late = gamma * (1 - share)
    bias, weight = pipeline.final.intercept + late * offset, late[:, None] * weight
    alone = np.full(reliability.shape, np.nan)
    contributions = {}
    for m, part in enumerate(pipeline.parts):
        block = blocks[part.modality]
        terms = part.expert.terms(block)
        own = part.platt.apply(terms.sum(axis=1) + part.expert.bias)
        alone[there[:, m], m] = own[there[:, m]]
        bias = bias + weight[:, m] * part.platt.apply(np.full(1, part.expert.bias))
        weight[:, m] *= part.platt.slope
        contributions[part.modality] = terms * weight[:, [m]]
    more, joint = _joint(pipeline, blocks, reliability, contributions)
    bias = bias + more
    log_odds = bias + np.sum([c.sum(axis=1) for c in contributions.values()], axis=0)
    interval = np.full((2, log_odds.size), np.nan)
    if with_interval and pipeline.posterior is not None:
        interval = _interval(pipeline, pipeline.posterior, (blocks, reliability), log_odds)
    return Applied(
        log_odds=log_odds,
        bias=bias,
        contributions=contributions,
        alone=alone,
        weights=weight,
        joint=joint,
        interval=interval,
        support=_support(pipeline, blocks, reliability),
        distance=_distance(pipeline, blocks, reliability),
    )


def _interval(
    pipeline: Pipeline,
    posterior: Posterior,
    seen: tuple[Mapping[str, Block], FloatArray],
    log_odds: FloatArray,
) -> FloatArray:
    """Ends (2, n) of what the log-odds of the sessions may be; the fused ones are always inside."""
    blocks, reliability = seen
    kept, gone = side_by_side(pipeline.parts, blocks, pipeline.fusion.trust(reliability))
    low, high = interval_ends(posterior, kept, gone, level=pipeline.settings.level)
    return np.stack([np.minimum(low, log_odds), np.maximum(high, log_odds)])


def _joint(
    pipeline: Pipeline, blocks: Mapping[str, Block], reliability: FloatArray, contributions: dict[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Add the joint model's terms to those of the modalities; what it adds to the bias (n,), and its weights (n, m)."""
    joint = pipeline.joint
    if joint is None:
        return np.zeros(reliability.shape[0]), np.zeros(reliability.shape)
    mine, trust = [blocks[part.modality] for part in pipeline.parts], pipeline.fusion.trust(reliability)
    share = pipeline.final.slope * joint.shares(trust)
    weights = (share * joint.platt.slope)[:, None] * joint.additive.weights(mine, trust)
    bias = share * joint.platt.intercept + weights[:, 0] * joint.additive.bias
    for m, (name, expert) in enumerate(zip(contributions, joint.additive.experts, strict=True)):
        contributions[name] = contributions[name] + weights[:, [1 + m]] * expert.terms(blocks[name])
        bias = bias + weights[:, 1 + m] * expert.bias
    return bias, weights[:, 1:]


def said_of(pipeline: Pipeline, blocks: Mapping[str, Block], reliability: FloatArray) -> FloatArray:
    """Fused log-odds (n,) alone, for sessions of which something is left out.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    blocks : mapping
        Modality to block of n sessions.
    reliability : ndarray, shape (n, m)
        Coverage × quality; 0 leaves a modality out.

    Returns
    -------
    ndarray, shape (n,)
    """
    return apply_pipeline(pipeline, blocks, reliability, with_interval=False).log_odds


def _support(pipeline: Pipeline, blocks: Mapping[str, Block], reliability: FloatArray) -> FloatArray:
    """Share (n,) of the evidence usually there: reliable modalities, and in them the biomarkers that matter."""
    full = max(pipeline.fusion.patterns, key=lambda entry: len(entry.pattern))
    trust = pipeline.fusion.trust(reliability)
    weight = dict(zip(full.pattern, full.weights, strict=True))
    pull = np.array([weight.get(m, 0.0) * part.strength for m, part in enumerate(pipeline.parts)])
    if not pull.sum() > 0:
        pull = np.ones(len(pipeline.parts))
    total = np.zeros(reliability.shape[0])
    for m, part in enumerate(pipeline.parts):
        matter = part.importance if part.importance.sum() > 0 else np.ones_like(part.importance)
        seen = np.isfinite(blocks[part.modality].difference) @ matter / matter.sum()
        total += pull[m] * trust[:, m] * seen
    return np.asarray(total / pull.sum())


def _distance(pipeline: Pipeline, blocks: Mapping[str, Block], reliability: FloatArray) -> FloatArray:
    """Largest distance (n,) over the modalities that count, in units of what was seen in training."""
    found = np.zeros(reliability.shape[0])
    for m, part in enumerate(pipeline.parts):
        active = active_columns(part.expert)
        if not active.size:
            continue
        ratio = distances(part.expert.scaler.apply(blocks[part.modality]), active) / part.limit
        found = np.where(reliability[:, m] > 0, np.maximum(found, ratio), found)
    return found
