"""What the recorder was like: up to where speech has sound, mains hum, offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import HOP, RATE_HZ

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_SIZE = 4096  # samples: bins of 3.9 Hz tell 50 from 60 Hz
_STEP = 16  # frames between two windows
_BIN_HZ = RATE_HZ / _SIZE
_BAND_HZ = 250.0
_EDGES_HZ = (1500.0, 7000.0)  # nothing that is understood ends below; above, an end is that of a resampler
_FALL_DB, _BELOW_DB = 20.0, 45.0  # an edge: so much within 250 Hz, and so far below the strongest band from there on
_MAINS_HZ = (50.0, 60.0)
_HARMONICS = np.arange(1, 7)
_FLOOR = 1e-14


@dataclass(frozen=True, slots=True)
class Recorder:
    """How a recording was made.

    `band_hz` up to where speech has sound, 8000 where no edge was found; `hum_db` power at the mains frequency and its
    harmonics over what the silence around them would have there; `hum_power` re full scale²; `offset` mean of the
    samples. NaN where there was no speech, or no silence.
    """

    band_hz: float
    hum_db: float
    hum_power: float
    offset: float


class RecorderMeter:
    """Takes a recording chunk by chunk and sums its spectra."""

    def __init__(self) -> None:
        self._speech, self._silence = np.zeros(_SIZE // 2 + 1), np.zeros(_SIZE // 2 + 1)
        self._n_speech = self._n_silence = self._n = 0
        self._total = 0.0

    def feed(self, core: F32, raw: F32, speech: NDArray[np.bool_]) -> None:
        """Take the next samples.

        Parameters
        ----------
        core : ndarray, shape (n,)
            Samples without offset.
        raw : ndarray, shape (n,)
            The same as they were read.
        speech : ndarray of bool, shape (n_frames,)
            Frames that look like speech.
        """
        from scipy import fft

        self._total += float(np.nan_to_num(raw).sum(dtype=np.float64))
        self._n += len(raw)
        if len(core) < _SIZE:
            return
        starts = np.arange(0, len(core) - _SIZE + 1, _STEP * HOP)
        rows = np.lib.stride_tricks.sliding_window_view(core, _SIZE)[starts]
        spectra = np.abs(fft.rfft(rows * np.hanning(_SIZE).astype(np.float32), axis=1)) ** 2
        frames = starts // HOP
        share = np.asarray([speech[f : f + _SIZE // HOP].mean() if f < len(speech) else 0.5 for f in frames])
        self._speech += spectra[share > 0.5].sum(axis=0)
        self._silence += spectra[share == 0].sum(axis=0)
        self._n_speech += int((share > 0.5).sum())
        self._n_silence += int((share == 0).sum())

    def result(self) -> Recorder:
        """What was found so far."""
        hum_db, hum_power = _hum(self._silence / self._n_silence) if self._n_silence else (np.nan, np.nan)
        return Recorder(
            band_hz=_band_edge(self._speech / self._n_speech) if self._n_speech else float("nan"),
            hum_db=float(hum_db),
            hum_power=float(hum_power),
            offset=self._total / max(self._n, 1),
        )


def _band_edge(spectrum: F64) -> float:
    """Lowest frequency from which on there is far less than just below it, and next to nothing."""
    per_band = round(_BAND_HZ / _BIN_HZ)
    bands = spectrum[: len(spectrum) // per_band * per_band].reshape(-1, per_band).mean(axis=1)
    level = 10.0 * np.log10(bands + _FLOOR)
    for k in range(int(_EDGES_HZ[0] / _BAND_HZ), int(_EDGES_HZ[1] / _BAND_HZ)):
        beyond = float(level[k + 1 :].max())
        if beyond < level[k - 1] - _FALL_DB and beyond < level.max() - _BELOW_DB:
            return k * _BAND_HZ
    return RATE_HZ / 2.0


def _hum(spectrum: F64) -> tuple[float, float]:
    """Hum over the silence beside it, dB, and its power re full scale², of the mains frequency that is stronger."""
    found = []
    for mains in _MAINS_HZ:
        at = np.round(mains * _HARMONICS / _BIN_HZ).astype(np.int64)
        peak = spectrum[at[:, None] + np.arange(-2, 3)].sum(axis=1)
        beside = np.concatenate(
            [spectrum[at[:, None] + np.arange(-5, -2)], spectrum[at[:, None] + np.arange(3, 6)]], axis=1
        )
        around = 5.0 * np.median(beside, axis=1)
        extra = np.maximum(peak - around, 0.0).sum()
        found.append(
            (10.0 * np.log10((peak.sum() + _FLOOR) / (around.sum() + _FLOOR)), 2.0 * extra / (0.375 * _SIZE**2))
        )
    return max(found)
