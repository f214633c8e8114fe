"""Skin conductance: level and responses."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_BOUCSEIN = "doi:10.1111/j.1469-8986.2012.01384.x"
_KLECKNER = "doi:10.1109/TBME.2017.2758643"
_SOURCES = {"welch": "doi:10.1007/s10439-016-1606-6", "lag-4s": "doi:10.3758/s13428-020-01516-y"}
_LEVEL, _TREND = Evidence(30, "s", 0.5), Evidence(60, "s", 0.5)
_RESPONSES, _COUNTED = Evidence(1, "responses", 0.85), Evidence(60, "s", 0.85)


def _row(
    name: str, unit: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float],
    alias: str = "", method: str = "trough-to-peak",
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=name, modality="eda", unit=unit, statistic=name.rpartition("_")[2], definition=definition,
        source=_SOURCES.get(method, _BOUCSEIN), method=method, evidence=evidence, plausible=plausible,
        aliases=(alias,) if alias else (),
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = (
    _row("scl_mean", "µS", "Mean of the tonic conductance (below 0.05 Hz).",
         evidence=_LEVEL, plausible=(0.05, 60), alias="EDA_Tonic_Mean", method="tonic-lowpass"),
    _row("scl_sd", "µS", "Standard deviation (n - 1) of the tonic conductance (below 0.05 Hz).",
         evidence=_TREND, plausible=(0, 15), alias="EDA_Tonic_SD", method="tonic-lowpass"),
    _row("scl_slope", "µS/min", "Slope of the least-squares line through the tonic conductance (below 0.05 Hz).",
         evidence=_TREND, plausible=(-5, 5), method="tonic-lowpass"),
    _row("scr_count", "count", "Skin conductance responses that begin in the window and reach the threshold.",
         evidence=_COUNTED, plausible=(0, 100000), alias="SCR_Peaks_N"),
    _row("scr_rate", "1/min", "Skin conductance responses per minute of usable recording.",
         evidence=_COUNTED, plausible=(0, 40), alias="NS.SCR"),
    _row("scr_amplitude_mean", "µS", "Mean amplitude of the responses, from onset to peak.",
         evidence=_RESPONSES, plausible=(0.01, 15), alias="SCR_Peaks_Amplitude_Mean"),
    _row("scr_amplitude_p50", "µS", "Median amplitude of the responses, from onset to peak.",
         evidence=_RESPONSES, plausible=(0.01, 15), alias="scr_amplitude_median"),
    _row("scr_amplitude_sum", "µS", "Sum of the amplitudes of the responses that begin in the window.",
         evidence=_COUNTED, plausible=(0, 10000)),
    _row("scr_rise_time_mean", "s", "Mean time from onset to peak of the responses.",
         evidence=_RESPONSES, plausible=(0.25, 5), alias="SCR_RiseTime"),
    _row("scr_half_recovery_mean", "s", "Mean time from peak to the loss of half of the amplitude, where that is seen.",
         evidence=Evidence(3, "responses", 0.85), plausible=(0.25, 15), alias="SCR_RecoveryTime"),
    _row("scr_non_responder", "1", "1 where no response reached the threshold in at least 5 minutes, else 0.",
         evidence=Evidence(300, "s", 0.5), plausible=(-0.5, 1.5)),
    _row("eda_autocorrelation", "1", "Correlation of the conductance below 1 Hz with itself 4 s later.",
         evidence=_LEVEL, plausible=(-1, 1.001), alias="EDA_Autocorrelation", method="lag-4s"),
    _row("eda_sympathetic", "µS²", "Power of the conductance from 0.045 to 0.25 Hz, stretches of at least 128 s.",
         evidence=Evidence(128, "s", 0.5), plausible=(0, 50), alias="EDA_Sympathetic", method="welch"),
    _row("eda_sympathetic_n", "1", "Power of the conductance from 0.045 to 0.25 Hz over that from 0.01 to 1 Hz.",
         evidence=Evidence(128, "s", 0.5), plausible=(0, 1), alias="EDA_SympatheticN", method="welch"),
    Biomarker(
        name="eda_artefact_share", modality="eda", unit="%", statistic="share",
        definition="Share of samples below 0.05 µS, above 60 µS, in a jump of over 10 µS/s, or within 5 s of such.",
        source=_KLECKNER, method="quality-rules", evidence=Evidence(1, "s"), plausible=(0, 100),
    ),
)  # fmt: skip
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("eda_tonic", "eda", "µS", "Mean conductance below 0.05 Hz of the second."),
    SeriesSpec("eda_phasic", "eda", "µS", "Mean of conductance below 1 Hz less that below 0.05 Hz, of the second."),
)
