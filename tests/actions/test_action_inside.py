"""Adapters inside the backbone: where excerpts lie, what training learns, and clips that end at gaps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cueflow.tasks.actions.adapters.files import save_adapter
from cueflow.tasks.actions.adapters.inside import CLIP_FRAMES, NAME, Inside
from cueflow.tasks.actions.adapters.learning import Excerpts, InsideOptions, excerpt_starts, train_inside, varied
from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan
from cueflow.tasks.actions.look.eyes import make_eyes
from cueflow.tasks.actions.look.features import FeatureBuilder

OWN = "b" * 64


def excerpts(count: int, seed: int) -> Excerpts:
    """Grey pictures that grow brighter, or darker, by a little: no single frame says which."""
    rng, kinds = np.random.default_rng(seed), np.arange(count) % 2
    slope = np.linspace(-40, 40, CLIP_FRAMES)[None] * np.where(kinds, 1, -1)[:, None]
    grey = rng.uniform(80, 170, (count, 1)) + slope
    shown = np.broadcast_to(grey[:, :, None, None, None], (count, CLIP_FRAMES, 3, 56, 56)).astype(np.uint8)
    truth = np.repeat(np.eye(2)[kinds][:, None], CLIP_FRAMES, axis=1)
    return Excerpts(shown, np.ones((count, CLIP_FRAMES, 16), np.float16), truth)


def test_training_learns_what_only_time_shows(tiny_folder):
    backbone = AdaptedBackbone.load(tiny_folder)
    backbone.add(NAME, AdapterPlan(blocks=(3, 9)))
    before = [p.clone() for p in backbone.trainable()]
    learned = train_inside(
        backbone, excerpts(32, 0), excerpts(16, 1000), weights=torch.ones(2), options=InsideOptions("", epochs=15)
    )
    assert learned.directions.shape == (48, 16)
    assert learned.losses[0] > 0.65  # chance: the logarithm of 2, .69
    assert min(learned.losses) < 0.6
    assert sum(not torch.equal(a, b) for a, b in zip(before, backbone.trainable(), strict=True)) > len(before) / 2


def test_excerpts_lie_round_actions_and_never_across_a_gap():
    steps, truth = np.full(400, 0.125), np.zeros((400, 2))
    steps[[0, 200]] = 0.0
    truth[100:104, 0] = 1.0
    starts = excerpt_starts(steps, truth, 200, np.random.default_rng(0))
    ends = starts + CLIP_FRAMES
    assert ((ends <= 200) | (starts >= 200)).all()
    assert ((starts < 104) & (ends > 100)).mean() > 0.2
    assert len(set(starts.tolist())) == len(starts)
    assert len(excerpt_starts(steps[:10], truth[:10], 5, np.random.default_rng(0))) == 0


def test_varied_clips_keep_their_shape_and_stay_pictures():
    clips = torch.rand(3, 4, 3, 56, 56)
    torch.manual_seed(0)
    found = varied(clips)
    assert found.shape == clips.shape
    assert found.min() >= 0
    assert found.max() <= 1
    still = varied(clips[:, :1].expand(-1, 4, -1, -1, -1))
    assert torch.allclose(still[:, 0], still[:, 3], atol=1e-5)  # a clip is varied as a whole


def test_clips_end_at_a_gap_and_chunks_do_not_matter(tiny_folder, tmp_path):
    backbone = AdaptedBackbone.load(tiny_folder)
    backbone.add(NAME, AdapterPlan(blocks=(3, 9)))
    with torch.no_grad():
        for parameter in backbone.trainable():
            parameter.normal_(std=0.3)
    save_adapter(backbone, NAME, tmp_path, backbone_sha256=OWN)
    inside = Inside(tiny_folder, tmp_path, backbone_sha256=OWN)
    times = np.concatenate([np.arange(20), 80 + np.arange(7)]) / 8
    pictures = np.random.default_rng(0).integers(0, 255, (27, 56, 56, 3), dtype=np.uint8)

    def shown(*cuts: int) -> np.ndarray:
        builder = FeatureBuilder(make_eyes(tiny_folder, inside=inside), size=56, aspect=1.0)
        for part in np.split(np.arange(27), cuts):
            builder.add(times[part], pictures[part])
        return builder.done().appearance.astype(float)

    assert shown().shape == (27, 48)
    assert shown(5, 18, 22) == pytest.approx(shown(), abs=2e-2)
    alone = FeatureBuilder(make_eyes(tiny_folder, inside=inside), size=56, aspect=1.0)
    alone.add(times[20:], pictures[20:])
    assert shown()[20:] == pytest.approx(alone.done().appearance.astype(float), abs=2e-2)
    assert np.abs(shown()[16:20] - shown()[:4]).max() > 0.1
