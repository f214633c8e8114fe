"""Blinks, closures, smiles, nods and shakes from signals with gaps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.episodes import Episode, baseline, episodes, runs, smooth, to_rest

BLINK_HIGH, BLINK_LOW = 0.18, 0.08  # rise of the eye-closing score over its baseline: measured blinks peak at .4 to .75
BLINK_FLANK_S, SMILE_FLANK_S = 0.1, 0.3  # the feet of the flanks, below a fifth of the height, last so long at most
BLINK_MAX_S = 0.8  # longer is a closed eye, not a blink
OPEN_QUANTILE = 0.75  # holds as long as the eyes are closed less than half of the time
COMPLETE_EYE = 0.45  # the opening at the blink's deepest point, in open eyes: below is complete
# smiles that are felt last .66 s or more (Ekman and Friesen 1982); what a blink does to the score is shorter
SMILE_HIGH, SMILE_LOW, SMILE_MIN_S = 0.4, 0.25, 0.5
CORNERS_S = 0.07  # the corners of the mouth are averaged over so much time
REST_S, REST_GAP_S = 1.0, 0.3  # they rest where they were in so much time before the score rose, but for the last part
SMILE_RISE_S = 0.15  # after the score rose, they are on their way for so long
CORNERS_MIN = 0.03  # inter-ocular distances that the corners go in a smile at least; else the score says how long it is
SMILE_EYES = 0.1  # rise of the squint over its resting level during a smile: the eyes take part
UNIT_HIGH, UNIT_LOW = 0.2, 0.1  # rise of a score over its resting level that is an activation
SWING_MIN_S, SWING_MAX_S = 0.03, 0.5  # the middle three fifths of one way of a nod
SWING_ENDS = 0.2
REST_MAX_S = 0.4  # between two swings of one nod
# a nod begins and ends where the angle, averaged over so much time, changes by less than this share of the nod's range
# within so much on either side …
STILL, STILL_S, STILL_MEAN_S = 0.08, 0.06, 0.04
MOUTH_S, MOUTH_ROUNDS, MOUTH_OFF, MOUTH_NOISE_DEG = 1.0, 10, 3.7, 0.03  # 3.7 median deviations are 2.5 standard ones
TAIL_S = 0.3  # … at most so long before and after its swings
NOD_DEG, SHAKE_DEG = 5.0, 5.0  # a blink tips the fitted pitch by up to 4 degrees


def closures(times_s: FloatArray, score: FloatArray) -> list[Episode]:
    """Closings of the eyes, short and long: the closing score rises over its own slow level.

    Parameters
    ----------
    times_s, score : ndarray, shape (n,)
        Stamps in s; eye-closing score 0 to 1, NaN where no face was seen.

    Returns
    -------
    list of Episode
        A blink is one that is not cut and lasts at most `BLINK_MAX_S`.
    """
    rise = score - baseline(times_s, score)
    found = episodes(times_s, rise, high=BLINK_HIGH, low=BLINK_LOW)
    return to_rest(times_s, [(rise / e.peak,) * 2 for e in found], found, most_s=BLINK_FLANK_S)


def is_blink(closure: Episode) -> bool:
    """True for a closing of the eyes that is short and was seen from beginning to end."""
    return not closure.cut and closure.duration_s <= BLINK_MAX_S


def opening(eye_aspect: FloatArray) -> FloatArray:
    """Opening of the eyes in shares of the open eye's own, which is the third quartile of the whole recording.

    Parameters
    ----------
    eye_aspect : ndarray, shape (n,)
        Eye aspect ratio, NaN where no face was seen.

    Returns
    -------
    ndarray, shape (n,)
        About 1 for open eyes, below `COMPLETE_EYE` for closed ones.
    """
    good = eye_aspect[np.isfinite(eye_aspect)]
    return eye_aspect / np.quantile(good, OPEN_QUANTILE) if len(good) else eye_aspect


def smiles(times_s: FloatArray, score: FloatArray, corners: FloatArray) -> list[Episode]:
    """Spans of a raised smile score that last at least `SMILE_MIN_S`, as long as the corners of the mouth are away.

    The score says that it is a smile; it stays near zero for the first third of the way and says little about when the
    smile began. That is read off the way that the corners of the mouth go.

    Parameters
    ----------
    times_s, score : ndarray, shape (n,)
        Stamps in s; smile score 0 to 1, NaN where no face was seen.
    corners : ndarray, shape (n,)
        How far up and outwards the corners of the mouth are, inter-ocular distances.

    Returns
    -------
    list of Episode

    References
    ----------
    Cohn and Schmidt (2004), doi:10.1142/S021969130400041X
    """
    found = [e for e in episodes(times_s, score, high=SMILE_HIGH, low=SMILE_LOW) if e.duration_s >= SMILE_MIN_S]
    even = smooth(times_s, corners, width_s=CORNERS_S)
    ways = [(_way(times_s, even, e.start_s, e.duration_s), _way(-times_s, even, -e.end_s, e.duration_s)) for e in found]
    return to_rest(times_s, ways, found, most_s=SMILE_FLANK_S)


def _way(times_s: FloatArray, corners: FloatArray, start_s: float, length_s: float) -> FloatArray:
    """The corners' way from where they rested before a smile began to where they are in it, 0 to 1; NaN long before."""
    since = times_s - start_s
    before = corners[(since > -REST_S - REST_GAP_S) & (since < -REST_GAP_S) & np.isfinite(corners)]
    during = corners[(since > SMILE_RISE_S) & (since < min(REST_S, length_s)) & np.isfinite(corners)]
    if len(before) < 2 or len(during) < 2 or np.median(during) - np.median(before) < CORNERS_MIN:
        return np.full(len(corners), np.nan)
    way = (corners - np.median(before)) / (np.median(during) - np.median(before))
    return np.where(since > -REST_S - REST_GAP_S, way, np.nan)


def oscillations(
    times_s: FloatArray, angle: FloatArray, other: FloatArray, *, quick: FloatArray, amplitude_deg: float
) -> list[Episode]:
    """Spans in which the head swings to and fro about one axis.

    A swing is a change of at least `amplitude_deg` between two turning points whose middle part takes .04 to .5 s; two
    or more swings in a row, each in the other direction and without a long rest, and with less movement about the other
    axis, are an oscillation. It lasts from where the head leaves its rest to where it comes to rest.

    Parameters
    ----------
    times_s, angle, other : ndarray, shape (n,)
        Stamps in s; angle about the axis looked at and about the other one, degrees, NaN where no face was seen.
    quick : ndarray, shape (n,)
        The angle looked at without the landmarker's smoothing, which would draw a nod's last small swing out, and
        without what speech does to it: it says when the head is at rest.
    amplitude_deg : float
        Smallest swing.

    Returns
    -------
    list of Episode
        `peak` is the range of the angle in degrees.
    """
    found: list[Episode] = []
    for begin, end in runs(times_s, np.isfinite(angle)):
        change = _change(times_s[begin:end], quick[begin:end])
        turns = [begin + i for i in _turning_points(angle[begin:end], amplitude_deg)]
        swings = [_middle_part(angle, a, b) for a, b in pairwise(turns)]
        for group in _swing_groups(times_s, swings):
            first, last = group[0][0], group[-1][1]
            span = slice(first, last + 1)
            reach = float(np.ptp(angle[span]))
            if np.ptp(other[span]) < reach:
                earliest = max(begin, found[-1].last + 1) if found else begin
                there = slice(earliest, end)
                moves, still = change[earliest - begin :], STILL * reach
                last_at, end_s = _rest(times_s[there], moves, (group[-1][0] - earliest, last - earliest), still=still)
                swing = end - 1 - group[0][1], end - 1 - first
                back, start_s = _rest(-times_s[there][::-1], moves[::-1], swing, still=still)
                found.append(Episode(end - 1 - back, earliest + last_at, -start_s, end_s, reach, cut=False))
    return found


def mouth_tip(times_s: FloatArray, angle: FloatArray, mouth_open: FloatArray) -> float:
    """What opening the mouth does to a fitted angle of the head, which must not pass for the end of a nod.

    The slope of what is faster than a second, by least squares without what lies far off: nods do, speech does not.

    Parameters
    ----------
    times_s, angle, mouth_open : ndarray, shape (n,)
        Stamps in s; degrees; inter-ocular distances; NaN where no face was seen.

    Returns
    -------
    float
        Degrees per inter-ocular distance.
    """
    tip, opens = (x - smooth(times_s, x, width_s=MOUTH_S) for x in (angle, mouth_open))
    known = np.isfinite(tip) & np.isfinite(opens)
    tip, opens = tip[known], opens[known]
    slope = 0.0
    for _ in range(MOUTH_ROUNDS if len(tip) else 0):
        off = np.abs(tip - slope * opens)
        near = off <= MOUTH_OFF * max(float(np.median(off)), MOUTH_NOISE_DEG)
        slope = float(tip[near] @ opens[near]) / max(float(opens[near] @ opens[near]), 1e-9)
    return slope


def _change(times_s: FloatArray, angle: FloatArray) -> FloatArray:
    """How much the angle changes within `STILL_S` on either side of each sample of a run, alike at every frame rate."""
    even = smooth(times_s, angle, width_s=STILL_MEAN_S)
    before, after = (np.interp(times_s + side * STILL_S, times_s, even) for side in (-1, 1))
    low, high = (np.searchsorted(times_s, times_s + side * STILL_S) for side in (-1, 1))
    edges = np.minimum(before, after), np.maximum(before, after)
    inside = [(even[a:b].min(), even[a:b].max()) for a, b in zip(low, np.maximum(high, low + 1), strict=True)]
    least, most = np.transpose(inside)
    return np.asarray(np.maximum(most, edges[1]) - np.minimum(least, edges[0]))


def _rest(times_s: FloatArray, change: FloatArray, swing: tuple[int, int], *, still: float) -> tuple[int, float]:
    """The last sample at which the head still moves in or after its last swing, and the moment when it comes to rest.

    The swing counts from where it is in full motion: to where the head drifts afterwards may be a longer way.
    """
    last, latest_s = swing[0], times_s[swing[1]] + TAIL_S
    while last + 1 < len(times_s) and times_s[last + 1] <= latest_s and change[last + 1] >= still:
        last += 1
    if last + 1 == len(times_s) or change[last + 1] >= still or change[last] < still:
        return last, float(times_s[last])
    share = (change[last] - still) / (change[last] - change[last + 1])
    return last, float(times_s[last] + share * (times_s[last + 1] - times_s[last]))


def _turning_points(values: FloatArray, least: float) -> list[int]:
    """Indices of alternating lows and highs that differ by at least `least` from their neighbours."""
    low = high = 0
    direction = 0
    found: list[int] = []
    for i, value in enumerate(values):
        low = i if value < values[low] else low
        high = i if value > values[high] else high
        if direction >= 0 and values[high] - value >= least:
            found.append(high)
            direction, low = -1, i
        elif direction <= 0 and value - values[low] >= least:
            found.append(low)
            direction, high = 1, i
    if direction:
        found.append(low if direction < 0 else high)
    return found


def _middle_part(values: FloatArray, start: int, end: int) -> tuple[int, int]:
    """Indices between which a swing goes from its first to its last fifth: rests at its ends are left out."""
    way = (values[start : end + 1] - values[start]) / (values[end] - values[start])
    leaves = int(np.flatnonzero(way <= SWING_ENDS)[-1])
    arrives = leaves + int(np.flatnonzero(way[leaves:] >= 1 - SWING_ENDS)[0])
    return start + leaves, start + arrives


def _swing_groups(times_s: FloatArray, swings: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Two or more swings of a nod's speed that follow one another."""
    groups: list[list[tuple[int, int]]] = []
    current: list[tuple[int, int]] = []
    for leaves, arrives in swings:
        quick = SWING_MIN_S <= times_s[arrives] - times_s[leaves] <= SWING_MAX_S
        if current and (not quick or times_s[leaves] - times_s[current[-1][1]] > REST_MAX_S):
            groups.append(current)
            current = []
        if quick:
            current.append((leaves, arrives))
    return [g for g in [*groups, current] if len(g) > 1]
