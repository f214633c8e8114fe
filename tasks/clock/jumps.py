"""Steps of a clock within a recording: stretches that each have their place, and where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.clock.lines import DRIFT_PPM, Jump, Offset

_FEWEST_WINDOWS = 4  # fewer tell no jump from chance
JUMP_S = 60.0
"""Largest step of a clock that is looked for."""
_SLACK_S = 0.05
_MARGIN_S = 5.0  # left out at either side of a step, whose time is not exact
_END = 0.15  # an end that holds this share of what could fit has to
_SILENT = 0.2  # times as well as the rest: fits no better than that, and something is wrong
_HALF = 0.5  # as well as all beside it: fits no better than that, and tells nothing of when a clock stepped


@dataclass(frozen=True, slots=True)
class Shared:
    """What another recorder shares with the reference.

    `place` gives the place of the part between two times on the other's clock, near a lead in s where that is known
    to `JUMP_S`, or anywhere; `fits` the times (n,) on it, how well what lies there fits at a place (n,), and how well
    it could where the reference was recording (n,); `span` is its extent; `window_s` the length in which a place is
    found; two moments of a jump whose fits differ by less than `doubt` are equally likely; `chance` fits in a stretch
    that shows nothing, such as an empty picture (0 where each moment shows as much).
    """

    place: Callable[[float, float, float | None], Offset | None]
    fits: Callable[[Offset], tuple[FloatArray, FloatArray, FloatArray]]
    span: tuple[float, float]
    window_s: float
    doubt: float
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class _Window:
    start_s: float
    end_s: float
    place: Offset

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2


def place_with_jumps(shared: Shared) -> Offset | None:
    """Place of a recorder, with the steps of its clock.

    The recording is cut into windows that are placed one by one. Neighbours that are further apart than 150 ppm of
    drift, their intervals and 50 ms let them be lie on two sides of a step; each stretch then gets a place of its own.
    Whether this clock jumped or the reference's cannot be told. Where no step is seen, but an end of the recording does
    not fit at the place of the whole, that end is placed by itself.

    Parameters
    ----------
    shared : Shared
        What the two recorders share.

    Returns
    -------
    Offset or None
        With the mean drift of the stretches; None where there is no place, or a stretch has none though its windows
        say that the clock jumped, or an end has none though it does not fit.
    """
    whole = shared.place(*shared.span, None)
    stretches = _stretches(_windows(shared, whole))
    if len(stretches) < 2:
        return None if whole is None else _with_its_ends(shared, whole)
    borders = [_border(shared, one[-1], other[0]) for one, other in pairwise(stretches)]
    starts = [shared.span[0], *(last + _MARGIN_S for _, last in borders)]
    ends = [*(first - _MARGIN_S for first, _ in borders), shared.span[1]]
    parts = [
        _Window(a, b, found)
        for a, b, stretch in zip(starts, ends, stretches, strict=True)
        if (found := shared.place(a, b, _lag(stretch[0]))) is not None
    ]
    if len(parts) < len(stretches):
        return None
    return _if_all_fits(shared, _joined(parts, borders))


def _with_its_ends(shared: Shared, whole: Offset) -> Offset | None:
    """The place of the whole, or of its two parts where one of the ends does not fit at it.

    None where the drift is larger than any clock's: a line was laid through a small step.
    """
    if abs(whole.drift_ppm) > DRIFT_PPM:
        return None
    border = silent_end(*shared.fits(whole))
    if border is None:
        return whole
    middle = float(np.mean(shared.span))
    lead = float(whole.at(middle)) - middle
    sides = ((shared.span[0], border), (border, shared.span[1]))
    parts = [_Window(a, b, found) for a, b in sides if (found := shared.place(a, b, lead)) is not None]
    if len(parts) < 2:
        return None
    if _fits(*parts):
        return whole
    return _if_all_fits(shared, _joined(parts, [_border(shared, *parts)]))


def _if_all_fits(shared: Shared, place: Offset) -> Offset | None:
    return place if silent_end(*shared.fits(place)) is None else None


def silent_end(times: FloatArray, fit: FloatArray, could: FloatArray) -> float | None:
    """Where the end begins, or the beginning ends, that does not fit though the rest does.

    Parameters
    ----------
    times, fit, could : ndarray, shape (n,)
        As `Shared.fits` gives them.

    Returns
    -------
    float or None
        The time, s; of both ends the larger one. None where both fit: at least a fifth as well as the rest.
    """
    most, border = 0.0, None
    for turn in (1, -1):
        fits, holds = np.cumsum(fit[::turn]), np.cumsum(could[::turn])
        share = holds / max(float(holds[-1]), 1e-12)
        rest = (fits[-1] - fits) / np.maximum(holds[-1] - holds, 1e-12)
        silent = np.flatnonzero((share >= _END) & (share <= 1 - _END) & (fits < _SILENT * rest * holds))
        if len(silent) and share[silent[-1]] > most:
            most, border = float(share[silent[-1]]), float(times[::turn][silent[-1]])
    return border


def _windows(shared: Shared, whole: Offset | None) -> list[_Window]:
    first, last = shared.span
    n = int((last - first) / shared.window_s)
    if n < _FEWEST_WINDOWS:
        return []
    edges = np.linspace(first, last, n + 1)
    lead_s = None if whole is None else float(whole.at((first + last) / 2)) - (first + last) / 2
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [_Window(a, b, found) for a, b in pairs if (found := shared.place(a, b, lead_s)) is not None]


def _stretches(windows: Sequence[_Window]) -> list[list[_Window]]:
    """Runs of windows that one clock without steps could have.

    A window that lies elsewhere than those on both of its sides, which lie together, was placed by chance.
    """
    runs: list[list[_Window]] = []
    for window in windows:
        if runs and _fits(runs[-1][-1], window):
            runs[-1].append(window)
        elif len(runs) > 1 and len(runs[-1]) == 1 and _fits(runs[-2][-1], window):
            runs.pop()
            runs[-1].append(window)
        else:
            runs.append([window])
    return runs


def _fits(one: _Window, other: _Window) -> bool:
    step = abs(_lag(other) - _lag(one))
    drift = DRIFT_PPM * 1e-6 * (other.middle_s - one.middle_s)
    return step <= drift + one.place.uncertainty_s + other.place.uncertainty_s + _SLACK_S


def _lag(window: _Window) -> float:
    return float(window.place.at(window.middle_s)) - window.middle_s


def _border(shared: Shared, before: _Window, after: _Window) -> tuple[float, float]:
    """Between which times the clock stepped: before it the one place fits best, after it the other.

    What fits neither, since the hand was out of the picture or the room was silent, tells nothing, and lies between.
    """
    times, early, early_could = shared.fits(before.place)
    _, late, late_could = shared.fits(after.place)
    inside = (times >= before.start_s) & (times <= after.end_s)
    if not inside.any():
        return before.start_s, after.end_s
    first, last = between_fits(times[inside], np.cumsum(early[inside] - late[inside]), shared.doubt)
    ahead, behind = np.flatnonzero(inside & (times <= first))[::-1], np.flatnonzero(inside & (times >= last))
    return (
        float(times[ahead[_begins_to_fit(early[ahead], early_could[ahead], shared.chance)]]),
        float(times[behind[_begins_to_fit(late[behind], late_could[behind], shared.chance)]]),
    )


def _begins_to_fit(fit: FloatArray, could: FloatArray, chance: float) -> int:
    """The moment up to which, going away from a step, a place fits less than half as well as on average.

    What it fits better after that counts once it is more than fits by chance.
    """
    beside = np.cumsum(fit - _HALF * could * (fit.sum() / max(float(could.sum()), 1e-12)))
    little = np.flatnonzero(beside <= min(float(beside.min()), 0.0) + chance)
    return int(little[-1]) if len(little) else 0


def between_fits(times: FloatArray, gained: FloatArray, doubt: float) -> tuple[float, float]:
    """Between which times a step lies: from where its fit comes near the best one to where it leaves it again.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Increasing, s, n > 0.
    gained : ndarray, shape (n,)
        How well all fits if the step comes just after each of them.
    doubt : float
        What comes so near to the best fit is as likely.

    Returns
    -------
    tuple of float
        Up to the next time, before which it may lie: where nothing was recorded, or nothing moved, nothing tells it.
    """
    likely = np.flatnonzero(gained >= float(gained.max()) - doubt)
    return float(times[likely[0]]), float(times[min(int(likely[-1]) + 1, len(times) - 1)])


def _joined(parts: Sequence[_Window], borders: Sequence[tuple[float, float]]) -> Offset:
    longest = max(parts, key=lambda part: part.end_s - part.start_s)
    weights = [(part.end_s - part.start_s) ** 3 for part in parts]  # a slope's variance falls with the cube
    drift = float(np.average([part.place.drift_ppm for part in parts], weights=weights))
    levels = [float(p.place.at(p.middle_s)) - p.middle_s * (1.0 + 1e-6 * drift) for p in parts]
    errors = [p.place.uncertainty_s + 1e-6 * abs(p.place.drift_ppm - drift) * (p.end_s - p.start_s) / 2 for p in parts]
    return replace(
        longest.place,
        offset_s=levels[0],
        drift_ppm=drift,
        uncertainty_s=max(errors),
        n=sum(p.place.n for p in parts),
        jumps=tuple(
            Jump((first + last) / 2, by_s, (last - first) / 2)
            for (first, last), by_s in zip(borders, np.diff(levels).tolist(), strict=True)
        ),
    )
