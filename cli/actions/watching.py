"""`cueflow actions detect`, `show` and `cues`: what a model, or a description in words, finds in sessions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.actions.options import BackboneName, Cache, DatasetFolder, WordsFolder
from cueflow.cli.actions.shared import app, store_of, warn
from cueflow.cli.console import console


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
    from cueflow.flows.actions.models import load_action_model, model_rules
    from cueflow.flows.actions.sessions import session_actions
    from cueflow.schemas.errors import DatasetError, StreamError
    from cueflow.tasks.actions.answer.composite import read_rules
    from cueflow.tasks.ingest.dataset import read_dataset

    ready, data = load_action_model(model, backbone=backbone, words=words), read_dataset(dataset)
    composites = read_rules(rules) if rules else model_rules(model)
    if unknown := set(session or ()) - {s.session_id for s in data.sessions}:
        raise DatasetError(f"{min(unknown)!r} is no session of the dataset")
    store = store_of(cache, ready.setting, backbone, words, model=model)
    for one in data.sessions:
        if session and one.session_id not in session:
            continue
        try:
            found = session_actions(data, one, ready, store, rules=composites)
        except StreamError as error:
            warn([f"{one.session_id}: {error.message}"])
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
    from cueflow.flows.actions.models import load_action_model
    from cueflow.flows.actions.sessions import show_interval
    from cueflow.schemas.errors import ConfigError, DatasetError
    from cueflow.tasks.ingest.dataset import read_dataset

    if not 0 < end - start <= 120:
        raise ConfigError("the interval must be longer than 0 and not longer than 120 s")
    ready, data = load_action_model(model, backbone=backbone, words=words), read_dataset(dataset)
    chosen = next((s for s in data.sessions if s.session_id == session), None)
    if chosen is None:
        raise DatasetError(f"{session!r} is no session of the dataset")
    store = store_of(cache, ready.setting, backbone, words, model=model)
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
    from cueflow.flows.actions.sessions import session_cues
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
            warn([f"{one.session_id}: {error.message}"])
            continue
        for cue in found:
            span = {"start_s": cue.start_s, "end_s": cue.end_s, "stands_out": round(cue.stands_out, 2)}
            line = {"session_id": one.session_id, "kind": "cue", "label": cue.label} | span
            sys.stdout.write(json.dumps(line) + "\n")
