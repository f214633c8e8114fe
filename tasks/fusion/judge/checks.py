"""What would flatter a model: chance, leaks, and persons that it recognises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.judge.crossfit import QUICK_FOLDS, quick_auroc, splits_of
from cueflow.tasks.fusion.judge.metrics import auroc, auroc_of_ranks, number, ranks
from cueflow.tasks.fusion.learn.folds import shuffle_by_subject
from cueflow.tasks.fusion.learn.pipeline import Problem, Settings

SHUFFLES = 1000
REFITS = 20
LEAK = 0.98
IDENTITY_GAP = 0.15
CURVE = (0.25, 0.5, 0.75, 1.0)


def permutation_null(
    problem: Problem, settings: Settings, score: FloatArray, *, refits: int, tell: Callable[[float, str], None]
) -> dict[str, object]:
    """How good the score would look if the biomarkers said nothing.

    Parameters
    ----------
    problem : Problem
        n labelled sessions.
    settings : Settings
        How to fit.
    score : ndarray, shape (n,)
        Held-out predictions.
    refits : int
        How often everything is fitted anew to shuffled labels (with a coarse choice of linear experts).
    tell : callable
        Called with the share done and what is being done.

    Returns
    -------
    dict
        `auroc` mean of the refits, `interval` of them, `p_refit` against the same coarse fit on the real labels, `p` of
        the held-out score against labels shuffled by subject, and how often both were done. None where the score is
        undefined (one class among the held-out sessions): that is no small p.
    """
    rng = np.random.default_rng(settings.seed)
    known = np.isfinite(score)
    place, y, subjects = ranks(score[known]), problem.y[known], problem.subjects[known]
    observed = auroc_of_ranks(place, y)
    shuffled = [auroc_of_ranks(place, shuffle_by_subject(y, subjects, rng)) for _ in range(SHUFFLES)]
    found = []
    for r in range(refits):
        tell(r / max(refits, 1), f"shuffled labels {r + 1} of {refits}")
        other = replace(problem, y=shuffle_by_subject(problem.y, problem.subjects, rng))
        found.append(quick_auroc(other, settings, _quick_splits(other, settings)))
    real = quick_auroc(problem, settings, _quick_splits(problem, settings)) if refits else float("nan")
    return {
        "auroc": number(float(np.nanmean(found))) if np.isfinite(found).any() else None,
        "p": _share_above(shuffled, observed),
        "interval": _middle(found),
        "p_refit": _share_above(found, real),
        "permutations": SHUFFLES,
        "refits": int(np.isfinite(found).sum()),
    }


def _share_above(null: Sequence[float], observed: float) -> float | None:
    """P value of an observed figure; None where it, or the null, is undefined: nothing was tested then."""
    known = np.array([value for value in null if np.isfinite(value)])
    if not known.size or not np.isfinite(observed):
        return None
    return float((1 + (known >= observed).sum()) / (1 + known.size))


def _middle(null: Sequence[float]) -> list[float] | None:
    known = [value for value in null if np.isfinite(value)]
    return [float(v) for v in np.quantile(known, (0.025, 0.975))] if known else None


def _quick_splits(problem: Problem, settings: Settings) -> list[tuple[IntArray, IntArray]]:
    return splits_of(problem, None, folds=QUICK_FOLDS, seed=settings.seed)


def find_leaks(problem: Problem, columns: Mapping[str, Sequence[str]], settings: Settings) -> dict[str, object]:
    """Look for what should not be there: a biomarker that is the label, absence that tells it, copies, known persons.

    Parameters
    ----------
    problem : Problem
        n labelled sessions.
    columns : mapping
        Biomarkers of each modality.
    settings : Settings
        How to fit.

    Returns
    -------
    dict
        `found` is a list of sentences; `session_folds` the AUROC when sessions of one person are on both sides, and
        `subject_folds` that of the same fit when they are not: a large gap means that persons are recognised.
    """
    found = []
    for m, (modality, block) in enumerate(problem.blocks.items()):
        for j, name in enumerate(columns[modality]):
            if _tells(block.difference[:, j], problem.y):
                found.append(f"{modality}/{name} alone separates the labels: is it made from them?")
        if _separates((problem.reliability[:, m] > 0).astype(np.float64), problem.y):
            found.append(f"whether {modality} was recorded separates the labels")
    copies = _copies(problem)
    if copies:
        found.append(f"{copies} pairs of sessions of different subjects have the same values")
    rng = np.random.default_rng(settings.seed)
    mixed = np.array_split(rng.permutation(problem.y.size), QUICK_FOLDS)
    every = np.arange(problem.y.size)
    open_splits = [(np.setdiff1d(every, fold), fold) for fold in mixed]
    lenient = _unguarded(problem, settings, open_splits)
    strict = quick_auroc(problem, settings, _quick_splits(problem, settings))
    if lenient - strict > IDENTITY_GAP:
        found.append(
            f"persons are recognised: with their sessions on both sides AUROC would be {lenient:.2f}, honestly it is "
            f"{strict:.2f}"
        )
    return {"found": found, "session_folds": number(lenient), "subject_folds": number(strict)}


def _unguarded(problem: Problem, settings: Settings, splits: list[tuple[IntArray, IntArray]]) -> float:
    """AUROC when every session counts as its own person: only to show what that would pretend."""
    naive = replace(problem, subjects=np.arange(problem.y.size))
    usable = [pair for pair in splits if len(np.unique(problem.y[pair[0]])) == 2 and pair[1].size]
    return quick_auroc(naive, settings, usable)


def _tells(values: FloatArray, y: FloatArray) -> bool:
    seen = np.isfinite(values)
    if seen.sum() < 10:
        return False
    return _separates(values[seen], y[seen]) or _separates(np.abs(values[seen]), y[seen])


def _separates(values: FloatArray, y: FloatArray) -> bool:
    found = auroc(values, y)
    return bool(np.isfinite(found) and max(found, 1 - found) >= LEAK)


def _copies(problem: Problem) -> int:
    values = np.hstack([np.nan_to_num(block.difference) for block in problem.blocks.values()])
    _, inverse = np.unique(values, axis=0, return_inverse=True)
    pairs = np.unique(np.stack([inverse.ravel(), problem.subjects], axis=1), axis=0)
    return int(pairs.shape[0] - np.unique(pairs[:, 0]).size)


def learning_curve(problem: Problem, settings: Settings) -> list[dict[str, float | int | None]]:
    """Held-out AUROC of the coarse fit with fewer subjects to learn from.

    Parameters
    ----------
    problem : Problem
        Labelled sessions.
    settings : Settings
        How to fit.

    Returns
    -------
    list of dict
        `subjects` and `auroc`, rising.
    """
    rng = np.random.default_rng(settings.seed)
    made: list[dict[str, float | int | None]] = []
    for share in CURVE:
        found = []
        for _ in range(1 if share == 1.0 else 3):
            splits = []
            for train, test in _quick_splits(problem, settings):
                people = rng.permutation(np.unique(problem.subjects[train]))
                kept = people[: max(4, round(share * people.size))]
                less = train[np.isin(problem.subjects[train], kept)]
                if len(np.unique(problem.y[less])) == 2:
                    splits.append((less, test))
            found.append(quick_auroc(problem, settings, splits) if splits else float("nan"))
        count = round(share * np.unique(problem.subjects).size * (QUICK_FOLDS - 1) / QUICK_FOLDS)
        good = [value for value in found if np.isfinite(value)]
        made.append({"subjects": count, "auroc": float(np.mean(good)) if good else None})
    return made
