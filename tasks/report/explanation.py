"""Why a prediction is what it is: the contributions as a waterfall from the bias to the log-odds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cueflow.schemas.biomarkers import find_biomarker
from cueflow.tasks.report.text import as_float, as_text, clock, number, sentence_of, title_of, title_of_modality
from cueflow.tasks.report.values import unit_label

if TYPE_CHECKING:
    import polars as pl

MAX_STEPS = 15
WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Step:
    """One bar, in log-odds from `start` to `end` and drawn at `x`; `kind` is up, down or total.

    `lanes` is where the time lines show the recordings that the value comes from.
    """

    title: str
    modality: str
    value: str
    reference: str
    span: str
    span_s: str
    lanes: str
    amount: str
    start: float
    end: float
    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Explained:
    """A prediction with its waterfall; `reason` says why there is none. Shares are 0 to 1, or None."""

    target: str
    probability: float | None
    low: float | None
    high: float | None
    words: str
    reason: str
    zero_x: float
    steps: tuple[Step, ...]


def explain(
    predictions: pl.DataFrame, explanations: pl.DataFrame, lanes: Collection[str] = ()
) -> tuple[Explained, ...]:
    """Arrange the predictions of one session.

    Parameters
    ----------
    predictions : polars.DataFrame
        Rows of the `predictions` table.
    explanations : polars.DataFrame
        Rows of the `explanations` table.
    lanes : collection of str
        Modalities that the time lines show.

    Returns
    -------
    tuple of Explained
        One per target.
    """
    return tuple(
        _explained(row, explanations.filter(target=row["target"]).to_dicts(), lanes)
        for row in predictions.sort("target").iter_rows(named=True)
    )


def _explained(row: Mapping[str, Any], contributions: list[dict[str, Any]], lanes: Collection[str]) -> Explained:
    probability, low, high = (as_float(row[c]) for c in ("probability", "interval_low", "interval_high"))
    steps, zero = _waterfall(as_float(row["bias"]) or 0.0, contributions, lanes) if contributions else ((), 0.0)
    if row["abstained"] or probability is None:
        words = "The model declines to answer."
        probability = None
    else:
        words = f"{number(round(probability, 3))}"
        words += (
            f" ({number(round(low, 3))} to {number(round(high, 3))})" if low is not None and high is not None else ""
        )
    return Explained(
        target=title_of(as_text(row["target"])),
        probability=probability,
        low=low,
        high=high,
        words=words,
        reason=sentence_of(row["reason"]),
        zero_x=zero,
        steps=steps,
    )


def _waterfall(
    bias: float, contributions: list[dict[str, Any]], lanes: Collection[str]
) -> tuple[tuple[Step, ...], float]:
    """Steps by size, and the place of log-odds 0; the smallest share one step, so that the sum stays exact."""
    ranked = sorted(contributions, key=lambda row: -abs(as_float(row["contribution"]) or 0.0))
    drawn = [row for row in ranked[:MAX_STEPS] if as_float(row["contribution"])]
    rest = [row for row in ranked[len(drawn) :] if as_float(row["contribution"])]
    amounts = [as_float(row["contribution"]) or 0.0 for row in drawn]
    others = sum(as_float(row["contribution"]) or 0.0 for row in rest)
    total = bias + sum(amounts) + others
    heads = [_head(row, lanes) for row in drawn]
    if rest:
        heads.append({"title": f"{len(rest)} smaller contribution{'s' if len(rest) > 1 else ''}"})
        amounts.append(others)
    ends = [bias]
    for amount in amounts:
        ends.append(ends[-1] + amount)
    low, high = min(0.0, *ends), max(0.0, *ends)
    scale = WIDTH / ((high - low) or 1.0)
    plan = [({"title": "Without any biomarker"}, 0.0, bias, "total")]
    plan += [(h, a, b, "up" if b >= a else "down") for h, a, b in zip(heads, ends, ends[1:], strict=False)]
    plan.append(({"title": "Sum (log-odds)"}, 0.0, total, "total"))
    return tuple(_step(*item, low=low, scale=scale) for item in plan), -low * scale


def _step(head: Mapping[str, str], start: float, end: float, kind: str, *, low: float, scale: float) -> Step:
    change = end - start
    amount = number(round(change, 3) or float(f"{change:.1g}"))
    return Step(
        title=head["title"],
        modality=head.get("modality", ""),
        value=head.get("value", ""),
        reference=head.get("reference", ""),
        span=head.get("span", ""),
        span_s=head.get("span_s", ""),
        lanes=head.get("lanes", ""),
        amount=f"+{amount}" if end > start and kind != "total" else amount,
        start=start,
        end=end,
        x=round((min(start, end) - low) * scale, 1),
        width=round(max(abs(end - start) * scale, 1.5), 1),
        kind=kind,
    )


def _head(row: Mapping[str, Any], drawn: Collection[str]) -> dict[str, str]:
    name = as_text(row["biomarker"])
    declared = find_biomarker(name)
    unit = unit_label(declared.unit) if declared else ""
    first, last = as_float(row["span_start_s"]), as_float(row["span_end_s"])
    known = first is not None and last is not None
    return {
        "title": title_of(name),
        "modality": title_of_modality(row["modality"]),
        "value": "missing" if as_float(row["value"]) is None else f"{number(row['value'])} {unit}".strip(),
        "reference": "" if as_float(row["reference"]) is None else f"{number(row['reference'])} {unit}".strip(),
        "span": f"{clock(first)} to {clock(last)}" if known else "",
        "span_s": f"{first:g} {last:g}" if known else "",
        "lanes": f"lanes-{row['modality']}" if as_text(row["modality"]) in drawn else "lanes",
    }
