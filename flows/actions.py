"""Reading and writing around the action method: cached features of a dataset's videos, models, detected events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.work.stages import model_path, model_store
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.errors import ConfigError, DatasetError, StreamError
from cueflow.schemas.results import Event
from cueflow.schemas.session import Dataset, Modality, Role, Session, Stream
from cueflow.storage.fingerprints import sha256_file
from cueflow.tasks.actions.files import feature_key, read_features, write_features
from cueflow.tasks.ingest.paths import resolve_inside

if TYPE_CHECKING:
    from cueflow.tasks.actions.composite import Rule
    from cueflow.tasks.actions.features import ClipFeatures
    from cueflow.tasks.actions.labels import Action
    from cueflow.tasks.actions.model import ActionModel, FeatureSetting
    from cueflow.tasks.actions.training import Clip
    from cueflow.tasks.video.motion.backbone import Backbone

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
) -> FeatureSetting:
    """What features are made and read; the backbone is the one of the lock file.

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

    Returns
    -------
    FeatureSetting

    Raises
    ------
    ConfigError
        If a source is unknown, nothing is left to read, or a number leaves its bounds.
    """
    from cueflow.tasks.actions.features import SOURCES as KNOWN
    from cueflow.tasks.actions.model import FeatureSetting

    if unknown := [s for s in sources if s not in KNOWN]:
        raise ConfigError(f"{unknown[0]!r} is no motion source; known are {', '.join(KNOWN)}")
    if not sources and not appearance:
        raise ConfigError("neither motion nor appearance is left: choose a motion source")
    if not 1 <= rate_hz <= 30 or size % 14 or not 56 <= size <= 518:
        raise ConfigError("the rate must be 1 to 30 frames/s, the size 56 to 518 pixels and a multiple of 14")
    return FeatureSetting(model_store().sha256(BACKBONE), rate_hz, size, tuple(sources), appearance)


class FeatureStore:
    """Features of recordings, made once and kept under a hash of all that changes them.

    Parameters
    ----------
    folder : Path
        The cache; safe to delete.
    setting : FeatureSetting
        Rate and size.
    """

    def __init__(self, folder: Path, setting: FeatureSetting) -> None:
        self._folder, self._setting = folder, setting
        self._layers = VideoConfig().flow_layers
        self._backbone: Backbone | None = None

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
        from cueflow.tasks.actions.features import extract, make_backbone
        from cueflow.tasks.ingest.video import probe_video

        key = feature_key(
            input_sha256=sha256_file(path),
            backbone_sha256=self._setting.backbone_sha256,
            rate_hz=self._setting.rate_hz,
            size=self._setting.size,
            layers=self._layers,
        )
        file = self._folder / key[:2] / f"{key}.safetensors"
        known = read_features(file)
        if known is not None:
            return known
        probe_video(path)
        if self._backbone is None:
            self._backbone = make_backbone(model_path(BACKBONE), attention_layers=self._layers)
        made = extract(path, self._backbone, rate_hz=self._setting.rate_hz, size=self._setting.size, progress=progress)
        write_features(file, made)
        return made


def patient_video(session: Session) -> Stream | None:
    """The session's video of the patient; the only video where none is marked so."""
    videos = [s for s in session.streams if s.modality is Modality.VIDEO]
    own = [s for s in videos if s.role is Role.PATIENT]
    return (own or videos or [None])[0]  # type: ignore[list-item]


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
    from cueflow.tasks.actions.labels import outside
    from cueflow.tasks.actions.training import Clip

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


def load_action_model(folder: Path) -> ActionModel:
    """A trained model for the backbone of the lock file; a changed or foreign one raises `ModelError`."""
    from cueflow.tasks.actions.files import load_model

    model: ActionModel = load_model(folder, backbone_sha256=model_store().sha256(BACKBONE))
    return model


def session_actions(
    dataset: Dataset, session: Session, model: ActionModel, store: FeatureStore, *, rules: Sequence[Rule] = ()
) -> tuple[Event, ...]:
    """Find the actions of one session: rows for its `events` table.

    Parameters
    ----------
    dataset : Dataset
        Where its recordings lie.
    session : Session
        Any session, annotated or not.
    model : ActionModel
        From `load_action_model`.
    store : FeatureStore
        Made with the model's setting.
    rules : sequence of Rule, optional
        Composite actions.

    Returns
    -------
    tuple of Event
        Kind "action", then kind "composite"; empty where there is no video or nothing was found. `StreamError` comes up
        where the video cannot be used.
    """
    from cueflow.tasks.actions.composite import find_composites
    from cueflow.tasks.actions.detect import events
    from cueflow.tasks.actions.model import curves

    stream = patient_video(session)
    if stream is None:
        return ()
    features = store.features(resolve_inside(dataset.root, stream.path))
    steps = model.preparation.apply(features, model.setting, start_s=stream.start_s or 0.0)
    found = _allowed(events(model, curves(model, steps)), session)
    return (*found, *find_composites(rules, found))


def _allowed(found: Sequence[Event], session: Session) -> tuple[Event, ...]:
    """Events that touch no excluded span."""
    spans = [(x.onset_s, x.onset_s + x.duration_s) for x in session.exclusions]
    return tuple(e for e in found if not any(e.start_s < end and e.end_s > start for start, end in spans))


def evaluate_model(model: ActionModel, clips: Sequence[Clip]) -> dict[str, Any]:
    """Figures of a trained model on annotated recordings; honest only for subjects it has not met."""
    from cueflow.tasks.actions.evaluate import judge, report

    return report([judge(model, c) for c in clips], model.classes, rate_hz=model.setting.rate_hz)
