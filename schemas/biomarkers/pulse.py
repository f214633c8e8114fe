"""Pulse: rate and pulse-rate variability from the PPG, which is not called heart rate variability."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec
from cueflow.schemas.biomarkers.cardiac import PULSE, rate
from cueflow.schemas.biomarkers.variability import variability

BIOMARKERS: tuple[Biomarker, ...] = rate(PULSE) + variability(PULSE)
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("pulse_rate", "ppg", "1/min", "60,000 over the pulse-to-pulse interval in ms that is running."),
)
