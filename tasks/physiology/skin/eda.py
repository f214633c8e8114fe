"""Skin conductance: where it can be trusted, its slow level, and its responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray, Recorded, Signal
from cueflow.tasks.physiology.blocks import averaged
from cueflow.tasks.physiology.filters import bandpass, moving_mean, peak_indices
from cueflow.tasks.physiology.segments import GAP_PERIODS, BoolArray, Segment, fractional_times, runs

CONTACT_US = 0.05
"""Below this the electrode has no contact."""
SATURATED_US = 60.0
STEEPEST_US_PER_S = 10.0
RECOVERS_S = 5.0
"""This long before and after a jump, a loss of contact or saturation nothing is used."""
WORKING_HZ = 8.0
"""Faster recordings are averaged down to about this rate: no response is faster."""
SMOOTH_HZ = 1.0
TONIC_HZ = 0.05
SHORTEST_RISE_S, LONGEST_RISE_S = 0.25, 5.0
LATEST_RECOVERY_S = 15.0
ONSET_SLOPE = 0.1
CANDIDATE = 0.1
"""A peak must stand out by this share of the threshold to be looked at: a rising level hides its fall."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Conductance of one segment on its working rate, each array (n,): time in s, and µS."""

    times_s: FloatArray
    smooth: FloatArray
    tonic: FloatArray
    rate: float

    @property
    def phasic(self) -> FloatArray:
        """What the slow level leaves, µS."""
        return np.asarray(self.smooth - self.tonic)


@dataclass(frozen=True, slots=True)
class Responses:
    """Skin conductance responses, each array (m,): onset and peak in s, amplitude in µS, half recovery in s or NaN."""

    onset_s: FloatArray
    peak_s: FloatArray
    amplitude_us: FloatArray
    half_recovery_s: FloatArray

    @property
    def rise_time_s(self) -> FloatArray:
        """From onset to peak, s."""
        return np.asarray(self.peak_s - self.onset_s)

    def __len__(self) -> int:
        return len(self.onset_s)


def widened(mask: BoolArray, samples: int) -> BoolArray:
    """True also this many samples before and after every True.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        The condition.
    samples : int
        How far.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    out = mask.copy()
    for first, last in runs(mask):
        out[max(0, first - samples) : last + samples] = True
    return out


def no_contact(values: FloatArray) -> BoolArray:
    """True where the electrode has no contact.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In µS.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return np.asarray(np.nan_to_num(values, nan=np.inf) < CONTACT_US)


def artefacts(signal: Signal) -> BoolArray:
    """True where skin conductance cannot be what it seems: no contact, saturation, jumps, and 5 s around each.

    Parameters
    ----------
    signal : Signal
        In µS; NaN and steps in time are gaps, and no jump is looked for across one.

    Returns
    -------
    ndarray of bool, shape (n,)

    References
    ----------
    Kleckner et al. (2018), doi:10.1109/TBME.2017.2758643: 0.05 to 60 µS, at most 10 µS/s, 5 s around.
    """
    values, sampling_rate = signal.values, signal.sampling_rate
    lag = max(1, round(0.25 * sampling_rate))
    filled = np.where(np.isfinite(values), values, 0.0)
    step = moving_mean(filled, lag)
    slope = np.zeros(len(values))
    slope[lag:] = np.abs(step[lag:] - step[:-lag]) * sampling_rate / lag
    gap = np.diff(signal.times_s, prepend=signal.times_s[0]) > GAP_PERIODS / sampling_rate
    missing = widened(gap | ~np.isfinite(values), 2 * lag)
    wrong = no_contact(values) | (values > SATURATED_US) | ((slope > STEEPEST_US_PER_S) & ~missing)
    return widened(wrong, round(RECOVERS_S * sampling_rate))


def trace(signal: Recorded, piece: Segment) -> Trace:
    """Smooth conductance and slow level of one segment.

    Parameters
    ----------
    signal : Signal or LongSignal
        In µS.
    piece : Segment
        A usable stretch.

    Returns
    -------
    Trace
        At 8 to 16 Hz where the recording is faster than 16 Hz, else at its own rate. Smooth: below 1 Hz; tonic: below
        0.05 Hz, both Butterworth of second order, forwards and backwards.

    References
    ----------
    The tonic part is that of NeuroKit2's `eda_phasic(method="highpass")`, doi:10.3758/s13428-020-01516-y
    """
    factor = max(1, int(signal.sampling_rate // WORKING_HZ))
    times, values = averaged(signal, piece, factor)
    rate = signal.sampling_rate / factor
    return Trace(times, bandpass(values, rate, None, SMOOTH_HZ), bandpass(values, rate, None, TONIC_HZ), rate)


def responses(track: Trace, *, threshold_us: float) -> Responses:
    """Skin conductance responses of one segment, trough to peak.

    Parameters
    ----------
    track : Trace
        Smooth conductance.
    threshold_us : float
        Smallest amplitude, µS.

    Returns
    -------
    Responses
        Onset: the last sample before the steepest rise where the slope is below a tenth of the steepest, so that a
        slow drift is no part of a response; a rise of more than 5 s is none. Half recovery: from the peak to where
        half of the amplitude is lost, NaN where the next response comes first.

    References
    ----------
    Boucsein et al. (2012), doi:10.1111/j.1469-8986.2012.01384.x
    """
    wave = track.smooth
    peaks = peak_indices(wave, prominence=CANDIDATE * threshold_us)
    rows = []
    left = 0
    for number, peak in enumerate(peaks):
        right = int(peaks[number + 1]) if number + 1 < len(peaks) else len(wave)
        rows.append(_response(wave, (left, int(peak), right), rate=track.rate))
        left = int(peak)
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    rise = (table[:, 1] - table[:, 0]) / track.rate
    keep = (table[:, 2] >= threshold_us) & (rise >= SHORTEST_RISE_S - 1e-9) & (rise <= LONGEST_RISE_S)
    table = table[keep]
    onset, peak_at = (fractional_times(track.times_s, table[:, i]) for i in (0, 1))
    return Responses(onset, peak_at, table[:, 2], table[:, 3])


def _response(wave: FloatArray, bounds: tuple[int, int, int], *, rate: float) -> tuple[float, float, float, float]:
    """Onset and peak in samples, amplitude in µS, half recovery in s; bounds: last peak, this peak, next peak."""
    left, peak, right = bounds
    reach = max(left, peak - round((LONGEST_RISE_S + 1.0) * rate))
    slope = np.diff(wave[reach : peak + 1], prepend=wave[reach])
    steepest = int(slope.argmax())
    calm = np.flatnonzero(slope[: steepest + 1] < ONSET_SLOPE * slope[steepest])
    onset = reach + int(calm[-1] if len(calm) else 0)
    height = float(wave[peak] - wave[onset])
    after = wave[peak : min(right, peak + round(LATEST_RECOVERY_S * rate))]
    return float(onset), float(peak), height, _first_below(after, float(wave[peak]) - 0.5 * height) / rate


def _first_below(wave: FloatArray, level: float) -> float:
    """Position, between samples, where the signal first falls to a level; NaN where it does not."""
    below = np.flatnonzero(wave <= level)
    if len(below) == 0 or below[0] == 0:
        return float("nan")
    at = int(below[0])
    return at - float((level - wave[at]) / (wave[at - 1] - wave[at]))


def all_responses(tracks: Sequence[Trace], *, threshold_us: float) -> Responses:
    """Responses of every segment.

    Parameters
    ----------
    tracks : sequence of Trace
        The segments.
    threshold_us : float
        Smallest amplitude, µS.

    Returns
    -------
    Responses
        In order of time.
    """
    parts = [responses(t, threshold_us=threshold_us) for t in tracks]
    empty = [np.empty(0)]
    return Responses(
        np.concatenate(empty + [p.onset_s for p in parts]),
        np.concatenate(empty + [p.peak_s for p in parts]),
        np.concatenate(empty + [p.amplitude_us for p in parts]),
        np.concatenate(empty + [p.half_recovery_s for p in parts]),
    )
