"""Face: visibility, blinks, mouth, smile, head pose."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_MESH = "face_mesh_478"
_BENTIVOGLIO = "doi:10.1002/mds.870120629"  # blink rate patterns in normal subjects, 1997
_OURS = "cueflow:docs/methods/video.md"


def _face(
    name: str,
    definition: str,
    *,
    unit: str,
    plausible: tuple[float, float],
    evidence: Evidence | None = None,
    source: str = _OURS,
    aliases: tuple[str, ...] = (),
) -> Biomarker:
    return Biomarker(
        name=name,
        modality="video",
        unit=unit,
        statistic=name.rsplit("_", 1)[1],
        definition=definition,
        source=source,
        method=_MESH,
        evidence=evidence or Evidence(n_min=5, unit="s", coverage_min=0.1),
        plausible=plausible,
        aliases=aliases,
    )


_RATE = Evidence(n_min=20, unit="s", coverage_min=0.2)
_BLINKS = Evidence(n_min=3, unit="blinks", coverage_min=0.2)
_SMILES = Evidence(n_min=1, unit="smiles", coverage_min=0.1)

BIOMARKERS: tuple[Biomarker, ...] = (
    _face(
        "face_visible_share", "Share of the observed time in which a face was found.",
        unit="1", plausible=(0, 1), evidence=Evidence(n_min=1, unit="s"), aliases=("face_visible_pct", "confidence"),
    ),
    _face(
        "face_frontal_share", "Share of visible time with the head turned and tilted less than 20 degrees.",
        unit="1", plausible=(0, 1), aliases=("frontal_pct",),
    ),
    _face(
        "face_size_mean", "Mean size of the face (longer side of the mesh's box) in shorter sides of the frame.",
        unit="1", plausible=(0.03, 2.0),
    ),
    _face(
        "face_blink_rate", "Blinks per minute of visible face; a blink is a closing of both eyes of at most .8 s.",
        unit="1/min", plausible=(0, 60), evidence=_RATE, source=_BENTIVOGLIO,
        aliases=("blink_rate", "mov_blink_count"),
    ),
    _face(
        "face_blink_duration_mean",
        "Mean time from the lids leaving their open level to their return to it, each flank taken as half a cosine.",
        unit="ms", plausible=(50, 600), evidence=_BLINKS, source=_BENTIVOGLIO,
        aliases=("blink_dur_mean", "mov_blinkdur"),
    ),
    _face(
        "face_blink_incomplete_share", "Share of blinks in which the eye opening stays above .45 of the open eye's.",
        unit="1", plausible=(0, 1), evidence=_BLINKS, aliases=("blink_incomplete_pct",),
    ),
    _face(
        "face_eye_closed_share",
        "Share of visible time with the eye opening below .45 of the open eye's (80 % of the way of a full closing).",
        unit="1", plausible=(0, 0.9), evidence=_RATE, source="https://rosap.ntl.bts.gov/view/dot/113",
        aliases=("PERCLOS", "eye_closed_pct"),
    ),
    _face(
        "face_mouth_open_mean", "Mean gap between the inner lips in inter-ocular distances.",
        unit="IOD", plausible=(0, 1.2), aliases=("mouth_openness",),
    ),
    _face(
        "face_mouth_open_sd", "Standard deviation of the gap between the inner lips, which talking moves.",
        unit="IOD", plausible=(0, 0.6),
    ),
    _face(
        "face_smile_rate", "Smiles per minute of visible face: spans of at least .5 s with a raised smile score.",
        unit="1/min", plausible=(0, 30), evidence=_RATE, aliases=("smile_rate",),
    ),
    _face(
        "face_smile_duration_mean",
        "Mean time from the mouth's corners leaving their rest to their return to it, of smiles seen as a whole.",
        unit="s", plausible=(0.3, 120), evidence=_SMILES, aliases=("smile_dur",),
    ),
    _face("face_smile_share", "Share of visible time spent in a smile.", unit="1", plausible=(0, 1), evidence=_RATE),
    _face("face_smile_score_mean", "Mean smile score of the mouth's two corners, 0 to 1.", unit="1", plausible=(0, 1)),
    _face("face_brow_raise_mean", "Mean score of inner and outer brow raising, 0 to 1.", unit="1", plausible=(0, 1)),
    _face("face_brow_lower_mean", "Mean score of brow lowering, 0 to 1.", unit="1", plausible=(0, 1)),
    _face(
        "face_expressivity_upper_mean",
        "Mean speed of brow and lid landmarks after removing the head's movement, over steps of a tenth of a second.",
        unit="IOD/s", plausible=(0, 3), aliases=("upper_face",),
    ),
    _face(
        "face_expressivity_lower_mean",
        "Mean speed of mouth, cheek and chin landmarks after removing the head's movement, over tenths of a second.",
        unit="IOD/s", plausible=(0, 3), aliases=("lower_face",),
    ),
    _face(
        "face_expressivity_total_mean",
        "Mean speed of all expressive landmarks after removing the head's movement, over steps of a tenth of a second.",
        unit="IOD/s", plausible=(0, 3), aliases=("overall",),
    ),
    _face(
        "face_expressivity_lips_mean", "Mean speed of the lips' landmarks after removing the head's movement.",
        unit="IOD/s", plausible=(0, 3), aliases=("lips",),
    ),
    _face(
        "face_expressivity_brows_mean", "Mean speed of the brows' landmarks after removing the head's movement.",
        unit="IOD/s", plausible=(0, 3), aliases=("eyebrows",),
    ),
    *(
        _face(
            f"face_asymmetry_{part}_mean",
            f"Mean distance of the {part} landmarks from the mirror images of their partners.",
            unit="IOD", plausible=(0, 0.5), aliases=(f"fac_asymmask{part}",),
        )
        for part in ("mouth", "eye", "brow")
    ),
    _face(
        "face_inside_mean", "Mean share of the face's landmarks that lie in the picture, while a face is seen.",
        unit="1", plausible=(0, 1),
    ),
    _face(
        "face_smile_eyes_share",
        "Share of the smiles in which the lids narrow too: squint or cheek score .1 above its resting level.",
        unit="1", plausible=(0, 1), evidence=_SMILES, aliases=("smile_duchenne_pct",),
    ),
    _face(
        "face_asymmetry_mean",
        "Mean distance of lid, brow and mouth landmarks from the mirror images of their partners.",
        unit="IOD", plausible=(0, 0.5), aliases=("fac_asymmask",),
    ),
    *(
        _face(
            f"head_{axis}_{statistic}",
            f"{word} of the head's {axis} against the camera while a face is seen.",
            unit="deg", plausible=span, aliases=(f"pose_R{letter}",) if statistic == "mean" else (),
        )
        for axis, letter in (("pitch", "x"), ("yaw", "y"), ("roll", "z"))
        for statistic, word, span in (("mean", "Mean", (-80.0, 80.0)), ("sd", "Standard deviation", (0.0, 45.0)))
    ),
    _face(
        "head_angular_speed_mean",
        "Mean angle of the single rotation between two poses a tenth of a second apart, over the time between them.",
        unit="deg/s", plausible=(0, 200), aliases=("mov_headvel", "euclidean_angle_disp"),
    ),
    _face(
        "head_angular_speed_p95", "95th percentile of the head's angular speed over tenths of a second.",
        unit="deg/s", plausible=(0, 500),
    ),
    _face(
        "head_nod_rate",
        "Nods per minute of visible face: two or more quick swings of pitch of at least 5 degrees, yaw moving less.",
        unit="1/min", plausible=(0, 40), evidence=_RATE, aliases=("nod_rate",),
    ),
    _face(
        "head_shake_rate",
        "Head shakes per minute of visible face: two or more quick swings of yaw of at least 5 degrees, pitch less.",
        unit="1/min", plausible=(0, 40), evidence=_RATE, aliases=("shake_rate",),
    ),
)  # fmt: skip


_FACS = "isbn:0-931835-01-1"
_UNITS = {
    "au01": "inner brow raiser", "au02": "outer brow raiser", "au04": "brow lowerer", "au05": "upper lid raiser",
    "au06": "cheek raiser", "au07": "lid tightener", "au09": "nose wrinkler", "au10": "upper lip raiser",
    "au12": "lip corner puller", "au14": "dimpler", "au15": "lip corner depressor", "au17": "chin raiser",
    "au20": "lip stretcher", "au23": "lip tightener", "au25": "lips part", "au26": "jaw drop", "au45": "blink",
}  # fmt: skip
_STATISTICS = (
    ("mean", "mean score", "1", (0.0, 1.0), "{0}_r"),
    ("sd", "standard deviation of the score", "1", (0.0, 0.5), ""),
    ("act_share", "share of visible time .2 above its resting level", "1", (0.0, 1.0), "{0}_c"),
    ("act_rate", "rises by .2 above its resting level per minute", "1/min", (0.0, 120.0), ""),
    ("peak", "99th percentile of the score", "1", (0.0, 1.0), ""),
)

BIOMARKERS += tuple(
    _face(
        f"face_{unit}_{statistic}",
        f"Blendshape-based score like {unit.upper()} ({words}), not coded by FACS: {what}.",
        unit=unit_of, plausible=span, source=_FACS, evidence=_RATE if statistic.startswith("act") else None,
        aliases=(alias.format(unit.upper()),) if alias else (),
    )
    for unit, words in _UNITS.items()
    for statistic, what, unit_of, span, alias in _STATISTICS
)  # fmt: skip


def _series(name: str, unit: str, definition: str) -> SeriesSpec:
    return SeriesSpec(name=name, modality="video", unit=unit, definition=definition)


SERIES: tuple[SeriesSpec, ...] = (
    _series("face_visible", "1", "Share of the second's frames in which a face was found."),
    _series("face_blink_score", "1", "Mean eye-closing score of both eyes, 0 to 1."),
    _series("face_eye_opening", "1", "Eye opening in shares of the session's open eye."),
    _series("face_mouth_open", "IOD", "Gap between the inner lips."),
    _series("face_smile", "1", "Mean smile score of both corners of the mouth, 0 to 1."),
    _series("face_brow_raise", "1", "Mean score of brow raising, 0 to 1."),
    _series("face_brow_lower", "1", "Mean score of brow lowering, 0 to 1."),
    _series("face_expressivity", "IOD/s", "Speed of the expressive landmarks without the head's movement."),
    _series("head_pitch", "deg", "Pitch of the head against the camera, positive with the chin down."),
    _series("head_yaw", "deg", "Yaw of the head against the camera, positive to the right edge of the picture."),
    _series("head_roll", "deg", "Roll of the head against the camera, positive with its top to the left edge."),
    _series("head_speed", "deg/s", "Angular speed of the head."),
)
