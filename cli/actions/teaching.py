"""`cueflow actions train` and `evaluate`: a head learns from annotated sessions, and is measured on others."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cueflow.cli.actions.options import (
    Appearance,
    AsJson,
    BackboneName,
    Cache,
    DatasetFolder,
    Device,
    Epochs,
    InsideUnit,
    Labels,
    Lora,
    Motion,
    PromptsFile,
    Rate,
    Related,
    Seed,
    Size,
    Temporal,
    TemporalUnit,
    WordsFolder,
)
from cueflow.cli.actions.shared import annotated, app, bar_of, setting_of, sources_of, store_of, warn
from cueflow.cli.console import console

if TYPE_CHECKING:
    from cueflow.tasks.actions.learn.training import Clip


@app.command(epilog="Example: `cueflow actions train cohort --out model`")
def train(
    dataset: DatasetFolder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model and its card.")],
    labels: Labels = None,
    backbone: BackboneName = "dinov2_small",
    rate: Rate = 8.0,
    size: Size = 112,
    motion: Motion = None,
    appearance: Appearance = True,
    words: WordsFolder = None,
    prompts: PromptsFile = None,
    adapter: TemporalUnit = Temporal.NONE,
    inside: InsideUnit = None,
    lora: Lora = 0,
    relations: Related = True,
    epochs: Epochs = 60,
    seed: Seed = 0,
    device: Device = "",
    cache: Cache = None,
) -> None:
    """Train a temporal head on the frozen backbone's features of annotated sessions."""
    from cueflow.flows.actions.inside import add_inside
    from cueflow.schemas.errors import ConfigError
    from cueflow.tasks.actions.adapters.learning import EPOCHS, InsideOptions
    from cueflow.tasks.actions.learn.training import TrainOptions
    from cueflow.tasks.actions.learn.training import train as fit
    from cueflow.tasks.actions.store.files import save_model
    from cueflow.tasks.ingest.dataset import read_dataset

    if inside is not None and not appearance:
        raise ConfigError("--inside changes what the frames look like: leave out --no-appearance")
    if lora and inside is None:
        raise ConfigError("--lora goes with --inside, which may be none")
    setting = setting_of(backbone, (rate, size), sources_of(motion), appearance=appearance, words=(words, prompts))
    with bar_of("training") as tell:
        clips, classes, warnings = annotated(
            dataset, labels, store_of(cache, setting, backbone, words, device=device), tell
        )
        directions = None
        if inside is not None:
            made = InsideOptions(
                backbone, unit=inside.value, lora=lora, epochs=min(epochs, EPOCHS), seed=seed, device=device
            )
            setting, directions = add_inside(
                read_dataset(dataset), clips, classes, setting, out=out, options=made, progress=tell
            )
            store = store_of(cache, setting, backbone, words, device=device, model=out)
            clips, _, _ = annotated(dataset, labels, store, tell)
        options = TrainOptions(epochs=epochs, relations=relations, unit=adapter.unit, seed=seed)
        model = fit(
            clips,
            classes,
            setting,
            options=options,
            directions=directions,
            progress=lambda share: tell(share, "training"),
        )
        save_model(model, out)
    screen = console()
    screen.print(f"Wrote {out}: a model of {len(model.classes)} classes from {len(clips)} sessions, and its card.")
    warn(warnings)
    screen.print(f"Next: cueflow actions evaluate OTHER_DATASET --model {out}")
    screen.print(f"      cueflow run DATASET --out tables --action-model {out}")


@app.command(epilog="Example: `cueflow actions evaluate cohort --model model --json`")
def evaluate(
    dataset: DatasetFolder,
    model: Annotated[Path | None, typer.Option("--model", help="Folder from `cueflow actions train`.")] = None,
    labels: Labels = None,
    folds: Annotated[int | None, typer.Option("--folds", min=2, help="Train anew in folds by subject.")] = None,
    backbone: BackboneName = "",
    rate: Rate = 8.0,
    size: Size = 112,
    motion: Motion = None,
    appearance: Appearance = True,
    words: WordsFolder = None,
    prompts: PromptsFile = None,
    adapter: TemporalUnit = Temporal.NONE,
    relations: Related = True,
    epochs: Epochs = 60,
    seed: Seed = 0,
    device: Device = "",
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on other sessions, or the method itself in folds by subject."""
    from cueflow.flows.actions.models import evaluate_model, load_action_model
    from cueflow.schemas.errors import ConfigError
    from cueflow.tasks.actions.judge.evaluate import cross_validate, report
    from cueflow.tasks.actions.learn.training import TrainOptions

    if (model is None) == (folds is None):
        raise ConfigError("give either --model or --folds")
    with bar_of("evaluating") as tell:
        if model is not None:
            ready = load_action_model(model, backbone=backbone, words=words)
            clips, _, warnings = annotated(
                dataset, labels, store_of(cache, ready.setting, backbone, words, model=model, device=device), tell
            )
            warnings += [f"{name}: not in the model; left out" for name in _foreign(clips, ready.classes)]
            warnings += _met(clips, ready.card)
            found = evaluate_model(ready, clips)
        else:
            setting = setting_of(
                backbone, (rate, size), sources_of(motion), appearance=appearance, words=(words, prompts)
            )
            clips, classes, warnings = annotated(
                dataset, labels, store_of(cache, setting, backbone, words, device=device), tell
            )
            judged = cross_validate(
                clips,
                classes,
                setting,
                folds=folds or 2,
                options=TrainOptions(epochs=epochs, relations=relations, unit=adapter.unit, seed=seed),
                progress=lambda share: tell(share, "training and measuring"),
            )
            found = report(judged, classes, rate_hz=rate, seed=seed)
    warn(warnings)
    sys.stdout.write((json.dumps(found) if as_json else _text(found)) + "\n")


def _met(clips: Sequence[Clip], card: dict[str, Any]) -> list[str]:
    from cueflow.tasks.actions.learn.training import subject_digest

    known = sorted({c.subject_id for c in clips if subject_digest(c.subject_id) in card.get("met", ())})
    return [f"{len(known)} subject(s) were trained on: the figures flatter"] if known else []


def _foreign(clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    return sorted({a.label for c in clips for a in c.actions} - set(classes))


def _text(found: dict[str, Any]) -> str:
    low, high = found["ci"]["frame_map"] or (None, None)
    lines = [
        f"{found['subjects']} subjects",
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
