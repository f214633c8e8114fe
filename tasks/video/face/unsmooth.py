"""Undoes the smoothing that MediaPipe's landmarker applies to a face that it follows.

The landmarker smooths each coordinate with a one-euro filter. What moves slowly, such as the last swing of a nod, comes
out late by a tenth of a second and too small. The filter is known, so what went into it can be computed.
"""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray

MIN_CUTOFF_HZ, BETA, SPEED_CUTOFF_HZ = 0.05, 80.0, 1.0  # of the landmarker's graph for faces
EQUAL = 1e-9


class Unsmoother:
    """What the landmarker saw before it smoothed, frame by frame; a new one wherever it starts anew."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._smooth: FloatArray | None = None
        self._seen = self._seen_before = self._speed = np.zeros(0)

    def undo(self, time_s: float, smooth: FloatArray, *, size: float) -> FloatArray:
        """Coordinates before smoothing.

        The filter goes a share of the way from what it gave last to what it sees; the share grows with the low-passed
        speed of what it sees. So what it saw solves a quadratic equation for either sign of that speed. Of up to four
        solutions the one counts that is nearest to where the coordinate was going.

        Parameters
        ----------
        time_s : float
            Stamp that the landmarker was given; later than that of the frame before.
        smooth : ndarray, any shape
            Coordinates that it gave; of the same shape at every frame.
        size : float
            Mean of the face's width and height, in the coordinates' unit.

        Returns
        -------
        ndarray, same shape

        References
        ----------
        Casiez, Roussel and Vogel (2012), doi:10.1145/2207676.2208639
        """
        if self._smooth is None:
            seen, speed = smooth, np.zeros_like(smooth)
            self._seen = smooth
        else:
            rate = 1 / (time_s - self._time_s)
            share = 1 / (1 + rate / (2 * np.pi * SPEED_CUTOFF_HZ))
            gain = share * rate / size
            speed = (1 - share) * self._speed + gain * (smooth - self._seen)  # if it had seen what it gave
            pull = (smooth - self._smooth) * rate / (2 * np.pi)
            seen = smooth + _lag(speed, gain, pull, expected=2 * self._seen - self._seen_before - smooth)
            speed = speed + gain * (seen - smooth)
        self._time_s, self._smooth, self._speed = time_s, smooth, speed
        self._seen_before, self._seen = self._seen, seen
        return seen


def _lag(speed: FloatArray, gain: float, pull: FloatArray, *, expected: FloatArray) -> FloatArray:
    """The d nearest to `expected` that solves d (MIN_CUTOFF_HZ + BETA abs(speed + gain d)) = pull."""
    best, nearest = np.zeros_like(pull), np.full_like(pull, np.inf)
    for sign in (1.0, -1.0):
        a, b = sign * BETA * gain, MIN_CUTOFF_HZ + sign * BETA * speed
        inside = b**2 + 4 * a * pull
        root = np.sqrt(np.maximum(inside, 0.0))
        for d in ((-b + root) / (2 * a), (-b - root) / (2 * a)):
            off = np.where((inside >= 0) & (sign * (speed + gain * d) >= -EQUAL), np.abs(d - expected), np.inf)
            best, nearest = np.where(off < nearest, d, best), np.minimum(off, nearest)
    return best
