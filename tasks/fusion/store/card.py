"""The model card: what a model is for, what it was shown and what it cannot do."""

from __future__ import annotations

from cueflow.tasks.fusion.data.baseline import Baseline
from cueflow.tasks.fusion.learn.pipeline import active_columns
from cueflow.tasks.fusion.store.model import FusionModel

_COMPARED = {
    Baseline.NONE: "values as they are, scaled by mean and standard deviation of the training cohort",
    Baseline.COHORT: "median and interquartile range of the training cohort",
    Baseline.SUBJECT: "the person's own sessions (at least 3). Transductive: a new person's unlabelled sessions are "
    "used. The file holds the own references of the training subjects under hashes of their ids: it is personal data",
    Baseline.PHASE: "the rest phase of the same session",
}


def model_card(model: FusionModel, evaluation: str | None = None) -> str:
    """Text of the card.

    Parameters
    ----------
    model : FusionModel
        Trained.
    evaluation : str, optional
        Table of the evaluation.

    Returns
    -------
    str
        Markdown.
    """
    counts, pipeline = model.counts, model.pipeline
    threshold = "" if model.target.threshold is None else f" (score of at least {model.target.threshold:g})"
    lines = [
        f"# Fusion model for “{model.target.name}”{threshold}",
        "",
        "Research software. Not a medical device; no decision about a person may rest on it alone.",
        "",
        f"- Hash: `{model.sha256}`",
        f"- Data: {counts['subjects']} subjects, {counts['sessions']} labelled sessions, {counts['present']} with the "
        f"target, {counts['biomarkers']} biomarkers",
        f"- Values are compared with: {_COMPARED[pipeline.settings.baseline]}",
        f"- Folds: {pipeline.settings.folds}, by subject; seed {pipeline.settings.seed}",
        f"- Answer “present” from a probability of {model.decision:.3f}; intervals of {model.level:.0%}",
        f"- Abstains below {model.min_support:.0%} of the usual evidence, or beyond distance 1 of what was seen",
        f"- Rank agreement of the biomarkers between {len(model.refits)} refits to resampled persons (Spearman): "
        f"{model.agreement:.2f}",
        "",
        "| modality | expert | biomarkers | calibration slope | weight |",
        "|---|---|---|---|---|",
    ]
    full = max(pipeline.fusion.patterns, key=lambda entry: len(entry.pattern))
    weights = dict(zip(full.pattern, full.weights, strict=True))
    for m, part in enumerate(pipeline.parts):
        kind, used = part.expert.candidate.kind, active_columns(part.expert).size
        weight = weights.get(m, 0.0)
        lines.append(f"| {part.modality} | {kind} | {used} | {part.platt.slope:.2f} | {weight:.2f} |")
    if pipeline.joint is not None:
        share, less = f"{pipeline.joint.share:.0%}", f"{pipeline.joint.less:.0%}"
        said = f"An additive model of all modalities at once has a share of {share} in the answer, "
        lines += ["", said + f"of {less} where a modality is missing."]
    lines += ["", "## Warnings", "", *[f"- {note}" for note in model.warnings or ("none",)]]
    if evaluation:
        lines += ["", "## Evaluation (nested, subject-disjoint)", "", "```", evaluation.rstrip(), "```"]
    lines += [
        "",
        "## Limits",
        "",
        "- Describes association in the training cohort, not cause; other sites and devices need their own check.",
        "- Contributions explain this model's answer, not the person.",
        "- Loads only biomarkers made by the same versions of their methods.",
        "",
    ]
    return "\n".join(lines)
