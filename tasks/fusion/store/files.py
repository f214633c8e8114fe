"""Model files: one JSON file with its own hash, and a card for people beside it."""

from __future__ import annotations

import json
from pathlib import Path

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.store.card import model_card
from cueflow.tasks.fusion.store.model import FORMAT, VERSION, FusionModel, digest

MODEL_FILE = "model.json"
CARD_FILE = "MODEL_CARD.md"


def save_model(model: FusionModel, path: str | Path, *, evaluation: str | None = None) -> Path:
    """Write a model folder.

    Parameters
    ----------
    model : FusionModel
        Trained.
    path : path
        Folder; made where it is not there.
    evaluation : str, optional
        Table of the evaluation, for the card.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    FusionError
        If the folder cannot be written.
    """
    folder = Path(path)
    content = model.to_json()
    head = {"format": FORMAT, "version": VERSION, "sha256": digest(content), "model": content}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_text(json.dumps(head, allow_nan=False), encoding="utf-8")
        (folder / CARD_FILE).write_text(model_card(model, evaluation), encoding="utf-8")
    except OSError as error:
        raise FusionError(
            f"{folder.name}: cannot be written ({error.strerror}); choose another folder", reason=Reason.CONFIG_INVALID
        ) from error
    return folder / MODEL_FILE


def load_model(path: str | Path) -> FusionModel:
    """Read a model and check that it is the one that was written.

    Parameters
    ----------
    path : path
        Folder or its model file.

    Returns
    -------
    FusionModel

    Raises
    ------
    FusionError
        If there is no model, its format is unknown or its content is not what its hash says.
    """
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    try:
        head = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FusionError(
            f"{path.name}: no fusion model there; train one (cueflow fusion train)", reason=Reason.MODEL_MISSING
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FusionError(f"{path.name}: not a fusion model file; train it again", reason=Reason.MODEL_HASH) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise FusionError(f"{path.name}: not a fusion model file; train it again", reason=Reason.MODEL_HASH)
    if head.get("version") != VERSION:
        raise FusionError(
            f"{path.name}: model format {head.get('version')} is not {VERSION}; train it again with this version",
            reason=Reason.MODEL_HASH,
        )
    content = head.get("model")
    if not isinstance(content, dict) or digest(content) != head.get("sha256"):
        raise FusionError(
            f"{path.name}: the model was changed after it was written; restore or train it again",
            reason=Reason.MODEL_HASH,
        )
    return FusionModel.from_json(content)
