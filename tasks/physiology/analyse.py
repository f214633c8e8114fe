"""The physiology stage: one signal in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Findings, Measure, Recorded, Signal, Window
from cueflow.schemas.session import Exclusion, Modality
from cueflow.tasks.physiology.blocks import blocks
from cueflow.tasks.physiology.breath.stage import breath_parts
from cueflow.tasks.physiology.heart.leads import NO_LEADS, Leads
from cueflow.tasks.physiology.heart.stage import heart_parts, list_parts, listed_pieces, plausible, pulse_parts
from cueflow.tasks.physiology.looks import CLIPPED_SHARE, at_limits, limits
from cueflow.tasks.physiology.needs import NEEDS, Needs, need_rate
from cueflow.tasks.physiology.recording import MOSTLY, Parts, Recording
from cueflow.tasks.physiology.segments import BoolArray, flat
from cueflow.tasks.physiology.skin import eda
from cueflow.tasks.physiology.skin.stage import skin_parts
from cueflow.tasks.physiology.survey import surveyed
from cueflow.tasks.physiology.trend.stage import movement_parts, temperature_parts
from cueflow.tasks.windows import excluded, measuring_windows

VERSION = "13"
SHORTEST_RECORDING_S = 10.0
BODY_C = (10.0, 45.0)
_AROUND_S = 15.0  # that a jump of skin conductance spoils to either side
_SIZES = frozenset({"sensor unit", "µS", "g"})
"""Units of what a recorder's limits cut off; times and rates stay what they are."""


def _check(modality: Modality, signal: Recorded, needs: Needs) -> None:
    if not any(np.isfinite(block.signal.values).any() for block in blocks(signal, 0.0)):
        raise StreamError(f"{modality}: the recording holds no samples; export it again.", reason=Reason.FILE_EMPTY)
    if needs.unit and signal.unit.replace("μ", "µ") != needs.unit:
        raise StreamError(
            f"{modality}: values in {signal.unit or 'an unnamed unit'} where {needs.unit} is needed; name the unit in "
            "the manifest.",
            reason=Reason.UNIT_UNKNOWN,
        )
    need_rate(modality, signal.sampling_rate)


def _marks(modality: Modality, signal: Signal, needs: Needs, held: Sequence[float]) -> dict[Reason, BoolArray]:
    """Why samples cannot be used, the most exact reason first."""
    if modality is Modality.INTERVALS:
        return {Reason.LOW_SIGNAL: ~plausible(signal.values)}
    marks = {
        Reason.FLAT_SIGNAL: flat(signal.values, signal.sampling_rate, longest_s=needs.flat_s),
        Reason.CLIPPED: at_limits(signal.values, held),
    }
    if modality is Modality.EDA:
        contact = eda.widened(eda.no_contact(signal.values), round(eda.RECOVERS_S * signal.sampling_rate))
        marks = {Reason.CONTACT_LOSS: contact, **marks, Reason.LOW_SIGNAL: eda.artefacts(signal)}
    if modality is Modality.TEMPERATURE:
        with np.errstate(invalid="ignore"):
            marks[Reason.LOW_SIGNAL] = (signal.values < BODY_C[0]) | (signal.values > BODY_C[1])
    return marks


def _recording(
    modality: Modality, signal: Recorded, phases: Sequence[Window], exclusions: Sequence[Exclusion]
) -> Recording:
    needs = NEEDS[modality]
    _check(modality, signal, needs)
    held = () if modality is Modality.INTERVALS else limits(signal)
    stays = frozenset() if modality is Modality.EDA else frozenset({Reason.CLIPPED})
    survey = surveyed(
        signal,
        partial(_marks, modality, needs=needs, held=held),
        lambda times: ~excluded(times, exclusions),
        stays=stays,
        around_s=max(_AROUND_S, needs.flat_s) if np.isfinite(needs.flat_s) else 0.0,
        shortest_s=needs.shortest_s,
    )
    first, last = signal.part(0, 1), signal.part(signal.n - 1, signal.n)
    pieces = survey.pieces
    session = Window(float(first.times_s[0]), float(last.times_s[0]) + 1.0 / signal.sampling_rate)
    if modality is Modality.INTERVALS:
        pieces = listed_pieces(signal.part(0, signal.n), exclusions)
        begins = pieces[0].start_s if pieces and pieces[0].first == 0 else session.start_s
        session = Window(begins, float(last.times_s[0]))
    return Recording(
        signal,
        pieces,
        session,
        measuring_windows(session.start_s, session.end_s, phases),
        survey.recorded,
        {reason: spans for reason, spans in survey.marks.items() if reason not in stays},
        survey.marks.get(Reason.CLIPPED, np.empty((0, 2))),
    )


def _state(recording: Recording, parts: Parts) -> tuple[Status, Reason | None]:
    session = recording.session
    if session.duration_s < SHORTEST_RECORDING_S:
        return Status.TOO_SHORT, Reason.FEW_EVIDENCE
    cause = recording.cause(session)
    if cause is not None:
        return Status.LOW_QUALITY, cause
    if parts.odd is not None:
        return Status.LOW_QUALITY, parts.odd
    if recording.clipped_share(session) > CLIPPED_SHARE:
        return Status.LOW_QUALITY, Reason.CLIPPED
    if parts.coverage < MOSTLY:
        seen = recording.observed(session) >= MOSTLY
        return Status.LOW_QUALITY, Reason.LOW_SIGNAL if seen else Reason.LOW_COVERAGE
    note = Reason.FILE_TRUNCATED if recording.signal.cut else parts.note
    return (Status.OK, None) if note is None else (Status.LOW_QUALITY, note)


def _judged(measure: Measure, recording: Recording, parts: Parts) -> Measure:
    """A value that was made, marked where the signal is not what it should be, or its size was cut off."""
    if measure.status is not Status.OK:
        return measure
    reason = parts.odd
    if reason is None and BIOMARKERS[measure.biomarker].unit in _SIZES:
        reason = Reason.CLIPPED if recording.clipped_share(measure.window) > CLIPPED_SHARE else None
    return measure if reason is None else replace(measure, status=Status.LOW_QUALITY, reason=reason)


def analyse_physiology(
    modality: str,
    signal: Recorded,
    *,
    phases: Sequence[Window],
    exclusions: Sequence[Exclusion],
    config: PhysiologyConfig,
    axes: Sequence[Recorded] = (),
    leads: Leads = NO_LEADS,
) -> Findings:
    """Measures, events and per-second series of one physiological signal.

    Parameters
    ----------
    modality : str
        ecg, ppg, eda, respiration, temperature, accelerometer or intervals.
    signal : Signal or LongSignal
        On the session clock, times increasing; NaN and steps in time are gaps. Units: EDA in µS, temperature in °C,
        acceleration in g, intervals in ms with the time of the beat that ends each; the others in any unit.
    phases : sequence of Window
        Phases of the session; each that the recording reaches into gets all measures too.
    exclusions : sequence of Exclusion
        Spans that nothing may use; they are gaps.
    config : PhysiologyConfig
        Detection thresholds.
    axes : sequence of Signal or LongSignal, optional
        Of an accelerometer: its recorder's three axes, or the signal itself where it is the vector's length.
    leads : Leads, optional
        Of an electrocardiogram: which lead it is, and its neighbours.

    Returns
    -------
    Findings
        A flat line, lost contact and too little data are states of the measures, not errors.

    Raises
    ------
    StreamError
        If the modality is none of these, there is no sample, the unit is not the one needed, or the rate is too low.
    """
    if modality not in NEEDS:
        raise StreamError(f"{modality}: not a physiological modality.", reason=Reason.MODALITY_UNKNOWN)
    kind = Modality(modality)
    recording = _recording(kind, signal, phases, exclusions)
    analyses: Mapping[Modality, Callable[[Recording], Parts]] = {
        Modality.ECG: partial(heart_parts, leads=leads),
        Modality.PPG: pulse_parts,
        Modality.EDA: partial(skin_parts, threshold_us=config.scr_threshold_us),
        Modality.RESPIRATION: breath_parts,
        Modality.TEMPERATURE: temperature_parts,
        Modality.ACCELEROMETER: partial(movement_parts, axes=axes),
        Modality.INTERVALS: list_parts,
    }
    parts = analyses[kind](recording)
    status, reason = _state(recording, parts)
    return Findings(
        start_s=recording.start_s,
        end_s=recording.end_s,
        coverage=parts.coverage,
        quality=parts.quality,
        status=status,
        reason=reason,
        measures=tuple(_judged(m, recording, parts) for m in parts.measures),
        events=parts.events,
        series=parts.series,
    )
