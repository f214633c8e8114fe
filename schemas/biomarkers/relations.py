"""Measures between streams, against a baseline phase, and around events: made when all streams stand on one clock."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_OURS = "cueflow:docs/methods/physiology.md"
_P2T = "doi:10.1111/j.1469-8986.1990.tb02171.x"
_BOUCSEIN = "doi:10.1111/j.1469-8986.2012.01384.x"

CHANGES: dict[str, tuple[str, str, tuple[float, float]]] = {
    "hr_mean": ("ecg", "1/min", (-80, 120)),
    "hrv_rmssd": ("ecg", "ms", (-250, 250)),
    "pulse_rate_mean": ("ppg", "1/min", (-80, 120)),
    "ibi_rate_mean": ("intervals", "1/min", (-80, 120)),
    "scl_mean": ("eda", "µS", (-30, 30)),
    "scr_rate": ("eda", "1/min", (-30, 30)),
    "rsp_rate_mean": ("respiration", "1/min", (-30, 40)),
    "skin_temperature_mean": ("temperature", "°C", (-10, 10)),
    "acc_deviation_mean": ("accelerometer", "g", (-2, 2)),
}
"""Measures whose change from the baseline phase is given: modality, unit, plausible change."""


def _row(
    name: str, modality: str, unit: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float],
    source: str = _OURS,
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=name, modality=modality, unit=unit, statistic=name.rpartition("_")[2], definition=definition,
        source=source, method="between-streams", evidence=evidence, plausible=plausible,
    )  # fmt: skip


def _lagged(name: str, modality: str, what: str) -> tuple[Biomarker, ...]:
    shared = Evidence(120, "s", 0.5)
    return (
        _row(f"{name}_r", modality, "1", f"Correlation of {what} by the second, at the lag within 30 s where it is the "
             "strongest, slow changes of over 60 s removed.", evidence=shared, plausible=(-1, 1)),
        _row(f"{name}_lag", modality, "s", f"How much later the second of {what} follows, where they agree most.",
             evidence=shared, plausible=(-31, 31)),
        _row(f"{name}_p", modality, "1", f"Share of 99 surrogates of {what}, of random phases, that agree as strongly "
             "at any lag.", evidence=shared, plausible=(0, 1)),
    )  # fmt: skip


BIOMARKERS: tuple[Biomarker, ...] = (
    _row("rsa_p2t_mean", "ecg", "ms", "Mean over breaths of the longest less the shortest normal interval in each.",
         evidence=Evidence(8, "breaths", 0.3), plausible=(0, 500), source=_P2T),
    _row("cardioresp_coherence_max", "ecg", "1", "Coherence of heart rate and breathing by the second, at the "
         "breathing rate.", evidence=Evidence(180, "s", 0.5), plausible=(0, 1)),
    _row("cardioresp_coherence_p", "ecg", "1", "Share of 99 surrogates of the breathing, as even and at other "
         "moments, that cohere as much; none where it is as even as a metronome's.",
         evidence=Evidence(180, "s", 0.5), plausible=(0, 1)),
    *_lagged("movement_hr", "ecg", "movement and heart rate"),
    *_lagged("speech_breathing", "respiration", "speech and breathing rate"),
    _row("pulse_motion_share", "ppg", "%", "Share of the seconds in which the same recorder's accelerometer moves.",
         evidence=Evidence(10, "s", 0.5), plausible=(0, 100)),
    _row("eda_motion_share", "eda", "%", "Share of the seconds in which the same recorder's accelerometer moves.",
         evidence=Evidence(10, "s", 0.5), plausible=(0, 100)),
    _row("acc_posture_change_rate", "accelerometer", "1/min", "Turns of the direction of gravity by at least 30 "
         "degrees that last 10 s, from three axes of one recorder.", evidence=Evidence(60, "s", 0.5),
         plausible=(0, 10)),
    _row("acc_tilt_sd", "accelerometer", "deg", "Root mean square angle between gravity and its mean direction, from "
         "three axes of one recorder.", evidence=Evidence(60, "s", 0.5), plausible=(0, 90)),
    *(
        _row(f"acc_{name}_share", "accelerometer", "%", f"Share of the still seconds in which gravity lies {where} its "
             "direction in a phase called upright, standing or sitting, from three axes of one recorder worn at the "
             "trunk.", evidence=Evidence(60, "s", 0.5), plausible=(0, 100))
        for name, where in (("upright", "within 30 degrees of"), ("leaning", "30 to 60 degrees from"),
                            ("lying", "60 degrees or more from"))
    ),
    _row("event_heart_period_change", "ecg", "ms", "Mean normal interval from 0 to 6 s after events of one label, less "
         "that in the 2 s before.", evidence=Evidence(5, "events"), plausible=(-400, 400)),
    _row("event_scr_share", "eda", "%", "Share of events of one label that a response begins 1 to 4 s after.",
         evidence=Evidence(5, "events"), plausible=(0, 100), source=_BOUCSEIN),
    _row("event_scr_amplitude_mean", "eda", "µS", "Mean amplitude of the responses that begin 1 to 4 s after events of "
         "one label, 0 where there is none.", evidence=Evidence(5, "events"), plausible=(0, 15), source=_BOUCSEIN),
    *(
        _row(f"{name}_change", modality, unit, f"`{name}` of a phase less that of the phase baseline or rest.",
             evidence=Evidence(1, "values"), plausible=plausible)
        for name, (modality, unit, plausible) in CHANGES.items()
    ),
)  # fmt: skip
SERIES: tuple[SeriesSpec, ...] = ()
