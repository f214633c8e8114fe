"""Breathing: rate, depth and variability."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_NEUROKIT = "doi:10.3758/s13428-020-01516-y"
_OURS = "cueflow:docs/methods/physiology.md"
_FEW, _MANY, _PAIRS = Evidence(3, "breaths", 0.5), Evidence(8, "breaths", 0.5), Evidence(8, "breath pairs", 0.8)


def _row(
    name: str, unit: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float],
    alias: str = "", source: str = _NEUROKIT,
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=name, modality="respiration", unit=unit, statistic=name.rpartition("_")[2], definition=definition,
        source=source, method="trough-to-trough", evidence=evidence, plausible=plausible,
        aliases=(alias,) if alias else (),
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = (
    _row("rsp_rate_mean", "1/min", "60 over the mean breath-to-breath interval in s.",
         evidence=_FEW, plausible=(3, 60), alias="RSP_Rate_Mean"),
    _row("rsp_rate_sd", "1/min", "Standard deviation of the rate, each breath weighted by its length.",
         evidence=_MANY, plausible=(0, 30)),
    _row("rsp_breaths_count", "count", "Whole breaths, trough to trough, in the window.",
         evidence=Evidence(1, "breaths"), plausible=(1, 1e6), source=_OURS),
    _row("rrv_meanbb", "ms", "Mean breath-to-breath interval.",
         evidence=_FEW, plausible=(1000, 20000), alias="RRV_MeanBB"),
    _row("rrv_medianbb", "ms", "Median breath-to-breath interval.",
         evidence=_MANY, plausible=(1000, 20000), alias="RRV_MedianBB"),
    _row("rrv_sdbb", "ms", "Standard deviation (n - 1) of the breath-to-breath intervals.",
         evidence=_MANY, plausible=(0, 10000), alias="RRV_SDBB"),
    _row("rrv_madbb", "ms", "Median absolute deviation of the breath-to-breath intervals, times 1.4826.",
         evidence=_MANY, plausible=(0, 10000), alias="RRV_MadBB"),
    _row("rrv_cvbb", "1", "Standard deviation of the breath-to-breath intervals over their mean.",
         evidence=_MANY, plausible=(0, 2), alias="RRV_CVBB"),
    _row("rrv_rmssd", "ms", "Root mean square of successive differences of touching breath-to-breath intervals.",
         evidence=_PAIRS, plausible=(0, 15000), alias="RRV_RMSSD"),
    _row("rrv_sdsd", "ms", "Standard deviation (n - 1) of differences of touching breath-to-breath intervals.",
         evidence=_PAIRS, plausible=(0, 15000), alias="RRV_SDSD"),
    _row("rsp_amplitude_mean", "sensor unit", "Mean depth of the breaths: peak less the mean of the two troughs.",
         evidence=_FEW, plausible=(0, 1e9), alias="RAV_Mean"),
    _row("rsp_amplitude_sd", "sensor unit", "Standard deviation (n - 1) of the depth of the breaths.",
         evidence=_MANY, plausible=(0, 1e9), alias="RAV_SD"),
    _row("rsp_amplitude_cv", "1", "Standard deviation of the depth of the breaths over their mean.",
         evidence=_MANY, plausible=(0, 3)),
    _row("rsp_amplitude_rmssd", "sensor unit", "Root mean square of differences of the depth of touching breaths.",
         evidence=_PAIRS, plausible=(0, 1e9), alias="RAV_RMSSD"),
    _row("rsp_amplitude_cvsd", "1", "Root mean square of differences of depth of touching breaths, over their mean.",
         evidence=_PAIRS, plausible=(0, 3), alias="RAV_CVSD"),
    _row("rsp_rvt_mean", "sensor unit/s", "Mean of the depth of each breath over its length.",
         evidence=_FEW, plausible=(0, 1e9), alias="RSP_RVT", source="doi:10.1016/j.neuroimage.2006.02.048"),
    _row("rrv_sd1", "ms", "Spread of the Poincaré plot of breath-to-breath intervals across the line of identity.",
         evidence=_PAIRS, plausible=(0, 10000), alias="RRV_SD1"),
    _row("rrv_sd2", "ms", "Spread of the Poincaré plot of breath-to-breath intervals along the line of identity.",
         evidence=_PAIRS, plausible=(0, 15000), alias="RRV_SD2"),
    _row("rrv_sd2sd1", "1", "Spread of the Poincaré plot of breath-to-breath intervals along over across identity.",
         evidence=_PAIRS, plausible=(0, 20), alias="RRV_SD2SD1"),
    _row("rrv_sampen", "1", "Sample entropy of the breath-to-breath intervals, m = 2, r = 0.2 SD.",
         evidence=Evidence(100, "breaths", 0.5), plausible=(0, 4), alias="RRV_SampEn"),
    _row("rrv_apen", "1", "Approximate entropy of the breath-to-breath intervals, m = 2, r = 0.2 SD.",
         evidence=Evidence(100, "breaths", 0.5), plausible=(0, 3), alias="RRV_ApEn"),
    _row("rrv_dfa_alpha2", "1", "Detrended fluctuation exponent of the breath-to-breath intervals, 16 to 64 breaths.",
         evidence=Evidence(130, "breaths", 0.5), plausible=(0.1, 2), alias="RRV_DFA_alpha2",
         source="doi:10.1063/1.166141"),
    *(
        _row(f"rrv_{part}", unit, f"{what} the breath-to-breath intervals, in stretches of at least 300 s; a band ends "
             "at half the breathing rate.", evidence=Evidence(300, "s", 0.8), plausible=plausible,
             alias=f"RRV_{alias}")
        for part, unit, what, plausible, alias in (
            ("vlf", "ms²", "Power below 0.04 Hz of", (0, 1e8), "VLF"),
            ("lf", "ms²", "Power from 0.04 to 0.15 Hz (from 12 breaths a minute on) of", (0, 1e8), "LF"),
            ("hf", "ms²", "Power from 0.15 to 0.40 Hz (from 30 breaths a minute on) of", (0, 1e8), "HF"),
            ("lfhf", "1", "Power from 0.04 to 0.15 Hz over that from 0.15 to 0.40 Hz of", (0, 1e4), "LFHF"),
            ("lfn", "1", "Power from 0.04 to 0.15 Hz over that below 0.40 Hz of", (0, 1), "LFn"),
            ("hfn", "1", "Power from 0.15 to 0.40 Hz over that below 0.40 Hz of", (0, 1), "HFn"),
        )
    ),
    _row("rsp_symmetry_peaktrough", "1", "Mean share of a breath below the height half way between trough and peak.",
         evidence=_FEW, plausible=(0.05, 0.95), alias="RSP_Symmetry_PeakTrough"),
    _row("rsp_duty_mean", "1", "Mean share of inspiration in the length of a breath, at 0.05 to 0.7 Hz.",
         evidence=_FEW, plausible=(0.1, 0.9), alias="RSP_Symmetry_RiseDecay"),
    _row("rsp_inspiration_mean", "s", "Mean time from trough to peak of the signal from 0.05 to 0.7 Hz.",
         evidence=_FEW, plausible=(0.3, 10), alias="RSP_Phase_Duration_Inspiration"),
    _row("rsp_expiration_mean", "s", "Mean time from peak to the next trough of the signal from 0.05 to 0.7 Hz.",
         evidence=_FEW, plausible=(0.3, 15), alias="RSP_Phase_Duration_Expiration"),
    _row("rsp_phase_ratio", "1", "Mean time of inspiration over that of expiration.",
         evidence=_FEW, plausible=(0.1, 4), alias="RSP_Phase_Duration_Ratio"),
    _row("rsp_sigh_rate", "1/min", "Breaths at least twice as deep as the median one, per minute of usable recording.",
         evidence=_MANY, plausible=(0, 10), source=_OURS),
)  # fmt: skip
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("respiration", "respiration", "sensor unit", "Mean of the signal from 0.05 to 0.7 Hz in the second."),
    SeriesSpec("respiration_rate", "respiration", "1/min", "60 over the length in s of the breath that is running."),
)
