"""Face: visibility, blinks, mouth, smile, head pose."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec

BIOMARKERS: tuple[Biomarker, ...] = ()
SERIES: tuple[SeriesSpec, ...] = ()
