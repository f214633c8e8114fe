"""A trained action model: how features are prepared, the head, and what was learned about each class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.learn.head import ActionHead
from cueflow.tasks.actions.look.features import ClipFeatures
from cueflow.tasks.actions.look.sources import ATTENDED, SOURCES

CLIP_SD = 6.0
COMPONENTS = 16
WINDOW = 256  # steps
NEAR = 0.75  # of a step: a frame further away does not stand for it

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureSetting:
    """What the features were made with; a model is refused on others.

    `sources` are the motion sources it reads; `backbone` the name of the backbone, empty where it was a folder;
    `prompts` what an encoder of words looks for besides, with the hash of both; `inside_sha256` that of the adapter
    that the frames are looked at through.
    """

    backbone_sha256: str
    rate_hz: float
    size: int
    sources: tuple[str, ...]
    appearance: bool
    backbone: str = "dinov2_small"
    words_sha256: str = ""
    prompts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    inside_sha256: str = ""

    @property
    def attended(self) -> bool:
        """Whether attention has to be read."""
        return not ATTENDED.isdisjoint(self.sources)


@dataclass(frozen=True, slots=True)
class Steps:
    """A recording on an even grid.

    `times_s` (T,) on the session clock; `motion` (T, m), `appearance` (T, a) and `speed` (T, patches), 0 where
    nothing was seen; `mask` (T,) 1 where there is a frame.
    """

    times_s: FloatArray
    motion: Float32
    appearance: Float32
    speed: Float32
    mask: Float32


@dataclass(frozen=True, slots=True)
class Preparation:
    """Standardisation of motion and words (mean, scale) and the appearance's principal components, of training data."""

    motion_mean: Float32
    motion_scale: Float32
    appearance_mean: Float32
    components: Float32
    words_mean: Float32
    words_scale: Float32

    def apply(self, features: ClipFeatures, setting: FeatureSetting, *, start_s: float = 0.0) -> Steps:
        """Put a recording on the grid.

        Parameters
        ----------
        features : ClipFeatures
            On its own clock.
        setting : FeatureSetting
            Rate and sources.
        start_s : float, optional
            The recording's zero on the session clock, s.

        Returns
        -------
        Steps
            Each step has its nearest frame; where none is near there is a gap.
        """
        place, times = grid(features.times_s, setting.rate_hz)
        seen = place >= 0
        motion = (motion_columns(features, setting.sources) - self.motion_mean) / self.motion_scale
        motion[features.steps_s == 0] = 0.0
        looks = (appearance_columns(features, setting) - self.appearance_mean) @ self.components
        fits = (features.words - self.words_mean) / self.words_scale
        looks = np.concatenate([looks, fits], axis=1)
        return Steps(
            times + start_s,
            np.where(seen[:, None], np.clip(motion, -CLIP_SD, CLIP_SD)[place], 0).astype(np.float32),
            np.where(seen[:, None], np.clip(looks, -CLIP_SD, CLIP_SD)[place], 0).astype(np.float32),
            np.where(seen[:, None], features.speed[place], 0).astype(np.float32),
            seen.astype(np.float32),
        )


def grid(times_s: FloatArray, rate_hz: float) -> tuple[NDArray[np.int64], FloatArray]:
    """The frame nearest to each step of an even grid.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing stamps of the frames, s.
    rate_hz : float
        Steps a second.

    Returns
    -------
    tuple of ndarray, shape (T,)
        Index of the frame, -1 where none is within three quarters of a step; times of the steps.
    """
    count = round((times_s[-1] - times_s[0]) * rate_hz) + 1
    steps = times_s[0] + np.arange(count) / rate_hz
    after = np.clip(np.searchsorted(times_s, steps), 1, max(len(times_s) - 1, 1))
    after = np.minimum(after, len(times_s) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(steps - times_s[before] <= times_s[after] - steps, before, after)
    far = np.abs(times_s[nearest] - steps) > NEAR / rate_hz
    return np.where(far, -1, nearest), steps


def motion_columns(features: ClipFeatures, sources: tuple[str, ...]) -> Float32:
    """The chosen sources side by side, (n, m); magnitudes are compressed by a signed square root."""
    if not sources:
        return np.zeros((len(features), 0), np.float32)
    joined = np.concatenate([features.motion[name] for name in sources], axis=1)
    return np.asarray(np.sign(joined) * np.sqrt(np.abs(joined)), dtype=np.float32)


def appearance_columns(features: ClipFeatures, setting: FeatureSetting) -> Float32:
    """What the frames look like, (n, 2 × channels); no column where the setting does not read it."""
    return features.appearance.astype(np.float32) if setting.appearance else np.zeros((len(features), 0), np.float32)


def fit_preparation(
    clips: list[ClipFeatures],
    setting: FeatureSetting,
    *,
    components: int = COMPONENTS,
    directions: FloatArray | None = None,
) -> Preparation:
    """Learn the preparation from training recordings.

    Parameters
    ----------
    clips : list of ClipFeatures
        Of the training fold only.
    setting : FeatureSetting
        Which sources, and whether appearance is used.
    components : int, optional
        Principal components of the appearance, whitened.
    directions : ndarray, shape (2 × channels, k), optional
        Of the appearance, in their place.

    Returns
    -------
    Preparation
    """
    motion = np.concatenate([motion_columns(c, setting.sources)[c.steps_s > 0] for c in clips])
    looks = np.concatenate([appearance_columns(c, setting) for c in clips]).astype(np.float64)
    words = np.concatenate([c.words for c in clips])
    mean = looks.mean(axis=0)
    basis = np.zeros((looks.shape[1], 0))
    if directions is not None:
        basis = directions / np.maximum(((looks - mean) @ directions).std(axis=0), 1e-6)
    elif setting.appearance:
        values, vectors = np.linalg.eigh(np.cov(looks - mean, rowvar=False))
        top = np.argsort(values)[::-1][: min(components, len(looks) - 1)]
        basis = vectors[:, top] / np.sqrt(np.maximum(values[top], 1e-6))
    columns = sum(SOURCES[name] for name in setting.sources)
    return Preparation(
        motion.mean(axis=0).reshape(columns).astype(np.float32),
        np.maximum(motion.std(axis=0).reshape(columns), 1e-3).astype(np.float32),
        mean.astype(np.float32),
        basis.astype(np.float32),
        words.mean(axis=0),
        np.maximum(words.std(axis=0), 1e-4),
    )


@dataclass(frozen=True, slots=True)
class ActionModel:
    """Everything that is needed to find the actions of a recording.

    `thresholds` (C,) of the probability; `temperatures` (C,) divide the logits; `durations_s` (C,) are median lengths
    in training. `card` says what it was trained on and how it did on held-out subjects.
    """

    classes: tuple[str, ...]
    setting: FeatureSetting
    preparation: Preparation
    head: ActionHead
    thresholds: FloatArray
    temperatures: FloatArray
    durations_s: FloatArray
    card: dict[str, Any] = field(default_factory=dict)

    def parameters(self) -> int:
        """Numbers that were trained."""
        return sum(p.numel() for p in self.head.parameters())


@dataclass(frozen=True, slots=True)
class Curves:
    """What the model says of a recording.

    `probability` and `heat` (T, C), 0 to 1; `support` (T, C, C) or None without relations.
    """

    steps: Steps
    probability: FloatArray
    support: FloatArray | None
    heat: FloatArray


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Hann-weighted means over windows: `logits` and `heat` (T, C), `support` (T, C, C) or None without relations."""

    logits: FloatArray
    heat: FloatArray
    support: FloatArray | None


def curves(model: ActionModel, steps: Steps, *, window: int = WINDOW) -> Curves:
    """Probabilities of a recording of any length: overlapping windows, averaged with a Hann weight.

    Parameters
    ----------
    model : ActionModel
        Trained.
    steps : Steps
        The recording.
    window : int, optional
        Steps the head sees at once.

    Returns
    -------
    Curves
        Probability 0 where nothing was seen.
    """
    found = window_logits(model.head, steps, window=window)
    seen = steps.mask.astype(np.float64)[:, None]
    return Curves(steps, seen * _sigmoid(found.logits / model.temperatures), found.support, seen * _sigmoid(found.heat))


def _sigmoid(logits: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def window_logits(head: ActionHead, steps: Steps, *, window: int = WINDOW) -> WindowScores:
    """What a head says of a recording of any length, a window at a time.

    Parameters
    ----------
    head : ActionHead
        Trained.
    steps : Steps
        The recording.
    window : int, optional
        Steps the head sees at once; windows overlap by half.

    Returns
    -------
    WindowScores
    """
    count, classes = len(steps.times_s), head.shape.classes
    total, logits, heat = np.zeros(count), np.zeros((count, classes)), np.zeros((count, classes))
    support = np.zeros((count, classes, classes)) if head.shape.relations else None
    head.eval()
    for first in range(0, max(1, count - window // 2), window // 2):
        part = slice(first, min(first + window, count))
        length = part.stop - part.start
        weight = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length) + 1e-3
        with torch.inference_mode():
            given = [torch.from_numpy(x[part])[None] for x in (steps.motion, steps.appearance, steps.mask)]
            scores = head(*given)
        logits[part] += weight[:, None] * scores.final[0].double().numpy()
        heat[part] += weight[:, None] * scores.heat[0].double().numpy()
        if support is not None and scores.adjacency is not None:
            support[part] += weight[:, None, None] * scores.adjacency[0].double().numpy()
        total[part] += weight
    return WindowScores(
        logits / total[:, None],
        heat / total[:, None],
        None if support is None else support / total[:, None, None],
    )
