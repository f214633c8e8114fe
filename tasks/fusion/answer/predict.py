"""Apply a model: a probability, how sure it is, and the exact share of every biomarker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.data.cohort import Comparison, blocks_of
from cueflow.tasks.fusion.data.features import Features, FloatArray, prepare, to_features
from cueflow.tasks.fusion.learn.apply import Applied, apply_pipeline
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.store.model import FusionModel

if TYPE_CHECKING:
    import polars as pl

    from cueflow.tasks.fusion.data.baseline import Block


@dataclass(frozen=True, slots=True)
class Read:
    """Sessions as a model sees them."""

    features: Features
    blocks: dict[str, Block]
    reliability: FloatArray
    applied: Applied


def read_sessions(model: FusionModel, frame: pl.DataFrame) -> Read:
    """Compare, scale and score the sessions of a long table.

    Parameters
    ----------
    model : FusionModel
        Trained.
    frame : polars.DataFrame
        Rows of one or more sessions; biomarkers that the model does not know are not used.

    Returns
    -------
    Read

    """
    comparison = Comparison(model.pipeline.settings.baseline, model.rest_phase)
    features = to_features(prepare(frame), columns=model.columns, rest_phase=comparison.rest_phase, with_spans=True)
    _same_methods(model, features)
    blocks, reliability = blocks_of(features, comparison, model.references)
    return Read(features, blocks, reliability, apply_pipeline(model.pipeline, blocks, reliability))


def _same_methods(model: FusionModel, features: Features) -> None:
    differ = [
        f"{name} ({', '.join(features.methods[name])} instead of {', '.join(known)})"
        for name, known in model.methods.items()
        if name in features.methods and not set(features.methods[name]) <= set(known)
    ]
    if differ:
        raise FusionError(
            f"{len(differ)} biomarkers were made by other method versions than the model's: {'; '.join(differ[:5])}; "
            "process the sessions again or train anew",
            reason=Reason.MODEL_HASH,
        )


def predict(model: FusionModel, frame: pl.DataFrame) -> tuple[Prediction, ...]:
    """Predict every session of a long table.

    Parameters
    ----------
    model : FusionModel
        Trained.
    frame : polars.DataFrame
        Rows of one or more sessions.

    Returns
    -------
    tuple of Prediction
        In the order of session ids.
    """
    read = read_sessions(model, frame)
    return tuple(prediction_of(model, read, i) for i in range(len(read.features.session_ids)))


def prediction_of(model: FusionModel, read: Read, i: int) -> Prediction:
    """The answer for one of the sessions read.

    Parameters
    ----------
    model : FusionModel
        Trained.
    read : Read
        Its sessions.
    i : int
        Which one.

    Returns
    -------
    Prediction
    """
    applied = read.applied
    centre = float(applied.log_odds[i])
    low, high = (float(v) for v in applied.interval[:, i])
    low, middle, high = (float(v) for v in sigmoid(np.array([low, centre, high])))
    reason = _why_not(model, float(applied.support[i]), float(applied.distance[i]))
    return Prediction(
        session_id=read.features.session_ids[i],
        target=model.target.name,
        probability=None if reason else middle,
        interval_low=None if reason else low,
        interval_high=None if reason else high,
        log_odds=centre,
        bias=float(applied.bias[i]),
        abstained=reason is not None,
        reason=reason,
        contributions=_contributions(model, read, i),
        support=float(applied.support[i]),
        distance=float(applied.distance[i]),
    )


def _why_not(model: FusionModel, support: float, distance: float) -> Reason | None:
    if support < model.min_support:
        return Reason.FEW_EVIDENCE
    return Reason.OUT_OF_DISTRIBUTION if distance > 1.0 else None


def _contributions(model: FusionModel, read: Read, i: int) -> tuple[Contribution, ...]:
    made = []
    for part in model.pipeline.parts:
        matrix, block = read.features.modalities[part.modality], read.blocks[part.modality]
        offset = 0.0 if block.offset is None else block.offset[i]
        reference = offset + np.where(np.isfinite(part.expert.scaler.scale), part.expert.scaler.location, np.nan)
        for j, name in enumerate(matrix.biomarkers):
            spans = (np.nan, np.nan) if matrix.spans is None else matrix.spans[:, i, j]
            made.append(
                Contribution(
                    modality=part.modality,
                    biomarker=name,
                    contribution=float(read.applied.contributions[part.modality][i, j]),
                    value=_known(matrix.values[i, j]),
                    reference=_known(reference[j]),
                    span_start_s=_known(spans[0]),
                    span_end_s=_known(spans[1]),
                )
            )
    return tuple(made)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
