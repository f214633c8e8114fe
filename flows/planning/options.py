"""What a run was asked for, and the checks that need nothing started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cueflow.flows.fuse import load_matching
from cueflow.flows.planning.granularity import Granularity
from cueflow.schemas.config import Config, load_config
from cueflow.schemas.errors import DatasetError, ModelError
from cueflow.schemas.session import Dataset, Group
from cueflow.tasks.ingest.dataset import read_dataset


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for, checked.

    `video_at_once` limits how many videos are decoded at the same time, 0 for as many as there are workers; `shards`
    says over how many other flow runs the computing is spread, 0 for none; `pages` is where pages of the sessions go.
    """

    sessions: tuple[str, ...]
    groups: frozenset[Group]
    config: Path | None
    workers: int
    fusion_model: Path | None
    force: bool
    join: bool
    granularity: Granularity = Granularity.AUTO
    video_at_once: int = 0
    shards: int = 0
    action_model: Path | None = None
    pages: Path | None = None

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

    Raises
    ------
    ModelError
        If the action model reads descriptions in words and the configuration names no encoder; other errors come from
        the readers.
    """
    chosen_sessions(read_dataset(dataset, name=dataset_name or None), options.sessions)
    if model := options.settings().video.action_model:
        from cueflow.tasks.actions.store.files import model_digest, prompts_of

        model_digest(Path(model))
        if prompts_of(Path(model)) and not options.settings().video.action_words:
            raise ModelError(
                f"{Path(model).name}: reads descriptions in words: name the folder of its encoder as action_words in "
                "the configuration's [video]"
            )
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
