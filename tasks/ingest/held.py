"""Numbers of a recording as it is read: in memory while they are few, in a file without a name once they are many."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Protocol

import numpy as np

from cueflow.schemas.results import FloatArray

MANY = 1 << 19
"""Numbers: more of one signal are not held in memory."""
_BYTES = 8


class Numbers(Protocol):
    """`n` numbers that are read in parts: from one to another, which is left out; what lies beyond the end is not."""

    @property
    def n(self) -> int:
        """How many there are."""

    def read(self, first: int, last: int) -> FloatArray:
        """The numbers from `first` to `last`, which is left out."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Numbers that stay in the recording's own file, and are decoded as they are asked for."""

    n: int
    decode: Callable[[int, int], FloatArray]

    def read(self, first: int, last: int) -> FloatArray:
        """The numbers from `first` to `last`, which is left out."""
        return self.decode(min(first, self.n), min(last, self.n))


def blocks(numbers: Numbers) -> Iterator[FloatArray]:
    """All numbers in parts that memory holds easily.

    Parameters
    ----------
    numbers : Numbers
        Any.

    Yields
    ------
    ndarray, shape (m,)
    """
    for first in range(0, numbers.n, MANY):
        yield numbers.read(first, first + MANY)


def steps(numbers: Numbers) -> Iterator[FloatArray]:
    """Differences of neighbours, block by block; the first block has one less than numbers.

    Parameters
    ----------
    numbers : Numbers
        Any.

    Yields
    ------
    ndarray, shape (m,)
    """
    before = np.zeros(0)
    for block in blocks(numbers):
        yield np.diff(np.concatenate([before, block]))
        before = block[-1:]


class Held:
    """Numbers (n,) that are added at the end and read in parts; those in a file vanish with the process."""

    def __init__(self, parts: Iterable[FloatArray] = ()) -> None:
        self.n = 0
        self._parts: list[FloatArray] = []
        self._file: int | None = None
        for part in parts:
            self.add(part)

    def add(self, part: FloatArray) -> None:
        """Keep more numbers.

        Parameters
        ----------
        part : ndarray, shape (m,)
            They come after all others.
        """
        self.n += len(part)
        if self._file is None:
            self._parts.append(part)
            if self.n <= MANY or len(self._parts) == 1:
                return
            self._spill()
        else:
            self._write(part)

    def read(self, first: int, last: int) -> FloatArray:
        """The numbers from one to another, which is left out.

        Parameters
        ----------
        first, last : int
            Positions; what lies beyond the end is left out.

        Returns
        -------
        ndarray, shape (m,)

        Raises
        ------
        OSError
            If the file of numbers cannot be read.
        """
        last = min(last, self.n)
        if self._file is None:
            self._parts = [np.concatenate(self._parts)] if len(self._parts) != 1 and self._parts else self._parts
            return self._parts[0][first:last] if self._parts else np.zeros(0)
        found = np.empty(max(last - first, 0))
        view, at = found.view(np.uint8).data, first * _BYTES
        while len(view):
            count = os.preadv(self._file, [view], at)
            if not count:
                raise OSError("the file of a recording's numbers was cut")
            view, at = view[count:], at + count
        return found

    def _spill(self) -> None:
        with TemporaryFile(buffering=0) as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        for part in self._parts:
            self._write(part)
        self._parts = []

    def _write(self, part: FloatArray) -> None:
        view = np.ascontiguousarray(part, dtype=np.float64).view(np.uint8).data
        while len(view) and self._file is not None:
            view = view[os.write(self._file, view) :]
