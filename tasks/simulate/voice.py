"""A synthetic voice: glottal pulses with known pitch, jitter and shimmer through the formants of five vowels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.talk import Span, Syllable
from cueflow.tasks.simulate.timeline import raised

Samples = NDArray[np.float32]

_FORMANTS_HZ = (
    (730.0, 1090.0, 2440.0, 3400.0),
    (530.0, 1840.0, 2480.0, 3500.0),
    (270.0, 2290.0, 3010.0, 3600.0),
    (570.0, 840.0, 2410.0, 3300.0),
    (300.0, 870.0, 2240.0, 3300.0),
)
"""Vowels of men, Peterson and Barney (1952), doi:10.1121/1.1906875; the fourth formant is ours."""
_BANDWIDTHS_HZ = (80.0, 90.0, 130.0, 200.0)
_OVERSAMPLING = 4
_FRICATIVE_S = 0.09
LEVEL = 0.08
"""Root mean square of the patient's phrases, full scale 1."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: mean pitch in Hz, its standard deviation in semitones, jitter and shimmer in %, size of the tract."""

    f0_hz: float
    f0_sd_st: float
    jitter_pct: float
    shimmer_pct: float
    formant_scale: float
    contour_phase: float


@dataclass(frozen=True, slots=True)
class Cycles:
    """Glottal cycles of a speaker: starts in s, periods in s, amplitudes, and the phrase each belongs to."""

    starts_s: FloatArray
    periods_s: FloatArray
    amplitudes: FloatArray
    phrase: FloatArray


def semitones(times_s: FloatArray, phrase: Span, voice: Voice) -> FloatArray:
    """Pitch contour in a phrase, relative to the mean: a slow melody and a fall of 3 semitones × sd / 2.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times in s, inside the phrase.
    phrase : Span
        The phrase.
    voice : Voice
        Size and phase of the melody.

    Returns
    -------
    ndarray, shape (n,)
        Semitones; standard deviation near `voice.f0_sd_st` over a long recording.
    """
    share = (times_s - phrase.onset_s) / (phrase.end_s - phrase.onset_s)
    melody = sum(
        np.sin(2.0 * np.pi * hz * times_s + voice.contour_phase * k) for k, hz in enumerate((0.41, 0.73, 1.13), start=1)
    )
    return np.asarray(voice.f0_sd_st * (0.68 * melody + 1.9 * (0.5 - share)))


def draw_cycles(rng: np.random.Generator, phrases: Sequence[Span], voice: Voice) -> Cycles:
    """Draw every glottal cycle of a speaker.

    The period is the contour's, times 1 + jitter × chance; chance is Gaussian and independent from cycle to cycle, so
    that the mean absolute difference of neighbours over the mean period is `jitter_pct`. Amplitudes likewise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    phrases : sequence of Span
        When the speaker speaks.
    voice : Voice
        How.

    Returns
    -------
    Cycles
        In order of time.
    """
    per_pct = 0.01 * np.sqrt(np.pi) / 2.0  # E|a - b| of independent normals is 2 sd / sqrt(pi)
    starts, periods, owner = [], [], []
    for number, phrase in enumerate(phrases):
        grid = np.arange(phrase.onset_s, phrase.end_s, 0.01)
        contour = voice.f0_hz * 2.0 ** (semitones(grid, phrase, voice) / 12.0)
        noise = rng.normal(0.0, per_pct * voice.jitter_pct, int(len(grid) * 0.01 * contour.max() * 1.3) + 16)
        at = phrase.onset_s
        for extra in noise:
            period = (1.0 + extra) / contour[min(int((at - phrase.onset_s) * 100.0), len(contour) - 1)]
            if at + period > phrase.end_s:
                break
            starts.append(at)
            periods.append(period)
            owner.append(number)
            at += period
    amplitudes = 1.0 + rng.normal(0.0, per_pct * voice.shimmer_pct, len(starts))
    return Cycles(np.array(starts), np.array(periods), amplitudes, np.array(owner, dtype=np.float64))


def pitch_statistics(cycles: Cycles) -> dict[str, float]:
    """What was spoken, from the cycles themselves.

    Parameters
    ----------
    cycles : Cycles
        Of one speaker.

    Returns
    -------
    dict of str to float
        f0_mean (Hz), f0_sd (semitones), both weighted by time, and jitter and shimmer in %, inside phrases.
    """
    if len(cycles.starts_s) < 2:
        return {}
    weights = cycles.periods_s / cycles.periods_s.sum()
    tones = 12.0 * np.log2(1.0 / cycles.periods_s)
    same = np.diff(cycles.phrase) == 0
    steps, heights = np.abs(np.diff(cycles.periods_s))[same], np.abs(np.diff(cycles.amplitudes))[same]
    mean = float(np.sum(weights * tones))
    return {
        "f0_mean": float(np.sum(weights / cycles.periods_s)),
        "f0_sd": float(np.sqrt(np.sum(weights * (tones - mean) ** 2))),
        "jitter": float(100.0 * steps.mean() / cycles.periods_s.mean()),
        "shimmer": float(100.0 * heights.mean() / cycles.amplitudes.mean()),
    }


def _flow(cycles: Cycles, onset_s: float, samples: int, rate: float) -> FloatArray:
    """Glottal flow of a phrase: Rosenberg's polynomial pulse, open for 60 % of the cycle."""
    local = (cycles.starts_s - onset_s) * rate
    first = np.ceil(local).astype(np.int64)
    lengths = np.diff(np.append(np.clip(first, 0, samples), samples))
    at = np.arange(int(lengths.sum())) + int(np.clip(first[0], 0, samples))
    phase = (at - np.repeat(local, lengths)) / (np.repeat(cycles.periods_s, lengths) * rate)
    rise, fall = np.clip(phase / 0.4, 0.0, 1.0), np.clip((phase - 0.4) / 0.2, 0.0, 1.0)
    pulse = np.where(phase <= 0.4, 3.0 * rise**2 - 2.0 * rise**3, 1.0 - fall**2)
    flow = np.zeros(samples)
    flow[at] = np.repeat(cycles.amplitudes, lengths) * pulse
    return flow


def _vowels(source: FloatArray, rate: float, scale: float) -> FloatArray:
    """The source through the resonators of each vowel, shape (5, n), at equal level."""
    from scipy.signal import sosfilt

    voiced = []
    for formants in _FORMANTS_HZ:
        sections = []
        for hz, width in zip(formants, _BANDWIDTHS_HZ, strict=True):
            radius, angle = np.exp(-np.pi * width / rate), 2.0 * np.pi * hz * scale / rate
            a1, a2 = -2.0 * radius * np.cos(angle), radius**2
            sections.append([1.0 + a1 + a2, 0.0, 0.0, 1.0, a1, a2])
        sound = sosfilt(np.array(sections), source)
        voiced.append(sound / max(float(np.sqrt(np.mean(sound**2))), 1e-12))
    return np.stack(voiced)


def _envelopes(syllables: Sequence[Syllable], times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights of the vowels, shape (5, n), and of frication, shape (n,)."""
    weights, hiss = np.zeros((5, len(times_s))), np.zeros(len(times_s))
    for syllable in syllables:
        lo, hi = np.searchsorted(times_s, [syllable.onset_s, syllable.end_s])
        local, seconds = times_s[lo:hi], syllable.end_s - syllable.onset_s
        head = min(_FRICATIVE_S, 0.4 * seconds) if syllable.fricative else 0.0
        body = raised(local, syllable.onset_s + 0.7 * head, seconds - 0.7 * head, 0.055)
        floor = 0.18 * raised(local, syllable.onset_s, seconds, 0.01)
        weights[syllable.vowel, lo:hi] += syllable.level * np.maximum(body, 0.0 if head else floor)
        if head:
            hiss[lo:hi] += 0.35 * raised(local, syllable.onset_s, head, 0.02)
    return weights, hiss


def speak(
    rng: np.random.Generator,
    phrases: Sequence[Span],
    syllables: Sequence[Syllable],
    cycles: Cycles,
    *,
    formant_scale: float,
    rate: float,
    into: Samples,
) -> None:
    """Add the sound of a speaker to a recording, phrase by phrase; silence stays as it is.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (frication).
    phrases, syllables : sequence of Span, of Syllable
        When something is said; times in s on the recording's clock.
    cycles : Cycles
        Glottal cycles of the same phrases.
    formant_scale : float
        1 for a man's tract, about 1.17 for a woman's.
    rate : float
        Sampling rate in Hz.
    into : ndarray, shape (samples,)
        The recording; each phrase adds a root mean square of `LEVEL`.
    """
    from scipy.signal import butter, resample_poly, sosfilt

    samples, fine = len(into), rate * _OVERSAMPLING
    hiss_filter = butter(2, [2800.0, 0.47 * rate], btype="band", fs=rate, output="sos")
    onsets = np.array([s.onset_s for s in syllables])
    for number, phrase in enumerate(phrases):
        lo = round(phrase.onset_s * rate)
        length = min(round(phrase.end_s * rate), samples) - lo
        own = np.flatnonzero(cycles.phrase == number)
        if lo < 0 or length < 64 or len(own) < 2:
            continue
        some = Cycles(*(getattr(cycles, name)[own] for name in ("starts_s", "periods_s", "amplitudes", "phrase")))
        flow = _flow(some, lo / rate, length * _OVERSAMPLING, fine)
        source = resample_poly(np.diff(flow, prepend=0.0), 1, _OVERSAMPLING)[:length]
        source += 0.01 * float(np.std(source)) * rng.normal(size=length)  # breath
        times = (lo + np.arange(length)) / rate
        first, last = np.searchsorted(onsets, [phrase.onset_s - 1e-6, phrase.end_s - 1e-6])
        weights, hiss = _envelopes(syllables[first:last], times)
        voiced = np.sum(weights * _vowels(source, rate, formant_scale), axis=0)
        voiced += hiss * sosfilt(hiss_filter, rng.normal(size=length))
        into[lo : lo + length] += LEVEL * voiced / max(float(np.sqrt(np.mean(voiced**2))), 1e-12)


def background(rng: np.random.Generator, into: Samples, level: float) -> None:
    """Add room noise that falls by 3 dB per octave, in blocks.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    into : ndarray, shape (samples,)
        The recording.
    level : float
        Root mean square that is added.
    """
    from scipy.signal import lfilter

    # Kellet's three-pole approximation of a 1/f spectrum
    b, a = [0.049922035, -0.095993537, 0.050612699, -0.004408786], [1.0, -2.494956002, 2.017265875, -0.522189400]
    pink, state = lfilter(b, a, rng.normal(size=1 << 18), zi=np.zeros(3))  # settles the filter and tells its gain
    gain = level / float(np.std(pink))
    for lo in range(0, len(into), 1 << 18):
        part = into[lo : lo + (1 << 18)]
        pink, state = lfilter(b, a, rng.normal(size=len(part)), zi=state)
        part += gain * pink
