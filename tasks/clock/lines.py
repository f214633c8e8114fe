"""A clock's place on another's: a straight line with steps, its 95 % interval, and the line through lags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cueflow.schemas.results import FloatArray

DRIFT_PPM = 150.0  # the worst crystals; consumer devices stay below 100
UNSEEN_PPM = 100.0  # 95 % of a drift that is not estimated
DRIFT_FROM_S = 300.0  # a shorter recording shows no drift beyond its jitter
_STRETCHES = 10  # of the jackknife, at most
_LEVEL, _BOTH_ENDS = 0.975, 0.9875  # of a 95 % interval; of one that holds at both ends of a line (Bonferroni)
_FINEST_S = 0.001


class Jump(NamedTuple):
    """A step of a clock: from a time of it on, in s, all is moved by so many s more; when is known to `within_s`."""

    at_s: float
    by_s: float
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Offset:
    """A clock's place on another: offset in s, drift in ppm (0 where it was too short to show one).

    `uncertainty_s` is the half-width of the 95 % interval of the whole recording, both ends at once; `n` what it rests
    on: matched beats, blocks of signal, or marks; `method` says what was shared. `jumps` are steps of the clock.
    """

    offset_s: float
    drift_ppm: float
    uncertainty_s: float
    n: int
    method: str = "heart beats"
    jumps: tuple[Jump, ...] = ()

    def at(self, times_s: FloatArray | float) -> FloatArray:
        """Reference time of a time on the clock, s."""
        times = np.asarray(times_s, dtype=np.float64)
        moved = self.offset_s + times * (1.0 + 1e-6 * self.drift_ppm)
        for at_s, by_s, _ in self.jumps:
            moved = moved + np.where(times >= at_s, by_s, 0.0)
        return np.asarray(moved)

    def shown(self, reference_s: float) -> float:
        """What the clock showed at a reference time, s: where it jumped over it, what it showed after the jump."""
        scale, moved, first = 1.0 + 1e-6 * self.drift_ppm, self.offset_s, -np.inf
        for last, by_s, _ in (*self.jumps, Jump(np.inf, 0.0)):
            time = (reference_s - moved) / scale
            if time < last:
                break
            moved, first = moved + by_s, last
        return max(time, first)

    def inverse(self) -> Offset:
        """Place of the reference on this clock; what a jump made it record twice is what it recorded last."""
        scale = 1.0 + 1e-6 * self.drift_ppm
        jumps = tuple(Jump(float(self.at(at_s)), -by_s / scale, within_s) for at_s, by_s, within_s in self.jumps)
        return replace(self, offset_s=-self.offset_s / scale, drift_ppm=1e6 * (1.0 / scale - 1.0), jumps=jumps)

    def after(self, lead_s: float) -> Offset:
        """The place of a clock that shows `lead_s` less than this one."""
        moved = self.offset_s + lead_s * (1.0 + 1e-6 * self.drift_ppm)
        return replace(self, offset_s=moved, jumps=tuple(j._replace(at_s=j.at_s - lead_s) for j in self.jumps))


def widened(place: Offset, by_s: float) -> Offset:
    """A place whose interval allows for a delay that no length of the recording averages away.

    Parameters
    ----------
    place : Offset
        As found.
    by_s : float
        95 % of the delay, s.

    Returns
    -------
    Offset
        Where no drift was estimated, the delay and the drift that was not seen add up at one end of the recording.
    """
    add_up = 0.0 if place.drift_ppm else place.uncertainty_s * by_s
    return replace(place, uncertainty_s=float(np.sqrt(place.uncertainty_s**2 + by_s**2 + add_up)))


def line_through(times: FloatArray, lags: FloatArray, *, span: tuple[float, float]) -> Offset:
    """Straight line through lags, outliers left out, with a jackknife over stretches of the recording.

    Parameters
    ----------
    times, lags : ndarray, shape (n,)
        Increasing times on the other clock and how much later the reference stands there, s.
    span : tuple of float
        Start and end of the recording on the other clock, s.

    Returns
    -------
    Offset
        With a drift where the recording lasts 5 min and the times cover half of it.
    """
    from scipy.special import stdtrit

    length = span[1] - span[0]
    long_enough = length >= DRIFT_FROM_S and float(np.ptp(times)) > 0.5 * length
    middle = (span[0] + span[1]) / 2
    keep = np.abs(lags - np.median(lags)) <= 3.0 * _spread(lags) if not long_enough else np.ones(len(lags), dtype=bool)
    for _ in range(5):
        slope, level = _fit(times[keep] - middle, lags[keep], slope=long_enough)
        rest = lags - level - slope * (times - middle)
        keep = np.abs(rest) <= 3.0 * _spread(rest)
    ends = (np.array(span) - middle)[:, None]
    n = min(_STRETCHES, int(keep.sum()))
    groups = np.array_split(np.flatnonzero(keep), n)
    left_out = np.array([
        _fit(times[rest] - middle, lags[rest], slope=long_enough)
        for rest in (np.setdiff1d(np.flatnonzero(keep), group) for group in groups)
    ])  # fmt: skip
    at_ends = left_out[:, 1] + ends * left_out[:, 0]
    error = float(np.sqrt((n - 1) * np.max(np.var(at_ends, axis=1))))
    unseen = 0.0 if long_enough else UNSEEN_PPM * 1e-6 * length / 2
    wide = float(stdtrit(n - 1, _BOTH_ENDS if long_enough else _LEVEL))
    uncertainty = float(np.sqrt((wide * error) ** 2 + unseen**2 + _FINEST_S**2))
    return Offset(level - slope * middle, 1e6 * slope, uncertainty, int(keep.sum()))


def _spread(values: FloatArray) -> float:
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), _FINEST_S)


def _fit(times: FloatArray, lags: FloatArray, *, slope: bool) -> tuple[float, float]:
    if not slope:
        return 0.0, float(np.mean(lags))
    found = np.polyfit(times, lags, 1)
    return float(found[0]), float(found[1])
