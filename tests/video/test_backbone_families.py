"""Other vision transformers, tiny and random: attention rebuilt as the library has it, and what is no transformer."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import ModelError
from cueflow.tasks.actions.look.eyes import appearance_of, make_eyes, see
from cueflow.tasks.video.motion.backbone import Backbone, HeadMode
from cueflow.tasks.video.motion.pictures import softened
from cueflow.tasks.video.motion.vit import HALF, IMAGENET, load_vit

SIZES = {"hidden_size": 24, "num_hidden_layers": 4, "num_attention_heads": 3, "intermediate_size": 48}
SQUARE = {"image_size": 64, "patch_size": 16}


def made(name, folder):
    import torch
    import transformers as t

    torch.manual_seed(0)
    models = {
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(mlp_ratio=2, image_size=64, patch_size=16, **SIZES)),
        "registers": lambda: t.Dinov2WithRegistersModel(
            t.Dinov2WithRegistersConfig(mlp_ratio=2, num_register_tokens=3, image_size=64, patch_size=16, **SIZES)
        ),
        "mae": lambda: t.ViTMAEModel(t.ViTMAEConfig(**SIZES, **SQUARE)),
        "siglip": lambda: t.SiglipVisionModel(t.SiglipVisionConfig(**SIZES, **SQUARE)),
        "dinov3": lambda: t.DINOv3ViTModel(t.DINOv3ViTConfig(num_register_tokens=2, **SIZES, **SQUARE)),
        "vit": lambda: t.ViTModel(t.ViTConfig(**SIZES, **SQUARE)),
    }
    models[name]().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["dinov2", "registers", "dinov3", "mae", "siglip", "vit"])
def family(request, tmp_path_factory):
    return request.param, made(request.param, tmp_path_factory.mktemp(request.param))


def pictures(n=3):
    return np.random.default_rng(0).integers(0, 255, (n, 80, 80, 3), dtype=np.uint8)


def test_attention_is_the_librarys_own(family):
    import torch
    from transformers import AutoModel

    name, folder = family
    found = Backbone(folder, key_layers=(1,), attention_layers=(2,), heads=HeadMode.EACH).maps(pictures(), size=80)
    vit = load_vit(folder)
    eager = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    eager = getattr(eager, "vision_model", eager)
    extra = {} if name in {"dinov2", "registers", "dinov3"} else {"interpolate_pos_encoding": True}
    if name == "mae":
        eager.config.mask_ratio = 0.0
        extra["noise"] = torch.arange(25.0).expand(3, -1)
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (vit.mean, vit.std))
    with torch.inference_mode():
        pixels = (softened(torch.from_numpy(pictures()).permute(0, 3, 1, 2) / 255) - mean) / std
        attentions = eager(pixel_values=pixels, output_attentions=True, **extra).attentions
    patches = attentions[2][:, :, vit.leading :, vit.leading :]
    expected = (patches / patches.sum(-1, keepdim=True)).numpy()
    assert found.attention[2] == pytest.approx(expected, abs=1e-5)
    assert vit.leading == {"dinov2": 1, "registers": 4, "dinov3": 3, "mae": 1, "siglip": 0, "vit": 1}[name]


def test_features_come_out_of_every_family(family):
    _, folder = family
    eyes = make_eyes(folder, attended=True)
    looks = see(eyes, np.arange(3) / 4, pictures(), size=80)
    assert looks.keys.shape == (3, 5, 5, 24 * len({4 * 4 // 12, 4 * 6 // 12}))
    first, patches = appearance_of(eyes.appearance, pictures(), size=80)
    assert (first.shape, patches.shape) == ((3, 24), (3, 25, 24))
    assert looks.images.shape[-1] in {3, 6}  # heads, and the class token's where there is one


def test_head_modes_give_rows_that_sum_to_one(tmp_path):
    folder = made("dinov2", tmp_path)
    for mode in HeadMode:
        found = Backbone(folder, key_layers=(1,), attention_layers=(3,), heads=mode).maps(pictures(), size=80)
        assert found.attention[3].sum(axis=-1) == pytest.approx(1, abs=1e-5)
        assert found.attention[3].ndim == (4 if mode is HeadMode.EACH else 3)


def test_blocks_that_nobody_reads_do_not_run(tmp_path):
    folder = made("dinov2", tmp_path)
    short = Backbone(folder, key_layers=(1,), attention_layers=(1,))
    whole = Backbone(folder, key_layers=(1,), attention_layers=(1, 3))
    assert sum(p.numel() for p in short._vit.model.parameters()) < sum(p.numel() for p in whole._vit.model.parameters())
    ran = set[str]()
    for name, module in short._vit.model.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.add(name))
    assert short.maps(pictures(), size=80).keys[1] == pytest.approx(whole.maps(pictures(), size=80).keys[1])
    feed_forward = {n.split(".")[-2] for n in ran if n.endswith("mlp")}
    assert feed_forward == {"0"}  # of the last block that is read, what lies behind queries and keys is left out


def test_pixels_are_standardised_as_the_folder_says(tmp_path):
    folder = made("vit", tmp_path)
    assert (load_vit(folder).mean, load_vit(folder).std) == IMAGENET
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    assert (load_vit(folder).mean, load_vit(folder).std) == HALF


def test_what_is_no_vision_transformer_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(vocab_size=30, **SIZES)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no vision transformer"):
        load_vit(tmp_path)


def test_a_size_that_is_no_multiple_of_the_patch_is_refused(tmp_path):
    folder = made("vit", tmp_path)
    with pytest.raises(ModelError, match="patch of 16 pixels"):
        Backbone(folder, key_layers=(1,), attention_layers=(1,)).maps(pictures(), size=84)
