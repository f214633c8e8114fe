"""Movement from one channel of an accelerometer: an axis or the magnitude."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_DEVIATION = "doi:10.1111/cpf.12127"
_OURS = "cueflow:docs/methods/physiology.md"
_CUTPOINTS = "doi:10.1371/journal.pone.0134813"


def _row(
    statistic: str, unit: str, definition: str, *, plausible: tuple[float, float], source: str = _DEVIATION
) -> Biomarker:
    return Biomarker(
        name=f"acc_deviation_{statistic}", modality="accelerometer", unit=unit, statistic=statistic,
        definition=f"{definition} the mean amplitude deviation of the channel in epochs of 5 s.", source=source,
        method="mean-amplitude-deviation", evidence=Evidence(6, "epochs", 0.5), plausible=plausible,
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = (
    _row("mean", "g", "Mean of", plausible=(0, 2)),
    _row("sd", "g", "Standard deviation (n - 1) of", plausible=(0, 2)),
    _row("p80", "g", "80th percentile of", plausible=(0, 2)),
    Biomarker(
        name="acc_active_share", modality="accelerometer", unit="%", statistic="share",
        definition="Share of the epochs of 5 s whose mean amplitude deviation exceeds 0.0167 g.", source=_CUTPOINTS,
        method="mean-amplitude-deviation", evidence=Evidence(6, "epochs", 0.5), plausible=(0, 100),
    ),
    Biomarker(
        name="acc_steps_count", modality="accelerometer", unit="count", statistic="count",
        definition="Steps: periodic movement of at least 0.05 g at 1.2 to 3 steps per second, in epochs of 5 s.",
        source=_OURS, method="step-rhythm", evidence=Evidence(6, "epochs", 0.5), plausible=(0, 1e6),
    ),
    Biomarker(
        name="acc_walking_share", modality="accelerometer", unit="%", statistic="share",
        definition="Share of the epochs of 5 s in which the sensor moves in the rhythm of steps.",
        source=_OURS, method="step-rhythm", evidence=Evidence(6, "epochs", 0.5), plausible=(0, 100),
    ),
)  # fmt: skip
SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec(
        "activity", "accelerometer", "g", "Mean amplitude deviation of the epoch of 5 s that the second lies in."
    ),
    SeriesSpec("acceleration", "accelerometer", "g", "Mean of the channel in the second: an axis then shows gravity."),
)
