"""What a model says of subjects it has not met: nested, and never with a person on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.judge.metrics import auroc
from cueflow.tasks.fusion.learn.apply import Applied, apply_pipeline, said_of
from cueflow.tasks.fusion.learn.basis import column_groups, side_by_side
from cueflow.tasks.fusion.learn.experts import QUICK
from cueflow.tasks.fusion.learn.folds import group_folds, subject_folds, without
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.learn.pipeline import (
    Pipeline,
    Problem,
    Settings,
    early_problem,
    fit_parts,
    fit_pipeline,
    fuse_parts,
)
from cueflow.tasks.fusion.learn.posterior import fit_posterior, some_persons
from cueflow.tasks.fusion.learn.spread import interval_ends, possible_labels

DELETED = (1, 2, 5, 10, 20)
DRAWS = 5
PERSON_DRAWS = 400
PATTERNS_MAX = 4  # modalities up to which every subset is looked at
QUICK_FOLDS = 3
SIMULATED_MAX = 1000  # sessions up to which labels are simulated in every fold; beyond, in the first one

Split = tuple[IntArray, IntArray]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Probabilities (n,) of held-out sessions, NaN where there is none.

    `alone` by modality, `missing` by pattern, `removed` and `at_random` (k, n) log-odds after the top or random
    biomarkers were taken away; `decision` (n,) the share of the target in the training part; `interval` (2, n);
    `possible` (n,) whether the label was among those not ruled out; `rank` (n,) where the person's number of sessions
    with the target lies among what was thought possible, 0 to 1, NaN for a person with one session; `held` (n,) whether
    the interval held the session's chance when labels were simulated, NaN where they were not; `answered` (n,) False
    where the session is unlike any seen.
    """

    fused: FloatArray
    early: FloatArray
    average: FloatArray
    alone: Mapping[str, FloatArray]
    missing: Mapping[str, FloatArray]
    removed: FloatArray
    at_random: FloatArray
    decision: FloatArray
    interval: FloatArray
    possible: FloatArray
    rank: FloatArray
    held: FloatArray
    answered: FloatArray


def splits_of(problem: Problem, groups: IntArray | None, *, folds: int, seed: int) -> list[Split]:
    """Training and test sessions of each fold.

    Parameters
    ----------
    problem : Problem
        n sessions.
    groups : ndarray, shape (n,), or None
        Sites or visits to hold out one by one; None splits by subject only. Subjects are kept apart in any case.
    folds : int
        How many subject folds.
    seed : int
        Of the folds.

    Returns
    -------
    list of (train, test)
        Folds whose training part has one class only are left out.
    """
    n, subjects = problem.y.size, problem.subjects
    by_subject = subject_folds(subjects, problem.y, folds=folds, seed=seed)
    pairs: list[Split] = []
    if groups is None:
        pairs = [(without(n, test, subjects), test) for test in by_subject]
    else:
        own = [np.unique(groups[subjects == who]).size for who in np.unique(subjects)]
        crossed = by_subject if max(own) > 1 else [np.arange(n)]
        for held in group_folds(groups):
            for fold in crossed:
                test = np.intersect1d(held, fold)
                train = np.setdiff1d(without(n, test, subjects), held) if test.size else test
                pairs.append((train, test))
    return [(train, test) for train, test in pairs if test.size and len(np.unique(problem.y[train])) == 2]


def held_out(
    problem: Problem, settings: Settings, splits: Sequence[Split], tell: Callable[[float, str], None]
) -> HeldOut:
    """Fit on every training part, and collect what is said of the test part.

    Parameters
    ----------
    problem : Problem
        n labelled sessions.
    settings : Settings
        How to fit.
    splits : sequence of (train, test)
        Subject-disjoint.
    tell : callable
        Called with the share done and what is being done.

    Returns
    -------
    HeldOut
    """
    names, n = list(problem.blocks), problem.y.size
    patterns = missing_patterns(names)
    made, early = _blank(n, names, list(patterns)), early_problem(problem)
    rng = np.random.default_rng(settings.seed)
    for f, (train, test) in enumerate(splits):
        at = _within(tell, f, len(splits))
        at(0.0, "early fusion")
        part = problem.rows(test)
        learn, merged = problem.rows(train), early.rows(train)
        fitted = fit_parts(learn, settings, at)
        at(1.0, "fusion and intervals")
        pipeline = fuse_parts(learn, settings, fitted)
        applied = apply_pipeline(pipeline, part.blocks, part.reliability)
        at(1.5, "labels simulated")
        _store_answers(made, test, part, (pipeline, applied))
        if f == 0 or problem.y.size <= SIMULATED_MAX:
            made.held[test] = holds_known_chance(pipeline, learn, part)
        for m, name in enumerate(names):
            made.alone[name][test] = sigmoid(applied.alone[:, m])
        for pattern, kept in patterns.items():
            made.missing[pattern][test] = with_only(pipeline, part, kept)
        made.removed[:, test], made.at_random[:, test] = deleted(applied, part, rng)
        rival, there = fit_pipeline(merged, settings, with_interval=False), early.rows(test)
        made.early[test] = sigmoid(apply_pipeline(rival, there.blocks, there.reliability).log_odds)
    return made


def _within(tell: Callable[[float, str], None], fold: int, folds: int) -> Callable[[float, str], None]:
    """Say of a fold how far it is: its experts are about half of it."""
    return lambda share, what: tell((fold + share / 2) / folds, f"fold {fold + 1} of {folds}: {what}")


def _blank(n: int, names: Sequence[str], patterns: Sequence[str]) -> HeldOut:
    def blank(*shape: int) -> FloatArray:
        return np.full((*shape, n), np.nan)

    return HeldOut(
        fused=blank(),
        early=blank(),
        average=blank(),
        alone={name: blank() for name in names},
        missing={name: blank() for name in patterns},
        removed=blank(len(DELETED)),
        at_random=blank(len(DELETED)),
        decision=blank(),
        interval=blank(2),
        possible=blank(),
        rank=blank(),
        held=blank(),
        answered=blank(),
    )


def _store_answers(made: HeldOut, test: IntArray, part: Problem, said: tuple[Pipeline, Applied]) -> None:
    pipeline, applied = said
    made.fused[test] = probability = sigmoid(applied.log_odds)
    there = np.isfinite(applied.alone)
    count = np.maximum(there.sum(axis=1), 1)
    made.average[test] = np.where(there, sigmoid(np.where(there, applied.alone, 0.0)), 0.0).sum(axis=1) / count
    made.decision[test] = pipeline.prior
    made.interval[:, test] = sigmoid(applied.interval)
    pairs = zip(probability, part.y, strict=True)
    made.possible[test] = [label in possible_labels(float(p), pipeline.strangeness) for p, label in pairs]
    made.rank[test] = person_ranks(pipeline, part)
    made.answered[test] = applied.distance <= 1


def person_ranks(pipeline: Pipeline, part: Problem) -> FloatArray:
    """Where the observed number of sessions with the target lies among the numbers drawn for each person.

    This can be seen of any cohort, where a session's own chance cannot.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on other persons.
    part : Problem
        n sessions.

    Returns
    -------
    ndarray, shape (n,)
        Share of draws below, plus half of those equal; the same for all sessions of a person.
    """
    found = np.full(part.y.size, np.nan)
    posterior = pipeline.posterior
    if posterior is None:
        return found
    rng = np.random.default_rng(pipeline.settings.seed)
    kept, gone = side_by_side(pipeline.parts, part.blocks, pipeline.fusion.trust(part.reliability))
    centre, missing = posterior.drawn(kept, gone)
    for who in np.unique(part.subjects):
        mine = np.flatnonzero(part.subjects == who)
        if mine.size < 2:
            continue
        draw = rng.integers(posterior.shifts.size, size=PERSON_DRAWS)
        shift = posterior.shifts[draw] * rng.normal(size=PERSON_DRAWS)
        error = missing[mine][:, draw] * rng.normal(size=(mine.size, PERSON_DRAWS))
        chance = sigmoid(centre[mine][:, draw] + shift + error)
        drawn = (rng.random(chance.shape) < chance).sum(axis=0)
        seen = part.y[mine].sum()
        found[mine] = (drawn < seen).mean() + 0.5 * (drawn == seen).mean()
    return found


def holds_known_chance(pipeline: Pipeline, learn: Problem, part: Problem) -> FloatArray:
    """Whether intervals hold the chance of sessions of persons not met, in a cohort whose labels are simulated.

    The chance of a real session cannot be seen. Here one draw of the posterior is taken to be true, labels of the same
    recordings are drawn from it, and the posterior is sampled anew from these labels.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted on `learn`.
    learn, part : Problem
        Sessions to learn from, and n sessions of other persons.

    Returns
    -------
    ndarray, shape (n,)
        1 where it does, 0 where it does not; NaN without a posterior.
    """
    posterior = pipeline.posterior
    if posterior is None:
        return np.full(part.y.size, np.nan)
    rng = np.random.default_rng(pipeline.settings.seed)
    draw = int(rng.integers(posterior.shifts.size))
    learn = learn.rows(some_persons(learn.subjects))
    seen = [side_by_side(pipeline.parts, p.blocks, pipeline.fusion.trust(p.reliability)) for p in (learn, part)]
    truth = []
    for problem, (kept, gone) in zip((learn, part), seen, strict=True):
        centre, missing = (values[:, draw] for values in posterior.drawn(kept, gone))
        people, position = np.unique(problem.subjects, return_inverse=True)
        own = posterior.shifts[draw] * rng.normal(size=people.size)
        truth.append(centre + own[position] + missing * rng.normal(size=centre.size))
    y = (rng.random(learn.y.size) < sigmoid(truth[0])).astype(np.float64)
    again = fit_posterior(seen[0], y, learn.subjects, groups=column_groups(pipeline.parts))
    low, high = interval_ends(again, *seen[1], level=pipeline.settings.level)
    return np.asarray((low <= truth[1]) & (truth[1] <= high), dtype=np.float64)


def missing_patterns(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Which modalities are left in each pattern that is looked at.

    Parameters
    ----------
    names : sequence of str
        All modalities.

    Returns
    -------
    dict
        "without x", "without x and y", "only x" to the numbers of the modalities left; with more than four modalities
        only those without one and with one.
    """
    every = range(len(names))
    sizes = range(1, len(names)) if len(names) <= PATTERNS_MAX else (len(names) - 1, 1)
    made = {}
    for kept in (kept for size in sorted(sizes, reverse=True) for kept in combinations(every, size)):
        gone = [names[m] for m in every if m not in kept]
        made[f"only {names[kept[0]]}" if len(kept) == 1 else f"without {' and '.join(gone)}"] = kept
    return made


def with_only(pipeline: Pipeline, part: Problem, kept: tuple[int, ...]) -> FloatArray:
    """Probability of sessions when only some modalities are there.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    part : Problem
        n sessions.
    kept : tuple of int
        Numbers of the modalities left.

    Returns
    -------
    ndarray, shape (n,)
        NaN where none of them was recorded.
    """
    mask = np.zeros(part.reliability.shape[1])
    mask[list(kept)] = 1.0
    reliability = part.reliability * mask
    said = sigmoid(said_of(pipeline, part.blocks, reliability))
    return np.asarray(np.where((reliability > 0).any(axis=1), said, np.nan))


def deleted(applied: Applied, part: Problem, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Log-odds when the strongest, or random, biomarkers of each session are put back to their reference.

    Parameters
    ----------
    applied : Applied
        What a pipeline says of n sessions.
    part : Problem
        These sessions.
    rng : numpy.random.Generator
        Of the random choice.

    Returns
    -------
    top, random : ndarray, shape (k, n)
        One row for each of the counts in `DELETED`.
    """
    terms = np.hstack(list(applied.contributions.values()))
    seen = np.hstack([np.isfinite(block.difference) for block in part.blocks.values()])
    size = np.where(seen, np.abs(terms), -1.0)
    orders = [np.argsort(-size, axis=1)]
    orders += [np.argsort(-np.where(seen, rng.random(seen.shape), -1.0), axis=1) for _ in range(DRAWS)]
    found = []
    for order in orders:
        sums = np.cumsum(np.take_along_axis(np.where(seen, terms, 0.0), order, axis=1), axis=1)
        last = [min(k, terms.shape[1]) - 1 for k in DELETED]
        found.append(applied.log_odds - sums[:, last].T)
    return found[0], np.asarray(np.mean(found[1:], axis=0))


def quick_auroc(problem: Problem, settings: Settings, splits: Sequence[Split]) -> float:
    """Held-out AUROC of the fused model with a coarse choice of linear experts.

    Parameters
    ----------
    problem : Problem
        Labelled sessions.
    settings : Settings
        Baseline and seed are taken from here.
    splits : sequence of (train, test)
        Folds.

    Returns
    -------
    float
        NaN where no fold could be fitted.
    """
    small = Settings(settings.baseline, (QUICK,), QUICK_FOLDS, settings.seed, settings.level)
    score = np.full(problem.y.size, np.nan)
    for train, test in splits:
        part = problem.rows(test)
        pipeline = fit_pipeline(problem.rows(train), small)
        score[test] = apply_pipeline(pipeline, part.blocks, part.reliability).log_odds
    known = np.isfinite(score)
    return auroc(score[known], problem.y[known]) if known.any() else float("nan")
