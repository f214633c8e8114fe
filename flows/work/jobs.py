"""A job: one stage of one session, as it travels to a worker process in JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from cueflow.schemas.config import Config
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Cut, Exclusion, Group, Marker, Stream


@dataclass(frozen=True, slots=True)
class StageJob:
    """Everything a worker needs to run one stage of one session.

    `decoder` is the video decoder to use; the caller tries the second where the first hangs or dies. The result goes
    to the stage cache under `key`, never through the pipe. `reference` is the path, inside the dataset, of a photograph
    of the patient; empty where there is none. `clues`: look for what places a clock on another. `cuts`, by clock: the
    markers and exclusions of recorders whose place was found since; results then lie beside those of the first pass.
    """

    group: Group
    dataset_root: str
    tables_root: str
    dataset: str
    session_id: str
    key: str
    streams: tuple[Stream, ...]
    input_sha256: dict[str, str]
    markers: tuple[Marker, ...]
    exclusions: tuple[Exclusion, ...]
    config: Config
    decoder: str = "av"
    reference: str = ""
    clues: bool = False
    cuts: dict[str, Cut] = field(default_factory=dict)

    @property
    def entry(self) -> str:
        """What the results are called in the stage cache."""
        return f"{self.group}.placed" if self.cuts else str(self.group)

    def on(self, clock: str) -> StageJob:
        """The job with the markers and exclusions on a recorder's clock."""
        cut = self.cuts.get(clock)
        return self if cut is None else replace(self, markers=cut.markers, exclusions=cut.exclusions)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `reason` is None where the stage's results are in the cache."""

    reason: Reason | None
    message: str
    seconds: float


_JOB = TypeAdapter(StageJob)


def dump_job(job: StageJob) -> bytes:
    """The job as one line of JSON."""
    return _JOB.dump_json(job)


def load_job(line: bytes | str) -> StageJob:
    """The job that `dump_job` wrote."""
    return _JOB.validate_json(line)
