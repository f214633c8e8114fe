"""Train an action head on the cached features of annotated recordings; subjects held out decide when to stop."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.data.labels import Action, step_labels
from cueflow.tasks.actions.judge.metrics import frame_map
from cueflow.tasks.actions.learn.head import ActionHead, HeadShape, action_loss
from cueflow.tasks.actions.learn.relations import class_prior, lag_steps, lagged_prior
from cueflow.tasks.actions.learn.trunk import heat_target
from cueflow.tasks.actions.look.features import ClipFeatures
from cueflow.tasks.actions.look.sources import SOURCES
from cueflow.tasks.actions.store.model import (
    ActionModel,
    FeatureSetting,
    Preparation,
    Steps,
    fit_preparation,
    window_logits,
)

MIN_TRAIN_SUBJECTS = 3
LENGTH = 256  # steps of a training window
HELD_OUT = 0.2
TRUSTS = (0.0, 0.5)  # beside 1
CLEARLY = 0.05  # of frame mAP
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0)
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(2, 19))

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Clip:
    """One annotated recording: features on the file's clock, actions on the session's, `start_s` between them."""

    session_id: str
    subject_id: str
    features: ClipFeatures
    actions: tuple[Action, ...]
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How to train; equal seeds give equal models on one machine.

    `unit` is the temporal adapter before the head, empty for none; `cover` how often an epoch's windows cover each
    recording; `batch` windows make a step.
    """

    epochs: int = 60
    patience: int = 12
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    width: int = 48
    relations: bool = True
    unit: str = ""
    cover: float = 2.0
    batch: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Data:
    """Prepared recordings, their labels (T, C) and what the heat map should be (T, C), side by side."""

    steps: list[Steps]
    labels: list[FloatArray]
    heat: list[FloatArray]


def subject_folds(subjects: Sequence[str], folds: int, *, seed: int) -> list[frozenset[str]]:
    """Deal the subjects into folds of nearly equal size.

    Parameters
    ----------
    subjects : sequence of str
        One entry a session; each subject is dealt once.
    folds : int
        How many.
    seed : int
        Of the shuffle.

    Returns
    -------
    list of frozenset of str
        Disjoint; together all subjects.

    Raises
    ------
    ModelError
        If there are fewer subjects than folds.
    """
    names = sorted(set(subjects))
    if len(names) < folds:
        raise ModelError(
            f"{len(names)} subject(s) are too few for {folds} folds; annotate more or ask for fewer",
            reason=Reason.FEW_SUBJECTS,
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return [frozenset(names[i] for i in order[k::folds]) for k in range(folds)]


def train(
    clips: Sequence[Clip],
    classes: Sequence[str],
    setting: FeatureSetting,
    *,
    options: TrainOptions | None = None,
    directions: FloatArray | None = None,
    progress: Progress | None = None,
) -> ActionModel:
    """Train a model; a fifth of the subjects is held out for early stopping, temperatures and thresholds.

    Parameters
    ----------
    clips : sequence of Clip
        Annotated recordings.
    classes : sequence of str
        What to find.
    setting : FeatureSetting
        What the features were made with and which of them are read.
    options : TrainOptions, optional
        Sizes, length, seed.
    directions : ndarray, optional
        In which the appearance is read, see `fit_preparation`.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    ActionModel

    Raises
    ------
    ModelError
        If there is no class, or there are fewer than three subjects.
    """  # noqa: DOC502  raised by `held_out`
    options = options or TrainOptions()
    subjects = sorted({c.subject_id for c in clips})
    held = held_out(subjects, classes, seed=options.seed)
    learn = [c for c in clips if c.subject_id not in held]
    judge = [c for c in clips if c.subject_id in held]
    preparation = fit_preparation([c.features for c in learn], setting, directions=directions)
    taught, judged = (_prepared(part, classes, setting, preparation) for part in (learn, judge))
    shape = HeadShape(
        motion=sum(SOURCES[name] for name in setting.sources),
        appearance=preparation.components.shape[1] + len(preparation.words_mean),
        classes=len(classes),
        width=options.width,
        relations=options.relations,
        unit=options.unit,
        lags=lag_steps(setting.rate_hz),
    )
    head, best, epochs = _fit(shape, taught, judged, options=options, progress=progress)
    temperatures, thresholds = _calibrate(head, judged)
    card = {
        "subjects": len(subjects),
        "sessions": len(clips),
        "held_out_subjects": len(held),
        "held_out_frame_map": None if math.isnan(best) else round(best, 4),
        "epochs": epochs,
        "trust_in_appearance": float(head.trust),
        "seed": options.seed,
        "met": sorted(subject_digest(s) for s in subjects),
        "examples": {c: sum(a.label == c for clip in clips for a in clip.actions) for c in classes},
    }
    return ActionModel(
        classes=tuple(classes),
        setting=setting,
        preparation=preparation,
        head=head,
        thresholds=thresholds,
        temperatures=temperatures,
        durations_s=np.array([_typical_s(clips, c) for c in classes]),
        card=card,
    )


def held_out(subjects: Sequence[str], classes: Sequence[str], *, seed: int) -> frozenset[str]:
    """The fifth of the subjects that decides when to stop.

    Parameters
    ----------
    subjects : sequence of str
        All that are annotated.
    classes : sequence of str
        What to find.
    seed : int
        Of the draw.

    Returns
    -------
    frozenset of str

    Raises
    ------
    ModelError
        If there is no class, or there are fewer than three subjects.
    """
    names = sorted(set(subjects))
    if not classes:
        raise ModelError(
            "No label has two examples in two subjects; annotate more sessions", reason=Reason.FEW_SUBJECTS
        )
    if len(names) < MIN_TRAIN_SUBJECTS:
        raise ModelError(
            f"{len(names)} annotated subject(s) are too few; at least {MIN_TRAIN_SUBJECTS} are needed",
            reason=Reason.FEW_SUBJECTS,
        )
    order = np.random.default_rng(seed).permutation(len(names))
    return frozenset(names[i] for i in order[: max(1, round(HELD_OUT * len(names)))])


def _typical_s(clips: Sequence[Clip], label: str) -> float:
    """Median length of a class, s; a class that a fold has no example of gets a second, and is not found anyway."""
    lengths = [a.end_s - a.start_s for clip in clips for a in clip.actions if a.label == label]
    return float(np.median(lengths)) if lengths else 1.0


def subject_digest(subject_id: str) -> str:
    """A subject in a model's card: enough to say later that the model has met them, not who they are."""
    return hashlib.sha256(f"cueflow action model {subject_id}".encode()).hexdigest()[:16]


def _prepared(
    clips: Sequence[Clip], classes: Sequence[str], setting: FeatureSetting, preparation: Preparation
) -> _Data:
    steps = [preparation.apply(c.features, setting, start_s=c.start_s) for c in clips]
    labels = [step_labels(c.actions, s.times_s, classes) for c, s in zip(clips, steps, strict=True)]
    return _Data(steps, labels, [heat_target(torch.from_numpy(x)).numpy() for x in labels])


def _fit(
    shape: HeadShape, taught: _Data, judged: _Data, *, options: TrainOptions, progress: Progress | None
) -> tuple[ActionHead, float, int]:
    """The head of the best epoch, its frame mAP on the held-out subjects (NaN if they show no class), the epoch."""
    rng = np.random.default_rng(options.seed)
    tables = [torch.from_numpy(x).float() for x in taught.labels]
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        head = ActionHead(shape, class_prior(tables), lagged_prior(tables, shape.lags))
        weights = positive_weights(torch.cat(tables))
        optimiser = torch.optim.AdamW(head.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
        best, kept, when = -math.inf, head.state_dict(), 0
        for epoch in range(options.epochs):
            head.train()
            for group in optimiser.param_groups:
                group["lr"] = options.learning_rate * _rate(epoch, options.epochs)
            for batch in _batches(taught, rng, options):
                loss = action_loss(head(*batch[:3]), batch[3], batch[2], weights=weights, heat=batch[4])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
                optimiser.step()
            found = _judge(head, judged)
            if found > best or math.isnan(found):
                best, when = found, epoch + 1
                kept = {name: value.clone() for name, value in head.state_dict().items()}
            if progress is not None:
                progress((epoch + 1) / options.epochs)
            if epoch + 1 - when >= options.patience:
                break
    head.load_state_dict(kept)
    return head.eval(), _trust_appearance(head, judged, best), when


def _trust_appearance(head: ActionHead, judged: _Data, best: float) -> float:
    """Let the appearance count no more than it clearly helps on the held-out subjects; the frame mAP reached there."""
    if not (head.shape.motion and head.shape.appearance) or math.isnan(best):
        return best
    reached = {1.0: best}
    for trust in TRUSTS:
        head.trust.fill_(trust)
        reached[trust] = _judge(head, judged)
    # those are few, and one of them can look like a class by chance
    chosen = min(trust for trust, found in reached.items() if found >= max(reached.values()) - CLEARLY)
    head.trust.fill_(chosen)
    return reached[chosen]


def _judge(head: ActionHead, data: _Data) -> float:
    logits = np.concatenate([window_logits(head, s).logits[s.mask > 0] for s in data.steps])
    truth = np.concatenate([x[s.mask > 0] for x, s in zip(data.labels, data.steps, strict=True)])
    return frame_map(logits, truth)


def positive_weights(table: Tensor) -> Tensor:
    """Weight of a positive: square root of negatives over positives, 1 to 5; (n, C) gives (C,)."""
    share = table.mean(0).clamp(min=1e-4)
    return ((1 - share) / share).sqrt().clamp(1.0, 5.0)


def _rate(epoch: int, epochs: int) -> float:
    """Share of the learning rate: a tenth of the epochs to warm up, then down along a cosine."""
    warm = max(1, epochs // 10)
    if epoch < warm:
        return (epoch + 1) / (warm + 1)
    return 0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * (epoch - warm) / max(1, epochs - warm)))


def _batches(data: _Data, rng: np.random.Generator, options: TrainOptions) -> list[tuple[Tensor, ...]]:
    """Random windows that cover each recording about `cover` times, in random order, some at a time."""
    parts = []
    for index, steps in enumerate(data.steps):
        room = max(0, len(steps.times_s) - LENGTH)
        for _ in range(max(1, math.ceil(options.cover * len(steps.times_s) / LENGTH))):
            parts.append((index, int(rng.integers(room + 1))))
    order = rng.permutation(len(parts))
    windows = [_window(data, *parts[i]) for i in order]
    groups = [windows[k : k + options.batch] for k in range(0, len(windows), options.batch)]
    return [tuple(torch.stack(column) for column in zip(*g, strict=True)) for g in groups]


def _window(data: _Data, index: int, first: int) -> tuple[Tensor, ...]:
    steps, part = data.steps[index], slice(first, first + LENGTH)
    columns = (steps.motion, steps.appearance, steps.mask, data.labels[index], data.heat[index])
    return tuple(_padded(torch.from_numpy(x[part]).float()) for x in columns)


def _padded(rows: Tensor) -> Tensor:
    missing = LENGTH - len(rows)
    return rows if not missing else torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])


def _calibrate(head: ActionHead, data: _Data) -> tuple[FloatArray, FloatArray]:
    """Temperature of each class by cross-entropy, then its threshold by frame F1, both on held-out subjects."""
    logits = np.concatenate([window_logits(head, s).logits[s.mask > 0] for s in data.steps])
    truth = np.concatenate([x[s.mask > 0] for x, s in zip(data.labels, data.steps, strict=True)])
    temperatures, thresholds = np.ones(truth.shape[1]), np.full(truth.shape[1], 0.5)
    for c in np.flatnonzero(truth.any(axis=0)):
        losses = [np.logaddexp(0, (1 - 2 * truth[:, c]) * logits[:, c] / t).mean() for t in TEMPERATURES]
        temperatures[c] = TEMPERATURES[int(np.argmin(losses))]
        probability = 1 / (1 + np.exp(-np.clip(logits[:, c] / temperatures[c], -60, 60)))
        thresholds[c] = THRESHOLDS[int(np.argmax([_f1(probability >= t, truth[:, c] > 0) for t in THRESHOLDS]))]
    return temperatures, thresholds


def _f1(on: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    total = on.sum() + truth.sum()
    return float(2 * (on & truth).sum() / total) if total else 0.0
