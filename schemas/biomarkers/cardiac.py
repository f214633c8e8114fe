"""Heart: rate and variability from the ECG, and from lists of beat-to-beat intervals."""

from __future__ import annotations

from dataclasses import dataclass

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

TASK_FORCE = "doi:10.1161/01.CIR.93.5.1043"
SHAFFER = "doi:10.3389/fpubh.2017.00258"
_POINCARE = "doi:10.1109/10.959330"
_OURS = "cueflow:docs/methods/physiology.md"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to get intervals: prefixes of the names for rate and variability, modality, and what the beats are."""

    rate: str
    variability: str
    modality: str
    beats: str
    intervals: str
    method: str


HEART = Kind("hr", "hrv", "ecg", "normal beats", "normal-to-normal intervals", "r-peaks")
PULSE = Kind("pulse_rate", "prv", "ppg", "normal pulses", "normal pulse-to-pulse intervals", "systolic-peaks")
LIST = Kind("ibi_rate", "ibi", "intervals", "normal beats", "normal intervals of the list", "interval-list")

# last part of the name, statistic, unit, definition, plausible range, source
_VARIABILITY = (
    ("meannn", "mean", "ms", "Mean of the {}.", (300, 2000), TASK_FORCE),
    ("sdnn", "sd", "ms", "Standard deviation (n - 1) of the {}.", (1, 400), TASK_FORCE),
    ("rmssd", "rmssd", "ms", "Root mean square of successive differences of the {}.", (1, 300), TASK_FORCE),
    ("sdsd", "sd", "ms", "Standard deviation (n - 1) of successive differences of the {}.", (1, 300), TASK_FORCE),
    ("mediannn", "p50", "ms", "Median of the {}.", (300, 2000), SHAFFER),
    ("madnn", "mad", "ms", "Median absolute deviation of the {} from their median, times 1.4826.", (1, 400), SHAFFER),
    ("iqrnn", "iqr", "ms", "Interquartile range of the {}.", (1, 600), SHAFFER),
    ("minnn", "min", "ms", "Shortest of the {}.", (250, 1800), SHAFFER),
    ("maxnn", "max", "ms", "Longest of the {}.", (320, 2500), SHAFFER),
    ("cvnn", "cv", "1", "Standard deviation of the {} over their mean.", (0.001, 0.4), SHAFFER),
    ("mcvnn", "cv", "1", "Scaled median absolute deviation of the {} over their median.", (0.001, 0.4), SHAFFER),
    ("cvsd", "cv", "1", "Root mean square of successive differences of the {} over their mean.", (0.001, 0.4), SHAFFER),
    ("pnn50", "share", "%", "Share of successive differences of the {} of more than 50 ms.", (0, 90), TASK_FORCE),
    ("pnn20", "share", "%", "Share of successive differences of the {} of more than 20 ms.", (0, 99), SHAFFER),
    ("sd1", "sd", "ms", "Spread of the Poincaré plot of the {} across the line of identity.", (0.7, 220), _POINCARE),
    ("sd2", "sd", "ms", "Spread of the Poincaré plot of the {} along the line of identity.", (1, 500), _POINCARE),
    ("sd1sd2", "ratio", "1", "Spread of the Poincaré plot of the {} across over along identity.", (0.05, 2), _POINCARE),
)
_ALIASES = {
    "meannn": "MeanNN", "sdnn": "SDNN", "rmssd": "RMSSD", "sdsd": "SDSD", "mediannn": "MedianNN", "madnn": "MadNN",
    "iqrnn": "IQRNN", "minnn": "MinNN", "maxnn": "MaxNN", "cvnn": "CVNN", "mcvnn": "MCVNN", "cvsd": "CVSD",
    "pnn50": "pNN50", "pnn20": "pNN20", "sd1": "SD1", "sd2": "SD2", "sd1sd2": "SD1SD2", "hf": "HF", "lf": "LF",
    "lfhf": "LFHF", "lfn": "LFn", "hfn": "HFn",
}  # fmt: skip
# last part of the name, unit, definition, shortest stretch in s, plausible range
_SPECTRAL = (
    ("hf", "ms²", "Power of the {} from 0.15 to 0.40 Hz", 60, (0.1, 20000)),
    ("lf", "ms²", "Power of the {} from 0.04 to 0.15 Hz", 120, (0.1, 30000)),
    ("hfn", "1", "Power of the {} from 0.15 to 0.40 Hz over that from 0.04 to 0.40 Hz", 120, (0, 1)),
    ("lfn", "1", "Power of the {} from 0.04 to 0.15 Hz over that from 0.04 to 0.40 Hz", 120, (0, 1)),
    ("lfhf", "1", "Power of the {} from 0.04 to 0.15 Hz over that from 0.15 to 0.40 Hz", 300, (0.01, 50)),
)


def variability(kind: Kind) -> tuple[Biomarker, ...]:
    """Variability of the intervals that one kind of recording gives.

    Parameters
    ----------
    kind : Kind
        Where the intervals come from.

    Returns
    -------
    tuple of Biomarker
    """
    published = "PRV" if kind.variability == "prv" else "HRV"
    alias = {part: () if kind is LIST else (f"{published}_{name}",) for part, name in _ALIASES.items()}
    in_time = tuple(
        Biomarker(
            name=f"{kind.variability}_{part}", modality=kind.modality, unit=unit, statistic=statistic,
            definition=f"{definition.format(kind.intervals)[:-1]}; nothing crosses a gap or a flagged beat.",
            source=source, method=f"{kind.method}+time-domain", evidence=Evidence(30, "beats", 0.8),
            plausible=plausible, aliases=alias[part],
        )
        for part, statistic, unit, definition, plausible, source in _VARIABILITY
    )  # fmt: skip
    in_frequency = tuple(
        Biomarker(
            name=f"{kind.variability}_{part}", modality=kind.modality, unit=unit,
            statistic="power" if unit == "ms²" else "ratio",
            definition=f"{definition.format(kind.intervals)}, over unbroken stretches of at least {shortest} s, "
            "weighted by their duration.",
            source=TASK_FORCE, method=f"{kind.method}+welch", evidence=Evidence(shortest, "s", 0.5),
            plausible=plausible, aliases=alias[part],
        )
        for part, unit, definition, shortest, plausible in _SPECTRAL
    )  # fmt: skip
    return in_time + in_frequency


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
        row("gap_max", "s", f"Longest part of the window without any of the {between}.",
            evidence=always, plausible=(0, 1e6), source=_OURS),
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = rate(HEART) + variability(HEART) + rate(LIST) + variability(LIST)
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("heart_rate", "ecg", "1/min", "60,000 over the normal-to-normal interval in ms that is running."),
    SeriesSpec("interval_rate", "intervals", "1/min", "60,000 over the listed interval in ms that is running."),
)
