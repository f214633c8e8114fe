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
    from cueflow.tasks.actions.learn.training import Clip
    from cueflow.tasks.actions.store.model import FeatureSetting

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
_DEFAULT = [Source.KEYS, Source.OPTICAL]


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
    from cueflow.flows.inside import add_inside
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
    setting = _setting(backbone, (rate, size), _sources(motion), appearance=appearance, words=(words, prompts))
    with _bar("training") as tell:
        clips, classes, warnings = _annotated(
            dataset, labels, _store(cache, setting, backbone, words, device=device), tell
        )
        directions = None
        if inside is not None:
            made = InsideOptions(
                backbone, unit=inside.value, lora=lora, epochs=min(epochs, EPOCHS), seed=seed, device=device
            )
            setting, directions = add_inside(
                read_dataset(dataset), clips, classes, setting, out=out, options=made, progress=tell
            )
            store = _store(cache, setting, backbone, words, device=device, model=out)
            clips, _, _ = _annotated(dataset, labels, store, tell)
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
    _warn(warnings)
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
    from cueflow.flows.actions import evaluate_model, load_action_model
    from cueflow.schemas.errors import ConfigError
    from cueflow.tasks.actions.judge.evaluate import cross_validate, report
    from cueflow.tasks.actions.learn.training import TrainOptions

    if (model is None) == (folds is None):
        raise ConfigError("give either --model or --folds")
    with _bar("evaluating") as tell:
        if model is not None:
            ready = load_action_model(model, backbone=backbone, words=words)
            clips, _, warnings = _annotated(
                dataset, labels, _store(cache, ready.setting, backbone, words, model=model, device=device), tell
            )
            warnings += [f"{name}: not in the model; left out" for name in _foreign(clips, ready.classes)]
            warnings += _met(clips, ready.card)
            found = evaluate_model(ready, clips)
        else:
            setting = _setting(backbone, (rate, size), _sources(motion), appearance=appearance, words=(words, prompts))
            clips, classes, warnings = _annotated(
                dataset, labels, _store(cache, setting, backbone, words, device=device), tell
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
    _warn(warnings)
    sys.stdout.write((json.dumps(found) if as_json else _text(found)) + "\n")


@app.command(epilog="Example: `cueflow actions detect cohort --model model --session s001`")
def detect(
    dataset: DatasetFolder,
    model: Annotated[Path, typer.Option("--model", help="Folder from `cueflow actions train`.")],
    session: Annotated[list[str] | None, typer.Option("--session", help="Session id; default: all.")] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="YAML or JSON: composite actions; default: rules.yaml of the model.")
    ] = None,
    backbone: BackboneName = "",
    words: WordsFolder = None,
    cache: Cache = None,
) -> None:
    """Print the actions of sessions as JSON lines: when, how sure, where in the picture, because of what."""
    from cueflow.flows.action_sessions import session_actions
    from cueflow.flows.actions import load_action_model, model_rules
    from cueflow.schemas.errors import DatasetError, StreamError
    from cueflow.tasks.actions.answer.composite import read_rules
    from cueflow.tasks.ingest.dataset import read_dataset

    ready, data = load_action_model(model, backbone=backbone, words=words), read_dataset(dataset)
    composites = read_rules(rules) if rules else model_rules(model)
    if unknown := set(session or ()) - {s.session_id for s in data.sessions}:
        raise DatasetError(f"{min(unknown)!r} is no session of the dataset")
    store = _store(cache, ready.setting, backbone, words, model=model)
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


@app.command(epilog="Example: `cueflow actions show cohort s001 --model model --start 12 --end 18 --out pictures`")
def show(
    dataset: DatasetFolder,
    session: Annotated[str, typer.Argument(help="Session id.")],
    model: Annotated[Path, typer.Option("--model", help="Folder from `cueflow actions train`.")],
    start: Annotated[float, typer.Option("--start", help="Start of the interval on the session clock, s.")],
    end: Annotated[float, typer.Option("--end", help="Its end, s.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the picture (PNG) and the video (MP4).")],
    backbone: BackboneName = "",
    words: WordsFolder = None,
    cache: Cache = None,
) -> None:
    """Show an interval: the frame, where it moves, and the scores of the classes along time."""
    from cueflow.flows.action_sessions import show_interval
    from cueflow.flows.actions import load_action_model
    from cueflow.schemas.errors import ConfigError, DatasetError
    from cueflow.tasks.ingest.dataset import read_dataset

    if not 0 < end - start <= 120:
        raise ConfigError("the interval must be longer than 0 and not longer than 120 s")
    ready, data = load_action_model(model, backbone=backbone, words=words), read_dataset(dataset)
    chosen = next((s for s in data.sessions if s.session_id == session), None)
    if chosen is None:
        raise DatasetError(f"{session!r} is no session of the dataset")
    store = _store(cache, ready.setting, backbone, words, model=model)
    name = out / f"{session}_{start:g}_{end:g}s".replace(".", "p")
    for path in show_interval(data, chosen, ready, store, span=(start, end), out=name):
        console().print(f"Wrote {path}")


@app.command(epilog="Example: `cueflow actions cues cohort --words siglip --prompts prompts.yaml`")
def cues(
    dataset: DatasetFolder,
    words: Annotated[Path, typer.Option("--words", help="Folder of a dual encoder (CLIP, SigLIP).")],
    prompts: Annotated[Path, typer.Option("--prompts", help="YAML with a phrase or a list of phrases by label.")],
    session: Annotated[list[str] | None, typer.Option("--session", help="Session id; default: all.")] = None,
    rate: Annotated[float, typer.Option("--rate", min=0.5, max=30, help="Frames a second.")] = 2.0,
) -> None:
    """Print spans that fit a description much better than the rest of the recording, without any annotation.

    How far to trust them depends on the encoder and was measured with none: look at them before you use them.
    """
    from cueflow.flows.action_sessions import session_cues
    from cueflow.schemas.errors import DatasetError, StreamError
    from cueflow.tasks.actions.data.prompts import read_prompts
    from cueflow.tasks.actions.look.words import Words
    from cueflow.tasks.ingest.dataset import read_dataset

    data, encoder = read_dataset(dataset), Words(words, read_prompts(prompts))
    if unknown := set(session or ()) - {s.session_id for s in data.sessions}:
        raise DatasetError(f"{min(unknown)!r} is no session of the dataset")
    for one in data.sessions:
        if session and one.session_id not in session:
            continue
        try:
            found = session_cues(data, one, encoder, rate_hz=rate)
        except StreamError as error:
            _warn([f"{one.session_id}: {error.message}"])
            continue
        for cue in found:
            span = {"start_s": cue.start_s, "end_s": cue.end_s, "stands_out": round(cue.stands_out, 2)}
            line = {"session_id": one.session_id, "kind": "cue", "label": cue.label} | span
            sys.stdout.write(json.dumps(line) + "\n")


def _sources(motion: Sequence[Source] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.value for s in (motion or _DEFAULT)))


def _setting(
    backbone: str,
    looks: tuple[float, int],
    sources: Sequence[str],
    *,
    appearance: bool,
    words: tuple[Path | None, Path | None],
) -> FeatureSetting:
    from cueflow.flows.actions import BACKBONE, feature_setting
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


def _store(
    cache: Path | None,
    setting: FeatureSetting,
    backbone: str,
    words: Path | None,
    *,
    model: Path | None = None,
    device: str = "",
) -> FeatureStore:
    from cueflow.flows.actions import FeatureStore

    folder = cache or Path.home() / ".cache" / "cueflow" / "action_features"
    return FeatureStore(folder, setting, backbone=backbone, words=words, model=model, device=device)


def _annotated(
    folder: Path, labels: Path | None, store: FeatureStore, tell: Callable[[float, str], None]
) -> tuple[list[Clip], tuple[str, ...], list[str]]:
    from cueflow.flows.actions import load_clips
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


def _met(clips: Sequence[Clip], card: dict[str, Any]) -> list[str]:
    from cueflow.tasks.actions.learn.training import subject_digest

    known = sorted({c.subject_id for c in clips if subject_digest(c.subject_id) in card.get("met", ())})
    return [f"{len(known)} subject(s) were trained on: the figures flatter"] if known else []


def _foreign(clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    return sorted({a.label for c in clips for a in c.actions} - set(classes))


def _warn(warnings: Sequence[str]) -> None:
    screen = console(err=True)
    for warning in warnings:
        screen.print(f"[yellow]careful[/yellow]  {warning}", markup=True)


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


@contextmanager
def _bar(what: str) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share, doing: progress.update(bar, completed=share, description=doing or what)
