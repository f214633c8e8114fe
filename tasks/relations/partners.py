"""Which streams may be compared: of one person, and on clocks whose difference is known well enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Findings, FloatArray, StreamResult, SyncRecord, Window
from cueflow.schemas.session import Stream
from cueflow.tasks.clock.evidence import Key, clock_of

BY_THE_SECOND_S = 1.0
"""Largest 95 % uncertainty between two clocks for measures by the second."""
BY_THE_BEAT_S = 0.3
"""The same for measures of single beats and breaths."""
_MISTAKEN = frozenset({Reason.WRONG_SIGNAL, Reason.UNIT_WRONG})


@dataclass(frozen=True, slots=True)
class Session:
    """Results by key, the recorder of each stream, and its place on the session clock."""

    results: Mapping[Key, StreamResult]
    clocks: Mapping[Key, str]
    sync: Mapping[Key, SyncRecord]

    @classmethod
    def of(cls, results: Sequence[StreamResult], streams: Sequence[Stream], sync: Sequence[SyncRecord]) -> Session:
        """Put a session's results beside the places of its streams.

        Parameters
        ----------
        results : sequence of StreamResult
            On the session clock.
        streams : sequence of Stream
            As the manifest declares them.
        sync : sequence of SyncRecord
            From the alignment.

        Returns
        -------
        Session
        """
        return cls(
            {(r.modality, r.role, r.channel): r for r in results if r.findings is not None},
            {s.key: clock_of(s) for s in streams},
            {(r.modality, r.role, r.channel): r for r in sync},
        )

    def apart(self, one: Key, other: Key) -> float | None:
        """95 % uncertainty between two streams in s; None where neither the session nor a group knows both places."""
        if self.clocks.get(one) == self.clocks.get(other):
            return 0.0
        here, there = self.sync.get(one), self.sync.get(other)
        if here is None or there is None or here.group != there.group:
            return None
        if not here.group and "unsynchronised" in {here.source, there.source}:
            return None
        return float(np.hypot(here.uncertainty_s or 0.0, there.uncertainty_s or 0.0))

    def lies(self, key: Key, within_s: float) -> bool:
        """Whether a stream's place on the session clock, on which phases and events lie, is known so closely."""
        place = self.sync.get(key)
        return place is None or (place.source != "unsynchronised" and (place.uncertainty_s or 0.0) <= within_s)

    def partner(self, key: Key, modality: str, within_s: float) -> tuple[Key | None, Reason | None]:
        """The same person's stream of a modality that stands close enough in time.

        Parameters
        ----------
        key : tuple of str
            The stream that is measured.
        modality : str
            Of the other.
        within_s : float
            Largest uncertainty, s.

        Returns
        -------
        tuple
            Its key, or the reason why there is none.
        """
        there = [k for k in self.results if k[0] == modality and k[1] == key[1] and k != key]
        known = [(apart, k) for k in there if (apart := self.apart(key, k)) is not None]
        close = sorted(pair for pair in known if pair[0] <= within_s)
        if close:
            return close[0][1], None
        return None, Reason.UNSYNCHRONISED if there else Reason.NO_PARTNER

    def mistaken(self, *keys: Key) -> Reason | None:
        """Why one of some streams is not what it is called, or in another unit: nothing that rests on it is sure."""
        found = (self.findings(key).reason for key in keys)
        return next((reason for reason in found if reason in _MISTAKEN), None)

    def findings(self, key: Key) -> Findings:
        """Findings of a stream that has some."""
        found = self.results[key].findings
        assert found is not None  # noqa: S101 - `of` keeps no other
        return found


def series_of(findings: Findings, name: str, window: Window) -> FloatArray:
    """A per-second series over the whole seconds of a window, NaN where there is none.

    Parameters
    ----------
    findings : Findings
        Of a stream.
    name : str
        Of the series.
    window : Window
        The span.

    Returns
    -------
    ndarray, shape (n,)
    """
    first, last = int(np.ceil(window.start_s)), int(np.floor(window.end_s))
    out = np.full(max(last - first, 0), np.nan)
    for series in findings.series:
        if series.name == name:
            at = np.round(series.t_s).astype(np.int64) - first
            inside = (at >= 0) & (at < len(out))
            out[at[inside]] = series.values[inside]
    return out


def windows_of(findings: Findings) -> tuple[Window, ...]:
    """The windows that a stream was measured over, each once, in their order."""
    return tuple(dict.fromkeys(m.window for m in findings.measures))
