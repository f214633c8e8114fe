"""Skin conductance as a wave: its power in the band of sympathetic outflow, and how slowly it changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cueflow.schemas.results import Window
from cueflow.tasks.physiology.skin.eda import Trace
from cueflow.tasks.windows import within

SYMPATHETIC_HZ = (0.045, 0.25)
ALL_HZ = (0.01, 1.0)
SEGMENT_S = 128.0
LAG_S = 4.0


def sympathetic_power(tracks: Sequence[Trace], window: Window) -> tuple[float, float, float]:
    """Power of the conductance in the band of sympathetic outflow.

    Parameters
    ----------
    tracks : sequence of Trace
        The segments.
    window : Window
        The span.

    Returns
    -------
    tuple of float
        Power from 0.045 to 0.25 Hz in µS², that over the power from 0.01 to 1 Hz, and the seconds they rest on:
        stretches of at least 128 s, weighted by their duration. NaN where there is none.

    References
    ----------
    Posada-Quintero et al. (2016), doi:10.1007/s10439-016-1606-6
    """
    from scipy import signal as sp

    rows = []
    for track in tracks:
        values = track.smooth[within(track.times_s, window)]
        size = round(SEGMENT_S * track.rate)
        if len(values) < size:
            continue
        freqs, power = sp.welch(sp.detrend(values), track.rate, window="blackman", nperseg=size, detrend="linear")
        step = freqs[1] - freqs[0]
        low, high = (power[(freqs >= lo) & (freqs < hi)].sum() * step for lo, hi in (SYMPATHETIC_HZ, ALL_HZ))
        rows.append((len(values) / track.rate, low, low / high if high > 0 else np.nan))
    if not rows:
        return float("nan"), float("nan"), 0.0
    seconds, low, share = np.array(rows).T
    return float(np.average(low, weights=seconds)), float(np.average(share, weights=seconds)), float(seconds.sum())


def autocorrelation(tracks: Sequence[Trace], window: Window) -> float:
    """Correlation of the conductance with itself 4 s later, within segments.

    Parameters
    ----------
    tracks : sequence of Trace
        The segments.
    window : Window
        The span.

    Returns
    -------
    float
        NaN where nothing changes or no segment is longer than 4 s.
    """
    now, later = [np.empty(0)], [np.empty(0)]
    for track in tracks:
        values, lag = track.smooth[within(track.times_s, window)], round(LAG_S * track.rate)
        now.append(values[:-lag])
        later.append(values[lag:])
    a, b = np.concatenate(now), np.concatenate(later)
    if len(a) < 2 or np.ptp(a) <= 0 or np.ptp(b) <= 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
