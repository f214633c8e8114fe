"""How well a measure tells people apart when they come again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.results import FloatArray

MIN_SUBJECTS = 5


@dataclass(frozen=True, slots=True)
class Reliability:
    """Intraclass correlation of single values with its 95 % interval, and what it rests on."""

    icc: float
    low: float
    high: float
    n_subjects: int
    n_values: int

    @property
    def word(self) -> str:
        """In words, by the lower end of the interval (Koo & Li 2016, doi:10.1016/j.jcm.2016.02.012)."""
        steps = ((0.5, "poor"), (0.75, "moderate"), (0.9, "good"))
        return next((word for end, word in steps if self.low < end), "excellent")


def icc_one_way(visits: Sequence[FloatArray], *, level: float = 0.95) -> Reliability:
    """ICC(1,1): share of the variance that lies between people, from a one-way analysis of variance.

    People may have different numbers of visits; those with one do not count.

    Parameters
    ----------
    visits : sequence of ndarray, shape (k,)
        Values of each person.
    level : float
        Of the interval.

    Returns
    -------
    Reliability

    Raises
    ------
    TooShortError
        If fewer than five people came twice, or all values are equal.

    References
    ----------
    Shrout & Fleiss (1979), doi:10.1037/0033-2909.86.2.420
    """
    from scipy.stats import f

    groups = [np.asarray(v, dtype=np.float64) for v in visits if len(v) > 1]
    n = len(groups)
    if n < MIN_SUBJECTS:
        raise TooShortError("fewer than five people came twice")
    sizes = np.array([len(g) for g in groups], dtype=np.float64)
    total, whole = sizes.sum(), np.concatenate(groups)
    k = (total - (sizes**2).sum() / total) / (n - 1)
    means = np.array([g.mean() for g in groups])
    between = float((sizes * (means - whole.mean()) ** 2).sum() / (n - 1))
    within = float(sum(((g - g.mean()) ** 2).sum() for g in groups) / (total - n))
    if between + within <= 0:
        raise TooShortError("all values are equal")
    if within <= 0:
        return Reliability(1.0, 1.0, 1.0, n, int(total))
    ratio, tail = between / within, (1 - level) / 2
    ends = (ratio / f.ppf(1 - tail, n - 1, total - n), ratio / f.ppf(tail, n - 1, total - n))
    low, high = ((end - 1) / (end + k - 1) for end in ends)
    return Reliability(float((ratio - 1) / (ratio + k - 1)), float(low), float(high), n, int(total))
