"""Action models: loaded for their backbone, evaluated, and at work inside a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.actions.backbones import backbone_sha256, encoder_of, eyes_of
from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import Findings
from cueflow.tasks.actions.data.prompts import words_sha256
from cueflow.tasks.windows import phases_of

if TYPE_CHECKING:
    from cueflow.flows.work.jobs import StageJob
    from cueflow.tasks.actions.answer.apply import ActionFeed
    from cueflow.tasks.actions.answer.composite import Rule
    from cueflow.tasks.actions.learn.training import Clip
    from cueflow.tasks.actions.look.features import ClipFeatures
    from cueflow.tasks.actions.store.model import ActionModel


def load_action_model(folder: Path, *, backbone: str = "", words: Path | None = None) -> ActionModel:
    """A trained model for its backbone; a changed or foreign one raises `ModelError`.

    Parameters
    ----------
    folder : Path
        From `cueflow actions train`.
    backbone : str, optional
        Name or folder of the backbone; default: the one the model names.
    words : Path, optional
        Folder of the dual encoder, where the model reads descriptions.

    Returns
    -------
    ActionModel

    Raises
    ------
    ModelError
        If the model was trained on a folder, or with an encoder of words, and none is given.
    """
    from cueflow.tasks.actions.store.files import backbone_of, load_model, prompts_of

    name = backbone or backbone_of(folder)
    if not name:
        raise ModelError(f"{folder.name}: was trained on a backbone from a folder: name that folder with --backbone")
    prompts = prompts_of(folder)
    if prompts is not None and words is None:
        raise ModelError(
            f"{folder.name}: reads descriptions in words: name the folder of its encoder with --words, or in a run as "
            "action_words of the configuration"
        )
    spoken = words_sha256(words, prompts) if words is not None and prompts is not None else ""
    model: ActionModel = load_model(folder, backbone_sha256=backbone_sha256(name), words_sha256=spoken)
    return model


def model_rules(folder: Path) -> tuple[Rule, ...]:
    """The composite actions that stand beside a model, in a file that people edit; none where there is no such file."""
    from cueflow.tasks.actions.answer.composite import read_rules
    from cueflow.tasks.actions.store.files import RULES_FILE

    file = folder / RULES_FILE
    return read_rules(file) if file.is_file() else ()


def evaluate_model(model: ActionModel, clips: Sequence[Clip]) -> dict[str, Any]:
    """Figures of a trained model on annotated recordings; honest only for subjects it has not met."""
    from cueflow.tasks.actions.judge.evaluate import judge, report

    return report([judge(model, c) for c in clips], model.classes, rate_hz=model.setting.rate_hz)


class RunActions:
    """An action model inside a run: shared by all recordings that a worker reads."""

    def __init__(self, folder: Path, *, backbone: str = "", words: Path | None = None, device: str = "") -> None:
        self._model = load_action_model(folder, backbone=backbone, words=words)
        self._words = encoder_of(self._model.setting, words, device=device)
        self._rules = model_rules(folder)
        setting = self._model.setting
        name = backbone or setting.backbone
        self._eyes = eyes_of(setting, name, model=folder, appearance=setting.appearance, device=device)

    def feed(self) -> ActionFeed:
        """Where the frames of one recording go."""
        from cueflow.tasks.actions.answer.apply import ActionFeed

        rate, size = self._model.setting.rate_hz, self._model.setting.size
        return ActionFeed(self._eyes, rate_hz=rate, size=size, words=self._words())

    def add(self, findings: Findings, features: ClipFeatures, *, job: StageJob, start_s: float) -> Findings:
        """The recording's findings with its actions among them."""
        from cueflow.tasks.actions.answer.apply import add_actions

        return add_actions(
            findings,
            features,
            self._model,
            rules=self._rules,
            start_s=start_s,
            phases=phases_of(job.markers),
            exclusions=job.exclusions,
        )


@cache
def run_actions(folder: str, backbone: str, words: str, device: str) -> RunActions:
    """The model of a run; loaded once in each process."""
    return RunActions(Path(folder), backbone=backbone, words=Path(words) if words else None, device=device)
