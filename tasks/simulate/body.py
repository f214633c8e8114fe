"""What the body does in a session: breaths, heart beats and skin conductance responses, each at a known time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.timeline import count, place

INHALE_SHARE = 0.4
SCR_RISE_S = 0.7
SCR_DECAY_S = 3.0


@dataclass(frozen=True, slots=True)
class Body:
    """Times in s on the session clock.

    `breaths` (n + 1,): onsets of inspiration and the end of the last breath, `depths` (n,); `beats` (m,): R peaks;
    `responses` (k,): onsets of skin conductance responses, `amplitudes` (k,) in µS. Breaths and beats run on beyond
    both ends of the session, so that a recording that starts early is not empty.
    """

    breaths: FloatArray
    depths: FloatArray
    beats: FloatArray
    responses: FloatArray
    amplitudes: FloatArray


def draw_breaths(rng: np.random.Generator, span: tuple[float, float], rate_per_min: float) -> FloatArray:
    """Onsets of inspiration, with 8 % variation from breath to breath.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    span : tuple of float
        Covered time, s.
    rate_per_min : float
        Mean rate.

    Returns
    -------
    ndarray, shape (n + 1,)
        In s; the last is the end of the last breath.
    """
    number = int((span[1] - span[0]) * rate_per_min / 60.0 * 1.5) + 4
    periods = 60.0 / rate_per_min * np.exp(rng.normal(0.0, 0.08, number) - 0.0032)
    onsets = span[0] - periods[0] * rng.random() + np.concatenate([[0.0], np.cumsum(periods)])
    return np.asarray(onsets[: int(np.searchsorted(onsets, span[1])) + 1])


def breath_phase(times_s: FloatArray, breaths: FloatArray) -> FloatArray:
    """Phase of breathing.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times in s.
    breaths : ndarray, shape (m,)
        Onsets of inspiration.

    Returns
    -------
    ndarray, shape (n,)
        Number of the breath plus its elapsed share.
    """
    return np.asarray(np.interp(times_s, breaths, np.arange(len(breaths), dtype=np.float64)))


def draw_beats(
    rng: np.random.Generator,
    span: tuple[float, float],
    breaths: FloatArray,
    *,
    rate: tuple[float, float],
    calm_until_s: float,
    hrv_ms: float,
    rsa_ms: float,
) -> FloatArray:
    """R peaks whose intervals follow breathing, a slow wave of .1 Hz and chance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    span : tuple of float
        Covered time, s.
    breaths : ndarray, shape (m,)
        Onsets of inspiration.
    rate : tuple of float
        Heart rate before and after `calm_until_s`, 1/min.
    calm_until_s : float
        End of the rest phase.
    hrv_ms, rsa_ms : float
        Standard deviation of the random part; amplitude of the respiratory part.

    Returns
    -------
    ndarray, shape (n,)
        In s. Intervals are never shorter than .33 s.
    """
    number = int((span[1] - span[0]) / 0.33) + 8
    noise = rng.normal(0.0, 1e-3 * hrv_ms, number) * 0.8
    slow = rng.uniform(0.0, 2.0 * np.pi)
    beats, at = [], span[0] + 0.4 * rng.random()
    for extra in noise:
        if at > span[1]:
            break
        beats.append(at)
        phase = float(breath_phase(np.array([at]), breaths)[0])
        interval = 60.0 / (rate[0] if at < calm_until_s else rate[1]) + extra
        interval -= 1e-3 * rsa_ms * np.sin(2.0 * np.pi * phase)
        interval += 1e-3 * 0.8 * hrv_ms * np.sin(2.0 * np.pi * 0.1 * at + slow)
        at += max(interval, 0.33)
    return np.array(beats)


def draw_body(
    rng: np.random.Generator, duration_s: float, rest_s: float, values: dict[str, float], *, rsa_ms: float
) -> Body:
    """Draw breaths, beats and responses; the heart is 5 % faster and responses are twice as frequent after rest.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    duration_s, rest_s : float
        Length of the session and of its first phase.
    values : dict of str to float
        Parameters of the session.
    rsa_ms : float
        Amplitude of the respiratory part of the intervals at the cohort's mean variability.

    Returns
    -------
    Body
        All on the session clock.
    """
    span = (-6.0, duration_s + 6.0)
    breaths = draw_breaths(rng, span, values["breathing_rate"])
    beats = draw_beats(
        rng,
        span,
        breaths,
        rate=(values["hr_mean"] * 0.97, values["hr_mean"] * 1.02),
        calm_until_s=rest_s,
        hrv_ms=values["hrv"],
        rsa_ms=rsa_ms,
    )
    # mean over the session is scr_rate: r (rest) and 2 r (interview) weighted by their lengths
    base = values["scr_rate"] * duration_s / (rest_s + 2.0 * (duration_s - rest_s))
    calm = place(rng, [SCR_RISE_S] * count(rng, base, rest_s), (0.5, rest_s), gap_s=1.6)
    tense = place(
        rng, [SCR_RISE_S] * count(rng, 2.0 * base, duration_s - rest_s), (rest_s + 1.0, duration_s - 1.5), gap_s=1.6
    )
    onsets = np.array([onset for onset, _ in calm + tense])
    return Body(
        breaths=breaths,
        depths=np.exp(rng.normal(0.0, 0.1, max(len(breaths) - 1, 0))),
        beats=beats,
        responses=onsets,
        amplitudes=np.clip(0.35 * np.exp(rng.normal(0.0, 0.5, len(onsets))), 0.12, 1.5),
    )
