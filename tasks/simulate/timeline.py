"""Episodes on the session clock and where to put them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.results import FloatArray


@dataclass(frozen=True, slots=True)
class Episode:
    """One row of truth, without its session: onset and duration in s on the session clock, value in `unit`."""

    kind: str
    name: str
    onset_s: float
    duration_s: float
    value: float
    unit: str

    @property
    def end_s(self) -> float:
        """Where it ends, in s."""
        return self.onset_s + self.duration_s


def count(rng: np.random.Generator, rate_per_min: float, seconds: float) -> int:
    """How many episodes a span holds: the rate's whole part, the rest by chance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    rate_per_min : float
        Episodes per minute.
    seconds : float
        Length of the span.

    Returns
    -------
    int
        Number of episodes, mean `rate_per_min` × `seconds` / 60.
    """
    return int(rate_per_min * seconds / 60.0 + rng.random())


def place(
    rng: np.random.Generator,
    lengths: Sequence[float],
    span: tuple[float, float],
    *,
    gap_s: float = 0.3,
    taken: Sequence[tuple[float, float]] = (),
) -> list[tuple[float, float]]:
    """Put episodes into a span so that none comes closer than `gap_s` to another.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    lengths : sequence of float
        Durations in s.
    span : tuple of float
        First and last second that may be used.
    gap_s : float, optional
        Least distance between two episodes.
    taken : sequence of tuple of float
        Onset and end of what is there already.

    Returns
    -------
    list of tuple of float
        Onset and duration, in order of time; an episode that finds no room after 60 tries is left out.
    """
    busy = list(taken)
    placed: list[tuple[float, float]] = []
    for length in lengths:
        if span[1] - span[0] <= length:
            continue
        for onset in rng.uniform(span[0], span[1] - length, 60):
            if all(onset + length + gap_s <= start or onset >= end + gap_s for start, end in busy):
                busy.append((float(onset), float(onset + length)))
                placed.append((float(onset), float(length)))
                break
    return sorted(placed)


def raised(times_s: FloatArray, onset_s: float, duration_s: float, ramp_s: float) -> FloatArray:
    """A plateau with cosine ramps inside its ends.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Where to evaluate it.
    onset_s, duration_s, ramp_s : float
        The plateau with its ramps lasts `duration_s`.

    Returns
    -------
    ndarray, shape (n,)
        0 outside, 1 on the plateau.
    """
    inside = np.minimum(times_s - onset_s, onset_s + duration_s - times_s) / ramp_s
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(inside, 0.0, 1.0))


def blink_closure(times_s: FloatArray, onset_s: float, duration_s: float) -> FloatArray:
    """Eyelid closure of one blink: closing takes 35 %, closed 15 %, opening 50 % of its duration.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Where to evaluate it.
    onset_s, duration_s : float
        Extent of the blink.

    Returns
    -------
    ndarray, shape (n,)
        0 open to 1 closed.
    """
    u = (times_s - onset_s) / duration_s
    level = np.minimum(np.clip(u / 0.35, 0.0, 1.0), np.clip((1.0 - u) / 0.5, 0.0, 1.0))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * level))


def swings(times_s: FloatArray, onset_s: float, duration_s: float, cycles: float) -> FloatArray:
    """An oscillation under a smooth window: nods, shakes and hands.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Where to evaluate it.
    onset_s, duration_s : float
        Extent of the oscillation.
    cycles : float
        Number of periods in it.

    Returns
    -------
    ndarray, shape (n,)
        Between -1 and 1, 0 outside.
    """
    u = (times_s - onset_s) / duration_s
    window = raised(times_s, onset_s, duration_s, 0.2 * duration_s)
    return np.asarray(window * np.sin(2.0 * np.pi * cycles * np.clip(u, 0.0, 1.0)))
