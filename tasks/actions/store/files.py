"""Files of this room: cached features and trained models, as safetensors and JSON with hashes; no pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.actions.data.prompts import Prompts
from cueflow.tasks.actions.look.features import VERSION as FEATURE_VERSION
from cueflow.tasks.actions.look.features import ClipFeatures
from cueflow.tasks.actions.look.sources import ATTENDED, SOURCES

FORMAT, VERSION = "cueflow-actions", 3
MODEL_FILE, WEIGHTS_FILE, CARD_FILE = "model.json", "model.safetensors", "MODEL_CARD.md"
RULES_FILE = "rules.yaml"  # composite actions; for people to edit


def feature_key(
    *,
    input_sha256: str,
    backbone_sha256: str,
    rate_hz: float,
    size: int,
    attended: bool = False,
    words_sha256: str = "",
    inside_sha256: str = "",
) -> str:
    """Name of cached features: a hash of the recording, the weights and everything that changes a value."""
    what = [FEATURE_VERSION, input_sha256, backbone_sha256, rate_hz, size, attended, words_sha256, inside_sha256]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def write_features(path: Path, features: ClipFeatures) -> None:
    """Write features; a reader sees the whole file or none."""
    from safetensors.numpy import save_file

    arrays = {"times_s": features.times_s, "steps_s": features.steps_s, "speed": features.speed}
    arrays |= {"appearance": features.appearance, "words": features.words} | {
        f"motion.{n}": x for n, x in features.motion.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file({name: np.ascontiguousarray(x) for name, x in arrays.items()}, part)
    part.replace(path)


def read_features(path: Path) -> ClipFeatures | None:
    """Cached features; None where there are none or they cannot be read: then they are made again."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        return None
    try:
        arrays = load_file(path)
        return ClipFeatures(
            arrays["times_s"],
            arrays["steps_s"],
            {name: arrays[f"motion.{name}"] for name in SOURCES if name not in ATTENDED or f"motion.{name}" in arrays},
            arrays["appearance"],
            arrays["speed"],
            arrays["words"],
        )
    except (OSError, SafetensorError, KeyError):
        return None


def save_model(model: Any, folder: Path) -> Path:  # noqa: ANN401 - importing its class costs torch
    """Write a model folder: weights, what they need, and a card for people.

    Parameters
    ----------
    model : ActionModel
        Trained.
    folder : Path
        Made where it is not there.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    ModelError
        If the folder cannot be written.
    """
    from safetensors.numpy import save

    ready = model.preparation
    arrays = {f"head.{name}": value.detach().numpy() for name, value in model.head.state_dict().items()}
    arrays |= {f"prepare.{name}": getattr(ready, name) for name in ready.__slots__}
    arrays |= {name: getattr(model, name) for name in ("thresholds", "temperatures", "durations_s")}
    weights = save({name: np.ascontiguousarray(x) for name, x in arrays.items()})
    content = {
        "classes": list(model.classes),
        "setting": asdict(model.setting),
        "shape": asdict(model.head.shape),
        "card": model.card,
        "feature_version": FEATURE_VERSION,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    head = {"format": FORMAT, "version": VERSION, "sha256": _digest(content), "model": content}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS_FILE).write_bytes(weights)
        (folder / MODEL_FILE).write_text(json.dumps(head, allow_nan=False), encoding="utf-8")
        (folder / CARD_FILE).write_text(_card(model), encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"{folder.name}: cannot be written ({error.strerror}); choose another folder", reason=Reason.CONFIG_INVALID
        ) from error
    return folder / MODEL_FILE


def backbone_of(folder: Path) -> str:
    """Name of the backbone that a model was trained on; empty where it was a folder.

    Raises
    ------
    ModelError
        If there is no model, or its description was changed.
    """  # noqa: DOC502  raised by the reader
    return str(_content(folder)["setting"].get("backbone", ""))


def prompts_of(folder: Path) -> Prompts | None:
    """Descriptions that a model reads; None where it reads none.

    Raises
    ------
    ModelError
        If there is no model, or its description was changed.
    """  # noqa: DOC502  raised by the reader
    said = _content(folder)["setting"]["prompts"]
    return Prompts(tuple((label, tuple(phrases)) for label, phrases in said)) if said else None


def load_model(folder: Path, *, backbone_sha256: str, words_sha256: str = "") -> Any:  # noqa: ANN401
    """Read a model and check that it is the one that was written, for this backbone.

    Parameters
    ----------
    folder : Path
        From `save_model`.
    backbone_sha256 : str
        Hash of the backbone's weights that will be used.
    words_sha256 : str, optional
        From `words_sha256`, where the model reads descriptions.

    Returns
    -------
    ActionModel

    Raises
    ------
    ModelError
        If there is no model, it was changed, belongs to another backbone, or to features of another version.
    """
    from safetensors.numpy import load

    content = _content(folder)
    try:
        weights = (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder.name}: the weights are missing; train the model again") from error
    if hashlib.sha256(weights).hexdigest() != content["weights_sha256"]:
        raise ModelError(
            f"{folder.name}: the weights were changed after they were written; restore or train them again",
            reason=Reason.MODEL_HASH,
        )
    if content["setting"]["backbone_sha256"] != backbone_sha256:
        raise ModelError(
            f"{folder.name}: was trained on another backbone; name it with --backbone or train again",
            reason=Reason.MODEL_HASH,
        )
    if content["setting"]["words_sha256"] != words_sha256:
        raise ModelError(
            f"{folder.name}: was trained with another encoder of words, or without one; name the right one",
            reason=Reason.MODEL_HASH,
        )
    if content["feature_version"] != FEATURE_VERSION:
        raise ModelError(f"{folder.name}: was trained on other features; train it again", reason=Reason.MODEL_HASH)
    return _assembled(content, load(weights))


def model_digest(folder: Path) -> str:
    """Hash of a model and of the rules beside it, without loading it.

    Parameters
    ----------
    folder : Path
        From `save_model`.

    Returns
    -------
    str

    Raises
    ------
    ModelError
        If there is no model, or its description was changed.
    """  # noqa: DOC502  raised by the reader
    digest = hashlib.sha256(_digest(_content(folder)).encode())
    rules = folder / RULES_FILE
    if rules.is_file():
        digest.update(rules.read_bytes())
    return digest.hexdigest()


def _assembled(content: dict[str, Any], arrays: dict[str, Any]) -> Any:  # noqa: ANN401
    import torch

    from cueflow.tasks.actions.learn.head import ActionHead, HeadShape
    from cueflow.tasks.actions.store.model import ActionModel, FeatureSetting, Preparation

    classes = tuple(content["classes"])
    shape = HeadShape(**content["shape"] | {"lags": tuple((a, b) for a, b in content["shape"]["lags"])})
    head = ActionHead(
        shape, torch.zeros(len(classes), len(classes)), torch.zeros(len(shape.lags), len(classes), len(classes))
    )
    own = {name.removeprefix("head."): x for name, x in arrays.items() if name.startswith("head.")}
    head.load_state_dict({name: torch.from_numpy(x) for name, x in own.items()})
    prepared = {name.removeprefix("prepare."): x for name, x in arrays.items() if name.startswith("prepare.")}
    said = content["setting"]
    prompts = tuple((label, tuple(phrases)) for label, phrases in said["prompts"])
    setting = said | {"sources": tuple(said["sources"]), "prompts": prompts}
    return ActionModel(
        classes=classes,
        setting=FeatureSetting(**setting),
        preparation=Preparation(**prepared),
        head=head.eval(),
        thresholds=arrays["thresholds"],
        temperatures=arrays["temperatures"],
        durations_s=arrays["durations_s"],
        card=content["card"],
    )


def _content(folder: Path) -> dict[str, Any]:
    try:
        head = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{folder.name}: no action model there; train one (cueflow actions train)") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{folder.name}: not an action model file; train it again", reason=Reason.MODEL_HASH
        ) from error
    right = isinstance(head, dict) and head.get("format") == FORMAT and head.get("version") == VERSION
    content = head.get("model") if right else None
    if not isinstance(content, dict) or _digest(content) != head.get("sha256"):
        raise ModelError(
            f"{folder.name}: not an action model of this version, or changed after it was written; train it again",
            reason=Reason.MODEL_HASH,
        )
    return content


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _card(model: Any) -> str:  # noqa: ANN401
    card, setting = model.card, model.setting
    held = card.get("held_out_frame_map")
    lines = [
        "# Action model",
        "",
        f"Finds: {', '.join(model.classes)}.",
        f"Trained on {card.get('sessions')} sessions of {card.get('subjects')} subjects; "
        f"{model.parameters()} trained parameters; seed {card.get('seed')}.",
        f"Reads {', '.join(setting.sources) or 'no motion'}{' and appearance' if setting.appearance else ''}"
        f"{', through an adapter inside the backbone,' if setting.inside_sha256 else ''} "
        f"at {setting.rate_hz:g} frames/s and {setting.size} pixels"
        f"{'; in words: ' + ', '.join(label for label, _ in setting.prompts) if setting.prompts else ''}.",
        *(
            [f"The appearance counts by {card.get('trust_in_appearance'):g}: more did not clearly help others."]
            if setting.appearance and setting.sources
            else []
        ),
        f"Frame mAP on the {card.get('held_out_subjects')} subject(s) that decided when to stop: "
        f"{'undefined' if held is None else held}. This flatters; `cueflow actions evaluate --folds` measures.",
        "",
        "| class | examples | threshold |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {card.get('examples', {}).get(name, '')} | {threshold:.2f} |"
        for name, threshold in zip(model.classes, model.thresholds, strict=True)
    ]
    return "\n".join([*lines, "", "Research software; it does not diagnose.", ""])
