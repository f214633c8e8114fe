"""An adapter as a folder: weights as safetensors, where they sit, whose backbone they belong to, a card for people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "adapter_config.json", "adapter_model.safetensors", "README.md"
FORMAT = "cueflow-adapter"


def save_adapter(
    backbone: AdaptedBackbone, name: str, folder: Path, *, backbone_sha256: str, card: dict[str, Any] | None = None
) -> None:
    """Write one adapter.

    Parameters
    ----------
    backbone : AdaptedBackbone
        Where it is plugged in.
    name : str
        Which one.
    folder : Path
        Made where it is not there.
    backbone_sha256 : str
        Hash of the backbone's weights.
    card : dict, optional
        What it was trained on, for people.

    Raises
    ------
    ModelError
        If the folder cannot be written.
    """
    from safetensors.numpy import save

    arrays = {n: np.ascontiguousarray(t.detach().numpy()) for n, t in backbone.tensors(name).items()}
    weights, plan = save(arrays), asdict(backbone.plan(name))
    content = {
        "format": FORMAT,
        "plan": plan,
        "backbone_sha256": backbone_sha256,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "card": card or {},
    }
    share = sum(x.size for x in arrays.values())
    lines = [
        "# Adapter",
        "",
        f"Temporal unit {plan['unit']} behind blocks {list(plan['blocks'])}; LoRA of rank {plan['lora']}.",
        f"{share} trained numbers. Belongs to the backbone with SHA-256 `{backbone_sha256}`; refused on others.",
        *(f"- {key}: {value}" for key, value in (card or {}).items()),
        "",
        "Research software; it does not diagnose.",
        "",
    ]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS_FILE).write_bytes(weights)
        (folder / CONFIG_FILE).write_text(json.dumps(content | {"sha256": _digest(content)}), encoding="utf-8")
        (folder / CARD_FILE).write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"{folder.name}: cannot be written ({error.strerror}); choose another folder", reason=Reason.CONFIG_INVALID
        ) from error


def load_adapter(backbone: AdaptedBackbone, name: str, folder: Path, *, backbone_sha256: str) -> dict[str, Any]:
    """Plug a saved adapter in.

    Parameters
    ----------
    backbone : AdaptedBackbone
        What to plug it into.
    name : str
        What to call it there.
    folder : Path
        From `save_adapter`.
    backbone_sha256 : str
        Hash of the backbone's weights.

    Returns
    -------
    dict
        The card.

    Raises
    ------
    ModelError
        If there is no adapter, a byte of it was changed, or it belongs to another backbone.
    """
    from safetensors.numpy import load

    try:
        content = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder.name}: no adapter there") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder.name}: not an adapter", reason=Reason.MODEL_HASH) from error
    said = content.pop("sha256", None) if isinstance(content, dict) else None
    whole = said == _digest(content) and hashlib.sha256(weights).hexdigest() == content.get("weights_sha256")
    if not whole or content.get("format") != FORMAT:
        raise ModelError(
            f"{folder.name}: the adapter was changed after it was written; restore or train it again",
            reason=Reason.MODEL_HASH,
        )
    if content["backbone_sha256"] != backbone_sha256:
        raise ModelError(f"{folder.name}: the adapter belongs to another backbone", reason=Reason.MODEL_HASH)
    import torch

    plan = content["plan"]
    backbone.add(name, AdapterPlan(**plan | {"blocks": tuple(plan["blocks"])}))
    kept = load(weights)
    with torch.no_grad():
        for path, tensor in backbone.tensors(name).items():
            tensor.copy_(torch.from_numpy(kept[path]).reshape(tensor.shape))
    return dict(content["card"])


def _digest(content: Any) -> str:  # noqa: ANN401 - a JSON value
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
