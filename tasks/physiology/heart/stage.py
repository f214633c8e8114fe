"""Measures of heart, pulse and interval lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import TooShortError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Signal, Window
from cueflow.schemas.session import Exclusion
from cueflow.tasks.physiology.heart.artefacts import rhythms
from cueflow.tasks.physiology.heart.beats import LONGEST_S, SHORTEST_S, Beats, heart_beats, pulses
from cueflow.tasks.physiology.heart.derived import Derived, derived_breathing
from cueflow.tasks.physiology.heart.ecg import r_peaks
from cueflow.tasks.physiology.heart.leads import Leads, leads_odd
from cueflow.tasks.physiology.heart.ppg import pulse_peaks
from cueflow.tasks.physiology.looks import ECG_WIDEST_S, PULSE_NARROWEST_S, beat_width_s
from cueflow.tasks.physiology.recording import Basis, Parts, Recording, flattened, mean_or_none, sampled, sd_or_none
from cueflow.tasks.physiology.segments import BoolArray, Segment, runs
from cueflow.tasks.physiology.variability.complexity import COMPLEXITY
from cueflow.tasks.physiology.variability.geometry import LONG
from cueflow.tasks.physiology.variability.hrv import DIFFERENCES, LEVELS, Function
from cueflow.tasks.physiology.variability.intervals import Intervals
from cueflow.tasks.physiology.variability.poincare import POINCARE
from cueflow.tasks.physiology.variability.spectrum import Powers, band_powers, lomb_powers
from cueflow.tasks.windows import excluded, per_second, within

TOUCHING_S = 0.06
"""A listed interval touches the one before where its beat comes that close to when it must (E4: 1/64 s steps)."""
SPECTRA: Mapping[str, Callable[[Powers], float | None]] = {
    "vlf": lambda p: p["vlf"],
    "lf": lambda p: p["lf"],
    "hf": lambda p: p["hf"],
    "vhf": lambda p: p["vhf"],
    "tp": lambda p: p["vlf"] + p["lf"] + p["hf"],
    "hfn": lambda p: _ratio(p["hf"], p["lf"] + p["hf"]),
    "lfn": lambda p: _ratio(p["lf"], p["lf"] + p["hf"]),
    "lfhf": lambda p: _ratio(p["lf"], p["hf"]),
    "lnhf": lambda p: float(np.log(p["hf"])) if p["hf"] > 0 else None,
}
LOMB: Mapping[str, Callable[[Powers], float | None]] = {
    "ulf": lambda p: p["ulf"],
    "vlf": lambda p: p["vlf"],
    "lf": lambda p: p["lf"],
    "hf": lambda p: p["hf"],
    "lfhf": lambda p: _ratio(p["lf"], p["hf"]),
}
SEEN = 0.8
INTENSITY = "intensity"
"""Unit of a pulse wave that is light or its current, which has a zero: shares of it mean something."""


@dataclass(frozen=True, slots=True)
class Naming:
    """First parts of the names of rate and variability, of the series, and the kind of the events."""

    rate: str
    variability: str
    series: str
    event: str


More = Callable[[Basis], Iterable[Measure]]


def _nothing_more(_: Basis) -> tuple[Measure, ...]:
    return ()


HEART = Naming("hr", "hrv", "heart_rate", "beat")
PULSE = Naming("pulse_rate", "prv", "pulse_rate", "pulse")
LIST = Naming("ibi_rate", "ibi", "interval_rate", "beat")


@dataclass(frozen=True, slots=True)
class Train:
    """Beats and the normal intervals between them; `quality` (m,) is None where the shape of a beat is not known.

    `ectopic` and `artefact` (m,) mark early or late beats, and those that are too many, unlike, or follow a lost one.
    """

    times_s: FloatArray
    labels: list[str]
    quality: FloatArray | None
    normal: Intervals
    ectopic: BoolArray
    artefact: BoolArray


def _value(function: Function, intervals: Intervals) -> float | None:
    try:
        return function(intervals)
    except TooShortError:
        return None


def longest_gap_s(intervals: Intervals, window: Window) -> float:
    """Longest part of a window without a normal interval.

    Parameters
    ----------
    intervals : Intervals
        Those of the window.
    window : Window
        The span.

    Returns
    -------
    float
        In s.
    """
    starts = np.concatenate([intervals.starts_s, [window.end_s]])
    ends = np.concatenate([[window.start_s], intervals.at_s])
    return float(max(0.0, (starts - ends).max()))


def rates(intervals: Intervals) -> dict[str, float | None]:
    """Mean, SD, minimum and maximum of the rate per minute.

    Parameters
    ----------
    intervals : Intervals
        Normal intervals of the window.

    Returns
    -------
    dict
        The mean is that over time, 60,000 over the mean interval; the SD weighs each interval by its length.
    """
    if len(intervals) == 0:
        return dict.fromkeys(("mean", "sd", "min", "max"))
    rate = 60000.0 / intervals.ms
    mean = 60000.0 / float(intervals.ms.mean())
    spread = float(np.sqrt(np.average((rate - mean) ** 2, weights=intervals.ms)))
    return {"mean": mean, "sd": spread, "min": float(rate.min()), "max": float(rate.max())}


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None


def _spectral(basis: Basis, intervals: Intervals, prefix: str) -> Iterator[Measure]:
    shortest = {part: BIOMARKERS[f"{prefix}_{part}"].evidence.n_min for part in SPECTRA}
    powers = {seconds: band_powers(intervals, shortest_s=seconds) for seconds in set(shortest.values())}
    for part, value in SPECTRA.items():
        found = powers[shortest[part]]
        yield _over(basis, found.seconds).measure(f"{prefix}_{part}", value(found))
    gappy = lomb_powers(intervals)
    for part, value in LOMB.items():
        yield _over(basis, gappy.seconds).measure(f"{prefix}_{part}_lomb", value(gappy))


def _over(basis: Basis, seconds: float) -> Basis:
    share = min(1.0, seconds / basis.window.duration_s)
    return Basis(basis.window, {"s": seconds}, share, basis.quality, basis.cause)


def _variability(basis: Basis, intervals: Intervals, prefix: str) -> Iterator[Measure]:
    for part, function in {**LEVELS, **COMPLEXITY}.items():
        yield basis.measure(f"{prefix}_{part}", _value(function, intervals))
    pairs = float(len(intervals.differences()))
    for part, function in {**DIFFERENCES, **POINCARE}.items():
        yield basis.measure(f"{prefix}_{part}", _value(function, intervals), count=pairs)
    for part, function in LONG.items():
        yield basis.measure(f"{prefix}_{part}", _value(function, intervals), count=intervals.duration_s)
    yield from _spectral(basis, intervals, prefix)


def _rhythm(basis: Basis, train: Train, inside: BoolArray, prefix: str) -> Iterator[Measure]:
    found, ectopic = float(inside.sum()), float((train.ectopic & inside).sum())
    yield basis.measure(f"{prefix}_ectopic_count", ectopic, count=found)
    yield basis.measure(f"{prefix}_ectopic_share", 100.0 * ectopic / found if found else None, count=found)
    yield basis.measure(f"{prefix}_artefact_count", float((train.artefact & inside).sum()), count=found)


def _basis(recording: Recording, window: Window, train: Train) -> Basis:
    inside = within(train.times_s, window)
    intervals = train.normal.within(window)
    coverage = min(1.0, intervals.duration_s / window.duration_s)
    cause = recording.cause(window)
    if cause is None and train.quality is not None and coverage < SEEN <= recording.observed(window):
        cause = Reason.LOW_SIGNAL
    quality = None if train.quality is None else mean_or_none(train.quality[inside])
    seconds = {"s": recording.observed(window) * window.duration_s}
    return Basis(window, {"beats": float(len(intervals)), **seconds}, coverage, quality, cause)


def _measures(recording: Recording, window: Window, train: Train, naming: Naming) -> Iterator[Measure]:
    inside = within(train.times_s, window)
    intervals = train.normal.within(window)
    found = int(inside.sum())
    basis = _basis(recording, window, train)
    for part, rate in rates(intervals).items():
        yield basis.measure(f"{naming.rate}_{part}", rate)
    yield basis.measure(f"{naming.rate}_beats_count", float(len(intervals)))
    share = 100.0 * max(0, found - 1 - len(intervals)) / (found - 1) if found > 1 else None
    yield basis.measure(f"{naming.rate}_excluded_share", share, count=float(found))
    yield basis.measure(f"{naming.rate}_gap_max", longest_gap_s(intervals, window))
    yield from _rhythm(basis, train, inside, naming.rate)
    yield from _variability(basis, intervals, naming.variability)


def _parts(recording: Recording, train: Train, naming: Naming, *, more: More = _nothing_more) -> Parts:
    grid = sampled(recording.start_s, recording.end_s)
    rate = train.normal.rate_at(grid)
    series = per_second(naming.series, grid, rate, start_s=recording.start_s, end_s=recording.end_s)
    measures = flattened(
        (*_measures(recording, w, train, naming), *more(_basis(recording, w, train))) for w in recording.windows
    )
    return Parts(
        measures=measures,
        events=_events(train, naming.event),
        series=(series,),
        coverage=min(1.0, train.normal.duration_s / (recording.end_s - recording.start_s)),
        quality=None if train.quality is None else mean_or_none(train.quality),
    )


def _events(train: Train, kind: str) -> tuple[Event, ...]:
    scores = [None] * len(train.times_s) if train.quality is None else train.quality.tolist()
    lasted = dict(zip(train.normal.at_s.tolist(), train.normal.ms.tolist(), strict=True))
    return tuple(
        Event(kind, label, at, at, score, {"nn_ms": round(lasted[at], 3)} if at in lasted else {})
        for at, label, score in zip(train.times_s.tolist(), train.labels, scores, strict=True)
    )


def _train(beats: Beats) -> Train:
    artefact = ~beats.ectopic & (beats.extra | beats.unlike | beats.missed)
    return Train(beats.times_s, beats.labels, beats.quality, beats.normal_intervals(), beats.ectopic, artefact)


def heart_parts(recording: Recording, *, leads: Leads) -> Parts:
    """Measures of an electrocardiogram.

    Parameters
    ----------
    recording : Recording
        Any unit.
    leads : Leads
        Which lead it is, and its neighbours.

    Returns
    -------
    Parts
    """
    beats = heart_beats(recording.signal, recording.pieces)
    breathing = _breathing(beats, (beats.height, _spacing(beats)))
    rate, values = recording.signal.sampling_rate, recording.longest
    width = beat_width_s(values, r_peaks(values, rate), rate) if len(values) else np.nan

    def more(basis: Basis) -> Iterator[Measure]:
        yield _derived(basis, breathing, "edr_rate_mean")
        use = within(beats.times_s, basis.window) & beats.trusted
        number = float(use.sum())
        down = 100.0 * float(beats.down[use].mean()) if number else None
        yield basis.measure("ecg_inverted_share", down, count=number)

    parts = _parts(recording, _train(beats), HEART, more=more)
    if width > ECG_WIDEST_S:
        return replace(parts, odd=Reason.WRONG_SIGNAL)
    return replace(parts, note=leads_odd(values, rate, leads) if len(values) else None)


def pulse_parts(recording: Recording) -> Parts:
    """Measures of a pulse wave.

    Parameters
    ----------
    recording : Recording
        Any unit.

    Returns
    -------
    Parts
    """
    beats = pulses(recording.signal, recording.pieces)
    breathing = _breathing(beats, (beats.height, _spacing(beats), beats.level))
    lit = recording.signal.unit == INTENSITY

    def more(basis: Basis) -> Iterator[Measure]:
        yield _derived(basis, breathing, "pdr_rate_mean")
        yield from _pulse_size(basis, beats, lit=lit)

    parts = _parts(recording, _train(beats), PULSE, more=more)
    rate, values = recording.signal.sampling_rate, recording.longest
    width = beat_width_s(values, _steepest(values, rate), rate) if len(values) else np.nan
    return replace(parts, odd=Reason.WRONG_SIGNAL) if width < PULSE_NARROWEST_S else parts


def _steepest(values: FloatArray, rate: float) -> FloatArray:
    """Tops of a pulse; of the complexes of an ECG, upside down too, where there is one for every pulse."""
    tops = pulse_peaks(values, rate)
    if rate < 60.0:  # too slow for a complex to be seen
        return tops
    complexes = r_peaks(values, rate)  # of a smooth wave with noise they are the noise's, and more
    return complexes if 0.8 * len(tops) <= len(complexes) <= 1.25 * len(tops) else tops


def _spacing(beats: Beats) -> FloatArray:
    return np.diff(beats.times_s, prepend=np.nan)


def _breathing(beats: Beats, tracks: Sequence[FloatArray]) -> Derived:
    return derived_breathing(beats.times_s, tracks, beats.trusted)


def _derived(basis: Basis, breathing: Derived, name: str) -> Measure:
    rate, pieces, clear = breathing.within(basis.window)
    own = replace(basis, counts={"pieces": pieces}, quality=clear if pieces else None)
    return own.measure(name, rate)


def _pulse_size(basis: Basis, beats: Beats, *, lit: bool) -> Iterator[Measure]:
    use = within(beats.times_s, basis.window) & beats.trusted & np.isfinite(beats.height)
    height, level = beats.height[use], beats.level[use]
    number = float(use.sum())
    yield basis.measure("pulse_amplitude_mean", mean_or_none(height), count=number)
    yield basis.measure("pulse_amplitude_sd", sd_or_none(height), count=number)
    index = 100.0 * float(np.mean(height / level)) if lit and number and level.min() > 0 else None
    yield basis.measure("pulse_perfusion_mean", index, count=number)


def plausible(ms: FloatArray) -> BoolArray:
    """True for what can be an interval between neighbouring beats: 24 to 240 per minute.

    Parameters
    ----------
    ms : ndarray, shape (n,)
        In ms; NaN is none.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    return np.asarray((ms >= SHORTEST_S * 1000) & (ms <= LONGEST_S * 1000))


def listed_pieces(signal: Signal, exclusions: Sequence[Exclusion]) -> tuple[Segment, ...]:
    """Stretches of usable rows of a list of intervals, whose rows have no period.

    Parameters
    ----------
    signal : Signal
        `values` are intervals in ms that end at `times_s`.
    exclusions : sequence of Exclusion
        Spans that nothing may use.

    Returns
    -------
    tuple of Segment
        Each from the first beat of its first interval to the last beat.
    """
    good = plausible(signal.values) & ~excluded(signal.times_s, exclusions)
    return tuple(
        Segment(int(a), int(b), float(signal.times_s[a] - signal.values[a] / 1000.0), float(signal.times_s[b - 1]))
        for a, b in runs(good)
    )


def listed(signal: Signal, usable: BoolArray) -> Train:
    """Beats of a list of intervals.

    Parameters
    ----------
    signal : Signal
        `values` are intervals in ms, `times_s` the times of the beats that end them.
    usable : ndarray of bool, shape (n,)
        Rows that may be used.

    Returns
    -------
    Train
        A row that does not follow the one before in time starts anew.
    """
    ms = signal.values
    spacing = np.diff(signal.times_s, prepend=-np.inf)
    with np.errstate(invalid="ignore"):
        loose = ~(np.abs(spacing - ms / 1000.0) <= TOUCHING_S)
    rows = Intervals.of(ms, breaks=loose, at_s=signal.times_s).keep(usable)
    label, normal, ectopic, artefact = [], [], [], []
    beats = [
        np.concatenate([stretch.starts_s[:1], stretch.starts_s[0] + np.cumsum(stretch.ms) / 1000.0])
        for stretch in rows.stretches()
    ]
    for found in rhythms(beats):
        flagged = found.ectopic | found.extra
        normal.append(~flagged[1:] & ~flagged[:-1] & ~found.missed[1:])
        ectopic.append(found.ectopic[1:])
        artefact.append((found.extra | found.missed)[1:])
        label += np.where(found.ectopic, "ectopic", np.where(found.extra, "extra", "normal"))[1:].tolist()
    kept, early, wrong = (np.concatenate([np.zeros(0, dtype=bool), *parts]) for parts in (normal, ectopic, artefact))
    return Train(rows.at_s, label, None, rows.keep(kept), early, wrong)


def list_parts(recording: Recording) -> Parts:
    """Measures of a list of intervals.

    Parameters
    ----------
    recording : Recording
        `values` in ms.

    Returns
    -------
    Parts
    """
    signal = recording.signal.part(0, recording.signal.n)
    usable = np.zeros(signal.n, dtype=bool)
    for piece in recording.pieces:
        usable[piece.samples] = True
    return _parts(recording, listed(signal, usable), LIST)
