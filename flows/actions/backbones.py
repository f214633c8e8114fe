"""The vision backbones of the action method: where they lie, which they are, and how a setting looks through them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.flows.work.stages import model_path, model_store
from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.storage.fingerprints import sha256_file
from cueflow.tasks.actions.data.prompts import Prompts

if TYPE_CHECKING:
    from cueflow.tasks.actions.look.eyes import Eyes
    from cueflow.tasks.actions.look.words import Words
    from cueflow.tasks.actions.store.model import FeatureSetting

BACKBONE = "dinov2_small"


def find_backbone(name: str) -> Path:
    """Folder of a backbone.

    Parameters
    ----------
    name : str
        A name of the lock file; a folder as transformers writes it; or a name of the hub (`facebook/dinov2-base`) whose
        files are on this machine already: nothing is fetched.

    Returns
    -------
    Path

    Raises
    ------
    ModelError
        If it is none of these.
    """
    if name == BACKBONE:
        return model_path(name)
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"the backbone {Path(name).name!r} is not on this machine: give {BACKBONE}, a folder with config.json and "
            "model.safetensors, or a name of the hub that was fetched before"
        ) from error


def backbone_sha256(name: str) -> str:
    """Hash of a backbone's weights.

    Raises
    ------
    ModelError
        If there is no such backbone, or its folder has no safetensors file.
    """
    if name == BACKBONE:
        return model_store().sha256(BACKBONE)
    weights = find_backbone(name) / "model.safetensors"
    if not weights.is_file():
        raise ModelError("the backbone's folder has no model.safetensors")
    return sha256_file(weights)


def eyes_of(
    setting: FeatureSetting, backbone: str, *, model: Path | None, appearance: bool = True, device: str = ""
) -> Eyes:
    """The backbone as a setting uses it.

    Parameters
    ----------
    setting : FeatureSetting
        What is read.
    backbone : str
        Name or folder.
    model : Path, optional
        Folder of the model, where the setting has an adapter inside the backbone.
    appearance : bool, optional
        Whether it is looked at what the frames look like.
    device : str, optional
        As in `Backbone`.

    Returns
    -------
    Eyes

    Raises
    ------
    ModelError
        If the backbone is not there, or the adapter is not the one that the model was trained with.
    """
    from cueflow.tasks.actions.look.eyes import make_eyes

    folder, inside = find_backbone(backbone), None
    if setting.inside_sha256:
        from cueflow.tasks.actions.adapters.inside import NAME, Inside, adapter_sha256

        if model is None or adapter_sha256(model / NAME) != setting.inside_sha256:
            raise ModelError(
                "the model's adapter is not the one it was trained with; train it again", reason=Reason.MODEL_HASH
            )
        inside = Inside(folder, model / NAME, backbone_sha256=setting.backbone_sha256, device=device)
    return make_eyes(folder, attended=setting.attended, appearance=appearance, inside=inside, device=device)


def encoder_of(setting: FeatureSetting, folder: Path | None, *, device: str = "") -> Callable[[], Words | None]:
    """What a setting needs to read descriptions in words, loaded when it is first asked for; None where it reads none.

    Raises
    ------
    ModelError
        If it reads some, and no folder is given.
    """
    if not setting.prompts:
        return lambda: None
    if folder is None:
        raise ModelError("the model reads descriptions in words: name the folder of its encoder with --words")
    from cueflow.tasks.actions.look.words import Words

    return cache(lambda: Words(folder, Prompts(setting.prompts), device=device))
