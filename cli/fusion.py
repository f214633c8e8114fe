"""`cueflow fusion`: train, evaluate and explain late fusion."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="Late fusion of one additive expert per modality, with exact explanations."
)
Tables = Annotated[Path, typer.Argument(help="Folder that `cueflow run` wrote, or a long table (Parquet, CSV).")]
Labels = Annotated[Path, typer.Option("--labels", help="CSV: session_id, target, value.")]
Target = Annotated[str, typer.Option("--target", help="Which target of labels.csv.")]


class Baseline(StrEnum):
    """What values are compared to."""

    NONE = "none"
    COHORT = "cohort"
    SUBJECT = "subject"
    PHASE = "phase"
