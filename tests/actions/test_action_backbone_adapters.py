"""Adapters inside a backbone: identity at the start, the backbone untouched, several on one, files that are refused."""

from __future__ import annotations

import json

import pytest
import torch

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.actions.adapters.files import load_adapter, save_adapter
from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan
from cueflow.tasks.actions.adapters.tpu import Unit

OWN = "b" * 64
PLAN = AdapterPlan(blocks=(3, 11))


@pytest.fixture
def backbone(tiny_folder):
    return AdaptedBackbone.load(tiny_folder)


def clips(batch=1, steps=4):
    torch.manual_seed(2)
    return torch.randn(batch, steps, 3, 56, 56)


def wake(backbone):
    with torch.no_grad():
        for parameter in backbone.trainable():
            parameter.normal_(std=0.3)


@pytest.mark.parametrize(
    "plan", [*(AdapterPlan(unit=u, blocks=(3, 11)) for u in Unit), AdapterPlan("none", (5,), lora=4)]
)
def test_every_adapter_starts_as_identity(backbone, plan):
    plain = backbone(clips())
    backbone.add("one", plan)
    assert torch.allclose(backbone(clips(), torch.randn(1, 4, 16)), plain, atol=1e-5)


def test_training_changes_the_adapter_and_nothing_else(backbone):
    backbone.add("one", AdapterPlan(blocks=(3, 11), lora=2))
    frozen = {n: p.clone() for n, p in backbone.model.named_parameters() if "lora_" not in n}
    wake(backbone)
    own = backbone.trainable()
    optimiser = torch.optim.SGD(own, lr=0.1)
    before = [p.clone() for p in own]
    backbone(clips(), torch.randn(1, 4, 16)).square().mean().backward()
    optimiser.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, own, strict=True))
    assert all(torch.equal(p, frozen[n]) for n, p in backbone.model.named_parameters() if "lora_" not in n)
    assert all(p.grad is None for n, p in backbone.model.named_parameters() if "lora_" not in n)


def test_several_adapters_share_one_backbone_and_one_is_active(backbone):
    plain = backbone(clips())
    said = {}
    for name, plan in (("one", PLAN), ("two", AdapterPlan("gru", (5,), lora=2))):
        backbone.add(name, plan, seed=len(said))
        wake(backbone)
        said[name] = backbone(clips())
    assert not torch.allclose(said["one"], said["two"])
    backbone.use("one")
    assert torch.allclose(backbone(clips()), said["one"], atol=1e-6)
    with backbone.frozen():
        assert torch.allclose(backbone(clips()), plain, atol=1e-5)
    assert torch.allclose(backbone(clips()), said["one"], atol=1e-6)


def test_frames_see_one_another_through_the_adapter_alone(backbone):
    other = clips()
    other[0, 0] += 1.0
    assert torch.allclose(backbone(clips())[:, 2], backbone(other)[:, 2], atol=1e-5)
    backbone.add("one", PLAN)
    wake(backbone)
    assert not torch.allclose(backbone(clips())[:, 1], backbone(other)[:, 1], atol=1e-4)


def test_a_saved_adapter_comes_back(backbone, tiny_folder, tmp_path):
    backbone.add("one", AdapterPlan("dilated", (3, 11), lora=2))
    wake(backbone)
    save_adapter(backbone, "one", tmp_path / "a", backbone_sha256=OWN, card={"classes": "nod, shake"})
    again = AdaptedBackbone.load(tiny_folder)
    card = load_adapter(again, "other", tmp_path / "a", backbone_sha256=OWN)
    assert card == {"classes": "nod, shake"}
    assert torch.allclose(again(clips()), backbone(clips()), atol=1e-6)
    text = (tmp_path / "a" / "README.md").read_text()
    assert OWN in text
    assert "nod, shake" in text


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_one_altered_byte_is_noticed(backbone, tmp_path, name):
    backbone.add("one", PLAN)
    save_adapter(backbone, "one", tmp_path, backbone_sha256=OWN)
    content = bytearray((tmp_path / name).read_bytes())
    content[-30] ^= 1
    (tmp_path / name).write_bytes(bytes(content))
    with pytest.raises(ModelError) as caught:
        load_adapter(backbone, "two", tmp_path, backbone_sha256=OWN)
    assert caught.value.reason is Reason.MODEL_HASH


def test_another_backbone_and_what_is_no_adapter_are_refused(backbone, tmp_path):
    backbone.add("one", PLAN)
    save_adapter(backbone, "one", tmp_path / "a", backbone_sha256=OWN)
    with pytest.raises(ModelError, match="belongs to another backbone"):
        load_adapter(backbone, "two", tmp_path / "a", backbone_sha256="c" * 64)
    with pytest.raises(ModelError, match="no adapter there"):
        load_adapter(backbone, "two", tmp_path, backbone_sha256=OWN)
    (tmp_path / "b").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "b" / name).write_text(json.dumps([1]))
    with pytest.raises(ModelError, match="was changed"):
        load_adapter(backbone, "two", tmp_path / "b", backbone_sha256=OWN)


def test_names_and_blocks_that_do_not_fit_are_refused(backbone):
    with pytest.raises(ModelError, match="12 blocks"):
        backbone.add("one", AdapterPlan(blocks=(12,)))
    backbone.add("one", PLAN)
    with pytest.raises(ModelError, match="plugged in already"):
        backbone.add("one", PLAN)
    with pytest.raises(ModelError, match="no adapter 'two'"):
        backbone.use("two")


@pytest.mark.slow
def test_less_than_five_in_a_hundred_of_the_real_backbone():
    from cueflow.flows.work.stages import model_path

    backbone = AdaptedBackbone.load(model_path("dinov2_small"))
    backbone.add("one", AdapterPlan(blocks=tuple(range(12)), lora=4))
    assert 0.03 < backbone.share() < 0.05
