"""Draw one session: who comes, what face, voice and body do, which devices record it, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cueflow.tasks.simulate.body import Body, draw_body
from cueflow.tasks.simulate.effects import Effects, Kind
from cueflow.tasks.simulate.people import Latents, Subject, draw_latents
from cueflow.tasks.simulate.talk import Talk, draw_talk
from cueflow.tasks.simulate.timeline import Episode, count, place

REST_SHARE = 0.25
_PHYSIOLOGY: tuple[Kind, ...] = ("ecg", "respiration", "ppg", "eda", "accelerometer", "temperature")
DEVICE_OF: dict[Kind, str] = {
    "video": "camera",
    "audio": "microphone",
    "ecg": "chest",
    "respiration": "chest",
    "ppg": "wrist",
    "eda": "wrist",
    "accelerometer": "wrist",
    "temperature": "wrist",
}


@dataclass(frozen=True, slots=True)
class Clock:
    """Clock of a device: session time = offset + local time × (1 + drift × 1e-6), both in s."""

    offset_s: float = 0.0
    drift_ppm: float = 0.0

    def local(self, session_s: np.ndarray | float) -> np.ndarray:
        """Local time of a session time, in s."""
        return (np.asarray(session_s, dtype=np.float64) - self.offset_s) / (1.0 + 1e-6 * self.drift_ppm)

    def session(self, local_s: np.ndarray | float) -> np.ndarray:
        """Session time of a local time, in s."""
        return self.offset_s + np.asarray(local_s, dtype=np.float64) * (1.0 + 1e-6 * self.drift_ppm)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known about a session before a file is written; times on the session clock, s."""

    number: int
    session_id: str
    subject: Subject
    visit: str
    duration_s: float
    rest_s: float
    latents: Latents
    behaviour: tuple[Episode, ...]
    talk: Talk
    body: Body
    clocks: dict[str, Clock]
    modalities: tuple[Kind, ...]
    missing: tuple[Kind, ...]
    fps: float
    variable_frame_times: bool
    audio_rate: int
    room: bool
    aac: bool
    edf: bool
    hidden_start: bool
    gaps: dict[str, tuple[tuple[float, float], ...]]
    broken: str = ""
    seed: tuple[int, ...] = field(default=())

    def rng(self, purpose: int) -> np.random.Generator:
        """A source of chance of its own for each purpose: switching one effect leaves the others as they were."""
        return np.random.default_rng([*self.seed, purpose])


def _face(rng: np.random.Generator, plan_s: float, values: dict[str, float]) -> list[Episode]:
    """Blinks, nods, shakes and smiles."""
    span = (0.4, plan_s - 0.3)
    found: list[Episode] = []
    blinks = rng.uniform(0.22, 0.36, count(rng, values["blink_rate"], plan_s))
    found += [Episode("blink", "blink", on, long, 1.0, "1") for on, long in place(rng, list(blinks), span, gap_s=0.35)]
    turns: list[tuple[float, float]] = []
    for kind, rate, degrees in (("nod", "nod_rate", (6.0, 10.0)), ("shake", "shake_rate", (6.0, 10.0))):
        lengths = rng.uniform(0.9, 1.4, count(rng, values[rate], plan_s))
        for onset, length in place(rng, list(lengths), span, gap_s=0.6, taken=turns):
            turns.append((onset, onset + length))
            found.append(Episode(kind, kind, onset, length, float(rng.uniform(*degrees)), "deg"))
    lengths = rng.uniform(1.5, 3.5, count(rng, values["smile_rate"], plan_s))
    found += [
        Episode("smile", "smile", onset, length, float(rng.uniform(0.7, 1.0)), "1")
        for onset, length in place(rng, list(lengths), span, gap_s=1.0)
    ]
    return found


def _hands(rng: np.random.Generator, plan_s: float, rate: float, unit_px: float) -> list[Episode]:
    lengths = rng.uniform(1.2, 3.0, count(rng, rate, plan_s))
    found = []
    for onset, length in place(rng, list(lengths), (0.3, plan_s - 0.3), gap_s=0.8):
        name = f"{rng.choice(['left', 'right'])} {rng.choice(['sideways', 'up_down'])}"
        found.append(Episode("hand_motion", name, onset, length, float(unit_px * rng.uniform(18.0, 34.0)), "px"))
    return found


def _camera(rng: np.random.Generator, plan_s: float, effects: Effects) -> list[Episode]:
    """Shift and back, zoom, lean and light: each about once in 40 s where it is switched on."""
    found: list[Episode] = []
    times = max(round(plan_s / 40.0), 1)
    span = (0.5, plan_s - 0.5)
    gone = rng.uniform(1.5, 3.0, count(rng, effects.absent_per_min, plan_s))
    found += [Episode("absent", "absent", on, long, 1.0, "1") for on, long in place(rng, list(gone), span, gap_s=3.0)]
    shifts = place(rng, [min(5.0, 0.5 * plan_s)] * times, span) if effects.camera_shift_px else []
    for onset, length in shifts:
        size = effects.camera_shift_px * effects.width / 640.0
        angle = rng.uniform(0.0, 2.0 * np.pi)
        for name, value in (("x", float(size * np.cos(angle))), ("y", float(0.6 * size * np.sin(angle)))):
            found += [
                Episode("camera_shift", name, onset, 0.6, value, "px"),
                Episode("camera_shift", name, onset + length - 0.6, 0.6, -value, "px"),
            ]
    taken = [(onset, onset + length) for onset, length in shifts]
    for kind, size in (("zoom", effects.zoom), ("lean", effects.lean), ("light", effects.light)):
        for onset, length in place(rng, [min(4.0, 0.4 * plan_s)] * times, span, taken=taken) if size else []:
            taken.append((onset, onset + length))
            value = size * float(rng.choice([-1.0, 1.0])) if kind == "light" else size
            found.append(Episode(kind, kind, onset, length, value, "1"))
    return found


def _clocks(rng: np.random.Generator, effects: Effects) -> dict[str, Clock]:
    devices = ("camera", "microphone", "room", "chest", "wrist")
    draws = rng.uniform(-1.0, 1.0, (len(devices), 2))
    offsets = np.round(effects.clock_offset_s * np.abs(draws[:, 0]), 3)
    return {
        device: Clock(float(offset), float(effects.clock_drift_ppm * drift))
        for device, offset, drift in zip(devices, offsets, draws[:, 1], strict=True)
    }


def _gaps(rng: np.random.Generator, effects: Effects, duration_s: float) -> dict[str, tuple[tuple[float, float], ...]]:
    """Onset and length of what each physiological device did not record."""
    found = {}
    for device in ("chest", "wrist"):
        lengths = rng.uniform(1.0, 4.0, count(rng, effects.gaps_per_min, duration_s))
        found[device] = tuple(place(rng, list(lengths), (3.0, duration_s - 2.0), gap_s=4.0))
    return found


def _missing(rng: np.random.Generator, effects: Effects) -> tuple[Kind, ...]:
    """What a session lacks: one modality; a whole stage's worth in half of the cases."""
    if rng.random() >= effects.missing_share or len(effects.modalities) < 2:
        return ()
    if rng.random() < 0.5:
        return (effects.modalities[int(rng.integers(len(effects.modalities)))],)
    group = (("video",), ("audio",), _PHYSIOLOGY)[int(rng.integers(3))]
    lost = tuple(kind for kind in effects.modalities if kind in group)
    return lost if len(lost) < len(effects.modalities) else ()


def draw_plan(
    seed: int,
    number: int,
    subject: Subject,
    effects: Effects,
    *,
    visit: int,
    duration_s: float,
    broken: str = "",
) -> Plan:
    """Draw one session.

    Parameters
    ----------
    seed, number : int
        Seed of the cohort and number of the session; together they decide everything.
    subject : Subject
        Who comes.
    effects : Effects
        Sizes of the effects.
    visit : int
        From 1.
    duration_s : float
        Length on the session clock.
    broken : str, optional
        "truncated" or "text": what is wrong with the video file.

    Returns
    -------
    Plan
        The session.
    """
    root = (seed, 1000 + number)
    rng = [np.random.default_rng([*root, k]) for k in range(10)]
    latents = draw_latents(rng[0], effects, subject)
    values, rest = latents.values, REST_SHARE * duration_s
    behaviour = [
        *_face(rng[1], duration_s, values),
        *_hands(rng[2], duration_s, values["patch_rate"], effects.width / 640.0),
        *_camera(rng[3], duration_s, effects),
    ]
    missing = () if broken else _missing(rng[4], effects)
    rsa = effects.rsa_ms * values["hrv"] / max(effects.hrv_ms, 1e-9)
    options = rng[5].random(6)
    return Plan(
        number=number,
        session_id=f"s{number + 1:03d}",
        subject=subject,
        visit=f"v{visit}",
        duration_s=duration_s,
        rest_s=rest,
        latents=latents,
        behaviour=tuple(sorted(behaviour, key=lambda e: (e.onset_s, e.kind, e.name))),
        talk=draw_talk(
            rng[6],
            (rest + 0.2, duration_s - 0.2),
            speaking_share=values["speaking_share"],
            pause_share=values["pause_share"],
        ),
        body=draw_body(rng[7], duration_s, rest, values, rsa_ms=rsa),
        clocks=_clocks(rng[8], effects),
        modalities=tuple(kind for kind in effects.modalities if kind not in missing),
        missing=missing,
        fps=float(effects.fps_choices[int(options[0] * len(effects.fps_choices))]),
        variable_frame_times=effects.variable_frame_times and number % 2 == 1,
        audio_rate=44100 if number % 3 == 1 else 16000,
        room=effects.room_recording and number % 2 == 0,
        aac=effects.aac_in_video and number % 4 == 2 and not broken,
        edf=number % 3 == 2,
        hidden_start=bool(options[1] < effects.hide_starts),
        gaps=_gaps(rng[9], effects, duration_s),
        broken=broken,
        seed=root,
    )
