"""From curves to intervals: hysteresis for what is reported, many levels and soft suppression for what is ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import Event, FloatArray
from cueflow.tasks.actions.store.model import ActionModel, Curves

LEVELS = tuple(round(0.05 + 0.05 * k, 2) for k in range(18))
LOW_SHARE = 0.5  # an interval reaches as far as the curve stays above this share of its level
MERGE_SHARE, DROP_SHARE = 0.25, 0.25  # of the median duration of the class
SMOOTH_SHARE = 0.1
SIGMA = 0.5
LEAST_SCORE = 1e-3
MOST = 200
TOP_PATCHES = 4
SUPPORT_LEAST = 0.3  # mean probability from which another class can be a reason


@dataclass(frozen=True, slots=True)
class Span:
    """Steps first to last (inclusive) of one class, with a score, 0 to 1.5."""

    first: int
    last: int
    score: float


def runs(on: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.diff(np.concatenate([[0], on.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def hysteresis(curve: FloatArray, level: float, *, merge: int = 0, drop: int = 1) -> list[tuple[int, int]]:
    """Runs that reach a level, as far as the curve stays above half of it.

    Parameters
    ----------
    curve : ndarray, shape (n,)
        Probability.
    level : float
        What a run must reach.
    merge, drop : int, optional
        Steps: gaps of at most `merge` between runs are closed; runs shorter than `drop` are left out.

    Returns
    -------
    list of tuple of int
        First and last step.
    """
    found = [(a, b) for a, b in runs(curve >= LOW_SHARE * level) if curve[a : b + 1].max() >= level]
    joined: list[tuple[int, int]] = []
    for a, b in found:
        if joined and a - joined[-1][1] - 1 <= merge:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    return [(a, b) for a, b in joined if b - a + 1 >= drop]


def span_score(curve: FloatArray, first: int, last: int) -> float:
    """Mean inside, times 1 plus the rise over margins of a quarter of its length on both sides, kept in .5 to 1.5."""
    inside = float(curve[first : last + 1].mean())
    margin = max(1, (last - first + 1) // 4)
    around = np.concatenate([curve[max(0, first - margin) : first], curve[last + 1 : last + 1 + margin]])
    rise = inside - float(around.mean()) if len(around) else 0.0
    return inside * float(np.clip(1 + rise, 0.5, 1.5))


def soft_nms(spans: Sequence[Span], *, sigma: float = SIGMA) -> list[Span]:
    """Gaussian soft suppression among the spans of one class; other classes have no part in it.

    Parameters
    ----------
    spans : sequence of Span
        Of one class.
    sigma : float, optional
        Width of the Gaussian over tIoU.

    Returns
    -------
    list of Span
        Best first, with lowered scores; at most 200, none below .001.

    References
    ----------
    Bodla et al. (2017), arXiv:1704.04503
    """
    first, last = (np.array([getattr(s, n) for s in spans], dtype=np.float64) for n in ("first", "last"))
    scores = np.array([s.score for s in spans], dtype=np.float64)
    kept: list[Span] = []
    while len(kept) < MOST and len(scores) and scores.max() >= LEAST_SCORE:
        best = int(np.argmax(scores))
        kept.append(Span(spans[best].first, spans[best].last, float(scores[best])))
        overlap = np.clip(np.minimum(last, last[best]) - np.maximum(first, first[best]) + 1, 0, None)
        union = np.maximum(last, last[best]) - np.minimum(first, first[best]) + 1
        scores = scores * np.exp(-((overlap / union) ** 2) / sigma)
        scores[best] = -1.0
    return kept


def smoothed(curve: FloatArray, sigma: float) -> FloatArray:
    """Gaussian smoothing over steps; the ends are repeated."""
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel / kernel.sum(), mode="valid")


def candidates(model: ActionModel, found: Curves) -> dict[str, list[Span]]:
    """Ranked proposals of each class, overlapping ones lowered: for event mAP, not for reading.

    Parameters
    ----------
    model : ActionModel
        Trained.
    found : Curves
        Of one recording.

    Returns
    -------
    dict of str to list of Span
    """
    ranked = {}
    for c, label in enumerate(model.classes):
        curve, merge, drop = _curve(model, found, c)
        spans = {ab for level in LEVELS for ab in hysteresis(curve, level, merge=merge, drop=drop)}
        heat = found.heat[:, c]
        scored = [Span(a, b, span_score(curve, a, b) * (1 + heat[a : b + 1].max()) / 2) for a, b in sorted(spans)]
        ranked[label] = soft_nms(scored)
    return ranked


def _curve(model: ActionModel, found: Curves, c: int) -> tuple[FloatArray, int, int]:
    """Smoothed curve of a class, and the gap to close and the length to drop, in steps."""
    length = float(model.durations_s[c]) * model.setting.rate_hz
    curve = smoothed(found.probability[:, c], max(1.0, SMOOTH_SHARE * length))
    return curve * (found.steps.mask > 0), int(MERGE_SHARE * length), max(1, round(DROP_SHARE * length))


def intervals(model: ActionModel, found: Curves) -> dict[str, list[Span]]:
    """What is reported: for each class, runs that reach its threshold; they do not overlap within a class."""
    reported = {}
    for c, label in enumerate(model.classes):
        curve, merge, drop = _curve(model, found, c)
        spans = hysteresis(curve, float(model.thresholds[c]), merge=merge, drop=drop)
        reported[label] = [Span(a, b, float(curve[a : b + 1].mean())) for a, b in spans]
    return reported


def span_seconds(model: ActionModel, found: Curves, span: Span) -> tuple[float, float]:
    """Start and end of a span on the session clock: half a step beyond its outer steps."""
    half = 0.5 / model.setting.rate_hz
    return float(found.steps.times_s[span.first]) - half, float(found.steps.times_s[span.last]) + half


def events(model: ActionModel, found: Curves) -> tuple[Event, ...]:
    """Rows of kind "action" for the `events` table.

    Parameters
    ----------
    model : ActionModel
        Trained.
    found : Curves
        Of one recording.

    Returns
    -------
    tuple of Event
        In order of time. Score: mean probability inside. Evidence: `centroid_x`, `centroid_y` (shares of the
        picture) and `patches` ("row column" of those that move most) say where; `because_of` names the classes that
        the relations looked at and that were likely there, with their share of the attention.
    """
    rows = []
    for label, spans in intervals(model, found).items():
        for span in spans:
            start, end = span_seconds(model, found, span)
            evidence = _where(found, span) | _because(model, found, span, label)
            rows.append(
                Event("action", label, max(start, float(found.steps.times_s[0])), end, min(span.score, 1.0), evidence)
            )
    return tuple(sorted(rows, key=lambda e: (e.start_s, e.label)))


def _where(found: Curves, span: Span) -> dict[str, float | str]:
    speed = found.steps.speed[span.first : span.last + 1].mean(axis=0).astype(np.float64)
    weight = np.clip(speed - np.median(speed), 0, None)
    if weight.sum() <= 0:
        return {}
    side = round(len(speed) ** 0.5)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    top = np.argsort(-speed, kind="stable")[:TOP_PATCHES]
    return {
        "centroid_x": round(float((weight * x.ravel()).sum() / weight.sum()), 3),
        "centroid_y": round(float((weight * y.ravel()).sum() / weight.sum()), 3),
        "patches": ", ".join(f"{p // side} {p % side}" for p in top),
    }


def _because(model: ActionModel, found: Curves, span: Span, label: str) -> dict[str, float | str]:
    if found.support is None:
        return {}
    own, part = model.classes.index(label), slice(span.first, span.last + 1)
    looked = found.support[part, own].mean(axis=0)
    there = found.probability[part].mean(axis=0)
    others = [c for c in np.argsort(-looked) if c != own and there[c] >= SUPPORT_LEAST]
    if not others:
        return {}
    return {"because_of": ", ".join(f"{model.classes[c]} {looked[c]:.2f}" for c in others[:2])}
