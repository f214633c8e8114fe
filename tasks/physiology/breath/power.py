"""Slow changes of breathing: power of the breath-to-breath intervals in bands of frequency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cueflow.tasks.physiology.variability.intervals import Intervals
from cueflow.tasks.physiology.variability.spectrum import density

BREATH_BANDS_HZ: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {"vlf": (0.0, 0.04, 0.04), "lf": (0.04, 0.15, 0.10), "hf": (0.15, 0.40, 0.25)}
)
"""Lower edge, upper edge, and how far the band must be seen at the least."""
SHORTEST_S = 300.0
_FEWEST = 30


@dataclass(frozen=True, slots=True)
class BreathPowers:
    """Power by band in ms², None where breathing is too slow to show the band, and the seconds they rest on."""

    bands: Mapping[str, float | None]
    seconds: float


def breath_powers(cycles: Intervals) -> BreathPowers:
    """Power of the breath-to-breath intervals, as for the intervals of the heart.

    Parameters
    ----------
    cycles : Intervals
        From breath to breath, ms.

    Returns
    -------
    BreathPowers
        Over stretches of at least 300 s and 30 breaths, weighted by their duration. One value a breath shows nothing
        that is faster than half the breathing rate: bands end there, and one that is seen up to 0.1 Hz (LF, 12 breaths
        a minute) or 0.25 Hz (HF, 30 breaths a minute) has no power.

    References
    ----------
    The bands are those of NeuroKit2's `rsp_rrv`, doi:10.3758/s13428-020-01516-y
    """
    long = [s for s in cycles.stretches() if s.duration_s >= SHORTEST_S and len(s) >= _FEWEST]
    if not long:
        return BreathPowers(dict.fromkeys(BREATH_BANDS_HZ), 0.0)
    weights = np.array([s.duration_s for s in long])
    fastest = min(500.0 / float(s.ms.mean()) for s in long)
    found = dict[str, float | None]()
    spectra = [density(s) for s in long]
    for name, (low, high, least) in BREATH_BANDS_HZ.items():
        if fastest < least:
            found[name] = None
            continue
        edge = min(high, fastest)
        rows = [float(p[(f >= low) & (f < edge)].sum() * (f[1] - f[0])) for f, p in spectra]
        found[name] = float(np.average(rows, weights=weights))
    return BreathPowers(found, float(weights.sum()))
