"""What is true about a session, as rows: events, clocks, parameters and the label's log-odds.

Every `onset_s` is on the session clock. An event may lie before a device started or in its gap: rows of kind
"recording" and "gap" say what was recorded. With local time t of a recording, session time = clock_offset +
t × (1 + clock_drift × 1e-6). Kinds and their values:

- blink (largest closure), nod, shake (amplitude in degrees to each side), smile (strength), hand_motion (amplitude in
  pixels; name "left|right sideways|up_down"), absent (nobody in the picture)
- camera_shift (pixels in x or y, from onset to onset + duration; the way back is a row of its own), zoom, lean, light
- turn, speech (a phrase between pauses), pause: name "patient" or "clinician"
- beat (R peak, value: interval before it in ms), pulse (systolic peak), breath (onset of inspiration, whole breath,
  depth), scr (onset, duration: rise, value: amplitude in µS)
- recording, clock_offset, clock_drift: name is the modality, or "room" for the room's sound
- gap: name "<device> rows" (rows left out) or "<device> nan" (empty cells)
- missing_modality, broken_file
- parameter (what the session contains), latent (what it was drawn from), label, label_coefficient
"""

from __future__ import annotations

import numpy as np

from cueflow.tasks.simulate.body import SCR_RISE_S
from cueflow.tasks.simulate.heart import PULSE_DELAY_S
from cueflow.tasks.simulate.people import SPREADS
from cueflow.tasks.simulate.plan import Plan
from cueflow.tasks.simulate.sound import cycles_of
from cueflow.tasks.simulate.timeline import Episode
from cueflow.tasks.simulate.voice import pitch_statistics


def _talk(plan: Plan) -> list[Episode]:
    rows = [Episode("turn", t.speaker, t.onset_s, t.end_s - t.onset_s, 1.0, "1") for t in plan.talk.turns]
    rows += [Episode("speech", p.speaker, p.onset_s, p.end_s - p.onset_s, 1.0, "1") for p in plan.talk.phrases]
    for who in ("patient", "clinician"):
        rows += [Episode("pause", who, start, end - start, end - start, "s") for start, end in plan.talk.pauses(who)]
    return rows


def _inside(times: np.ndarray, plan: Plan) -> np.ndarray:
    return np.flatnonzero((times >= 0.0) & (times < plan.duration_s))


def _body(plan: Plan) -> list[Episode]:
    body, rows = plan.body, []
    for k in _inside(body.beats, plan):
        interval = 1e3 * float(body.beats[k] - body.beats[k - 1]) if k else float("nan")
        rows.append(Episode("beat", "r_peak", float(body.beats[k]), 0.0, interval, "ms"))
    for peak in body.beats[_inside(body.beats + PULSE_DELAY_S, plan)] + PULSE_DELAY_S:
        rows.append(Episode("pulse", "systolic_peak", float(peak), 0.0, 1e3 * PULSE_DELAY_S, "ms"))
    for k in _inside(body.breaths[:-1], plan):
        length = float(body.breaths[k + 1] - body.breaths[k])
        rows.append(Episode("breath", "inspiration", float(body.breaths[k]), length, float(body.depths[k]), "a.u."))
    for onset, amplitude in zip(body.responses, body.amplitudes, strict=True):
        rows.append(Episode("scr", "onset", float(onset), SCR_RISE_S, float(amplitude), "µS"))
    return rows


def devices_of(plan: Plan) -> dict[str, str]:
    """The device that each recorded modality comes from; with sound in the video file the camera hears, too.

    Parameters
    ----------
    plan : Plan
        The session.

    Returns
    -------
    dict of str to str
        By modality; "room" for the room's recording.
    """
    from cueflow.tasks.simulate.plan import DEVICE_OF

    found: dict[str, str] = {kind: DEVICE_OF[kind] for kind in plan.modalities}
    if plan.aac and "audio" in found and "video" in found:
        found["audio"] = "camera"
    if plan.room and "audio" in found:
        found["room"] = "room"
    return found


def _recording(plan: Plan) -> list[Episode]:
    rows = []
    for name, device in devices_of(plan).items():
        clock = plan.clocks[device]
        length = plan.duration_s - clock.offset_s
        rows += [
            Episode("clock_offset", name, 0.0, plan.duration_s, clock.offset_s, "s"),
            Episode("clock_drift", name, 0.0, plan.duration_s, clock.drift_ppm, "ppm"),
            Episode("recording", name, clock.offset_s, length, length, "s"),
        ]
    for device, gaps in plan.gaps.items():
        if device in devices_of(plan).values() and not (device == "chest" and plan.edf):
            rows += [
                Episode("gap", f"{device} {'rows' if k % 2 == 0 else 'nan'}", onset, length, length, "s")
                for k, (onset, length) in enumerate(gaps)
            ]
    rows += [Episode("missing_modality", kind, 0.0, plan.duration_s, 1.0, "1") for kind in plan.missing]
    if plan.broken:
        rows.append(Episode("broken_file", plan.broken, 0.0, plan.duration_s, 1.0, "1"))
    return rows


def parameters(plan: Plan) -> dict[str, tuple[float, str]]:
    """What the session really holds, counted from its own events.

    Parameters
    ----------
    plan : Plan
        The session.

    Returns
    -------
    dict of str to tuple of float and str
        Value and unit by name.
    """
    minutes, body, talk = plan.duration_s / 60.0, plan.body, plan.talk
    values: dict[str, tuple[float, str]] = {}
    for kind, name in (
        ("blink", "blink_rate"),
        ("nod", "nod_rate"),
        ("shake", "shake_rate"),
        ("smile", "smile_rate"),
        ("hand_motion", "patch_rate"),
    ):
        values[name] = (sum(e.kind == kind for e in plan.behaviour) / minutes, "1/min")
    smiling = sum(e.duration_s for e in plan.behaviour if e.kind == "smile")
    values["smile_share"] = (smiling / plan.duration_s, "1")
    intervals = 1e3 * np.diff(body.beats[_inside(body.beats, plan)])
    values["hr_mean"] = (float(60e3 / intervals.mean()), "1/min")
    values["rr_mean"] = (float(intervals.mean()), "ms")
    values["sdnn"] = (float(intervals.std(ddof=1)), "ms")
    values["rmssd"] = (float(np.sqrt(np.mean(np.diff(intervals) ** 2))), "ms")
    periods = np.diff(body.breaths)[_inside(body.breaths[:-1], plan)]
    values["breathing_rate"] = (float(60.0 / periods.mean()) if len(periods) else float("nan"), "1/min")
    values["scr_rate"] = (len(body.responses) / minutes, "1/min")
    turns, phrases = talk.seconds("patient", phrases=False), talk.seconds("patient", phrases=True)
    pauses = talk.pauses("patient")
    values["turn_share"] = (turns / plan.duration_s, "1")
    values["speaking_share"] = (phrases / plan.duration_s, "1")
    values["pause_share"] = (sum(end - start for start, end in pauses) / turns if turns else float("nan"), "1")
    values["pause_rate"] = (len(pauses) / (turns / 60.0) if turns else float("nan"), "1/min")
    values["articulation_rate"] = (len(talk.syllables["patient"]) / phrases if phrases else float("nan"), "1/s")
    units = {"f0_mean": "Hz", "f0_sd": "st", "jitter": "%", "shimmer": "%"}
    for name, value in pitch_statistics(cycles_of(plan, "patient")).items():
        values[name] = (value, units[name])
    return values


def truth_rows(plan: Plan) -> list[Episode]:
    """All that is true about a session.

    Parameters
    ----------
    plan : Plan
        The session.

    Returns
    -------
    list of Episode
        In order of kind, onset and name; times on the session clock. Kind "parameter" holds what the session contains,
        "latent" what it was drawn from, "label" the label and its log-odds, "label_coefficient" the model.
    """
    whole = (0.0, plan.duration_s)
    rows = [*_recording(plan)]
    if plan.broken != "text":
        rows += [*plan.behaviour, *_talk(plan), *_body(plan)]
        rows += [Episode("parameter", name, *whole, value, unit) for name, (value, unit) in parameters(plan).items()]
        rows += [
            Episode("latent", name, *whole, value, SPREADS[name].unit) for name, value in plan.latents.values.items()
        ]
        rows += [
            Episode("latent", "distress_state", *whole, plan.latents.distress, "1"),
            Episode("label", "distress", *whole, float(plan.latents.label), "1"),
            Episode("label", "distress_log_odds", *whole, plan.latents.log_odds, "1"),
        ]
        rows += [
            Episode("label_coefficient", name, *whole, spread.coefficient, "1")
            for name, spread in SPREADS.items()
            if spread.coefficient
        ]
    return sorted(rows, key=lambda row: (row.kind, row.onset_s, row.name))
