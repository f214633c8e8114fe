"""Tells a face that lives from a picture of a face."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.track import FaceTrack

MIN_S = 15.0  # people blink, breathe or sway within so much time; in less, nobody can tell
BLINK_RANGE, MOUTH_SD = 0.15, 0.004
# of medians by second, which the camera's noise hardly moves: the nose's place in heights of the face (of a man who was
# asked to keep still .0022, of a portrait beside him .0004), and the eyes in the head in degrees
NOSE_SD, EYES_SD = 0.001, 2.0


def is_picture(track: FaceTrack) -> bool:
    """True where a face was seen for long and moved by no more than the camera's noise.

    Parameters
    ----------
    track : FaceTrack
        A face over a recording.

    Returns
    -------
    bool
        False where it was seen for less than fifteen seconds.
    """
    seen = track.visible
    if not seen.any() or np.ptp(track.times_s[seen]) < MIN_S:
        return False
    times, blink, size = track.times_s[seen], track["au45"][seen], float(np.median(track["size"][seen]))
    return (
        float(np.quantile(blink, 0.999) - np.median(blink)) < BLINK_RANGE
        and float(np.std(track["mouth_open"][seen])) < MOUTH_SD
        and max(_slow_sd(times, track[axis][seen]) for axis in ("nose_x", "nose_y")) < NOSE_SD * size
        and _slow_sd(times, track["eye_yaw"][seen]) < EYES_SD
    )


def _slow_sd(times_s: FloatArray, values: FloatArray) -> float:
    seconds = np.floor(times_s)
    return float(np.std([np.median(values[seconds == s]) for s in np.unique(seconds)]))
