"""Measures of breathing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cueflow.schemas.errors import TooShortError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Window
from cueflow.tasks.physiology.breath.power import breath_powers
from cueflow.tasks.physiology.breath.respiration import SIGH, Breaths, breaths_by_block, sighs, together
from cueflow.tasks.physiology.heart.stage import rates
from cueflow.tasks.physiology.looks import FAST_SHARE, fast_share
from cueflow.tasks.physiology.recording import Basis, Parts, Recording, flattened, mean_or_none, sampled, sd_or_none
from cueflow.tasks.physiology.variability.complexity import approximate_entropy, dfa_alpha2, sample_entropy
from cueflow.tasks.physiology.variability.hrv import Function, cvnn, mad_nn, mean_nn, median_nn, rmssd, sdnn, sdsd
from cueflow.tasks.physiology.variability.intervals import Intervals
from cueflow.tasks.physiology.variability.poincare import csi, sd1, sd2
from cueflow.tasks.windows import Seconds, per_second

_LEVELS: dict[str, Function] = {
    "meanbb": mean_nn, "medianbb": median_nn, "sdbb": sdnn, "madbb": mad_nn, "cvbb": cvnn,
}  # fmt: skip
_DIFFERENCES: dict[str, Function] = {"rmssd": rmssd, "sdsd": sdsd, "sd1": sd1, "sd2": sd2, "sd2sd1": csi}
_ORDER: dict[str, Function] = {"sampen": sample_entropy, "apen": approximate_entropy, "dfa_alpha2": dfa_alpha2}
ALIKE = 0.5


def _value(function: Function, cycles: Intervals) -> float | None:
    try:
        return function(cycles)
    except TooShortError:
        return None


def _measures(recording: Recording, window: Window, every: Breaths, likeness: FloatArray) -> Iterator[Measure]:
    found = every.within(window)
    inside = (every.onset_s >= window.start_s) & (every.end_s <= window.end_s)
    quality = mean_or_none(likeness[inside])
    share = recording.observed(window)
    seconds = share * window.duration_s
    cycles = found.cycles()
    cause = recording.cause(window)
    if cause is None and quality is not None and quality < ALIKE:
        cause = Reason.LOW_SIGNAL
    counts = {"breaths": float(len(found)), "breath pairs": float(len(cycles.differences())), "s": seconds}
    basis = Basis(window, counts, share, quality, cause)
    rate = rates(cycles)
    yield basis.measure("rsp_rate_mean", rate["mean"])
    yield basis.measure("rsp_rate_sd", rate["sd"])
    yield basis.measure("rsp_breaths_count", float(len(found)))
    for part, function in {**_LEVELS, **_DIFFERENCES, **_ORDER}.items():
        yield basis.measure(f"rrv_{part}", _value(function, cycles))
    depth, spread = mean_or_none(found.amplitude), sd_or_none(found.amplitude)
    yield basis.measure("rsp_amplitude_mean", depth)
    yield basis.measure("rsp_amplitude_sd", spread)
    yield basis.measure("rsp_amplitude_cv", spread / depth if spread is not None and depth else None)
    yield from _depths(basis, found, depth)
    yield from _slow_changes(basis, cycles)
    inhaled, exhaled = mean_or_none(found.inspiration_s), mean_or_none(found.expiration_s)
    yield basis.measure("rsp_inspiration_mean", inhaled)
    yield basis.measure("rsp_expiration_mean", exhaled)
    yield basis.measure("rsp_phase_ratio", inhaled / exhaled if inhaled is not None and exhaled else None)
    yield basis.measure("rsp_sigh_rate", 60.0 * sighs(found.amplitude) / seconds if seconds > 0 else None)


def _slow_changes(basis: Basis, cycles: Intervals) -> Iterator[Measure]:
    power = breath_powers(cycles)
    vlf, lf, hf = (power.bands[name] for name in ("vlf", "lf", "hf"))
    own = replace(
        basis,
        counts={"s": power.seconds},
        coverage=min(1.0, power.seconds / basis.window.duration_s),
    )
    yield own.measure("rrv_vlf", vlf)
    yield own.measure("rrv_lf", lf)
    yield own.measure("rrv_hf", hf)
    slow, fast = lf or 0.0, hf or 0.0
    total = (vlf or 0.0) + slow + fast if hf is not None else 0.0  # where breathing shows all three bands
    yield own.measure("rrv_lfhf", slow / fast if fast > 0 else None)
    yield own.measure("rrv_lfn", slow / total if total > 0 else None)
    yield own.measure("rrv_hfn", fast / total if total > 0 else None)


def _depths(basis: Basis, found: Breaths, depth: float | None) -> Iterator[Measure]:
    changes = np.diff(found.amplitude)[found.joined[1:]]
    jump = float(np.sqrt(np.mean(changes**2))) if len(changes) else None
    yield basis.measure("rsp_amplitude_rmssd", jump)
    yield basis.measure("rsp_amplitude_cvsd", jump / depth if jump is not None and depth else None)
    lasted = found.end_s - found.onset_s
    yield basis.measure("rsp_rvt_mean", mean_or_none(found.amplitude / lasted))
    yield basis.measure("rsp_symmetry_peaktrough", mean_or_none(found.low))
    yield basis.measure("rsp_duty_mean", mean_or_none(found.inspiration_s / lasted))


def likeness(wave_s: FloatArray, wave: FloatArray, found: Breaths) -> FloatArray:
    """How much each breath looks like the median one when both are stretched to the same length.

    Parameters
    ----------
    wave_s, wave : ndarray, shape (n,)
        Times and filtered signal.
    found : Breaths
        The breaths.

    Returns
    -------
    ndarray, shape (m,)
        Correlation, cut to 0 to 1; 0 for all where there are fewer than three breaths.
    """
    if len(found) < 3:
        return np.zeros(len(found))
    share = np.linspace(0.0, 1.0, 40)
    at = found.onset_s[:, None] + share[None, :] * (found.end_s - found.onset_s)[:, None]
    cut = np.interp(at.ravel(), wave_s, wave).reshape(at.shape)
    cut = cut - cut.mean(axis=1, keepdims=True)
    typical = np.median(cut, axis=0)
    size = np.linalg.norm(cut, axis=1) * np.linalg.norm(typical - typical.mean())
    match = np.divide(cut @ (typical - typical.mean()), size, out=np.zeros(len(cut)), where=size > 0)
    return np.asarray(np.clip(match, 0.0, 1.0))


def breath_parts(recording: Recording) -> Parts:
    """Measures of breathing.

    Parameters
    ----------
    recording : Recording
        A signal that rises with inspiration, any unit.

    Returns
    -------
    Parts
    """
    parts, alike = [], [np.empty(0)]
    depth = Seconds(recording.start_s, recording.end_s)
    for part in breaths_by_block(recording.signal, recording.pieces):
        parts.append(part.breaths)
        alike.append(likeness(part.times_s, part.wave, part.breaths))
        depth.add(part.times_s[part.core], part.wave[part.core])
    found, like = together(parts), np.concatenate(alike)
    deep = SIGH * float(np.median(found.amplitude)) if len(found) else np.inf
    extent = {"start_s": recording.start_s, "end_s": recording.end_s}
    grid = sampled(recording.start_s, recording.end_s)
    return Parts(
        measures=flattened(_measures(recording, w, found, like) for w in recording.windows),
        events=tuple(_event(found, like, i, sigh_depth=deep) for i in range(len(found))),
        series=(
            depth.series("respiration"),
            per_second("respiration_rate", grid, found.cycles().rate_at(grid), **extent),
        ),
        coverage=recording.observed(recording.session),
        quality=mean_or_none(like),
        odd=Reason.WRONG_SIGNAL if _too_fast(recording) else None,
    )


def _too_fast(recording: Recording) -> bool:
    """A heart's signal under breathing's name."""
    values = recording.longest
    return len(values) > 0 and fast_share(values, recording.signal.sampling_rate) > FAST_SHARE


def _event(found: Breaths, alike: FloatArray, i: int, *, sigh_depth: float) -> Event:
    return Event(
        kind="breath",
        label="sigh" if found.amplitude[i] >= sigh_depth else "breath",
        start_s=float(found.onset_s[i]),
        end_s=float(found.end_s[i]),
        score=float(alike[i]),
        evidence={"peak_s": float(found.peak_s[i]), "amplitude": float(found.amplitude[i])},
    )
