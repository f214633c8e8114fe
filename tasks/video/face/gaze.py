"""Gaze of a person against where the person mostly looks: shifts, and shares of time at the target and down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.episodes import Episode, runs
from cueflow.tasks.video.face.track import FaceTrack

EYE_GAIN = 1.0
TARGET_DEG = 10.0  # around the session's median
DOWN_DEG = 10.0  # below it
SHIFT_DEG = 8.0  # smallest shift: from one resting place of the gaze to another
REST_S = 0.2  # the places are medians over so much time before and after
LEAP_S = 0.1  # a shift is over within so much time on either side
OPEN = 0.5  # share of the open eye above which the iris says where it looks


@dataclass(frozen=True, slots=True)
class Gaze:
    """Yaw and pitch (n,), degrees from the median of the recording, NaN where the face or the iris was not seen.

    Yaw is positive towards the right edge of the picture, pitch positive downwards.
    """

    times_s: FloatArray
    yaw: FloatArray
    pitch: FloatArray

    @property
    def away(self) -> FloatArray:
        """Angle from the median, (n,)."""
        return np.asarray(np.hypot(self.yaw, self.pitch))


def gaze_of(track: FaceTrack, opening: FloatArray) -> Gaze:
    """Gaze of a track: the head's direction and the eyes' in the head, against their median.

    Parameters
    ----------
    track : FaceTrack
        The face over time.
    opening : ndarray, shape (n,)
        Of the eyes, in open eyes; behind a lid the iris is guessed.

    Returns
    -------
    Gaze
    """
    seen = opening >= OPEN
    yaw = np.where(seen, track["yaw"] + EYE_GAIN * track["eye_yaw"], np.nan)
    pitch = np.where(seen, track["pitch"] + EYE_GAIN * track["eye_pitch"], np.nan)
    good = np.isfinite(yaw)
    if good.any():
        yaw, pitch = yaw - np.median(yaw[good]), pitch - np.median(pitch[good])
    return Gaze(track.times_s, yaw, pitch)


def gaze_shifts(gaze: Gaze) -> list[Episode]:
    """Leaps of the gaze from one resting place to another.

    Parameters
    ----------
    gaze : Gaze
        Of the whole recording.

    Returns
    -------
    list of Episode
        Instants; `peak` is the angle in degrees.
    """
    found: list[Episode] = []
    for a, b in runs(gaze.times_s, np.isfinite(gaze.yaw)):
        t = gaze.times_s[a:b]
        place = np.column_stack([gaze.yaw[a:b], gaze.pitch[a:b]])
        size = np.array([_leap(t, place, i) for i in range(len(t))])
        while len(size) and size.max() >= SHIFT_DEG:
            top = int(np.argmax(size))
            found.append(Episode(a + top, a + top, float(t[top]), float(t[top]), float(size[top]), cut=False))
            size[np.abs(t - t[top]) < REST_S + LEAP_S] = 0.0
    return sorted(found, key=lambda e: e.start_s)


def _leap(times_s: FloatArray, place: FloatArray, index: int) -> float:
    """Distance of the median places shortly before and after a sample; 0 where either is not known for long enough."""
    t = times_s[index]
    if times_s[0] > t - LEAP_S - REST_S / 2 or times_s[-1] < t + LEAP_S + REST_S / 2:
        return 0.0
    edges = t + np.array([-LEAP_S - REST_S, -LEAP_S / 2, LEAP_S / 2, LEAP_S + REST_S])
    low, left, right, high = np.searchsorted(times_s, edges)
    if left - low < 2 or high - right < 2:
        return 0.0
    before, after = np.median(place[low:left], axis=0), np.median(place[right:high], axis=0)
    return float(np.hypot(*(after - before)))
