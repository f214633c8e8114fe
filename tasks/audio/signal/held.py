"""Held tones: a sustained vowel is voice, though a network that was trained on speech stops hearing it.

silero-vad answers to the onset of a vowel and lets go within half a second; of a second vowel in a row it often hears
nothing, and of one that fills a recording too. What is held is followed by its pitch instead, and told from hum, beeps
and instruments by what a larynx does: no two of its cycles are equally long, and its harmonics stand out of its noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.level import decibels
from cueflow.tasks.audio.signal.vad import runs

Flags = NDArray[np.bool_]
F32 = NDArray[np.float32]
Indices = NDArray[np.int64]

_GAP = 5  # frames: voicing that comes back sooner was not interrupted
_STEP_ST = 3.0  # from one frame to the next: more is an error of the octave, or another sound
_FALL_DB = 12.0  # below its own usual level it is no longer held
_HEARD = 10  # frames that the network must have heard
_BEYOND = 20  # frames: what goes on for less behind heard speech is its last syllable, or the room's answer
_NEAR, _NEAR_ST = 50, 6.0  # frames of a tone that was not heard, and how near its pitch is to one that was
_ALONE = 100  # frames of a tone that was not heard and is near none
_SUSTAINED = 200  # frames of a tone that was heard to its end: in talk none goes on for so long
_TALK = 50  # frames of heard speech that have a usual level
_SINE_DB = 30.0  # of the first harmonic over the second: of vowels 20 at most, of sines over 60
_MAINS_HZ, _OFF_HZ, _STILL = (50.0, 60.0), 1.0, 0.002  # a harmonic of the mains, and its pitch moves by less than .2 %
# What a tone must have that was heard in part, and what one that was not (benchmarks/voice_held.py): a chord has .2 dB
# of HNR, a sine 5 dB of CPP; from cycle to cycle vowels change by .2 % and more, a bowed string by .11; a motor and hum
# have .54 of GNE, vowels in a quiet room .7 and more
_LEAST = {"hnr_db": 3.0, "cpps_db": 9.0, "jitter": 0.0013}
_LEAST_ALONE = {**_LEAST, "cpps_db": 10.0, "gne": 0.62}


@dataclass(frozen=True, slots=True)
class Voicing:
    """Tracks of n frames of 10 ms, by which voices are told: NaN where unvoiced.

    `f0_hz` the pitch; `power` mean squares; `h1_h2_db` the first harmonic over the second, `hnr_db`, `cpps_db` and
    `gne` how its harmonics stand out; `jitter` the change from one cycle to the next, over their length.
    """

    f0_hz: F32
    power: F32
    h1_h2_db: F32
    hnr_db: F32
    cpps_db: F32
    gne: F32
    jitter: F32


@dataclass(frozen=True, slots=True)
class Held:
    """`speech` (n,) as it was heard and is held; `tones` (n,) those of its frames that are held.

    What is held says little of who holds it: a and i of one person are less alike than two people's talk.
    """

    speech: Flags
    tones: Flags


def with_held(heard: Flags, voicing: Voicing) -> Held:
    """Add to speech what is held beyond it, and take out sines.

    A tone is held where voicing goes on, its pitch moves by at most 3 semitones a frame and its level stays within
    12 dB of its median. It is a voice where it is no sine, its median HNR is 3 dB and its CPP 9 dB or more, its cycles
    change by .13 % or more from one to the next, and it is not a harmonic of the mains that never moves. It counts

    - where at least .1 s of it was heard as speech and it goes on for .2 s or more beyond;
    - from 1 s on where it was not heard, if GNE (.62) and CPP (10 dB) say by themselves that it is a voice;
    - from .5 s on, where its pitch is within half an octave and its level within 12 dB of such a one;

    never where it is more than 12 dB softer than the speech. In ordinary talk no tone goes on where speech ends, and
    nothing is added.

    Parameters
    ----------
    heard : ndarray of bool, shape (n,)
        Frames of 10 ms with speech, as the network heard it.
    voicing : Voicing
        Of the same frames.

    Returns
    -------
    Held
    """
    level = decibels(voicing.power)
    tone = 12.0 * np.log2(np.where(np.isfinite(voicing.f0_hz), voicing.f0_hz, 1.0))
    parts = [part for chain in _chains(voicing.f0_hz, tone) for part in _loud_parts(chain, level)]
    speech = _without_sines(heard, voicing, parts)
    usual = float(np.median(level[speech])) if speech.sum() >= _TALK else -np.inf
    known, unheard = [], []
    for part in parts:
        beyond = part[~speech[part]]
        if len(part) - len(beyond) < _HEARD:
            unheard.append(part)
        elif len(beyond) < _BEYOND:
            known += [part] if len(part) >= _SUSTAINED else []
        elif not _falls(level, part, beyond) and _is_voice(voicing, beyond, _LEAST):
            known.append(part)
    known += [
        part
        for part in unheard
        if len(part) >= _ALONE and np.median(level[part]) >= usual - _FALL_DB and _is_voice(voicing, part, _LEAST_ALONE)
    ]
    places = [(float(np.median(tone[part])), float(np.median(level[part]))) for part in known]
    known += [
        part
        for part in unheard
        if len(part) >= _NEAR
        and _is_near(float(np.median(tone[part])), float(np.median(level[part])), places)
        and _is_voice(voicing, part, _LEAST)
    ]
    tones = np.zeros(len(speech), dtype=bool)
    for part in known:
        speech[part[0] : part[-1] + 1] = True
        tones[part[0] : part[-1] + 1] = True
    return Held(speech, tones)


def _chains(f0_hz: F32, tone: NDArray[np.float64]) -> list[Indices]:
    """Voiced frames in a row whose pitch does not leap."""
    voiced = np.flatnonzero(np.isfinite(f0_hz))
    leaps = (np.diff(voiced) > _GAP) | (np.abs(np.diff(tone[voiced])) > _STEP_ST)
    return [chain for chain in np.split(voiced, np.flatnonzero(leaps) + 1) if len(chain) >= _BEYOND]


def _loud_parts(chain: Indices, level: F32) -> list[Indices]:
    """A chain without what lies far below its usual level, cut where that lasts."""
    loud = chain[level[chain] >= np.median(level[chain]) - _FALL_DB]
    return np.split(loud, np.flatnonzero(np.diff(loud) > _GAP) + 1)


def _without_sines(heard: Flags, voicing: Voicing, parts: list[Indices]) -> Flags:
    """Heard speech without beeps that the network took for it, and without the crumbs that are left around them."""
    speech = heard.copy()
    with np.errstate(invalid="ignore"):
        sine = voicing.h1_h2_db > _SINE_DB
    for part in parts:
        if sine[part].sum() >= _BEYOND:
            speech[part[sine[part]]] = False
    for first, last in runs(speech):
        speech[first:last] = last - first >= _HEARD
    return speech


def _falls(level: F32, part: Indices, beyond: Indices) -> bool:
    """True where the level behind what was heard is another one: the room's answer, or another sound."""
    heard = np.setdiff1d(part, beyond, assume_unique=True)
    return bool(abs(np.median(level[beyond]) - np.median(level[heard])) > _FALL_DB)


def _is_near(tone: float, level: float, places: list[tuple[float, float]]) -> bool:
    return any(abs(tone - t) <= _NEAR_ST and abs(level - usual) <= _FALL_DB for t, usual in places)


def _is_voice(voicing: Voicing, part: Indices, least: Mapping[str, float]) -> bool:
    """Neither a sine nor hum nor anything else that is too steady or too rough for a larynx."""
    if _middle(voicing.h1_h2_db[part]) > _SINE_DB or _is_hum(voicing.f0_hz[part]):
        return False
    return all(_middle(getattr(voicing, name)[part]) >= lowest for name, lowest in least.items())


def _is_hum(f0_hz: F32) -> bool:
    middle = _middle(f0_hz)
    spread = float(np.subtract(*np.quantile(f0_hz, (0.75, 0.25)))) / middle
    return spread < _STILL and any(abs(middle - mains * round(middle / mains)) < _OFF_HZ for mains in _MAINS_HZ)


def _middle(values: F32) -> float:
    """Median of what is there; NaN, which is at least nothing, without any."""
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else float("nan")
