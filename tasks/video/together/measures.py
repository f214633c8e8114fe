"""Biomarkers of two people in one picture, and of who is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Measure, Window
from cueflow.tasks.video.body.signals import BodySignals
from cueflow.tasks.video.body.track import BodyTrack
from cueflow.tasks.video.face.glasses import hides_eyes, wears_glasses
from cueflow.tasks.video.face.track import FaceTrack
from cueflow.tasks.video.people.cast import Sightings
from cueflow.tasks.video.together.synchrony import Synchrony, binned, bridged, synchrony
from cueflow.tasks.video.weights import frame_seconds
from cueflow.tasks.windows import within

TOWARDS_DEG = 10.0  # the gaze is turned to the other's side by at least so much
LEVEL_DEG = 25.0  # and is not raised or lowered by more
MIRROR_DEG, MIRROR_SW = 8.0, 0.35  # lean and tilt, and places of the hands, may differ by so much
PAIRED = ("synchrony_strength_mean", "synchrony_z_mean", "synchrony_lag_peak", "mutual_gaze_share",
          "posture_mirroring_share")  # fmt: skip


@dataclass(frozen=True, slots=True)
class One:
    """A person of a pair, on the session clock."""

    face: FaceTrack
    body: BodyTrack
    signals: BodySignals


def presence_measures(sightings: Sightings, person: int | None, windows: Sequence[Window]) -> list[Measure]:
    """How many people were seen, and how much of the time this one.

    Parameters
    ----------
    sightings : Sightings
        On the session clock.
    person : int or None
        The person of these values; None where nobody was chosen.
    windows : sequence of Window
        Spans to summarise.

    Returns
    -------
    list of Measure
    """
    return [m for window in windows for m in _presence(sightings, person, window)]


def _presence(sightings: Sightings, person: int | None, window: Window) -> list[Measure]:
    looks = sightings.looks_s[within(sightings.looks_s, window)]
    inside = within(sightings.times_s, window)
    times, who = sightings.times_s[inside], sightings.person[inside]
    counts = [int((times == look).sum()) for look in looks]
    here = np.isin(looks, times[who == person]) if person is not None else np.zeros(len(looks), dtype=bool)
    others = np.isin(looks, times[(who != person) & (who >= 0)])
    values = {
        "people_count_max": float(max(counts)) if counts else None,
        "people_others_share": float(others.mean()) if len(looks) else None,
        "person_present_share": float(here.mean()) if len(looks) else None,
        "people_unknown_share": float((who < 0).mean()) if len(who) else None,
    }
    return [
        BIOMARKERS[name].measure(
            value, window, n_evidence=len(looks), reason=Reason.NO_FACE if value is None and len(looks) else None
        )
        for name, value in values.items()
    ]


def pair_measures(first: One | None, second: One | None, windows: Sequence[Window]) -> list[Measure]:
    """Synchrony, mutual gaze and mirroring of two people, over every window.

    Parameters
    ----------
    first, second : One or None
        The person of these values and the other; None where there is none.
    windows : sequence of Window
        Spans to summarise.

    Returns
    -------
    list of Measure
        Too short, with the reason, where only one was seen.
    """
    if first is None or second is None:
        return [BIOMARKERS[n].measure(None, w, n_evidence=0, reason=Reason.ONE_PERSON) for w in windows for n in PAIRED]
    return [m for window in windows for m in _pair(first, second, window)]


def _pair(first: One, second: One, window: Window) -> list[Measure]:
    found = _synchrony(first, second, window)
    seconds = 0.0 if found is None else found.seconds
    gaze, gaze_s = _mutual_gaze(first.face, second.face, window)
    mirror, mirror_s = _mirroring(first, second, window)
    duration = max(window.duration_s, 1e-9)
    faces = first.face, second.face
    glasses = [wears_glasses(face["bridge_dark"], face["bridge_edge"]) for face in faces]
    hidden = any(g and hides_eyes(face["iris_dark"]) for g, face in zip(glasses, faces, strict=True))
    rows = (
        ("synchrony_strength_mean", None if found is None else found.strength, seconds),
        ("synchrony_z_mean", None if found is None else found.z, seconds),
        ("synchrony_lag_peak", None if found is None else found.known_lag_s, seconds),
        ("mutual_gaze_share", None if hidden else gaze, gaze_s),
        ("posture_mirroring_share", mirror, mirror_s),
    )
    worn = Reason.GLASSES if any(glasses) and gaze_s >= BIOMARKERS["mutual_gaze_share"].evidence.n_min else None
    why = {"mutual_gaze_share": Reason.EYES_COVERED if hidden else worn}
    return [
        BIOMARKERS[n].measure(v, window, n_evidence=s, coverage=s / duration, reason=why.get(n)) for n, v, s in rows
    ]


def _synchrony(first: One, second: One, window: Window) -> Synchrony | None:
    """Of the bodies' movement; where a body is out of the picture, of the heads'."""
    by_body = all(one.body.visible.mean() > 0.5 if len(one.body.times_s) else False for one in (first, second))
    signals = []
    for one in (first, second):
        times, values = (
            (one.signals.times_s, one.signals.energy) if by_body else (one.face.times_s, one.face["head_speed"])
        )
        signals.append(bridged(binned(times, values, start_s=window.start_s, end_s=window.end_s)))
    return synchrony(signals[0], signals[1])


def _mutual_gaze(first: FaceTrack, second: FaceTrack, window: Window) -> tuple[float | None, float]:
    """Share of the time, and the seconds it rests on; both tracks are on the same frames."""
    inside = within(first.times_s, window) & first.visible & second.visible
    seconds = frame_seconds(first.times_s)[inside]
    if not seconds.sum():
        return None, 0.0
    both = _towards(first, second) & _towards(second, first)
    return float(seconds[both[inside]].sum() / seconds.sum()), float(seconds.sum())


def _towards(one: FaceTrack, other: FaceTrack) -> NDArray[np.bool_]:
    side = np.sign(other["nose_x"] - one["nose_x"])
    yaw = one["yaw"] + one["eye_yaw"]
    return np.asarray((side * yaw >= TOWARDS_DEG) & (np.abs(one["pitch"]) <= LEVEL_DEG))


def _mirroring(first: One, second: One, window: Window) -> tuple[float | None, float]:
    """Share of the time in which one's posture is the mirror image of the other's."""
    inside = within(first.signals.times_s, window)
    times = first.signals.times_s[inside]
    if not len(times) or not len(second.signals.times_s):
        return None, 0.0
    at = np.clip(np.searchsorted(second.signals.times_s, times), 0, len(second.signals.times_s) - 1)
    near = np.abs(second.signals.times_s[at] - times) < 0.1
    tilt = first.signals.tilt[inside] + second.signals.tilt[at]
    gaps: list[FloatArray] = []
    for one, other in (("left_wrist", "right_wrist"), ("right_wrist", "left_wrist")):
        place = _place(first, one)[inside] - _place(second, other)[at] * np.array([-1.0, 1.0])
        gaps.append(np.linalg.norm(place, axis=1))
    # hands that are not seen have no say
    hands = np.max(np.where(np.isfinite(gaps), gaps, -1.0), axis=0)
    seen = near & np.isfinite(tilt)
    seconds = frame_seconds(times)
    total = float(seconds[seen].sum())
    alike = seen & (np.abs(tilt) <= MIRROR_DEG) & (hands <= MIRROR_SW)
    return (float(seconds[alike].sum()) / total if total else None), total


def _place(one: One, part: str) -> FloatArray:
    """Where a part is, from the middle of the shoulders, in shoulder widths."""
    p = one.body.points
    middle = (p["left_shoulder"] + p["right_shoulder"]) / 2
    return np.asarray((p[part] - middle) / one.signals.width[:, None])
