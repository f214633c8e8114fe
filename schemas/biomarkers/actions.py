"""Measures of actions: their names hold the labels of the user's own model, so they are declared by pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from cueflow.schemas.biomarkers.base import Biomarker, Evidence

FOLLOW_S = 5.0  # "then": begins within this long after the first one's end
_PAGE, _METHOD = "cueflow:docs/methods/actions.md", "action_model"
_SEEN = Evidence(n_min=10, unit="s", coverage_min=0.3)
_SOME, _SEVERAL = Evidence(n_min=1, unit="actions"), Evidence(n_min=5, unit="actions")


def _pattern(statistic: str, unit: str, definition: str, *, high: float, evidence: Evidence = _SEEN) -> Biomarker:
    return Biomarker(
        name=f"action_label_{statistic}",
        modality="video",
        unit=unit,
        statistic=statistic.rsplit("_", 1)[-1],
        definition=definition,
        source=_PAGE,
        method=_METHOD,
        evidence=evidence,
        plausible=(0.0, high),
    )


_FORMS = {
    "count": _pattern("count", "count", "Number of intervals of the action that begin in the window.", high=10_000),
    "rate": _pattern("rate", "1/min", "Intervals of the action that begin, per minute observed.", high=120),
    "total": _pattern("total", "s", "Time that the action is on within the window.", high=36_000),
    "duration_mean": _pattern(
        "duration_mean", "s", "Mean length of the intervals that begin in the window.", high=3600, evidence=_SOME
    ),
    "first_onset": _pattern(
        "first_onset", "s", "Time from the window's start to the first onset in it.", high=36_000, evidence=_SOME
    ),
    "with_other_lift": _pattern(
        "with_other_lift",
        "1",
        "Time that both actions are on over the time expected if one is shifted round the session by chance.",
        high=1000,
        evidence=_SEVERAL,
    ),
    "then_other_share": _pattern(
        "then_other_share",
        "1",
        f"Share of the first action's intervals after whose end the other one begins within {FOLLOW_S:g} s.",
        high=1,
        evidence=_SEVERAL,
    ),
    "then_other_lift": _pattern(
        "then_other_lift",
        "1",
        "The share that is followed by the other action, over the share expected where onsets of the other one are "
        "shifted round the session by chance.",
        high=1000,
        evidence=_SEVERAL,
    ),
}

ACTION_FORMS: Mapping[str, Biomarker] = MappingProxyType({f.name: f for f in _FORMS.values()})
"""What is measured of every action (`label`), and of every pair (`label` and `other`)."""

_NAMES = (
    (re.compile(r"^action_[a-z0-9_]+_then_[a-z0-9_]+_(share|lift)$"), "then_other_"),
    (re.compile(r"^action_[a-z0-9_]+_with_[a-z0-9_]+_(lift)$"), "with_other_"),
    (re.compile(r"^action_[a-z0-9_]+_(count|rate|total|duration_mean|first_onset)$"), ""),
)


def action_slug(label: str) -> str:
    """A label as part of a biomarker's name: lower case, anything but letters and digits becomes "_"."""
    return re.sub(r"[^a-z0-9]+", "_", label.casefold()).strip("_")


def action_biomarker(name: str) -> Biomarker | None:
    """Declaration of a measure of an action, from its name.

    Parameters
    ----------
    name : str
        Such as `action_leg_movement_rate` or `action_nod_then_smile_lift`.

    Returns
    -------
    Biomarker or None
        None where the name has no known form.
    """
    for pattern, prefix in _NAMES:
        if found := pattern.match(name):
            form = _FORMS[prefix + found[1]]
            return Biomarker(
                name=name,
                modality=form.modality,
                unit=form.unit,
                statistic=form.statistic,
                definition=form.definition,
                source=form.source,
                method=form.method,
                evidence=form.evidence,
                plausible=form.plausible,
            )
    return None
