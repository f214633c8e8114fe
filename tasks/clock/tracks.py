"""Place a clock by a slow track that two recorders share: coarsely over a long way, then finely around that place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.clock.lines import Offset, widened
from cueflow.tasks.clock.offsets import Track, evened, signals_offset

FAR_S = 600.0
"""Within which sound and movement are looked for: nobody presses all buttons within a minute."""
_SOUND_HZ, _SOUND_COARSE_HZ = 100.0, 10.0
_WAY_S = 0.014  # 95 % of how much later one microphone hears: three metres of air, and what the room adds to loudness
_MOVEMENT_HZ, _MOVEMENT_COARSE_HZ = 20.0, 5.0
_BETWEEN_HZ = 80.0  # lags of the close search lie so much closer than values
_SMOOTH_S, _SHARP_S = 0.25, 0.05  # a hand that goes to and fro is one movement; its strokes tell the place closely
_PARTS_S = 0.025  # 95 % of how much later what is seen moves than what is worn: arm, hand and fingers are no one piece
_ALSO = 0.3  # a part of the picture that fits so well, as a share of the best one, shows the wearer, too
_MOVEMENT_LONG_S = 3.0  # a movement fits itself that much later too
_ROUND_S = (0.6, 1.5)  # of the fine search: around the coarse place of loudness, and of movement


def loudness_offset(reference: Track, other: Track, *, within_s: float = FAR_S) -> Offset | None:
    """Place of a sound recording by its loudness.

    Parameters
    ----------
    reference, other : tuple of ndarray, shape (n,)
        Times in s, each on its own clock, and level in dB, a hundred per second.
    within_s : float, optional
        Largest offset that is searched, s.

    Returns
    -------
    Offset or None
        None where there is no significant place. The interval counts 14 ms for microphones up to 3 m apart in a room
        with echoes: sound that comes later is not a clock that runs later.
    """
    coarse = signals_offset(_thinned(reference, 10), _thinned(other, 10), rate=_SOUND_COARSE_HZ, within_s=within_s)
    found = _closer(reference, other, coarse, rate=_SOUND_HZ, around_s=_ROUND_S[0])
    if found is None:
        return None
    return replace(widened(found, _WAY_S), method="sound")


def movement_offset(seen: Track, felt: Track, *, within_s: float = FAR_S) -> Offset | None:
    """Place of a sensor that felt the movement that a camera saw in some part of its picture.

    Parameters
    ----------
    seen : tuple of ndarray, shape (n,) and (n, k)
        Times in s and how much each part of the picture changes.
    felt : tuple of ndarray, shape (m,)
        Times in s on the sensor's clock, and size of the acceleration.
    within_s : float, optional
        Largest offset that is searched, s.

    Returns
    -------
    Offset or None
        None where there is no significant place.
    """
    slow = _smoothed(seen, _SMOOTH_S), _smoothed(felt, _SMOOTH_S)
    coarse = signals_offset(*slow, rate=_MOVEMENT_COARSE_HZ, within_s=within_s, apart_s=_MOVEMENT_LONG_S)
    if coarse is None:
        return None
    sharp = _strokes(_smoothed(gathered(seen, felt, coarse), _SHARP_S)), _smoothed(felt, _SHARP_S)
    found = _closer(*sharp, coarse, rate=_BETWEEN_HZ, around_s=_ROUND_S[1])
    if found is None:
        return None
    return replace(widened(found, _PARTS_S), method="movement")


def gathered(seen: Track, felt: Track, place: Offset) -> Track:
    """The parts of a picture, and the sum of those in which the wearer is seen: a hand moves through several.

    Parameters
    ----------
    seen, felt : tuple of ndarray
        As for `movement_offset`.
    place : Offset
        Of the sensor on the camera's clock, for most of the recording.

    Returns
    -------
    tuple of ndarray, shape (n,) and (n, k + 1)
        Times, and how much the parts and their sum change.
    """
    worn = _smoothed(felt, _SMOOTH_S)
    parts, slowly = (np.atleast_2d(track[1].T) for track in (seen, _smoothed(seen, _SMOOTH_S)))
    fits = [float(track_fits((seen[0], part), worn, _MOVEMENT_COARSE_HZ)(place)[1].mean()) for part in slowly]
    own = np.array(fits) >= _ALSO * max(fits)
    return seen[0], np.concatenate([parts, parts[own].sum(axis=0, keepdims=True)]).T


def _strokes(seen: Track) -> Track:
    """Speeds, and how fast they change: a sensor feels a stroke where it begins and ends, a camera most in between."""
    speeds = np.atleast_2d(seen[1].T).T
    changes = _smoothed((seen[0], np.abs(np.gradient(speeds, axis=0))), _SHARP_S)[1]
    return seen[0], np.concatenate([speeds, changes], axis=1)


def extent(track: Track) -> tuple[float, float]:
    """First and last time of a track, s."""
    return (float(track[0][0]), float(track[0][-1])) if len(track[0]) else (0.0, 0.0)


def between(track: Track, first_s: float, last_s: float) -> Track:
    """The part of a track between two times."""
    inside = (track[0] >= first_s) & (track[0] <= last_s)
    return track[0][inside], track[1][inside]


def track_fits(
    reference: Track, other: Track, rate: float
) -> Callable[[Offset], tuple[FloatArray, FloatArray, FloatArray]]:
    """How well each moment of a track fits a reference at a place.

    Parameters
    ----------
    reference, other : tuple of ndarray, shape (n,) or (n, k), and (m,)
        As for `signals_offset`.
    rate : float
        Of the moments, Hz.

    Returns
    -------
    callable
        From a place to the times of the moments on the other's clock, the product of both tracks there, in standard
        deviations, of several parts of the reference the one that fits best in all, and the other's own square where
        the reference was recording.
    """
    start, values = evened(*other, rate)
    times = start + np.arange(len(values)) / rate

    first_s, last_s = extent(reference)

    def fits(place: Offset) -> tuple[FloatArray, FloatArray, FloatArray]:
        at = place.at(times)
        columns = (evened(reference[0], column, rate) for column in np.atleast_2d(reference[1].T))
        made = (
            values * np.interp(at, first + np.arange(len(known)) / rate, known, left=0.0, right=0.0)
            for first, known in columns
            if len(known)
        )
        fit = max(made, key=lambda product: float(product.sum()), default=np.zeros(len(times)))
        return times, fit, np.where((at >= first_s) & (at <= last_s), values**2, 0.0)

    return fits


def _closer(reference: Track, other: Track, coarse: Offset | None, *, rate: float, around_s: float) -> Offset | None:
    if coarse is None:
        return None
    moved = (coarse.at(other[0]), other[1])
    fine = signals_offset(reference, moved, rate=rate, within_s=around_s, certain=True)
    if fine is None:
        return None
    drift = (1.0 + 1e-6 * coarse.drift_ppm) * (1.0 + 1e-6 * fine.drift_ppm) - 1.0
    return Offset(float(fine.at(coarse.offset_s)), 1e6 * drift, fine.uncertainty_s, fine.n)


def _thinned(track: Track, size: int) -> Track:
    n = len(track[0]) - len(track[0]) % size
    times, values = (part[:n].reshape(-1, size).mean(axis=1) for part in track)
    return times, values


def _smoothed(track: Track, over_s: float) -> Track:
    from scipy.ndimage import gaussian_filter1d

    known = np.isfinite(track[1])
    width = over_s * _MOVEMENT_HZ

    def smooth(values: FloatArray) -> FloatArray:
        return np.asarray(gaussian_filter1d(values, width, axis=0, mode="nearest"))

    share = smooth(known.astype(np.float64))
    values = smooth(np.where(known, track[1], 0.0)) / np.maximum(share, 1e-9)
    return track[0], np.where(known, values, np.nan)
