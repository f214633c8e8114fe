"""Two people in one picture, and who is in it."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_OURS = "cueflow:docs/methods/video.md"
_RAMSEYER = "doi:10.1037/a0023419"  # nonverbal synchrony in psychotherapy, 2011
_LOOKS = Evidence(n_min=1, unit="looks")
_PAIR = Evidence(n_min=30, unit="s", coverage_min=0.2)


def _pair(
    name: str, definition: str, *, unit: str, plausible: tuple[float, float], source: str = _RAMSEYER, method: str
) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source=source,
        method=method,
        evidence=_LOOKS if method == "face_identity" else _PAIR,
        plausible=plausible,
    )


BIOMARKERS: tuple[Biomarker, ...] = (
    _pair(
        "people_count_max", "Most people whose faces were seen at one look.",
        unit="count", plausible=(0, 30), source=_OURS, method="face_identity",
    ),
    _pair(
        "people_others_share", "Share of the looks at which somebody else than the person of this row was seen.",
        unit="1", plausible=(0, 1), source=_OURS, method="face_identity",
    ),
    _pair(
        "person_present_share", "Share of the looks (every .25 to 1 s) at which the person was seen and known.",
        unit="1", plausible=(0, 1), source=_OURS, method="face_identity",
    ),
    _pair(
        "people_unknown_share", "Share of the faces seen at looks that could not be given to one person.",
        unit="1", plausible=(0, 1), source=_OURS, method="face_identity",
    ),
    _pair(
        "synchrony_strength_mean",
        "Mean peak correlation of (the roots of) both people's movement in windows of 30 s, lags up to 5 s, above "
        "shuffled windows.",
        unit="1", plausible=(-1, 1), method="windowed_cross_correlation",
    ),
    _pair(
        "synchrony_z_mean",
        "The mean peak correlation in standard deviations of the same from shuffled pairs of windows.",
        unit="1", plausible=(-10, 50), method="windowed_cross_correlation",
    ),
    _pair(
        "synchrony_lag_peak",
        "Lag at which the correlation averaged over the windows is highest; positive where the other person moves "
        "after the person of this row. None where z is below 1.64.",
        unit="s", plausible=(-5, 5), method="windowed_cross_correlation",
    ),
    _pair(
        "mutual_gaze_share",
        "Share of the time with both faces seen in which each head and gaze is turned towards the other's side.",
        unit="1", plausible=(0, 1), source=_OURS, method="gaze_towards",
    ),
    _pair(
        "posture_mirroring_share",
        "Share of the time with both bodies seen in which lean, tilt and arms are each other's mirror image.",
        unit="1", plausible=(0, 1), source=_OURS, method="mirror_image",
    ),
)  # fmt: skip

SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec(
        name="people_seen", modality="video", unit="count", definition="Faces seen at the second's looks, mean."
    ),
)
