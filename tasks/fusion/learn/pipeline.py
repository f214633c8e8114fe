"""Fit everything on one set of subjects, and apply it to others: experts, calibration, weights, spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cueflow.tasks.fusion.data.baseline import Baseline, Block
from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.basis import column_groups, side_by_side
from cueflow.tasks.fusion.learn.experts import QUICK, Candidate, Expert, candidates, choose, fit_experts, screen
from cueflow.tasks.fusion.learn.folds import effective_weights, subject_folds, without
from cueflow.tasks.fusion.learn.joint import Joint, Sessions, fit_joint, mean_of
from cueflow.tasks.fusion.learn.posterior import Posterior, fit_posterior, some_persons
from cueflow.tasks.fusion.learn.spread import distance_limit, distances, fit_strangeness
from cueflow.tasks.fusion.learn.weights import Fusion, Platt, fit_fusion, fit_platt, trust_of

Progress = Callable[[float, str], None]
KINDS = ("linear", "curved", "boosted")
INNER_FOLDS = 5
LEVEL = 0.9
CHOICE_ROWS = 20_000
SCREEN_FOLDS = 2
JOINT = "all"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to fit: what values are compared with, kinds of experts, inner folds, seed and coverage of intervals."""

    baseline: Baseline = Baseline.NONE
    kinds: tuple[str, ...] = KINDS
    folds: int = INNER_FOLDS
    seed: int = 0
    level: float = LEVEL


@dataclass(frozen=True, slots=True)
class Problem:
    """n labelled sessions: a block per modality, reliabilities (n, m), labels (n,) and numbers of subjects (n,)."""

    blocks: Mapping[str, Block]
    reliability: FloatArray
    y: FloatArray
    subjects: IntArray

    def rows(self, index: IntArray) -> Problem:
        """The sessions `index` of it."""
        blocks = {name: block.rows(index) for name, block in self.blocks.items()}
        return Problem(blocks, self.reliability[index], self.y[index], self.subjects[index])


@dataclass(frozen=True, slots=True)
class Part:
    """All that is known of one modality.

    `importance` (p,) is the mean size of each term in training; `strength` the spread of the calibrated log-odds;
    `limit` the distance of the farthest believable session.
    """

    modality: str
    expert: Expert
    platt: Platt
    importance: FloatArray
    strength: float
    limit: float


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A fitted model without names of sessions.

    `strangeness` is what decides which labels cannot be ruled out; `posterior` is None in a model that needs no
    intervals.
    """

    settings: Settings
    parts: tuple[Part, ...]
    fusion: Fusion
    final: Platt
    strangeness: float
    posterior: Posterior | None
    prior: float
    joint: Joint | None = None


Fold = tuple[IntArray, list[Part]]  # its sessions, and the modalities as the others show them
Fitted = tuple[list[Part], FloatArray, list[Fold]]


def _quiet(_share: float, _what: str) -> None:
    return None


def fit_pipeline(
    problem: Problem, settings: Settings, tell: Progress = _quiet, *, with_interval: bool = True
) -> Pipeline:
    """Fit experts, calibration, fusion weights and spread; everything on folds that keep subjects apart.

    Parameters
    ----------
    problem : Problem
        Labelled sessions.
    settings : Settings
        How to fit.
    tell : callable, optional
        Called with the share done and what is being done.
    with_interval : bool, optional
        False leaves out the posterior that intervals rest on.

    Returns
    -------
    Pipeline
    """
    fitted = fit_parts(problem, settings, tell)
    tell(len(fitted[0]) / (len(fitted[0]) + 1), "fusion")
    return fuse_parts(problem, settings, fitted, with_interval=with_interval)


def fuse_parts(problem: Problem, settings: Settings, fitted: Fitted, *, with_interval: bool = True) -> Pipeline:
    """The same from experts that are already fitted.

    Parameters
    ----------
    problem : Problem
        Labelled sessions.
    settings : Settings
        How to fit.
    fitted : tuple
        What `fit_parts` made of the problem.
    with_interval : bool, optional
        False leaves out the posterior that intervals and the joint model rest on.

    Returns
    -------
    Pipeline
    """
    parts, evidence, folds = fitted
    sample = effective_weights(problem.y, problem.subjects)
    held_out = [fold for fold, _ in folds]
    fusion, fused = fit_fusion(evidence, problem.reliability, problem.y, sample, folds=held_out)
    posterior, joint = None, None
    if with_interval and QUICK not in settings.kinds:
        some = problem.rows(some_persons(problem.subjects))
        columns = side_by_side(parts, some.blocks, fusion.trust(some.reliability))
        posterior = fit_posterior(columns, some.y, some.subjects, groups=column_groups(parts))
        if len(parts) > 1:
            own, _ = side_by_side(parts, some.blocks, fusion.trust(some.reliability), pairs=False)
            sessions = Sessions(problem.blocks, fusion.trust(problem.reliability), problem.y, problem.subjects)
            joint, fused = fit_joint(sessions, fused, folds, mean_of(posterior, parts, own))
    seen = np.flatnonzero(np.isfinite(fused))
    final = fit_platt(fused[seen], problem.y[seen], sample[seen])
    if QUICK in settings.kinds:  # only scores are wanted
        return Pipeline(settings, tuple(parts), fusion, final, 1.0, None, float(problem.y.mean()))
    said, subjects = final.apply(fused[seen]), problem.subjects[seen]
    strangeness = fit_strangeness(said, problem.y[seen], subjects, level=settings.level)
    return Pipeline(settings, tuple(parts), fusion, final, strangeness, posterior, float(problem.y.mean()), joint)


def fit_parts(problem: Problem, settings: Settings, tell: Progress = _quiet) -> Fitted:
    """Fit the expert of each modality.

    Parameters
    ----------
    problem : Problem
        n labelled sessions.
    settings : Settings
        How to fit.
    tell : callable, optional
        Called with the share done and what is being done.

    Returns
    -------
    parts : list of Part
        One per modality.
    evidence : ndarray, shape (n, m)
        Their calibrated out-of-fold log-odds, NaN where a modality is missing.
    folds : list of (ndarray, list of Part)
        Sessions of each fold of subjects, and the modalities as they are without them.
    """
    folds = subject_folds(problem.subjects, problem.y, folds=settings.folds, seed=settings.seed)
    parts, evidence, others = [], np.full(problem.reliability.shape, np.nan), []
    for m, name in enumerate(problem.blocks):
        tell(m / (len(problem.blocks) + 1), name)
        if (problem.reliability[:, m] > 0).any():
            part, evidence[:, m], refits = _fit_part(problem, name, folds, settings)
        else:
            part = _unseen(problem, name, settings)
            refits = [part] * len(folds)
        parts.append(part)
        others.append(refits)
    return parts, evidence, list(zip(folds, map(list, zip(*others, strict=True)), strict=True))


def _fit_part(
    problem: Problem, name: str, folds: Sequence[IntArray], settings: Settings
) -> tuple[Part, FloatArray, list[Part]]:
    """One modality's expert, its calibrated out-of-fold log-odds (n,), NaN where it is missing, and it by folds."""
    m = list(problem.blocks).index(name)
    there = np.flatnonzero(problem.reliability[:, m] > 0)
    place = np.full(problem.y.size, -1)
    place[there] = np.arange(there.size)
    mine = problem.rows(there)
    block, y = mine.blocks[name], mine.y
    inner = [fold for fold in (place[f][place[f] >= 0] for f in folds) if fold.size]
    tried = _narrowed(mine, name, candidates(settings.kinds, sessions=mine.y.size), inner, settings=settings)
    trust = trust_of(mine.reliability[:, m])
    sample = effective_weights(y, mine.subjects) * trust
    scores, refits = np.zeros((len(tried), y.size)), []
    for f, held_out in enumerate(inner):
        train = without(y.size, held_out, mine.subjects)
        made = fit_experts(
            block.rows(train), (y[train], trust[train]), tried, baseline=settings.baseline, seed=settings.seed
        )
        refits.append(dict(zip(tried, made, strict=True)))
        for c, expert in enumerate(made):
            scores[c, held_out] = expert.log_odds(block.rows(held_out))
        if f == SCREEN_FOLDS - 1 and len(inner) > SCREEN_FOLDS:
            rows = np.concatenate(inner[:SCREEN_FOLDS])
            kept = screen(scores[:, rows], y[rows], sample[rows], tried)
            tried, scores = [tried[c] for c in kept], scores[kept]
    platts = [fit_platt(row, y, sample) for row in scores]
    calibrated = np.stack([platt.apply(row) for platt, row in zip(platts, scores, strict=True)])
    best = choose(calibrated, y, mine.subjects, tried)
    (expert,) = fit_experts(block, (y, trust), [tried[best]], baseline=settings.baseline, seed=settings.seed)
    others = tuple(fold[tried[best]] for fold in refits)
    evidence = np.full(problem.y.size, np.nan)
    evidence[there] = calibrated[best]
    part = _describe(name, block, (expert, others, platts[best]), inner, calibrated=calibrated[best])
    apart = iter([_as_refitted(part, refit, block, fold) for refit, fold in zip(others, inner, strict=True)])
    return part, evidence, [next(apart) if (place[fold] >= 0).any() else part for fold in folds]


def _unseen(problem: Problem, name: str, settings: Settings) -> Part:
    """A modality that none of the sessions to learn from has: it says nothing."""
    tried = candidates(settings.kinds, sessions=0)[:1]
    nobody, truth = problem.blocks[name].rows(np.arange(0)), (np.empty(0), np.empty(0))
    (expert,) = fit_experts(nobody, truth, tried, baseline=settings.baseline, seed=settings.seed)
    return Part(name, expert, Platt(0.0, 1.0), np.zeros(expert.slope.size), 0.0, np.inf)


def _as_refitted(part: Part, refit: Expert, block: Block, fold: IntArray) -> Part:
    """The modality as the sessions outside of a fold show it."""
    seen = block.rows(np.setdiff1d(np.arange(block.difference.shape[0]), fold))
    sizes = np.abs(refit.terms(seen)).sum(axis=0)
    return replace(part, expert=refit, importance=sizes / max(seen.difference.shape[0], 1))


def _narrowed(
    mine: Problem, name: str, tried: Sequence[Candidate], inner: Sequence[IntArray], *, settings: Settings
) -> Sequence[Candidate]:
    """In large cohorts the way of fitting is chosen on some of the subjects only; the rest is fitted once that way."""
    if mine.y.size <= CHOICE_ROWS or len(tried) == 1:
        return tried
    people = np.random.default_rng(settings.seed).permutation(np.unique(mine.subjects))
    some = np.isin(mine.subjects, people[: max(8, int(people.size * CHOICE_ROWS / mine.y.size))])
    few = mine.rows(np.flatnonzero(some))
    if few.y.size >= mine.y.size:
        return tried
    one = replace(few, blocks={name: few.blocks[name]}, reliability=np.ones((few.y.size, 1)))
    folds = subject_folds(one.subjects, one.y, folds=len(inner), seed=settings.seed)
    part, _, _ = _fit_part(one, name, folds, settings)
    return (part.expert.candidate,)


def _describe(
    name: str,
    block: Block,
    fitted: tuple[Expert, tuple[Expert, ...], Platt],
    inner: Sequence[IntArray],
    *,
    calibrated: FloatArray,
) -> Part:
    expert, refits, platt = fitted
    active = active_columns(expert)
    apart = [distances(refit.scaler.apply(block.rows(fold)), active) for refit, fold in zip(refits, inner, strict=True)]
    importance = np.abs(expert.terms(block)).mean(axis=0)
    limit = distance_limit(np.concatenate(apart))
    return Part(name, expert, platt, importance, float(calibrated.std()), limit)


def active_columns(expert: Expert) -> IntArray:
    """Columns that an expert's scaler can scale.

    Parameters
    ----------
    expert : Expert
        Fitted.

    Returns
    -------
    ndarray
    """
    return np.flatnonzero(np.isfinite(expert.scaler.scale))


def early_problem(problem: Problem) -> Problem:
    """All biomarkers side by side as one modality.

    Parameters
    ----------
    problem : Problem
        Several modalities.

    Returns
    -------
    Problem
        With one, named "all".
    """
    seen = np.asarray((problem.reliability > 0).any(axis=1), dtype=np.float64)[:, None]
    return Problem({JOINT: joined(list(problem.blocks.values()))}, seen, problem.y, problem.subjects)


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks side by side.

    Parameters
    ----------
    blocks : sequence of Block
        Of the same n sessions.

    Returns
    -------
    Block
    """

    def side(name: str) -> FloatArray | None:
        found = [getattr(block, name) for block in blocks]
        return None if found[0] is None else np.hstack(found)

    difference = np.hstack([block.difference for block in blocks])
    return Block(difference, side("offset"), side("own_scale"), side("own_count"))
