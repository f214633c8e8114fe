"""Columns that intervals rest on: values, bends, steps, and what two modalities may say only together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.fusion.data.baseline import Block
from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.experts import curve
from cueflow.tasks.fusion.learn.places import Groups

if TYPE_CHECKING:
    from cueflow.tasks.fusion.learn.pipeline import Part

LEADING = 6  # biomarkers of each modality that may also have steps, and pairs with those of others
PAIRS_MAX = 150
VALUES, BENDS, STEPS, PAIRS = range(4)  # kinds of groups
KNOTS = np.array([NormalDist().inv_cdf(k / 20) for k in range(1, 20)])
CURVE_MEAN = 1 / np.sqrt(2)
ABOVE = np.array([1 - NormalDist().cdf(knot) for knot in KNOTS])

_Flags = NDArray[np.bool_]
_Columns = tuple[FloatArray, FloatArray]  # values where they are believed, and how far they are missing


def side_by_side(
    parts: Sequence[Part], blocks: Mapping[str, Block], trust: FloatArray, *, pairs: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Scaled and clipped values of all modalities with their bends, steps and pairs, as far as they are believed.

    Parameters
    ----------
    parts : sequence of Part
        Modalities.
    blocks : mapping
        Modality to block of n sessions.
    trust : ndarray, shape (n, m)
        Reliability of each modality relative to what is usual, 0 to 1.
    pairs : bool, optional
        False leaves the products out.

    Returns
    -------
    kept : ndarray, shape (n, q)
        0 where missing, and for biomarkers that take no part.
    gone : ndarray, shape (n, q)
        How far a value is missing: 1 where it is, 1 − trust where it is there.
    """
    made: list[_Columns] = []
    lead: list[_Columns] = []
    for m, part in enumerate(parts):
        scaler, weight = part.expert.scaler, trust[:, m][:, None]
        use = np.isfinite(scaler.scale)
        scaled = np.clip(scaler.apply(blocks[part.modality]), scaler.low, scaler.high)
        there = np.isfinite(scaled) & use
        first = leading(part, LEADING)
        steps = _steps(np.where(there[:, first], scaled[:, first], 0.0))
        each = KNOTS.size
        made += [
            _believed(scaled, there, use, weight),
            _believed(curve(scaled) - CURVE_MEAN, there, use, weight),
            _believed(steps, np.repeat(there[:, first], each, axis=1), np.repeat(use[first], each), weight),
        ]
        few = leading(part, _paired(len(parts)))
        lead.append((made[-3][0][:, few], made[-3][1][:, few]))
    made += [_pairs(one, other) for one, other in combinations(lead, 2) if pairs]
    return np.hstack([kept for kept, _ in made]), np.hstack([gone for _, gone in made])


def column_groups(parts: Sequence[Part], *, pairs: bool = True) -> Groups:
    """Groups of those columns: values, bends and steps of each modality, pairs of each two.

    Parameters
    ----------
    parts : sequence of Part
        Modalities.
    pairs : bool, optional
        False leaves the products out.

    Returns
    -------
    Groups
        Of pairs few have an effect, before any data; of steps two of one biomarker, at places that are not known.
    """
    sizes: list[int] = []
    for part in parts:
        p = part.importance.size
        sizes += [p, p, min(p, LEADING) * KNOTS.size]
    paired = [min(part.importance.size, _paired(len(parts))) for part in parts]
    both = [one * other for one, other in combinations(paired, 2) if pairs]
    kind, few = [VALUES, BENDS, STEPS] * len(parts) + [PAIRS] * len(both), [1] * len(sizes) + both
    among = [1, 1, KNOTS.size] * len(parts) + [1] * len(both)
    return Groups(np.array(sizes + both), np.array(kind), np.array(few, dtype=float), np.array(among))


def leading(part: Part, most: int) -> IntArray:
    """The biomarkers of a modality that matter most to its expert.

    Parameters
    ----------
    part : Part
        Fitted.
    most : int
        At most this many.

    Returns
    -------
    ndarray
        Columns, strongest first.
    """
    return np.argsort(-part.importance, kind="stable")[:most]


def _paired(modalities: int) -> int:
    """How many biomarkers of each modality have pairs."""
    pairs = max(modalities * (modalities - 1) // 2, 1)
    return min(LEADING, int(np.sqrt(PAIRS_MAX / pairs)))


def _believed(values: FloatArray, there: _Flags, use: _Flags, weight: FloatArray) -> _Columns:
    return np.where(there, values, 0.0) * weight, np.where(there, 1 - weight, 1.0) * use


def _pairs(one: _Columns, other: _Columns) -> _Columns:
    """Products of each of the one with each of the other; missing as soon as one of both is."""

    def each(left: FloatArray, right: FloatArray) -> FloatArray:
        return np.asarray((left[:, :, None] * right[:, None, :]).reshape(left.shape[0], -1))

    return each(one[0], other[0]), 1 - each(1 - one[1], 1 - other[1])


def _steps(values: FloatArray) -> FloatArray:
    """Steps (n, k p) of values (n, p), those of one biomarker beside each other, of mean 0 in a normal biomarker."""
    steps = (values[:, :, None] >= KNOTS) - ABOVE
    return np.asarray(steps.reshape(values.shape[0], -1))
