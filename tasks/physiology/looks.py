"""Whether a signal is what the manifest says, and where it runs against its recorder's limits."""

from __future__ import annotations

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.physiology.filters import bandpass
from cueflow.tasks.physiology.segments import BoolArray, runs

ECG_WIDEST_S = 0.13
"""Half-width of the typical complex; a bundle branch block stays below 0.12 s, a pulse wave is above 0.15 s."""
PULSE_NARROWEST_S = 0.10
BREATH_FASTEST_HZ = 0.8
FAST_SHARE = 0.8
"""Of a breathing signal's power above 48 breaths per minute: then it is no breathing."""
CLIPPED_SHARE = 0.01
_RUN = 3  # samples at the limit
_RUNS = 5  # that reach it
_QUANTA = 3.0  # by which the signal steps into its limit; a rounded top comes near it slowly
_AROUND_S = 0.4
_FEWEST = 5


def beat_width_s(values: FloatArray, positions: FloatArray, sampling_rate: float) -> float:
    """Half-width of the typical beat's main wave.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps.
    positions : ndarray, shape (m,)
        Tops of the beats, in samples.
    sampling_rate : float
        In Hz.

    Returns
    -------
    float
        In s; NaN for fewer than five beats.
    """
    reach = round(_AROUND_S * sampling_rate)
    index = np.round(positions).astype(np.int64)
    index = index[(index >= reach) & (index < len(values) - reach)]
    if len(index) < _FEWEST:
        return float("nan")
    shape = bandpass(values, sampling_rate, 0.5, 40.0)
    beat = np.median(shape[index[:, None] + np.arange(-reach, reach + 1)[None, :]], axis=0)
    beat = beat - np.median(beat)
    high = np.abs(beat) >= abs(beat[reach]) / 2
    first, last = next(((a, b) for a, b in runs(high) if a <= reach < b), (reach, reach))
    return float(last - first) / sampling_rate


def fast_share(values: FloatArray, sampling_rate: float) -> float:
    """Share of a signal's power between 0.05 and 20 Hz that lies above 0.8 Hz.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    float
        0 to 1; NaN for a signal without power.
    """
    from scipy.signal import welch

    frequency, power = welch(values, sampling_rate, nperseg=min(len(values), round(40.0 * sampling_rate)))
    inside = (frequency >= 0.05) & (frequency <= 20.0)
    total = float(power[inside].sum())
    return float(power[inside & (frequency > BREATH_FASTEST_HZ)].sum()) / total if total > 0 else float("nan")


def saturated(values: FloatArray) -> BoolArray:
    """Samples at the limit of the recorder.

    A limit is the highest or lowest value if the signal steps into it and stays for three samples or more, at least
    five times. A rounded top is none, in coarse steps or fine ones: there the signal comes near slowly.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where a sample is missing.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found = np.zeros(len(values), dtype=bool)
    known = np.unique(values[np.isfinite(values)])
    if len(known) < 2:
        return found
    quantum = float(np.min(np.diff(known)))
    steps = np.abs(np.diff(values))
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    for limit in (known[0], known[-1]):
        held = runs(values == limit)
        held = held[held[:, 1] - held[:, 0] >= _RUN]
        if len(held) < _RUNS:
            continue
        before = values[np.clip(held[:, 0] - 1, 0, None)]
        if float(np.nanmedian(np.abs(before - limit))) >= max(_QUANTA * quantum, 0.5 * usual):
            for first, last in held:
                found[first:last] = True
    return found
