"""Over time: the answer window by window inside a session, and how it changed between two visits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.answer.predict import Read, predict, prediction_of, read_sessions
from cueflow.tasks.fusion.data.baseline import Baseline, own_references
from cueflow.tasks.fusion.data.features import SESSION, prepare, to_features
from cueflow.tasks.fusion.learn.basis import side_by_side
from cueflow.tasks.fusion.learn.spread import interval_ends
from cueflow.tasks.fusion.store.model import FusionModel

if TYPE_CHECKING:
    import polars as pl


WINDOW = ("phase", "window_start_s", "window_end_s")


@dataclass(frozen=True, slots=True)
class Step:
    """The answer for one window or phase of a session."""

    phase: str
    start_s: float
    end_s: float
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class VisitChange:
    """How the log-odds changed from one session of a person to another.

    `change` = `bias` + the sum of the contributions (each the later one less the earlier one; its reference is the
    earlier value). The interval holds what the data leave open about the effects and what is missing; the person's own
    shift is the same on both sides and drops out.
    """

    earlier: str
    later: str
    target: str
    change: float
    low: float
    high: float
    bias: float
    contributions: tuple[Contribution, ...]


def has_windows(model: FusionModel, frame: pl.DataFrame, session_id: str) -> bool:
    """Whether a trajectory can be made: the table has phases or windows of the session, and they can be compared.

    Parameters
    ----------
    model : FusionModel
        Trained; with a phase baseline windows have no rest of their own.
    frame : polars.DataFrame
        Long table.
    session_id : str
        Which session.

    Returns
    -------
    bool
    """
    if model.pipeline.settings.baseline is Baseline.PHASE or not set(WINDOW) <= set(frame.columns):
        return False
    return bool(_windows(frame, session_id).height)


def _windows(frame: pl.DataFrame, session_id: str) -> pl.DataFrame:
    import polars as pl

    return frame.filter(
        (pl.col("session_id").cast(pl.String) == session_id)
        & (pl.col("phase").cast(pl.String) != SESSION)
        & pl.col("window_start_s").is_not_null()
        & pl.col("value").is_not_null()
    )


def trajectory(model: FusionModel, frame: pl.DataFrame, session_id: str) -> tuple[Step, ...]:
    """Apply a model to every phase and window of a session for which the table has values.

    The model learned from whole sessions: a short window carries less evidence than that, and its interval does not
    know it. Windows are compared with each other; none is an answer of its own.

    Parameters
    ----------
    model : FusionModel
        Trained.
    frame : polars.DataFrame
        Long table with phase, window_start_s and window_end_s, and for a subject baseline the person's sessions.
    session_id : str
        Which session.

    Returns
    -------
    tuple of Step
        In order of time.

    Raises
    ------
    FusionError
        If the table has no phases or windows of the session.
    """
    import polars as pl

    if not set(WINDOW) <= set(frame.columns):
        raise FusionError(
            "a trajectory needs the columns phase, window_start_s, window_end_s", reason=Reason.COLUMN_MISSING
        )
    model = _with_references(model, frame)
    windows = _windows(frame, session_id)
    if not windows.height:
        raise FusionError(f"session {session_id!r} has no values of phases or windows", reason=Reason.FEW_EVIDENCE)
    steps = []
    order = ["window_start_s", "window_end_s", "phase"]
    for (start, end, phase), part in windows.sort(order).group_by(order, maintain_order=True):
        (said,) = predict(model, part.with_columns(pl.lit(SESSION).alias("phase")))
        steps.append(Step(str(phase), float(str(start)), float(str(end)), said))
    return tuple(steps)


def _with_references(model: FusionModel, frame: pl.DataFrame) -> FusionModel:
    """A model that also knows the own references of the table's whole sessions; windows must not become their own.

    Raises
    ------
    FusionError
        With a phase baseline.
    """
    if model.pipeline.settings.baseline is Baseline.PHASE:
        raise FusionError(
            "windows cannot be compared with a rest phase of their own; use another baseline",
            reason=Reason.CONFIG_INVALID,
        )
    if model.pipeline.settings.baseline is not Baseline.SUBJECT:
        return model
    features = to_features(prepare(frame), columns=model.columns)
    known = {
        name: own_references(matrix, features.subject_ids) | dict(model.references.get(name, {}))
        for name, matrix in features.modalities.items()
    }
    return replace(model, references=known)


def visit_change(model: FusionModel, frame: pl.DataFrame, earlier: str, later: str) -> VisitChange:
    """Compare two sessions of one person.

    Parameters
    ----------
    model : FusionModel
        Trained.
    frame : polars.DataFrame
        Long table with both sessions, and for a subject baseline the person's other ones.
    earlier, later : str
        Session ids.

    Returns
    -------
    VisitChange

    Raises
    ------
    FusionError
        If a session is not there or they are of two persons.
    """
    read = read_sessions(model, frame)
    known = read.features.session_ids
    absent = [session for session in (earlier, later) if session not in known]
    if absent:
        raise FusionError(f"session {absent[0]!r} is not in the table", reason=Reason.CONFIG_INVALID)
    i, j = known.index(earlier), known.index(later)
    if read.features.subject_ids[i] != read.features.subject_ids[j]:
        raise FusionError("the two sessions are of two persons; a change is of one", reason=Reason.CONFIG_INVALID)
    before, after = prediction_of(model, read, i), prediction_of(model, read, j)
    change = float(read.applied.log_odds[j] - read.applied.log_odds[i])
    low, high = _ends(model, read, i, j)
    return VisitChange(
        earlier=earlier,
        later=later,
        target=model.target.name,
        change=change,
        low=min(low, change),
        high=max(high, change),
        bias=after.bias - before.bias,
        contributions=tuple(
            replace(new, contribution=new.contribution - old.contribution, reference=old.value)
            for old, new in zip(before.contributions, after.contributions, strict=True)
        ),
    )


def _ends(model: FusionModel, read: Read, i: int, j: int) -> tuple[float, float]:
    """What the difference of two sessions' log-odds may be: a value that is missing once may be anything.

    One that is missing on both sides is taken to be the same on both.
    """
    posterior = model.pipeline.posterior
    if posterior is None:
        return float("nan"), float("nan")
    rows = np.array([i, j])
    trust = model.pipeline.fusion.trust(read.reliability[rows])
    blocks = {name: block.rows(rows) for name, block in read.blocks.items()}
    kept, gone = side_by_side(model.pipeline.parts, blocks, trust)
    step, open_ = (kept[1] - kept[0])[None, :], np.where(gone.min(axis=0) < 1, gone.sum(axis=0), 0.0)
    if i == j:
        open_ = np.zeros_like(open_)
    low, high = interval_ends(posterior, step, open_[None, :], level=model.level, difference=True)
    return float(low[0]), float(high[0])
