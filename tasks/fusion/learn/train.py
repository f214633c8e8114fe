"""Train a fusion model on labelled sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.data.baseline import Baseline
from cueflow.tasks.fusion.data.cohort import SUBJECTS_MIN, Cohort, Comparison, build_cohort
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.learn.pipeline import (
    KINDS,
    LEVEL,
    Pipeline,
    Progress,
    Settings,
    active_columns,
    fit_pipeline,
)
from cueflow.tasks.fusion.learn.stability import bootstrap_refits, rank_agreement
from cueflow.tasks.fusion.store.model import FusionModel, person_mark, salt_of

if TYPE_CHECKING:
    import polars as pl

SUPPORT_MIN = 0.25


def _quiet(_share: float, _what: str) -> None:
    return None


def train(  # noqa: PLR0913 - the options of the command line
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
    decision: float | None = None,
    level: float = LEVEL,
    min_support: float = SUPPORT_MIN,
) -> FusionModel:
    """Train on a long table of biomarkers and labels of its sessions.

    Parameters
    ----------
    frame : polars.DataFrame
        session_id, subject_id, modality, biomarker, value; optionally coverage, quality, role, phase, windows.
    labels : polars.DataFrame
        session_id, target, value.
    target : str
        Which target to learn.
    baseline : str, optional
        none, cohort, subject (needs 3 sessions of a person; uses the sessions given, without their labels) or phase.
    seed : int, optional
        Of folds and boosting; equal seeds give equal models.
    progress : callable, optional
        Called with the share done and what is being done.
    threshold : float, optional
        Value from which on an ordinal or continuous score counts as present.
    rest_phase : str, optional
        Phase that a phase baseline compares with.
    kinds : tuple of str, optional
        Kinds of experts that take part in the choice: linear, curved, boosted.
    min_subjects : int, optional
        Fewer labelled subjects are refused.
    decision : float, optional
        Probability from which on the answer is "present"; default: the share of training sessions where it is.
    level : float, optional
        Coverage of the intervals.
    min_support : float, optional
        Share of the usual evidence below which the model abstains.

    Returns
    -------
    FusionModel

    Raises
    ------
    FusionError
        If the labels or values cannot be used, or there are too few subjects.
    """
    if not set(kinds) <= set(KINDS) or not kinds or not 0.5 <= level < 1:
        raise FusionError(
            "kinds must be of linear, curved, boosted; level between 0.5 and 1", reason=Reason.CONFIG_INVALID
        )
    comparison = Comparison.of(baseline, rest_phase)
    wanted = Target(target, threshold)
    cohort = build_cohort(frame, labels, wanted, comparison, min_subjects=min_subjects)
    settings = Settings(comparison.baseline, tuple(kinds), seed=seed, level=level)
    pipeline = fit_pipeline(cohort.problem, settings, progress or _quiet)
    refits = bootstrap_refits(cohort.problem, pipeline)
    salt = salt_of(pipeline)
    share = pipeline.prior if decision is None else decision
    return FusionModel(
        target=wanted,
        pipeline=pipeline,
        columns=cohort.columns,
        references=cohort.references if comparison.baseline is Baseline.SUBJECT else {},
        people=frozenset(person_mark(who, salt) for who in cohort.subject_ids),
        methods=_used(cohort),
        rest_phase=comparison.rest_phase,
        decision=float(share),
        min_support=min_support,
        counts=_counts(cohort, pipeline),
        warnings=cohort.notes,
        refits=refits,
        agreement=rank_agreement(pipeline, refits),
    )


def _used(cohort: Cohort) -> dict[str, tuple[str, ...]]:
    names = {name for columns in cohort.columns.values() for name in columns}
    return {name: versions for name, versions in cohort.methods.items() if name in names}


def _counts(cohort: Cohort, pipeline: Pipeline) -> dict[str, int]:
    problem = cohort.problem
    return {
        "subjects": int(np.unique(problem.subjects).size),
        "sessions": int(problem.y.size),
        "present": int(problem.y.sum()),
        "biomarkers": sum(active_columns(part.expert).size for part in pipeline.parts),
    }
