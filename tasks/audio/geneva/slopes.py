"""Peaks of a contour and how steeply it rises and falls between them, by the rules that openSMILE's values follow.

The rules were found by trying which of them give openSMILE 2.6.0's four values of slope and its count of peaks over
the loudness of the reference's segments (`python benchmarks/egemaps_agreement.py DATA`: r 1.000 for all five).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_SHARE = 0.1  # of the contour's range: what a rise or fall must reach
_ABOVE = 1.05  # a peak this many times the one before it takes its place, however small the dip between them
_EDGE = 2  # samples at either end that are no peaks


@dataclass(frozen=True, slots=True)
class Slopes:
    """Means and standard deviations per second, NaN where there is no rise or fall, and the number of peaks."""

    rising_mean: float
    rising_sd: float
    falling_mean: float
    falling_sd: float
    peaks: int


def slopes(parts: Sequence[F64], step_s: float) -> Slopes:
    """Rises from minima to peaks and falls back.

    Parameters
    ----------
    parts : sequence of ndarray, each of shape (n,)
        A contour in pieces; nothing is compared over their ends.
    step_s : float
        Seconds from one value to the next.

    Returns
    -------
    Slopes
        The way from the contour's start to its first turning point counts. The way from the last one to its end counts
        in the mean with the sign that it has, a fall at the end as a negative fall, and is left out of the
        deviations: so in openSMILE.
    """
    values = np.concatenate([*parts, np.empty(0)])
    limit = _SHARE * float(np.ptp(values)) if len(values) else 0.0
    found: dict[int, list[float]] = {1: [], -1: []}
    tail: dict[int, list[float]] = {1: [], -1: []}
    peaks = 0
    for number, part in enumerate(parts):
        points = turning_points(part, limit)
        peaks += sum(kind > 0 for _, kind in points)
        start = [(0, 0)] if number == 0 and points else []
        for (first, _), (last, kind) in pairwise([*start, *points]):
            found[kind].append(kind * float(part[last] - part[first]) / ((last - first) * step_s))
        if number == len(parts) - 1 and points:
            last, kind = points[-1]
            tail[-kind].append(float(part[-1] - part[last]) / ((len(part) - 1 - last) * step_s))
    return Slopes(*_moments(found[1], tail[1]), *_moments(found[-1], tail[-1]), peaks)


def _moments(inner: list[float], tail: list[float]) -> tuple[float, float]:
    count = len(inner) + len(tail)
    if not count:
        return float("nan"), float("nan")
    mean = sum([*inner, *tail]) / count
    return mean, float(np.sqrt(sum((value - mean) ** 2 for value in inner) / count))


def turning_points(contour: F64, limit: float) -> list[tuple[int, int]]:
    """Peaks (1) and minima (-1) in turn.

    Parameters
    ----------
    contour : ndarray, shape (n,)
        Values at equal steps.
    limit : float
        What a turning point must stand away from the one before it, or from the start.

    Returns
    -------
    list of (place, kind)
        Of two peaks in a row the later stays where it is higher and either rose by the limit from the dip between
        them or is 5 % higher; of two minima the lower.
    """
    points: list[tuple[int, int]] = []
    origin = float(contour[0]) if len(contour) else 0.0
    taken = {1: origin, -1: origin}  # the last turning points
    seen = {1: origin, -1: origin}  # the last local extremes, taken or not
    for place, kind in _extremes(contour):
        value = float(contour[place])
        near, far = ((value - other[-kind]) * kind >= limit for other in (seen, taken))
        if points and points[-1][1] == kind:
            further = (value - taken[kind]) * kind > 0
            take = further and (near or (far and value > _ABOVE * taken[kind]) if kind > 0 else far)
            if take:
                points.pop()
        else:
            take = far or (near and not points)
        if take:
            points.append((place, kind))
            taken[kind] = value
        seen[kind] = value
    return points


def _extremes(contour: F64) -> list[tuple[int, int]]:
    inner = contour[1:-1]
    kinds = ((inner > contour[:-2]) & (inner > contour[2:])).astype(np.int64)
    kinds -= (inner < contour[:-2]) & (inner < contour[2:])
    places = np.flatnonzero(kinds) + 1
    return [(int(i), int(kinds[i - 1])) for i in places if _EDGE <= i < len(contour) - _EDGE]
