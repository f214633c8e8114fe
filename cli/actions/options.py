"""Options that the commands share: what is read from a video, with which backbone, and where it is kept."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Source(StrEnum):
    """What motion is read from."""

    KEYS = "keys"
    IMAGES = "images"
    ATTENTION = "attention"
    OPTICAL = "optical"
    PIXELS = "pixels"


class Temporal(StrEnum):
    """What looks along time in an adapter."""

    NONE = "none"
    CONV = "conv"
    DILATED = "dilated"
    ATTENTION = "attention"
    GRU = "gru"

    @property
    def unit(self) -> str:
        """Its name in a head's shape, empty for none."""
        return "" if self is Temporal.NONE else self.value


DatasetFolder = Annotated[Path, typer.Argument(help="Folder with manifest.csv.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="Annotations: CSV (session_id, onset_s, duration_s, label; may overlap), a CSV of BORIS, an .eaf of ELAN "
        "or a folder of them; default: rows of kind action in the dataset's events.csv.",
    ),
]
BackboneName = Annotated[
    str, typer.Option("--backbone", help="Vision transformer: dinov2_small, a folder, or a fetched name of the hub.")
]
Rate = Annotated[float, typer.Option("--rate", min=1, max=30, help="Frames a second; quick nods need 8.")]
Size = Annotated[
    int,
    typer.Option(
        "--size",
        min=56,
        max=518,
        help="Side of the picture that the backbone sees, pixels: 112, or 168 for small movements, in more time.",
    ),
]
WordsFolder = Annotated[
    Path | None,
    typer.Option("--words", help="Folder of a dual encoder (CLIP, SigLIP) that reads descriptions in words."),
]
PromptsFile = Annotated[
    Path | None,
    typer.Option("--prompts", help="YAML with a phrase or a list of phrases by label, for --words."),
]
Device = Annotated[
    str, typer.Option("--device", help="Where the backbone computes: cpu, cuda, cuda:1; else $CUEFLOW_DEVICE, or cpu.")
]
Motion = Annotated[list[Source] | None, typer.Option("--motion", help="Motion source; may be given several times.")]
Appearance = Annotated[bool, typer.Option("--appearance/--no-appearance", help="Also read how the frames look.")]
Related = Annotated[bool, typer.Option("--relations/--no-relations", help="Let classes look at one another.")]
TemporalUnit = Annotated[Temporal, typer.Option("--adapter", help="What looks along time before the head.")]
InsideUnit = Annotated[
    Temporal | None,
    typer.Option(
        "--inside",
        help="Train an adapter inside the backbone first; what looks along time in it (none: nothing). Wants a GPU.",
    ),
]
Lora = Annotated[int, typer.Option("--lora", min=0, max=64, help="Rank of LoRA beside it; 0: without.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="At most; held-out subjects end it earlier.")]
Seed = Annotated[int, typer.Option("--seed", help="Equal seeds give equal models on one machine.")]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Folder of cached features; default: cueflow's own in the home folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT = [Source.KEYS, Source.OPTICAL]
