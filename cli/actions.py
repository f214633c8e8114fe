"""`cueflow actions`: train, evaluate and apply action detection."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cueflow.cli.console import console

if TYPE_CHECKING:
    from cueflow.flows.actions import FeatureStore
    from cueflow.schemas.session import Dataset
    from cueflow.tasks.actions.model import FeatureSetting
    from cueflow.tasks.actions.training import Clip

app = typer.Typer(
    no_args_is_help=True,
    help="Actions in long video: train on a few annotated sessions, measure on subjects the model has not met.",
)


class Source(StrEnum):
    """What motion is read from."""

    KEYS = "keys"
    IMAGES = "images"
    ATTENTION = "attention"
    OPTICAL = "optical"
    PIXELS = "pixels"


DatasetFolder = Annotated[Path, typer.Argument(help="Folder with manifest.csv.")]
Labels = Annotated[Path, typer.Option("--labels", help="CSV: session_id, onset_s, duration_s, label; may overlap.")]
Rate = Annotated[float, typer.Option("--rate", min=1, max=30, help="Frames a second; quick nods need 8.")]
Motion = Annotated[list[Source] | None, typer.Option("--motion", help="Motion source; may be given several times.")]
Appearance = Annotated[bool, typer.Option("--appearance/--no-appearance", help="Also read how the frames look.")]
Related = Annotated[bool, typer.Option("--relations/--no-relations", help="Let classes look at one another.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="At most; held-out subjects end it earlier.")]
Seed = Annotated[int, typer.Option("--seed", help="Equal seeds give equal models on one machine.")]
Cache = Annotated[
    Path | None, typer.Option("--cache", help="Folder of cached features; default: cueflow's own in the home folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DEFAULT = [Source.KEYS, Source.OPTICAL]


@app.command(epilog="Example: `cueflow actions train cohort --labels actions.csv --out model`")
def train(
    dataset: DatasetFolder,
    labels: Labels,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model and its card.")],
    rate: Rate = 8.0,
    motion: Motion = None,
    appearance: Appearance = True,
    relations: Related = True,
    epochs: Epochs = 60,
    seed: Seed = 0,
    cache: Cache = None,
) -> None:
    """Train a temporal head on the frozen backbone's features of annotated sessions."""
    from cueflow.flows.actions import feature_setting
    from cueflow.tasks.actions.files import save_model
    from cueflow.tasks.actions.training import TrainOptions
    from cueflow.tasks.actions.training import train as fit

    setting = feature_setting(rate_hz=rate, sources=_sources(motion), appearance=appearance)
    with _bar("training") as tell:
        clips, classes, warnings = _annotated(dataset, labels, setting, cache, tell)
        options = TrainOptions(epochs=epochs, relations=relations, seed=seed)
        model = fit(clips, classes, setting, options=options, progress=lambda share: tell(share, "training"))
        save_model(model, out)
    screen = console()
    screen.print(f"Wrote {out}: a model of {len(model.classes)} classes from {len(clips)} sessions, and its card.")
    _warn(warnings)
    screen.print(f"Next: cueflow actions evaluate {dataset} --labels {labels} --folds 4")
    screen.print(f"      cueflow actions detect DATASET --model {out}")


@app.command(epilog="Example: `cueflow actions evaluate cohort --labels actions.csv --folds 4 --json`")
def evaluate(
    dataset: DatasetFolder,
    labels: Labels,
    model: Annotated[Path | None, typer.Option("--model", help="Folder from `cueflow actions train`.")] = None,
    folds: Annotated[int | None, typer.Option("--folds", min=2, help="Train anew in folds by subject.")] = None,
    rate: Rate = 8.0,
    motion: Motion = None,
    appearance: Appearance = True,
    relations: Related = True,
    epochs: Epochs = 60,
    seed: Seed = 0,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on other sessions, or the method itself in folds by subject."""
    from cueflow.flows.actions import evaluate_model, feature_setting, load_action_model
    from cueflow.schemas.errors import ConfigError
    from cueflow.tasks.actions.evaluate import cross_validate, report
    from cueflow.tasks.actions.training import TrainOptions

    if (model is None) == (folds is None):
        raise ConfigError("give either --model or --folds")
    with _bar("evaluating") as tell:
        if model is not None:
            ready = load_action_model(model)
            clips, _, warnings = _annotated(dataset, labels, ready.setting, cache, tell)
            warnings += [f"{name}: not in the model; left out" for name in _foreign(clips, ready.classes)]
            found = evaluate_model(ready, clips)
        else:
            setting = feature_setting(rate_hz=rate, sources=_sources(motion), appearance=appearance)
            clips, classes, warnings = _annotated(dataset, labels, setting, cache, tell)
            judged = cross_validate(
                clips,
                classes,
                setting,
                folds=folds or 2,
                options=TrainOptions(epochs=epochs, relations=relations, seed=seed),
                progress=lambda share: tell(share, "training and measuring"),
            )
            found = report(judged, classes, rate_hz=rate, seed=seed)
    _warn(warnings)
    sys.stdout.write((json.dumps(found) if as_json else _text(found)) + "\n")


@app.command(epilog="Example: `cueflow actions detect cohort --model model --session s001`")
def detect(
    dataset: DatasetFolder,
    model: Annotated[Path, typer.Option("--model", help="Folder from `cueflow actions train`.")],
    session: Annotated[list[str] | None, typer.Option("--session", help="Session id; default: all.")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="YAML or JSON: composite actions.")] = None,
    cache: Cache = None,
) -> None:
    """Print the actions of sessions as JSON lines: when, how sure, where in the picture, because of what."""
    from cueflow.flows.actions import load_action_model, session_actions
    from cueflow.schemas.errors import DatasetError, StreamError
    from cueflow.tasks.actions.composite import read_rules
    from cueflow.tasks.ingest.dataset import read_dataset

    ready, data = load_action_model(model), read_dataset(dataset)
    composites = read_rules(rules) if rules else ()
    if unknown := set(session or ()) - {s.session_id for s in data.sessions}:
        raise DatasetError(f"{min(unknown)!r} is no session of the dataset")
    store = _store(cache, ready.setting)
    for one in data.sessions:
        if session and one.session_id not in session:
            continue
        try:
            found = session_actions(data, one, ready, store, rules=composites)
        except StreamError as error:
            _warn([f"{one.session_id}: {error.message}"])
            continue
        for event in found:
            row = {name: getattr(event, name) for name in ("kind", "label", "start_s", "end_s", "score")}
            line = {"session_id": one.session_id} | row | {"evidence": dict(event.evidence)}
            sys.stdout.write(json.dumps(line) + "\n")


def _sources(motion: Sequence[Source] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.value for s in (motion or _DEFAULT)))


def _store(cache: Path | None, setting: FeatureSetting) -> FeatureStore:
    from cueflow.flows.actions import FeatureStore

    return FeatureStore(cache or Path.home() / ".cache" / "cueflow" / "action_features", setting)


def _annotated(
    folder: Path, labels: Path, setting: FeatureSetting, cache: Path | None, tell: Callable[[float, str], None]
) -> tuple[list[Clip], tuple[str, ...], list[str]]:
    from cueflow.flows.actions import load_clips
    from cueflow.tasks.actions.labels import read_labels, usable_classes
    from cueflow.tasks.ingest.dataset import read_dataset

    data: Dataset = read_dataset(folder)
    clips, warnings = load_clips(data, read_labels(labels), _store(cache, setting), progress=tell)
    classes, rare = usable_classes(
        {c.session_id: c.actions for c in clips}, {c.session_id: c.subject_id for c in clips}
    )
    return clips, classes, [*warnings, *rare]


def _foreign(clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    return sorted({a.label for c in clips for a in c.actions} - set(classes))


def _warn(warnings: Sequence[str]) -> None:
    screen = console(err=True)
    for warning in warnings:
        screen.print(f"[yellow]careful[/yellow]  {warning}", markup=True)


def _text(found: dict[str, Any]) -> str:
    low, high = found["ci"]["frame_map"] or (None, None)
    lines = [
        f"{found['sessions']} sessions of {found['subjects']} subjects",
        f"frame mAP         {found['frame_map']}   (95 % over subjects: {low} to {high})",
        f"event mAP         .3: {found['event_map']['0.3']}   .5: {found['event_map']['0.5']}"
        f"   mean of .1 to .9: {found['event_map']['mean']}",
        "segment F1        " + "   ".join(f"{t}: {v}" for t, v in found["segment_f1"].items()),
        "conditional F1    " + "   ".join(f"{t} s: {v['f1']}" for t, v in found["conditional"].items()),
        "",
        f"{'class':<24}{'frame AP':>9}{'chance':>8}{'examples':>10}",
    ]
    lines += [
        f"{name:<24}{_number(row['frame_ap']):>9}{_number(row['chance']):>8}{row['examples']:>10}"
        for name, row in found["per_class"].items()
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@contextmanager
def _bar(what: str) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share, doing: progress.update(bar, completed=share, description=doing or what)
