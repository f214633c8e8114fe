"""Motion: what the frozen backbone's attention flow says."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, SeriesSpec

BIOMARKERS: tuple[Biomarker, ...] = ()
SERIES: tuple[SeriesSpec, ...] = ()
