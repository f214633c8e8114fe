"""What the commands of `cueflow actions` have in common: settings, cached features, annotated clips, warnings, bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cueflow.cli.actions.options import DEFAULT, Source
from cueflow.cli.console import console

if TYPE_CHECKING:
    from cueflow.flows.actions.features import FeatureStore
    from cueflow.schemas.session import Dataset
    from cueflow.tasks.actions.learn.training import Clip
    from cueflow.tasks.actions.store.model import FeatureSetting

app = typer.Typer(
    no_args_is_help=True,
    help="Actions in long video: train on a few annotated sessions, measure on subjects the model has not met.",
)


def sources_of(motion: Sequence[Source] | None) -> tuple[str, ...]:
    """What motion is read from: what was asked for, once each, or the default."""
    return tuple(dict.fromkeys(s.value for s in (motion or DEFAULT)))


def setting_of(
    backbone: str,
    looks: tuple[float, int],
    sources: Sequence[str],
    *,
    appearance: bool,
    words: tuple[Path | None, Path | None],
) -> FeatureSetting:
    """What is read from a video, by the options of a command; bad combinations raise `ConfigError`."""
    from cueflow.flows.actions.backbones import BACKBONE
    from cueflow.flows.actions.features import feature_setting
    from cueflow.tasks.actions.data.prompts import read_prompts

    (rate, size), (encoder, said) = looks, words
    return feature_setting(
        rate_hz=rate,
        size=size,
        sources=sources,
        appearance=appearance,
        backbone=backbone or BACKBONE,
        words=encoder,
        prompts=None if said is None else read_prompts(said),
    )


def store_of(
    cache: Path | None,
    setting: FeatureSetting,
    backbone: str,
    words: Path | None,
    *,
    model: Path | None = None,
    device: str = "",
) -> FeatureStore:
    """Where features are kept: the folder asked for, or cueflow's own in the home folder."""
    from cueflow.flows.actions.features import FeatureStore

    folder = cache or Path.home() / ".cache" / "cueflow" / "action_features"
    return FeatureStore(folder, setting, backbone=backbone, words=words, model=model, device=device)


def annotated(
    folder: Path, labels: Path | None, store: FeatureStore, tell: Callable[[float, str], None]
) -> tuple[list[Clip], tuple[str, ...], list[str]]:
    """Features and actions of the annotated sessions, the classes that can be learned, and what to be careful about."""
    from cueflow.flows.actions.clips import load_clips
    from cueflow.tasks.actions.data.annotations import annotations_of, read_annotations
    from cueflow.tasks.actions.data.labels import usable_classes
    from cueflow.tasks.ingest.dataset import read_dataset

    data: Dataset = read_dataset(folder)
    given, left = (annotations_of(data), ()) if labels is None else read_annotations(labels)
    clips, warnings = load_clips(data, given, store, progress=tell)
    classes, rare = usable_classes(
        {c.session_id: c.actions for c in clips}, {c.session_id: c.subject_id for c in clips}
    )
    return clips, classes, [*left, *warnings, *rare]


def warn(warnings: Sequence[str]) -> None:
    """Print what to be careful about to standard error."""
    screen = console(err=True)
    for warning in warnings:
        screen.print(f"[yellow]careful[/yellow]  {warning}", markup=True)


@contextmanager
def bar_of(what: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar that is told the share done and what is being done."""
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share, doing: progress.update(bar, completed=share, description=doing or what)
