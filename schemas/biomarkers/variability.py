"""Variability of intervals between beats, for every kind of recording that gives them."""

from __future__ import annotations

from dataclasses import dataclass

from cueflow.schemas.biomarkers.base import Biomarker, Evidence

TASK_FORCE = "doi:10.1161/01.CIR.93.5.1043"
SHAFFER = "doi:10.3389/fpubh.2017.00258"
_POINCARE = "doi:10.1109/10.959330"
_TOICHI = "doi:10.1016/S0165-1838(96)00112-9"
_PISKORSKI = "doi:10.1007/s11517-011-0834-z"
_COSTA = "doi:10.3389/fphys.2017.00255"
_LAGUNA = "doi:10.1109/10.678605"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to get intervals: prefixes of the names for rate and variability, modality, and what the beats are."""

    rate: str
    variability: str
    modality: str
    beats: str
    intervals: str
    method: str


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
# last part of the name, statistic, unit, definition, fewest beats, plausible range, source
_ORDER = (
    ("s", "area", "ms²", "Area of the Poincaré ellipse of the {}, pi times SD1 times SD2.", 30, (1, 5e5), SHAFFER),
    ("csi", "ratio", "1", "Spread of the Poincaré plot of the {} along over across identity.", 30, (0.5, 20), _TOICHI),
    ("cvi", "log", "1", "Decimal logarithm of 16 SD1 SD2 of the {}, in ms².", 30, (1, 7), _TOICHI),
    ("csi_modified", "ratio", "ms", "Four times SD2 squared over SD1 of the {}.", 30, (10, 10000),
     "doi:10.1109/EMBC.2014.6944639"),
    ("gi", "share", "%", "Guzik's index: distance from identity of the pairs of the {} that lengthen, of all.", 60,
     (20, 80), "doi:10.1515/BMT.2006.054"),
    ("si", "share", "%", "Slope index: angle from identity of the pairs of the {} that lengthen, of all.", 60, (20, 80),
     "doi:10.1088/0967-3334/36/2/303"),
    ("ai", "share", "%", "Area index: sector from identity of the pairs of the {} that lengthen, of all.", 60, (20, 80),
     "doi:10.1186/s12938-017-0402-3"),
    ("pi", "share", "%", "Porta's index: pairs of the {} that shorten, of those that change.", 60, (20, 80),
     "doi:10.1152/ajpregu.00129.2008"),
    ("c1d", "share", "1", "Part of decelerations in the short-term variability of the {}.", 60, (0.1, 0.9), _PISKORSKI),
    ("c2d", "share", "1", "Part of decelerations in the long-term variability of the {}.", 60, (0.1, 0.9), _PISKORSKI),
    ("cd", "share", "1", "Part of decelerations in the total variability of the {}.", 60, (0.1, 0.9), _PISKORSKI),
    ("sdnnd", "sd", "ms", "Part of the SDNN of the {} that decelerations make.", 60, (0.7, 300), _PISKORSKI),
    ("sdnna", "sd", "ms", "Part of the SDNN of the {} that accelerations make.", 60, (0.7, 300), _PISKORSKI),
    ("sd1d", "sd", "ms", "Spread across identity of the pairs of the {} that lengthen.", 60, (0.5, 220), _PISKORSKI),
    ("sd1a", "sd", "ms", "Spread across identity of the pairs of the {} that shorten.", 60, (0.5, 220), _PISKORSKI),
    ("sd2d", "sd", "ms", "Spread along identity of the pairs of the {} that lengthen.", 60, (0.7, 400), _PISKORSKI),
    ("sd2a", "sd", "ms", "Spread along identity of the pairs of the {} that shorten.", 60, (0.7, 400), _PISKORSKI),
    ("pip", "share", "1", "Share of the {} at which the sign of their change changes.", 60, (0.1, 0.95), _COSTA),
    ("ials", "ratio", "1", "One over the mean length of runs of rising or falling {}.", 60, (0.1, 1), _COSTA),
    ("pss", "share", "1", "Share of runs of rising or falling {} of fewer than three differences.", 60, (0, 1), _COSTA),
    ("pas", "share", "1", "Share of at least four among runs of inflections of the {}.", 60, (0, 1), _COSTA),
    ("dfa_alpha1", "exponent", "1", "Detrended fluctuation exponent of the {} from 4 to 11 beats.", 100, (0.1, 2),
     "doi:10.1063/1.166141"),
    ("sampen", "entropy", "1", "Sample entropy of the {}, m = 2, r = 0.2 SD.", 200, (0.05, 3.5),
     "doi:10.1152/ajpheart.2000.278.6.H2039"),
    ("apen", "entropy", "1", "Approximate entropy of the {}, m = 2, r = 0.2 SD.", 200, (0.05, 3),
     "doi:10.1073/pnas.88.6.2297"),
)  # fmt: skip
# last part of the name, statistic, unit, definition, fewest seconds of intervals, plausible range
_LONG = (
    ("hti", "ratio", "1", "Number of the {} over that in the fullest bin of 1/128 s.", 300, (1, 100)),
    ("tinn", "base", "ms", "Base of the triangle that fits the histogram of the {} best.", 300, (10, 1500)),
    ("sdann1", "sd", "ms", "Standard deviation of the means of the {} of pieces of 1 min.", 540, (0.5, 300)),
    ("sdann2", "sd", "ms", "Standard deviation of the means of the {} of pieces of 2 min.", 540, (0.5, 300)),
    ("sdann5", "sd", "ms", "Standard deviation of the means of the {} of pieces of 5 min.", 810, (0.5, 300)),
    ("sdnni1", "mean", "ms", "Mean of the standard deviations of the {} of pieces of 1 min.", 540, (1, 300)),
    ("sdnni2", "mean", "ms", "Mean of the standard deviations of the {} of pieces of 2 min.", 540, (1, 300)),
    ("sdnni5", "mean", "ms", "Mean of the standard deviations of the {} of pieces of 5 min.", 810, (1, 350)),
)
_PUBLISHED = {
    "meannn": "MeanNN", "mediannn": "MedianNN", "madnn": "MadNN", "iqrnn": "IQRNN", "minnn": "MinNN", "maxnn": "MaxNN",
    "pnn50": "pNN50", "pnn20": "pNN20", "lfn": "LFn", "hfn": "HFn", "lnhf": "LnHF", "csi_modified": "CSI_Modified",
    "dfa_alpha1": "DFA_alpha1", "sampen": "SampEn", "apen": "ApEn", "c1d": "C1d", "c2d": "C2d", "cd": "Cd",
    "sdnnd": "SDNNd", "sdnna": "SDNNa", "sd1d": "SD1d", "sd1a": "SD1a", "sd2d": "SD2d", "sd2a": "SD2a",
}  # fmt: skip
"""Names in NeuroKit2 that are not ours in capitals."""
# last part of the name, unit, definition, shortest stretch in s, plausible range
_SPECTRAL = (
    ("vlf", "ms²", "Power of the {} from 0.0033 to 0.04 Hz", 300, (0.1, 30000)),
    ("lf", "ms²", "Power of the {} from 0.04 to 0.15 Hz", 120, (0.1, 30000)),
    ("hf", "ms²", "Power of the {} from 0.15 to 0.40 Hz", 60, (0.1, 20000)),
    ("vhf", "ms²", "Power of the {} from 0.40 to 0.50 Hz", 120, (0.01, 10000)),
    ("tp", "ms²", "Power of the {} from 0.0033 to 0.40 Hz", 300, (1, 60000)),
    ("hfn", "1", "Power of the {} from 0.15 to 0.40 Hz over that from 0.04 to 0.40 Hz", 120, (0, 1)),
    ("lfn", "1", "Power of the {} from 0.04 to 0.15 Hz over that from 0.04 to 0.40 Hz", 120, (0, 1)),
    ("lfhf", "1", "Power of the {} from 0.04 to 0.15 Hz over that from 0.15 to 0.40 Hz", 300, (0.01, 50)),
    ("lnhf", "1", "Natural logarithm of the power in ms² of the {} from 0.15 to 0.40 Hz", 60, (-2, 10)),
)
# last part of the name, unit, definition, fewest seconds, share of the window they fill, plausible range; the slow band
# is small beside the fast one, and gaps let the fast one in
_LOMB = (
    ("ulf", "ms²", "Power of the {} below 0.0033 Hz", 18000, 0.6, (0.1, 100000)),
    ("vlf", "ms²", "Power of the {} from 0.0033 to 0.04 Hz", 300, 0.6, (0.1, 30000)),
    ("lf", "ms²", "Power of the {} from 0.04 to 0.15 Hz", 120, 0.95, (0.1, 30000)),
    ("hf", "ms²", "Power of the {} from 0.15 to 0.40 Hz", 60, 0.6, (0.1, 20000)),
    ("lfhf", "1", "Power of the {} from 0.04 to 0.15 Hz over that from 0.15 to 0.40 Hz", 300, 0.95, (0.01, 50)),
)


def _alias(kind: Kind, part: str) -> tuple[str, ...]:
    published = "PRV" if kind.variability == "prv" else "HRV"
    return () if kind.variability == "ibi" else (f"{published}_{_PUBLISHED.get(part, part.upper())}",)


def _in_time(kind: Kind) -> tuple[Biomarker, ...]:
    rows = [(*row[:4], Evidence(30, "beats", 0.8), *row[4:], "time-domain") for row in _VARIABILITY]
    rows += [(*row[:4], Evidence(row[4], "beats", 0.8), *row[5:], "non-linear") for row in _ORDER]
    rows += [(*row[:4], Evidence(row[4], "s", 0.8), *row[5:], TASK_FORCE, "long-term") for row in _LONG]
    return tuple(
        Biomarker(
            name=f"{kind.variability}_{part}", modality=kind.modality, unit=unit, statistic=statistic,
            definition=f"{definition.format(kind.intervals)[:-1]}; nothing crosses a gap or a flagged beat.",
            source=source, method=f"{kind.method}+{method}", evidence=evidence, plausible=plausible,
            aliases=_alias(kind, part),
        )
        for part, statistic, unit, definition, evidence, plausible, source, method in rows
    )  # fmt: skip


def _in_frequency(kind: Kind) -> tuple[Biomarker, ...]:
    def row(part: str, unit: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float],
            lomb: bool) -> Biomarker:  # fmt: skip
        return Biomarker(
            name=f"{kind.variability}_{part}{'_lomb' if lomb else ''}", modality=kind.modality, unit=unit,
            statistic="power" if unit == "ms²" else "ratio", definition=definition,
            source=_LAGUNA if lomb else TASK_FORCE, method=f"{kind.method}+{'lomb-scargle' if lomb else 'welch'}",
            evidence=evidence, plausible=plausible, aliases=() if lomb else _alias(kind, part),
        )  # fmt: skip

    welch = tuple(
        row(
            part, unit, f"{definition.format(kind.intervals)}, over unbroken stretches of at least {shortest} s, "
            "weighted by their duration.", evidence=Evidence(shortest, "s", 0.5), plausible=plausible, lomb=False,
        )
        for part, unit, definition, shortest, plausible in _SPECTRAL
    )  # fmt: skip
    lomb = tuple(
        row(
            part, unit, f"{definition.format(kind.intervals)}, from their own times, so that gaps may lie between.",
            evidence=Evidence(seconds, "s", share), plausible=plausible, lomb=True,
        )
        for part, unit, definition, seconds, share, plausible in _LOMB
    )  # fmt: skip
    return welch + lomb


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
    return _in_time(kind) + _in_frequency(kind)
