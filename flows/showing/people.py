"""Pictures of people for a session's page: what was measured, drawn into a part of the recording."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.flows.actions.clips import patient_video
from cueflow.flows.showing.recorded import start_of
from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.errors import ConfigError, StreamError
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.ingest.paths import resolve_inside
from cueflow.tasks.report.pictures import Found
from cueflow.tasks.video.drawn import LONGEST_S, FacesAs, drawn, look
from cueflow.tasks.video.shots import film, still

if TYPE_CHECKING:
    import polars as pl


class PeoplePictures:
    """Draws landmarks, bodies, hands and gaze into a part of sessions' videos.

    Parameters
    ----------
    dataset : Path
        Folder with the recordings that the tables came from.
    span : tuple of float
        Start and end on the session clock, s.
    faces : FacesAs
        Faces are replaced by their landmarks, blurred, or shown.
    name : str, optional
        Name of the dataset in the tables; default: the folder's.
    strict : bool, optional
        Whether a recording that cannot be shown there is an error; otherwise its page has no picture.

    Raises
    ------
    ConfigError
        If the span ends before it starts, or is too long to be drawn.
    """

    def __init__(
        self, dataset: Path, span: tuple[float, float], *, faces: FacesAs, name: str = "", strict: bool = True
    ) -> None:
        if not 0 < span[1] - span[0] <= LONGEST_S:
            raise ConfigError(f"A span to draw is from START to END in seconds, {LONGEST_S:g} s at most.")
        self._data, self._span, self._faces = read_dataset(dataset, name=name or None), span, faces
        self._strict = strict
        self._sessions = {s.session_id: s for s in self._data.sessions}

    @property
    def dataset(self) -> str:
        """Name of the dataset whose sessions can be shown."""
        return self._data.name

    def of(self, session: Mapping[str, Any], events: pl.DataFrame) -> tuple[Found, ...]:
        """The picture and the film of a session.

        Parameters
        ----------
        session : mapping
            Its row of the `sessions` table.
        events : polars.DataFrame
            Not used.

        Returns
        -------
        tuple of Found
            One at most.

        Raises
        ------
        ConfigError
            If there is no recording, and that is an error.
        StreamError
            If it cannot be shown there, and that is an error.
        """
        own = self._sessions.get(session["session_id"]) if session["dataset"] == self._data.name else None
        stream = None if own is None else patient_video(own)
        if stream is None:
            if own is not None and self._strict:
                raise ConfigError("the session has no video to draw into")
            return ()
        start, most = start_of(stream, session, at_s=sum(self._span) / 2), VideoConfig().people_max
        try:
            path = resolve_inside(self._data.root, stream.path)
            with _native_silence():
                seen = look(path, video_models(), span=self._span, start_s=start, most=most)
        except StreamError:
            if self._strict:
                raise
            return ()
        shown = list(drawn(seen, self._faces))
        return (Found("", *self._span, None, still(shown, self._span, kind=".webp"), film(shown)),)


@contextmanager
def _native_silence() -> Iterator[None]:
    """Keep off the terminal what MediaPipe's native part says of its own doings; no variable switches that off."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
