"""A trained model on a recording that is being read for other reasons, too: frames in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import Event, Findings, FloatArray, Window
from cueflow.tasks.actions.answer.composite import Rule, find_composites
from cueflow.tasks.actions.answer.detect import events
from cueflow.tasks.actions.answer.measures import action_measures
from cueflow.tasks.actions.look.eyes import Eyes
from cueflow.tasks.actions.look.features import ClipFeatures, FeatureBuilder
from cueflow.tasks.actions.store.model import ActionModel, Steps, curves
from cueflow.tasks.video.decode import Gap
from cueflow.tasks.video.motion.backbone import CHUNK
from cueflow.tasks.windows import excluded, measuring_windows

if TYPE_CHECKING:
    from cueflow.schemas.session import Exclusion
    from cueflow.tasks.actions.look.words import Words


class ActionFeed:
    """Takes the frames that the video stage decodes and keeps what the model needs of them.

    Parameters
    ----------
    eyes : Eyes
        From `make_eyes`.
    rate_hz : float
        Frames a second at most.
    size : int
        Side of the backbone's input, pixels.
    words : Words, optional
        Descriptions that each frame is compared with.
    """

    def __init__(self, eyes: Eyes, *, rate_hz: float, size: int, words: Words | None = None) -> None:
        self.rate_hz = rate_hz
        self._eyes, self._size, self._words, self._gap = eyes, size, words, Gap(rate_hz)
        self._builder: FeatureBuilder | None = None
        self._times: list[float] = []
        self._pictures: list[NDArray[np.uint8]] = []

    def take(self, times_s: FloatArray, pictures: NDArray[np.uint8]) -> None:
        """Take decoded frames: stamps (n,) on the file's clock, uint8 RGB (n, height, width, 3)."""
        if self._builder is None:
            self._builder = FeatureBuilder(self._eyes, size=self._size, aspect=pictures.shape[2] / pictures.shape[1])
        for time, picture in zip(times_s, pictures, strict=True):
            if self._gap.keeps(float(time)):
                self._times.append(float(time))
                self._pictures.append(picture.copy())
            if len(self._times) == CHUNK:
                self._hand_over(self._builder)

    def _hand_over(self, builder: FeatureBuilder) -> None:
        pictures = np.stack(self._pictures)
        builder.add(np.array(self._times), pictures, None if self._words is None else self._words.scores(pictures))
        self._times, self._pictures = [], []

    def features(self) -> ClipFeatures | None:
        """Features of all frames taken; None where there were none."""
        if self._builder is None:
            return None
        if self._times:
            self._hand_over(self._builder)
        return self._builder.done()


def found_actions(model: ActionModel, steps: Steps, rules: Sequence[Rule]) -> tuple[Event, ...]:
    """Actions of a recording and the composites that the rules make of them.

    Parameters
    ----------
    model : ActionModel
        Trained.
    steps : Steps
        The recording; masked where nothing was or may be seen.
    rules : sequence of Rule
        Composite actions.

    Returns
    -------
    tuple of Event
        Kind "action", then kind "composite".
    """
    actions = events(model, curves(model, steps))
    return (*actions, *find_composites(rules, actions))


def without(steps: Steps, exclusions: Sequence[Exclusion]) -> Steps:
    """Steps with a gap in the place of every excluded span: what lies there is not looked at."""
    keep = ~excluded(steps.times_s, exclusions)
    return Steps(
        steps.times_s,
        steps.motion * keep[:, None],
        steps.appearance * keep[:, None],
        steps.speed * keep[:, None],
        steps.mask * keep,
    )


def add_actions(
    findings: Findings,
    features: ClipFeatures,
    model: ActionModel,
    *,
    rules: Sequence[Rule],
    start_s: float,
    phases: Sequence[Window],
    exclusions: Sequence[Exclusion],
) -> Findings:
    """A recording's findings with its actions among them.

    Parameters
    ----------
    findings : Findings
        Of the video stage.
    features : ClipFeatures
        From `ActionFeed`.
    model : ActionModel
        Trained.
    rules : sequence of Rule
        Composite actions.
    start_s : float
        The file's zero on the session clock, s.
    phases : sequence of Window
        Phases of the session.
    exclusions : sequence of Exclusion
        Spans that nothing may be read from.

    Returns
    -------
    Findings
    """
    steps = without(model.preparation.apply(features, model.setting, start_s=start_s), exclusions)
    rows = found_actions(model, steps, rules)
    composites = [label for label in dict.fromkeys(r.label for r in rules) if label not in model.classes]
    windows = measuring_windows(findings.start_s, findings.end_s, phases)
    seen = steps.times_s[steps.mask > 0]
    measures = action_measures(
        rows, model.classes, windows, composites=composites, seen_s=seen, step_s=1 / model.setting.rate_hz
    )
    joined = sorted((*findings.events, *rows), key=lambda e: (e.start_s, e.kind))
    return replace(findings, measures=(*findings.measures, *measures), events=tuple(joined))
