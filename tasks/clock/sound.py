"""Place one microphone's clock on another's: loudness first, then the phase of the sound itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.clock.lines import Offset, line_through
from cueflow.tasks.clock.offsets import FEWEST_BLOCKS, WITHIN_S, signals_offset, vertex

Sound = NDArray[np.float32] | FloatArray
_ENVELOPE_HZ = 100.0
_PIECE_S = 1.0
_MOST_PIECES = 200
_NEAR_S = 0.06  # around the place that loudness gives
_CLEAR = 6.0  # a piece counts if its peak is this many standard deviations above the rest of its correlation
_BAND_HZ = (200.0, 4000.0)  # below is hum, above is noise
_WAY_S = 0.01  # 95 % of the difference of the ways to two microphones: three metres of air


def sound_offset(
    reference: Sound, other: Sound, *, rate: float, within_s: float = WITHIN_S, seed: int = 0
) -> Offset | None:
    """Place of a sound recording that heard what another one heard.

    The loudness (100 per second) gives the place within some ms. Around it, the loudest pieces of 1 s are compared by
    the generalised cross-correlation with phase transform (Knapp & Carter 1976, doi:10.1109/TASSP.1976.1162830), which
    does not mind what the room does to the spectrum; a straight line goes through their lags.

    Parameters
    ----------
    reference, other : ndarray, shape (n,), (m,)
        Samples of one channel each, both starting at 0 s of their own clock.
    rate : float
        Of both, Hz.
    within_s : float, optional
        Largest offset that is searched, s.
    seed : int, optional
        Of the surrogates.

    Returns
    -------
    Offset or None
        None where the loudness has no significant place, or fewer than eight pieces agree on their own. The interval
        counts 10 ms for microphones up to 3 m apart: sound that comes later is not a clock that runs later.
    """
    a, b = _loudness(reference, rate), _loudness(other, rate)
    coarse = signals_offset(a, b, rate=_ENVELOPE_HZ, within_s=within_s, seed=seed)
    if coarse is None:
        return None
    length = int(_PIECE_S * rate)
    times, lags = [], []
    for start in _loudest(b[1], length, rate, len(other)):
        middle = (start + length / 2) / rate
        lag_s = coarse.offset_s + 1e-6 * coarse.drift_ppm * middle
        fine = _phase_lag(reference, other[start : start + length], round(start + lag_s * rate), rate)
        if fine is not None:
            times.append(middle)
            lags.append(fine / rate - start / rate)
    if len(times) < FEWEST_BLOCKS:
        return None
    order = np.argsort(times)
    found = line_through(np.array(times)[order], np.array(lags)[order], span=(0.0, len(other) / rate))
    return Offset(found.offset_s, found.drift_ppm, float(np.hypot(found.uncertainty_s, _WAY_S)), found.n)


def _loudness(sound: Sound, rate: float) -> tuple[FloatArray, FloatArray]:
    """Times and level in dB of pieces of 10 ms, silence floored 50 dB below the loudest."""
    edges = np.round(np.arange(0, len(sound) / rate * _ENVELOPE_HZ) / _ENVELOPE_HZ * rate).astype(np.int64)
    edges = edges[edges < len(sound)]
    if not len(edges):
        return np.zeros(0), np.zeros(0)
    power = np.add.reduceat(np.asarray(sound, dtype=np.float64) ** 2, edges) / np.diff(edges, append=len(sound))
    top = float(power.max())
    if not top > 0:
        return edges / rate, np.full(len(edges), np.nan)
    return edges / rate, 10.0 * np.log10(np.maximum(power / top, 1e-5))


def _loudest(level: FloatArray, length: int, rate: float, n: int) -> list[int]:
    """Starts of the loudest pieces of every stretch, so that they lie all over the recording."""
    per = int(_PIECE_S * _ENVELOPE_HZ)
    count = min(len(level) // per, n // length)
    loud = np.nan_to_num(level[: count * per], nan=-np.inf).reshape(count, per).mean(axis=1)
    groups = np.array_split(np.arange(count), min(_MOST_PIECES, max(count // 2, 1)))
    return [int(group[np.argmax(loud[group])] * _PIECE_S * rate) for group in groups if len(group)]


def _phase_lag(reference: Sound, piece: Sound, at: int, rate: float) -> float | None:
    """Sample of the reference where a piece begins, looked for around `at`; None where no peak stands out."""
    near = int(_NEAR_S * rate)
    first = at - near
    if first < 0 or first + len(piece) + 2 * near > len(reference):
        return None
    window = np.asarray(reference[first : first + len(piece) + 2 * near], dtype=np.float64)
    size = 1 << (len(window) + len(piece)).bit_length()
    cross = np.fft.rfft(window, size) * np.conj(np.fft.rfft(np.asarray(piece, dtype=np.float64), size))
    frequency = np.fft.rfftfreq(size, 1.0 / rate)
    band = (frequency >= _BAND_HZ[0]) & (frequency <= min(_BAND_HZ[1], 0.45 * rate))
    whitened = np.where(band, cross / np.maximum(np.abs(cross), 1e-12), 0.0)
    peaks = np.fft.irfft(whitened, size)[: 2 * near + 1]
    k = int(np.argmax(peaks))
    if not 0 < k < len(peaks) - 1 or peaks[k] < _CLEAR * float(np.std(peaks)):
        return None
    return first + k + vertex(peaks[k - 1 : k + 2])
