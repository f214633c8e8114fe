"""The Geneva minimalistic acoustic parameter set, extended (eGeMAPSv02): 88 values over speech, published names beside.

They follow the published configuration and openSMILE's values, not Praat's definitions: what `f0_*`, `loudness_*` and
`voice_*` measure otherwise keeps its own name. Formants here follow openSMILE's columns (roots of the predictor with
turned signs) and are no resonances of the tract: use `voice_formant_*` for those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

_SOURCE = "doi:10.1109/TAFFC.2015.2457417"
_SPEECH, _VOICE = Evidence(3.0, "s of speech"), Evidence(3.0, "s of voice")
_RATIO_LIMITS = (-1e3, 1e3)  # over a mean that may be near 0


@dataclass(frozen=True, slots=True)
class _Track:
    """A contour: our short name, the published one, unit, what it is, limits of its mean, and what evidence counts."""

    name: str
    published: str
    unit: str
    what: str
    limits: tuple[float, float]
    evidence: Evidence = _VOICE


def _one(track: _Track, short: str, published: str, words: str) -> Biomarker:
    name = f"egemaps_{track.name}_{short}"
    return Biomarker(
        name=name, modality="audio", unit=track.unit, statistic=name.rsplit("_", 1)[1],
        definition=f"{words} of the {track.what}.", source=_SOURCE, method="egemaps_v02", evidence=track.evidence,
        plausible=track.limits, aliases=(f"{track.published}{published}",),
    )  # fmt: skip


def _moments(track: _Track) -> tuple[Biomarker, ...]:
    ratio = replace(track, unit="1", limits=_RATIO_LIMITS)
    return (
        _one(track, "mean", "_amean", "Mean"),
        _one(ratio, "cv", "_stddevNorm", "Standard deviation over mean"),
    )


def _contour(track: _Track) -> tuple[Biomarker, ...]:
    slope = replace(track, unit=f"{track.unit}/s", limits=(0.0, 2000.0))
    return (
        *_moments(track),
        _one(track, "p20", "_percentile20.0", "20th percentile"),
        _one(track, "p50", "_percentile50.0", "Median"),
        _one(track, "p80", "_percentile80.0", "80th percentile"),
        _one(replace(track, limits=(0.0, track.limits[1])), "range", "_pctlrange0-2", "80th less 20th percentile"),
        _one(slope, "rise_mean", "_meanRisingSlope", "Mean rise between turning points"),
        _one(slope, "rise_sd", "_stddevRisingSlope", "Standard deviation of the rises between turning points"),
        _one(slope, "fall_mean", "_meanFallingSlope", "Mean fall between turning points"),
        _one(slope, "fall_sd", "_stddevFallingSlope", "Standard deviation of the falls between turning points"),
    )


def _formant(number: int, limits: tuple[float, float]) -> tuple[_Track, ...]:
    which = f"openSMILE's formant {number}, voiced frames"
    level = f"strongest harmonic near openSMILE's formant {number} over the pitch's; unvoiced frames count as -201 dB"
    name, published = f"f{number}", f"F{number}"
    return (
        _Track(f"{name}_frequency", f"{published}frequency_sma3nz", "Hz", f"frequency of {which}", limits),
        _Track(f"{name}_bandwidth", f"{published}bandwidth_sma3nz", "Hz", f"bandwidth of {which}", (0.0, 4000.0)),
        _Track(f"{name}_amplitude", f"{published}amplitudeLogRelF0_sma3nz", "dB", level, (-201.0, 60.0)),
    )


_FLUX = "root mean square change of the magnitudes below 5 kHz"
_SPECTRAL = (
    _Track("alpha_ratio", "alphaRatio{}", "dB", "energy of 1–5 kHz over that below", (-80.0, 40.0)),
    _Track("hammarberg", "hammarbergIndex{}", "dB", "strongest peak of 0–2 kHz over that of 2–5 kHz", (-30.0, 80.0)),
    _Track("slope_low", "slope{}0-500", "dB/Hz", "slope of the spectrum over 0–500 Hz", (-0.5, 0.5)),
    _Track("slope_mid", "slope{}500-1500", "dB/Hz", "slope of the spectrum over 500–1500 Hz", (-0.5, 0.5)),
    _Track("flux", "spectralFlux{}", "a.u.", _FLUX, (0.0, 100.0)),
)
_CEPSTRA = tuple(
    _Track(f"mfcc{i}", f"mfcc{i}", "1", f"mel-frequency cepstral coefficient {i}", (-150.0, 150.0)) for i in range(1, 5)
)
_CYCLES = "of neighbouring cycles, in windows of 60 ms"
_QUALITY = (
    _Track("jitter", "jitterLocal", "1", f"difference over the mean {_CYCLES}", (0.0, 0.3)),
    _Track("shimmer", "shimmerLocaldB", "dB", f"ratio of the amplitudes {_CYCLES}", (0.0, 10.0)),
    _Track("hnr", "HNRdBACF", "dB", "harmonics over noise from the window's autocorrelation", (-20.0, 40.0)),
    _Track("h1_h2", "logRelF0-H1-H2", "dB", "harmonic at twice over that at three times the pitch", (-60.0, 60.0)),
    _Track("h1_a3", "logRelF0-H1-A3", "dB", "first harmonic above the pitch over the strongest near formant 3",
           (-40.0, 100.0)),
)  # fmt: skip


def _plain(track: _Track) -> _Track:
    return replace(track, published=f"{track.published.format('')}_sma3", evidence=_SPEECH)


def _voiced(track: _Track) -> _Track:
    published = track.published.format("V") if "{}" in track.published else f"{track.published}V"
    return replace(
        track, name=f"{track.name}_voiced", published=f"{published}_sma3nz", what=f"{track.what}, voiced frames"
    )


def _unvoiced(track: _Track) -> _Track:
    return replace(
        track, name=f"{track.name}_unvoiced", published=f"{track.published.format('UV')}_sma3nz",
        what=f"{track.what}, unvoiced frames", evidence=_SPEECH,
    )  # fmt: skip


_PITCH = _Track("f0", "F0semitoneFrom27.5Hz_sma3nz", "st",
                "pitch by subharmonic summation in semitones over 27.5 Hz, voiced frames", (8.0, 65.0))  # fmt: skip
_LOUDNESS = _Track("loudness", "loudness_sma3", "a.u.", "loudness of speech, uncalibrated", (0.0, 20.0), _SPEECH)
_PEAKS = _Track("loudness_peaks", "", "1/s", "maxima of the loudness per second of speech", (0.0, 12.0), _SPEECH)
_VOICED_RATE = _Track("voiced_segments", "", "1/s", "voiced stretches per second of speech", (0.0, 12.0), _SPEECH)
_VOICED_LENGTH = _Track("voiced_length", "", "s", "length of voiced stretches", (0.0, 10.0), _SPEECH)
_UNVOICED_LENGTH = _Track("unvoiced_length", "", "s", "length of unvoiced stretches in speech", (0.0, 10.0), _SPEECH)
_LEVEL = _Track("level", "", "dB", "mean power in speech, re full scale; uncalibrated", (-80.0, 0.0), _SPEECH)
_SD = "Standard deviation"

_FORMANTS = (*_formant(1, (50.0, 1500.0)), *_formant(2, (500.0, 3500.0)), *_formant(3, (1000.0, 4500.0)))

EGEMAPS: tuple[Biomarker, ...] = (
    *_contour(_PITCH),
    *_contour(_LOUDNESS),
    *(b for track in (_SPECTRAL[-1], *_CEPSTRA) for b in _moments(_plain(track))),
    *(b for track in _QUALITY for b in _moments(replace(track, published=f"{track.published}_sma3nz"))),
    *(b for track in _FORMANTS for b in _moments(track)),
    *(b for track in (*_SPECTRAL, *_CEPSTRA) for b in _moments(_voiced(track))),
    *(_one(_unvoiced(track), "mean", "_amean", "Mean") for track in _SPECTRAL),
    _one(_PEAKS, "rate", "loudnessPeaksPerSec", "Number"),
    _one(_VOICED_RATE, "rate", "VoicedSegmentsPerSec", "Number"),
    _one(_VOICED_LENGTH, "mean", "MeanVoicedSegmentLengthSec", "Mean"),
    _one(_VOICED_LENGTH, "sd", "StddevVoicedSegmentLengthSec", _SD),
    _one(_UNVOICED_LENGTH, "mean", "MeanUnvoicedSegmentLength", "Mean"),
    _one(_UNVOICED_LENGTH, "sd", "StddevUnvoicedSegmentLength", _SD),
    _one(_LEVEL, "equivalent", "equivalentSoundLevel_dBp", "Level"),
)


def _second(track: _Track, frames: str) -> SeriesSpec:
    what = track.what.split(";")[0].removesuffix(", voiced frames")
    return SeriesSpec(f"egemaps_{track.name}", "audio", track.unit, f"Mean over {frames} of the {what}.", drawn=False)


# The 25 low-level descriptors in the published order: one value per second here, every 10 ms in `cueflow contours`.
EGEMAPS_SERIES: tuple[SeriesSpec, ...] = (
    *(_second(track, "frames of speech") for track in (_LOUDNESS, *_SPECTRAL, *_CEPSTRA)),
    *(_second(track, "voiced frames of speech") for track in (_PITCH, *_QUALITY, *_FORMANTS)),
)
