"""Parameters of a run, with bounds; everything that changes a value is part of the hash."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cueflow.schemas.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PersonRule(StrEnum):
    """Which of several people a recording is about."""

    MOST_PRESENT = "most_present"
    LARGEST = "largest"
    LEFT = "left"
    RIGHT = "right"


# files, known by the hashes of their content instead, and where it is computed
NOT_THE_METHOD = frozenset({"action_model", "action_backbone", "action_words", "device"})


class VideoConfig(_Section):
    """Video: how often and how large the frozen backbone looks."""

    flow_rate_hz: float = Field(default=4.0, ge=1, le=30, description="Frames per second given to the backbone.")
    flow_size: int = Field(
        default=112, ge=56, le=518, multiple_of=14, description="Side of the backbone's input in pixels."
    )
    flow_layers: tuple[int, ...] = Field(
        default=(8, 9, 10, 11), description="Blocks whose attention maps are compared."
    )
    flow_sharpening: float | None = Field(
        default=None, gt=0, description="Softmax scale of the flow; default: patches."
    )
    still_threshold: float = Field(
        default=0.043,
        gt=0,
        description="Residual speed, patches per second, below which a second is still; for flow_size 112, where "
        "photographs give up to .021 under noise of 5 grey levels (.064 under 15), people who sign .05 and more.",
    )
    device: str = Field(
        default="",
        pattern=r"^(|cpu|cuda(:\d+)?)$",
        description="Where the frozen backbone computes: cpu, cuda, cuda:1; empty: what CUEFLOW_DEVICE says on the "
        "machine that computes, otherwise cpu. Not part of the method.",
    )
    action_model: str = Field(default="", description="Folder of an action model to apply; empty: none.")
    action_backbone: str = Field(
        default="", description="Name or folder of the action model's backbone, where it is not the usual one."
    )
    action_words: str = Field(
        default="", description="Folder of the dual encoder of an action model that reads descriptions in words."
    )
    face_rate_hz: float = Field(
        default=30.0, ge=5, le=120, description="At most this many frames per second are searched."
    )
    face_side: int = Field(
        default=640, ge=192, le=1920, description="Frames are reduced to this longer side for faces and bodies."
    )
    body_rate_hz: float = Field(
        default=12.0,
        ge=2,
        le=120,
        description="At most this many frames per second are searched for the body; tremor needs 30.",
    )
    hand_rate_hz: float = Field(default=4.0, ge=1, le=120, description="The same for hands and fingertips.")
    people_max: int = Field(default=4, ge=1, le=16, description="So many people are followed at a time.")
    person_rule: PersonRule = Field(
        default=PersonRule.MOST_PRESENT,
        description="Who a recording is about, where no reference photograph says it.",
    )


class AudioConfig(_Section):
    """Audio: voice activity and pitch."""

    vad_threshold: float = Field(
        default=0.5, gt=0, lt=1, description="Speech probability above which a frame is voice."
    )
    pause_min_s: float = Field(default=0.25, ge=0.1, le=2, description="Silence shorter than this is not a pause.")
    f0_floor_hz: float = Field(default=60.0, ge=30, le=200, description="Lowest pitch looked for.")
    f0_ceiling_hz: float = Field(default=500.0, ge=200, le=1000, description="Highest pitch looked for.")
    speakers: int = Field(
        default=0, ge=0, le=8, description="People in a recording of the room, where it is known; 0: estimated."
    )
    recognise: bool = Field(
        default=False,
        description="Count English words in the sound itself; needs cueflow[words] and a second pass over it.",
    )
    role_rule: Literal["none", "patient_speaks_most", "clinician_speaks_first"] = Field(
        default="none", description="How two speakers of a room get their roles where no voice print tells them."
    )


class PhysiologyConfig(_Section):
    """Physiology: detection thresholds."""

    scr_threshold_us: float = Field(default=0.05, gt=0, description="Smallest skin conductance response, in µS.")
    rate_tolerance: float = Field(default=0.02, gt=0, lt=0.5, description="Declared against measured sampling rate.")


class Config(_Section):
    """All parameters of a run; a TOML, YAML or JSON file may set any of them."""

    video: VideoConfig = VideoConfig()
    audio: AudioConfig = AudioConfig()
    physiology: PhysiologyConfig = PhysiologyConfig()

    @property
    def sha256(self) -> str:
        """Hash of all parameters, independent of the order they were written in."""
        files = {"video": set(NOT_THE_METHOD)}
        return hashlib.sha256(
            json.dumps(self.model_dump(mode="json", exclude=files), sort_keys=True).encode()
        ).hexdigest()


def load_config(path: Path | None) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : Path or None
        TOML, YAML or JSON by suffix; None gives the defaults.

    Returns
    -------
    Config
        Defaults where the file says nothing.

    Raises
    ------
    ConfigError
        If the file cannot be read, names an unknown parameter or leaves its bounds.
    """
    if path is None:
        return Config()
    try:
        return Config.model_validate(_parse(path))
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path.name}: {where}: {first['msg']}") from error


def _parse(path: Path) -> object:
    import tomllib

    import yaml

    text = path.read_text(encoding="utf-8")
    try:
        if path.suffix == ".toml":
            return tomllib.loads(text)
        return yaml.safe_load(text) or {}  # JSON is YAML
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name}: {str(error).splitlines()[0]}") from error
