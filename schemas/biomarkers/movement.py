"""Movement from one channel of an accelerometer: an axis or the magnitude."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_DEVIATION = "doi:10.1111/cpf.12127"
_ENMO = "doi:10.1371/journal.pone.0061691"
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


def _vector(name: str, definition: str, *, plausible: tuple[float, float], source: str = _OURS) -> Biomarker:
    return Biomarker(
        name=name, modality="accelerometer", unit="g", statistic=name.rpartition("_")[2],
        definition=f"{definition}; from three axes of one recorder, or from a length that it gives itself.",
        source=source, method="vector-length", evidence=Evidence(6, "epochs", 0.5), plausible=plausible,
        aliases=(name.replace("_sd", "_std"),) if name.endswith("_sd") else (),
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
    _vector("acc_enmo_mean", "Mean of the length of the acceleration less 1 g, below which it counts as 0",
            plausible=(0, 4), source=_ENMO),
    _vector("acc_enmo_p95", "95th percentile, over epochs of 5 s, of the length of the acceleration less 1 g, below "
            "which it counts as 0", plausible=(0, 8), source=_ENMO),
    _vector("acc_l2_mean", "Mean length of the acceleration", plausible=(0.2, 5)),
    _vector("acc_l2_sd", "Standard deviation (n) of the length of the acceleration", plausible=(0, 5)),
    _vector("acc_l2_min", "Smallest length of the acceleration", plausible=(0, 2)),
    _vector("acc_l2_max", "Largest length of the acceleration", plausible=(0.5, 40)),
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
