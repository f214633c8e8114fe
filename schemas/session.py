"""What a dataset is: sessions, each a set of recording streams on one clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.schemas.reasons import Reason


class Modality(StrEnum):
    """Kind of a recording stream, as the manifest names it."""

    VIDEO = "video"
    AUDIO = "audio"
    ECG = "ecg"
    PPG = "ppg"
    EDA = "eda"
    RESPIRATION = "respiration"
    ACCELEROMETER = "accelerometer"
    TEMPERATURE = "temperature"
    INTERVALS = "intervals"

    @property
    def group(self) -> Group:
        """The stage that processes it."""
        return {Modality.VIDEO: Group.VIDEO, Modality.AUDIO: Group.AUDIO}.get(self, Group.PHYSIOLOGY)


class Group(StrEnum):
    """The three stages; `--modalities` chooses among them."""

    VIDEO = "video"
    AUDIO = "audio"
    PHYSIOLOGY = "physiology"


class Role(StrEnum):
    """Whose recording it is."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Stream:
    """One row of the manifest.

    `path` is relative to the dataset root, with forward slashes; `start_s` is the stream's first sample on the
    session clock in seconds (None: unknown); `sampling_rate` in Hz (None: the file says it); `channel` names the
    column or signal inside the file, empty where there is only one.
    """

    modality: Modality
    path: str
    role: Role = Role.PATIENT
    start_s: float | None = None
    sampling_rate: float | None = None
    channel: str = ""
    unit: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What may occur once in a session."""
        return (self.modality.value, self.role.value, self.channel)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a row, a stream or a session, found before anything runs.

    `modality`, `role` and `channel` are those of the stream, empty where they are not known.
    """

    reason: Reason
    message: str
    path: str = ""
    modality: str = ""
    role: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Marker:
    """A row of events.csv: a phase, an event, or an annotated action, on the session clock.

    `kind` is empty where the file does not say: what lasts is a phase then, the rest are events. "marker" is an event
    however long it lasts; "action" marks what a person saw somebody do, and is neither.
    """

    onset_s: float
    duration_s: float
    label: str
    kind: str = ""

    @property
    def is_phase(self) -> bool:
        """Whether measures are taken over it."""
        return self.duration_s > 0 and self.kind not in {"action", "marker"}

    @property
    def is_event(self) -> bool:
        """Whether responses are measured around its onset."""
        return self.kind != "action" and not self.is_phase


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A row of exclusions.csv: a span of the session that no measure may use."""

    onset_s: float
    duration_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The markers and exclusions of a session on a recorder's own clock."""

    markers: tuple[Marker, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One visit of one subject."""

    session_id: str
    subject_id: str
    visit: str
    streams: tuple[Stream, ...]
    problems: tuple[Problem, ...] = ()
    markers: tuple[Marker, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of sessions. `problems` are those of the dataset itself; each session carries its own."""

    name: str
    root: Path
    sessions: tuple[Session, ...]
    problems: tuple[Problem, ...] = field(default=())
