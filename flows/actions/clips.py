"""Annotated recordings of a dataset: the patient's video of each session, its features and its actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cueflow.schemas.errors import DatasetError, StreamError
from cueflow.schemas.session import Dataset, Modality, Role, Session, Stream
from cueflow.tasks.ingest.paths import resolve_inside

if TYPE_CHECKING:
    from cueflow.flows.actions.features import FeatureStore
    from cueflow.tasks.actions.data.labels import Action
    from cueflow.tasks.actions.learn.training import Clip

Progress = Callable[[float, str], None]


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
