"""Recordings whose clocks are known, as the clock's estimates see them: what clock.py and clock_run.py are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray, Signal
from cueflow.schemas.session import Modality, Role
from cueflow.tasks.clock.clues import evenly, shaking, times_of
from cueflow.tasks.clock.evidence import Recorder
from cueflow.tasks.simulate.plan import Clock

Pair = tuple[Recorder, Recorder]
RATE = 8000
POWER_HZ, HAND_HZ = 1000.0, 200.0


@dataclass(frozen=True)
class Worn:
    """A clock that may jump: what it recorded from `at_s` of its own time on really lies `by_s` later."""

    clock: Clock = field(default_factory=Clock)
    at_s: float = np.inf
    by_s: float = 0.0

    def true(self, local_s: FloatArray) -> FloatArray:
        """Session time of a local time, s."""
        return np.asarray(self.clock.session(local_s) + np.where(local_s >= self.at_s, self.by_s, 0.0))

    def seen(self, session_s: FloatArray) -> FloatArray:
        """Local times, increasing, of what was recorded of session times, s."""
        before, after = self.clock.local(session_s), self.clock.local(session_s - self.by_s)
        return np.unique(np.concatenate([before[before < self.at_s], after[after >= self.at_s]]))


Trial = Callable[[np.random.Generator, float, Worn | None], Pair]
"""From chance, a length in s and a clock (None: the two recordings have nothing in common) to two recorders."""


def heart(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Beats of a heart with breathing and slow changes in its rate."""
    times, slow, phase = [0.5], 0.0, 6.0 * rng.random()
    while times[-1] < duration_s:
        slow = 0.95 * slow + rng.normal(0.0, 0.012)
        swing = 0.03 * np.sin(1.57 * times[-1] + phase) + rng.normal(0.0, 0.012)
        times.append(times[-1] + 0.85 + 0.6 * slow + swing)
    return np.array(times)


def beats(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """Two electrocardiograms, one with 3 % of beats lost and 8 ms jitter; of leads up to 20 ms apart (95 %)."""
    return _hearts(rng, duration_s, clock, way_s=float(rng.normal(0.0, 0.01)), modality=Modality.ECG)


def pulses(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """An electrocardiogram and a wristband, to which the pulse takes 0.30 s, with 0.07 s between people."""
    return _hearts(rng, duration_s, clock, way_s=float(rng.normal(0.30, 0.07)), modality=Modality.PPG)


def _hearts(
    rng: np.random.Generator, duration_s: float, clock: Worn | None, *, way_s: float, modality: Modality
) -> Pair:
    one = heart(rng, duration_s)
    other = one if clock else heart(rng, duration_s)
    seen = (other + way_s + rng.normal(0.0, 0.008, len(other)))[rng.random(len(other)) > 0.03]
    local = (clock or Worn()).seen(seen)
    local = local[local > 0]
    return (
        Recorder("a", span=(0.0, duration_s), beats={(Role.PATIENT, Modality.ECG): one}),
        Recorder("b", span=(0.0, duration_s), beats={(Role.PATIENT, modality): local}),
    )


def hand(rng: np.random.Generator, duration_s: float, per_min: float) -> FloatArray:
    """Path of a hand in space, (n, 3) in m, two hundred times a second: gestures of one to four strokes.

    A stroke of 0.3 to 0.9 s is a minimum-jerk movement, somewhat faster up to its top speed or after it, as people are.
    """
    moved = np.zeros((int(duration_s * HAND_HZ), 3))
    lean = float(rng.normal(1.0, 0.1))
    for began in np.sort(rng.uniform(0.0, duration_s, int(per_min * duration_s / 60.0))):
        at = began
        for _ in range(int(rng.integers(1, 5))):
            length, way = rng.uniform(0.3, 0.9), rng.normal(0.0, 0.12, 3)
            first, last = int(at * HAND_HZ), int((at + length) * HAND_HZ)
            phase = np.linspace(0.0, 1.0, last - first + 1)[1:] ** lean
            step = np.diff(10 * phase**3 - 15 * phase**4 + 6 * phase**5, prepend=0.0)
            inside = moved[first:last]
            inside += step[: len(inside), None] * way
            at += length
    return np.cumsum(moved, axis=0)


def movement(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """A camera of 30 frames/s and a wristband of 32 Hz.

    The picture's twelve parts: the wearer's hand in one, somebody else's, twice as lively, in two. What is seen of the
    wearer moves a little before or after the wrist, 95 % within 20 ms.
    """
    own, others = hand(rng, duration_s, 6.0), hand(rng, duration_s, 12.0)
    theirs = own if clock else hand(rng, duration_s, 6.0)
    frames = np.arange(0.0, duration_s - 0.1, 1.0 / 30.0)
    moving = {4: own, 7: others, 8: others}
    parts = [evenly((frames[1:] + frames[:-1]) / 2, _seen(rng, frames, moving.get(k))) for k in range(12)]
    felt = _worn(rng, theirs, duration_s, clock or Worn())
    seen = np.stack([part.values.astype(np.float64) for part in parts], axis=1)
    return Recorder("a", span=(0.0, duration_s), movement={Role.PATIENT: (times_of(parts[0]), seen)}), felt


def wandering(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """The same with a hand that moves from part to part of the picture, of 15 frames/s, and nobody else in it."""
    own = hand(rng, duration_s, 6.0)
    frames, known = np.arange(0.0, duration_s - 0.1, 1.0 / 15.0), np.arange(len(own)) / HAND_HZ
    across, down = (np.sin(2 * np.interp(frames, known, own[:, k])) for k in (0, 1))
    part = (np.clip(2 + 1.5 * across, 0, 3).astype(int) + 4 * np.clip(1.5 + down, 0, 2).astype(int))[1:]
    change = np.hypot(np.diff(across) / 2, np.diff(down) / 2) / np.diff(frames)
    noise = 0.02 * rng.gamma(2.0, 1.0, (len(change), 12))
    middle = (frames[1:] + frames[:-1]) / 2
    parts = [evenly(middle, np.where(part == k, change, 0.0) + noise[:, k]) for k in range(12)]
    felt = _worn(rng, own if clock else hand(rng, duration_s, 6.0), duration_s, clock or Worn())
    seen = np.stack([p.values.astype(np.float64) for p in parts], axis=1)
    return Recorder("a", span=(0.0, duration_s), movement={Role.PATIENT: (times_of(parts[0]), seen)}), felt


def _worn(rng: np.random.Generator, path: FloatArray, duration_s: float, clock: Worn) -> Recorder:
    """What a wristband of 32 Hz feels of a hand's path."""
    local = np.arange(0.0, duration_s - 10.0, 1.0 / 32.0)
    true, known = clock.true(local) + rng.normal(0.0, 0.01), np.arange(len(path)) / HAND_HZ
    pulled = np.gradient(np.gradient(path, 1.0 / HAND_HZ, axis=0), 1.0 / HAND_HZ, axis=0) / 9.81
    axes = [
        shaking(Signal(np.interp(true, known, axis) + rng.normal(0.0, 0.01, len(local)), local, 32.0, "g"))
        for axis in pulled.T
    ]
    felt = np.sqrt(sum(axis.values.astype(np.float64) ** 2 for axis in axes))
    return Recorder("b", span=(0.0, duration_s), movement={Role.PATIENT: (times_of(axes[0]), np.asarray(felt))})


def _seen(rng: np.random.Generator, frames: FloatArray, path: FloatArray | None) -> FloatArray:
    """How much a part of the picture changes from frame to frame: along two of three axes, under noise."""
    noise = 0.02 * rng.gamma(2.0, 1.0, len(frames) - 1)
    if path is None:
        return noise
    known = np.arange(len(path)) / HAND_HZ
    flat = np.stack([np.interp(frames, known, path[:, k]) for k in (0, 1)], axis=1)
    return np.asarray(np.hypot(*np.diff(flat, axis=0).T) / np.diff(frames) + noise)


def talk(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Noise of a voice's colour, on and off as syllables are."""
    n = int(duration_s * RATE)
    loud = np.repeat((rng.random(n * 4 // RATE + 1) > 0.5) * rng.uniform(0.2, 1.0, n * 4 // RATE + 1), RATE // 4)[:n]
    return np.asarray(lfilter([1], [1, -0.9], rng.normal(size=n)) * lfilter([0.01], [1, -0.99], loud))


def sound(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """What two microphones make of a talk, as power a thousand times a second.

    One is worn; the other stands up to 3 m away, hears 3 to 10 dB of room on top of the voice (decay of 0.3 to 0.6 s in
    a worn microphone's place it hears little), and its noise is 10 dB below the voice.
    """
    source = _syllables(rng, duration_s)
    theirs = source if clock else _syllables(rng, duration_s)
    local = np.arange(0.0, duration_s - 10.0, 0.01)
    edges = (clock or Worn()).true(local) - rng.uniform(0.0, 3.0) / 343.0
    far = _in_room(theirs, decay_s=rng.uniform(0.3, 0.6), room=10 ** rng.uniform(-1.0, -0.3))
    ours = np.arange(0.0, duration_s, 0.01)
    return (
        Recorder("a", span=(0.0, duration_s), sound=(_level(rng, _in_room(source, decay_s=0.4, room=0.03), ours),)),
        Recorder("b", span=(0.0, duration_s), sound=(_level(rng, far, edges, clock=local),)),
    )


def _syllables(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Power of a voice a thousand times a second: syllables of 0.1 to 0.35 s, pauses, and the noise of its own."""
    n = int(duration_s * POWER_HZ)
    lengths = (rng.uniform(0.1, 0.35, int(duration_s / 0.2) + 1) * POWER_HZ).astype(int)
    sizes = (rng.random(len(lengths)) > 0.4) * 10 ** rng.normal(0.0, 0.4, len(lengths))
    power = np.repeat(sizes, lengths)[:n]
    shaped = lfilter([0.03], [1, -0.97], np.pad(power, (0, max(n - len(power), 0))))
    return np.asarray(shaped * rng.gamma(2.0, 0.5, n))


def _in_room(power: FloatArray, *, decay_s: float, room: float) -> FloatArray:
    """Power with the room's: `room` times the voice's own, falling by 60 dB in `decay_s`."""
    keep = 10 ** (-6.0 / (decay_s * POWER_HZ))
    return np.asarray(power + room * lfilter([1.0 - keep], [1.0, -keep], power))


def _level(
    rng: np.random.Generator, power: FloatArray, edges: FloatArray, *, clock: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Level of hundredths of a second in dB, with noise 10 dB below the voice."""
    total = np.concatenate([[0.0], np.cumsum(power)]) / POWER_HZ
    heard = np.diff(np.interp(edges, np.arange(len(total)) / POWER_HZ, total)) / 0.01
    heard = np.maximum(heard, 0.0) + 0.1 * float(power.mean()) * rng.gamma(20.0, 0.05, len(heard))
    times = (edges if clock is None else clock)[:-1] + 0.005
    return times, 10.0 * np.log10(np.maximum(heard / heard.max(), 1e-5))


def marks(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """A press of two buttons every three minutes, 20 ms apart (one standard deviation); one was missed.

    One recorder always notes its marks a little later, which no number of them shows: 95 % below 5 ms.
    """
    return _marks(rng, duration_s, clock, 0.02)


def triggers(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """The same of a trigger line or a stream of markers, 2 ms apart."""
    return _marks(rng, duration_s, clock, 0.002)


def _marks(rng: np.random.Generator, duration_s: float, clock: Worn | None, apart_s: float) -> Pair:
    n = max(int(duration_s / 180.0), 4)
    ours = np.sort(rng.uniform(10.0, duration_s - 20.0, n))
    theirs = ours if clock else np.sort(rng.uniform(10.0, duration_s - 20.0, n))
    noted = theirs[1:] + rng.normal(0.0, 0.0025) + rng.normal(0.0, apart_s, n - 1)
    local = (clock or Worn()).seen(noted)
    return Recorder("a", span=(0.0, duration_s), marks_s=ours), Recorder("b", span=(0.0, duration_s), marks_s=local)


def drawn(rng: np.random.Generator, duration_s: float, *, jumps: bool) -> Worn:
    """Up to 5 s off, 100 ppm of drift, and a jump of up to 5 s in the middle third."""
    clock = Clock(int(rng.uniform(0.0, 5.0) * RATE) / RATE, float(rng.uniform(-100.0, 100.0)))
    if not jumps:
        return Worn(clock)
    by_s = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 5.0))
    return Worn(clock, float(rng.uniform(0.35, 0.65)) * duration_s, by_s)


TRIALS: dict[str, tuple[Trial, tuple[int, ...]]] = {
    "beats": (beats, (5, 30, 60)),
    "pulse": (pulses, (5, 30, 60)),
    "marks": (marks, (30, 60)),
    "triggers": (triggers, (30, 60)),
    "sound": (sound, (5, 30, 60)),
    "movement": (movement, (10, 30, 60)),
    "wandering": (wandering, (30,)),
}
"""What two recorders share, and the lengths in minutes."""
