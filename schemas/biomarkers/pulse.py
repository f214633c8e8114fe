"""Pulse: rate and pulse-rate variability from the PPG, which is not called heart rate variability."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec
from cueflow.schemas.biomarkers.cardiac import PULSE, rate
from cueflow.schemas.biomarkers.variability import variability

_MANY = Evidence(10, "beats", 0.5)
_PULSE_WAVE = (
    Biomarker(
        name="pulse_amplitude_mean", modality="ppg", unit="sensor unit", statistic="mean", method="foot-to-peak",
        definition="Mean height of the pulses, from the lowest point in the 0.35 s before to the peak.",
        source="doi:10.1088/0967-3334/28/3/R01", evidence=_MANY, plausible=(0, 1e9), aliases=("PPG_Amplitude_Mean",),
    ),
    Biomarker(
        name="pulse_amplitude_sd", modality="ppg", unit="sensor unit", statistic="sd", method="foot-to-peak",
        definition="Standard deviation (n - 1) of the height of the pulses.",
        source="doi:10.1088/0967-3334/28/3/R01", evidence=Evidence(30, "beats", 0.5), plausible=(0, 1e9),
    ),
    Biomarker(
        name="pulse_perfusion_mean", modality="ppg", unit="%", statistic="mean", method="foot-to-peak",
        definition="Mean height of the pulses over the level of the light around them; only where the unit is one of "
        "light or its current, which has a zero.",
        source="doi:10.1097/00003246-200206000-00006", evidence=_MANY, plausible=(0.02, 20),
        aliases=("perfusion index",),
    ),
    Biomarker(
        name="pdr_rate_mean", modality="ppg", unit="1/min", statistic="mean", method="pulse-derived-breathing",
        definition="Median breathing rate of pieces of 64 s that two of pulse height, level and interval agree on.",
        source="doi:10.1109/TBME.2013.2246160", evidence=Evidence(1, "pieces", 0.5), plausible=(4, 40),
    ),
)  # fmt: skip
BIOMARKERS: tuple[Biomarker, ...] = rate(PULSE) + variability(PULSE) + _PULSE_WAVE
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("pulse_rate", "ppg", "1/min", "60,000 over the pulse-to-pulse interval in ms that is running."),
)
