"""From tables and labels to a problem that can be fitted, with every reason to refuse said clearly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.data.baseline import SUBJECT_MIN, Baseline, Block, Own, own_references, to_block
from cueflow.tasks.fusion.data.features import Features, FloatArray, IntArray, prepare, to_features
from cueflow.tasks.fusion.data.labels import Target, align_labels
from cueflow.tasks.fusion.learn.pipeline import Problem

if TYPE_CHECKING:
    import polars as pl

SUBJECTS_MIN = 8
PER_CLASS_MIN = 4
BELIEVABLE = 40
TOO_FEW = "too few to believe"


@dataclass(frozen=True, slots=True)
class Cohort:
    """Labelled sessions: `session_ids` and `problem` agree in order; `notes` say what was left out or is doubtful."""

    session_ids: tuple[str, ...]
    subject_ids: frozenset[str]
    problem: Problem
    columns: Mapping[str, tuple[str, ...]]
    references: Mapping[str, Mapping[str, Own]]
    methods: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What values are compared with: the baseline, and the phase that a phase baseline rests on."""

    baseline: Baseline
    rest_phase: str | None = None

    @staticmethod
    def of(baseline: str, rest_phase: str | None) -> Comparison:
        """Check the words of a caller.

        Parameters
        ----------
        baseline : str
            none, cohort, subject or phase.
        rest_phase : str or None
            Needed with phase.

        Returns
        -------
        Comparison

        Raises
        ------
        FusionError
            If the baseline is unknown, or phase comes without the name of the rest phase.
        """
        if baseline not in {b.value for b in Baseline}:
            raise FusionError(
                f"baseline {baseline!r} is not one of none, cohort, subject, phase", reason=Reason.CONFIG_INVALID
            )
        kind = Baseline(baseline)
        if kind is Baseline.PHASE and not rest_phase:
            raise FusionError(
                "baseline phase needs the name of the rest phase (a label of events.csv)", reason=Reason.CONFIG_INVALID
            )
        return Comparison(kind, rest_phase if kind is Baseline.PHASE else None)


def blocks_of(
    features: Features, comparison: Comparison, known: Mapping[str, Mapping[str, Own]]
) -> tuple[dict[str, Block], FloatArray]:
    """Blocks by modality and reliabilities (n, m), 0 where nothing of the modality can be compared.

    Parameters
    ----------
    features : Features
        n sessions.
    comparison : Comparison
        What to compare with.
    known : mapping
        Modality to the own references of known subjects.

    Returns
    -------
    blocks : dict
    reliability : ndarray, shape (n, m)
    """
    blocks, columns = {}, []
    for name, matrix in features.modalities.items():
        block = to_block(matrix, features.subject_ids, comparison.baseline, known.get(name, {}))
        blocks[name] = block
        columns.append(np.where(np.isfinite(block.difference).any(axis=1), matrix.reliability, 0.0))
    return blocks, np.stack(columns, axis=1)


def build_cohort(
    frame: pl.DataFrame, labels: pl.DataFrame, target: Target, comparison: Comparison, *, min_subjects: int
) -> Cohort:
    """Check and align everything that is needed to fit.

    Parameters
    ----------
    frame : polars.DataFrame
        Long table.
    labels : polars.DataFrame
        session_id, target, value.
    target : Target
        What to predict.
    comparison : Comparison
        What to compare values with. Sessions without a label count for a subject's own baseline.
    min_subjects : int
        Fewer labelled subjects are refused.

    Returns
    -------
    Cohort

    Raises
    ------
    FusionError
        If no labelled session has a value that can be compared.
    """
    features = to_features(prepare(frame), rest_phase=comparison.rest_phase)
    y = align_labels(labels, features.session_ids, target)
    features, notes = _usable(features)
    blocks, reliability = blocks_of(features, comparison, {})
    labelled = np.isfinite(y)
    seen = (reliability > 0).any(axis=1)
    rows = np.flatnonzero(labelled & seen)
    if not rows.size:
        raise FusionError(_incomparable(comparison), reason=Reason.FEW_EVIDENCE)
    if (labelled & ~seen).any():
        notes.append(f"{int((labelled & ~seen).sum())} labelled session(s) without a value that can be compared")
    subjects = np.unique(np.asarray(features.subject_ids), return_inverse=True)[1]
    problem = Problem(blocks, reliability, y, subjects).rows(rows)
    notes += check_size(problem, min_subjects)
    features, problem = _informed(features, problem, notes)
    references = {}
    if comparison.baseline is Baseline.SUBJECT:
        references = {name: own_references(m, features.subject_ids) for name, m in features.modalities.items()}
    return Cohort(
        session_ids=tuple(features.session_ids[i] for i in rows),
        subject_ids=_met(features, rows, comparison),
        problem=problem,
        columns={name: matrix.biomarkers for name, matrix in features.modalities.items()},
        references=references,
        methods=features.methods,
        notes=tuple(notes),
    )


def _incomparable(comparison: Comparison) -> str:
    """Why no labelled session is left."""
    if comparison.baseline is Baseline.SUBJECT:
        return f"no labelled person has {SUBJECT_MIN} sessions with values to compare with; use another baseline"
    if comparison.baseline is Baseline.PHASE:
        return (
            f"no labelled session has values of the phase {comparison.rest_phase!r}; name another, or another baseline"
        )
    return "no labelled session has any value; nothing to learn from"


def _met(features: Features, rows: IntArray, comparison: Comparison) -> frozenset[str]:
    """Who leaves a trace in a model: labelled subjects, and with a subject baseline everyone in the table."""
    if comparison.baseline is Baseline.SUBJECT:
        return frozenset(features.subject_ids)
    return frozenset(features.subject_ids[i] for i in rows)


def _usable(features: Features) -> tuple[Features, list[str]]:
    """Leave out modalities without any value, and say so.

    Raises
    ------
    FusionError
        If none is left.
    """
    kept = {name: m for name, m in features.modalities.items() if m.present.any()}
    notes = [f"no values of {name}: left out" for name in features.modalities if name not in kept]
    if not kept:
        raise FusionError("no modality has any value; nothing to learn from", reason=Reason.FEW_EVIDENCE)
    return Features(features.session_ids, features.subject_ids, kept, features.methods), notes


def _informed(features: Features, problem: Problem, notes: list[str]) -> tuple[Features, Problem]:
    """Leave out modalities whose biomarkers are all constant, or that too few labelled subjects have.

    Raises
    ------
    FusionError
        If none is left.
    """
    kept = []
    for m, (name, block) in enumerate(problem.blocks.items()):
        people = np.unique(problem.subjects[problem.reliability[:, m] > 0]).size
        flat = [
            column
            for column, values in zip(features.modalities[name].biomarkers, block.difference.T, strict=True)
            if _flat(values)
        ]
        if people < 2 or len(flat) == block.difference.shape[1]:
            notes.append(f"{name}: constant, or of fewer than two labelled subjects: left out")
            continue
        kept.append((m, name))
        if flat:
            more = f" and {len(flat) - 3} more" if len(flat) > 3 else ""
            notes.append(f"{name}: {', '.join(flat[:3])}{more}: constant or without values: nothing to learn from")
    if not kept:
        raise FusionError("every biomarker is constant; nothing to learn from", reason=Reason.FEW_EVIDENCE)
    modalities = {name: features.modalities[name] for _, name in kept}
    index = [m for m, _ in kept]
    blocks = {name: problem.blocks[name] for _, name in kept}
    slim = Problem(blocks, problem.reliability[:, index], problem.y, problem.subjects)
    return Features(features.session_ids, features.subject_ids, modalities, features.methods), slim


def _flat(values: FloatArray) -> bool:
    known = values[np.isfinite(values)]
    return not known.size or bool(known.min() == known.max())


def check_size(problem: Problem, min_subjects: int) -> list[str]:
    """Refuse cohorts that are too small, and warn where a claim could not be believed.

    Parameters
    ----------
    problem : Problem
        Labelled sessions.
    min_subjects : int
        Fewer are refused; half of it is the least per class.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    FusionError
        If there are too few subjects or sessions of a class.
    """
    total = np.unique(problem.subjects).size
    each = [int(np.unique(problem.subjects[problem.y == label]).size) for label in (0.0, 1.0)]
    least = min(PER_CLASS_MIN, max(min_subjects // 2, 1))
    if total < max(min_subjects, 2) or min(each) < least:
        raise FusionError(
            f"{total} labelled subject(s) with values, {each[1]} of them with the target and {each[0]} without: "
            f"{min_subjects} and {least} of each are needed (--min-subjects lowers that, at the price of belief)"
        )
    notes = []
    if total < SUBJECTS_MIN or min(each) < PER_CLASS_MIN:
        notes.append(f"{total} subject(s): {TOO_FEW}")
    elif total < BELIEVABLE:
        notes.append(f"{total} subjects: figures are uncertain; see the intervals and the permutation null")
    return notes


def positions(problem: Problem, names: tuple[str, ...]) -> IntArray:
    """Numbers of modalities in a problem.

    Parameters
    ----------
    problem : Problem
        Whose blocks.
    names : tuple of str
        Modalities.

    Returns
    -------
    ndarray
    """
    order = list(problem.blocks)
    return np.array([order.index(name) for name in names], dtype=np.int64)
