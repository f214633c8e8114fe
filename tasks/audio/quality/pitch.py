"""Fundamental frequency every 10 ms: normalised autocorrelation, candidates, and the cheapest path through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import RATE_HZ, frames_of

F32 = NDArray[np.float32]

_PERIODS = 3.0  # of the lowest pitch in a window
_CANDIDATES = 12  # voiced ones a frame
_LEAD = 50  # frames of context in which the path settles


@dataclass(frozen=True, slots=True)
class PathCosts:
    """What the path pays, as in Boersma (1993) and Praat's defaults at 10 ms."""

    voicing: float = 0.45
    silence: float = 0.03
    octave: float = 0.01
    jump: float = 0.35
    switch: float = 0.14


COSTS = PathCosts()


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """`f0_hz` (n,) NaN where unvoiced; `strength` (n,) the normalised autocorrelation there, 0 where unvoiced."""

    f0_hz: F32
    strength: F32


def track_pitch(
    samples: F32, *, n_frames: int, floor_hz: float, ceiling_hz: float, peak: float, costs: PathCosts = COSTS
) -> PitchTrack:
    """Pitch of a chunk's core, found with the context around it.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        Samples at 16 kHz with context.
    n_frames : int
        Frames of the core.
    floor_hz, ceiling_hz : float
        Range looked for.
    peak : float
        Absolute peak that silence is measured against.
    costs : PathCosts, optional
        Costs of the path.

    Returns
    -------
    PitchTrack
        Of the core's frames.

    References
    ----------
    Boersma (1993), Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
    sampled sound, IFA Proceedings 17, 97-110.
    """
    length = 2 * int(_PERIODS * RATE_HZ / floor_hz / 2)
    frames = frames_of(samples, length, n_frames=n_frames, lead=_LEAD)
    lags, heights, loudness = _candidates(frames, floor_hz=floor_hz, ceiling_hz=ceiling_hz)
    quiet = np.maximum(0.0, 2.0 - loudness / max(peak, 1e-12) / (costs.silence / (1.0 + costs.voicing)))
    unvoiced = (costs.voicing + quiet).astype(np.float32)
    f0 = np.divide(RATE_HZ, lags, out=np.zeros_like(lags), where=lags > 0)
    below = np.log2(ceiling_hz / np.maximum(f0, 1.0)) * costs.octave  # of two equal peaks the shorter lag is the period
    score = np.where(f0 > 0, heights - below, -np.inf).astype(np.float32)
    chosen = best_path(f0, score, unvoiced, costs=costs)[_LEAD : _LEAD + n_frames]
    row = np.arange(_LEAD, _LEAD + n_frames)
    voiced = chosen >= 0
    return PitchTrack(
        f0_hz=np.where(voiced, f0[row, chosen], np.nan).astype(np.float32),
        strength=np.where(voiced, heights[row, chosen], 0.0).astype(np.float32),
    )


def _candidates(frames: F32, *, floor_hz: float, ceiling_hz: float) -> tuple[F32, F32, F32]:
    """Lags in samples (n, k), 0 where there is none, heights (n, k), and the peak in the middle of every frame (n,)."""
    from scipy import fft

    length = frames.shape[1]
    longest = int(np.ceil(RATE_HZ / floor_hz)) + 1
    size = fft.next_fast_len(length + longest + 2, real=True)
    window = np.hanning(length + 2)[1:-1].astype(np.float32)
    near = slice(length // 2 - longest // 2, length // 2 + longest // 2)  # one period of the floor
    own = fft.irfft(np.abs(fft.rfft(window, size)) ** 2, size)[: longest + 2]
    own = (own / own[0]).astype(np.float32)
    lags = np.zeros((len(frames), _CANDIDATES), dtype=np.float32)
    heights = np.zeros((len(frames), _CANDIDATES), dtype=np.float32)
    peaks = np.zeros(len(frames), dtype=np.float32)
    for at in range(0, len(frames), 256):  # small pieces stay in the processor's cache
        piece = frames[at : at + 256] - frames[at : at + 256].mean(axis=1, keepdims=True)
        peaks[at : at + 256] = np.abs(piece[:, near]).max(axis=1)
        spectrum = fft.rfft(piece * window, size, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        auto = fft.irfft(power, size, axis=1)[:, : longest + 2]
        auto = auto / np.maximum(auto[:, :1], 1e-12) / own
        lags[at : at + 256], heights[at : at + 256] = _maxima(auto, shortest=RATE_HZ / ceiling_hz, longest=longest)
    return lags, heights, peaks


def _maxima(auto: F32, *, shortest: float, longest: int) -> tuple[F32, F32]:
    """The highest local maxima between two lags, refined by a parabola."""
    low = max(int(shortest), 2)
    left, mid, right = auto[:, low - 1 : longest - 1], auto[:, low:longest], auto[:, low + 1 : longest + 1]
    is_top = (mid > left) & (mid >= right) & (mid > 0.5 * COSTS.voicing)
    width = mid.shape[1]
    ranked = np.where(is_top, mid, -1.0)
    k = min(_CANDIDATES, width)
    best = np.argpartition(-ranked, k - 1, axis=1)[:, :k]
    y0, y1, y2 = (np.take_along_axis(part, best, axis=1) for part in (left, mid, right))
    curve = np.minimum(y0 - 2 * y1 + y2, -1e-9)
    shift = np.clip(0.5 * (y0 - y2) / curve, -1.0, 1.0)
    height = y1 - 0.25 * (y0 - y2) * shift
    # above 1 the estimate says less than its mirror image (Boersma 1993)
    height = np.where(height > 1.0, 1.0 / np.maximum(height, 1.0), height)
    there = np.take_along_axis(is_top, best, axis=1) & (low + best + shift >= shortest)
    lags = np.zeros((len(auto), _CANDIDATES), dtype=np.float32)
    heights = np.zeros((len(auto), _CANDIDATES), dtype=np.float32)
    lags[:, :k] = np.where(there, low + best + shift, 0.0)
    heights[:, :k] = np.where(there, height, 0.0)
    return lags, heights


def speaker_range(f0_hz: F32) -> tuple[float, float]:
    """Floor and ceiling of the pitch of whoever speaks: half the first and 2.5 times the third quartile.

    Parameters
    ----------
    f0_hz : ndarray, shape (n,)
        Pitch of the voiced frames of speech.

    Returns
    -------
    tuple of float
        Hz; NaN without voiced frames.

    References
    ----------
    Hirst (2011), The analysis by synthesis of speech melody, Journal of Speech Sciences 1, 55-83, has .75 and 2.5 for
    one expressive speaker; our lower floor also keeps the lower of two voices in a room.
    """
    if not len(f0_hz):
        return float("nan"), float("nan")
    low, high = np.quantile(f0_hz.astype(np.float64), (0.25, 0.75))
    return 0.5 * float(low), 2.5 * float(high)


def best_path(f0: F32, score: F32, unvoiced: F32, *, costs: PathCosts = COSTS) -> NDArray[np.int64]:
    """The path with the highest sum of scores less the costs of jumps and of voicing changes.

    Parameters
    ----------
    f0 : ndarray, shape (n, k)
        Candidates in Hz, 0 where there is none.
    score : ndarray, shape (n, k)
        Their scores, -inf where there is none.
    unvoiced : ndarray, shape (n,)
        Score of being unvoiced.
    costs : PathCosts, optional
        Costs of the path.

    Returns
    -------
    ndarray of int, shape (n,)
        Chosen candidate, -1 for unvoiced.
    """
    n, k = f0.shape
    pitch = np.log2(np.maximum(f0, 1e-3))
    total = np.append(score[0], unvoiced[0])
    back = np.zeros((n, k + 1), dtype=np.int16)
    step = np.full((k + 1, k + 1), costs.switch, dtype=np.float32)
    step[k, k] = 0.0
    for i in range(1, n):
        np.abs(pitch[i - 1][:, None] - pitch[i][None, :], out=step[:k, :k])
        step[:k, :k] *= costs.jump
        reach = total[:, None] - step
        back[i] = reach.argmax(axis=0)
        total = reach[back[i], np.arange(k + 1)]
        total[:k] += score[i]
        total[k] += unvoiced[i]
    chosen = np.empty(n, dtype=np.int64)
    chosen[-1] = int(total.argmax())
    for i in range(n - 1, 0, -1):
        chosen[i - 1] = back[i, chosen[i]]
    return np.where(chosen == k, -1, chosen)
