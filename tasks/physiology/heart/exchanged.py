"""Leads of one file against each other: names or electrodes that were exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations

import numpy as np

from cueflow.schemas.results import FloatArray

LIMB = ("i", "ii", "iii")
AUGMENTED = ("avr", "avl", "avf")
CHEST = ("v1", "v2", "v3", "v4", "v5", "v6")
_FITS, _DIFFERS = 0.05, 0.25  # power of what is left over, as a share of the limb leads' mean power
_AS_GOOD, _NO_MORE = 0.1, 0.5  # the same for an augmented lead, as a share of its own
_DETOUR = 1.8  # of the shortest way through the chest leads: wider than hearts that lie otherwise make it
_WAYS = np.array([way for way in permutations(range(len(CHEST))) if way[0] < way[-1]])


def limb_misnamed(leads: Mapping[str, FloatArray]) -> bool:
    """Whether limb leads cannot have their names, though other names or signs would fit.

    Parameters
    ----------
    leads : mapping
        Name to values (n,), sample by sample; NaN where one is missing. Without all of I, II and III nothing is said.

    Returns
    -------
    bool
        True where II is not the sum of I and III (Einthoven's law) and another one of the three is; or where the law
        holds and aVR, aVL or aVF is not what the three make of it (Goldberger), but another one of these is, or
        the same upside down. I and III fit each other exchanged as well; only aVL tells.
    """
    if not leads.keys() >= set(LIMB):
        return False
    known = _known({name: leads[name] for name in (*LIMB, *AUGMENTED) if name in leads})
    three = np.stack([known[name] for name in LIMB])
    power = float(np.mean(three**2)) if three.size else 0.0
    if not power > 0:
        return False
    left = [float(np.mean((three.sum(axis=0) - 2 * three[k]) ** 2)) / power for k in range(3)]
    if left[1] > _DIFFERS:
        return min(left) < _FITS
    one, two, other = three
    made = {"avr": -(one + two) / 2, "avl": (one - other) / 2, "avf": (two + other) / 2}
    return any(_another(known[name], name, made) for name in AUGMENTED if name in known)


def _another(lead: FloatArray, name: str, made: Mapping[str, FloatArray]) -> bool:
    """Whether an augmented lead is not what its name says, but what another one says, or the same upside down."""
    left = {(k, sign): float(np.mean((lead - sign * made[k]) ** 2)) for k in made for sign in (1, -1)}
    own, power = left.pop((name, 1)), float(np.mean(lead**2))
    return own > _NO_MORE * power and min(left.values()) < _AS_GOOD * power


def chest_misnamed(leads: Mapping[str, FloatArray]) -> bool:
    """Whether V1 to V6 lie in another order than their names say.

    Electrodes that are neighbours on the chest see nearly the same, so the way from lead to lead, in squared
    differences, is short in their order.

    Parameters
    ----------
    leads : mapping
        Name to values (n,), of which slow changes were removed; NaN where one is missing.

    Returns
    -------
    bool
        True where the way in the order of the names is 1.8 times as long as the shortest one. Neighbours that were
        exchanged often stay below, and V6 to V1 is as short as V1 to V6.
    """
    if not leads.keys() >= set(CHEST):
        return False
    known = np.stack([*_known({name: leads[name] for name in CHEST}).values()])
    if not known.size:
        return False
    apart = ((known[:, None, :] - known[None, :, :]) ** 2).mean(axis=2)
    ways = apart[_WAYS[:, :-1], _WAYS[:, 1:]].sum(axis=1)
    return bool(ways[0] > _DETOUR * ways.min())


def _known(leads: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Leads around their medians, where all of them were recorded."""
    stack = np.stack([lead - np.nanmedian(lead) for lead in leads.values()])
    return dict(zip(leads, stack[:, np.isfinite(stack).all(axis=0)], strict=True))
