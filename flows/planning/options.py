"""What a run was asked for, and the checks that need nothing started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from cueflow.flows.fuse import load_matching
from cueflow.schemas.config import Config, load_config
from cueflow.schemas.errors import DatasetError
from cueflow.schemas.session import Dataset, Group
from cueflow.tasks.ingest.dataset import read_dataset

_BY_MODALITY_UP_TO = 1_000
_BY_SESSION_UP_TO = 10_000


class Granularity(StrEnum):
    """What one task of Prefect is."""

    AUTO = "auto"
    MODALITY = "modality"
    SESSION = "session"
    CHUNK = "chunk"

    def for_sessions(self, count: int) -> Granularity:
        """The granularity for so many sessions: small tasks where there are few, since each costs Prefect time."""
        if self is not Granularity.AUTO:
            return self
        if count <= _BY_MODALITY_UP_TO:
            return Granularity.MODALITY
        return Granularity.SESSION if count <= _BY_SESSION_UP_TO else Granularity.CHUNK


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for, checked.

    `at_once` says how many jobs of a stage may run at the same time, where that is fewer than `workers`.
    """

    sessions: tuple[str, ...]
    groups: frozenset[Group]
    config: Path | None
    workers: int
    fusion_model: Path | None
    force: bool
    join: bool
    granularity: Granularity = Granularity.AUTO
    at_once: Mapping[Group, int] = field(default_factory=dict)
    action_model: Path | None = None

    def settings(self) -> Config:
        """Parameters of the run: those of the file, with what the command line says in their place.

        Raises
        ------
        ConfigError
            If the file cannot be used.
        """  # noqa: DOC502  raised by the reader
        found = load_config(self.config)
        if self.action_model is None:
            return found
        return found.model_copy(
            update={"video": found.video.model_copy(update={"action_model": str(self.action_model)})}
        )


def preflight(dataset: Path, *, dataset_name: str, options: Options) -> None:
    """Raise what would end a run at its start, before anything is started for it.

    Parameters
    ----------
    dataset : Path
        Folder of the dataset.
    dataset_name : str
        Name of the dataset in the tables; empty: the folder's name.
    options : Options
        What the run was asked for.
    """
    chosen_sessions(read_dataset(dataset, name=dataset_name or None), options.sessions)
    if model := options.settings().video.action_model:
        from cueflow.tasks.actions.files import model_digest

        model_digest(Path(model))
    if options.fusion_model:
        load_matching(options.fusion_model, options.groups)


def chosen_sessions(dataset: Dataset, wanted: Sequence[str]) -> Dataset:
    """The dataset with the sessions asked for.

    Parameters
    ----------
    dataset : Dataset
        The whole of it.
    wanted : sequence of str
        Session ids; empty: all.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        If a session is not in the dataset.
    """
    if not wanted:
        return dataset
    known = {s.session_id for s in dataset.sessions}
    if missing := [w for w in wanted if w not in known]:
        raise DatasetError(
            f"{len(missing)} of the sessions asked for are not in the dataset, the first is {missing[0]!r}; "
            "`cueflow check` lists what is there"
        )
    return replace(dataset, sessions=tuple(s for s in dataset.sessions if s.session_id in set(wanted)))
