"""`cueflow fusion`: train, evaluate and explain late fusion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console

app = typer.Typer(
    no_args_is_help=True, help="Late fusion of one additive expert per modality, with exact explanations."
)
Tables = Annotated[
    Path,
    typer.Argument(
        help="Folder that `cueflow run` wrote, or a long table (Parquet, CSV) of biomarkers from elsewhere."
    ),
]
Labels = Annotated[Path, typer.Option("--labels", help="CSV: session_id, target, value.")]
Target = Annotated[str, typer.Option("--target", help="Which target of labels.csv.")]
Threshold = Annotated[
    float | None, typer.Option("--threshold", help="Value from which an ordinal or continuous score counts as present.")
]
Rest = Annotated[
    str | None, typer.Option("--rest-phase", help="Phase of events.csv that `--baseline phase` compares with.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of folds and boosting; equal seeds give equal models.")]
Least = Annotated[int, typer.Option("--min-subjects", min=4, help="Fewer labelled subjects are refused.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Baseline(StrEnum):
    """What values are compared to."""

    NONE = "none"
    COHORT = "cohort"
    SUBJECT = "subject"
    PHASE = "phase"


Compared = Annotated[Baseline, typer.Option("--baseline", help="What each value is compared to.")]


@app.command(epilog="Example: `cueflow fusion train tables --labels labels.csv --target distress --out model`")
def train(
    tables: Tables,
    labels: Labels,
    target: Target,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model and its card.")],
    baseline: Compared = Baseline.NONE,
    threshold: Threshold = None,
    rest_phase: Rest = None,
    seed: Seed = 0,
    min_subjects: Least = 8,
) -> None:
    """Train a calibrated additive expert for each modality, and the weights of their sum."""
    from cueflow.flows.train import biomarker_frame, remember_training
    from cueflow.tasks.fusion import read_labels, save_model
    from cueflow.tasks.fusion import train as fit

    with _bar("training") as tell:
        model = fit(
            biomarker_frame(tables),
            read_labels(labels),
            target=target,
            baseline=baseline.value,
            threshold=threshold,
            rest_phase=rest_phase,
            seed=seed,
            min_subjects=min_subjects,
            progress=tell,
        )
        save_model(model, out)
        remember_training(tables, labels, target=target, model_sha256=model.sha256)
    screen = console()
    screen.print(f"Wrote {out}: the model and its card.")
    for warning in model.warnings:
        screen.print(f"[yellow]careful[/yellow]  {warning}")
    same = "" if threshold is None else f" --threshold {threshold:g}"
    same += "" if baseline is Baseline.NONE else f" --baseline {baseline.value}"
    same += "" if rest_phase is None else f" --rest-phase {rest_phase}"
    screen.print(f"Next: cueflow fusion evaluate {tables} --labels {labels} --target {target}{same}")
    source, target_folder = (tables, "TABLES") if tables.is_file() else ("DATASET", tables)
    screen.print(f"      cueflow run {source} --out {target_folder} --fusion-model {out}")


@app.command(epilog="Example: `cueflow fusion evaluate tables --labels labels.csv --target distress --json`")
def evaluate(
    tables: Tables,
    labels: Labels,
    target: Target,
    baseline: Compared = Baseline.NONE,
    threshold: Threshold = None,
    rest_phase: Rest = None,
    seed: Seed = 0,
    min_subjects: Least = 8,
    folds: Annotated[int, typer.Option(min=2, help="Outer folds, by subject.")] = 5,
    refits: Annotated[int, typer.Option(min=0, help="Refits to shuffled labels; 0 leaves them out.")] = 20,
    split_by: Annotated[
        str | None,
        typer.Option(
            "--split-by", help="Hold out one site, visit, … at a time: a column of --subjects or of the table."
        ),
    ] = None,
    fairness: Annotated[
        str | None,
        typer.Option("--fairness", help="Figures for each group of this column of --subjects or of the table."),
    ] = None,
    subjects: Annotated[Path | None, typer.Option("--subjects", help="CSV: subject_id and other columns.")] = None,
    curve: Annotated[bool, typer.Option("--curve", help="Add a learning curve over subjects.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure on subjects the model has not met: each modality, their average, early fusion and the fused model."""
    from cueflow.flows.train import biomarker_frame
    from cueflow.tasks.fusion import evaluate as measure
    from cueflow.tasks.fusion import read_labels, read_subjects

    with _bar("evaluating") as tell:
        found = measure(
            biomarker_frame(tables, also=[name for name in (split_by, fairness) if name]),
            read_labels(labels),
            target=target,
            baseline=baseline.value,
            threshold=threshold,
            rest_phase=rest_phase,
            seed=seed,
            min_subjects=min_subjects,
            folds=folds,
            refits=refits,
            split_by=split_by,
            fairness=fairness,
            subjects=None if subjects is None else read_subjects(subjects),
            curve=curve,
            progress=tell,
        )
    sys.stdout.write((json.dumps(found.to_json()) if as_json else found.to_text()).rstrip("\n") + "\n")


@app.command(epilog="Example: `cueflow fusion explain tables S001 --model model`")
def explain(
    tables: Tables,
    session: Annotated[str, typer.Argument(help="Session id.")],
    model: Annotated[Path, typer.Option("--model", help="Folder from `cueflow fusion train`.")],
    since: Annotated[
        str | None, typer.Option("--since", help="Earlier session of the same person: say what changed.")
    ] = None,
    all_events: Annotated[
        bool, typer.Option("--all-events", help="List every event behind the strongest reasons, not the first five.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say because of what, when, how sure, and what would change the answer."""
    from cueflow.flows.train import biomarker_frame, event_frame
    from cueflow.tasks.fusion import explain as take_apart
    from cueflow.tasks.fusion import explain_text, load_model
    from cueflow.tasks.fusion.answer.explain import EVENTS_MAX

    found = take_apart(
        load_model(model),
        biomarker_frame(tables),
        session,
        events=event_frame(tables),
        since=since,
        most_events=None if all_events else EVENTS_MAX,
    )
    text = json.dumps(found.to_json(), default=str) if as_json else explain_text(found)
    sys.stdout.write(text.rstrip("\n") + "\n")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[float, str], None]]:
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as progress:
        bar = progress.add_task(what, total=1.0)
        yield lambda share, doing: progress.update(bar, completed=share, description=doing or what)
