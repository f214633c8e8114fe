"""Skin temperature: level and trend."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_OURS = "cueflow:docs/methods/physiology.md"


def _row(
    statistic: str, unit: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float]
) -> Biomarker:
    return Biomarker(
        name=f"skin_temperature_{statistic}", modality="temperature", unit=unit, statistic=statistic,
        definition=f"{definition} of the samples between 10 and 45 °C.", source=_OURS, method="samples",
        evidence=evidence, plausible=plausible,
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = (
    _row("mean", "°C", "Mean", evidence=Evidence(10, "s", 0.5), plausible=(18, 40)),
    _row("sd", "°C", "Standard deviation (n - 1)", evidence=Evidence(60, "s", 0.5), plausible=(0, 5)),
    _row("min", "°C", "Smallest", evidence=Evidence(10, "s", 0.5), plausible=(15, 40)),
    _row("max", "°C", "Largest", evidence=Evidence(10, "s", 0.5), plausible=(18, 42)),
    _row("slope", "°C/min", "Slope of the least-squares line", evidence=Evidence(60, "s", 0.5), plausible=(-2, 2)),
)
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("skin_temperature", "temperature", "°C", "Mean temperature of the second."),
)
