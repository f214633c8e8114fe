"""The plot of each interval against the one before (Poincaré): its spread, and how it leans. Only pairs that touch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.segments import BoolArray
from cueflow.tasks.physiology.variability.hrv import Function, sdsd
from cueflow.tasks.physiology.variability.intervals import Intervals


def sd1(intervals: Intervals) -> float:
    """Spread of the Poincaré plot across the line of identity, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    References
    ----------
    Brennan et al. (2001), doi:10.1109/10.959330
    """
    return sdsd(intervals) / float(np.sqrt(2.0))


def sd2(intervals: Intervals) -> float:
    """Spread of the Poincaré plot along the line of identity, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    Raises
    ------
    TooShortError
        If fewer than two pairs of intervals touch.

    References
    ----------
    Brennan et al. (2001), doi:10.1109/10.959330
    """
    later, earlier = intervals.pairs()
    if len(later) < 2:
        raise TooShortError(f"{len(later)} pairs of touching intervals where at least 2 are needed.")
    return float(np.std(later + earlier, ddof=1) / np.sqrt(2.0))


def sd1_sd2(intervals: Intervals) -> float:
    """SD1 over SD2.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where SD2 is 0.
    """
    along = sd2(intervals)
    return sd1(intervals) / along if along > 0 else float("nan")


def ellipse_area(intervals: Intervals) -> float:
    """Area of the ellipse with the half axes SD1 and SD2 (S), ms².

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
    """
    return float(np.pi) * sd1(intervals) * sd2(intervals)


def csi(intervals: Intervals) -> float:
    """Cardiac sympathetic index: SD2 over SD1.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where SD1 is 0.

    References
    ----------
    Toichi et al. (1997), doi:10.1016/S0165-1838(96)00112-9
    """
    across = sd1(intervals)
    return sd2(intervals) / across if across > 0 else float("nan")


def cvi(intervals: Intervals) -> float:
    """Cardiac vagal index: decimal logarithm of 16 SD1 SD2, both in ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where one of them is 0.

    References
    ----------
    Toichi et al. (1997), doi:10.1016/S0165-1838(96)00112-9
    """
    product = 16.0 * sd1(intervals) * sd2(intervals)
    return float(np.log10(product)) if product > 0 else float("nan")


def csi_modified(intervals: Intervals) -> float:
    """Modified cardiac sympathetic index: 4 SD2² over SD1, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        NaN where SD1 is 0.

    References
    ----------
    Jeppesen et al. (2014), doi:10.1109/EMBC.2014.6944639
    """
    across = sd1(intervals)
    return 4.0 * sd2(intervals) ** 2 / across if across > 0 else float("nan")


def _moved(intervals: Intervals) -> tuple[FloatArray, FloatArray, BoolArray]:
    later, earlier = intervals.pairs()
    if len(later) < 2:
        raise TooShortError(f"{len(later)} pairs of touching intervals where at least 2 are needed.")
    return earlier, later, later > earlier


def _share(weight: FloatArray, slower: BoolArray) -> float:
    total = float(weight.sum())
    return 100.0 * float(weight[slower].sum()) / total if total > 0 else float("nan")


def _turn(earlier: FloatArray, later: FloatArray) -> FloatArray:
    return np.asarray(np.abs(np.pi / 4 - np.arctan2(later, earlier)))


def guzik(intervals: Intervals) -> float:
    """Guzik's index: distance from the line of identity of the points above it, of that of all points, %.

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
    Guzik et al. (2006), doi:10.1515/BMT.2006.054
    """
    earlier, later, slower = _moved(intervals)
    return _share(np.abs(later - earlier), slower)


def slope_index(intervals: Intervals) -> float:
    """Slope index: angle from the line of identity of the points above it, of that of all points, %.

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
    Karmakar et al. (2015), doi:10.1088/0967-3334/36/2/303
    """
    earlier, later, slower = _moved(intervals)
    return _share(_turn(earlier, later), slower)


def area_index(intervals: Intervals) -> float:
    """Area index: sectors between the line of identity and the points above it, of those of all points, %.

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
    Yan et al. (2017), doi:10.1186/s12938-017-0402-3
    """
    earlier, later, slower = _moved(intervals)
    return _share(_turn(earlier, later) * (earlier**2 + later**2), slower)


def porta(intervals: Intervals) -> float:
    """Porta's index: points below the line of identity, of those that are not on it, %.

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
    Porta et al. (2008), doi:10.1152/ajpregu.00129.2008
    """
    earlier, later, _ = _moved(intervals)
    off = later != earlier
    return 100.0 * float(np.mean(later[off] < earlier[off])) if off.any() else float("nan")


def _parts(intervals: Intervals) -> tuple[float, float, float, float]:
    """Squared short- and long-term spread of decelerations and accelerations: SD1d², SD1a², SD2d², SD2a²."""
    earlier, later, slower = _moved(intervals)
    faster, still = later < earlier, later == earlier
    across = (later - earlier) ** 2 / 2
    along = (earlier - earlier.mean() + later - later.mean()) ** 2 / 2
    n = len(later) - 1
    equal = 0.5 * float(along[still].sum()) / n
    return (
        float(across[slower].sum()) / n,
        float(across[faster].sum()) / n,
        float(along[slower].sum()) / n + equal,
        float(along[faster].sum()) / n + equal,
    )


def short_deceleration(intervals: Intervals) -> float:
    """Share of decelerations in the short-term variability (C1d).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1; C1a is what is left. NaN where all intervals are equal.

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    down, up, _, _ = _parts(intervals)
    return down / (down + up) if down + up > 0 else float("nan")


def long_deceleration(intervals: Intervals) -> float:
    """Share of decelerations in the long-term variability (C2d).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1; C2a is what is left. NaN where all intervals are equal.

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    _, _, down, up = _parts(intervals)
    return down / (down + up) if down + up > 0 else float("nan")


def total_deceleration(intervals: Intervals) -> float:
    """Share of decelerations in the total variability (Cd).

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float
        0 to 1; Ca is what is left. NaN where all intervals are equal.

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    sums = _parts(intervals)
    total = sum(sums)
    return (sums[0] + sums[2]) / total if total > 0 else float("nan")


def sdnn_deceleration(intervals: Intervals) -> float:
    """Total variability of decelerations (SDNNd), ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    sums = _parts(intervals)
    return float(np.sqrt(0.5 * (sums[0] + sums[2])))


def sdnn_acceleration(intervals: Intervals) -> float:
    """Total variability of accelerations (SDNNa), ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.

    Returns
    -------
    float

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    sums = _parts(intervals)
    return float(np.sqrt(0.5 * (sums[1] + sums[3])))


def half_spread(intervals: Intervals, *, which: int) -> float:
    """Spread across or along identity of decelerations or of accelerations alone, ms.

    Parameters
    ----------
    intervals : Intervals
        Normal-to-normal intervals.
    which : int
        0 for SD1d, 1 for SD1a, 2 for SD2d, 3 for SD2a.

    Returns
    -------
    float

    References
    ----------
    Piskorski & Guzik (2011), doi:10.1007/s11517-011-0834-z
    """
    return float(np.sqrt(_parts(intervals)[which]))


POINCARE: Mapping[str, Function] = MappingProxyType({
    "sd1": sd1, "sd2": sd2, "sd1sd2": sd1_sd2, "s": ellipse_area, "csi": csi, "cvi": cvi, "csi_modified": csi_modified,
    "gi": guzik, "si": slope_index, "ai": area_index, "pi": porta, "c1d": short_deceleration, "c2d": long_deceleration,
    "cd": total_deceleration, "sdnnd": sdnn_deceleration, "sdnna": sdnn_acceleration,
    "sd1d": partial(half_spread, which=0), "sd1a": partial(half_spread, which=1),
    "sd2d": partial(half_spread, which=2), "sd2a": partial(half_spread, which=3),
})  # fmt: skip
"""By the last part of their name; their evidence is the number of pairs that touch."""
