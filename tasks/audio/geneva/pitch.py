"""Pitch of the eGeMAPS set: subharmonic summation over a logarithmic spectrum, and the cheapest path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

LOWEST_HZ = 27.5  # semitone 0
_GRID_FROM_HZ = 25.0
_HEARD_FROM_HZ = 32.0  # half sensitivity
_RANGE_HZ = (55.0, 1000.0)
_HARMONICS = 15
_COMPRESSION = 0.85  # weight of a harmonic over the one below
_CANDIDATES = 6
_VOICED_FROM = 0.7
_HIGH_FROM_HZ = 250.0
_NEVER = 1e9  # what no candidate costs
_PIECE = 256  # frames at a time: stays in the processor's cache


@dataclass(frozen=True, slots=True)
class PathCosts:
    """What the path pays, lengths in octaves.

    A candidate: `local` times the logarithm of one over its voicing, `threshold` where that is below the voicing
    threshold, `high` times the square of its octaves above 250 Hz. No voice: `unvoiced` times the best candidate's
    voicing, and `threshold` where one is above it. From frame to frame: `step` an octave, `switch` for a change of
    voicing, `apart` for every octave between the candidate that is left and the next stronger one of its own frame
    (the step once more where it is the strongest), and `first` for leaving the strongest of the first frame.
    """

    local: float = 1.0
    threshold: float = 4.0
    high: float = 0.4
    unvoiced: float = 0.8
    step: float = 6.0
    switch: float = 5.0
    apart: float = 3.0
    first: float = 6.0


COSTS = PathCosts()


def subharmonic_pitch(magnitudes: F32, bin_hz: float, *, costs: PathCosts = COSTS) -> tuple[F64, int]:
    """Pitch of every frame.

    Parameters
    ----------
    magnitudes : ndarray, shape (n, bins)
        Magnitude spectra of Gaussian windows of 60 ms.
    bin_hz : float
        Distance of the bins.
    costs : PathCosts, optional
        Costs of the path.

    Returns
    -------
    pitch : ndarray, shape (n,)
        Semitones over 27.5 Hz, 0 where unvoiced.
    settled : int
        Number of first frames whose pitch does not hang on what comes after the last one.

    References
    ----------
    Hermes (1988), Measurement of pitch by subharmonic summation, JASA 83, 257-264, doi:10.1121/1.396427, with the
    settings of the published eGeMAPS configuration: 55 to 1000 Hz, 15 harmonics, compression .85, 6 candidates.
    """
    if not len(magnitudes):
        return np.empty(0), 0
    pieces = [_candidates(magnitudes[at : at + _PIECE], bin_hz) for at in range(0, len(magnitudes), _PIECE)]
    octaves, voicing = (np.concatenate(part) for part in zip(*pieces, strict=True))
    chosen, settled = _path(octaves, voicing, costs)
    found = octaves[np.arange(len(chosen)), chosen]
    return np.asarray(np.where(chosen >= 0, 12.0 * (found - np.log2(LOWEST_HZ)), 0.0)), settled


@lru_cache(maxsize=4)
def _grid(bins: int, bin_hz: float) -> tuple[F64, F32, F32]:
    """Octaves of the logarithmic grid, the spline that reads a spectrum there, and the ear's sensitivity."""
    from scipy.interpolate import CubicSpline

    octaves = np.linspace(np.log2(_GRID_FROM_HZ), np.log2((bins - 1) * bin_hz), bins)
    knots = np.log2(np.maximum(np.arange(bins), 1) * bin_hz)
    knots[0] = 2.0 * knots[1] - knots[2]  # 0 Hz has no place among octaves: as far below as the next two are apart
    spline = CubicSpline(knots, np.eye(bins), axis=0, bc_type="natural")
    sensitivity = 0.5 + np.arctan(3.0 * (octaves - np.log2(_HEARD_FROM_HZ))) / np.pi
    return octaves, spline(octaves).T.astype(np.float32), sensitivity.astype(np.float32)


def _peaks_only(spectrum: F32) -> F32:
    """Two bins on either side of every peak are kept, then smoothed by a Hann window of three."""
    beside = np.pad(spectrum, [(0, 0), (1, 1)])
    top = (beside[:, 1:-1] >= beside[:, :-2]) & (beside[:, 1:-1] > beside[:, 2:])
    wide = np.pad(top, [(0, 0), (2, 2)])
    near = wide[:, :-4] | wide[:, 1:-3] | wide[:, 2:-2] | wide[:, 3:-1] | wide[:, 4:]
    kept = np.pad(np.where(near, spectrum, 0.0), [(0, 0), (1, 1)])
    return np.asarray((kept[:, :-2] + 2.0 * kept[:, 1:-1] + kept[:, 2:]) / 4.0, dtype=np.float32)


def _candidates(magnitudes: F32, bin_hz: float) -> tuple[F64, F64]:
    """Pitches in octaves (n, k) and how voiced they are (n, k), 0 where there is no candidate."""
    octaves, spline, sensitivity = _grid(magnitudes.shape[1], bin_hz)
    loud = np.maximum(_peaks_only(magnitudes) @ spline, 0.0) * sensitivity
    step, n = float(octaves[1] - octaves[0]), len(octaves)
    per_octave = n / float(octaves[-1] - octaves[0])  # of n points, not of the n - 1 steps between them
    total = np.zeros_like(loud)
    for harmonic in range(1, _HARMONICS + 1):
        shift = int(np.log2(harmonic) * per_octave)
        if shift < n:
            total[:, : n - shift] += loud[:, shift:] * _COMPRESSION ** (harmonic - 1)
    low, high = (int(np.searchsorted(octaves, np.log2(hertz))) for hertz in _RANGE_HZ)
    middle = total[:, low:high]
    top = (middle > total[:, low - 1 : high - 1]) & (middle >= total[:, low + 1 : high + 1])
    frames, places = np.nonzero(top)
    y0, y1, y2 = (total[frames, places + low + k].astype(np.float64) for k in (-1, 0, 1))
    shift_by = 0.5 * (y0 - y2) / np.minimum(y0 - 2.0 * y1 + y2, -1e-12)
    height, place = np.zeros(middle.shape), np.zeros(middle.shape)
    height[frames, places] = y1 - 0.25 * (y0 - y2) * shift_by  # a parabola's
    place[frames, places] = places + low + shift_by
    best = np.argsort(-height, axis=1, kind="stable")[:, :_CANDIDATES]
    height, place = (np.take_along_axis(values, best, axis=1) for values in (height, place))
    voicing = np.where(height > 0, 1.0 - total.mean(axis=1, keepdims=True) / np.maximum(height, 1e-12), 0.0)
    return octaves[0] + step * place, np.clip(voicing, 0.0, 1.0)


def _own_costs(octaves: F64, voicing: F64, costs: PathCosts) -> F64:
    """What every candidate (n, k) and, last, being unvoiced costs: (n, k + 1)."""
    weak = voicing < _VOICED_FROM
    above = np.maximum(octaves - np.log2(_HIGH_FROM_HZ), 0.0)
    own = costs.threshold * weak + costs.high * above**2 - costs.local * np.log(np.maximum(voicing, 1e-3))
    unvoiced = costs.threshold * (~weak).any(axis=1) + costs.unvoiced * voicing.max(axis=1)
    return np.column_stack([np.where(voicing > 0, own, _NEVER), unvoiced])


def _path(octaves: F64, voicing: F64, costs: PathCosts) -> tuple[NDArray[np.int64], int]:
    """The cheapest path through the candidates, -1 for unvoiced, and how many first frames all paths share."""
    n, k = octaves.shape
    own = _own_costs(octaves, voicing, costs)
    total = own[0]
    back = np.zeros((n, k + 1), dtype=np.int8)
    reach = np.full((k + 1, k + 1), costs.switch, dtype=np.float64)
    reach[k, k] = 0.0
    apart = costs.apart * np.abs(np.diff(octaves, axis=1))[:, :, None]
    every = np.arange(k + 1)
    for i in range(1, n):
        step = np.abs(octaves[i] - octaves[i - 1][:, None])
        reach[:k, :k] = costs.step * step
        reach[0, :k] += costs.apart * step[0]
        reach[1:k, :k] += apart[i - 1]
        if i == 1:
            reach[0, :k] += costs.first
        sums = total[:, None] + reach
        best = back[i] = sums.argmin(axis=0)
        total = sums[best, every] + own[i]
    chosen = np.empty(n, dtype=np.int64)
    chosen[-1] = int(total.argmin())
    for i in range(n - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    settled, ends = n, every
    while settled and np.ptp(ends):
        settled -= 1
        ends = back[settled, ends]
    return np.where(chosen == k, -1, chosen), settled
