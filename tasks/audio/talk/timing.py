"""When somebody speaks: turns, pauses, voiced stretches, syllables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.level import decibels
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs

Flags = NDArray[np.bool_]
Spans = tuple[tuple[int, int], ...]

_DIP_DB = 2.0  # between two nuclei the level falls by at least this
_RANGE_DB = 25.0  # below the loudest voice: no nucleus
_SMOOTH_FRAMES = 1.0  # standard deviation: 10 ms, about that of Praat's intensity window at a floor of 50 Hz


@dataclass(frozen=True, slots=True)
class Talk:
    """Half-open spans of frames: `turns`, `pauses` between them, `voiced` stretches; `nuclei` (k,) of syllables."""

    turns: Spans
    pauses: Spans
    voiced: Spans
    nuclei: NDArray[np.int64]


def turns_and_pauses(speech: Flags, used: Flags, *, others: Flags, pause_min_s: float) -> tuple[Spans, Spans]:
    """Speech closed over short silences, and the silences between.

    Parameters
    ----------
    speech : ndarray of bool, shape (n,)
        Frames with speech.
    used : ndarray of bool, shape (n,)
        Frames that may be used; one that may not ends a turn, and a silence with one inside is not a pause.
    others : ndarray of bool, shape (n,)
        Frames in which somebody else speaks: a silence with one inside is no pause of this speaker.
    pause_min_s : float
        Silence from which on it is a pause.

    Returns
    -------
    turns, pauses : tuple of tuple of int
        Half-open spans of frames.
    """
    shortest = round(pause_min_s / FRAME_S)
    pieces = runs(speech & used)
    turns: list[tuple[int, int]] = []
    pauses: list[tuple[int, int]] = []
    for first, last in pieces:
        if not turns:
            turns.append((first, last))
            continue
        gap = slice(turns[-1][1], first)
        seen = bool(used[gap].all()) and not others[gap].any()
        if seen and first - turns[-1][1] < shortest:
            turns[-1] = (turns[-1][0], last)
            continue
        if seen:
            pauses.append((turns[-1][1], first))
        turns.append((first, last))
    return tuple(turns), tuple(pauses)


def syllable_nuclei(power: NDArray[np.float32], voice: Flags) -> NDArray[np.int64]:
    """Frames of syllable nuclei: peaks of the smoothed level in voice that stand 2 dB above the dips around them.

    Parameters
    ----------
    power : ndarray, shape (n,)
        Mean squares of the frames.
    voice : ndarray of bool, shape (n,)
        Voiced frames within speech.

    Returns
    -------
    ndarray of int, shape (k,)

    References
    ----------
    de Jong and Wempe (2009), doi:10.3758/BRM.41.2.385
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    if not voice.any():
        return np.empty(0, dtype=np.int64)
    level = decibels(gaussian_filter1d(power.astype(np.float64), _SMOOTH_FRAMES))
    loudest = float(np.quantile(level[voice], 0.99))
    peaks, _ = find_peaks(level, height=loudest - _RANGE_DB, prominence=_DIP_DB)
    return np.asarray(peaks[voice[peaks]], dtype=np.int64)


def pairwise_variability(nuclei: NDArray[np.int64], turns: Spans) -> float:
    """Normalised pairwise variability index (nPVI) of the intervals between syllable nuclei.

    Parameters
    ----------
    nuclei : ndarray of int, shape (k,)
        Frames of syllable nuclei.
    turns : tuple of tuple of int
        Half-open spans of frames; no interval and no pair of intervals reaches from one into another.

    Returns
    -------
    float
        100 times the mean difference of successive intervals over their mean: 0 where all are the same; NaN without a
        pair.

    References
    ----------
    Low, Grabe and Nolan (2000), doi:10.1177/00238309000430040301, there of vowels' durations.
    """
    away: list[NDArray[np.float64]] = []
    for first, last in turns:
        lengths = np.diff(nuclei[(nuclei >= first) & (nuclei < last)]).astype(np.float64)
        away.append(2.0 * np.abs(np.diff(lengths)) / (lengths[:-1] + lengths[1:]))
    found = np.concatenate([*away, np.empty(0)])
    return 100.0 * float(found.mean()) if len(found) else float("nan")


def lengths_s(spans: Spans) -> NDArray[np.float64]:
    """Durations of spans.

    Parameters
    ----------
    spans : tuple of tuple of int
        Half-open spans of frames.

    Returns
    -------
    ndarray, shape (k,)
        In s.
    """
    return np.asarray([last - first for first, last in spans], dtype=np.float64) * FRAME_S
