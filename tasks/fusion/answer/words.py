"""Explanations in plain language, made from the rows and from nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Contribution, Prediction
from cueflow.tasks.fusion.data.baseline import Baseline

if TYPE_CHECKING:
    from cueflow.tasks.fusion.answer.counterfactual import Change
    from cueflow.tasks.fusion.answer.explain import EventLink, Explanation, Without
    from cueflow.tasks.fusion.answer.over_time import Step, VisitChange
    from cueflow.tasks.fusion.store.model import FusionModel

REASONS_MAX = 3
_COMPARED = {
    Baseline.NONE: "the cohort's mean",
    Baseline.COHORT: "the cohort's median",
    Baseline.SUBJECT: "the person's own usual value",
    Baseline.PHASE: "the rest phase",
}


def sentences(explanation: Explanation, model: FusionModel) -> tuple[str, ...]:
    """Say one session's answer in words.

    Parameters
    ----------
    explanation : Explanation
        Its numbers.
    model : FusionModel
        Trained.

    Returns
    -------
    tuple of str
    """
    prediction = explanation.prediction
    made = [_answer(prediction, model, present=explanation.present)]
    made += _because(prediction, model, present=explanation.present)
    if len(explanation.possible) != 1:
        made.append(f"At {model.level:.0%} neither answer can be ruled out.")
    made += _turning(explanation.without, present=explanation.present)
    made.append(_flip(explanation.counterfactual))
    if math.isfinite(explanation.agreement):
        made.append(
            f"Learned anew from {len(model.refits)} other draws of persons, the reasons keep their order with a rank "
            f"agreement of {explanation.agreement:.2f}."
        )
    made += [*_course(explanation), *_since(explanation.change, model)]
    return tuple(made)


def _course(explanation: Explanation) -> list[str]:
    """The answer over the session's windows, from the first to the last one."""
    steps = [step for step in explanation.trajectory if step.prediction.log_odds is not None]
    if len(steps) < 2:
        return []
    high = max(steps, key=lambda step: step.prediction.log_odds or 0.0)
    low = min(steps, key=lambda step: step.prediction.log_odds or 0.0)
    return [
        f"Over the session it was strongest in {_when(high)} (log-odds {high.prediction.log_odds:.2f}, mostly "
        f"{_top(high)}) and weakest in {_when(low)} (log-odds {low.prediction.log_odds:.2f}, mostly {_top(low)})."
    ]


def _when(step: Step) -> str:
    return f"{step.phase} from {step.start_s:.0f} to {step.end_s:.0f} s"


def _top(step: Step) -> str:
    return max(step.prediction.contributions, key=lambda entry: abs(entry.contribution)).biomarker


def _since(change: VisitChange | None, model: FusionModel) -> list[str]:
    if change is None:
        return []
    top = max(change.contributions, key=lambda entry: abs(entry.contribution))
    sure = "is larger than chance" if change.low > 0 or change.high < 0 else "may be none"
    return [
        f"Since session {change.earlier} the log-odds changed by {change.change:+.2f} ({model.level:.0%} interval "
        f"{change.low:+.2f} to {change.high:+.2f}), which {sure}; {top.biomarker} ({top.modality}) changed most, by "
        f"{top.contribution:+.2f}."
    ]


def _answer(prediction: Prediction, model: FusionModel, *, present: bool) -> str:
    target = prediction.target
    if prediction.abstained:
        detail = f"distance {prediction.distance:.2f}, where 1 is the edge of what was seen"
        if prediction.reason is Reason.FEW_EVIDENCE:
            detail = f"{prediction.support:.0%} of the usual evidence is there, {model.min_support:.0%} is needed"
        reason = "" if prediction.reason is None else prediction.reason.sentence
        return f"No answer about {target}: {reason} ({detail})."
    side = "present" if present else "absent"
    return (
        f"{target}: {side}, probability {prediction.probability:.2f} ({model.level:.0%} interval "
        f"{prediction.interval_low:.2f} to {prediction.interval_high:.2f}; the answer turns at {model.decision:.2f})."
    )


def _because(prediction: Prediction, model: FusionModel, *, present: bool) -> list[str]:
    ranked = sorted(prediction.contributions, key=lambda entry: -abs(entry.contribution))
    top = [entry for entry in ranked[:REASONS_MAX] if entry.contribution != 0]
    if not top:
        return ["No biomarker moves the answer away from the share of the target in the training cohort."]
    compared = _COMPARED[model.pipeline.settings.baseline]
    sides = {
        "for": [_reason(entry, compared) for entry in top if entry.contribution > 0],
        "against": [_reason(entry, compared) for entry in top if entry.contribution < 0],
    }
    first = sorted(sides, reverse=present)  # what agrees with the answer comes first
    made = [f"Strongest {side} it: " + "; ".join(sides[side]) + "." for side in first if sides[side]]
    others = [entry.contribution for entry in ranked[REASONS_MAX:] if entry.contribution != 0]
    if others:
        side = "for" if sum(others) > 0 else "against"
        made.append(f"The {len(others)} others together speak {side} it by {abs(sum(others)):.2f} log-odds.")
    return made


def _reason(entry: Contribution, compared: str) -> str:
    effect = f"by {abs(entry.contribution):.2f} log-odds"
    if entry.value is None or entry.reference is None:
        return f"{entry.biomarker} ({entry.modality}) is missing, {effect}"
    where = "at"
    if entry.value != entry.reference:
        where = "above" if entry.value > entry.reference else "below"
    when = ""
    if entry.span_start_s is not None and entry.span_end_s is not None:
        when = f" from {entry.span_start_s:.0f} to {entry.span_end_s:.0f} s"
    return (
        f"{entry.biomarker} ({entry.modality}){when} is {entry.value:.4g}, {where} {compared} of "
        f"{entry.reference:.4g}, {effect}"
    )


def _turning(without: tuple[Without, ...], *, present: bool) -> list[str]:
    turned = [w.modality for w in without if w.present is not None and w.present is not present]
    if turned:
        return [f"Without {' or '.join(turned)} the answer would be the other one."]
    return ["Without any one of the modalities the answer would be the same."] if len(without) > 1 else []


def _flip(changes: tuple[Change, ...]) -> str:
    if not changes:
        return "No change of a few biomarkers inside the observed range would flip the answer."
    parts = [f"{c.biomarker} ({c.modality}) were {c.wanted:.4g} instead of {c.value:.4g}" for c in changes]
    return "The answer would flip if " + " and ".join(parts) + "."


def explain_text(explanation: Explanation) -> str:
    """An explanation as text, with its rows.

    Parameters
    ----------
    explanation : Explanation
        Of one session.

    Returns
    -------
    str
        Lines of plain text.
    """
    prediction = explanation.prediction
    lines = [f"session {prediction.session_id}", *explanation.sentences, ""]
    usual = {(entry.modality, entry.biomarker): entry for entry in explanation.usual}
    firm = {(f.modality, f.biomarker): f" refits {f.low:.2f} to {f.high:.2f}" for f in explanation.firm}
    log_odds = 0.0 if prediction.log_odds is None else prediction.log_odds
    lines.append(f"{'log-odds':48}{log_odds:>10.4f}")
    lines.append(f"{'  bias':48}{prediction.bias:>10.4f}")
    for modality, total in explanation.modalities:
        lines.append(f"  {modality:46}{total:>10.4f}")
        rows = [c for c in prediction.contributions if c.modality == modality and c.contribution != 0]
        for row in sorted(rows, key=lambda c: -abs(c.contribution))[:10]:
            value = "missing" if row.value is None else f"{row.value:.4g}"
            reference = "–" if row.reference is None else f"{row.reference:.4g}"
            own = usual.get((modality, row.biomarker))
            person = "" if own is None else f"; the person's usual {own.value:.4g}"
            lines.append(
                f"    {row.biomarker:44}{row.contribution:>10.4f}   {value} (compared with {reference}{person}"
                f"{_span(row)}){firm.get((modality, row.biomarker), '')}"
            )
    for entry in explanation.without:
        said = "nothing left" if entry.probability is None else f"probability {entry.probability:.3f}"
        lines.append(f"without {entry.modality}: {said}")
    lines += _event_lines(explanation.events)
    lines += [_step_line(step) for step in explanation.trajectory]
    return "\n".join(lines) + "\n"


def _event_lines(events: tuple[EventLink, ...]) -> list[str]:
    """The events of each biomarker; one line for all biomarkers that the same events are behind."""
    when: dict[tuple[str, str], list[str]] = {}
    for e in events:
        place = f"{e.start_s:.1f}" if e.end_s - e.start_s < 0.1 else f"{e.start_s:.1f} to {e.end_s:.1f}"
        when.setdefault((_of_kind(e), e.biomarker), []).append(place)
    of: dict[tuple[str, str], list[str]] = {}
    for (kind, biomarker), places in when.items():
        less = "" if kind.startswith(f"{len(places)} ") else f"first {len(places)} of "
        of.setdefault((less + kind, ", ".join(places)), []).append(biomarker)
    return [f"{kind} at {at} s ({', '.join(names)})" for (kind, at), names in of.items()]


def _of_kind(event: EventLink) -> str:
    return f"{event.of} event{'s' if event.of > 1 else ''} {event.kind}/{event.label}"


def _span(row: Contribution) -> str:
    if row.span_start_s is None or row.span_end_s is None:
        return ""
    return f"; from {row.span_start_s:.0f} to {row.span_end_s:.0f} s"


def _step_line(step: Step) -> str:
    said = step.prediction
    if said.probability is None or said.interval_low is None or said.interval_high is None:
        reason = "" if said.reason is None else said.reason.sentence
        return f"{_when(step)}: no answer ({reason})"
    ends = f"{said.interval_low:.2f} to {said.interval_high:.2f}"
    return f"{_when(step)}: probability {said.probability:.2f} ({ends}), mostly {_top(step)}"
