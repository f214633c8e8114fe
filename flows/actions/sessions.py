"""One session at a time: its actions, its cues in words, and pictures of them from the recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cueflow.flows.actions.clips import patient_video
from cueflow.flows.actions.features import FeatureStore
from cueflow.flows.actions.models import load_action_model
from cueflow.flows.showing.recorded import start_of
from cueflow.schemas.errors import DatasetError, StreamError
from cueflow.schemas.results import Event
from cueflow.schemas.session import Dataset, Session
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.ingest.paths import resolve_inside
from cueflow.tasks.report.pictures import Found

if TYPE_CHECKING:
    import polars as pl

    from cueflow.tasks.actions.answer.composite import Rule
    from cueflow.tasks.actions.look.words import Cue, Words
    from cueflow.tasks.actions.store.model import ActionModel

MOST = 6  # actions of a session
LONGEST_S = 10.0  # of a film; of a longer action its middle


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
    from cueflow.tasks.actions.answer.apply import found_actions, without

    stream = patient_video(session)
    if stream is None:
        return ()
    features = store.features(resolve_inside(dataset.root, stream.path))
    steps = model.preparation.apply(features, model.setting, start_s=stream.start_s or 0.0)
    return found_actions(model, without(steps, session.exclusions), rules)


def session_cues(dataset: Dataset, session: Session, words: Words, *, rate_hz: float) -> tuple[Cue, ...]:
    """Spans of one session that fit a description, on the session's clock; nothing is trained or cached.

    Parameters
    ----------
    dataset : Dataset
        Where its recordings lie.
    session : Session
        Any session.
    words : Words
        An encoder with its prompts.
    rate_hz : float
        Frames a second at most.

    Returns
    -------
    tuple of Cue
        Empty where there is no video. `StreamError` comes up where the video cannot be used.
    """
    from cueflow.tasks.actions.look.words import find_cues
    from cueflow.tasks.ingest.video import probe_video
    from cueflow.tasks.video.decode import Decoder, Gap, frames

    stream = patient_video(session)
    if stream is None:
        return ()
    path, gap = resolve_inside(dataset.root, stream.path), Gap(rate_hz)
    probe_video(path)
    times, scores = [], []
    for batch in frames(path, decoder=Decoder.AV, max_side=2 * words.size, max_rate_hz=rate_hz):
        kept = [k for k, t in enumerate(batch.times_s) if gap.keeps(float(t))]
        if kept:
            times.append(batch.times_s[kept])
            scores.append(words.scores(batch.frames[kept]))
    if not times:
        return ()
    start = stream.start_s or 0.0
    labels = words.prompts.labels
    return find_cues(np.concatenate(times) + start, np.concatenate(scores), labels, rate_hz=rate_hz)


def show_interval(
    dataset: Dataset,
    session: Session,
    model: ActionModel,
    store: FeatureStore,
    *,
    span: tuple[float, float],
    out: Path,
) -> tuple[Path, Path]:
    """Write a picture and a short video of an interval, see `write_overlay`.

    Raises
    ------
    DatasetError
        If the session has no video.
    """
    from cueflow.tasks.actions.answer.overlay import write_overlay
    from cueflow.tasks.actions.store.model import curves

    stream = patient_video(session)
    if stream is None:
        raise DatasetError("the session has no video")
    path, start = resolve_inside(dataset.root, stream.path), stream.start_s or 0.0
    steps = model.preparation.apply(store.features(path), model.setting, start_s=start)
    return write_overlay(path, curves(model, steps), model.classes, span=span, start_s=start, out=out)


class ActionPictures:
    """Shows the actions of sessions, the model and the dataset read once.

    Parameters
    ----------
    dataset : Path
        Folder with the recordings that the tables came from.
    model : Path
        From `cueflow actions train`; the one that the run used.
    backbone : str, optional
        Name or folder, where it is not the one that the model names.
    words : Path, optional
        Folder of the model's encoder of words, where it reads descriptions.
    name : str, optional
        Name of the dataset in the tables; default: the folder's.
    cache : Path, optional
        Folder of cached features; default: cueflow's own in the home folder.
    """

    def __init__(
        self,
        dataset: Path,
        model: Path,
        *,
        backbone: str = "",
        words: Path | None = None,
        name: str = "",
        cache: Path | None = None,
    ) -> None:
        self._data, self._model = (
            read_dataset(dataset, name=name or None),
            load_action_model(model, backbone=backbone, words=words),
        )
        self._sessions = {s.session_id: s for s in self._data.sessions}
        folder = cache or Path.home() / ".cache" / "cueflow" / "action_features"
        self._store = FeatureStore(folder, self._model.setting, backbone=backbone, words=words, model=model)

    @property
    def dataset(self) -> str:
        """Name of the dataset whose sessions can be shown."""
        return self._data.name

    def of(self, session: Mapping[str, Any], events: pl.DataFrame) -> tuple[Found, ...]:
        """Pictures of a session's actions.

        Parameters
        ----------
        session : mapping
            Its row of the `sessions` table: another dataset may have one of the same id.
        events : polars.DataFrame
            Its rows of the `events` table.

        Returns
        -------
        tuple of Found
            Six at most: the surest of each class, then the next ones. None where the recording is not there.
        """
        from cueflow.tasks.actions.answer.overlay import shots
        from cueflow.tasks.actions.store.model import curves
        from cueflow.tasks.video.shots import film, still

        own = self._sessions.get(session["session_id"]) if session["dataset"] == self._data.name else None
        stream = None if own is None else patient_video(own)
        chosen = surest(events, self._model.classes)
        if stream is None or not chosen:
            return ()
        path = resolve_inside(self._data.root, stream.path)
        start = start_of(stream, session, at_s=float(np.median([row["start_s"] for row in chosen])))
        try:
            steps = self._model.preparation.apply(self._store.features(path), self._model.setting, start_s=start)
        except StreamError:
            return ()  # the run has said what is wrong with this recording
        spans = [_short(row["start_s"], row["end_s"]) for row in chosen]
        found, made = curves(self._model, steps), []
        for number, shown in shots(path, found, self._model.classes, spans=spans, start_s=start):
            row = chosen[number]
            picture = still(shown, spans[number], kind=".webp")
            made.append(Found(row["label"], row["start_s"], row["end_s"], row["score"], picture, film(shown)))
        return tuple(made)


def surest(events: pl.DataFrame, labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """Actions to show: the one with the highest score of each class, then the next ones, `MOST` in all."""
    import polars as pl

    own = events.filter(pl.col("kind") == "action", pl.col("label").is_in(labels)).sort("score", descending=True)
    ranked = own.with_columns(pl.int_range(pl.len()).over("label").alias("rank")).sort("rank", maintain_order=True)
    return ranked.head(MOST).to_dicts()


def _short(start_s: float, end_s: float) -> tuple[float, float]:
    middle = (start_s + end_s) / 2
    return max(start_s, middle - LONGEST_S / 2), min(end_s, middle + LONGEST_S / 2)
