"""A tiny backbone, and recordings as features made by hand: what moves is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cueflow.tasks.actions.data.labels import Action
from cueflow.tasks.actions.learn.training import Clip, TrainOptions, train
from cueflow.tasks.actions.look.features import ClipFeatures
from cueflow.tasks.actions.look.sources import SOURCES
from cueflow.tasks.actions.store.model import FeatureSetting

RATE = 8.0


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory) -> Path:
    """A random DINOv2 of 12 small blocks."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=12, num_attention_heads=3, mlp_ratio=2, image_size=112, patch_size=14
    )
    folder = tmp_path_factory.mktemp("backbone")
    Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def words_folder(tmp_path_factory) -> Path:
    """A random dual encoder of CLIP's kind, with a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("words")
    known = ["[pad]", "[unk]", "[end]", "a", "hand", "on", "face", "person", "nods", "chair"]
    words = models.WordLevel({w: i for i, w in enumerate(known)}, unk_token=known[1])
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": known[0], "unk_token": known[1], "eos_token": known[2]}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(1)
    small = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = small | {"vocab_size": len(known), "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 2}
    seen = small | {"image_size": 56, "patch_size": 14}
    CLIPModel(CLIPConfig(text_config=text, vision_config=seen, projection_dim=16)).save_pretrained(folder)
    return folder


def made_clip(number: int, *, seconds: float = 20.0) -> Clip:
    """Class "there" is a flow to the right in some cell, "back" the same to the left, "look" shows in appearance."""
    rng = np.random.default_rng(number)
    times = np.arange(round(seconds * RATE)) / RATE
    motion = {name: rng.normal(0, 0.1, (len(times), k)).astype(np.float32) for name, k in SOURCES.items()}
    looks = rng.normal(0, 1, (len(times), 8))
    actions = []
    order = rng.permutation(["there", "back", "there", "back"])  # or the order alone would give them away
    for label, first in zip(order.tolist(), (2.0, 6.0, 11.0, 15.0), strict=True):
        sign, start = (1.0 if label == "there" else -1.0), first + rng.uniform(-0.5, 0.5)
        actions.append(Action(label, start, start + 2.0))
        on = (times > start) & (times < start + 2.0)
        motion["keys"][on, 5] += sign
        motion["pixels"][on, 5] += 1.0
    actions.append(Action("look", 5.0, 9.0))
    looks[(times > 5) & (times < 9), 0] += 6.0
    steps = np.full(len(times), 1 / RATE)
    steps[0] = 0.0
    speed, words = np.ones((len(times), 64), np.float16), np.zeros((len(times), 0), np.float32)
    features = ClipFeatures(times, steps, motion, looks.astype(np.float16), speed, words)
    return Clip(f"s{number}", f"p{number // 2}", features, tuple(actions))


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Twelve recordings of six subjects."""
    return [made_clip(k) for k in range(12)]


CLASSES = ("back", "look", "there")
SETTING = FeatureSetting("b" * 64, RATE, 112, ("keys",), True)
QUICK = TrainOptions(epochs=12, learning_rate=1e-2, width=16)


@pytest.fixture(scope="session")
def model(clips):
    """Trained on the first ten recordings."""
    return train(clips[:10], CLASSES, SETTING, options=QUICK)


@pytest.fixture(scope="session")
def setting() -> FeatureSetting:
    return SETTING


@pytest.fixture(scope="session")
def quick() -> TrainOptions:
    return QUICK
