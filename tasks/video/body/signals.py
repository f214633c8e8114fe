"""Signals of a body in units that do not depend on the camera: shoulder widths, shoulder widths per second, degrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.track import BodyTrack
from cueflow.tasks.video.episodes import baseline

STEP_S = 0.19  # movement is measured over a fifth of a second: landmarks tremble by a pixel from look to look
MAX_STEP_S = 0.5  # two looks further apart are not compared
MOVING = ("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist")
FACE_REACH = 1.15  # half heights of the face within which a fingertip touches it
FACE_PER_EARS = 0.75  # half the height of a face in distances of the ears seen from the front
TOUCH = 0.22  # shoulder widths between a hand and the other hand or forearm that count as touching
CROSSED = 0.6  # shoulder widths between a wrist and the other arm's elbow


@dataclass(frozen=True, slots=True)
class BodySignals:
    """Signals over time (n,), NaN where the parts that they need were not seen.

    energy: mean speed of the parts seen, left and right: speed of the wrists, SW/s; tilt: of the shoulder line, lean:
    of the trunk from hips to shoulders sideways, deg; nearness: shoulder width in shares of its slow level; crossed,
    self_touch: 1 or 0. `hand_face` (m,) on `hands_s`: distance of the nearest fingertip or knuckle from the face's
    middle in half heights of the face.
    """

    times_s: FloatArray
    energy: FloatArray
    left: FloatArray
    right: FloatArray
    tilt: FloatArray
    lean: FloatArray
    posture: FloatArray
    crossed: FloatArray
    self_touch: FloatArray
    hands_s: FloatArray
    hand_face: FloatArray
    width: FloatArray


def body_signals(track: BodyTrack) -> BodySignals:
    """Signals of a body.

    Parameters
    ----------
    track : BodyTrack
        Lengths in shorter sides of the frame.

    Returns
    -------
    BodySignals
    """
    p, t = track.points, track.times_s
    across = p["left_shoulder"] - p["right_shoulder"]
    width = baseline(t, np.linalg.norm(across, axis=1)) if len(t) else np.zeros(0)
    speeds = {name: speed(t, p[name]) / width for name in MOVING}
    middle = (p["left_shoulder"] + p["right_shoulder"]) / 2
    trunk = middle - (p["left_hip"] + p["right_hip"]) / 2
    tilt = np.degrees(np.arctan2(-across[:, 1], np.abs(across[:, 0])))
    return BodySignals(
        times_s=t,
        energy=_mean_of(list(speeds.values())),
        left=speeds["left_wrist"],
        right=speeds["right_wrist"],
        tilt=tilt,
        lean=np.degrees(np.arctan2(trunk[:, 0], -trunk[:, 1])),
        posture=np.column_stack([middle / width[:, None], np.linalg.norm(across, axis=1) / width, np.radians(tilt)]),
        crossed=_crossed(track, width),
        self_touch=_self_touch(track, width),
        hands_s=track.hands_s,
        hand_face=_hand_to_face(track),
        width=width,
    )


def speed(times_s: FloatArray, points: FloatArray) -> FloatArray:
    """Speed of a point over steps of about a fifth of a second.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Stamps, s.
    points : ndarray, shape (n, 2)
        Places; NaN where the point was not seen.

    Returns
    -------
    ndarray, shape (n,)
        In the points' unit per s, at the end of each step; NaN in between, and where the point was lost on the way.
    """
    found = np.full(len(times_s), np.nan)
    anchor: int | None = None
    for i, time in enumerate(times_s):
        if not np.isfinite(points[i]).all():
            anchor = None
        elif anchor is None:
            anchor = i
        elif time - times_s[anchor] >= STEP_S:
            step = time - times_s[anchor]
            if step <= MAX_STEP_S:
                found[i] = np.linalg.norm(points[i] - points[anchor]) / step
            anchor = i
    return found


def _mean_of(rows: list[FloatArray]) -> FloatArray:
    table = np.stack(rows)
    count = np.isfinite(table).sum(axis=0)
    mean: FloatArray = np.divide(np.nansum(table, axis=0), count, out=np.full(table.shape[1], np.nan), where=count > 0)
    return mean


def _crossed(track: BodyTrack, width: FloatArray) -> FloatArray:
    """1 where each hand lies at the other arm's elbow, 0 where not, NaN where not both arms were seen."""
    p = track.points
    left = np.linalg.norm(p["left_wrist"] - p["right_elbow"], axis=1) / width
    right = np.linalg.norm(p["right_wrist"] - p["left_elbow"], axis=1) / width
    seen = np.isfinite(left + right)
    return np.where(seen, (left < CROSSED) & (right < CROSSED), np.nan)


def _self_touch(track: BodyTrack, width: FloatArray) -> FloatArray:
    """1 where a hand is at the other hand or forearm, NaN where not both hands were seen."""
    p = track.points
    gaps = []
    for one, other in (("left", "right"), ("right", "left")):
        hand = (p[f"{one}_wrist"] + p[f"{one}_index"]) / 2
        gaps.append(_from_segment(hand, p[f"{other}_elbow"], p[f"{other}_wrist"]) / width)
        gaps.append(np.linalg.norm(hand - p[f"{other}_index"], axis=1) / width)
    seen = np.isfinite(p["left_index"] + p["right_index"]).all(axis=1)
    nearest = np.where(seen, np.nanmin(np.where(np.isfinite(gaps), gaps, np.inf), axis=0), np.nan)
    return np.where(seen, nearest < TOUCH, np.nan)


def _from_segment(point: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    along = end - start
    length2 = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip(((point - start) * along).sum(axis=1) / length2, 0, 1)
    return np.asarray(np.linalg.norm(point - start - share[:, None] * along, axis=1))


def _hand_to_face(track: BodyTrack) -> FloatArray:
    """Distance of the nearest fingertip or knuckle from the face, where a hand was looked for."""
    if not len(track.hands_s) or not len(track.times_s):
        return np.zeros(0)
    at = np.clip(np.searchsorted(track.times_s, track.hands_s), 0, len(track.times_s) - 1)
    p = {name: values[at] for name, values in track.points.items()}
    ears = np.linalg.norm(p["left_ear"] - p["right_ear"], axis=1)
    good = np.isfinite(ears)
    half = FACE_PER_EARS * (np.nanmedian(ears) if good.any() else np.nan)
    knuckles = np.stack([p["left_index"], p["right_index"]], axis=1)
    hands = np.concatenate([track.tips["left"], track.tips["right"], knuckles], axis=1)
    gaps = np.linalg.norm(hands - p["nose"][:, None], axis=2) / half
    nearest = np.min(np.where(np.isfinite(gaps), gaps, np.inf), axis=1)
    faced = np.isfinite(p["nose"]).all(axis=1) & np.isfinite(half)
    return np.where(faced, np.minimum(nearest, 99.0), np.nan)  # no hand in the picture touches no face


def touching(signals: BodySignals) -> NDArray[np.bool_]:
    """True where a hand is at the face, on `hands_s`."""
    return np.asarray(signals.hand_face < FACE_REACH)
