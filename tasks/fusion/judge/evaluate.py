"""Evaluation that cannot flatter: nested, by subject, beside its rivals and beside chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.data.baseline import Baseline
from cueflow.tasks.fusion.data.cohort import SUBJECTS_MIN, TOO_FEW, Comparison, build_cohort
from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.data.groups import group_of_sessions
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.judge.bootstrap import with_intervals
from cueflow.tasks.fusion.judge.checks import REFITS, find_leaks, learning_curve, permutation_null
from cueflow.tasks.fusion.judge.crossfit import DELETED, HeldOut, held_out, splits_of
from cueflow.tasks.fusion.judge.metrics import auroc, brier, number
from cueflow.tasks.fusion.judge.tables import evaluation_table
from cueflow.tasks.fusion.learn.linear import deviance, sigmoid
from cueflow.tasks.fusion.learn.pipeline import KINDS, LEVEL, Problem, Progress, Settings

if TYPE_CHECKING:
    import polars as pl

OUTER_FOLDS = 5
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures, as they are printed and written.

    `interval` says for how many held-out persons the number of sessions with the target lay where 90 % should lie
    (`person_coverage`), how many sessions' chances lay in their intervals when labels of the same recordings were
    simulated from the model, so that the chances are known (`chance_coverage`), how often labels were among those not
    ruled out, how wide intervals were and how often the model answered; `fairness` has figures by group; `curve` is the
    learning curve, both only on request.
    """

    target: str
    fused: Figures
    experts: Mapping[str, Figures]
    average: Figures
    early: Figures
    null: Figures
    missing: Mapping[str, Figures]
    deletion: Figures
    interval: Figures
    leaks: Figures
    fairness: Mapping[str, Figures]
    curve: tuple[Figures, ...]
    subjects: int
    sessions: int
    folds: int
    baseline: str
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; an undefined figure is null."""
        made = {name: getattr(self, name) for name in self.__slots__}
        transductive = self.baseline == Baseline.SUBJECT.value
        return made | {"curve": list(self.curve), "warnings": list(self.warnings), "transductive": transductive}

    def to_text(self) -> str:
        """The table for people."""
        return evaluation_table(self.to_json())


def _quiet(_share: float, _what: str) -> None:
    return None


def evaluate(  # noqa: PLR0913 - the options of the command line
    frame: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    target: str,
    baseline: str = "none",
    seed: int = 0,
    progress: Progress | None = None,
    threshold: float | None = None,
    rest_phase: str | None = None,
    kinds: tuple[str, ...] = KINDS,
    min_subjects: int = SUBJECTS_MIN,
    folds: int = OUTER_FOLDS,
    refits: int = REFITS,
    split_by: str | None = None,
    fairness: str | None = None,
    subjects: pl.DataFrame | None = None,
    curve: bool = False,
) -> Evaluation:
    """Measure what a model trained this way says of persons it has not met.

    Parameters
    ----------
    frame, labels, target, baseline, seed, progress, threshold, rest_phase, kinds, min_subjects
        As for `train`.
    folds : int, optional
        Outer folds, by subject.
    refits : int, optional
        Refits to shuffled labels; 0 leaves them out.
    split_by : str, optional
        Column of `subjects` or of `frame` (site, visit): hold out one value at a time, subjects still apart.
    fairness : str, optional
        Column of `subjects` or of `frame` whose groups get figures of their own.
    subjects : polars.DataFrame, optional
        subjects.csv: subject_id and covariates.
    curve : bool, optional
        Add a learning curve over subjects.

    Returns
    -------
    Evaluation

    Raises
    ------
    FusionError
        If the labels or values cannot be used, there are too few subjects, or a column is unknown.
    """
    tell = progress or _quiet
    comparison = Comparison.of(baseline, rest_phase)
    cohort = build_cohort(frame, labels, Target(target, threshold), comparison, min_subjects=min_subjects)
    problem, settings = cohort.problem, Settings(comparison.baseline, tuple(kinds), seed=seed)
    groups = None
    if split_by is not None:
        groups = _codes(group_of_sessions(frame, cohort.session_ids, split_by, subjects=subjects), split_by)
    parts = None
    if fairness is not None:
        parts = group_of_sessions(frame, cohort.session_ids, fairness, subjects=subjects)
    splits = splits_of(problem, groups, folds=folds, seed=seed)
    if not splits:
        raise FusionError("no fold has both classes to learn from; more subjects are needed")
    out = held_out(problem, settings, splits, lambda share, what: tell(0.7 * share, what))
    null = permutation_null(
        problem, settings, out.fused, refits=refits, tell=lambda share, what: tell(0.7 + 0.25 * share, what)
    )
    tell(0.95, "checks")
    made = _figures(problem, out, seed)
    return Evaluation(
        target=target,
        **made,
        null=null,
        leaks=find_leaks(problem, cohort.columns, settings),
        fairness={} if parts is None else _by_group(problem, out, parts, seed),
        curve=tuple(learning_curve(problem, settings)) if curve else (),
        subjects=int(np.unique(problem.subjects).size),
        sessions=int(problem.y.size),
        folds=len(splits),
        baseline=baseline,
        warnings=(*cohort.notes, *_doubts(made["fused"], null)),
    )


def _figures(problem: Problem, out: HeldOut, seed: int) -> dict[str, Any]:
    def of(probability: FloatArray) -> dict[str, object]:
        return with_intervals(probability, problem.y, out.decision, subjects=problem.subjects, seed=seed)

    return {
        "fused": of(out.fused),
        "experts": {name: of(probability) for name, probability in out.alone.items()},
        "average": of(out.average),
        "early": of(out.early),
        "missing": {name: of(probability) for name, probability in out.missing.items()},
        "deletion": _deletion(problem, out),
        "interval": _interval(out, problem.subjects),
    }


def _deletion(problem: Problem, out: HeldOut) -> dict[str, object]:
    """How the figures fall when the strongest, or random, biomarkers of each session are taken away."""
    known = np.isfinite(out.fused)
    y = problem.y[known]

    def curve(log_odds: FloatArray) -> dict[str, list[float | None]]:
        rows = [row[known] for row in log_odds]
        return {
            "auroc": [number(auroc(row, y)) for row in rows],
            "brier": [brier(sigmoid(row), y) for row in rows],
            "log_loss": [float(deviance(row, y).mean()) for row in rows],
        }

    return {"removed": list(DELETED), "top": curve(out.removed), "random": curve(out.at_random)}


def _interval(out: HeldOut, subjects: IntArray) -> dict[str, float | int | None]:
    """How often the intervals and the labels not ruled out hold what was observed of persons not met."""
    known = np.isfinite(out.fused)
    ranks = {int(who): float(rank) for who, rank in zip(subjects, out.rank, strict=True) if np.isfinite(rank)}
    held = out.held[np.isfinite(out.held)]
    tail = (1 - LEVEL) / 2
    inside = [tail <= rank <= 1 - tail for rank in ranks.values()]
    return {
        "person_coverage": number(float(np.mean(inside))) if inside else None,
        "persons": len(inside),
        "chance_coverage": number(float(held.mean())) if held.size else None,
        "label_coverage": number(float(out.possible[known].mean())),
        "width": number(float((out.interval[1] - out.interval[0])[known].mean())),
        "answered": number(float(out.answered[known].mean())),
    }


def _codes(values: list[str], column: str) -> IntArray:
    """Numbers of the values.

    Raises
    ------
    FusionError
        If there is only one: nothing could be held out.
    """
    found, codes = np.unique(np.array(values), return_inverse=True)
    if found.size < 2:
        raise FusionError(f"column {column!r} has one value only; nothing to hold out", reason=Reason.CONFIG_INVALID)
    return np.asarray(codes, dtype=np.int64)


def _by_group(problem: Problem, out: HeldOut, values: list[str], seed: int) -> dict[str, Any]:
    made = {}
    for value in sorted(set(values)):
        rows = np.flatnonzero(np.array(values) == value)
        part = problem.rows(rows)
        found = with_intervals(out.fused[rows], part.y, out.decision[rows], subjects=part.subjects, seed=seed)
        made[value] = found | {"subjects": int(np.unique(part.subjects).size), "present": float(part.y.mean())}
    return made


def _doubts(fused: Figures, null: Figures) -> list[str]:
    """Words for figures that cannot carry a claim."""
    made = []
    ends = fused["ci"]["auroc"]
    if ends is not None and ends[0] <= 0.5 <= ends[1]:
        made.append(f"the interval of AUROC holds 0.5: {TOO_FEW}, or nothing there")
    if null["p"] is None:
        made.append("chance could not be tested: the held-out sessions have one class only")
    elif null["p"] > 0.05:
        made.append("not better than shuffled labels (p > 0.05)")
    return made
