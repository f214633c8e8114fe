"""Apply a fitted pipeline: log-odds, exact shares, spread, support and distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.baseline import Block
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.basis import side_by_side
from cueflow.tasks.fusion.learn.pipeline import Joint, Pipeline, active_columns, joined
from cueflow.tasks.fusion.learn.posterior import Posterior
from cueflow.tasks.fusion.learn.spread import distances, interval_ends


@dataclass(frozen=True, slots=True)
class Applied:
    """What a pipeline says of n sessions.

    `log_odds` (n,) = `bias` (n,) + the sum of all `contributions` (modality to (n, p)). `alone` (n, m) is each
    modality's own calibrated log-odds (NaN where missing), `interval` (2, n) the ends of what the log-odds may be,
    `support` (n,) the share of the usual evidence that is there, `distance` (n,) above 1 is unlike any session seen.
    """

    log_odds: FloatArray
    bias: FloatArray
    contributions: Mapping[str, FloatArray]
    alone: FloatArray
    weights: FloatArray
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
    share = np.zeros(reliability.shape[0])
    if pipeline.joint is not None:
        share = pipeline.joint.shares(pipeline, reliability)
    offset, weight = (1 - share) * offset, (1 - share)[:, None] * weight
    there = reliability > 0
    gamma = pipeline.final.slope
    bias = pipeline.final.intercept + gamma * offset
    alone = np.full(reliability.shape, np.nan)
    contributions = {}
    for m, part in enumerate(pipeline.parts):
        block = blocks[part.modality]
        terms = part.expert.terms(block)
        own = part.platt.apply(terms.sum(axis=1) + part.expert.bias)
        alone[there[:, m], m] = own[there[:, m]]
        contributions[part.modality] = terms * (gamma * weight[:, m] * part.platt.slope)[:, None]
        bias = bias + gamma * weight[:, m] * (part.platt.intercept + part.platt.slope * part.expert.bias)
    if pipeline.joint is not None:
        bias = bias + _add_joint(pipeline.joint, gamma * share, blocks, contributions)
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


def _add_joint(
    joint: Joint, share: FloatArray, blocks: Mapping[str, Block], contributions: dict[str, FloatArray]
) -> FloatArray:
    """Add the joint model's terms to those of the modalities; returns what it adds to the bias (n,)."""
    names = list(contributions)
    terms = joint.expert.terms(joined([blocks[name] for name in names])) * (share * joint.platt.slope)[:, None]
    ends = np.cumsum([contributions[name].shape[1] for name in names])
    for name, part in zip(names, np.split(terms, ends[:-1], axis=1), strict=True):
        contributions[name] = contributions[name] + part
    return share * (joint.platt.intercept + joint.platt.slope * joint.expert.bias)


def fuse_alone(pipeline: Pipeline, alone: FloatArray, reliability: FloatArray) -> FloatArray:
    """Fused log-odds (n,) from each modality's own, where at least one is left out.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    alone : ndarray, shape (n, m)
        Calibrated log-odds of each modality.
    reliability : ndarray, shape (n, m)
        Coverage × quality; 0 leaves a modality out.

    Returns
    -------
    ndarray, shape (n,)
    """
    offset, weight = pipeline.fusion.coefficients(reliability)
    return pipeline.final.apply(offset + (weight * np.where(reliability > 0, alone, 0.0)).sum(axis=1))


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
        scaled = part.expert.scaler.apply(blocks[part.modality])
        ratio = distances(scaled, active_columns(part.expert)) / part.limit
        found = np.where(reliability[:, m] > 0, np.maximum(found, ratio), found)
    return found
