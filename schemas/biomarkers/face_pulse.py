"""Pulse from the colour of the skin of the face."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_POS = "doi:10.1109/TBME.2016.2609282"


def _pulse(name: str, definition: str, *, unit: str, plausible: tuple[float, float]) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source=_POS,
        method="pos_and_chrom",
        evidence=Evidence(n_min=9, unit="s"),
        plausible=plausible,
    )


BIOMARKERS: tuple[Biomarker, ...] = (
    _pulse(
        "face_pulse_rate_mean",
        "Mean pulse rate over windows of 10 s in which POS and CHROM agree within 4 beats/min and both reach 2 dB.",
        unit="1/min", plausible=(40, 180),
    ),
    _pulse(
        "face_pulse_snr_median",
        "Median over windows of 10 s of the smaller signal-to-noise ratio of POS and CHROM, peak and first harmonic.",
        unit="dB", plausible=(-30, 40),
    ),
    _pulse(
        "face_pulse_usable_share", "Share of the time with enough skin in view in which the rate passes the gate.",
        unit="1", plausible=(0, 1),
    ),
)  # fmt: skip

SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec(
        name="face_pulse_rate", modality="video", unit="1/min", definition="Pulse rate from the skin of the face."
    ),
)
