"""Contours of the eGeMAPS set: its 25 low-level descriptors every 10 ms, smoothed as the published set smooths them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.geneva.frames import LowLevel

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]


class OnRequest(Mapping[str, F64]):
    """Contours by name, each smoothed when it is asked for and not kept: of an hour, one is 3 MB and all are 100."""

    def __init__(self, made_by: Mapping[str, Callable[[], F64]]) -> None:
        self._made_by = made_by

    def __getitem__(self, name: str) -> F64:
        return self._made_by[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._made_by)

    def __len__(self) -> int:
        return len(self._made_by)


@dataclass(frozen=True, slots=True)
class Contours:
    """Smoothed descriptors of n frames; a contour of voiced frames is 0 where it has no value.

    `plain` over all frames, `voiced` over voiced and `unvoiced` over unvoiced ones, by the published name without
    statistic; `f0` (n,) NaN where no long window fits; `settled` (n,) as `LowLevel` has it; `power` (n,).
    """

    f0: F64
    settled: Flags
    loudness: F64
    power: F64
    plain: Mapping[str, F64]
    voiced: Mapping[str, F64]
    unvoiced: Mapping[str, F64]


def contours(frames: LowLevel) -> Contours:
    """Smooth the descriptors over three frames, apart for voiced and unvoiced ones.

    Parameters
    ----------
    frames : LowLevel
        Of n frames.

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
        settled=frames.settled,
        loudness=_smooth(frames.loudness),
        power=frames.power.astype(np.float64),
        plain=OnRequest(
            {f"{name}_sma3": partial(_smooth, v) for name, v in {"spectralFlux": frames.flux, **cepstra}.items()}
        ),
        voiced=OnRequest(
            {
                **_voice(frames, outside),
                **{f"{_tag(k, 'V')}_sma3nz": partial(_smooth_among, voiced, v) for k, v in spectral.items()},
                **{f"{k}V_sma3nz": partial(_smooth_among, voiced, v) for k, v in cepstra.items()},
            }
        ),
        unvoiced=OnRequest(
            {f"{_tag(k, 'UV')}_sma3nz": partial(_smooth_among, unvoiced, v) for k, v in spectral.items()}
        ),
    )


def descriptors(frames: LowLevel) -> OnRequest:
    """The 25 contours one by one, as the published configuration writes them beside its statistics.

    Parameters
    ----------
    frames : LowLevel
        Of n frames.

    Returns
    -------
    OnRequest
        Arrays of shape (n,) by published name, in the published order; those of voiced frames (`_sma3nz`) are 0
        elsewhere.
    """
    outside = np.isnan(frames.f0_st)
    f0 = np.where(outside, 0.0, frames.f0_st).astype(np.float64)
    spectral = {
        "Loudness": frames.loudness,
        "alphaRatio": frames.alpha_ratio_db,
        "hammarbergIndex": frames.hammarberg_db,
        "slope0-500": frames.slope_low,
        "slope500-1500": frames.slope_mid,
        "spectralFlux": frames.flux,
        **{f"mfcc{i + 1}": frames.mfcc[:, i] for i in range(4)},
    }
    return OnRequest(
        {
            **{f"{name}_sma3": partial(_smooth, track) for name, track in spectral.items()},
            "F0semitoneFrom27.5Hz_sma3nz": partial(_smooth_present, f0),
            **_voice(frames, outside),
        }
    )


def _tag(name: str, tag: str) -> str:
    return name.format(tag) if "{}" in name else name + tag


def _voice(frames: LowLevel, outside: Flags) -> dict[str, Callable[[], F64]]:
    tracks: dict[str, NDArray[np.floating]] = {
        "jitterLocal": frames.jitter,
        "shimmerLocaldB": frames.shimmer_db,
        "HNRdBACF": frames.hnr_db,
        "logRelF0-H1-H2": frames.h1_h2_db,
        "logRelF0-H1-A3": frames.h1_a3_db,
    }
    for i in range(3):
        tracks[f"F{i + 1}frequency"] = frames.formant_hz[:, i]
        tracks[f"F{i + 1}bandwidth"] = frames.bandwidth_hz[:, i]
        tracks[f"F{i + 1}amplitudeLogRelF0"] = frames.amplitude_db[:, i]
    return {f"{k}_sma3nz": partial(_smooth_among, ~outside, v) for k, v in tracks.items()}


def _smooth_among(flags: Flags, track: NDArray[np.floating]) -> F64:
    return _smooth_present(np.where(flags, track, 0.0))


def _smooth(track: NDArray[np.floating]) -> F64:
    """Mean of three frames; the first and last stand for those beyond."""
    if not len(track):
        return np.empty(0)
    wide = np.pad(track.astype(np.float64), 1, mode="edge")
    return np.asarray((wide[:-2] + wide[1:-1] + wide[2:]) / 3.0)


def _smooth_present(track: NDArray[np.floating]) -> F64:
    """Mean of the neighbours that are not 0; a 0 stays. The first and last stand for those beyond."""
    if not len(track):
        return np.empty(0)
    wide = np.pad(track.astype(np.float64), 1, mode="edge")
    there = (wide != 0).astype(np.float64)
    count = there[:-2] + there[1:-1] + there[2:]
    return np.where(track != 0, (wide[:-2] + wide[1:-1] + wide[2:]) / np.maximum(count, 1.0), 0.0)
