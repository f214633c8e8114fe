"""Who speaks when, between two people whose speech is known apart: one stream or channel each, or marked turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Spans = Sequence[tuple[float, float]]

_JOIN_S = 0.3  # silences of one speaker shorter than this do not end a turn
_BACKCHANNEL_S = 1.0  # shorter utterances wholly beside the other's turn take no floor
_LATENCY_MAX_S = 10.0  # a longer silence is no answer
_TOUCH_S = 0.05  # a turn that ends so near to what was not heard may have gone on


@dataclass(frozen=True, slots=True)
class TurnRules:
    """Durations in s: silences joined within a turn, longest backchannel, longest latency that counts as an answer."""

    join_s: float = _JOIN_S
    backchannel_s: float = _BACKCHANNEL_S
    latency_max_s: float = _LATENCY_MAX_S


RULES = TurnRules()


@dataclass(frozen=True, slots=True)
class TurnTaking:
    """Measures of one person (self) against another, within the time both were observed.

    `latency_mean_s`, `latency_p50_s` of self after the other's turn, negative where self began before its end;
    `latency_weighted_s` weighted by the duration of self's answer; `n_latencies` how many. `overlap_share` of the
    observed time with both speaking. `interruption_rate` and `backchannel_rate` of self, per minute of the other's
    speech. `floor_share` self's speech over both people's, backchannels left out. `turn_weighted_s` the duration of the
    turn that a moment of self's speech lies in; `other_s` the other's speech. NaN where undefined.
    """

    latency_mean_s: float
    latency_p50_s: float
    latency_weighted_s: float
    n_latencies: int
    overlap_share: float
    interruption_rate: float
    backchannel_rate: float
    floor_share: float
    n_turns: int
    turn_weighted_s: float
    other_s: float


def turn_taking(
    own: Spans, other: Spans, *, observed_s: float, unheard: Spans = (), rules: TurnRules = RULES
) -> TurnTaking:
    """How one person takes turns with another.

    Parameters
    ----------
    own, other : sequence of (start, end)
        Stretches of speech in s, of the person and of the other one, on the same clock, in any order.
    observed_s : float
        Time in which both could be heard.
    unheard : sequence of (start, end), optional
        Stretches in which not both could be: nobody knows what was answered over one.
    rules : TurnRules, optional
        What counts as a turn, a backchannel and an answer.

    Returns
    -------
    TurnTaking

    Raises
    ------
    ValueError
        If a stretch ends before it starts or the observed time is not positive.

    Notes
    -----
    A turn of self that begins while the other speaks and lasts beyond the other's end is an interruption; one that
    begins and ends within the other's turn and is at most `backchannel_s` long is a backchannel; one that begins and
    ends within and is longer is an interruption too. Latency is from the end of the other's last turn to the start of
    self's, taken wherever the floor goes over.

    References
    ----------
    Heldner and Edlund (2010), Pauses, gaps and overlaps in conversations, J Phonetics 38, 555-568,
    doi:10.1016/j.wocn.2010.08.002
    """
    if observed_s <= 0:
        raise ValueError("observed_s must be positive")
    mine, theirs = joined(own, join_s=rules.join_s), joined(other, join_s=rules.join_s)
    asides = _within(mine, theirs, rules.backchannel_s)
    floor, their_floor = mine[~asides], theirs[~_within(theirs, mine, rules.backchannel_s)]
    answers = _exchanges(floor, their_floor, rules.latency_max_s, unheard)
    latency, weight = answers[:, 2] - answers[:, 1], answers[:, 3] - answers[:, 2]
    spoken, their_spoken = float(_lengths(floor).sum()), float(_lengths(their_floor).sum())
    minutes = float(_lengths(theirs).sum()) / 60.0
    return TurnTaking(
        latency_mean_s=_mean(latency),
        latency_p50_s=float(np.median(latency)) if len(latency) else float("nan"),
        latency_weighted_s=_share(float(latency @ weight), float(weight.sum())),
        n_latencies=len(latency),
        overlap_share=overlap_s(mine, theirs) / observed_s,
        interruption_rate=_share(float(_begun_inside(floor, their_floor).sum()), minutes),
        backchannel_rate=_share(float(asides.sum()), minutes),
        floor_share=_share(spoken, spoken + their_spoken),
        n_turns=len(floor),
        turn_weighted_s=_share(float(np.square(_lengths(floor)).sum()), spoken),
        other_s=60.0 * minutes,
    )


def exchanges(own: Spans, other: Spans, *, unheard: Spans = (), rules: TurnRules = RULES) -> F64:
    """Turns of one person that follow one of the other's.

    Parameters
    ----------
    own, other : sequence of (start, end)
        Stretches of speech in s.
    unheard : sequence of (start, end), optional
        Stretches in which not both could be heard: no answer reaches over one.
    rules : TurnRules, optional
        What counts as a turn and an answer.

    Returns
    -------
    ndarray, shape (n, 4)
        Start and end of the other's turn, start and end of self's, in order of time.
    """
    mine, theirs = joined(own, join_s=rules.join_s), joined(other, join_s=rules.join_s)
    floor = mine[~_within(mine, theirs, rules.backchannel_s)]
    return _exchanges(floor, theirs[~_within(theirs, mine, rules.backchannel_s)], rules.latency_max_s, unheard)


def moments(
    own: Spans, other: Spans, *, unheard: Spans = (), rules: TurnRules = RULES
) -> list[tuple[str, float, float]]:
    """Interruptions, backchannels and answers of one person.

    Parameters
    ----------
    own, other : sequence of (start, end)
        Stretches of speech in s.
    unheard : sequence of (start, end), optional
        Stretches in which not both could be heard: no answer reaches over one.
    rules : TurnRules, optional
        What counts as a turn, a backchannel and an answer.

    Returns
    -------
    list of (kind, start, end)
        An answer lasts from the end of the other's turn to the start of self's; where that is earlier, the two change
        places.
    """
    mine, theirs = joined(own, join_s=rules.join_s), joined(other, join_s=rules.join_s)
    asides = _within(mine, theirs, rules.backchannel_s)
    floor, their_floor = mine[~asides], theirs[~_within(theirs, mine, rules.backchannel_s)]
    begun = _begun_inside(floor, their_floor)
    found = [("backchannel", float(a), float(b)) for a, b in mine[asides]]
    found += [("interruption", float(a), float(b)) for a, b in floor[begun]]
    answers = _exchanges(floor, their_floor, rules.latency_max_s, unheard)
    return found + [("answer", float(min(a, b)), float(max(a, b))) for _, a, b, _ in answers]


def both(one: Spans, two: Spans) -> list[tuple[float, float]]:
    """Stretches in which both speak.

    Parameters
    ----------
    one, two : sequence of (start, end)
        Stretches in s, in order; none of one person reaches into another of the same person.

    Returns
    -------
    list of (start, end)
    """
    found = [(max(a, c), min(b, d)) for a, b in one for c, d in two if max(a, c) < min(b, d)]
    return sorted(found)


def joined(spans: Spans, *, join_s: float) -> F64:
    """Stretches in order, those less than a silence apart made one.

    Parameters
    ----------
    spans : sequence of (start, end)
        In s.
    join_s : float
        Silences shorter than this are closed.

    Returns
    -------
    ndarray, shape (n, 2)

    Raises
    ------
    ValueError
        If a stretch ends before it starts.
    """
    out: list[list[float]] = []
    for start, end in sorted((float(a), float(b)) for a, b in spans):
        if not end >= start:
            raise ValueError("a stretch of speech ends before it starts")
        if out and start - out[-1][1] < join_s:
            out[-1][1] = max(out[-1][1], end)
        elif end > start:
            out.append([start, end])
    return np.asarray(out, dtype=np.float64).reshape(-1, 2)


def overlap_s(one: Spans | F64, two: Spans | F64) -> float:
    """Time in which both speak.

    Parameters
    ----------
    one, two : sequence of (start, end)
        Stretches in s; none of one person reaches into another of the same person.

    Returns
    -------
    float
        In s.
    """
    a, b = (np.asarray(spans, dtype=np.float64).reshape(-1, 2) for spans in (one, two))
    # an end is counted down before a start at the same instant counts up: touching stretches do not overlap
    edges = sorted([(t, 1) for t in (*a[:, 0], *b[:, 0])] + [(t, -1) for t in (*a[:, 1], *b[:, 1])])
    total, speaking = 0.0, 0
    for (now, step), (after, _) in pairwise(edges):
        speaking += step
        total += (after - now) if speaking == 2 else 0.0
    return float(total)


def _lengths(spans: F64) -> F64:
    return np.asarray(spans[:, 1] - spans[:, 0])


def _within(spans: F64, others: F64, longest_s: float) -> NDArray[np.bool_]:
    """Short stretches that begin and end within one of the other's."""
    inside = (spans[:, :1] >= others[:, 0]) & (spans[:, 1:] <= others[:, 1])
    return np.asarray(inside.any(axis=1) & (_lengths(spans) <= longest_s))


def _begun_inside(spans: F64, others: F64) -> NDArray[np.bool_]:
    return np.asarray(((spans[:, :1] > others[:, 0]) & (spans[:, :1] < others[:, 1])).any(axis=1))


def _exchanges(spans: F64, others: F64, longest_s: float, unheard: Spans) -> F64:
    """Each of self's turns that follows a turn of the other, behind that one.

    Not where the silence is too long, nor where a stretch that was not heard lies in it or touches one of its ends.
    """
    owners = ((0, spans), (1, others))
    starts = sorted((float(start), who, i) for who, turns in owners for i, start in enumerate(turns[:, 0]))
    found = [
        (*others[j], *spans[i]) for (_, who_before, j), (_, who, i) in pairwise(starts) if who == 0 and who_before == 1
    ]
    kept = [
        row
        for row in found
        if row[2] - row[1] <= longest_s
        and not any(a <= max(row[1:3]) + _TOUCH_S and b >= min(row[1:3]) - _TOUCH_S for a, b in unheard)
    ]
    return np.asarray(kept, dtype=np.float64).reshape(-1, 4)


def _mean(values: F64) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")
