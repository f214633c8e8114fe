"""Would other persons have given the same reasons: experts fitted anew to persons drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.experts import Expert, fit_experts
from cueflow.tasks.fusion.learn.joint import Additive, Sessions, resampled
from cueflow.tasks.fusion.learn.pipeline import Pipeline, Problem
from cueflow.tasks.fusion.learn.weights import trust_of

REFITS = 20
SESSIONS_MAX = 5000


@dataclass(frozen=True, slots=True)
class Refit:
    """The experts of all modalities (and of the joint model, if there is one) fitted to other persons."""

    experts: tuple[Expert, ...]
    joint: Additive | None

    def of(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with these experts; weights and calibration stay."""
        parts = tuple(replace(part, expert=one) for part, one in zip(pipeline.parts, self.experts, strict=True))
        joint = pipeline.joint
        if joint is not None and self.joint is not None:
            joint = replace(joint, additive=self.joint)
        return replace(pipeline, parts=parts, joint=joint)


def bootstrap_refits(problem: Problem, pipeline: Pipeline) -> tuple[Refit, ...]:
    """Fit the chosen kind of expert to persons drawn with replacement, of at most 5,000 sessions.

    Parameters
    ----------
    problem : Problem
        What the pipeline was fitted to.
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    tuple of Refit
    """
    rng = np.random.default_rng(pipeline.settings.seed)
    order = np.argsort(problem.subjects, kind="stable")
    people, start = np.unique(problem.subjects[order], return_index=True)
    mine = np.split(order, start[1:])
    count = min(people.size, max(1, round(people.size * SESSIONS_MAX / order.size)))
    made = []
    for _ in range(REFITS):
        rows = np.concatenate([mine[i] for i in rng.integers(people.size, size=count)])
        made.append(_refit(problem.rows(rows), pipeline))
    return tuple(made)


def _refit(drawn: Problem, pipeline: Pipeline) -> Refit:
    experts = []
    for m, part in enumerate(pipeline.parts):
        there = np.flatnonzero(drawn.reliability[:, m] > 0)
        mine = drawn.rows(there)
        trust = trust_of(mine.reliability[:, m], usual=float(pipeline.fusion.usual[m]))
        experts.append(_fit(mine, trust, (part.modality, part.expert), pipeline))
    joint = None
    if pipeline.joint is not None and pipeline.posterior is not None:
        parts = [replace(part, expert=one) for part, one in zip(pipeline.parts, experts, strict=True)]
        sessions = Sessions(drawn.blocks, pipeline.fusion.trust(drawn.reliability), drawn.y, drawn.subjects)
        joint = resampled(pipeline.joint, pipeline.posterior, parts, sessions)
    return Refit(tuple(experts), joint)


def _fit(problem: Problem, trust: FloatArray, which: tuple[str, Expert], pipeline: Pipeline) -> Expert:
    (modality, expert), settings = which, pipeline.settings
    if not problem.y.size:
        return expert
    (made,) = fit_experts(
        problem.blocks[modality],
        (problem.y, trust),
        [expert.candidate],
        baseline=settings.baseline,
        seed=settings.seed,
    )
    return made


def rank_agreement(pipeline: Pipeline, refits: Sequence[Refit]) -> float:
    """How alike the refits rank the biomarkers.

    Parameters
    ----------
    pipeline : Pipeline
        Whose weights count.
    refits : sequence of Refit
        Experts fitted to other persons.

    Returns
    -------
    float
        Mean Spearman correlation of the sizes of terms (spread over the usual range) between pairs of refits, −1 to 1;
        NaN with fewer than two refits or where no term differs.
    """
    sizes = [_sizes(pipeline, refit) for refit in refits]
    pairs = [spearman(sizes[i], sizes[j]) for i in range(len(sizes)) for j in range(i)]
    known = [pair for pair in pairs if np.isfinite(pair)]
    return float(np.mean(known)) if known else float("nan")


def _sizes(pipeline: Pipeline, refit: Refit) -> FloatArray:
    """Spread of each term over an even grid of the usual range of scaled values, as the modality counts."""
    full = max(pipeline.fusion.patterns, key=lambda entry: len(entry.pattern))
    weights = dict(zip(full.pattern, full.weights, strict=True))
    joint, sizes = pipeline.joint, []
    for m, (part, expert) in enumerate(zip(pipeline.parts, refit.experts, strict=True)):
        grid = np.repeat(np.linspace(-2.0, 2.0, 41)[:, None], expert.slope.size, axis=1)
        terms = part.platt.slope * weights.get(m, 0.0) * expert.terms_of(grid)
        if joint is not None and refit.joint is not None:
            own = joint.platt.slope * refit.joint.experts[m].terms_of(grid)
            terms = (1 - joint.share) * terms + joint.share * own
        sizes.append(terms.std(axis=0))
    return np.concatenate(sizes)


def spearman(a: FloatArray, b: FloatArray) -> float:
    """Rank correlation.

    Parameters
    ----------
    a, b : ndarray, shape (n,)
        Two rankings of the same things.

    Returns
    -------
    float
        NaN with fewer than three things, or where one ranking ties them all.
    """
    from scipy.stats import rankdata

    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
