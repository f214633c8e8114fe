"""Order and disorder of the intervals: entropies, fluctuation scaling, fragmentation. Nothing crosses a break."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.segments import runs
from cueflow.tasks.physiology.variability.hrv import Function
from cueflow.tasks.physiology.variability.intervals import Intervals

DIMENSION = 2
TOLERANCE = 0.2
"""Of the standard deviation of the intervals."""
SCALES = tuple(range(4, 12))
"""Beats, for the short-term exponent."""
LONG_SCALES = tuple(range(16, 65))
_BLOCK = 5000  # templates compared with each other; a longer recording is compared block by block


def _templates(intervals: Intervals, length: int, fewest: int) -> FloatArray:
    """Successive intervals that touch, shape (k, length); as many as have a successor where `fewest` is longer."""
    rows = [
        np.lib.stride_tricks.sliding_window_view(s.ms, fewest)[:, :length]
        for s in intervals.stretches()
        if len(s) >= fewest
    ]
    return np.concatenate(rows) if rows else np.empty((0, length))


def _tolerance(intervals: Intervals) -> float:
    if len(intervals) < 2 * DIMENSION + 2:
        raise TooShortError(f"{len(intervals)} intervals where at least {2 * DIMENSION + 2} are needed.")
    return TOLERANCE * float(np.std(intervals.ms, ddof=1))


def _blocks(templates: FloatArray) -> list[FloatArray]:
    return np.array_split(templates, max(1, -(-len(templates) // _BLOCK)))


def _pairs_alike(templates: FloatArray, tolerance: float) -> int:
    """Pairs of templates no component of which differs by more than the tolerance, each with itself included."""
    from scipy.spatial import cKDTree

    trees = [cKDTree(block) for block in _blocks(templates)]
    return sum(int(tree.count_neighbors(tree, tolerance, p=np.inf)) for tree in trees)


def sample_entropy(intervals: Intervals) -> float:
    """Sample entropy (m = 2, r = 0.2 SD).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals; a template lies within a stretch.

    Returns
    -------
    float
        NaN where no three intervals repeat. Beyond 5000 intervals templates are compared within blocks of as many.

    References
    ----------
    Richman & Moorman (2000), doi:10.1152/ajpheart.2000.278.6.H2039
    """
    tolerance = _tolerance(intervals)
    short = _templates(intervals, DIMENSION, DIMENSION + 1)
    long = _templates(intervals, DIMENSION + 1, DIMENSION + 1)
    alike, longer = (_pairs_alike(t, tolerance) - len(t) for t in (short, long))
    return float(-np.log(longer / alike)) if longer > 0 and alike > 0 else float("nan")


def _phi(intervals: Intervals, length: int, tolerance: float) -> float:
    from scipy.spatial import cKDTree

    logs: list[FloatArray] = []
    for block in _blocks(_templates(intervals, length, length)):
        tree = cKDTree(block)
        near = np.asarray(tree.query_ball_point(block, tolerance, p=np.inf, return_length=True), dtype=np.float64)
        logs.append(np.log(near / len(block)))
    return float(np.mean(np.concatenate(logs)))


def approximate_entropy(intervals: Intervals) -> float:
    """Approximate entropy (m = 2, r = 0.2 SD).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals; a template lies within a stretch.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If there are too few intervals, or no three of them touch.

    References
    ----------
    Pincus (1991), doi:10.1073/pnas.88.6.2297
    """
    tolerance = _tolerance(intervals)
    if not len(_templates(intervals, DIMENSION + 1, DIMENSION + 1)):
        raise TooShortError("no three touching intervals; at least three are needed.")
    return _phi(intervals, DIMENSION, tolerance) - _phi(intervals, DIMENSION + 1, tolerance)


def _detrended_variance(profile: FloatArray, scale: int) -> FloatArray:
    """Variance of every window of a profile around its own straight line, shape (k,)."""
    cut = np.lib.stride_tricks.sliding_window_view(profile, scale)[:: max(1, scale // 2)]
    x = np.arange(scale) - (scale - 1) / 2
    centred = cut - cut.mean(axis=1, keepdims=True)
    slope = centred @ x / (x @ x)
    return np.asarray(np.maximum(np.mean(centred**2, axis=1) - slope**2 * (x @ x) / scale, 0.0))


def dfa_alpha1(intervals: Intervals) -> float:
    """Short-term exponent of detrended fluctuations: slope of log fluctuation over log scale, 4 to 11 beats.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals; windows overlap by a half and lie within a stretch.

    Returns
    -------
    float
        NaN where the intervals are all equal.

    Raises
    ------
    TooShortError
        If no stretch is longer than the longest scale.

    References
    ----------
    Peng et al. (1995), doi:10.1063/1.166141
    """  # noqa: DOC502  raised by the helper
    return _exponent(intervals, SCALES)


def dfa_alpha2(intervals: Intervals) -> float:
    """Long-term exponent of detrended fluctuations, 16 to 64 breaths or beats.

    Parameters
    ----------
    intervals : Intervals
        As for `dfa_alpha1`.

    Returns
    -------
    float
        NaN where the intervals are all equal.

    Raises
    ------
    TooShortError
        If no stretch is longer than the longest scale.

    References
    ----------
    Peng et al. (1995), doi:10.1063/1.166141; the scales are NeuroKit2's for breathing, doi:10.3758/s13428-020-01516-y
    """  # noqa: DOC502  raised by the helper
    return _exponent(intervals, LONG_SCALES)


def _exponent(intervals: Intervals, scales: tuple[int, ...]) -> float:
    profiles = [np.cumsum(s.ms - intervals.ms.mean()) for s in intervals.stretches() if len(s) > scales[-1]]
    if not profiles:
        raise TooShortError(f"no stretch of more than {scales[-1]} touching intervals; at least one is needed.")
    size = [np.sqrt(np.mean(np.concatenate([_detrended_variance(p, n) for p in profiles]))) for n in scales]
    if min(size) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(scales), np.log(size), 1)[0])


def _signs(intervals: Intervals) -> list[FloatArray]:
    """Sign of every difference, stretch by stretch.

    Raises
    ------
    TooShortError
        If no three intervals touch.
    """
    found = [np.sign(np.diff(s.ms)) for s in intervals.stretches() if len(s) > 2]
    if not found:
        raise TooShortError("no three touching intervals; at least three are needed.")
    return found


def _turns(signs: FloatArray) -> FloatArray:
    """Where the sign changes, also to or from no change, shape (n - 1,) of 0 and 1."""
    return np.asarray(signs[1:] != signs[:-1], dtype=np.float64)


def inflections(intervals: Intervals) -> float:
    """Share of intervals at which acceleration turns into deceleration or back (PIP).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1.

    References
    ----------
    Costa et al. (2017), doi:10.3389/fphys.2017.00255
    """
    signs = _signs(intervals)
    return float(sum(_turns(s).sum() for s in signs)) / sum(len(s) + 1 for s in signs)


def _lengths(intervals: Intervals) -> FloatArray:
    """Number of differences in every run of one sign."""
    found = [np.diff(runs(s == sign), axis=1)[:, 0] for s in _signs(intervals) for sign in (1.0, -1.0)]
    return np.concatenate(found).astype(np.float64)


def inverse_segment_length(intervals: Intervals) -> float:
    """One over the mean length of a run of accelerations or decelerations (IALS).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where all intervals are equal.

    References
    ----------
    Costa et al. (2017), doi:10.3389/fphys.2017.00255
    """
    lengths = _lengths(intervals)
    return float(1.0 / lengths.mean()) if len(lengths) else float("nan")


def short_segments(intervals: Intervals) -> float:
    """Share of runs of accelerations or decelerations of fewer than three differences (PSS).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1, as NeuroKit2 counts it; NaN where all intervals are equal.

    References
    ----------
    Costa et al. (2017), doi:10.3389/fphys.2017.00255
    """
    lengths = _lengths(intervals)
    return float(np.mean(lengths < 3)) if len(lengths) else float("nan")


def alternation(intervals: Intervals) -> float:
    """Share of runs of inflections that are at least four long (PAS).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1, as NeuroKit2 counts it; NaN where there is no inflection.

    References
    ----------
    Costa et al. (2017), doi:10.3389/fphys.2017.00255
    """
    lengths = np.concatenate([np.diff(runs(_turns(s) > 0), axis=1)[:, 0] for s in _signs(intervals)])
    return float(np.mean(lengths >= 4)) if len(lengths) else float("nan")


COMPLEXITY: Mapping[str, Function] = MappingProxyType({
    "dfa_alpha1": dfa_alpha1, "sampen": sample_entropy, "apen": approximate_entropy, "pip": inflections,
    "ials": inverse_segment_length, "pss": short_segments, "pas": alternation,
})  # fmt: skip
"""By the last part of their name; their evidence is the number of intervals."""
