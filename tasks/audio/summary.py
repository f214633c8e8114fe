"""From tracks to the values of one window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import voice
from cueflow.schemas.biomarkers.base import Biomarker
from cueflow.schemas.biomarkers.voice_bands import needs_hz
from cueflow.schemas.biomarkers.voice_egemaps import EGEMAPS
from cueflow.schemas.biomarkers.voice_quality import VOICE
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Measure, Window
from cueflow.tasks.audio.geneva.contours import contours
from cueflow.tasks.audio.geneva.functionals import functionals
from cueflow.tasks.audio.marks import marks_of, quality_of, reason_of
from cueflow.tasks.audio.quality import perturbation as pb
from cueflow.tasks.audio.signal.level import POWER_FLOOR
from cueflow.tasks.audio.signal.stream import FRAME_S, HOP
from cueflow.tasks.audio.talk.timing import lengths_s, pairwise_variability
from cueflow.tasks.audio.view import View, median_level

F64 = NDArray[np.float64]

_SEMITONE_REFERENCE_HZ = 27.5
_SILENT_MIN = 20  # frames: what lies between speech for less is its own end, not noise


def evidence_of(view: View) -> dict[str, float]:
    """How much there is of everything that an evidence rule counts.

    Parameters
    ----------
    view : View
        The window.

    Returns
    -------
    dict
        Amount by the rule's unit.
    """
    return {
        voice.OBSERVED: float(view.used.sum()) * FRAME_S,
        voice.SPEECH: float(view.speech.sum()) * FRAME_S,
        VOICE: float(view.voice.sum()) * FRAME_S,
        voice.SILENCE: float(view.silent.sum()) * FRAME_S,
        voice.TURNS: float(len(view.talk.turns)),
        voice.PAUSES: float(len(view.talk.pauses)),
        voice.STRETCHES: float(len(view.talk.voiced)),
    }


def values_of(view: View) -> dict[str, float]:
    """All values of a window; NaN where one is undefined.

    Parameters
    ----------
    view : View
        The window.

    Returns
    -------
    dict
        Value by biomarker.
    """
    return {
        **_pitch_values(view),
        **_loudness_values(view),
        **_level_values(view),
        **_talk_values(view),
        **_cycle_values(view),
        **_frame_values(view),
        **_geneva_values(view),
    }


def measures_of(
    view: View,
    window: Window,
    *,
    declared: Sequence[Biomarker],
    extra: Mapping[str, float] = MappingProxyType({}),
    reason: Reason | None = None,
) -> tuple[Measure, ...]:
    """Measures of a window, each under its evidence rule.

    Parameters
    ----------
    view : View
        The window's frames.
    window : Window
        The window.
    declared : sequence of Biomarker
        Which measures.
    extra : mapping, optional
        Values that do not come from the frames.
    reason : Reason, optional
        What is wrong with all of them.

    Returns
    -------
    tuple of Measure
    """
    values, amounts = {**values_of(view), **extra}, evidence_of(view)
    amounts[voice.SPEAKERS] = extra.get("speech_speaker_count", 0.0)
    coverage = amounts[voice.OBSERVED] / max(window.duration_s, FRAME_S)
    quality = quality_of(values["level_snr"]) if view.speech.any() else None
    marks = marks_of(view, values)
    beyond = {b.name for b in declared if needs_hz(b.name) > view.recorder.band_hz}
    return tuple(
        b.measure(
            None if b.name in beyond else values[b.name],
            window,
            n_evidence=amounts[b.evidence.unit],
            coverage=coverage,
            quality=quality,
            reason=(Reason.BAND_LIMITED if b.name in beyond else None)
            or reason_of(b.name, b.evidence.unit, view, marks)
            or reason,
        )
        for b in declared
    )


def _mean(values: NDArray[np.floating] | NDArray[np.integer]) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")


def _sd(values: NDArray[np.floating]) -> float:
    return float(np.std(values, ddof=1, dtype=np.float64)) if len(values) > 1 else float("nan")


def _percentiles(values: NDArray[np.floating]) -> tuple[float, float, float]:
    if not len(values):
        return (float("nan"),) * 3
    low, middle, high = (float(v) for v in np.quantile(values.astype(np.float64), (0.2, 0.5, 0.8)))
    return low, middle, high


def _per(count: float, seconds: float) -> float:
    return count / seconds if seconds > 0 else float("nan")


def _pitch_values(view: View) -> dict[str, float]:
    hertz = view.tracks.frames.f0_hz[view.voice].astype(np.float64)
    tones = 12.0 * np.log2(hertz / _SEMITONE_REFERENCE_HZ)
    out = {"voice_f0_mean": _mean(hertz), "voice_f0_sd": _sd(hertz)}
    out["voice_f0_p20"], out["voice_f0_p50"], out["voice_f0_p80"] = _percentiles(hertz)
    out["voice_f0_floor"], out["voice_f0_ceiling"] = view.f0_range
    low, middle, high = _percentiles(tones)
    out |= {"voice_f0_st_mean": _mean(tones), "voice_f0_st_sd": _sd(tones), "voice_f0_st_cv": _sd(tones) / _mean(tones)}
    return out | {
        "voice_f0_st_p20": low,
        "voice_f0_st_p50": middle,
        "voice_f0_st_p80": high,
        "voice_f0_st_range": high - low,
    }


def _loudness_values(view: View) -> dict[str, float]:
    loud = view.tracks.spectra.loudness[view.speech].astype(np.float64)
    low, middle, high = _percentiles(loud)
    mean = _mean(loud)
    return {
        "loudness_mean": mean,
        "loudness_cv": _sd(loud) / mean if mean > 0 else float("nan"),
        "loudness_p20": low,
        "loudness_p50": middle,
        "loudness_p80": high,
        "loudness_range": high - low,
    }


def _level_values(view: View) -> dict[str, float]:
    power = view.tracks.frames.power.astype(np.float64)
    silent = power[view.silent]
    speech = _mean(power[view.speech])
    noise = float(np.median(silent)) if len(silent) >= _SILENT_MIN else float("nan")
    level = _decibels(power)
    return {
        "level_speech_mean": float(_decibels(np.asarray([speech]))[0]),
        "level_speech_sd": _sd(level[view.voice]),
        "level_speech_relative": median_level(power[view.voice]) - view.usual_db,
        "level_noise_p10": float(_decibels(np.asarray([np.quantile(silent, 0.1)]))[0]) if len(silent) else float("nan"),
        "level_snr": _speech_to_noise(speech, noise),
        "level_clipped_share": _mean(view.tracks.frames.clipped[view.used]) / HOP,
    }


def _speech_to_noise(speech: float, noise: float) -> float:
    """In dB; NaN without either, minus infinity where speech does not stand out."""
    if not np.isfinite(speech - noise):
        return float("nan")
    return float(10 * np.log10((speech - noise) / max(noise, POWER_FLOOR))) if speech > noise else -np.inf


def _decibels(power: F64) -> F64:
    return np.asarray(10.0 * np.log10(np.maximum(power, POWER_FLOOR)))


def _talk_values(view: View) -> dict[str, float]:
    observed, spoken, voiced = (float(f.sum()) * FRAME_S for f in (view.used, view.speech, view.voice))
    talk = view.talk
    turns, pauses, stretches = lengths_s(talk.turns), lengths_s(talk.pauses), lengths_s(talk.voiced)
    nuclei = float(len(talk.nuclei))
    return {
        "speech_time_total": spoken,
        "speech_share": _per(spoken, observed),
        "speech_voiced_share": _per(voiced, spoken),
        "speech_turn_count": float(len(turns)),
        "speech_turn_rate": _per(60.0 * len(turns), observed),
        "speech_turn_mean": _mean(turns),
        "speech_turn_p50": _percentiles(turns)[1],
        "speech_turn_sd": _sd(turns),
        "speech_turn_weighted": _per(float(np.square(turns).sum()), float(turns.sum())),
        "speech_pause_rate": _per(60.0 * len(pauses), observed),
        "speech_pause_share": _per(float(pauses.sum()), observed),
        "speech_pause_mean": _mean(pauses),
        "speech_pause_p50": _percentiles(pauses)[1],
        "speech_pause_sd": _sd(pauses),
        "speech_pause_max": float(pauses.max()) if len(pauses) else float("nan"),
        "speech_syllables_rate": _per(nuclei, observed),
        "speech_articulation_rate": _per(nuclei, spoken),
        "speech_syllables_npvi": pairwise_variability(talk.nuclei, talk.turns),
        "speech_voiced_rate": _per(float(len(stretches)), spoken),
        "speech_voiced_mean": _mean(stretches),
        "speech_voiced_sd": _sd(stretches),
    }


def _cycle_values(view: View) -> dict[str, float]:
    marks = view.tracks.cycles
    periods, amplitudes = pb.comparable(marks.times_s[view.cycles_used], marks.amplitude[view.cycles_used])
    rap, apq3 = pb.jitter_smoothed(periods, 3), pb.shimmer_smoothed(amplitudes, 3)
    return {
        "voice_jitter_local": pb.jitter_local(periods),
        "voice_jitter_abs": 1000.0 * pb.jitter_abs(periods),
        "voice_jitter_rap": rap,
        "voice_jitter_ppq5": pb.jitter_smoothed(periods, 5),
        "voice_jitter_ddp": 3.0 * rap,
        "voice_shimmer_local": pb.shimmer_local(amplitudes),
        "voice_shimmer_db": pb.shimmer_db(amplitudes),
        "voice_shimmer_apq3": apq3,
        "voice_shimmer_apq5": pb.shimmer_smoothed(amplitudes, 5),
        "voice_shimmer_apq11": pb.shimmer_smoothed(amplitudes, 11),
        "voice_shimmer_dda": 3.0 * apq3,
    }


def _frame_values(view: View) -> dict[str, float]:
    frames, spectra, voiced = view.tracks.frames, view.tracks.spectra, view.voice
    out: dict[str, float] = {}
    for name, track in (("hnr", frames.hnr_db), ("cpps", frames.cpps_db)):
        chosen = track[voiced]
        out |= {f"voice_{name}": _mean(chosen), f"voice_{name}_sd": _sd(chosen)}
    out["voice_cpp"] = _mean(frames.cpp_db[voiced])
    out["voice_gne"] = _mean(frames.gne[voiced & np.isfinite(frames.gne)])
    out["voice_h1h2"] = _mean(frames.h1_h2_db[voiced])
    for i in range(frames.formants_hz.shape[1]):
        formant = frames.formants_hz[voiced, i]
        found = formant[np.isfinite(formant)]
        out |= {f"voice_formant_f{i + 1}_p50": _percentiles(found)[1], f"voice_formant_f{i + 1}_mean": _mean(found)}
    for name, track in (
        ("alpha_ratio", spectra.alpha_ratio_db),
        ("hammarberg", spectra.hammarberg_db),
        ("slope_low", spectra.slope_low),
        ("slope_mid", spectra.slope_mid),
        ("flux", spectra.flux),
    ):
        out[f"voice_{name}_mean"] = _mean(track[voiced])
    for i in range(4):
        chosen = spectra.mfcc[voiced, i]
        out |= {f"voice_mfcc{i + 1}_mean": _mean(chosen), f"voice_mfcc{i + 1}_sd": _sd(chosen)}
    return out


def _geneva_values(view: View) -> dict[str, float]:
    """The Geneva set over the frames of speech; nothing beside the window is smoothed or counted."""
    place = np.flatnonzero(view.used)
    first, last = (int(place[0]), int(place[-1]) + 1) if len(place) else (0, 0)
    values = functionals(contours(view.tracks.geneva.part(first, last)), view.speech[first:last])
    return {biomarker.name: value for biomarker, value in zip(EGEMAPS, values.values(), strict=True)}
