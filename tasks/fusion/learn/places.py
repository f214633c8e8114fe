"""Groups of columns that have an effect, and of some of them the places where they may have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray

SLOTS = 2  # places of one biomarker with an effect at once


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of columns, one after the other, of `size` (k,) columns each.

    `kind` (k,) is which groups are alike: groups of a kind tell each other how often one says next to nothing. `few`
    (k,) is how many columns without an effect are expected beside one that has one. With `among` (k,) above 1 the
    columns of a group are places of something that has few places, so many in a row of one biomarker: of these at
    most `SLOTS` have an effect, and which is sampled.
    """

    size: IntArray
    kind: IntArray
    few: FloatArray
    among: IntArray


@dataclass(frozen=True, slots=True)
class Places:
    """Where columns lie that have places: of all P columns, a chain only holds p at a time.

    `column` (p,) is which of all columns each of them is at present; `first` the first place of those that have places,
    and `values` what they would hold (places, n) there; `gone` (n, P) how far that is missing.
    """

    column: IntArray
    first: Mapping[int, int]
    values: Mapping[int, FloatArray]
    gone: FloatArray

    @property
    def moving(self) -> IntArray:
        """The columns that have places."""
        return np.array(list(self.first), dtype=np.int64)

    @classmethod
    def of(cls, groups: Groups, kept: FloatArray, gone: FloatArray) -> Places:
        """Of all columns (n, P); those with places start evenly spread over them."""
        column: list[int] = []
        first, values = {}, {}
        ends = np.cumsum(groups.size)
        for end, size, among in zip(ends, groups.size, groups.among, strict=True):
            if among == 1:
                column += range(end - size, end)
                continue
            for start in range(end - size, end, among):
                own = np.ascontiguousarray(kept[:, start : start + among].T)
                for slot in range(SLOTS):
                    first[len(column)], values[len(column)] = start, own
                    column.append(start + (slot + 1) * among // (SLOTS + 1))
        return cls(np.array(column), first, values, gone)

    def move(self, c: int, k: int) -> FloatArray:
        """Put column c to its place k, and say how far what it holds there is missing (n,)."""
        self.column[c] = self.first[c] + k
        return self.gone[:, self.column[c]]

    def spread_out(self, beta: FloatArray) -> FloatArray:
        """Effects (p + 1), the intercept first, over all columns (P + 1)."""
        made = np.zeros(self.gone.shape[1] + 1)
        np.add.at(made, np.append(0, 1 + self.column), beta)
        return made
