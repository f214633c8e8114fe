"""The 88 values of eGeMAPSv02, under their published names, from low-level descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.geneva.contours import Contours, contours
from cueflow.tasks.audio.geneva.frames import STEP_S, low_level
from cueflow.tasks.audio.geneva.pitch import COSTS, PathCosts
from cueflow.tasks.audio.geneva.slopes import slopes
from cueflow.tasks.audio.signal.level import POWER_FLOOR
from cueflow.tasks.audio.signal.vad import runs

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

_SHORTEST = 3  # frames of a voiced or unvoiced stretch that counts
_F0, _LOUD = "F0semitoneFrom27.5Hz_sma3nz", "loudness_sma3"


def egemaps(samples: NDArray[np.floating], rate: int, *, costs: PathCosts = COSTS) -> dict[str, float]:
    """The Geneva set of a signal, without a gate of speech.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono, -1 to 1, at least 60 ms.
    rate : int
        Sampling rate, 16 kHz or more; the published filters reach 8 kHz.
    costs : PathCosts, optional
        Of the path of the pitch.

    Returns
    -------
    dict
        88 values by published name, in the published order; NaN where one is undefined (0 in openSMILE).

    References
    ----------
    Eyben et al. (2016), The Geneva minimalistic acoustic parameter set, doi:10.1109/TAFFC.2015.2457417
    """
    frames = low_level(samples, rate, costs=costs)
    return functionals(contours(frames), np.ones(len(frames.power), dtype=bool))


def functionals(found: Contours, keep: Flags) -> dict[str, float]:
    """Statistics of the contours.

    Parameters
    ----------
    found : Contours
        Of n frames.
    keep : ndarray of bool, shape (n,)
        Frames to use. Slopes and segments do not reach over a frame that is left out.

    Returns
    -------
    dict
        88 values by published name, in the published order.
    """
    spans = runs(keep)
    known = keep & found.settled & np.isfinite(found.f0)
    f0 = np.nan_to_num(found.f0)
    pitch = [part[part > 0] for part in (f0[a:b] for a, b in runs(known))]
    loud = [found.loudness[a:b] for a, b in spans]
    out = {**_contour(_F0, pitch), **_contour(_LOUD, loud)}
    for name, track in found.plain.items():
        out |= _moments(name, track[keep])
    for name, track in found.voiced.items():
        out |= _moments(name, track[known & (track != 0)])
    for name, track in found.unvoiced.items():
        out[f"{name}_amean"] = _mean(track[known & (track != 0)])
    voiced, unvoiced, looked_at = _segments(f0, runs(known))
    seconds = float(keep.sum()) * STEP_S
    out["loudnessPeaksPerSec"] = _per(slopes(loud, STEP_S).peaks, seconds)
    out["VoicedSegmentsPerSec"] = _per(len(voiced), looked_at)
    out |= {"MeanVoicedSegmentLengthSec": _mean(voiced), "StddevVoicedSegmentLengthSec": _sd(voiced)}
    out |= {"MeanUnvoicedSegmentLength": _mean(unvoiced), "StddevUnvoicedSegmentLength": _sd(unvoiced)}
    out["equivalentSoundLevel_dBp"] = float(10.0 * np.log10(max(_mean(found.power[keep]), POWER_FLOOR)))
    return out


def _contour(name: str, parts: list[F64]) -> dict[str, float]:
    values = np.concatenate([*parts, np.empty(0)])
    low, middle, high = np.quantile(values, (0.2, 0.5, 0.8)) if len(values) else (np.nan,) * 3
    steep = slopes(parts, STEP_S)
    return {
        **_moments(name, values),
        f"{name}_percentile20.0": float(low),
        f"{name}_percentile50.0": float(middle),
        f"{name}_percentile80.0": float(high),
        f"{name}_pctlrange0-2": float(high - low),
        f"{name}_meanRisingSlope": steep.rising_mean,
        f"{name}_stddevRisingSlope": steep.rising_sd,
        f"{name}_meanFallingSlope": steep.falling_mean,
        f"{name}_stddevFallingSlope": steep.falling_sd,
    }


def _moments(name: str, values: F64) -> dict[str, float]:
    mean = _mean(values)
    return {f"{name}_amean": mean, f"{name}_stddevNorm": _sd(values) / mean if mean else float("nan")}


def _mean(values: F64) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _sd(values: F64) -> float:
    return float(np.std(values)) if len(values) else float("nan")


def _per(count: float, seconds: float) -> float:
    return count / seconds if seconds > 0 else float("nan")


def _segments(f0: F64, spans: Sequence[tuple[int, int]]) -> tuple[F64, F64, float]:
    """Lengths of voiced and of unvoiced stretches and the time that was looked at, s.

    A stretch lasts from its first frame to its last: one less than their number. A single frame belongs to the stretch
    before it, two frames are none.
    """
    lengths: dict[bool, list[int]] = {True: [], False: []}
    frames = 0
    for first, last in spans:
        part = f0[first:last] > 0
        edges = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(part)]
        stretches: list[tuple[bool, int]] = []
        for start, stop in pairwise(edges):
            kind, count = bool(part[start]) if stop > start else False, stop - start
            if stretches and (count == 1 or stretches[-1][0] == kind):
                stretches[-1] = (stretches[-1][0], stretches[-1][1] + count)
            elif count > 1:
                stretches.append((kind, count))
        frames += sum(count for _, count in stretches)
        for kind, count in stretches:
            if count >= _SHORTEST:
                lengths[kind].append(count - 1)
    voiced, unvoiced = (np.asarray(lengths[kind], dtype=np.float64) * STEP_S for kind in (True, False))
    return voiced, unvoiced, frames * STEP_S
