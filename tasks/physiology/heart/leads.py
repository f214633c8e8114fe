"""Leads by their names: waves that point the wrong way, and leads of a file that do not fit each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Recorded
from cueflow.tasks.physiology.filters import bandpass
from cueflow.tasks.physiology.heart.ecg import SHAPE_BAND_HZ, complexes, lead_sign
from cueflow.tasks.physiology.heart.exchanged import AUGMENTED, CHEST, LIMB, chest_misnamed, limb_misnamed

_NAME = re.compile(r"(?:ecg|ekg|lead|ml)*(i{1,3}|av[rlf]|v[1-6])")
_UPRIGHT = {"i": 1.0, "ii": 1.0, "avr": -1.0}
"""Which way P wave, main wave and T wave point in a lead where they all point one way in almost everybody."""
_P_S, _T_S = (-0.24, -0.06), (0.12, 0.42)  # around the R peak
_T_SHARE = 0.5  # of an interval, where that ends earlier
_SMALLEST = (0.03, 0.06)  # P and T wave as shares of the main wave: less is flat
_FEWEST = 10  # beats
_LOOK_S = 300.0


@dataclass(frozen=True, slots=True)
class Leads:
    """Name of a lead, and the leads of its file, by name, that can be held against each other."""

    name: str = ""
    beside: Mapping[str, Recorded] = field(default_factory=dict)


NO_LEADS = Leads()


def lead_of(channel: str) -> str:
    """The lead that a channel is called after.

    Parameters
    ----------
    channel : str
        As the manifest names it: I, II, III, aVR, aVL, aVF, V1 to V6, also MLII, ECG II, lead_I.

    Returns
    -------
    str
        In small letters; empty for any other name, and for -aVR, which is upside down on purpose.
    """
    found = None if "-avr" in channel.casefold() else _NAME.fullmatch("".join(filter(str.isalnum, channel.casefold())))
    return found[1] if found else ""


def leads_odd(values: FloatArray, sampling_rate: float, leads: Leads) -> Reason | None:
    """What is wrong with a lead, by its name.

    Parameters
    ----------
    values : ndarray, shape (n,)
        A stretch without gaps.
    sampling_rate : float
        In Hz.
    leads : Leads
        Its name, and its neighbours.

    Returns
    -------
    Reason or None
        LEADS_MISNAMED where the leads of the file would fit each other under other names; LEAD_INVERTED where the main
        wave of I or II points down, or that of aVR up, and so does what is seen of P and T wave: two electrodes were
        exchanged. One of the three alone may point the wrong way in a sick heart.
    """
    if _misnamed(leads):
        return Reason.LEADS_MISNAMED
    upright = _UPRIGHT.get(leads.name)
    if upright is None:
        return None
    p, main, t = (upright * wave for wave in waves_of(values[: round(_LOOK_S * sampling_rate)], sampling_rate))
    return Reason.LEAD_INVERTED if main < 0 and min(p, t) < 0 and max(p, t) <= 0 else None


def _misnamed(leads: Leads) -> bool:
    starts = {name: _start(lead) for name, lead in leads.beside.items()}
    if leads.name not in CHEST:
        return limb_misnamed(starts)
    rates = {name: lead.sampling_rate for name, lead in leads.beside.items()}
    return chest_misnamed({name: _level(values, rates[name]) for name, values in starts.items()})


def _level(values: FloatArray, sampling_rate: float) -> FloatArray:
    """A lead without slow changes, which electrodes do not share; NaN where one is missing."""
    known = np.isfinite(values)
    if not known.any():
        return values
    shape = bandpass(np.where(known, values, np.median(values[known])), sampling_rate, *SHAPE_BAND_HZ)
    return np.where(known, shape, np.nan)


def waves_of(values: FloatArray, sampling_rate: float) -> tuple[float, float, float]:
    """Heights of P wave, main wave and T wave of the typical beat.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Without gaps.
    sampling_rate : float
        In Hz.

    Returns
    -------
    tuple of float
        Negative where a wave points down; 0 where it is flat, or there are fewer than ten beats.
    """
    found = complexes(values, sampling_rate)
    reach = round(max(-_P_S[0], _T_S[1]) * sampling_rate) + 1
    inner = found[(found >= reach) & (found < len(values) - reach)]
    if len(inner) < _FEWEST:
        return 0.0, 0.0, 0.0
    shape = bandpass(values, sampling_rate, *SHAPE_BAND_HZ)
    near = round(0.06 * sampling_rate)
    sign = lead_sign(shape, inner, near)
    tops = inner - near + (sign * shape[inner[:, None] + np.arange(-near, near + 1)[None, :]]).argmax(axis=1)
    tops = tops[(tops >= reach) & (tops < len(values) - reach)]
    beat = np.median(shape[tops[:, None] + np.arange(-reach, reach + 1)[None, :]], axis=0)
    main = float(beat[reach] - np.median(beat))
    usual_s = float(np.median(np.diff(tops))) / sampling_rate
    spans = (_P_S, (_T_S[0], min(_T_S[1], max(_T_SHARE * usual_s, _T_S[0] + 0.1))))
    p, t = (_bulge(beat[reach + round(a * sampling_rate) : reach + round(b * sampling_rate) + 1]) for a, b in spans)
    return _seen(p, _SMALLEST[0] * main), main, _seen(t, _SMALLEST[1] * main)


def _seen(wave: float, least: float) -> float:
    return wave if abs(wave) >= abs(least) else 0.0


def _bulge(part: FloatArray) -> float:
    """The largest distance from the line between both ends."""
    away = part - np.linspace(part[0], part[-1], len(part))
    return float(away[np.abs(away).argmax()])


def _start(lead: Recorded) -> FloatArray:
    return lead.part(0, min(lead.n, round(_LOOK_S * lead.sampling_rate))).values


def fellows(name: str) -> tuple[str, ...]:
    """Names of the leads that a lead can be held against, its own among them: those at the limbs, or at the chest.

    Parameters
    ----------
    name : str
        As `lead_of` gives it.

    Returns
    -------
    tuple of str
    """
    return CHEST if name in CHEST else (*LIMB, *AUGMENTED)


def alike(leads: Mapping[str, Recorded]) -> bool:
    """Whether leads can be held against each other sample by sample.

    Parameters
    ----------
    leads : mapping
        Name to what was recorded.

    Returns
    -------
    bool
    """
    return len({(lead.n, lead.sampling_rate) for lead in leads.values()}) == 1
