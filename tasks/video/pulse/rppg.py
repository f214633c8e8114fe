"""Pulse from the colour of the skin: POS and CHROM, gated by their signal-to-noise ratio and by their agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.episodes import runs

LOW_HZ, HIGH_HZ = 0.7, 3.5  # 42 to 210 beats/min
WINDOW_S, STEP_S = 10.0, 5.0
POS_S = 1.6
AROUND_HZ = 0.1  # half width of a peak and of its first harmonic
MIN_SNR_DB = 2.0  # a still face in even light gives 8 to 9, one that moves −1
AGREE_BPM = 4.0
FINE_HZ = 0.005
MIN_RATE_HZ = 14.0
DARK = 5.0  # grey levels below which a channel holds no colour


@dataclass(frozen=True, slots=True)
class PulseWindow:
    """Pulse over one window: rates in beats/min and signal-to-noise in dB, by both methods."""

    start_s: float
    end_s: float
    pos_bpm: float
    chrom_bpm: float
    pos_snr_db: float
    chrom_snr_db: float

    @property
    def good(self) -> bool:
        """True where both methods see a clear peak at the same rate."""
        clear = min(self.pos_snr_db, self.chrom_snr_db) >= MIN_SNR_DB
        return clear and abs(self.pos_bpm - self.chrom_bpm) <= AGREE_BPM

    @property
    def bpm(self) -> float:
        """Mean rate of both methods."""
        return (self.pos_bpm + self.chrom_bpm) / 2


def pos(rgb: FloatArray, rate_hz: float) -> FloatArray:
    """Plane orthogonal to the skin tone.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3)
        Mean colour of the skin, evenly sampled.
    rate_hz : float
        Samples per second.

    Returns
    -------
    ndarray, shape (n,)
        Pulse signal, no unit.

    References
    ----------
    Wang, den Brinker, Stuijk and de Haan (2017), doi:10.1109/TBME.2016.2609282
    """
    length = max(2, round(POS_S * rate_hz))
    pulse = np.zeros(len(rgb))
    for start in range(len(rgb) - length + 1):
        part = rgb[start : start + length]
        red, green, blue = (part / part.mean(axis=0)).T
        first, second = green - blue, green + blue - 2 * red
        spread = second.std()
        wave = first + (first.std() / spread if spread > 0 else 0.0) * second
        pulse[start : start + length] += wave - wave.mean()
    return pulse


def chrom(rgb: FloatArray, rate_hz: float) -> FloatArray:
    """Chrominance-based pulse.

    Parameters
    ----------
    rgb : ndarray, shape (n, 3)
        Mean colour of the skin, evenly sampled.
    rate_hz : float
        Samples per second.

    Returns
    -------
    ndarray, shape (n,)
        Pulse signal, no unit.

    References
    ----------
    de Haan and Jeanne (2013), doi:10.1109/TBME.2013.2266196
    """
    from scipy.signal import butter, sosfiltfilt

    red, green, blue = (rgb / rgb.mean(axis=0)).T
    band = butter(3, [LOW_HZ, HIGH_HZ], btype="bandpass", fs=rate_hz, output="sos")
    first = sosfiltfilt(band, 3 * red - 2 * green)
    second = sosfiltfilt(band, 1.5 * red + green - 1.5 * blue)
    spread = second.std()
    return np.asarray(first - (first.std() / spread if spread > 0 else 0.0) * second)


def rate_and_snr(pulse: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Rate of a pulse signal and how far it stands out.

    Parameters
    ----------
    pulse : ndarray, shape (n,)
        Evenly sampled.
    rate_hz : float
        Samples per second.

    Returns
    -------
    tuple of float
        Beats/min; dB of the power around the peak and its first harmonic over the rest of the band.

    References
    ----------
    de Haan and Jeanne (2013), doi:10.1109/TBME.2013.2266196
    """
    window = np.hanning(len(pulse))
    padded = max(len(pulse), round(rate_hz / FINE_HZ))
    power = np.abs(np.fft.rfft((pulse - pulse.mean()) * window, padded)) ** 2
    frequency = np.fft.rfftfreq(padded, 1 / rate_hz)
    band = (frequency >= LOW_HZ) & (frequency <= HIGH_HZ)
    if not power[band].any():
        return float("nan"), -np.inf
    peak = float(frequency[band][np.argmax(power[band])])
    signal = band & ((np.abs(frequency - peak) <= AROUND_HZ) | (np.abs(frequency - 2 * peak) <= 2 * AROUND_HZ))
    rest = float(power[band & ~signal].sum())
    return 60 * peak, float(10 * np.log10(power[signal].sum() / max(rest, 1e-30)))


def pulse_windows(times_s: FloatArray, rgb: FloatArray) -> list[PulseWindow]:
    """Pulse over windows of ten seconds in which the skin was seen throughout.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Stamps, s.
    rgb : ndarray, shape (n, 3)
        Mean colour of the skin; NaN where the face was not seen.

    Returns
    -------
    list of PulseWindow
        Empty where no stretch is long enough, or where there are fewer than 14 frames/s.
    """
    found: list[PulseWindow] = []
    for a, b in runs(times_s, np.asarray(np.isfinite(rgb).all(axis=1))):
        t = times_s[a:b]
        if t[-1] - t[0] < WINDOW_S * 0.95 or (rate := 1 / float(np.median(np.diff(t)))) < MIN_RATE_HZ:
            continue
        start = t[0]
        while start + WINDOW_S * 0.95 <= t[-1]:
            grid = np.arange(start, min(start + WINDOW_S, t[-1]), 1 / rate)
            even = np.column_stack([np.interp(grid, t, rgb[a:b, k]) for k in range(3)])
            if even.mean(axis=0).min() >= DARK:
                found.append(_window(grid, even, rate))
            start += STEP_S
    return found


def _window(grid: FloatArray, rgb: FloatArray, rate_hz: float) -> PulseWindow:
    from scipy.signal import butter, sosfiltfilt

    band = butter(3, [LOW_HZ, HIGH_HZ], btype="bandpass", fs=rate_hz, output="sos")
    pos_bpm, pos_snr = rate_and_snr(sosfiltfilt(band, pos(rgb, rate_hz)), rate_hz)
    chrom_bpm, chrom_snr = rate_and_snr(chrom(rgb, rate_hz), rate_hz)
    return PulseWindow(float(grid[0]), float(grid[-1]), pos_bpm, chrom_bpm, pos_snr, chrom_snr)
