"""Long series made short enough to draw: bins with mean, lowest and highest, gaps kept as gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray

MAX_POINTS = 1500  # of a line, or of the outline of a band


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal bins over a session: `n` bins of `step_s` from `start_s`."""

    start_s: float
    step_s: float
    n: int

    @property
    def edges_s(self) -> FloatArray:
        """Edges, shape (n + 1,), s."""
        return self.start_s + self.step_s * np.arange(self.n + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Binned:
    """A series in bins: `mean`, `low`, `high`, shape (n,), NaN where a bin holds no value."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def make_grid(start_s: float, end_s: float, *, most: int | None = None) -> Grid:
    """Bins of whole seconds that cover a session.

    Parameters
    ----------
    start_s, end_s : float
        Extent on the session clock, s.
    most : int, optional
        Bins at most; by default a bin per second where `MAX_POINTS` allow it, else half as many: they are drawn
        with a band, whose outline has two points a bin.

    Returns
    -------
    Grid
        With one bin at least.
    """
    first = float(np.floor(start_s))
    seconds = max(int(np.ceil(end_s - first)), 1)
    if most is None:
        most = MAX_POINTS if seconds <= MAX_POINTS else MAX_POINTS // 2
    step = -(-seconds // most)
    return Grid(first, float(step), -(-seconds // step))


def bin_series(t_s: FloatArray, values: FloatArray, grid: Grid) -> Binned:
    """Mean, lowest and highest value of each bin.

    Parameters
    ----------
    t_s : ndarray, shape (n,)
        Starts of the seconds, s.
    values : ndarray, shape (n,)
        NaN is a gap.
    grid : Grid
        The bins.

    Returns
    -------
    Binned
    """
    at = np.floor((t_s - grid.start_s) / grid.step_s + 1e-9).astype(np.int64)
    kept = np.isfinite(values) & (at >= 0) & (at < grid.n)
    at, found = at[kept], values[kept]
    count = np.bincount(at, minlength=grid.n)
    total = np.bincount(at, weights=found, minlength=grid.n)
    mean = np.full(grid.n, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    low, high = np.full(grid.n, np.inf), np.full(grid.n, -np.inf)
    np.minimum.at(low, at, found)
    np.maximum.at(high, at, found)
    low[count == 0] = high[count == 0] = np.nan
    return Binned(mean, low, high)


def count_in_bins(t_s: FloatArray, grid: Grid) -> FloatArray:
    """How many instants fall into each bin.

    Parameters
    ----------
    t_s : ndarray, shape (n,)
        Instants, s.
    grid : Grid
        The bins; instants outside are left out.

    Returns
    -------
    ndarray, shape (n,)
    """
    return np.histogram(t_s, bins=grid.edges_s)[0].astype(np.float64)


def runs(present: FloatArray) -> Iterator[tuple[int, int]]:
    """Stretches without a gap.

    Parameters
    ----------
    present : ndarray, shape (n,)
        NaN is a gap.

    Yields
    ------
    tuple of int
        First index, and the one after the last.
    """
    flags = np.concatenate(([False], np.isfinite(present), [False]))
    turns = np.flatnonzero(flags[1:] != flags[:-1])
    yield from zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True)
