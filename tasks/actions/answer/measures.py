"""Biomarkers of found actions: how often and how long, which go together, which follow one another, against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations

import numpy as np

from cueflow.schemas.biomarkers import action_slug, declared_as
from cueflow.schemas.biomarkers.actions import FOLLOW_S
from cueflow.schemas.results import Event, FloatArray, Measure, Window

Spans = FloatArray  # (n, 2): starts and ends, s, in order


def action_measures(
    events: Sequence[Event],
    labels: Sequence[str],
    windows: Sequence[Window],
    *,
    composites: Sequence[str] = (),
    seen_s: FloatArray,
    step_s: float,
) -> tuple[Measure, ...]:
    """All measures of a recording's actions.

    Parameters
    ----------
    events : sequence of Event
        Found actions, on the session clock.
    labels : sequence of str
        What could have been found; each gets its measures, also where nothing was.
    windows : sequence of Window
        Spans to measure over, the whole recording first; pairs of actions are measured over that one alone.
    composites : sequence of str, optional
        Further labels, of composites: they are made of the others, so that pairs with them would say nothing.
    seen_s : ndarray, shape (n,)
        Times of the steps at which there was something to see.
    step_s : float
        Time that each stands for.

    Returns
    -------
    tuple of Measure
    """
    spans = {label: _spans(events, label) for label in (*labels, *composites)}
    found = [
        m
        for window in windows
        for label in spans
        for m in _single(spans[label], label, window, seen_s=_inside(seen_s, window) * step_s)
    ]
    whole = windows[0]
    coverage = _inside(seen_s, whole) * step_s / whole.duration_s if whole.duration_s > 0 else 0.0
    return (*found, *_pairs({label: spans[label] for label in labels}, whole, coverage=coverage))


def _spans(events: Sequence[Event], label: str) -> Spans:
    rows = sorted((e.start_s, e.end_s) for e in events if e.label == label)
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _inside(times: FloatArray, window: Window) -> int:
    return int(((times >= window.start_s) & (times < window.end_s)).sum())


def _single(spans: Spans, label: str, window: Window, *, seen_s: float) -> list[Measure]:
    begun = spans[(spans[:, 0] >= window.start_s) & (spans[:, 0] < window.end_s)]
    cut = np.clip(spans, window.start_s, window.end_s)
    coverage = seen_s / window.duration_s if window.duration_s > 0 else 0.0
    lengths = begun[:, 1] - begun[:, 0]
    values: Mapping[str, tuple[float | None, float]] = {
        "count": (float(len(begun)), seen_s),
        "rate": (60 * len(begun) / seen_s if seen_s else None, seen_s),
        "total": (float((cut[:, 1] - cut[:, 0]).sum()), seen_s),
        "duration_mean": (float(lengths.mean()) if len(begun) else None, len(begun)),
        "first_onset": (float(begun[0, 0] - window.start_s) if len(begun) else None, len(begun)),
    }
    return [
        declared_as(f"action_{action_slug(label)}_{name}").measure(value, window, n_evidence=n, coverage=coverage)
        for name, (value, n) in values.items()
    ]


def _pairs(spans: Mapping[str, Spans], window: Window, *, coverage: float) -> list[Measure]:
    found = []
    for a, b in combinations(spans, 2):
        name = f"action_{action_slug(a)}_with_{action_slug(b)}_lift"
        evidence = min(len(spans[a]), len(spans[b]))
        lift = overlap_lift(spans[a], spans[b], window)
        found.append(declared_as(name).measure(lift, window, n_evidence=evidence, coverage=coverage))
    for a, b in permutations(spans, 2):
        share, chance = follow_share(spans[a], spans[b], window)
        values = {"share": share, "lift": share / chance if share is not None and chance else None}
        evidence = len(spans[a]) if len(spans[b]) else 0
        for form, value in values.items():
            name = f"action_{action_slug(a)}_then_{action_slug(b)}_{form}"
            found.append(declared_as(name).measure(value, window, n_evidence=evidence, coverage=coverage))
    return found


def overlap_lift(first: Spans, second: Spans, window: Window) -> float | None:
    """Time that both are on, over what chance gives.

    Parameters
    ----------
    first, second : ndarray, shape (n, 2)
        Intervals of two actions; those of one do not overlap.
    window : Window
        Over which.

    Returns
    -------
    float or None
        Chance: one of the two is shifted round the window by any time alike, which gives the product of the shares;
        None where one is never on.
    """
    a, b = (np.clip(x, window.start_s, window.end_s) for x in (first, second))
    total_a, total_b = ((x[:, 1] - x[:, 0]).sum() for x in (a, b))
    if not total_a or not total_b:
        return None
    low, high = np.maximum(a[:, None, 0], b[None, :, 0]), np.minimum(a[:, None, 1], b[None, :, 1])
    both = np.clip(high - low, 0, None).sum()
    return float(both * window.duration_s / (total_a * total_b))


def follow_share(
    first: Spans, second: Spans, window: Window, *, within_s: float = FOLLOW_S
) -> tuple[float | None, float]:
    """How often the second action begins soon after an end of the first one, and how often by chance.

    Parameters
    ----------
    first, second : ndarray, shape (n, 2)
        Intervals.
    window : Window
        Over which.
    within_s : float, optional
        "Soon".

    Returns
    -------
    tuple
        Share of the first action's intervals, None without any; share expected where the second one's onsets are
        shifted round the window by any time alike: the part of the window that lies within `within_s` before an onset.
    """
    onsets = np.sort(second[(second[:, 0] >= window.start_s) & (second[:, 0] < window.end_s), 0])
    length = window.duration_s
    if not len(onsets) or length <= 0:
        return (0.0 if len(first) else None), 0.0
    gaps = np.diff(np.append(onsets, onsets[0] + length))
    chance = float(np.minimum(gaps, within_s).sum() / length)
    if not len(first):
        return None, chance
    ends = first[:, 1]
    place = np.searchsorted(onsets, ends)
    after = np.where(place < len(onsets), onsets[np.minimum(place, len(onsets) - 1)] - ends, np.inf)
    return float((after <= within_s).mean()), chance
