"""Gaze, relative to where the person mostly looks, and nearness to the camera."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_OURS = "cueflow:docs/methods/video.md"
_LONG = Evidence(n_min=20, unit="s", coverage_min=0.2)
_SHORT = Evidence(n_min=5, unit="s", coverage_min=0.1)


def _gaze(
    name: str,
    definition: str,
    *,
    unit: str,
    plausible: tuple[float, float],
    evidence: Evidence = _LONG,
    aliases: tuple[str, ...] = (),
) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source=_OURS,
        method="iris_and_head",
        evidence=evidence,
        plausible=plausible,
        aliases=aliases,
    )


BIOMARKERS: tuple[Biomarker, ...] = (
    *(
        _gaze(
            f"gaze_{axis}_{statistic}",
            f"{word} of the gaze's {axis} (head and eyes together) against the recording's median gaze.",
            unit="deg", plausible=span, aliases=aliases if statistic == "mean" else (),
        )
        for axis, aliases in (("yaw", ("gaze_angle_x", "mov_lefteyex")), ("pitch", ("gaze_angle_y", "mov_lefteyey")))
        for statistic, word, span in (("mean", "Mean", (-40.0, 40.0)), ("sd", "Standard deviation", (0.0, 40.0)))
    ),
    _gaze(
        "gaze_shift_rate",
        "Gaze shifts per minute of visible open eyes: leaps of at least 8 degrees from one resting place to another.",
        unit="1/min", plausible=(0, 120),
    ),
    _gaze(
        "gaze_target_share", "Share of the time with open eyes in which the gaze is within 10 degrees of its median.",
        unit="1", plausible=(0, 1), aliases=("gaze_to_target_pct",),
    ),
    _gaze(
        "gaze_down_share", "Share of the time with open eyes in which the gaze is over 10 degrees below its median.",
        unit="1", plausible=(0, 1), aliases=("gaze_down_pct",),
    ),
    _gaze(
        "head_nearness_sd",
        "Standard deviation of the nearness to the camera: inter-ocular distance, turning undone, over its median.",
        unit="1", plausible=(0, 0.6), evidence=_SHORT,
    ),
    _gaze(
        "head_lean_in_share", "Share of visible time in which the head is 10 % nearer to the camera than its median.",
        unit="1", plausible=(0, 1),
    ),
    _gaze(
        "head_lean_out_share", "Share of visible time in which the head is 10 % further from the camera than usual.",
        unit="1", plausible=(0, 1),
    ),
)  # fmt: skip

SERIES: tuple[SeriesSpec, ...] = tuple(
    SeriesSpec(name=name, modality="video", unit=unit, definition=definition)
    for name, unit, definition in (
        ("gaze_yaw", "deg", "Yaw of the gaze against its median, positive to the right edge of the picture."),
        ("gaze_pitch", "deg", "Pitch of the gaze against its median, positive downwards."),
        ("head_nearness", "1", "Nearness of the head to the camera in shares of its median."),
    )
)
