"""Measures between streams, against the baseline phase, and around events, added to the results of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS, relations_of
from cueflow.schemas.biomarkers.relations import CHANGES
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Findings, FloatArray, Measure, StreamResult, SyncRecord, Window
from cueflow.schemas.session import Marker, Stream
from cueflow.tasks.clock.evidence import Key
from cueflow.tasks.clock.marks import OWN_MARK
from cueflow.tasks.relations.coherence import coherence_at
from cueflow.tasks.relations.gravity import posture, shares, upright_direction
from cueflow.tasks.relations.lagged import lagged_correlation
from cueflow.tasks.relations.partners import BY_THE_BEAT_S, BY_THE_SECOND_S, Session, series_of, windows_of

BASELINE = frozenset({"baseline", "rest"})
UPRIGHT = frozenset({"upright", "standing", "stand", "sitting", "sit"})
"""Phases in which the wearer of a sensor is known to be upright: they tell how it is worn."""
MOVING_G = 0.0167
_SAME_MARK_S = 0.5  # two recorders that heard one button
SCR_AFTER_S = (1.0, 4.0)
PERIOD_AFTER_S, PERIOD_BEFORE_S = 6.0, 2.0
_Make = Callable[[Session, Key, Window], Iterator[Measure]]


def related(
    results: Sequence[StreamResult],
    streams: Sequence[Stream],
    *,
    sync: Sequence[SyncRecord],
    markers: Sequence[Marker],
) -> tuple[StreamResult, ...]:
    """Results with the measures that need other streams, a baseline phase, or events.

    Parameters
    ----------
    results : sequence of StreamResult
        On the session clock.
    streams : sequence of Stream
        As the manifest declares them.
    sync : sequence of SyncRecord
        Places of the streams.
    markers : sequence of Marker
        Rows of events.csv; those without duration are the events, as are the marks that recordings hold themselves.

    Returns
    -------
    tuple of StreamResult
        Each stream that was measured has every relation of its modality at least once: without a value, with the
        reason, where the other stream is not there (no_partner), stands on a clock that is not known well enough
        (unsynchronised), or the session has no baseline phase or events (not_marked).
    """
    session = Session.of(results, streams, sync)
    return tuple(
        replace(r, findings=_with(session, (r.modality, r.role, r.channel), r.findings, markers))
        if r.findings is not None
        else r
        for r in results
    )


def _with(session: Session, key: Key, findings: Findings, markers: Sequence[Marker]) -> Findings:
    more = tuple(_relations(session, key, markers)) if relations_of(key[0]) else ()
    if own := session.mistaken(key):
        more = tuple(replace(m, status=Status.LOW_QUALITY, reason=own) if m.status is Status.OK else m for m in more)
    measures = findings.measures + more
    if not session.lies(key, np.inf):
        measures = tuple(_anywhere(m) for m in measures)
    return replace(findings, measures=measures)


def _anywhere(measure: Measure) -> Measure:
    """A measure of a phase in a recording of which nobody knows where that phase lies."""
    if measure.window.phase == "session" or measure.status is not Status.OK:
        return measure
    return replace(measure, status=Status.LOW_QUALITY, reason=Reason.UNSYNCHRONISED)


def _relations(session: Session, key: Key, markers: Sequence[Marker]) -> Iterator[Measure]:
    findings = session.findings(key)
    for window in windows_of(findings):
        for make in _BETWEEN.get(key[0], ()):
            yield from make(session, key, window)
    yield from _changes(findings, key[0])
    yield from _around(session, key, markers)


def absent(name: str, window: Window, reason: Reason) -> Measure:
    """A relation that cannot be made.

    Parameters
    ----------
    name : str
        Of the biomarker.
    window : Window
        The span.
    reason : Reason
        Why.

    Returns
    -------
    Measure
        Status absent, no value.
    """
    return Measure(name, window, None, Status.ABSENT, reason, 0.0, 0.0)


def _sinus_arrhythmia(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    other, why = session.partner(key, "respiration", BY_THE_BEAT_S)
    if other is None:
        yield absent("rsa_p2t_mean", window, why or Reason.NO_PARTNER)
        return
    ends, ms = _intervals(session.findings(key))
    begins = ends - ms / 1000.0
    swings, length = [], 0.0
    for breath in session.findings(other).events:
        if breath.kind != "breath" or breath.start_s < window.start_s or breath.end_s > window.end_s:
            continue
        first, end = np.searchsorted(begins, breath.start_s - 0.5), np.searchsorted(ends, breath.end_s + 0.5, "right")
        inside = ms[first:end]
        if len(inside) >= 3 and inside.sum() / 1000.0 >= 0.7 * (breath.end_s - breath.start_s):
            swings.append(float(np.ptp(inside)))
            length += breath.end_s - breath.start_s
    yield BIOMARKERS["rsa_p2t_mean"].measure(
        float(np.mean(swings)) if swings else None, window, n_evidence=len(swings),
        coverage=length / window.duration_s, reason=session.mistaken(other),
    )  # fmt: skip


def _coupling(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    names = ("cardioresp_coherence_max", "cardioresp_coherence_p")
    other, why = session.partner(key, "respiration", BY_THE_SECOND_S)
    if other is None:
        yield from (absent(name, window, why or Reason.NO_PARTNER) for name in names)
        return
    heart, breath = session.findings(key), session.findings(other)
    per_min = series_of(breath, "respiration_rate", window)
    typical = float(np.nanmedian(per_min)) if np.isfinite(per_min).any() else np.nan
    seen = np.isfinite(typical) and typical < 28.0  # half a sample a second is the fastest that can be told
    pair = (series_of(heart, "heart_rate", window), series_of(breath, "respiration", window))
    found = coherence_at(*pair, typical / 60.0) if seen else coherence_at(np.empty(0), np.empty(0), 0.25)
    even = Reason.RHYTHM_EVEN if found.seconds and np.isnan(found.p) else None
    odd = session.mistaken(other)
    for name, value, reason in zip(names, (found.value, found.p), (odd, odd or even), strict=True):
        yield BIOMARKERS[name].measure(
            value, window, n_evidence=found.seconds, coverage=found.seconds / window.duration_s, reason=reason
        )


def _pair(
    session: Session, key: Key, window: Window, *, what: str, series: str, others: tuple[tuple[str, str], ...]
) -> Iterator[Measure]:
    """Measures of one lagged relation; `others` are (modality, series), the first that is there is taken."""
    names = [f"{what}_{part}" for part in ("r", "lag", "p")]
    reason = Reason.NO_PARTNER
    for modality, theirs in others:
        other, why = session.partner(key, modality, BY_THE_SECOND_S)
        if other is None:
            reason = Reason.UNSYNCHRONISED if why is Reason.UNSYNCHRONISED else reason
            continue
        found = lagged_correlation(
            _of_recorder(session, other, theirs, window), series_of(session.findings(key), series, window)
        )
        for name, value in zip(names, (found.r, found.lag_s, found.p), strict=True):
            yield BIOMARKERS[name].measure(
                value, window, n_evidence=found.seconds, coverage=found.seconds / window.duration_s,
                reason=session.mistaken(other),
            )  # fmt: skip
        return
    yield from (absent(name, window, reason) for name in names)


def _of_recorder(session: Session, key: Key, name: str, window: Window) -> FloatArray:
    """A series of a stream; of an accelerometer the sum of squares of all its channels, as any axis may be the one."""
    same = [k for k in session.results if k[:2] == key[:2] and session.clocks.get(k) == session.clocks.get(key)]
    if key[0] != "accelerometer" or len(same) < 2:
        return series_of(session.findings(key), name, window)
    tracks = np.stack([series_of(session.findings(k), name, window) for k in same])
    return np.sqrt(np.asarray((tracks**2).sum(axis=0), dtype=np.float64))


def _moving_heart(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    others = (("accelerometer", "activity"), ("video", "motion_energy"))
    return _pair(session, key, window, what="movement_hr", series="heart_rate", others=others)


def _spoken_breath(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    others = (("audio", "voice_active"),)
    return _pair(session, key, window, what="speech_breathing", series="respiration_rate", others=others)


def _moved(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    name = {"ppg": "pulse_motion_share", "eda": "eda_motion_share"}[key[0]]
    own = [k for k in session.results if k[0] == "accelerometer" and session.clocks.get(k) == session.clocks.get(key)]
    if not own:
        yield absent(name, window, Reason.NO_PARTNER)
        return
    tracks = np.stack([series_of(session.findings(k), "activity", window) for k in own])
    seen = np.asarray(np.isfinite(tracks).any(axis=0))
    moving = np.nan_to_num(tracks, nan=-np.inf).max(axis=0, initial=-np.inf) > MOVING_G
    share = 100.0 * float(np.mean(moving[seen])) if seen.any() else None
    seconds = float(seen.sum())
    yield BIOMARKERS[name].measure(
        share, window, n_evidence=seconds, coverage=seconds / window.duration_s, reason=session.mistaken(*own)
    )


def _posture(session: Session, key: Key, window: Window) -> Iterator[Measure]:
    names = ("acc_posture_change_rate", "acc_tilt_sd")
    named = ("acc_upright_share", "acc_leaning_share", "acc_lying_share")
    axes = [k for k in session.results if k[:2] == key[:2] and session.clocks.get(k) == session.clocks.get(key)]
    if len(axes) != 3:
        yield from (absent(name, window, Reason.NO_PARTNER) for name in (*names, *named))
        return

    def tracks(span: Window) -> FloatArray:
        return np.stack([series_of(session.findings(k), "acceleration", span) for k in axes])

    rate, tilt, seconds = posture(tracks(window))
    for name, value in zip(names, (rate, tilt), strict=True):
        yield BIOMARKERS[name].measure(value, window, n_evidence=seconds, coverage=seconds / window.duration_s)
    known = [w for w in windows_of(session.findings(key)) if w.phase.casefold() in UPRIGHT]
    upright = next((d for w in known if (d := upright_direction(tracks(w))) is not None), None)
    if upright is None:
        yield from (absent(name, window, Reason.NOT_MARKED) for name in named)
        return
    *found, seconds = shares(tracks(window), upright)
    for name, share in zip(named, found, strict=True):
        yield BIOMARKERS[name].measure(share, window, n_evidence=seconds, coverage=seconds / window.duration_s)


_BETWEEN: dict[str, tuple[_Make, ...]] = {
    "ecg": (_sinus_arrhythmia, _coupling, _moving_heart),
    "respiration": (_spoken_breath,),
    "ppg": (_moved,),
    "eda": (_moved,),
    "accelerometer": (_posture,),
}


def _changes(findings: Findings, modality: str) -> Iterator[Measure]:
    """Each phase against the baseline phase; nothing against a baseline that has no value of its own."""
    for name, (owner, _, _) in CHANGES.items():
        if owner != modality:
            continue
        values = [m for m in findings.measures if m.biomarker == name]
        base = next((m for m in values if m.window.phase.casefold() in BASELINE), None)
        phases = [m for m in values if m.window.phase != "session" and m is not base]
        declared = BIOMARKERS[f"{name}_change"]
        if base is None or not phases:
            yield absent(declared.name, Window(findings.start_s, findings.end_s), Reason.NOT_MARKED)
            continue
        for measure in phases:
            both = base.value is not None and measure.value is not None
            change = measure.value - base.value if both else None  # type: ignore[operator]
            weak = base.reason or measure.reason
            yield declared.measure(
                change, measure.window, n_evidence=float(both), coverage=min(base.coverage, measure.coverage),
                quality=measure.quality, reason=weak,
            )  # fmt: skip


def _around(session: Session, key: Key, noted: Sequence[Marker]) -> Iterator[Measure]:
    """Responses to the events of each label; those of the session need a recording whose place is known."""
    findings, modality = session.findings(key), key[0]
    if modality not in {"ecg", "eda"}:
        return
    lies = session.lies(key, BY_THE_BEAT_S if modality == "ecg" else BY_THE_SECOND_S)
    markers = [*(noted if lies else ()), *_own_marks(session, key)]
    labels = dict.fromkeys(m.label for m in markers if m.is_event)
    names = ("event_heart_period_change",) if modality == "ecg" else ("event_scr_share", "event_scr_amplitude_mean")
    if not labels:
        whole = Window(findings.start_s, findings.end_s)
        hidden = not lies and any(m.is_event for m in noted)
        yield from (absent(name, whole, Reason.UNSYNCHRONISED if hidden else Reason.NOT_MARKED) for name in names)
        return
    for label in labels:
        onsets = np.sort([m.onset_s for m in markers if m.is_event and m.label == label])
        window = Window(float(onsets[0]), float(onsets[-1]) + PERIOD_AFTER_S, label)
        rows = _periods(findings, onsets) if modality == "ecg" else _responses(findings, onsets)
        good = np.isfinite(rows[0])
        for name, row in zip(names, rows, strict=True):
            value = float(row[good].mean()) if good.any() else None
            yield BIOMARKERS[name].measure(value, window, n_evidence=float(good.sum()), coverage=float(good.mean()))


def _intervals(findings: Findings) -> tuple[FloatArray, FloatArray]:
    """Ends in s and lengths in ms of the normal intervals."""
    normal = [e for e in findings.events if "nn_ms" in e.evidence]
    ends = np.fromiter((e.start_s for e in normal), np.float64, len(normal))
    return ends, np.fromiter((float(e.evidence["nn_ms"]) for e in normal), np.float64, len(normal))


def _own_marks(session: Session, key: Key) -> Iterator[Marker]:
    """Presses of a button and triggers that recordings hold, those on a clock that is known well enough; each once."""
    near = [k for k in session.results if (apart := session.apart(key, k)) is not None and apart <= BY_THE_SECOND_S]
    times = sorted(e.start_s for k in near for e in session.findings(k).events if e.kind == "marker")
    last_s = -np.inf
    for at_s in times:
        if at_s - last_s > _SAME_MARK_S:
            yield Marker(at_s, 0.0, OWN_MARK, "marker")
        last_s = at_s


def _periods(findings: Findings, onsets: FloatArray) -> tuple[FloatArray]:
    """Change of the mean interval after each event, ms; NaN where beats are missing before or after it."""
    ends, ms = _intervals(findings)
    out = np.full(len(onsets), np.nan)
    for k, onset in enumerate(onsets):
        before = ms[(ends > onset - PERIOD_BEFORE_S) & (ends <= onset)]
        after = ms[(ends - ms / 1000.0 >= onset) & (ends <= onset + PERIOD_AFTER_S)]
        if len(before) and after.sum() / 1000.0 >= 0.6 * PERIOD_AFTER_S:
            out[k] = after.mean() - before.mean()
    return (out,)


def _responses(findings: Findings, onsets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Whether a response begins 1 to 4 s after each event (in %), and its amplitude; NaN where nothing was recorded."""
    found = [(e.start_s, float(e.evidence["amplitude_us"])) for e in findings.events if e.kind == "scr"]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    share, size = np.full(len(onsets), np.nan), np.full(len(onsets), np.nan)
    for k, onset in enumerate(onsets):
        if not np.isfinite(series_of(findings, "eda_phasic", Window(onset, onset + 6.0))).all():
            continue
        late = table[:, 0] - onset
        own = table[(late >= SCR_AFTER_S[0]) & (late <= SCR_AFTER_S[1]), 1]
        share[k], size[k] = 100.0 * float(len(own) > 0), float(own.max(initial=0.0))
    return share, size
