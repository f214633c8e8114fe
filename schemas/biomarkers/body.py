"""Body and hands: movement, stillness, posture, touch, fidgeting and tremor."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_POSE, _HANDS = "pose_33", "hand_21"
_OURS = "cueflow:docs/methods/video.md"
_TREMOR = "doi:10.1002/mds.27121"  # consensus statement on tremors, 2018
_SHORT, _LONG = Evidence(n_min=5, unit="s", coverage_min=0.1), Evidence(n_min=20, unit="s", coverage_min=0.2)


def _body(  # noqa: PLR0913 - a row of the table below
    name: str,
    definition: str,
    *,
    unit: str,
    plausible: tuple[float, float],
    evidence: Evidence = _SHORT,
    aliases: tuple[str, ...] = (),
    source: str = _OURS,
    method: str = _POSE,
) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source=source,
        method=method,
        evidence=evidence,
        plausible=plausible,
        aliases=aliases,
    )


BIOMARKERS: tuple[Biomarker, ...] = (
    _body(
        "body_visible_share", "Share of the looks at the person in which both shoulders were seen.",
        unit="1", plausible=(0, 1), evidence=Evidence(n_min=1, unit="s"),
    ),
    *(
        _body(
            f"body_motion_energy_{statistic}",
            f"{word} speed of nose, shoulders, elbows and wrists, as far as seen, over fifths of a second.",
            unit="SW/s", plausible=(0, 8),
        )
        for statistic, word in (("mean", "Mean"), ("sd", "Deviation of the mean"), ("p95", "95th percentile of"))
    ),
    _body(
        "body_still_share", "Share of the seconds with a body in which its mean speed is below .08 shoulder widths/s.",
        unit="1", plausible=(0, 1), evidence=_LONG, aliases=("stillness_pct",),
    ),
    _body(
        "body_still_longest", "Longest run of seconds in which the body's mean speed is below .08 shoulder widths/s.",
        unit="s", plausible=(0, 36000), evidence=_LONG, aliases=("longest_still_s",),
    ),
    *(
        _body(
            f"hand_motion_{side}_mean", f"Mean speed of the {side} wrist while it is seen, over fifths of a second.",
            unit="SW/s", plausible=(0, 12), aliases=(f"hand_motion_{side}",),
        )
        for side in ("left", "right")
    ),
    _body(
        "hand_to_face_rate",
        "Contacts of a hand with the face per minute: a fingertip or knuckle within 1.15 half heights of the face.",
        unit="1/min", plausible=(0, 40), evidence=_LONG, method=_HANDS,
    ),
    _body(
        "hand_to_face_share", "Share of the looks at the hands in which one is at the face, in the picture plane.",
        unit="1", plausible=(0, 1), evidence=_LONG, method=_HANDS, aliases=("hand_to_face_pct",),
    ),
    _body(
        "hand_self_touch_share",
        "Share of the time with both hands seen in which one lies within .22 SW of the other or its forearm.",
        unit="1", plausible=(0, 1), evidence=_SHORT,
    ),
    _body(
        "body_arms_crossed_share",
        "Share of the time with both arms seen in which each wrist is within .6 shoulder widths of the other elbow.",
        unit="1", plausible=(0, 1), evidence=_SHORT,
    ),
    *(
        _body(
            f"hand_fidget_{side}_power",
            f"Power of the {side} wrist's place between 1 and 5 Hz, over stretches of at least 4 s of it in view.",
            unit="SW²", plausible=(0, 1), evidence=Evidence(n_min=8, unit="s", coverage_min=0.05),
        )
        for side in ("left", "right")
    ),
    *(
        _body(
            f"hand_tremor_{low}_{high}_power",
            f"Power of the wrist's place from {low} to {high} Hz; needs 30 looks/s and a peak 6 dB above the rest.",
            unit="SW²", plausible=(0, 0.1), evidence=Evidence(n_min=8, unit="s", coverage_min=0.05), source=_TREMOR,
        )
        for low, high in ((4, 6), (6, 12))
    ),
    *(
        _body(
            f"body_trunk_lean_{statistic}",
            f"{word} of the trunk's angle against the vertical, hips to shoulders, positive to the picture's right.",
            unit="deg", plausible=span, aliases=("trunk_lean",) if statistic == "mean" else (),
        )
        for statistic, word, span in (("mean", "Mean", (-60.0, 60.0)), ("sd", "Standard deviation", (0.0, 45.0)))
    ),
    *(
        _body(
            f"body_shoulder_tilt_{statistic}",
            f"{word} of the shoulder line's angle against the horizontal, positive with the left one higher.",
            unit="deg", plausible=span,
        )
        for statistic, word, span in (("mean", "Mean", (-60.0, 60.0)), ("sd", "Standard deviation", (0.0, 45.0)))
    ),
    _body(
        "body_posture_shift_rate",
        "Posture shifts per minute: place, tilt or width of the shoulders change by .2 shoulder widths, lasting 2 s.",
        unit="1/min", plausible=(0, 20), evidence=_LONG, aliases=("posture_shift_rate",),
    ),
)  # fmt: skip


def _series(name: str, unit: str, definition: str) -> SeriesSpec:
    return SeriesSpec(name=name, modality="video", unit=unit, definition=definition)


SERIES: tuple[SeriesSpec, ...] = (
    _series("body_visible", "1", "Share of the second's looks in which both shoulders were seen."),
    _series("body_motion", "SW/s", "Mean speed of nose, shoulders, elbows and wrists."),
    _series("hand_motion_left", "SW/s", "Speed of the left wrist."),
    _series("hand_motion_right", "SW/s", "Speed of the right wrist."),
    _series("hand_at_face", "1", "Share of the second's looks at the hands in which one is at the face."),
    _series("trunk_lean", "deg", "Angle of the trunk against the vertical, positive to the picture's right."),
)
