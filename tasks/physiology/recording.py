"""One recording with the stretches of it that can be used, and how measures are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS, Biomarker
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Recorded, Series, Window
from cueflow.tasks.physiology.blocks import longest_of
from cueflow.tasks.physiology.segments import Segment, observed_s
from cueflow.tasks.physiology.survey import in_seconds

MOSTLY = 0.5


@dataclass(frozen=True, slots=True)
class Recording:
    """A signal, its usable stretches, the windows to measure, and why the rest cannot be used.

    `recorded`, `marks` by reason, and `clipped` (at the recorder's limits) are spans in s, (k, 2).
    """

    signal: Recorded
    pieces: tuple[Segment, ...]
    session: Window
    windows: tuple[Window, ...]
    recorded: FloatArray
    marks: Mapping[Reason, FloatArray]
    clipped: FloatArray

    @property
    def start_s(self) -> float:
        """Where the recording begins, s."""
        return self.session.start_s

    @property
    def end_s(self) -> float:
        """Where the recording ends, s."""
        return self.session.end_s

    def observed(self, window: Window) -> float:
        """Share of the window that can be used, 0 to 1."""
        return min(1.0, observed_s(self.pieces, window) / window.duration_s)

    @property
    def longest(self) -> FloatArray:
        """The first ten minutes of the longest usable stretch: enough to see what the signal is."""
        return longest_of(self.signal, self.pieces, at_most_s=600.0)

    def share(self, spans: FloatArray, window: Window) -> float:
        """Share of what was recorded in a window that lies in spans, 0 to 1."""
        there = in_seconds(self.recorded, window)
        return in_seconds(spans, window) / there if there > 0 else 0.0

    def clipped_share(self, window: Window) -> float:
        """Share of what was recorded in a window that lies at the limit of the recorder."""
        return self.share(self.clipped, window)

    def cause(self, window: Window) -> Reason | None:
        """Why most of the window cannot be used, where that is known.

        Parameters
        ----------
        window : Window
            The span.

        Returns
        -------
        Reason or None
        """
        return next((reason for reason, spans in self.marks.items() if self.share(spans, window) > MOSTLY), None)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an analysis found: measures, events, series, and coverage and quality of the whole recording.

    `odd` says why nothing of it can be believed, where the signal is not what the manifest calls it; `note` what is
    wrong with the recording though its values stay.
    """

    measures: tuple[Measure, ...]
    events: tuple[Event, ...]
    series: tuple[Series, ...]
    coverage: float
    quality: float | None
    odd: Reason | None = None
    note: Reason | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What the measures of one window rest on: counts by the unit of the evidence rule, coverage and quality.

    `cause` is the reason given where a rule is not met; `covered` replaces `coverage` for some units.
    """

    window: Window
    counts: Mapping[str, float]
    coverage: float
    quality: float | None
    cause: Reason | None
    covered: Mapping[str, float] = field(default_factory=dict)

    def measure(self, name: str, value: float | None, *, count: float | None = None) -> Measure:
        """One declared measure; the cause is named only where its evidence rule is not met.

        Parameters
        ----------
        name : str
            Of a declared biomarker.
        value : float or None
            None or NaN where it is undefined.
        count : float, optional
            Evidence; default: the count of the rule's unit.

        Returns
        -------
        Measure
        """
        biomarker: Biomarker = BIOMARKERS[name]
        rule = biomarker.evidence
        evidence = self.counts[rule.unit] if count is None else count
        coverage = self.covered.get(rule.unit, self.coverage)
        met = evidence >= rule.n_min and coverage >= rule.coverage_min
        return biomarker.measure(
            value,
            self.window,
            n_evidence=evidence,
            coverage=coverage,
            quality=self.quality,
            reason=None if met else self.cause,
        )


def mean_or_none(values: FloatArray) -> float | None:
    """Mean of the values that are not NaN, or None.

    Parameters
    ----------
    values : ndarray, shape (n,)
        May be empty.

    Returns
    -------
    float or None
    """
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else None


def sd_or_none(values: FloatArray) -> float | None:
    """Standard deviation (n - 1) of the values that are not NaN, or None.

    Parameters
    ----------
    values : ndarray, shape (n,)
        May be empty.

    Returns
    -------
    float or None
    """
    good = values[np.isfinite(values)]
    return float(good.std(ddof=1)) if len(good) > 1 else None


def sampled(start_s: float, end_s: float) -> FloatArray:
    """Times every tenth of a second, at which step functions are read for per-second series.

    Parameters
    ----------
    start_s, end_s : float
        Extent, s.

    Returns
    -------
    ndarray, shape (n,)
    """
    return np.asarray(np.floor(start_s) + (np.arange(max(1, round((end_s - np.floor(start_s)) * 10))) + 0.5) / 10.0)


def flattened(parts: Iterable[Iterable[Measure]]) -> tuple[Measure, ...]:
    """The measures of all windows in one row.

    Parameters
    ----------
    parts : iterable of iterables of Measure
        By window.

    Returns
    -------
    tuple of Measure
    """
    return tuple(m for part in parts for m in part)
