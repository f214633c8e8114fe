"""Measures of skin conductance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Window
from cueflow.tasks.physiology.recording import Basis, Parts, Recording, flattened, mean_or_none, sd_or_none
from cueflow.tasks.physiology.skin.eda import Responses, Trace, all_responses, trace
from cueflow.tasks.physiology.skin.power import autocorrelation, sympathetic_power
from cueflow.tasks.physiology.survey import in_seconds
from cueflow.tasks.physiology.trend.slow import slope_per_min
from cueflow.tasks.windows import per_second, within


def _joined(tracks: Sequence[Trace]) -> tuple[FloatArray, FloatArray, FloatArray]:
    empty = [np.empty(0)]
    return (
        np.concatenate(empty + [t.times_s for t in tracks]),
        np.concatenate(empty + [t.tonic for t in tracks]),
        np.concatenate(empty + [t.phasic for t in tracks]),
    )


def _wave(basis: Basis, tracks: Sequence[Trace]) -> Iterator[Measure]:
    yield basis.measure("eda_autocorrelation", autocorrelation(tracks, basis.window))
    power, share, seconds = sympathetic_power(tracks, basis.window)
    covered = {"s": seconds / basis.window.duration_s}
    own = replace(basis, counts={"s": seconds}, covered=covered)
    yield own.measure("eda_sympathetic", power)
    yield own.measure("eda_sympathetic_n", share)


def _measures(
    recording: Recording, window: Window, level: tuple[FloatArray, FloatArray], found: Responses
) -> Iterator[Measure]:
    share = recording.observed(window)
    seconds = share * window.duration_s
    inside = within(found.onset_s, window)
    amplitude, rise, recovery = (x[inside] for x in (found.amplitude_us, found.rise_time_s, found.half_recovery_s))
    number = float(inside.sum())
    at = within(level[0], window)
    times, tonic = level[0][at], level[1][at]
    basis = Basis(window, {"s": seconds, "responses": number}, share, None, recording.cause(window))
    yield basis.measure("scl_mean", mean_or_none(tonic))
    yield basis.measure("scl_sd", sd_or_none(tonic))
    yield basis.measure("scl_slope", slope_per_min(times, tonic))
    yield basis.measure("scr_count", number)
    yield basis.measure("scr_rate", 60.0 * number / seconds if seconds > 0 else None)
    yield basis.measure("scr_amplitude_mean", mean_or_none(amplitude))
    yield basis.measure("scr_amplitude_p50", float(np.median(amplitude)) if number else None)
    yield basis.measure("scr_amplitude_sum", float(amplitude.sum()))
    yield basis.measure("scr_non_responder", float(number == 0))
    yield basis.measure("scr_rise_time_mean", mean_or_none(rise))
    recovered = float(np.isfinite(recovery).sum())
    yield basis.measure("scr_half_recovery_mean", mean_or_none(recovery), count=recovered)
    recorded_s = in_seconds(recording.recorded, window)
    wrong = 100.0 * recording.share(recording.marks[Reason.LOW_SIGNAL], window)
    yield basis.measure("eda_artefact_share", wrong if recorded_s > 0 else None, count=recorded_s)


def _basis(recording: Recording, window: Window) -> Basis:
    share = recording.observed(window)
    return Basis(window, {"s": share * window.duration_s}, share, None, recording.cause(window))


def skin_parts(recording: Recording, *, threshold_us: float) -> Parts:
    """Measures of skin conductance.

    Parameters
    ----------
    recording : Recording
        In µS; `marks` names what `eda.artefacts` found as LOW_SIGNAL.
    threshold_us : float
        Smallest response, µS.

    Returns
    -------
    Parts
    """
    tracks = [trace(recording.signal, piece) for piece in recording.pieces]
    found = all_responses(tracks, threshold_us=threshold_us)
    times, tonic, phasic = _joined(tracks)
    extent = {"start_s": recording.start_s, "end_s": recording.end_s}
    return Parts(
        measures=flattened(
            (*_measures(recording, w, (times, tonic), found), *_wave(_basis(recording, w), tracks))
            for w in recording.windows
        ),
        events=tuple(_event(found, i, threshold_us) for i in range(len(found))),
        series=(per_second("eda_tonic", times, tonic, **extent), per_second("eda_phasic", times, phasic, **extent)),
        coverage=recording.observed(recording.session),
        quality=None,
    )


def _event(found: Responses, i: int, threshold_us: float) -> Event:
    peak, recovery = float(found.peak_s[i]), float(found.half_recovery_s[i])
    evidence = {
        "amplitude_us": float(found.amplitude_us[i]),
        "rise_time_s": float(found.rise_time_s[i]),
        "peak_s": peak,
        "threshold_us": threshold_us,
    }
    ends = peak
    if np.isfinite(recovery):
        evidence["half_recovery_s"] = recovery
        ends = peak + recovery
    return Event(kind="scr", label="response", start_s=float(found.onset_s[i]), end_s=ends, evidence=evidence)
