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
_TALK_MIN = 6  # windows: 1 s
_EDGES_HZ = (1500.0, 7000.0)  # nothing that is understood ends below; above, an end is that of a resampler
_FALL_DB, _BELOW_DB = 20.0, 45.0  # an edge: so much within 250 Hz, and so far below the strongest band from there on
_STEP_DB = 18.0  # from one band of 250 Hz to the next, where vowels are held: behind their last formant it is up to 17
_MAINS_HZ = (50.0, 60.0)
_HARMONICS = np.arange(1, 7)
_FLOOR = 1e-14
_PER_BAND = round(_BAND_HZ / _BIN_HZ)
_BANDS = (_SIZE // 2 + 1) // _PER_BAND
_MAINS_BINS = np.round(np.multiply.outer(_MAINS_HZ, _HARMONICS) / _BIN_HZ).astype(np.int64)[..., None] + np.arange(
    -5, 6
)


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
    """Takes a recording chunk by chunk and keeps what its spectra say of bands and hum: 660 bytes every .16 s."""

    def __init__(self) -> None:
        self._bands: list[F32] = []
        self._mains: list[F32] = []
        self._first: list[NDArray[np.int64]] = []
        self._n_frames = self._n = 0
        self._total = 0.0

    def feed(self, core: F32, raw: F32) -> None:
        """Take the next samples.

        Parameters
        ----------
        core : ndarray, shape (n,)
            Samples without offset; all but the last ones whole frames.
        raw : ndarray, shape (m,)
            Those that were recorded, as they were read.
        """
        from scipy import fft

        self._total += float(raw.sum(dtype=np.float64))
        self._n += len(raw)
        if len(core) >= _SIZE:
            starts = np.arange(0, len(core) - _SIZE + 1, _STEP * HOP)
            rows = np.lib.stride_tricks.sliding_window_view(core, _SIZE)[starts]
            spectra = np.abs(fft.rfft(rows * np.hanning(_SIZE).astype(np.float32), axis=1)) ** 2
            self._bands.append(spectra[:, : _PER_BAND * _BANDS].reshape(len(starts), _BANDS, _PER_BAND).mean(axis=2))
            self._mains.append(spectra[:, _MAINS_BINS])
            self._first.append(self._n_frames + starts // HOP)
        self._n_frames += len(core) // HOP

    def result(
        self, speech: NDArray[np.bool_], lost: NDArray[np.bool_], tones: NDArray[np.bool_] | None = None
    ) -> Recorder:
        """What was found.

        Parameters
        ----------
        speech : ndarray of bool, shape (n_frames,)
            Frames with speech: the band is that of windows mostly of speech, the hum that of windows without any.
        lost : ndarray of bool, shape (n_frames,)
            Frames that were not recorded: windows with one of them say nothing.
        tones : ndarray of bool, shape (n_frames,), optional
            Frames of held vowels: only where there is under 1 s of talk, which says it better, do they say the band.

        Returns
        -------
        Recorder
        """
        offset = self._total / max(self._n, 1)
        if not self._first:
            return Recorder(float("nan"), float("nan"), float("nan"), offset)
        first = np.concatenate(self._first)
        last = np.minimum(first + _SIZE // HOP, len(speech))
        spoken, gone = (_counts(flags, first, last) for flags in (speech, lost))
        whole = gone == 0
        voice, silence = whole & (2 * spoken > last - first), whole & (spoken == 0)
        talk = voice & (_counts(speech & ~tones, first, last) > spoken // 2) if tones is not None else voice
        judged, step = (talk, 0.0) if talk.sum() >= min(_TALK_MIN, voice.sum()) else (voice, _STEP_DB)
        hum_db, hum_power = _hum(_mean_of(self._mains, silence)) if silence.any() else (np.nan, np.nan)
        return Recorder(
            band_hz=_band_edge(_mean_of(self._bands, judged), least_step_db=step) if judged.any() else float("nan"),
            hum_db=float(hum_db),
            hum_power=float(hum_power),
            offset=offset,
        )


def _counts(flags: NDArray[np.bool_], first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    sums = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(sums[last] - sums[first])


def _mean_of(pieces: list[F32], chosen: NDArray[np.bool_]) -> F64:
    """Mean over the chosen windows, the pieces one by one."""
    at = np.cumsum([0, *map(len, pieces)])
    total = sum(
        piece[chosen[a:b]].sum(axis=0, dtype=np.float64) for piece, a, b in zip(pieces, at[:-1], at[1:], strict=True)
    )
    return np.asarray(total / chosen.sum())


def _band_edge(bands: F64, *, least_step_db: float) -> float:
    """Lowest frequency from which on there is far less than just below it, and next to nothing; of (32,) powers."""
    level = 10.0 * np.log10(bands + _FLOOR)
    for k in range(int(_EDGES_HZ[0] / _BAND_HZ), int(_EDGES_HZ[1] / _BAND_HZ)):
        beyond = float(level[k + 1 :].max())
        falls = beyond < level[k - 1] - _FALL_DB and np.diff(level[k - 1 : k + 2]).min() < -least_step_db
        if falls and beyond < level.max() - _BELOW_DB:
            return k * _BAND_HZ
    return RATE_HZ / 2.0


def _hum(spectrum: F64) -> tuple[float, float]:
    """Hum over the silence beside it, dB, and its power re full scale², of the mains frequency that is stronger.

    `spectrum` (2, 6, 11) has the bins around six harmonics of either frequency.
    """
    found = []
    for around in spectrum:
        peak = around[:, 3:8].sum(axis=1)
        noise = 5.0 * np.median(np.concatenate([around[:, :3], around[:, 8:]], axis=1), axis=1)
        extra = np.maximum(peak - noise, 0.0).sum()
        found.append(
            (10.0 * np.log10((peak.sum() + _FLOOR) / (noise.sum() + _FLOOR)), 2.0 * extra / (0.375 * _SIZE**2))
        )
    return max(found)
