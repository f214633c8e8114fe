"""Figures as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = ("AUROC", "AUPRC", "bal. acc.", "Brier", "ECE")
_NAMES = ("auroc", "auprc", "balanced_accuracy", "brier", "ece")


def evaluation_table(made: Mapping[str, Any]) -> str:
    """One table for people.

    Parameters
    ----------
    made : mapping
        JSON values of an evaluation.

    Returns
    -------
    str
        Lines of plain text.
    """
    lines = [
        f"target {made['target']}: {made['subjects']} subjects, {made['sessions']} sessions, {made['folds']} folds by "
        f"subject, baseline {made['baseline']}" + (" (transductive)" if made.get("transductive") else ""),
        "",
        f"{'':24}" + "".join(f"{name:>21}" for name in _HEAD),
        _row("fused", made["fused"]),
        *[_row(f"expert {name}", figures) for name, figures in made["experts"].items()],
        _row("plain average", made["average"]),
        _row("early fusion", made["early"]),
        "",
        _null_line(made["null"]),
    ]
    if made["missing"]:
        lines += ["", "with modalities missing"]
        lines += [_row(name, figures) for name, figures in made["missing"].items()]
    lines += ["", *_deletion_lines(made["deletion"]), "", _interval_line(made["interval"])]
    if made["fairness"]:
        lines += ["", "by group", *[_row(name, figures) for name, figures in made["fairness"].items()]]
    if made["curve"]:
        points = ", ".join(f"{p['subjects']}: {_figure(p['auroc'])}" for p in made["curve"])
        lines += ["", f"learning curve (subjects: AUROC, coarse fit): {points}"]
    notes = [*made["leaks"]["found"], *made["warnings"]]
    lines += ["", *[f"! {note}" for note in notes]] if notes else []
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(name: str, figures: Mapping[str, Any]) -> str:
    cells = []
    for key in _NAMES:
        ends = figures["ci"].get(key) if figures["ci"] else None
        span = "" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
        cells.append(f"{_figure(figures[key])}{span}".rjust(21))
    return f"{name[:24]:24}" + "".join(cells)


def _null_line(null: Mapping[str, Any]) -> str:
    again = "" if null["p_refit"] is None else f", {null['refits']} refits p = {null['p_refit']:.3f}"
    return f"shuffled by subject: AUROC {_figure(null['auroc'])}; p = {_figure(null['p'])}{again}"


def _deletion_lines(deletion: Mapping[str, Any]) -> list[str]:
    lines = ["biomarkers taken away    " + "".join(f"{k:>8}" for k in deletion["removed"])]
    for name in ("top", "random"):
        lines.append(f"AUROC, {name:18}" + "".join(f"{_figure(v):>8}" for v in deletion[name]["auroc"]))
    return lines


def _interval_line(interval: Mapping[str, Any]) -> str:
    persons = ""
    if interval["persons"]:  # of persons with one session nothing can be counted
        persons = (
            f"hold the number of sessions with the target of {_figure(interval['person_coverage'])} of "
            f"{interval['persons']} persons; "
        )
    return (
        f"stated 90 % {persons}where labels are simulated from the model, so that chances are known, hold "
        f"{_figure(interval['chance_coverage'])} of them; labels not ruled out hold the truth in "
        f"{_figure(interval['label_coverage'])} of sessions; mean width {_figure(interval['width'])}; answered "
        f"{_figure(interval['answered'])}"
    )
