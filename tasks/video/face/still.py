"""Tells a face that lives from a picture of a face."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.face.track import FaceTrack

MIN_S = 15.0  # people blink, breathe or sway within so much time; in less, nobody can tell
BLINK_RANGE, NOSE_SD, MOUTH_SD = 0.15, 0.004, 0.004
EYES_SD = 2.0  # degrees, of the eyes' medians by second: the irises of a picture stay where they are


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
    blink, size = track["au45"][seen], float(np.median(track["size"][seen]))
    sway = max(float(np.std(track[axis][seen])) for axis in ("nose_x", "nose_y")) / size
    blinks = float(np.quantile(blink, 0.999) - np.median(blink))
    moves = sway >= NOSE_SD or float(np.std(track["mouth_open"][seen])) >= MOUTH_SD
    return blinks < BLINK_RANGE and not moves and _eyes_sd(track.times_s[seen], track["eye_yaw"][seen]) < EYES_SD


def _eyes_sd(times_s: FloatArray, yaw: FloatArray) -> float:
    seconds = np.floor(times_s)
    return float(np.std([np.median(yaw[seconds == s]) for s in np.unique(seconds)]))
