"""Spans of the session clock: the windows that measures are taken over, exclusions, and seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray, Series, Window
from cueflow.schemas.session import Exclusion, Marker


def phases_of(markers: Sequence[Marker]) -> tuple[Window, ...]:
    """Windows of the phases; events and annotated actions give none.

    Parameters
    ----------
    markers : sequence of Marker
        Rows of events.csv.

    Returns
    -------
    tuple of Window
        One per phase, in their order.
    """
    return tuple(Window(m.onset_s, m.onset_s + m.duration_s, m.label) for m in markers if m.is_phase)


def measuring_windows(start_s: float, end_s: float, phases: Sequence[Window]) -> tuple[Window, ...]:
    """The windows a recording is summarised over: the whole of it, then every phase that it reaches into.

    Parameters
    ----------
    start_s, end_s : float
        Extent of the recording on the session clock, s.
    phases : sequence of Window
        Phases of the session. They are not cut to the recording: coverage says how much of them was seen.

    Returns
    -------
    tuple of Window
        At least one.
    """
    reached = tuple(p for p in phases if p.start_s < end_s and p.end_s > start_s)
    return (Window(start_s, end_s), *reached)


def excluded(times_s: FloatArray, exclusions: Sequence[Exclusion]) -> NDArray[np.bool_]:
    """True where a time lies in an excluded span.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times on the session clock, s.
    exclusions : sequence of Exclusion
        Spans to leave out, half open.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    inside = np.zeros(len(times_s), dtype=bool)
    for span in exclusions:
        inside |= (times_s >= span.onset_s) & (times_s < span.onset_s + span.duration_s)
    return inside


def within(times_s: FloatArray, window: Window) -> NDArray[np.bool_]:
    """True where a time lies in the window, its end left out.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times on the session clock, s.
    window : Window
        The span.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return np.asarray((times_s >= window.start_s) & (times_s < window.end_s))


class Seconds:
    """Means of a signal in whole seconds of the session clock, added up stretch by stretch."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.first = int(np.floor(start_s))
        n = max(int(np.ceil(end_s)), self.first + 1) - self.first
        self._count, self._total = np.zeros(n), np.zeros(n)

    def add(self, times_s: FloatArray, values: FloatArray) -> None:
        """Take samples into account; NaN values, and what lies outside, are left out.

        Parameters
        ----------
        times_s, values : ndarray, shape (n,)
            Samples.
        """
        n = len(self._count)
        good = np.isfinite(values) & (times_s >= self.first) & (times_s < self.first + n)
        bins = (np.floor(times_s[good]) - self.first).astype(np.int64)
        self._count += np.bincount(bins, minlength=n)
        self._total += np.bincount(bins, weights=values[good], minlength=n)

    def series(self, name: str) -> Series:
        """What was added.

        Parameters
        ----------
        name : str
            A declared series.

        Returns
        -------
        Series
            One value per second from floor(start) to ceil(end); NaN for a second without samples.
        """
        n = len(self._count)
        mean = np.divide(self._total, self._count, out=np.full(n, np.nan), where=self._count > 0)
        return Series(name=name, t_s=np.arange(self.first, self.first + n, dtype=np.float64), values=mean)


def per_second(name: str, times_s: FloatArray, values: FloatArray, *, start_s: float, end_s: float) -> Series:
    """Mean of a signal in every whole second of the session clock that it touches.

    Parameters
    ----------
    name : str
        A declared series.
    times_s, values : ndarray, shape (n,)
        Samples; NaN values are left out.
    start_s, end_s : float
        Extent of the recording, s.

    Returns
    -------
    Series
        One value per second from floor(start) to ceil(end); NaN for a second without samples.
    """
    seconds = Seconds(start_s, end_s)
    seconds.add(times_s, values)
    return seconds.series(name)
