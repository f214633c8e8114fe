"""Held tones: a sustained vowel is voice, though a network that was trained on speech stops hearing it.

silero-vad answers to the onset of a vowel and lets go within half a second; of a second vowel in a row it often hears
nothing. What is held is followed by its pitch instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.level import decibels

Flags = NDArray[np.bool_]

_GAP = 5  # frames: voicing that comes back sooner was not interrupted
_STEP_ST = 3.0  # from one frame to the next: more is an error of the octave, or another sound
_FALL_DB = 12.0  # below its own usual level it is no longer held
_HEARD = 10  # frames that the network must have heard
_BEYOND = 20  # frames: what goes on for less behind heard speech is its last syllable, or the room's answer
_ALONE = 50  # frames of a tone that the network did not hear at all
_NEAR_ST = 6.0  # of a tone that it heard
_SINE_DB = 30.0  # of the first harmonic over the second: of vowels 20 at most, of sines over 60
_MAINS_HZ, _OFF_HZ, _STILL = (50.0, 60.0), 1.0, 0.005  # a harmonic of the mains, and its pitch moves by less than .5 %


def with_held(
    speech: Flags, f0_hz: NDArray[np.float32], power: NDArray[np.float32], h1_h2_db: NDArray[np.float32]
) -> Flags:
    """Add to speech what is held beyond it.

    A tone is held where voicing goes on, its pitch moves by at most 3 semitones a frame and its level stays within
    12 dB of its median. It counts where at least .1 s of it was heard as speech and it goes on for .2 s or more beyond;
    then other tones of .5 s or more count too, if their pitch is within half an octave of such a one and their level
    within 12 dB. In ordinary talk no tone goes on where speech ends, and nothing is added; mains hum does, at a pitch
    that never moves.

    Parameters
    ----------
    speech : ndarray of bool, shape (n,)
        Frames of 10 ms with speech, as the network heard it.
    f0_hz : ndarray, shape (n,)
        Pitch, NaN where unvoiced.
    power : ndarray, shape (n,)
        Mean squares of the frames.
    h1_h2_db : ndarray, shape (n,)
        Level of the first harmonic over the second, NaN where unvoiced: a tone without a second one is a beep.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    level = decibels(power)
    tone = 12.0 * np.log2(np.where(np.isfinite(f0_hz), f0_hz, 1.0))
    tones = [part for chain in _chains(f0_hz, tone) for part in _loud_parts(chain, level)]
    out = speech.copy()
    known: list[tuple[float, float]] = []
    for part in tones:
        heard = speech[part]
        beyond = part[~heard]
        if heard.sum() < _HEARD or len(beyond) < _BEYOND:
            continue
        if abs(np.median(level[beyond]) - np.median(level[part[heard]])) > _FALL_DB or _is_no_voice(
            f0_hz[beyond], h1_h2_db[beyond]
        ):
            continue
        known.append((float(np.median(tone[part])), float(np.median(level[part]))))
        out[part[0] : part[-1] + 1] = True
    for part in tones:
        if len(part) < _ALONE or out[part].any() or _is_no_voice(f0_hz[part], h1_h2_db[part]):
            continue
        pitch, loud = float(np.median(tone[part])), float(np.median(level[part]))
        if any(abs(pitch - p) <= _NEAR_ST and abs(loud - usual) <= _FALL_DB for p, usual in known):
            out[part[0] : part[-1] + 1] = True
    return out


def _chains(f0_hz: NDArray[np.float32], tone: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Voiced frames in a row whose pitch does not leap."""
    voiced = np.flatnonzero(np.isfinite(f0_hz))
    leaps = (np.diff(voiced) > _GAP) | (np.abs(np.diff(tone[voiced])) > _STEP_ST)
    return [chain for chain in np.split(voiced, np.flatnonzero(leaps) + 1) if len(chain) >= _BEYOND]


def _loud_parts(chain: NDArray[np.int64], level: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    """A chain without what lies far below its usual level, cut where that lasts."""
    loud = chain[level[chain] >= np.median(level[chain]) - _FALL_DB]
    return np.split(loud, np.flatnonzero(np.diff(loud) > _GAP) + 1)


def _is_no_voice(f0_hz: NDArray[np.float32], h1_h2_db: NDArray[np.float32]) -> bool:
    """A sine, or hum."""
    first = h1_h2_db[np.isfinite(h1_h2_db)]
    if len(first) and float(np.median(first)) > _SINE_DB:
        return True
    middle = float(np.median(f0_hz))
    spread = float(np.subtract(*np.quantile(f0_hz, (0.75, 0.25)))) / middle
    return spread < _STILL and any(abs(middle - mains * round(middle / mains)) < _OFF_HZ for mains in _MAINS_HZ)
