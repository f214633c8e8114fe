"""Signals that change slowly: skin conductance, breathing, skin temperature, and the wrist's acceleration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.body import INHALE_SHARE, SCR_DECAY_S, SCR_RISE_S, breath_phase
from cueflow.tasks.simulate.heart import wander
from cueflow.tasks.simulate.timeline import Episode, swings

PATCH_HZ = 2.0
"""How often a moving hand goes to and fro per second."""


def response_shape(since_s: FloatArray) -> FloatArray:
    """Shape of one skin conductance response: a cosine rise and an exponential recovery.

    Parameters
    ----------
    since_s : ndarray, shape (n,)
        Time since onset, s.

    Returns
    -------
    ndarray, shape (n,)
        0 before the onset, exactly 1 at `SCR_RISE_S`.
    """
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(since_s / SCR_RISE_S, 0.0, 1.0))
    return np.asarray(rise * np.exp(-np.clip(since_s - SCR_RISE_S, 0.0, None) / SCR_DECAY_S))


def conductance(
    rng: np.random.Generator, times_s: FloatArray, onsets_s: FloatArray, amplitudes_us: FloatArray
) -> FloatArray:
    """Skin conductance: a drifting level plus responses.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance (level and drift).
    times_s : ndarray, shape (n,)
        Increasing times in s.
    onsets_s, amplitudes_us : ndarray, shape (m,)
        Responses.

    Returns
    -------
    ndarray, shape (n,)
        In µS.
    """
    level = rng.uniform(4.0, 9.0) + wander(rng, times_s / 4.0, 0.3)
    for onset, amplitude in zip(onsets_s, amplitudes_us, strict=True):
        lo, hi = np.searchsorted(times_s, [onset, onset + 10.0 * SCR_DECAY_S])
        level[lo:hi] += amplitude * response_shape(times_s[lo:hi] - onset)
    return np.asarray(level)


def breathing(times_s: FloatArray, breaths_s: FloatArray, depths: FloatArray) -> FloatArray:
    """Chest expansion: up for `INHALE_SHARE` of each breath, down for the rest.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Increasing times in s.
    breaths_s : ndarray, shape (m + 1,)
        Onsets of inspiration.
    depths : ndarray, shape (m,)
        Depth of each breath.

    Returns
    -------
    ndarray, shape (n,)
        0 at every onset, the depth at the end of inspiration.
    """
    phase = breath_phase(times_s, breaths_s)
    number = np.clip(phase.astype(np.int64), 0, len(depths) - 1)
    share = np.clip(phase - number, 0.0, 1.0)
    warped = np.where(share < INHALE_SHARE, share / INHALE_SHARE, (1.0 - share) / (1.0 - INHALE_SHARE))
    return np.asarray(depths[number] * (0.5 - 0.5 * np.cos(np.pi * warped)))


def hand_path(times_s: FloatArray, motions: Sequence[Episode], hand: str) -> tuple[FloatArray, FloatArray]:
    """Path of a hand relative to where it rests.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times in s.
    motions : sequence of Episode
        Of kind "hand_motion", named "<hand> <direction>".
    hand : str
        "left" or "right", as the image shows them.

    Returns
    -------
    tuple of ndarray, shape (n,)
        To the right and down, in the unit of the episodes' values.
    """
    across, down = np.zeros(len(times_s)), np.zeros(len(times_s))
    for motion in motions:
        side, direction = motion.name.split(" ")
        if side != hand:
            continue
        target = across if direction == "sideways" else down
        lo, hi = np.searchsorted(times_s, [motion.onset_s, motion.end_s])
        cycles = PATCH_HZ * motion.duration_s
        target[lo:hi] += motion.value * swings(times_s[lo:hi], motion.onset_s, motion.duration_s, cycles)
    return across, down


def acceleration(rng: np.random.Generator, times_s: FloatArray, motions: Sequence[Episode]) -> FloatArray:
    """Acceleration at the right wrist: gravity, tremor of the sensor, and the second derivative of the hand's path.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    times_s : ndarray, shape (n,)
        Increasing times in s, evenly spaced.
    motions : sequence of Episode
        Of kind "hand_motion", values in pixels; 400 pixels count as a metre.

    Returns
    -------
    ndarray, shape (n, 3)
        In g; x across, y down, z towards the camera.
    """
    across, down = hand_path(times_s, motions, "right")
    step = float(np.median(np.diff(times_s)))
    columns = [
        np.gradient(np.gradient(path / 400.0, step), step) / 9.81 + rest
        for path, rest in ((across, 0.02), (down, 0.97), (np.zeros(len(times_s)), 0.20))
    ]
    return np.stack(columns, axis=1) + rng.normal(0.0, 0.004, (len(times_s), 3))
