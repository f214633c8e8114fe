"""Adapters inside the backbone: excerpts of annotated recordings in, an adapter in a model's folder out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.flows.actions.backbones import find_backbone
from cueflow.flows.actions.clips import patient_video
from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Dataset
from cueflow.tasks.ingest.paths import resolve_inside

if TYPE_CHECKING:
    from cueflow.tasks.actions.adapters.learning import Excerpts, InsideOptions
    from cueflow.tasks.actions.learn.training import Clip
    from cueflow.tasks.actions.store.model import FeatureSetting

EACH = 48  # excerpts of a recording
ALL = 3000  # excerpts: they are held in memory, 0.6 MB each at 112 pixels


def add_inside(
    dataset: Dataset,
    clips: Sequence[Clip],
    classes: Sequence[str],
    setting: FeatureSetting,
    *,
    out: Path,
    options: InsideOptions,
    progress: Callable[[float, str], None] = lambda _share, _what: None,
) -> tuple[FeatureSetting, FloatArray]:
    """Train an adapter inside the setting's backbone and save it in a model's folder.

    Parameters
    ----------
    dataset : Dataset
        Where the recordings lie.
    clips : sequence of Clip
        Annotated ones, with features of the setting.
    classes : sequence of str
        What to find.
    setting : FeatureSetting
        Without an adapter.
    out : Path
        The model's folder.
    options : InsideOptions
        What to train, in which backbone, how long and where. The same subjects are held out as by `train` with the
        same seed.
    progress : callable, optional
        Told the share that is done, 0 to 1, and what is being done.

    Returns
    -------
    tuple
        The setting with the adapter; the directions in which the appearance is to be read, for `train`.

    Raises
    ------
    ModelError
        If there are too few subjects, or no recording has a second or two without gaps.
    """
    import torch

    from cueflow.tasks.actions.adapters.files import save_adapter
    from cueflow.tasks.actions.adapters.inside import NAME, adapter_sha256
    from cueflow.tasks.actions.adapters.learning import train_inside
    from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan
    from cueflow.tasks.actions.learn.training import held_out, positive_weights, subject_digest
    from cueflow.tasks.video.motion.backbone import usable_device

    held = held_out([c.subject_id for c in clips], classes, seed=options.seed)
    parts = ([c for c in clips if c.subject_id not in held], [c for c in clips if c.subject_id in held])
    count, done = min(EACH, max(1, ALL // len(clips))), 0

    def cut(own: Sequence[Clip]) -> Excerpts:
        nonlocal done
        made = []
        for clip in own:
            progress(done / len(clips), f"excerpts of {clip.session_id}")
            made.append(_excerpts(dataset, clip, classes, setting, count=count, seed=options.seed + done))
            done += 1
        return _joined(made)

    learn, judge = cut(parts[0]), cut(parts[1])
    if not len(learn) or not len(judge):
        raise ModelError(
            "no recording has two seconds without a gap to train an adapter on", reason=Reason.FEW_EVIDENCE
        )
    adapted = AdaptedBackbone.load(find_backbone(options.backbone))
    behind = tuple(range(adapted.vit.blocks // 2, adapted.vit.blocks))
    adapted.add(NAME, AdapterPlan(options.unit, behind, lora=options.lora), seed=options.seed)
    adapted.to(usable_device(options.device))
    learned = train_inside(
        adapted,
        learn,
        judge,
        weights=positive_weights(torch.from_numpy(learn.truth).flatten(0, 1).float()),
        options=options,
        progress=lambda share: progress(share, "training inside the backbone"),
    )
    adapted.to("cpu")
    card = {
        "sessions": len(clips),
        "excerpts": len(learn),
        "held-out loss": round(min(learned.losses), 4),
        "met": sorted({subject_digest(c.subject_id) for c in clips}),
    }
    save_adapter(adapted, NAME, out / NAME, backbone_sha256=setting.backbone_sha256, card=card)
    return replace(setting, inside_sha256=adapter_sha256(out / NAME)), learned.directions


def _excerpts(
    dataset: Dataset, clip: Clip, classes: Sequence[str], setting: FeatureSetting, *, count: int, seed: int
) -> Excerpts:
    """Excerpts of one recording; it is decoded once."""
    import cv2

    from cueflow.tasks.actions.adapters.inside import CLIP_FRAMES
    from cueflow.tasks.actions.adapters.learning import Excerpts, excerpt_starts
    from cueflow.tasks.actions.data.labels import step_labels
    from cueflow.tasks.actions.look.features import looked_at

    stream = patient_video(next(s for s in dataset.sessions if s.session_id == clip.session_id))
    assert stream is not None  # noqa: S101 - the clip came from it
    features, size = clip.features, setting.size
    truth = step_labels(clip.actions, features.times_s + clip.start_s, classes)
    starts = excerpt_starts(features.steps_s, truth, count, np.random.default_rng(seed))
    at = starts[:, None] + np.arange(CLIP_FRAMES)
    kept, needed = {}, set(at.ravel().tolist())
    path = resolve_inside(dataset.root, stream.path)
    for number, (_, picture, _) in enumerate(looked_at(path, rate_hz=setting.rate_hz, size=size)):
        if number in needed:
            kept[number] = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    shown = np.zeros((*at.shape, size, size, 3), np.uint8)
    for place, number in np.ndenumerate(at):
        shown[place] = kept[int(number)]
    return Excerpts(shown.transpose(0, 1, 4, 2, 3), features.speed[at], truth[at])


def _joined(parts: Sequence[Excerpts]) -> Excerpts:
    from cueflow.tasks.actions.adapters.learning import Excerpts

    names = ("pictures", "speed", "truth")
    return Excerpts(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})
