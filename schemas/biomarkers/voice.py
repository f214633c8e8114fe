"""Voice: pitch, loudness, timing; voice quality and spectrum are beside it.

Evidence is counted in seconds of what a measure rests on. "Speech" is what the voice activity network calls speech;
"voice" is the voiced part of it. All statistics over frames of 10 ms are weighted by duration by their nature.
"""

from __future__ import annotations

from dataclasses import replace

from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec
from cueflow.schemas.biomarkers.voice_egemaps import EGEMAPS, EGEMAPS_SERIES
from cueflow.schemas.biomarkers.voice_quality import VOICE, VOICE_QUALITY, VOICE_SPECTRUM
from cueflow.schemas.biomarkers.voice_robustness import robustness_of
from cueflow.schemas.biomarkers.voice_turns import VOICE_TURNS

OBSERVED, SPEECH, SILENCE = "s observed", "s of speech", "s without speech"
TURNS, PAUSES, STRETCHES = "turns", "pauses", "voiced stretches"
WORDS, SPEAKERS = "words", "speakers"

_EGEMAPS = "doi:10.1109/TAFFC.2015.2457417"
_BOERSMA = "https://www.fon.hum.uva.nl/paul/papers/Proceedings_1993.pdf"
_TIMING = "cueflow:docs/methods/voice.md"
_NUCLEI = "doi:10.3758/BRM.41.2.385"

PITCH_METHOD = "autocorrelation"
TIMING_METHOD = "silero-vad"
_RHYTHM = "doi:10.1177/00238309000430040301"
_BY_PEAKS = ("intensity_peaks", _NUCLEI)
_BY_PITCH = (PITCH_METHOD, _EGEMAPS)


def _pitch(
    statistic: str, unit: str, what: str, plausible: tuple[float, float], *aliases: str, scale: str = "st"
) -> Biomarker:
    return Biomarker(
        name=f"voice_f0_{statistic}" if scale == "hz" else f"voice_f0_{scale}_{statistic}",
        modality="audio", unit=unit, statistic=statistic,
        definition=f"{what} of the fundamental frequency over voiced frames of speech.",
        source=_EGEMAPS if scale == "st" else _BOERSMA, method=PITCH_METHOD, evidence=Evidence(3.0, VOICE),
        plausible=plausible, aliases=(f"f0_{scale}_{statistic}", *aliases),
    )  # fmt: skip


def _loudness(statistic: str, unit: str, what: str, plausible: tuple[float, float]) -> Biomarker:
    return Biomarker(
        name=f"loudness_{statistic}", modality="audio", unit=unit, statistic=statistic,
        definition=f"{what} of auditory loudness (26 mel bands, power .33, summed) over speech; uncalibrated.",
        source=_EGEMAPS, method="auditory_bands", evidence=Evidence(3.0, SPEECH), plausible=plausible,
    )  # fmt: skip


def _level(
    name: str, unit: str, statistic: str, definition: str, *, evidence: Evidence, plausible: tuple[float, float],
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=name, modality="audio", unit=unit, statistic=statistic, definition=definition, source=_TIMING,
        method="rms", evidence=evidence, plausible=plausible,
    )  # fmt: skip


def _timing(
    name: str, unit: str, statistic: str, definition: str, *aliases: str, evidence: Evidence,
    plausible: tuple[float, float], how: tuple[str, str] = (TIMING_METHOD, _TIMING),
) -> Biomarker:  # fmt: skip
    return Biomarker(
        name=name, modality="audio", unit=unit, statistic=statistic, definition=definition, source=how[1],
        method=how[0], evidence=evidence, plausible=plausible, aliases=aliases,
    )  # fmt: skip


_PITCH = (
    _pitch("mean", "Hz", "Mean", (60, 450), "f0_mean_hz", "meanF0", scale="hz"),
    _pitch("sd", "Hz", "Standard deviation", (1, 150), "f0_sd_hz", "stdevF0", scale="hz"),
    _pitch("p20", "Hz", "20th percentile", (50, 400), scale="hz"),
    _pitch("p50", "Hz", "Median", (60, 450), "f0_p50_hz", scale="hz"),
    _pitch("p80", "Hz", "80th percentile", (60, 500), scale="hz"),
    _pitch("floor", "Hz", "Half the first quartile, below which frames are left out,", (25, 250), scale="hz"),
    _pitch("ceiling", "Hz", "2.5 times the third quartile, above which frames are left out,", (120, 1250), scale="hz"),
    _pitch("mean", "st", "Mean, in semitones over 27.5 Hz,", (10, 50)),
    _pitch("sd", "st", "Standard deviation, in semitones,", (0.2, 15)),
    _pitch("cv", "1", "Standard deviation over mean, in semitones,", (0.01, 0.6)),
    _pitch("p20", "st", "20th percentile, in semitones over 27.5 Hz,", (8, 50)),
    _pitch("p50", "st", "Median, in semitones over 27.5 Hz,", (10, 50)),
    _pitch("p80", "st", "80th percentile, in semitones over 27.5 Hz,", (10, 55)),
    _pitch("range", "st", "80th less 20th percentile, in semitones,", (0.2, 24)),
)

_LOUD = (
    _loudness("mean", "a.u.", "Mean", (0, 20)),
    _loudness("cv", "1", "Standard deviation over mean", (0, 5)),
    _loudness("p20", "a.u.", "20th percentile", (0, 20)),
    _loudness("p50", "a.u.", "Median", (0, 20)),
    _loudness("p80", "a.u.", "80th percentile", (0, 20)),
    _loudness("range", "a.u.", "80th less 20th percentile", (0, 20)),
    _level(
        "level_speech_mean", "dB", "mean", "Level of the mean power in speech, re full scale; uncalibrated.",
        evidence=Evidence(1.0, SPEECH), plausible=(-80, 0),
    ),
    _level(
        "level_speech_sd", "dB", "sd", "Standard deviation of the level of 10 ms frames in voiced speech.",
        evidence=Evidence(3.0, VOICE), plausible=(0, 30),
    ),
    _level(
        "level_speech_relative", "dB", "p50",
        "Median level of 10 ms frames in voiced speech, over the speaker's own in the whole recording.",
        evidence=Evidence(3.0, VOICE), plausible=(-20, 20),
    ),
    _level(
        "level_noise_p10", "dB", "p10", "10th percentile of the level of 10 ms frames outside speech, re full scale.",
        evidence=Evidence(1.0, SILENCE), plausible=(-120, -10),
    ),
    _level(
        "level_snr", "dB", "ratio", "Power in speech less the median power outside speech, over the latter, as level.",
        evidence=Evidence(1.0, SILENCE), plausible=(-10, 110),
    ),
    _level(
        "level_clipped_share", "1", "share", "Share of the samples that stay at the end of the scale with a neighbour.",
        evidence=Evidence(1.0, OBSERVED), plausible=(0, 0.01),
    ),
)  # fmt: skip

_RECORDER = (
    _level(
        "level_band_max", "Hz", "max",
        "Frequency from which on the spectrum of speech ends (20 dB within 250 Hz); 8000 where no end was found.",
        evidence=Evidence(1.0, SPEECH), plausible=(1500, 8000),
    ),
    _level(
        "level_hum_ratio", "dB", "ratio",
        "Power at 50 or 60 Hz and five harmonics over that of the silence beside them, whichever is more.",
        evidence=Evidence(1.0, SILENCE), plausible=(-10, 60),
    ),
    _level(
        "level_offset_mean", "1", "mean", "Mean of the samples, re full scale; it is taken out before measuring.",
        evidence=Evidence(1.0, OBSERVED), plausible=(-0.1, 0.1),
    ),
)  # fmt: skip

_OBSERVED = Evidence(1.0, OBSERVED)
_TALK = (
    _timing(
        "speech_speaker_count", "count", "count",
        "Speakers told apart by their voice prints in windows of 1.6 s; one with under 2.5 s of speech is not counted.",
        evidence=Evidence(3.0, SPEECH), plausible=(1, 8), how=("voice_prints", "arxiv:1710.10467"),
    ),
    _timing(
        "speech_speaker_likeness", "1", "max",
        "Mean cosine between the voice prints of the two speakers most alike: from .685 on they would count as one.",
        evidence=Evidence(2, SPEAKERS), plausible=(0.2, 0.8), how=("voice_prints", "arxiv:1710.10467"),
    ),
    _timing(
        "speech_time_total", "s", "sum", "Time with speech within the window.", "speech_time",
        evidence=_OBSERVED, plausible=(0, 1e6),
    ),
    _timing(
        "speech_share", "1", "share", "Time with speech over the time observed.", "speech_pct", "speech_ratio",
        evidence=_OBSERVED, plausible=(0, 1),
    ),
    _timing(
        "speech_voiced_share", "1", "share", "Voiced time over the time with speech.", "phonation_ratio",
        evidence=Evidence(3.0, SPEECH), plausible=(0.1, 1),
    ),
    _timing(
        "speech_turn_count", "count", "count", "Stretches of speech whose inner silences are shorter than a pause.",
        "turn_count", evidence=_OBSERVED, plausible=(0, 1e5),
    ),
    _timing(
        "speech_turn_rate", "1/min", "rate", "Stretches of speech per minute observed.",
        evidence=Evidence(30.0, OBSERVED), plausible=(0, 120),
    ),
    _timing(
        "speech_turn_mean", "s", "mean", "Mean duration of a stretch of speech.", "turn_dur_mean",
        evidence=Evidence(3, TURNS), plausible=(0.2, 600),
    ),
    _timing(
        "speech_turn_p50", "s", "p50", "Median duration of a stretch of speech.",
        evidence=Evidence(3, TURNS), plausible=(0.2, 600),
    ),
    _timing(
        "speech_turn_sd", "s", "sd", "Standard deviation of the duration of a stretch of speech.", "turn_dur_sd",
        evidence=Evidence(3, TURNS), plausible=(0, 600),
    ),
    _timing(
        "speech_turn_weighted", "s", "mean", "Mean duration of the stretch that a moment of speech lies in.",
        "turn_dur_weighted", evidence=Evidence(3, TURNS), plausible=(0.2, 1200),
    ),
    _timing(
        "speech_pause_rate", "1/min", "rate", "Pauses between speech of this recording per minute observed.",
        "pause_count_rate", evidence=Evidence(30.0, OBSERVED), plausible=(0, 120),
    ),
    _timing(
        "speech_pause_share", "1", "share", "Time in pauses between speech over the time observed.", "pause_pct",
        evidence=_OBSERVED, plausible=(0, 1),
    ),
    _timing(
        "speech_pause_mean", "s", "mean", "Mean duration of a pause.", "pause_dur_mean",
        evidence=Evidence(3, PAUSES), plausible=(0.1, 120),
    ),
    _timing(
        "speech_pause_p50", "s", "p50", "Median duration of a pause.", "pause_dur_median",
        evidence=Evidence(3, PAUSES), plausible=(0.1, 120),
    ),
    _timing(
        "speech_pause_sd", "s", "sd", "Standard deviation of the duration of a pause.", "pause_dur_sd",
        evidence=Evidence(3, PAUSES), plausible=(0, 300),
    ),
    _timing(
        "speech_pause_max", "s", "max", "Duration of the longest pause between speech.", "pause_dur_max",
        evidence=Evidence(1, PAUSES), plausible=(0.1, 3600),
    ),
    _timing(
        "speech_syllables_rate", "syllables/s", "rate", "Syllable nuclei per second observed.", "speaking_rate",
        "speechrate", evidence=Evidence(5.0, OBSERVED), plausible=(0, 8), how=_BY_PEAKS,
    ),
    _timing(
        "speech_articulation_rate", "syllables/s", "rate", "Syllable nuclei per second of speech, pauses left out.",
        "articulation_rate", evidence=Evidence(5.0, SPEECH), plausible=(1, 9), how=_BY_PEAKS,
    ),
    _timing(
        "speech_syllables_npvi", "1", "mean",
        "Mean difference of successive intervals between syllable nuclei over their mean, times 100 (nPVI).",
        "rhythm_npvi", evidence=Evidence(10.0, SPEECH), plausible=(10, 120), how=("intensity_peaks", _RHYTHM),
    ),
    _timing(
        "speech_voiced_rate", "1/s", "rate", "Voiced stretches per second of speech.",
        evidence=Evidence(5.0, SPEECH), plausible=(0, 10), how=_BY_PITCH,
    ),
    _timing(
        "speech_voiced_mean", "s", "mean", "Mean duration of a voiced stretch.",
        evidence=Evidence(5, STRETCHES), plausible=(0.02, 5), how=_BY_PITCH,
    ),
    _timing(
        "speech_voiced_sd", "s", "sd", "Standard deviation of the duration of a voiced stretch.",
        evidence=Evidence(5, STRETCHES), plausible=(0, 5), how=_BY_PITCH,
    ),
)  # fmt: skip

OF_WORDS: tuple[Biomarker, ...] = (
    _timing(
        "speech_words_rate", "1/min", "rate", "Words of a transcript per minute of its utterances of this person.",
        "words_per_min", evidence=Evidence(20, WORDS), plausible=(20, 400), how=("transcript", _TIMING),
    ),
    _timing(
        "speech_filled_pause_rate", "1/min", "rate",
        "Filled pauses (um, uh, äh, euh, hmm) of a transcript per minute of its utterances of this person.",
        "filled_pauses", evidence=Evidence(20, WORDS), plausible=(0, 60), how=("transcript", _TIMING),
    ),
)  # fmt: skip

RECOGNISED = _timing(
    "speech_words_recognised_rate", "1/min", "rate",
    "English words that a network heard, per minute of the utterances it heard; on where `audio.recognise` is.",
    evidence=Evidence(20, WORDS), plausible=(20, 400), how=("whisper_tiny_en", "arxiv:2212.04356"),
)  # fmt: skip

_DECLARED: tuple[Biomarker, ...] = (
    *_PITCH,
    *_LOUD,
    *_RECORDER,
    *_TALK,
    *OF_WORDS,
    RECOGNISED,
    *VOICE_QUALITY,
    *VOICE_SPECTRUM,
    *EGEMAPS,
    *VOICE_TURNS,
)
BIOMARKERS = tuple(replace(b, robustness=robustness_of(b.name, b.unit)) for b in _DECLARED)

_RECORDING = ("speech_speaker_", "level_noise_", "level_clipped_", "level_band_", "level_hum_", "level_offset_")
OF_RECORDING = tuple(b for b in BIOMARKERS if b.name.startswith(_RECORDING))
_APART = {b.name for b in (*VOICE_TURNS, *OF_WORDS, RECOGNISED)}
OF_ONE = tuple(b for b in BIOMARKERS if not b.name.startswith(_RECORDING) and b.name not in _APART)

SERIES: tuple[SeriesSpec, ...] = (
    SeriesSpec("voice_active", "audio", "1", "Share of the second with speech."),
    SeriesSpec("voice_f0", "audio", "Hz", "Mean fundamental frequency of the voiced frames of speech."),
    SeriesSpec("voice_loudness", "audio", "a.u.", "Mean auditory loudness, uncalibrated."),
    SeriesSpec("voice_level", "audio", "dB", "Level of the mean power, re full scale."),
    SeriesSpec("voice_hnr", "audio", "dB", "Mean harmonics-to-noise ratio of the voiced frames of speech."),
    *EGEMAPS_SERIES,
)
