"""Pulse: rate and pulse-rate variability from the PPG."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec

BIOMARKERS: tuple[Biomarker, ...] = ()
SERIES: tuple[SeriesSpec, ...] = ()
