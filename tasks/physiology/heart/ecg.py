"""R peaks of an electrocardiogram, contiguous segment by contiguous segment."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.filters import IntArray, bandpass, local_level, moving_mean, peak_indices, refine

QRS_BAND_HZ = (5.0, 25.0)
SHAPE_BAND_HZ = (0.7, 40.0)
REFRACTORY_S = 0.25
ENVELOPE_S = 0.10
LOCAL_BLOCK_S = 2.0
LOCAL_BLOCKS = 7
PAUSE, ROOM = 1.5, 0.4
"""A pause of this many usual intervals is searched again, this share of one away from the beats around it."""
WIDE_THRESHOLD = 0.12
FEWEST_SPACINGS = 8
THRESHOLD = 0.45
"""Share of the local level that the envelope must reach."""


def qrs_envelope(values: FloatArray, sampling_rate: float) -> FloatArray:
    """How steep the signal is in the band of the QRS complex.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    ndarray, shape (n,)
        Root of the smoothed squared slope of the filtered signal: blind to the lead's sign.

    References
    ----------
    Pan & Tompkins (1985), doi:10.1109/TBME.1985.325532
    """
    steep = np.gradient(bandpass(values, sampling_rate, *QRS_BAND_HZ)) * sampling_rate
    return np.sqrt(np.maximum(moving_mean(steep**2, round(ENVELOPE_S * sampling_rate)), 0.0))


def lead_sign(values: FloatArray, complexes: IntArray, reach: int) -> float:
    """Whether the main wave of the complexes points up or down.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Filtered signal, mean about 0.
    complexes : ndarray of int, shape (m,)
        Middles of the complexes.
    reach : int
        Samples either side that belong to a complex.

    Returns
    -------
    float
        1 or -1.
    """
    inner = complexes[(complexes >= reach) & (complexes < len(values) - reach)]
    if len(inner) == 0:
        return 1.0
    cut = values[inner[:, None] + np.arange(-reach, reach + 1)[None, :]]
    return 1.0 if np.median(cut.max(axis=1)) >= np.median(-cut.min(axis=1)) else -1.0


def complexes(values: FloatArray, sampling_rate: float) -> IntArray:
    """Samples near the middle of each QRS complex.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    ndarray of int, shape (m,)
    """
    envelope = qrs_envelope(values, sampling_rate)
    level = local_level(envelope, round(LOCAL_BLOCK_S * sampling_rate), LOCAL_BLOCKS)
    peaks = peak_indices(envelope, distance=REFRACTORY_S * sampling_rate)
    height = envelope[peaks] / np.maximum(level[peaks], np.finfo(float).tiny)
    sure = np.flatnonzero((height >= THRESHOLD) & (envelope[peaks] > 0))
    return peaks[_with_wide_ones(peaks, height, sure)]


def _with_wide_ones(peaks: IntArray, height: FloatArray, sure: IntArray) -> IntArray:
    """Numbers of the peaks that are complexes: the sure ones, and the highest in each pause that is long enough.

    A ventricular beat is wide: its slope is small, and it shows as a pause of more than one and a half intervals.
    """
    spacing = np.diff(peaks[sure])
    if len(spacing) < FEWEST_SPACINGS:
        return sure
    usual = float(np.median(spacing))
    more = []
    for k in np.flatnonzero(spacing > PAUSE * usual):
        first, last = int(sure[k]), int(sure[k + 1])
        between = np.arange(first + 1, last)
        room = (peaks[between] - peaks[first] > ROOM * usual) & (peaks[last] - peaks[between] > ROOM * usual)
        between = between[room & (height[between] >= WIDE_THRESHOLD)]
        if len(between):
            more.append(int(between[height[between].argmax()]))
    return np.sort(np.concatenate([sure, np.array(more, dtype=np.int64)]))


def r_peaks(values: FloatArray, sampling_rate: float, *, sign: float | None = None) -> FloatArray:
    """Positions of the R peaks, in samples.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Electrocardiogram in any unit, without gaps.
    sampling_rate : float
        In Hz.
    sign : float, optional
        1 for a lead with upright R waves, -1 for an inverted one; default: decided from the data.

    Returns
    -------
    ndarray, shape (m,)
        Increasing; refined between samples by a parabola.
    """
    middles = complexes(values, sampling_rate)
    shape = bandpass(values, sampling_rate, *SHAPE_BAND_HZ)
    reach = max(1, round(0.06 * sampling_rate))
    shape = shape * (lead_sign(shape, middles, reach) if sign is None else sign)
    inner = middles[(middles >= reach) & (middles < len(values) - reach)]
    if len(inner) == 0:
        return np.empty(0)
    cut = shape[inner[:, None] + np.arange(-reach, reach + 1)[None, :]]
    tops = np.unique(inner - reach + cut.argmax(axis=1))
    return refine(shape, tops)
