"""Whether a signal is what the manifest says, and where it runs against its recorder's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray, Recorded
from cueflow.tasks.physiology.blocks import blocks
from cueflow.tasks.physiology.filters import IntArray, bandpass
from cueflow.tasks.physiology.segments import BoolArray, runs

ECG_WIDEST_S = 0.13
"""Half-width of the typical complex; a bundle branch block stays below 0.12 s, a pulse wave is above 0.15 s."""
PULSE_NARROWEST_S = 0.07
"""Half-width of the typical pulse; an electrocardiogram's complex is below 0.05 s."""
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


@dataclass(frozen=True, slots=True)
class _Range:
    """Lowest and highest value, the smallest step that the recorder can make, and the usual step from one sample on."""

    low: float
    high: float
    quantum: float
    usual: float


def limits(signal: Recorded) -> tuple[float, ...]:
    """Limits of the recorder that the signal runs against.

    A limit is the highest or lowest value if the signal steps into it and stays for three samples or more, at least
    five times. A rounded top is none, in coarse steps or fine ones: there the signal comes near slowly.

    Parameters
    ----------
    signal : Signal or LongSignal
        NaN where a sample is missing.

    Returns
    -------
    tuple of float
        None, one or two.
    """
    span = _range(signal)
    if span is None:
        return ()
    step = max(_QUANTA * span.quantum, 0.5 * span.usual)
    return tuple(limit for limit in (span.low, span.high) if _is_limit(signal, limit, step))


def at_limits(values: FloatArray, held: Sequence[float]) -> BoolArray:
    """True for samples at a limit, in runs of three or more.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The signal.
    held : sequence of float
        From `limits`.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    found = np.zeros(len(values), dtype=bool)
    for limit in held:
        for first, last in _runs_at(values, limit):
            found[first:last] = True
    return found


def _range(signal: Recorded) -> _Range | None:
    """None for a signal that never changes."""
    low, high, quantum, usual = np.inf, -np.inf, np.inf, []
    for block in blocks(signal, 0.0):
        values = block.signal.values
        known = np.unique(values[np.isfinite(values)])
        if not len(known):
            continue
        low, high = min(low, float(known[0])), max(high, float(known[-1]))
        quantum = min(quantum, float(np.diff(known).min(initial=np.inf)))
        steps = np.abs(np.diff(values))
        usual.append(float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0)
    if not high > low:
        return None
    return _Range(low, high, min(quantum, high - low), float(np.median(usual)))


def _is_limit(signal: Recorded, value: float, step: float) -> bool:
    """Whether the signal comes to a value in steps of this size, and stays."""
    reached, apart = 0, [np.empty(0)]
    for block in blocks(signal, _AROUND_S):
        values = block.signal.values
        starts = _runs_at(values, value)[:, 0]
        starts = starts[(starts >= block.own.start) & (starts < block.own.stop)]
        reached += len(starts)
        apart.append(np.abs(values[np.clip(starts - 1, 0, None)] - value))
    return reached >= _RUNS and float(np.nanmedian(np.concatenate(apart))) >= step


def _runs_at(values: FloatArray, value: float) -> IntArray:
    held = runs(values == value)
    return held[held[:, 1] - held[:, 0] >= _RUN]
