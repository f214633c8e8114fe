"""Systolic peaks of a pulse wave, contiguous segment by contiguous segment."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.filters import bandpass, moving_mean, refine
from cueflow.tasks.physiology.segments import runs

PULSE_BAND_HZ = (0.5, 8.0)
PEAK_S = 0.111
BEAT_S = 0.667
OFFSET = 0.02
REFRACTORY_S = 0.3


def pulse_peaks(values: FloatArray, sampling_rate: float) -> FloatArray:
    """Positions of the systolic peaks, in samples.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Pulse wave in any unit, upright, without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    ndarray, shape (m,)
        Increasing; refined between samples by a parabola.

    References
    ----------
    Elgendi et al. (2013), doi:10.1371/journal.pone.0076585
    """
    wave = bandpass(values, sampling_rate, *PULSE_BAND_HZ, order=3)
    power = np.maximum(wave, 0.0) ** 2
    near = moving_mean(power, round(PEAK_S * sampling_rate))
    wide = moving_mean(power, round(BEAT_S * sampling_rate))
    blocks = runs(near > wide + OFFSET * power.mean())
    tops: list[int] = []
    for first, last in blocks[(blocks[:, 1] - blocks[:, 0]) >= round(PEAK_S * sampling_rate)]:
        top = int(first + wave[first:last].argmax())
        if not tops or top - tops[-1] > REFRACTORY_S * sampling_rate:
            tops.append(top)
    return refine(wave, np.array(tops, dtype=np.int64))
