"""Because of what, when, and how sure: one session's answer, taken apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.answer.counterfactual import Change, counterfactual
from cueflow.tasks.fusion.answer.over_time import Step, VisitChange, has_windows, trajectory, visit_change
from cueflow.tasks.fusion.answer.predict import Read, prediction_of, read_sessions
from cueflow.tasks.fusion.data.baseline import Baseline, own_references, subject_key
from cueflow.tasks.fusion.data.features import Matrix
from cueflow.tasks.fusion.learn.apply import apply_pipeline, said_of
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.learn.spread import possible_labels
from cueflow.tasks.fusion.learn.stability import spearman
from cueflow.tasks.fusion.store.model import FusionModel

if TYPE_CHECKING:
    import polars as pl

BIOMARKERS_MAX = 5  # whose events are listed
EVENTS_MAX = 5
FIRM_MAX = 10


@dataclass(frozen=True, slots=True)
class Without:
    """The answer without one modality; None where nothing would be left."""

    modality: str
    probability: float | None
    present: bool | None


@dataclass(frozen=True, slots=True)
class Usual:
    """What a biomarker usually is in this person: the median of `sessions` of its sessions."""

    modality: str
    biomarker: str
    value: float
    sessions: int


@dataclass(frozen=True, slots=True)
class Firm:
    """Where a contribution lies over refits to resampled persons: its 5th and 95th percentile."""

    modality: str
    biomarker: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EventLink:
    """An event inside the span that a contribution's value comes from, the `number`th of `of` of its kind there."""

    modality: str
    biomarker: str
    kind: str
    label: str
    start_s: float
    end_s: float
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """One session's answer taken apart.

    `possible` are the labels that cannot be ruled out at the model's level; `modalities` the sums of contributions;
    `own_baseline` says whether references are the person's own; `counterfactual` is the smallest change inside the
    observed range that flips the answer, empty where there is none; `usual` the person's own values where the table
    (or the model) has three sessions; `firm` how the strongest contributions vary over refits, and `agreement` the mean
    rank agreement of their reasons with the ones given; `trajectory` and `change` are over time, where asked for;
    `sentences` say it all in words.
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
    usual: tuple[Usual, ...]
    firm: tuple[Firm, ...]
    agreement: float
    trajectory: tuple[Step, ...]
    change: VisitChange | None
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        made = asdict(self)
        made["agreement"] = float(self.agreement) if np.isfinite(self.agreement) else None
        made["possible"] = list(self.possible)
        made["modalities"] = [{"modality": name, "contribution": total} for name, total in self.modalities]
        return made


def explain(
    model: FusionModel,
    frame: pl.DataFrame,
    session_id: str,
    *,
    events: pl.DataFrame | None = None,
    since: str | None = None,
    most_events: int | None = EVENTS_MAX,
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
    since : str, optional
        An earlier session of the same person: how the answer changed since then.
    most_events : int, optional
        How many events of each kind are listed for a biomarker, the first ones; None lists all.

    Returns
    -------
    Explanation
        With a trajectory where the table has phases or windows of the session.

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
    firm, agreement = _stability(model, read, i)
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
        events=_events(prediction, events, most_events),
        usual=_usual(model, read, i),
        firm=firm,
        agreement=agreement,
        trajectory=trajectory(model, frame, session_id) if has_windows(model, frame, session_id) else (),
        change=None if since is None else visit_change(model, frame, since, session_id),
        sentences=(),
    )
    from cueflow.tasks.fusion.answer.words import sentences

    return replace(bare, sentences=sentences(bare, model))


def _stability(model: FusionModel, read: Read, i: int) -> tuple[tuple[Firm, ...], float]:
    """Contributions of the session over the refits, and how well their order agrees with the one given."""
    row = np.array([i])
    blocks = {name: block.rows(row) for name, block in read.blocks.items()}
    given = np.concatenate([values[i] for values in read.applied.contributions.values()])
    found = []
    for refit in model.refits:
        said = apply_pipeline(refit.of(model.pipeline), blocks, read.reliability[row], with_interval=False)
        found.append(np.concatenate([values[0] for values in said.contributions.values()]))
    if not found:
        return (), float("nan")
    ranks = [spearman(np.abs(one), np.abs(given)) for one in found]
    known = [rank for rank in ranks if np.isfinite(rank)]
    low, high = np.quantile(np.stack(found), (0.05, 0.95), axis=0)
    names = [(part.modality, name) for part in model.pipeline.parts for name in model.columns[part.modality]]
    order = [k for k in np.argsort(-np.abs(given)) if given[k] != 0][:FIRM_MAX]
    firm = tuple(Firm(names[k][0], names[k][1], float(low[k]), float(high[k])) for k in order)
    return firm, float(np.mean(known)) if known else float("nan")


def _usual(model: FusionModel, read: Read, i: int) -> tuple[Usual, ...]:
    """The person's own usual values, from its sessions in the table or, where those are few, from the model."""
    features, made = read.features, []
    who = features.subject_ids[i]
    mine = np.array([subject == who for subject in features.subject_ids])
    for part in model.pipeline.parts:
        matrix = features.modalities[part.modality]
        few = Matrix(matrix.biomarkers, matrix.values[mine], matrix.reliability[mine])
        own = own_references(few, [who] * int(mine.sum()))[subject_key(who)]
        own = dict(model.references.get(part.modality, {})).get(subject_key(who), own)
        made += [
            Usual(part.modality, name, float(own.location[j]), int(own.count[j]))
            for j, name in enumerate(matrix.biomarkers)
            if np.isfinite(own.location[j])
        ]
    return tuple(made)


def _without(model: FusionModel, read: Read, i: int) -> tuple[Without, ...]:
    made = []
    blocks, reliability = (
        {name: block.rows(np.array([i])) for name, block in read.blocks.items()},
        read.reliability[[i]],
    )
    for m, part in enumerate(model.pipeline.parts):
        if reliability[0, m] <= 0:
            continue
        less = reliability.copy()
        less[0, m] = 0.0
        if (less > 0).any():
            probability = float(sigmoid(said_of(model.pipeline, blocks, less))[0])
            made.append(Without(part.modality, probability, probability >= model.decision))
        else:
            made.append(Without(part.modality, None, None))
    return tuple(made)


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


def _events(prediction: Prediction, events: pl.DataFrame | None, most: int | None) -> tuple[EventLink, ...]:
    """Events of the same modality inside the spans of the strongest contributions, the first ones of each kind."""
    import polars as pl

    if events is None:
        return ()
    mine = events.filter(pl.col("session_id").cast(pl.String) == prediction.session_id)
    kind = ["kind", "label"]
    made = []
    for entry in strongest(prediction, most=BIOMARKERS_MAX):
        if entry.span_start_s is None or entry.span_end_s is None:
            continue
        inside = mine.filter(
            (pl.col("source") == entry.modality)
            & (pl.col("start_s") < entry.span_end_s)
            & (pl.col("end_s") >= entry.span_start_s)
        ).sort(*kind, "start_s", "end_s")
        counted = inside.with_columns(number=pl.int_range(1, pl.len() + 1).over(kind), of=pl.len().over(kind))
        few = counted if most is None else counted.filter(pl.col("number") <= most)
        named = few.select(*kind, "start_s", "end_s", "number", "of").iter_rows()
        made += [EventLink(entry.modality, entry.biomarker, *row) for row in named]
    return tuple(made)
