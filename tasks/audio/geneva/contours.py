"""Contours of the eGeMAPS set: its 25 low-level descriptors every 10 ms, smoothed as the published set smooths them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.geneva.frames import LONG_S, STEP_S, LowLevel
from cueflow.tasks.audio.quality.periods import Cycles

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]

_ALIKE = 1.3  # neighbouring periods further apart are no neighbours


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


def descriptors(frames: LowLevel, jitter: F64, shimmer: F64) -> dict[str, F64]:
    """The 25 contours one by one, as the published configuration writes them beside its statistics.

    Parameters
    ----------
    frames : LowLevel
        Of n frames.
    jitter, shimmer : ndarray, shape (n,)
        Of the same frames, 0 where undefined.

    Returns
    -------
    dict
        Arrays of shape (n,) by published name, in the published order; those of voiced frames (`_sma3nz`) are 0
        elsewhere.
    """
    outside = np.isnan(frames.f0_st)
    f0 = np.where(outside, 0.0, frames.f0_st).astype(np.float64)
    voiced = f0 > 0
    spectral = {
        "Loudness": frames.loudness,
        "alphaRatio": frames.alpha_ratio_db,
        "hammarbergIndex": frames.hammarberg_db,
        "slope0-500": frames.slope_low,
        "slope500-1500": frames.slope_mid,
        "spectralFlux": frames.flux,
        **{f"mfcc{i + 1}": frames.mfcc[:, i] for i in range(4)},
    }
    return {
        **{f"{name}_sma3": _smooth(track) for name, track in spectral.items()},
        "F0semitoneFrom27.5Hz_sma3nz": _smooth_present(f0),
        **_voice(frames, np.where(voiced, jitter, 0.0), np.where(voiced, shimmer, 0.0), outside),
    }


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
