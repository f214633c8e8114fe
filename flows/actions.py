"""Reading and writing around the action method: cached features of a dataset's videos, models, detected events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.work.stages import model_path, model_store
from cueflow.schemas.errors import ConfigError, DatasetError, ModelError, StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Findings
from cueflow.schemas.session import Dataset, Modality, Role, Session, Stream
from cueflow.storage.fingerprints import sha256_file
from cueflow.tasks.actions.data.prompts import Prompts, words_sha256
from cueflow.tasks.actions.store.files import feature_key, read_features, write_features
from cueflow.tasks.ingest.paths import resolve_inside
from cueflow.tasks.windows import phases_of

if TYPE_CHECKING:
    from cueflow.flows.work.jobs import StageJob
    from cueflow.tasks.actions.answer.apply import ActionFeed
    from cueflow.tasks.actions.answer.composite import Rule
    from cueflow.tasks.actions.data.labels import Action
    from cueflow.tasks.actions.learn.training import Clip
    from cueflow.tasks.actions.look.eyes import Eyes
    from cueflow.tasks.actions.look.features import ClipFeatures
    from cueflow.tasks.actions.look.words import Words
    from cueflow.tasks.actions.store.model import ActionModel, FeatureSetting

BACKBONE = "dinov2_small"
SOURCES = ("keys", "optical")
RATE_HZ = 8.0

Progress = Callable[[float, str], None]


def feature_setting(
    *,
    rate_hz: float = RATE_HZ,
    size: int = 112,
    sources: Sequence[str] = SOURCES,
    appearance: bool = True,
    backbone: str = BACKBONE,
    words: Path | None = None,
    prompts: Prompts | None = None,
) -> FeatureSetting:
    """What features are made and read.

    Parameters
    ----------
    rate_hz : float, optional
        Frames a second, 1 to 30; a nod needs 8.
    size : int, optional
        Side of the backbone's input in pixels, a multiple of 14.
    sources : sequence of str, optional
        Motion sources: keys, attention, optical, pixels.
    appearance : bool, optional
        Whether the head sees what the frames look like, too.
    backbone : str, optional
        Name or folder, see `find_backbone`.
    words : Path, optional
        Folder of a dual encoder, see `Words`; goes with `prompts`.
    prompts : Prompts, optional
        What it looks for.

    Returns
    -------
    FeatureSetting

    Raises
    ------
    ConfigError
        If a source is unknown, nothing is left to read, or a number leaves its bounds.
    """
    from cueflow.tasks.actions.look.sources import SOURCES as KNOWN
    from cueflow.tasks.actions.store.model import FeatureSetting

    if unknown := [s for s in sources if s not in KNOWN]:
        raise ConfigError(f"{unknown[0]!r} is no motion source; known are {', '.join(KNOWN)}")
    if (words is None) != (prompts is None):
        raise ConfigError("--words and --prompts go together: an encoder, and what it is to look for")
    if not sources and not appearance and words is None:
        raise ConfigError("neither motion nor appearance is left: choose a motion source")
    if not 1 <= rate_hz <= 30 or not 56 <= size <= 518:
        raise ConfigError("the rate must be 1 to 30 frames/s, the size 56 to 518 pixels")
    name = "" if Path(backbone).is_dir() else backbone
    made = FeatureSetting(backbone_sha256(backbone), rate_hz, size, tuple(sources), appearance, name)
    if words is None or prompts is None:
        return made
    return replace(made, words_sha256=words_sha256(words, prompts), prompts=prompts.phrases)


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


class FeatureStore:
    """Features of recordings, made once and kept under a hash of all that changes them.

    Parameters
    ----------
    folder : Path
        The cache; safe to delete.
    setting : FeatureSetting
        Rate and size.
    backbone : str, optional
        Name or folder; default: the setting's.
    words : Path, optional
        Folder of the dual encoder, where the setting has prompts.
    model : Path, optional
        Folder of the model, where the setting has an adapter inside the backbone.
    device : str, optional
        Where torch computes, as in `Backbone`.

    Raises
    ------
    ModelError
        If the setting has prompts, and no encoder is given.
    """

    def __init__(
        self,
        folder: Path,
        setting: FeatureSetting,
        *,
        backbone: str = "",
        words: Path | None = None,
        model: Path | None = None,
        device: str = "",
    ) -> None:
        self._folder, self._setting, self._model, self._device = folder, setting, model, device
        self._words = encoder_of(setting, words, device=device)
        self._name = backbone or setting.backbone
        self._eyes: Eyes | None = None

    def features(self, path: Path, *, progress: Callable[[float], None] | None = None) -> ClipFeatures:
        """Features of one video file, from the cache where they are there.

        Parameters
        ----------
        path : Path
            The recording.
        progress : callable, optional
            Told the share that is done, 0 to 1.

        Returns
        -------
        ClipFeatures
        """
        from cueflow.tasks.actions.look.features import extract
        from cueflow.tasks.ingest.video import probe_video

        key = feature_key(
            input_sha256=sha256_file(path),
            backbone_sha256=self._setting.backbone_sha256,
            rate_hz=self._setting.rate_hz,
            size=self._setting.size,
            attended=self._setting.attended,
            words_sha256=self._setting.words_sha256,
            inside_sha256=self._setting.inside_sha256,
        )
        file = self._folder / key[:2] / f"{key}.safetensors"
        known = read_features(file)
        if known is not None:
            return known
        probe_video(path)
        if self._eyes is None:
            self._eyes = eyes_of(self._setting, self._name, model=self._model, device=self._device)
        rate, size = self._setting.rate_hz, self._setting.size
        made = extract(path, self._eyes, rate_hz=rate, size=size, words=self._words(), progress=progress)
        write_features(file, made)
        return made


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


def patient_video(session: Session) -> Stream | None:
    """The session's video of the patient; the only video where none is marked so."""
    return patient_stream(session.streams)


def patient_stream(streams: Sequence[Stream]) -> Stream | None:
    """The video of the patient among streams; the first one where none is marked so."""
    videos = [s for s in streams if s.modality is Modality.VIDEO]
    own = [s for s in videos if s.role is Role.PATIENT]
    return next(iter(own or videos), None)


def load_clips(
    dataset: Dataset,
    labels: Mapping[str, Sequence[Action]],
    store: FeatureStore,
    *,
    progress: Progress | None = None,
) -> tuple[list[Clip], list[str]]:
    """Features and annotations of the annotated sessions.

    Parameters
    ----------
    dataset : Dataset
        From `read_dataset`.
    labels : mapping of str to sequence of Action
        By session.
    store : FeatureStore
        Where features come from.
    progress : callable, optional
        Told the share that is done, 0 to 1, and what is being done.

    Returns
    -------
    tuple
        Clips in the dataset's order, and warnings: sessions that could not be used, annotations outside a recording.

    Raises
    ------
    DatasetError
        If the annotations name a session that the dataset does not have, or no annotated session has a usable video.
    """
    from cueflow.tasks.actions.data.labels import outside
    from cueflow.tasks.actions.learn.training import Clip

    sessions = {s.session_id: s for s in dataset.sessions}
    if unknown := sorted(set(labels) - set(sessions)):
        raise DatasetError(f"the annotations name {unknown[0]!r}, which is no session of the dataset")
    clips, warnings = [], []
    annotated = [s for s in dataset.sessions if s.session_id in labels]
    for done, session in enumerate(annotated):
        _tell(progress, done / len(annotated), f"features of {session.session_id}")
        stream = patient_video(session)
        try:
            found = None if stream is None else store.features(resolve_inside(dataset.root, stream.path))
        except StreamError as error:
            warnings.append(f"{session.session_id}: left out: {error.message}")
            continue
        if stream is None or found is None:
            warnings.append(f"{session.session_id}: left out: it has no video")
            continue
        start, actions = stream.start_s or 0.0, tuple(labels[session.session_id])
        if lost := outside(actions, start + found.times_s[0], start + found.times_s[-1]):
            warnings.append(f"{session.session_id}: {lost} annotation(s) lie outside the recording")
        clips.append(Clip(session.session_id, session.subject_id, found, actions, start))
    if not clips:
        raise DatasetError("no annotated session has a video that can be used")
    return clips, warnings


def _tell(progress: Progress | None, share: float, what: str) -> None:
    if progress is not None:
        progress(share, what)


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
