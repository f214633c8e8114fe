"""A biomarker, declared once: what it is, in what unit, from which source, and how much evidence it needs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Measure, Window

UNITS = frozenset({
    "1", "%", "s", "ms", "ms²", "1/min", "1/s", "Hz", "st", "dB", "deg", "deg/s", "µS", "µS/min", "IOD", "IOD/s",
    "patch/s", "SW", "SW/s", "SW²", "a.u.", "count", "sensor unit", "°C", "°C/min", "g", "syllables/s", "dB/Hz",
    "sone", "st/s", "a.u./s", "µS²", "sensor unit/s",
})  # fmt: skip
_SOURCE = re.compile(r"^(doi:10\.\d{4,9}/\S+|arxiv:\d{4}\.\d{4,5}|isbn:[\d-]+|cueflow:\S+|https://\S+)$", re.IGNORECASE)
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How much a value must rest on: at least `n_min` of `unit`, over at least `coverage_min` of the window."""

    n_min: float
    unit: str
    coverage_min: float = 0.0


@dataclass(frozen=True, slots=True)
class Biomarker:
    """Declaration of one measure.

    Parameters
    ----------
    name : str
        Unique, snake case: `<domain>_<measure>_<statistic>`.
    modality : str
        Modality of the stream it is computed from.
    unit : str
        One of `UNITS`; "1" for shares and ratios.
    statistic : str
        mean, sd, p50, rate, count, share, …
    definition : str
        One sentence that lets someone else compute it.
    source : str
        DOI, arXiv number, ISBN, address, or `cueflow:<doc page>` where the measure is ours.
    method : str
        The name of the method that computes it, as the `method` column says it.
    evidence : Evidence
        The rule below which no value is written.
    plausible : tuple of float
        Low and high end, in `unit`; a value outside is kept and marked `low_quality`.
    aliases : tuple of str
        Names of the same measure in other tools.
    robustness : str
        How far worse recordings move it, as measured; empty where that was not measured.
    """

    name: str
    modality: str
    unit: str
    statistic: str
    definition: str
    source: str
    method: str
    evidence: Evidence
    plausible: tuple[float, float]
    aliases: tuple[str, ...] = ()
    robustness: str = ""

    def __post_init__(self) -> None:
        """Refuse a declaration that says too little.

        Raises
        ------
        ValueError
            If a field is missing or malformed.
        """
        wrong = [
            what
            for what, bad in (
                ("name", not _NAME.match(self.name)),
                ("unit", self.unit not in UNITS),
                ("definition", len(self.definition) < 20 or not self.definition.endswith(".")),
                ("source", not _SOURCE.match(self.source)),
                ("range", not self.plausible[0] < self.plausible[1]),
                ("evidence", self.evidence.n_min < 0 or not 0 <= self.evidence.coverage_min <= 1),
            )
            if bad
        ]
        if wrong:
            raise ValueError(f"biomarker {self.name!r}: bad {', '.join(wrong)}")

    def measure(
        self,
        value: float | None,
        window: Window,
        *,
        n_evidence: float,
        coverage: float = 1.0,
        quality: float | None = None,
        reason: Reason | None = None,
    ) -> Measure:
        """Apply the evidence rule to a computed value.

        Parameters
        ----------
        value : float or None
            In `unit`; None or NaN where the measure is undefined for the data.
        window : Window
            What it was computed over.
        n_evidence : float
            How many of the rule's unit it rests on.
        coverage : float, optional
            Share of the window observed, 0 to 1.
        quality : float, optional
            Quality of the signal, 0 to 1.
        reason : Reason, optional
            A cause the stage knows (contact loss, no face, …): marks a value as low quality, and replaces the
            general reason where there is no value.

        Returns
        -------
        Measure
            With value None where the rule is not met.
        """
        coverage = min(max(float(coverage), 0.0), 1.0)
        status, why, kept = Status.OK, None, value
        if n_evidence < self.evidence.n_min:
            status, why, kept = Status.TOO_SHORT, reason or Reason.FEW_EVIDENCE, None
        elif coverage < self.evidence.coverage_min:
            status, why, kept = Status.LOW_QUALITY, reason or Reason.LOW_COVERAGE, None
        elif value is None or not math.isfinite(value):
            status, why, kept = Status.LOW_QUALITY, reason or Reason.NOT_COMPUTABLE, None
        elif reason is not None:
            status, why = Status.LOW_QUALITY, reason
        elif not self.plausible[0] <= value <= self.plausible[1]:
            status, why = Status.LOW_QUALITY, Reason.IMPLAUSIBLE
        return Measure(
            biomarker=self.name,
            window=window,
            value=None if kept is None else float(kept),
            status=status,
            reason=why,
            n_evidence=float(n_evidence),
            coverage=coverage,
            quality=quality,
        )


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """Declaration of a per-second column of the `windows` table; `drawn`: whether a session's page shows it."""

    name: str
    modality: str
    unit: str
    definition: str
    drawn: bool = True
