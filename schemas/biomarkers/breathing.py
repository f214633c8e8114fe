"""Breathing: rate, depth and variability."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec

BIOMARKERS: tuple[Biomarker, ...] = ()
SERIES: tuple[SeriesSpec, ...] = ()
