"""Motion: what the frozen backbone's attention flow says."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_KEYS = "signed_key_flow"
_ATTENTION = "attention_flow"
_OURS = "cueflow:docs/methods/video.md"
_SHORT, _LONG = Evidence(n_min=5, unit="s", coverage_min=0.3), Evidence(n_min=20, unit="s", coverage_min=0.5)


def _motion(
    name: str,
    definition: str,
    *,
    unit: str,
    plausible: tuple[float, float],
    evidence: Evidence = _SHORT,
    method: str = _KEYS,
    aliases: tuple[str, ...] = (),
) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source="arxiv:2411.02065" if method == _ATTENTION else _OURS,
        method=method,
        evidence=evidence,
        plausible=plausible,
        aliases=aliases,
    )


BIOMARKERS: tuple[Biomarker, ...] = (
    *(
        _motion(
            f"motion_energy_{statistic}",
            f"{word} of the picture's mean residual speed: signed flow of the backbone's patch keys, camera taken out.",
            unit="patch/s", plausible=(0, 10),
        )
        for statistic, word in (("mean", "Mean"), ("sd", "Standard deviation"), ("p95", "95th percentile"))
    ),
    _motion(
        "motion_centroid_x_mean",
        "Where motion happens from left (0) to right (1): mean place of the residual speed, weighted by it.",
        unit="1", plausible=(0, 1),
    ),
    _motion(
        "motion_centroid_y_mean",
        "Where motion happens from top (0) to bottom (1): mean place of the residual speed, weighted by it.",
        unit="1", plausible=(0, 1),
    ),
    _motion(
        "motion_spread_mean", "Standard distance of the residual speed around its centroid, in sides of the picture.",
        unit="1", plausible=(0, 0.75),
    ),
    _motion(
        "motion_horizontal_share",
        "Share of the moving patches' signed speed that is sideways rather than up and down.",
        unit="1", plausible=(0, 1),
    ),
    _motion(
        "motion_stillness_share",
        "Share of the seconds observed whose mean residual speed is below the still threshold.",
        unit="1", plausible=(0, 1), evidence=_LONG,
    ),
    _motion(
        "motion_still_longest", "Longest run of seconds below the still threshold.",
        unit="s", plausible=(0, 36000), evidence=_LONG,
    ),
    _motion(
        "motion_burst_rate",
        "Bursts per minute: the residual speed exceeds its median by 4 median absolute deviations (scaled to SD).",
        unit="1/min", plausible=(0, 60), evidence=_LONG,
    ),
    _motion(
        "motion_camera_speed_mean", "Mean speed that the affine field which most patches follow gives to the patches.",
        unit="patch/s", plausible=(0, 10),
    ),
    _motion(
        "motion_camera_share", "Share of the seconds observed in which the camera's mean speed is above .3 patches/s.",
        unit="1", plausible=(0, 1),
    ),
    *(
        _motion(
            f"motion_attention_flow_{statistic}",
            f"{word} of the mean absolute change of the last blocks' attention maps between looks, times the patches.",
            unit="a.u.", plausible=(0, 2), method=_ATTENTION,
        )
        for statistic, word in (("mean", "Mean"), ("sd", "Standard deviation"), ("p95", "95th percentile"))
    ),
    _motion(
        "motion_attention_focus_mean",
        "Share of the sharpened attention flow in the tenth of the patches that take most part, weighted by motion.",
        unit="1", plausible=(0.05, 1), method=_ATTENTION,
    ),
)  # fmt: skip


def _series(name: str, unit: str, definition: str) -> SeriesSpec:
    return SeriesSpec(name=name, modality="video", unit=unit, definition=definition)


SERIES: tuple[SeriesSpec, ...] = (
    _series("motion_energy", "patch/s", "Mean residual speed of the picture, camera taken out."),
    _series("motion_x", "patch/s", "Signed speed of the moving patches to the right."),
    _series("motion_y", "patch/s", "Signed speed of the moving patches downwards."),
    _series("motion_centroid_x", "1", "Where motion happens, 0 left to 1 right."),
    _series("motion_centroid_y", "1", "Where motion happens, 0 top to 1 bottom."),
    _series("attention_flow", "a.u.", "Mean absolute change of the attention maps, times the patches."),
    _series("camera_speed", "patch/s", "Mean speed that the camera gives to the patches."),
    _series("motion_still", "1", "1 where the mean residual speed is below the still threshold, else 0."),
)
