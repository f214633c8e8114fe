"""Heart: rate and variability from the ECG, and from lists of beat-to-beat intervals."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec
from cueflow.schemas.biomarkers.variability import SHAFFER, Kind, variability

_OURS = "cueflow:docs/methods/physiology.md"
_RHYTHM = "doi:10.1080/03091902.2019.1640306"

HEART = Kind("hr", "hrv", "ecg", "normal beats", "normal-to-normal intervals", "r-peaks")
PULSE = Kind("pulse_rate", "prv", "ppg", "normal pulses", "normal pulse-to-pulse intervals", "systolic-peaks")
LIST = Kind("ibi_rate", "ibi", "intervals", "normal beats", "normal intervals of the list", "interval-list")


def rate(kind: Kind) -> tuple[Biomarker, ...]:
    """Rate, and what it rests on, for one kind of recording.

    Parameters
    ----------
    kind : Kind
        Where the intervals come from.

    Returns
    -------
    tuple of Biomarker
    """

    def row(
        part: str,
        unit: str,
        definition: str,
        *,
        evidence: Evidence,
        plausible: tuple[float, float],
        source: str = SHAFFER,
    ) -> Biomarker:
        return Biomarker(
            name=f"{kind.rate}_{part}", modality=kind.modality, unit=unit, statistic=part.rpartition("_")[2],
            definition=definition, source=source, method=kind.method, evidence=evidence, plausible=plausible,
        )  # fmt: skip

    few, many = Evidence(10, "beats", 0.5), Evidence(30, "beats", 0.8)
    whole, always = Evidence(1, "beats"), Evidence(0, "s")
    between, counted = kind.intervals, kind.beats
    return (
        row("mean", "1/min", f"60,000 over the mean of the {between} in ms.", evidence=few, plausible=(30, 200)),
        row("sd", "1/min", f"Standard deviation of the rate, each of the {between} weighted by its length.",
            evidence=many, plausible=(0.1, 50)),
        row("min", "1/min", f"60,000 over the longest of the {between}.", evidence=many, plausible=(24, 190)),
        row("max", "1/min", f"60,000 over the shortest of the {between}.", evidence=many, plausible=(32, 240)),
        row("beats_count", "count", f"How many beats end one of the {between}: {counted} after a normal one.",
            evidence=whole, plausible=(1, 1e6), source=_OURS),
        row("excluded_share", "%",
            "Share of the beats found that end no normal interval (ectopic, unlike, after a gap).",
            evidence=whole, plausible=(0, 100), source=_OURS),
        row("ectopic_count", "count", "Beats that come early or late and are made up for by the next.",
            evidence=whole, plausible=(0, 1e6), source=_RHYTHM),
        row("ectopic_share", "%", "Share of the beats found that come early or late and are made up for by the next.",
            evidence=few, plausible=(0, 60), source=_RHYTHM),
        row("artefact_count", "count",
            "Beats too many or misplaced, beats unlike the others, and places where one is likely missing.",
            evidence=whole, plausible=(0, 1e6), source=_RHYTHM),
        row("gap_max", "s", f"Longest part of the window without any of the {between}.",
            evidence=always, plausible=(0, 1e6), source=_OURS),
    )  # fmt: skip


_INVERTED = Biomarker(
    name="ecg_inverted_share", modality="ecg", unit="%", statistic="share", method="r-peaks",
    definition="Share of the normal beats whose main wave points down: near 100 where the lead or its electrodes are "
    "swapped, and in leads such as aVR and V1.",
    source=_OURS, evidence=Evidence(10, "beats", 0.5), plausible=(0, 100),
)  # fmt: skip
_DERIVED = Biomarker(
    name="edr_rate_mean", modality="ecg", unit="1/min", statistic="mean", method="ecg-derived-breathing",
    definition="Median breathing rate of pieces of 64 s that the height of R peaks and their intervals agree on.",
    source="doi:10.1109/TBME.2013.2246160", evidence=Evidence(1, "pieces", 0.5), plausible=(4, 40),
)  # fmt: skip
BIOMARKERS: tuple[Biomarker, ...] = (
    *rate(HEART), *variability(HEART), _DERIVED, _INVERTED, *rate(LIST), *variability(LIST),
)  # fmt: skip
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("heart_rate", "ecg", "1/min", "60,000 over the normal-to-normal interval in ms that is running."),
    SeriesSpec("interval_rate", "intervals", "1/min", "60,000 over the listed interval in ms that is running."),
)
