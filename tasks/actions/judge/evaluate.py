"""How well actions are found in subjects that the model has not met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.answer.detect import candidates, intervals, span_seconds
from cueflow.tasks.actions.data.labels import step_labels
from cueflow.tasks.actions.judge.metrics import (
    SEGMENT_TIOU,
    TIOU,
    Interval,
    conditional_scores,
    event_map,
    frame_ap,
    frame_map,
    segment_f1,
)
from cueflow.tasks.actions.learn.training import Clip, TrainOptions, subject_folds, train
from cueflow.tasks.actions.store.model import ActionModel, FeatureSetting, curves

LAGS_S = (0.0, 5.0, 10.0)
RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class Judged:
    """One recording with its answer: probability, detected and true labels (T, C) of the steps that were seen."""

    session_id: str
    subject_id: str
    probability: FloatArray
    on: NDArray[np.bool_]
    truth: FloatArray
    ranked: tuple[Interval, ...]
    reported: tuple[Interval, ...]
    true: tuple[Interval, ...]


def judge(model: ActionModel, clip: Clip) -> Judged:
    """Apply a model to an annotated recording.

    Parameters
    ----------
    model : ActionModel
        Trained without this subject.
    clip : Clip
        Annotated.

    Returns
    -------
    Judged
    """
    steps = model.preparation.apply(clip.features, model.setting, start_s=clip.start_s)
    found = curves(model, steps)
    seen = steps.mask > 0

    def named(spans: Mapping[str, Sequence[Any]]) -> tuple[Interval, ...]:
        return tuple(
            Interval(clip.session_id, label, *span_seconds(model, found, s), s.score)
            for label, group in spans.items()
            for s in group
        )

    return Judged(
        clip.session_id,
        clip.subject_id,
        found.probability[seen],
        (found.probability >= model.thresholds)[seen],
        step_labels(clip.actions, steps.times_s, model.classes)[seen],
        named(candidates(model, found)),
        named(intervals(model, found)),
        tuple(Interval(clip.session_id, a.label, a.start_s, a.end_s) for a in clip.actions if a.label in model.classes),
    )


def cross_validate(
    clips: Sequence[Clip],
    classes: Sequence[str],
    setting: FeatureSetting,
    *,
    folds: int,
    options: TrainOptions | None = None,
    progress: Callable[[float], None] | None = None,
) -> list[Judged]:
    """Answers for every recording from models that were trained without its subject.

    Parameters
    ----------
    clips : sequence of Clip
        Annotated recordings.
    classes : sequence of str
        What to find.
    setting : FeatureSetting
        Features.
    folds : int
        By subject.
    options : TrainOptions, optional
        How to train.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    list of Judged
    """
    options = options or TrainOptions()
    judged = []
    for number, out in enumerate(subject_folds([c.subject_id for c in clips], folds, seed=options.seed)):
        model = train(
            [c for c in clips if c.subject_id not in out],
            classes,
            setting,
            options=options,
            progress=None if progress is None else lambda share, n=number: progress((n + share) / folds),  # type: ignore[misc]
        )
        judged += [judge(model, c) for c in clips if c.subject_id in out]
    return judged


def report(judged: Sequence[Judged], classes: Sequence[str], *, rate_hz: float, seed: int = 0) -> dict[str, Any]:
    """All figures, ready for JSON.

    Parameters
    ----------
    judged : sequence of Judged
        Recordings.
    classes : sequence of str
        Order of the columns.
    rate_hz : float
        Steps a second.
    seed : int, optional
        Of the bootstrap over subjects.

    Returns
    -------
    dict
        `frame_map` (over classes that occur), `event_map` at tIoU .3, .5 and the mean over .1 to .9, `segment_f1` by
        tIoU, `conditional` by lag in s, `per_class` (frame AP, chance, examples), `subjects`, `ci` (2.5 and 97.5
        percentile of frame_map over resampled subjects). None where a figure is undefined.
    """
    scores, truth = (np.concatenate([getattr(j, n) for j in judged]) for n in ("probability", "truth"))
    on = np.concatenate([j.on for j in judged])
    which = np.repeat(np.arange(len(judged)), [len(j.truth) for j in judged])
    ranked, reported, true = ([x for j in judged for x in getattr(j, n)] for n in ("ranked", "reported", "true"))
    by_tiou = {t: event_map(ranked, true, classes, least=t) for t in TIOU}
    conditional = {}
    for lag in LAGS_S:
        values = conditional_scores(on, truth > 0, which, tau=round(lag * rate_hz))
        conditional[f"{lag:g}"] = dict(zip(("precision", "recall", "f1"), values, strict=True))
    found = {
        "frame_map": frame_map(scores, truth),
        "event_map": {"0.3": by_tiou[0.3], "0.5": by_tiou[0.5], "mean": float(np.mean(list(by_tiou.values())))},
        "segment_f1": {f"{t:g}": segment_f1(reported, true, classes, least=t) for t in SEGMENT_TIOU},
        "conditional": conditional,
        "per_class": {
            name: {"frame_ap": ap, "chance": share, "examples": sum(x.label == name for x in true)}
            for name, ap, share in zip(classes, frame_ap(scores, truth).tolist(), truth.mean(0).tolist(), strict=True)
        },
        "subjects": len({j.subject_id for j in judged}),
        "ci": {"frame_map": bootstrap(judged, seed=seed)},
    }
    return _plain(found)  # type: ignore[no-any-return]


def bootstrap(judged: Sequence[Judged], *, seed: int, resamples: int = RESAMPLES) -> list[float]:
    """Percentile interval (95 %) of the frame mAP when subjects are drawn anew with replacement."""
    by_subject: dict[str, list[Judged]] = {}
    for j in judged:
        by_subject.setdefault(j.subject_id, []).append(j)
    groups, rng = list(by_subject.values()), np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = [j for k in rng.integers(len(groups), size=len(groups)) for j in groups[k]]
        values.append(
            frame_map(np.concatenate([j.probability for j in drawn]), np.concatenate([j.truth for j in drawn]))
        )
    return [float(x) for x in np.nanpercentile(values, [2.5, 97.5])] if not np.isnan(values).all() else []


def _plain(value: Any) -> Any:  # noqa: ANN401 - a JSON value
    """Numbers to four digits; what is not a number becomes None."""
    if isinstance(value, dict):
        return {key: _plain(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_plain(x) for x in value]
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return value
