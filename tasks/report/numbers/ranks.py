"""Comparisons and correlations by rank, and the correction for asking many questions at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray

MIN_EACH = 5
MIN_PAIRS = 10


@dataclass(frozen=True, slots=True)
class Ranked:
    """A test: `effect` is -1 to 1 (of more than two groups 0 to 1), `p` not corrected, `n` the people behind it."""

    name: str
    effect: float
    p: float
    n: int


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Corrected p values (q): the expected share of false finds among all with at most this q.

    Parameters
    ----------
    p : ndarray, shape (n,)
        Of all questions asked.

    Returns
    -------
    ndarray, shape (n,)

    References
    ----------
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p, method="bh"), dtype=np.float64) if len(p) else p


def compare_groups(groups: Sequence[FloatArray]) -> Ranked:
    """Do independent groups differ? Mann-Whitney for two, Kruskal-Wallis for more.

    Parameters
    ----------
    groups : sequence of ndarray, shape (n,)
        A value per person.

    Returns
    -------
    Ranked
        The effect of two groups is the rank-biserial correlation (positive: the second is higher), of more epsilon².

    Raises
    ------
    TooShortError
        If there are not two groups of at least five people, or all values are equal.
    """
    from scipy.stats import kruskal, mannwhitneyu

    kept = [np.asarray(g, dtype=np.float64) for g in groups if len(g) >= MIN_EACH]
    if len(kept) < 2 or np.ptp(np.concatenate(kept)) == 0:
        raise TooShortError("no two groups of five people that differ at all")
    n = sum(len(g) for g in kept)
    if len(kept) == 2:
        found = mannwhitneyu(kept[1], kept[0], alternative="two-sided")
        effect = 2 * float(found.statistic) / (len(kept[0]) * len(kept[1])) - 1
        return Ranked("Mann–Whitney", effect, float(found.pvalue), n)
    found = kruskal(*kept)
    return Ranked("Kruskal–Wallis", float(found.statistic) / (n - 1), float(found.pvalue), n)


def compare_pairs(first: FloatArray, second: FloatArray) -> Ranked:
    """Do people differ between two visits? Wilcoxon's signed ranks.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        The same people twice.

    Returns
    -------
    Ranked
        The effect is the matched-pairs rank-biserial correlation (positive: the second visit is higher).

    Raises
    ------
    TooShortError
        If fewer than five people differ.
    """
    from scipy.stats import rankdata, wilcoxon

    change = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    change = change[change != 0]
    if len(change) < MIN_EACH:
        raise TooShortError("fewer than five people differ")
    ranks = rankdata(np.abs(change))
    effect = float((ranks * np.sign(change)).sum() / ranks.sum())
    return Ranked("Wilcoxon", effect, float(wilcoxon(change).pvalue), len(change))


def correlate(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Spearman's correlation of every pair of columns, over the people who have both.

    Parameters
    ----------
    values : ndarray, shape (people, measures)
        NaN where somebody has none.

    Returns
    -------
    rho : ndarray, shape (measures, measures)
        NaN where fewer than ten people have both, or one does not vary.
    n : ndarray, shape (measures, measures)
        People who have both.
    """
    present = np.isfinite(values)
    n = present.T.astype(np.int64) @ present.astype(np.int64)
    rho = np.full(n.shape, np.nan)
    alike: dict[bytes, list[int]] = {}  # measures that the same people have are ranked together
    for k in range(values.shape[1]):
        alike.setdefault(present[:, k].tobytes(), []).append(k)
    for first in alike.values():
        for second in alike.values():
            both = present[:, first[0]] & present[:, second[0]]
            if both.sum() >= MIN_PAIRS:
                rho[np.ix_(first, second)] = _ranked(values[both][:, first]).T @ _ranked(values[both][:, second])
    return np.where(n >= MIN_PAIRS, np.clip(rho, -1, 1), np.nan), n.astype(np.float64)


def _ranked(values: FloatArray) -> FloatArray:
    """Ranks of each column, centred and of length one; NaN where a column does not vary."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(ranks / np.where(length > 0, length, np.nan), dtype=np.float64)


def correlation_p(rho: FloatArray, n: FloatArray) -> FloatArray:
    """Two-sided p values of Spearman's correlations, by Student's t.

    Parameters
    ----------
    rho, n : ndarray, shape (k,)
        Correlations, and the people behind each.

    Returns
    -------
    ndarray, shape (k,)
    """
    from scipy.stats import t

    freedom = n - 2.0
    with np.errstate(divide="ignore"):
        statistic = np.abs(rho) * np.sqrt(freedom / np.maximum(1 - rho**2, 1e-300))
    return np.asarray(2 * t.sf(statistic, freedom), dtype=np.float64)


def robust_z(values: FloatArray) -> FloatArray:
    """Distance from the median in robust standard deviations.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN stays NaN.

    Returns
    -------
    ndarray, shape (n,)
        All zero where more than half of the values are equal.

    References
    ----------
    Iglewicz & Hoaglin (1993): beyond 3.5 a value is worth a look.
    """
    distance = values - np.nanmedian(values)
    spread = 1.4826 * float(np.nanmedian(np.abs(distance)))
    return distance / spread if spread > 0 else np.where(np.isfinite(values), 0.0, np.nan)
