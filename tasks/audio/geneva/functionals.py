"""The 88 values of eGeMAPSv02, under their published names, from low-level descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.geneva.frames import LONG_S, STEP_S, LowLevel, low_level
from cueflow.tasks.audio.geneva.slopes import slopes
from cueflow.tasks.audio.quality.periods import Cycles, find_cycles
from cueflow.tasks.audio.signal.level import POWER_FLOOR
from cueflow.tasks.audio.signal.stream import CONTEXT, HOP, RATE_HZ
from cueflow.tasks.audio.signal.vad import runs

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

_ALIKE = 1.3  # neighbouring periods further apart are no neighbours
_F0, _LOUD = "F0semitoneFrom27.5Hz_sma3nz", "loudness_sma3"


@dataclass(frozen=True, slots=True)
class Contours:
    """Smoothed descriptors of n frames; a contour of voiced frames is 0 where it has no value.

    `plain` over all frames, `voiced` over voiced and `unvoiced` over unvoiced ones, by the published name without
    statistic; `f0` (n,) NaN where no long window fits; `power` (n,).
    """

    f0: F64
    loudness: F64
    power: F64
    plain: Mapping[str, F64]
    voiced: Mapping[str, F64]
    unvoiced: Mapping[str, F64]


def egemaps(samples: NDArray[np.floating], rate: int) -> dict[str, float]:
    """The Geneva set of a signal, without a gate of speech.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono, -1 to 1, at least 60 ms.
    rate : int
        Sampling rate, 16 kHz or more; the published filters reach 8 kHz.

    Returns
    -------
    dict
        88 values by published name, in the published order; NaN where one is undefined (0 in openSMILE).

    References
    ----------
    Eyben et al. (2016), The Geneva minimalistic acoustic parameter set, doi:10.1109/TAFFC.2015.2457417
    """
    frames = low_level(samples, rate)
    jitter, shimmer = cycle_tracks(_cycles(samples, rate, frames), len(frames.power))
    found = contours(frames, jitter, shimmer)
    return functionals(found, np.ones(len(frames.power), dtype=bool))


def _cycles(samples: NDArray[np.floating], rate: int, frames: LowLevel) -> Cycles:
    from scipy.signal import resample_poly

    common = gcd(rate, RATE_HZ)
    low = np.asarray(samples, dtype=np.float64)
    if rate != RATE_HZ:
        low = resample_poly(low, RATE_HZ // common, rate // common)
    n = len(low) // HOP
    silence = np.zeros(CONTEXT)
    padded = np.concatenate([silence, low[: n * HOP], silence]).astype(np.float32)
    return find_cycles(padded, on_core(frames.f0_st, n), peak=float(np.abs(padded).max(initial=1e-9)))


def on_core(f0_st: NDArray[np.floating], n_frames: int) -> NDArray[np.float32]:
    """Pitch in Hz of the 10 ms frames that lie in the middle of the long windows.

    Parameters
    ----------
    f0_st : ndarray, shape (n,)
        Semitones, 0 where unvoiced.
    n_frames : int
        Frames wanted.

    Returns
    -------
    ndarray, shape (n_frames,)
        NaN where unvoiced.
    """
    out = np.full(n_frames, np.nan, dtype=np.float32)
    place = np.flatnonzero(f0_st > 0)
    place = place[place + 2 < n_frames]
    out[place + 2] = 27.5 * 2.0 ** (f0_st[place] / 12.0)
    return out


def cycle_tracks(cycles: Cycles, n_frames: int) -> tuple[F64, F64]:
    """Jitter (ratio) and shimmer (dB) of the cycles that begin in each long window; 0 where there are under three.

    Parameters
    ----------
    cycles : Cycles
        Marks of glottal cycles, in s.
    n_frames : int
        Frames wanted.

    Returns
    -------
    jitter, shimmer : ndarray, shape (n_frames,)
    """
    marks, top = cycles.times_s, np.maximum(cycles.amplitude.astype(np.float64), 1e-9)
    if len(marks) < 3:
        return np.zeros(n_frames), np.zeros(n_frames)
    period = np.diff(marks)
    before, after = period[:-1], period[1:]
    near = np.isfinite(before + after) & (np.maximum(before, after) < _ALIKE * np.minimum(before, after))
    change = np.where(near, np.abs(after - before), 0.0)
    ratio = np.abs(20.0 * np.log10(top[2:] / top[1:-1]))
    heard = near & np.isfinite(ratio)  # the first and last cycle of a stretch may have no amplitude
    middle = np.where(np.isfinite(marks[1:-1]), marks[1:-1], -np.inf)
    middle = np.maximum.accumulate(middle)
    starts = np.arange(n_frames) * STEP_S
    first, last = np.searchsorted(middle, starts), np.searchsorted(middle, starts + LONG_S)
    count, moved, loud, length = (
        _between(values, first, last)
        for values in (heard, change, np.where(heard, ratio, 0.0), np.where(near, after, 0.0))
    )
    return moved / np.maximum(length, 1e-9), loud / np.maximum(count, 1.0)


def _between(values: NDArray[np.floating] | Flags, first: NDArray[np.int64], last: NDArray[np.int64]) -> F64:
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(total[last] - total[first])


def contours(frames: LowLevel, jitter: F64, shimmer: F64) -> Contours:
    """Smooth the descriptors over three frames, apart for voiced and unvoiced ones.

    Parameters
    ----------
    frames : LowLevel
        Of n frames.
    jitter, shimmer : ndarray, shape (n,)
        Of the same frames, 0 where undefined.

    Returns
    -------
    Contours
    """
    outside = np.isnan(frames.f0_st)
    f0 = np.where(outside, 0.0, frames.f0_st).astype(np.float64)
    voiced, unvoiced = f0 > 0, (f0 == 0) & ~outside
    spectral = {
        "alphaRatio": frames.alpha_ratio_db,
        "hammarbergIndex": frames.hammarberg_db,
        "slope{}0-500": frames.slope_low,
        "slope{}500-1500": frames.slope_mid,
        "spectralFlux": frames.flux,
    }
    cepstra = {f"mfcc{i + 1}": frames.mfcc[:, i] for i in range(4)}
    return Contours(
        f0=np.where(outside, np.nan, _smooth_present(f0)),
        loudness=_smooth(frames.loudness),
        power=frames.power.astype(np.float64),
        plain={f"{name}_sma3": _smooth(v) for name, v in {"spectralFlux": frames.flux, **cepstra}.items()},
        voiced={
            **_voice(frames, np.where(voiced, jitter, 0.0), np.where(voiced, shimmer, 0.0), outside),
            **{f"{_tag(k, 'V')}_sma3nz": _smooth_present(np.where(voiced, v, 0.0)) for k, v in spectral.items()},
            **{f"{k}V_sma3nz": _smooth_present(np.where(voiced, v, 0.0)) for k, v in cepstra.items()},
        },
        unvoiced={f"{_tag(k, 'UV')}_sma3nz": _smooth_present(np.where(unvoiced, v, 0.0)) for k, v in spectral.items()},
    )


def _tag(name: str, tag: str) -> str:
    return name.format(tag) if "{}" in name else name + tag


def _voice(frames: LowLevel, jitter: F64, shimmer: F64, outside: Flags) -> dict[str, F64]:
    tracks: dict[str, NDArray[np.floating]] = {
        "jitterLocal": jitter,
        "shimmerLocaldB": shimmer,
        "HNRdBACF": frames.hnr_db,
        "logRelF0-H1-H2": frames.h1_h2_db,
        "logRelF0-H1-A3": frames.h1_a3_db,
    }
    for i in range(3):
        tracks[f"F{i + 1}frequency"] = frames.formant_hz[:, i]
        tracks[f"F{i + 1}bandwidth"] = frames.bandwidth_hz[:, i]
        tracks[f"F{i + 1}amplitudeLogRelF0"] = frames.amplitude_db[:, i]
    return {f"{k}_sma3nz": _smooth_present(np.where(outside, 0.0, v)) for k, v in tracks.items()}


def _smooth(track: NDArray[np.floating]) -> F64:
    """Mean of three frames; the first and last stand for those beyond."""
    if not len(track):
        return np.empty(0)
    wide = np.pad(track.astype(np.float64), 1, mode="edge")
    return np.asarray((wide[:-2] + wide[1:-1] + wide[2:]) / 3.0)


def _smooth_present(track: NDArray[np.floating]) -> F64:
    """Mean of the neighbours that are not 0; a 0 stays."""
    wide = np.pad(track.astype(np.float64), 1)
    there = (wide != 0).astype(np.float64)
    count = there[:-2] + there[1:-1] + there[2:]
    return np.where(track != 0, (wide[:-2] + wide[1:-1] + wide[2:]) / np.maximum(count, 1.0), 0.0)


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
    pitch = [part[part > 0] for part in (np.nan_to_num(found.f0[a:b]) for a, b in spans)]
    loud = [found.loudness[a:b] for a, b in spans]
    out = {**_contour(_F0, pitch), **_contour(_LOUD, loud)}
    for name, track in found.plain.items():
        out |= _moments(name, track[keep])
    for name, track in found.voiced.items():
        out |= _moments(name, track[keep & (track != 0)])
    for name, track in found.unvoiced.items():
        out[f"{name}_amean"] = _mean(track[keep & (track != 0)])
    voiced, unvoiced = _segments(found.f0, keep, voiced=1), _segments(found.f0, keep, voiced=0)
    seconds = float(keep.sum()) * STEP_S
    known = float((keep & np.isfinite(found.f0)).sum() - 2) * STEP_S
    out["loudnessPeaksPerSec"] = _per(slopes(loud, STEP_S).peaks, seconds)
    out["VoicedSegmentsPerSec"] = _per(len(voiced), known)
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


def _segments(f0: F64, keep: Flags, *, voiced: int) -> F64:
    inside = keep & ((f0 > 0) if voiced else (f0 == 0))
    return np.asarray([last - first for first, last in runs(inside)], dtype=np.float64) * STEP_S
