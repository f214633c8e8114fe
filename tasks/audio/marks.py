"""What a recording does to measures: clipping, offset, hum, noise and gaps, and which values each makes doubtful."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice
from cueflow.schemas.reasons import Reason
from cueflow.tasks.audio.signal.stream import HOP
from cueflow.tasks.audio.view import View

CLIPPED_SHARE_MAX = 0.001  # of the samples in speech: from here on, what depends on the waveform's tops is marked
GONE_SHARE_MIN = 0.001  # of the samples in speech, filled in: from here on, what single samples move is marked
OFFSET_MAX = 0.1  # of full scale: beyond, the recorder is not in order and half a wave may be cut
# Below, hum is noise of the voice, or its pitch is taken for the voice's: 20 dB down it moves measures of pitch by up
# to half, 25 dB down by at most .06 (benchmarks/voice_robustness.py)
HUM_MIN_DB = 25.0
HUM_OVER_DB = 6.0  # hum that stands out of the silence by less is noise
SNR_LOW_DB = 15.0  # below, marks more: white noise 10 dB down adds .7 to loudness, and moves formants by up to .8
SNR_MIN_DB = 20.0  # below, measures of the voice's own noise are marked: noise 20 dB down takes up to 2.9 dB of HNR
_CLIP_HURTS = ("level_speech", "level_snr", "loudness_", "voice_shimmer", "voice_hnr", "voice_cpp",
               "egemaps_loudness", "egemaps_shimmer", "egemaps_hnr", "egemaps_level")  # fmt: skip
_NOISE_HURTS = ("voice_jitter", "voice_shimmer", "voice_hnr", "voice_cpp", "voice_gne",
                "egemaps_jitter", "egemaps_shimmer", "egemaps_hnr")  # fmt: skip
_LOUD_NOISE_HURTS = ("loudness_", "egemaps_loudness", "voice_formant", "egemaps_f1_", "egemaps_f2_", "egemaps_f3_")
_HUM_HURTS = (*_NOISE_HURTS, "voice_f0", "egemaps_f0", "voice_formant")


def quality_of(snr_db: float) -> float | None:
    """Quality of the recording from its speech-to-noise ratio: 0 at 0 dB, 1 from 30 dB on.

    Parameters
    ----------
    snr_db : float
        Speech-to-noise ratio; NaN where nothing but speech was heard, minus infinity where speech is no louder than
        what lies outside.

    Returns
    -------
    float or None
    """
    return None if np.isnan(snr_db) else float(np.clip(snr_db / 30.0, 0.0, 1.0))


def share_in_speech(samples: NDArray[np.uint8], view: View) -> float:
    """Share of the samples in speech that a track counts, the clipped ones for example.

    Parameters
    ----------
    samples : ndarray of uint8, shape (n,)
        Samples in every frame of the recording.
    view : View
        The window.

    Returns
    -------
    float
        0 without speech.
    """
    return float(samples[view.speech].mean(dtype=np.float64)) / HOP if view.speech.any() else 0.0


def marks_of(view: View, values: Mapping[str, float]) -> dict[Reason, tuple[str, ...]]:
    """What is wrong with a window of the recording.

    Parameters
    ----------
    view : View
        The window.
    values : mapping
        Its values by biomarker.

    Returns
    -------
    dict
        By reason, in order of weight, what the names of the measures that it hurts begin with.
    """
    marks: dict[Reason, tuple[str, ...]] = {}
    frames = view.tracks.frames
    if share_in_speech(frames.gone, view) >= GONE_SHARE_MIN:
        marks[Reason.SAMPLES_MISSING] = _NOISE_HURTS
    if share_in_speech(frames.clipped, view) > CLIPPED_SHARE_MAX:
        marks[Reason.CLIPPED] = _CLIP_HURTS
    if abs(view.recorder.offset) > OFFSET_MAX:
        marks[Reason.OFFSET] = _CLIP_HURTS
    hum = view.recorder.hum_db > HUM_OVER_DB
    if hum and view.recorder.hum_power > 10.0 ** ((values["level_speech_mean"] - HUM_MIN_DB) / 10.0):
        marks[Reason.HUM] = _HUM_HURTS
    if values["level_snr"] < SNR_MIN_DB:
        low = values["level_snr"] < SNR_LOW_DB
        marks[Reason.LOW_SIGNAL] = (*_NOISE_HURTS, *_LOUD_NOISE_HURTS) if low else _NOISE_HURTS
        if np.isinf(values["level_snr"]):
            marks[Reason.LOW_SIGNAL] += ("level_snr",)
    return marks


def reason_of(name: str, unit: str, view: View, marks: Mapping[Reason, tuple[str, ...]]) -> Reason | None:
    """Why a measure cannot be had, or is doubtful.

    Parameters
    ----------
    name, unit : str
        The measure, and the unit that its evidence is counted in.
    view : View
        The window.
    marks : mapping
        From `marks_of`.

    Returns
    -------
    Reason or None
    """
    if not view.used.any():
        return Reason.LOW_COVERAGE
    if not view.speech.any() and unit not in {voice.OBSERVED, voice.SILENCE}:
        return Reason.NO_VOICE
    return next((reason for reason, hurt in marks.items() if name.startswith(hurt)), None)
