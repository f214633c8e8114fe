"""Leads by their names: electrodes that were exchanged, and limb leads that do not fit each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Recorded
from cueflow.tasks.physiology.filters import bandpass
from cueflow.tasks.physiology.heart.ecg import SHAPE_BAND_HZ, complexes, lead_sign

_NAME = re.compile(r"(?:ecg|ekg|lead|ml)*(i{1,3}|av[rlf])")
_UPRIGHT = {"i": 1.0, "ii": 1.0, "avr": -1.0}
"""Which way P wave, main wave and T wave point in a lead where they all point one way in almost everybody."""
_P_S, _T_S = (-0.24, -0.06), (0.12, 0.42)  # around the R peak
_T_SHARE = 0.5  # of an interval, where that ends earlier
_SMALLEST = (0.03, 0.06)  # P and T wave as shares of the main wave: less is flat
_FEWEST = 10  # beats
_LOOK_S = 300.0
_FITS, _DIFFERS = 0.05, 0.25  # power of what is left over of I + III - II, as a share of the leads' mean power


@dataclass(frozen=True, slots=True)
class Leads:
    """Name of a lead, and I, II and III of its file, where they are all there."""

    name: str = ""
    limb: tuple[Recorded, ...] = ()


NO_LEADS = Leads()


def lead_of(channel: str) -> str:
    """The limb lead that a channel is called after.

    Parameters
    ----------
    channel : str
        As the manifest names it: I, II, III, aVR, aVL, aVF, also MLII, ECG II, lead_I.

    Returns
    -------
    str
        In small letters; empty for any other name.
    """
    found = _NAME.fullmatch("".join(c for c in channel.casefold() if c.isalnum()))
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
        LEADS_MISNAMED where I + III is not II (Einthoven's law) and another one of the three is the sum of the others;
        LEAD_INVERTED where the main wave of I or II points down, or that of aVR up, and so does what is seen of P and T
        wave: two electrodes were exchanged. One of the three alone may point the wrong way in a sick heart.
    """
    if len(leads.limb) == 3 and misnamed(*(_start(lead) for lead in leads.limb)):
        return Reason.LEADS_MISNAMED
    upright = _UPRIGHT.get(leads.name)
    if upright is None:
        return None
    p, main, t = (upright * wave for wave in waves_of(values[: round(_LOOK_S * sampling_rate)], sampling_rate))
    return Reason.LEAD_INVERTED if main < 0 and min(p, t) < 0 and max(p, t) <= 0 else None


def misnamed(one: FloatArray, two: FloatArray, three: FloatArray) -> bool:
    """Whether leads I, II and III cannot have these names, though other ones would fit.

    Parameters
    ----------
    one, two, three : ndarray, shape (n,)
        The leads, sample by sample; NaN where one is missing.

    Returns
    -------
    bool
        True where the second is not the sum of the other two and one of these is: two names were exchanged, or one lead
        is inverted. Exchanged I and III fit as well, and are not noticed.
    """
    leads = np.stack([lead - np.nanmedian(lead) for lead in (one, two, three)])
    leads = leads[:, np.isfinite(leads).all(axis=0)]
    power = float(np.mean(leads**2)) if leads.size else 0.0
    if not power > 0:
        return False
    left = [float(np.mean((leads.sum(axis=0) - 2 * leads[k]) ** 2)) / power for k in range(3)]
    return left[1] > _DIFFERS and min(left) < _FITS


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


def limb_of(found: Sequence[tuple[str, Recorded]]) -> tuple[Recorded, ...]:
    """I, II and III of a file.

    Parameters
    ----------
    found : sequence of (str, Signal or LongSignal)
        Channels of one file and their signals.

    Returns
    -------
    tuple
        Empty where one of the three is missing, or they differ in rate or length.
    """
    by_name = {lead_of(channel): signal for channel, signal in found}
    limb = tuple(by_name[name] for name in ("i", "ii", "iii") if name in by_name)
    return limb if len(limb) == 3 and len({(s.n, s.sampling_rate) for s in limb}) == 1 else ()
