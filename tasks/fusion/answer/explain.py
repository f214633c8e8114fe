"""Because of what, when, and how sure: one session's answer, taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.answer.predict import Read, prediction_of, read_sessions
from cueflow.tasks.fusion.data.baseline import Baseline
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.learn.apply import fuse_alone
from cueflow.tasks.fusion.learn.linear import logit, sigmoid
from cueflow.tasks.fusion.learn.pipeline import Part
from cueflow.tasks.fusion.learn.spread import possible_labels
from cueflow.tasks.fusion.store.model import FusionModel

if TYPE_CHECKING:
    import polars as pl

GRID = 129
CHANGES_MAX = 6
MARGIN = 1e-6
EVENTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Change:
    """A value that would have to be another one; `steps` is the change in scales of the cohort."""

    modality: str
    biomarker: str
    value: float
    wanted: float
    steps: float


@dataclass(frozen=True, slots=True)
class Without:
    """The answer without one modality; None where nothing would be left."""

    modality: str
    probability: float | None
    present: bool | None


@dataclass(frozen=True, slots=True)
class EventLink:
    """An event inside the span that a contribution's value comes from."""

    modality: str
    biomarker: str
    kind: str
    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """One session's answer taken apart.

    `possible` are the labels that cannot be ruled out at the model's level; `modalities` the sums of contributions;
    `own_baseline` says whether references are the person's own; `counterfactual` is the smallest change inside the
    observed range that flips the answer, empty where there is none; `sentences` say it all in words.
    """

    prediction: Prediction
    present: bool
    decision: float
    possible: tuple[str, ...]
    modalities: tuple[tuple[str, float], ...]
    own_baseline: bool
    without: tuple[Without, ...]
    counterfactual: tuple[Change, ...]
    events: tuple[EventLink, ...]
    agreement: float
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        made = asdict(self)
        made["agreement"] = float(self.agreement) if np.isfinite(self.agreement) else None
        made["modalities"] = [{"modality": name, "contribution": total} for name, total in self.modalities]
        return made


def explain(
    model: FusionModel, frame: pl.DataFrame, session_id: str, *, events: pl.DataFrame | None = None
) -> Explanation:
    """Take one session's answer apart.

    Parameters
    ----------
    model : FusionModel
        Trained.
    frame : polars.DataFrame
        Long table with the session, and for a subject baseline the person's other sessions.
    session_id : str
        Which session.
    events : polars.DataFrame, optional
        The `events` table: session_id, kind, label, start_s, end_s, source.

    Returns
    -------
    Explanation

    Raises
    ------
    FusionError
        If the table cannot be used or does not hold the session.
    """
    read = read_sessions(model, frame)
    if session_id not in read.features.session_ids:
        raise FusionError(f"session {session_id!r} is not in the table", reason=Reason.CONFIG_INVALID)
    i = read.features.session_ids.index(session_id)
    prediction = prediction_of(model, read, i)
    probability = float(sigmoid(np.array([read.applied.log_odds[i]]))[0])
    names = ("absent", "present")
    sums: dict[str, float] = {}
    for entry in prediction.contributions:
        sums[entry.modality] = sums.get(entry.modality, 0.0) + entry.contribution
    bare = Explanation(
        prediction=prediction,
        present=probability >= model.decision,
        decision=model.decision,
        possible=tuple(names[label] for label in possible_labels(probability, model.pipeline.strangeness)),
        modalities=tuple(sorted(sums.items(), key=lambda pair: -abs(pair[1]))),
        own_baseline=model.pipeline.settings.baseline in {Baseline.SUBJECT, Baseline.PHASE},
        without=_without(model, read, i),
        counterfactual=counterfactual(model, read, i),
        events=_events(prediction, events),
        agreement=model.agreement,
        sentences=(),
    )
    from cueflow.tasks.fusion.answer.words import sentences

    return replace(bare, sentences=sentences(bare, model))


def _without(model: FusionModel, read: Read, i: int) -> tuple[Without, ...]:
    made = []
    alone, reliability = read.applied.alone[[i]], read.reliability[[i]]
    for m, part in enumerate(model.pipeline.parts):
        if reliability[0, m] <= 0:
            continue
        less = reliability.copy()
        less[0, m] = 0.0
        if (less > 0).any():
            probability = float(sigmoid(fuse_alone(model.pipeline, alone, less))[0])
            made.append(Without(part.modality, probability, probability >= model.decision))
        else:
            made.append(Without(part.modality, None, None))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What a biomarker could do: scaled values of a grid and the log-odds they would add to the present ones."""

    part: Part
    j: int
    value: float
    here: float
    grid: FloatArray
    gain: FloatArray


def counterfactual(model: FusionModel, read: Read, i: int) -> tuple[Change, ...]:
    """The smallest change, inside the range seen in training, that flips the answer.

    One biomarker if one suffices (the one with the shortest way), otherwise the most effective ones together.

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
    tuple of Change
        Empty where even six changes do not flip it.
    """
    log_odds, border = float(read.applied.log_odds[i]), logit(model.decision)
    up = log_odds < border
    needed = (border - log_odds) + (MARGIN if up else -MARGIN)
    offers = [offer for m in range(len(model.pipeline.parts)) for offer in _offers(model, read, i, m)]
    single = [found for offer in offers if (found := _shortest(offer, needed)) is not None]
    if single:
        offer, k = min(single, key=lambda pair: abs(pair[0].grid[pair[1]] - pair[0].here))
        return (_change(offer, k, read, i),)
    return _together(offers, needed, read, i)


def _offers(model: FusionModel, read: Read, i: int, m: int) -> list[_Offer]:
    part = model.pipeline.parts[m]
    block, matrix = read.blocks[part.modality].rows(np.array([i])), read.features.modalities[part.modality]
    gamma, joint = model.pipeline.final.slope, model.pipeline.joint
    factor = gamma * float(read.applied.weights[i, m]) * part.platt.slope
    scaled = part.expert.scaler.apply(block)[0]
    p = scaled.size
    steps = np.linspace(0.0, 1.0, GRID)[:, None]
    low, high = part.expert.scaler.low, part.expert.scaler.high
    grid = low + steps * (high - low)
    gain = factor * (part.expert.terms_of(grid) - part.expert.terms_of(scaled[None, :]))
    if joint is not None:
        share = gamma * float(joint.shares(model.pipeline, read.reliability[[i]])[0]) * joint.platt.slope
        own = joint.expert.columns(_start(model, m), p)
        gain = gain + share * (own.terms_of(grid) - own.terms_of(scaled[None, :]))
    known = [j for j in range(p) if np.isfinite(scaled[j])]
    return [_Offer(part, j, float(matrix.values[i, j]), float(scaled[j]), grid[:, j], gain[:, j]) for j in known]


def _start(model: FusionModel, m: int) -> int:
    return sum(part.importance.size for part in model.pipeline.parts[:m])


def _shortest(offer: _Offer, needed: float) -> tuple[_Offer, int] | None:
    enough = np.flatnonzero(offer.gain >= needed if needed > 0 else offer.gain <= needed)
    if not enough.size:
        return None
    return offer, int(enough[np.abs(offer.grid[enough] - offer.here).argmin()])


def _together(offers: Sequence[_Offer], needed: float, read: Read, i: int) -> tuple[Change, ...]:
    sign = 1.0 if needed > 0 else -1.0
    ranked = sorted(offers, key=lambda offer: -float((sign * offer.gain).max()))
    made, left = [], needed
    for offer in ranked[:CHANGES_MAX]:
        last = _shortest(offer, left)
        k = last[1] if last is not None else int((sign * offer.gain).argmax())
        made.append(_change(offer, k, read, i))
        left -= float(offer.gain[k])
        if sign * left <= 0:
            return tuple(made)
    return ()


def _change(offer: _Offer, k: int, read: Read, i: int) -> Change:
    part, j = offer.part, offer.j
    block = read.blocks[part.modality].rows(np.array([i]))
    scale = np.broadcast_to(part.expert.scaler.scales(block), block.difference.shape)[0, j]
    own = 0.0 if block.offset is None else float(block.offset[0, j])
    wanted = own + float(part.expert.scaler.location[j]) + float(offer.grid[k]) * float(scale)
    name = read.features.modalities[part.modality].biomarkers[j]
    return Change(part.modality, name, offer.value, wanted, float(offer.grid[k] - offer.here))


def strongest(prediction: Prediction, *, most: int) -> list[Contribution]:
    """The contributions that matter most.

    Parameters
    ----------
    prediction : Prediction
        Of a session.
    most : int
        At most this many.

    Returns
    -------
    list of Contribution
        Strongest first; none that adds nothing.
    """
    ranked = sorted(prediction.contributions, key=lambda entry: -abs(entry.contribution))
    return [entry for entry in ranked[:most] if entry.contribution != 0]


def _events(prediction: Prediction, events: pl.DataFrame | None) -> tuple[EventLink, ...]:
    """Events of the same modality inside the spans of the strongest contributions."""
    import polars as pl

    if events is None:
        return ()
    mine = events.filter(pl.col("session_id").cast(pl.String) == prediction.session_id)
    made = []
    for entry in strongest(prediction, most=EVENTS_MAX):
        if entry.span_start_s is None or entry.span_end_s is None:
            continue
        inside = mine.filter(
            (pl.col("source") == entry.modality)
            & (pl.col("start_s") < entry.span_end_s)
            & (pl.col("end_s") >= entry.span_start_s)
        ).sort("start_s")
        made += [
            EventLink(entry.modality, entry.biomarker, row["kind"], row["label"], row["start_s"], row["end_s"])
            for row in inside.head(EVENTS_MAX).iter_rows(named=True)
        ]
    return tuple(made)
