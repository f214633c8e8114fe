"""How good detected actions are: per frame, per interval, and given what else goes on.

Per-frame mAP and event mAP are different numbers and must not stand in one column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

Bools = NDArray[np.bool_]
TIOU = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SEGMENT_TIOU = (0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of one session; `score` ranks detections and is not read where it is a true one."""

    session_id: str
    label: str
    start_s: float
    end_s: float
    score: float = 1.0


def average_precision(scores: FloatArray, truth: FloatArray) -> float:
    """Sum of the precision at each positive over the number of positives; equal scores share their mean rank.

    Parameters
    ----------
    scores, truth : ndarray, shape (n,)
        Scores, and 1 where the class is on.

    Returns
    -------
    float
        0 to 1; NaN without a positive.
    """
    order = np.argsort(-scores, kind="stable")
    positive = truth[order] > 0.5
    if not positive.any():
        return float("nan")
    # within a tie every order is as good: the precision at the tie's end counts for all of its positives
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    last = ends[np.searchsorted(ends, np.flatnonzero(positive))]
    hits = np.cumsum(positive)
    return float((hits[last] / (last + 1)).mean())


def frame_ap(scores: FloatArray, truth: FloatArray) -> FloatArray:
    """Average precision of each class over all steps: (n, classes) twice gives (classes,), NaN where never on."""
    return np.array([average_precision(scores[:, c], truth[:, c]) for c in range(truth.shape[1])])


def frame_map(scores: FloatArray, truth: FloatArray, *, present_only: bool = True) -> float:
    """Mean of `frame_ap`.

    Parameters
    ----------
    scores, truth : ndarray, shape (n, classes)
        All steps of all recordings.
    present_only : bool, optional
        Leave classes out that are never on; else they count 0.

    Returns
    -------
    float
        NaN where no class is ever on.
    """
    found = frame_ap(scores, truth)
    if np.isnan(found).all():
        return float("nan")
    return float(np.nanmean(found) if present_only else np.nan_to_num(found).mean())


def conditional_scores(
    on: Bools, truth: Bools, sessions: NDArray[np.int64], *, tau: int = 0
) -> tuple[float, float, float]:
    """Action-conditional precision, recall and F1: how a class is found where another one is on, or was.

    For every ordered pair of classes (i, j): steps of i where j was truly on at the step itself (tau 0) or in any
    of the tau steps before it; averaged over the pairs that occur.

    Parameters
    ----------
    on, truth : ndarray of bool, shape (n, classes)
        Detected and true.
    sessions : ndarray of int, shape (n,)
        Which recording a step is of; conditions do not cross.
    tau : int, optional
        Steps.

    Returns
    -------
    tuple of float
        Precision (over pairs with a detection), recall (over pairs that are true), F1 of the two means; NaN if none.

    References
    ----------
    Tirupattur et al. (2021), arXiv:2103.03027
    """
    given = truth if tau == 0 else _lagged(truth, sessions, tau)
    right = (on & truth).astype(np.float64).T @ given
    found, true = on.astype(np.float64).T @ given, truth.astype(np.float64).T @ given
    pairs = ~np.eye(truth.shape[1], dtype=bool)
    precision = _mean_ratio(right, found, pairs & (found > 0))
    recall = _mean_ratio(right, true, pairs & (true > 0))
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 0 else total


def _mean_ratio(above: FloatArray, below: FloatArray, where: Bools) -> float:
    return float((above[where] / below[where]).mean()) if where.any() else float("nan")


def _lagged(truth: Bools, sessions: NDArray[np.int64], tau: int) -> Bools:
    """On at any of the tau steps before, of the same recording."""
    before = np.zeros_like(truth)
    for lag in range(1, min(tau, len(truth) - 1) + 1):
        same = (sessions[lag:] == sessions[:-lag])[:, None]
        before[lag:] |= truth[:-lag] & same
    return before


def tiou(first: Interval, second: Interval) -> float:
    """Overlap of two intervals over their union, 0 to 1."""
    overlap = min(first.end_s, second.end_s) - max(first.start_s, second.start_s)
    union = max(first.end_s, second.end_s) - min(first.start_s, second.start_s)
    return max(overlap, 0.0) / union if union > 0 else 0.0


def match(detected: Sequence[Interval], truth: Sequence[Interval], *, least: float) -> Bools:
    """Which detections are right: best score first, each takes the best free true interval of its session.

    Parameters
    ----------
    detected, truth : sequence of Interval
        Of one class.
    least : float
        Smallest tIoU that counts.

    Returns
    -------
    ndarray of bool, shape (detected,)
        In the order of falling score.
    """
    free: dict[str, list[Interval]] = {}
    for interval in truth:
        free.setdefault(interval.session_id, []).append(interval)
    right = np.zeros(len(detected), dtype=bool)
    for index, interval in enumerate(sorted(detected, key=lambda x: -x.score)):
        left = free.get(interval.session_id, [])
        best = max(left, key=lambda x: tiou(interval, x), default=None)
        if best is not None and tiou(interval, best) >= least:
            left.remove(best)
            right[index] = True
    return right


def event_ap(detected: Sequence[Interval], truth: Sequence[Interval], *, least: float) -> float:
    """Average precision of the intervals of one class, precision made monotone; NaN without a true one."""
    if not truth:
        return float("nan")
    right = match(detected, truth, least=least)
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[right].sum() / len(truth))


def event_map(
    detected: Sequence[Interval], truth: Sequence[Interval], classes: Sequence[str], *, least: float
) -> float:
    """Mean of `event_ap` over the classes that truly occur."""
    found = [event_ap(_of(detected, c), _of(truth, c), least=least) for c in classes]
    return float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")


def segment_f1(
    detected: Sequence[Interval], truth: Sequence[Interval], classes: Sequence[str], *, least: float
) -> float:
    """F1 of intervals over all classes together, at one tIoU; NaN where there is neither."""
    right = sum(int(match(_of(detected, c), _of(truth, c), least=least).sum()) for c in classes)
    total = sum(len(_of(detected, c)) + len(_of(truth, c)) for c in classes)
    return 2 * right / total if total else float("nan")


def _of(intervals: Sequence[Interval], label: str) -> list[Interval]:
    return [x for x in intervals if x.label == label]
