"""Skin conductance: level and responses."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec

BIOMARKERS: tuple[Biomarker, ...] = ()
SERIES: tuple[SeriesSpec, ...] = ()
