"""Two signals in blocks: spectra of how well each block of one fits the other at every lag, and sums of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

IntArray = NDArray[np.int64]
_Number = TypeVar("_Number", np.float64, np.complex64)
Product = NDArray[np.complex64]
"""Spectra (blocks, frequencies): of a signal, or of how well it fits another one at each lag."""
Summed = Callable[[IntArray], FloatArray]
"""From the first blocks of runs to the sums of the profiles in each run, (runs, lags)."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a signal is cut: blocks of `length` samples at `rate` Hz around `middles`, lags of `reach` to either side."""

    rate: float
    middles: FloatArray
    length: int
    reach: int

    @property
    def size(self) -> int:
        """Of the transforms."""
        from scipy.fft import next_fast_len

        return int(next_fast_len(2 * self.reach + self.length, real=True))

    def starts(self, start_s: float) -> IntArray:
        """First sample of each block of a track that begins at `start_s`."""
        first = np.round((self.middles - start_s) * self.rate - self.length / 2)
        return np.maximum(first, 0).astype(np.int64)

    def summed(self, product: Product) -> Summed:
        """From spectra of the blocks' fits to sums of their profiles over runs of blocks."""
        from scipy.fft import irfft

        def of_runs(first: IntArray) -> FloatArray:
            sums = irfft(sums_of_runs(product, first), self.size)[:, : 2 * self.reach + 1]
            return np.asarray(sums / self.length, dtype=np.float64)

        return of_runs


def spectra_of_blocks(values: FloatArray, cut: Blocks, start_s: float) -> Product:
    """Spectra of the blocks of a track; zero for one that is not whole."""
    rows = np.zeros((len(cut.middles), cut.length), dtype=np.float32)
    for row, first in zip(rows, cut.starts(start_s), strict=True):
        block = values[first : first + cut.length]
        if len(block) == cut.length:
            row[:] = block
    return _spectra(rows, cut.size)


def spectra_around(track: tuple[float, FloatArray], cut: Blocks, start_s: float) -> Product:
    """Spectra of what a track holds around each block of another one that begins at `start_s`, as far as lags reach."""
    pad, width = cut.reach + cut.length, 2 * cut.reach + cut.length
    padded = np.pad(track[1], pad)
    first = np.round(cut.starts(start_s) + (start_s - track[0]) * cut.rate).astype(np.int64) + cut.length
    rows = np.zeros((len(cut.middles), width), dtype=np.float32)
    for row, at in zip(rows, first, strict=True):
        if 0 <= at <= len(padded) - width:
            row[:] = padded[at : at + width]
    return _spectra(rows, cut.size)


def _spectra(rows: NDArray[np.float32], size: int) -> Product:
    from scipy.fft import rfft

    return np.asarray(rfft(rows, size, axis=1), dtype=np.complex64)


def sums_of_runs(rows: NDArray[_Number], first: IntArray) -> NDArray[_Number]:
    """Sums of the rows from one of `first` to the next (numpy's reduceat takes ten times as long along this axis)."""
    edges = [*first.tolist(), len(rows)]
    return np.stack([rows[a:b].sum(axis=0) for a, b in pairwise(edges)])
