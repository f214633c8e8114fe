"""Error, drift, coverage and refusals of the clock estimates of a run, on recordings whose clocks are known.

python benchmarks/clock.py [DRAWS [ROW …]] [--first SEED]    # rows: beats, beats-30, beats-30-jump, …; all without
python benchmarks/clock.py leads                 # how far the main waves of two leads lie apart
python benchmarks/clock.py bound [DRAWS]         # what marks allow whoever knows which belong together, and the jump
python benchmarks/clock.py chance [DRAWS]        # how far what is shared stands above chance, and what is not
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from measure import heading
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray, Signal
from cueflow.schemas.session import Modality, Role
from cueflow.tasks.clock.clues import evenly, shaking, times_of
from cueflow.tasks.clock.evidence import Recorder, compare
from cueflow.tasks.clock.offsets import Offset
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


def placed(pair: Pair) -> Offset | None:
    """What a run would take."""
    return min(compare(*pair).places, key=lambda place: place.uncertainty_s, default=None)


def report(name: str, trial: Trial, minutes: float, seeds: range, *, jumps: bool) -> None:
    """Print one row of the table."""
    errors, drifts, widths, spent, duration_s = [], [], [], 0.0, 60.0 * minutes
    jumped: list[tuple[bool, float]] = []
    some = seeds[: max(len(seeds) // 5, 1)]
    strangers = sum(placed(trial(np.random.default_rng([8, seed]), duration_s, None)) is not None for seed in some)
    for seed in seeds:
        rng = np.random.default_rng([7, seed])
        clock = drawn(rng, duration_s, jumps=jumps)
        pair = trial(rng, duration_s, clock)
        began = time.process_time()
        found = placed(pair)
        spent += time.process_time() - began
        if found is None:
            continue
        errors.append(worst(found, clock, duration_s))
        jumped.extend((abs(jump.at_s - clock.at_s) <= jump.within_s, jump.within_s) for jump in found.jumps)
        drifts.append(abs(found.drift_ppm - clock.clock.drift_ppm))
        widths.append(found.uncertainty_s)
    print("| " + " | ".join(
        (name, "yes" if jumps else "no", f"{minutes:g}", f"{len(errors)}/{len(seeds)}", f"{strangers}/{len(some)}",
         *_figures(np.array(errors), np.array(widths), np.array(drifts if minutes > 5 else [])),
         *_moments(jumped), f"{spent / len(seeds):.2f}")
    ) + " |", flush=True)  # fmt: skip


def worst(found: Offset, clock: Worn, duration_s: float) -> float:
    """Largest error in a recording, s, but for the time in which a jump is said to lie."""
    at = np.linspace(0.0, duration_s - 12.0, 2000)
    for jump in found.jumps:
        at = at[np.abs(at - jump.at_s) > jump.within_s]
    return float(np.abs(found.at(at) - clock.true(at)).max())


def _moments(jumped: Sequence[tuple[bool, float]]) -> tuple[str, str]:
    if not jumped:
        return "–", "–"
    held, within = zip(*jumped, strict=True)
    return f"{sum(held)}/{len(held)}", f"{np.median(within):.1f}"


def _figures(errors: FloatArray, widths: FloatArray, drifts: FloatArray) -> tuple[str, ...]:
    if not len(errors):
        return ("–",) * 7
    often = (f"{np.percentile(drifts, q):.1f}" if len(drifts) else "–" for q in (50, 95))
    covered = 100 * float(np.mean(errors <= widths))
    return (
        f"{np.median(errors) * 1e3:.1f}", f"{np.percentile(errors, 95) * 1e3:.1f}", *often,
        f"{np.median(widths) * 1e3:.1f}", f"{covered:.0f}", f"{(errors > 0.25).sum()}",
    )  # fmt: skip


def chance(repeats: int) -> None:
    """Height of the best place over that of the highest surrogate, of recordings with and without a common clock."""
    from unittest.mock import patch

    from cueflow.tasks.clock import offsets, tracks

    def told(trial: Trial, duration_s: float, seed: int, *, same: bool) -> float:
        rng = np.random.default_rng([5, seed])
        pair = trial(rng, duration_s, drawn(rng, duration_s, jumps=False) if same else None)
        seen: list[float] = []

        def spy(found: object, surrogates: Sequence[float]) -> bool:
            seen.append(found.score / max(surrogates))  # type: ignore[attr-defined]
            return False

        with patch.object(offsets, "_significant", spy):
            a, b = pair
            if trial is beats:
                offsets.beats_offset(next(iter(a.beats.values())), next(iter(b.beats.values())))
            elif trial is sound:
                tracks.loudness_offset(a.sound[0], b.sound[0])
            else:
                tracks.movement_offset(a.movement[Role.PATIENT], b.movement[Role.PATIENT])
        return seen[0]

    print(heading("Clocks: the best place over the highest surrogate"))
    print("| shared | min | recordings | lowest of what shares something | highest of what does not |")
    print("|---|---|---|---|---|")
    rows: tuple[tuple[str, Trial, float, int], ...] = (
        ("beats", beats, 120.0, 4 * repeats),
        ("beats", beats, 300.0, 4 * repeats),
        ("sound", sound, 300.0, repeats),
        ("movement", movement, 600.0, repeats),
    )
    for name, trial, duration_s, n in rows:
        same, other = ([told(trial, duration_s, k, same=s) for k in range(n)] for s in (True, False))
        print(f"| {name} | {duration_s / 60:g} | {n} | {min(same):.2f} | {max(other):.2f} |", flush=True)


def bound(seeds: range) -> None:
    """Least squares through marks of which it is known which belong together, and between which two the clock jumped.

    No estimate without a bias has smaller errors (Gauss and Markov): what the presses leave open, nothing can tell.
    """
    print(heading(f"What marks allow, seeds {seeds[0]} to {seeds[-1]}"))
    print("| shared | jump | min | error, ms | 95 % below | drift error, ppm | 95 % below |")
    print("|---|---|---|---|---|---|---|")
    for name, minutes, jumps in ((n, m, j) for n in ("marks", "triggers") for m in (30, 60) for j in (False, True)):
        found = []
        for seed in seeds:
            rng = np.random.default_rng([7, seed])
            clock = drawn(rng, 60.0 * minutes, jumps=jumps)
            told = _told(TRIALS[name][0](rng, 60.0 * minutes, clock), clock)
            if told is not None:
                drift = abs(told.drift_ppm - clock.clock.drift_ppm)
                found.append((1e3 * worst(told, clock, 60.0 * minutes), drift))
        errors, drifts = np.array(found).T
        figures = (f"{np.percentile(some, q):.1f}" for some in (errors, drifts) for q in (50, 95))
        print("| " + " | ".join((name, "yes" if jumps else "no", str(minutes), *figures)) + " |", flush=True)


def _told(pair: Pair, clock: Worn) -> Offset | None:
    """A place through marks whose partners are known; None where fewer than two lie on a side of a jump."""
    from cueflow.tasks.clock.marks import nearest
    from cueflow.tasks.clock.offsets import Jump

    ours, theirs = pair[0].marks_s, pair[1].marks_s
    late, after = nearest(ours, clock.true(theirs)) - theirs, (theirs >= clock.at_s).astype(float)
    jumped = np.isfinite(clock.at_s)
    if jumped and min(after.sum(), (1 - after).sum()) < 2:
        return None
    columns = [np.ones(len(theirs)), theirs, *([after] if jumped else [])]
    fit = np.linalg.lstsq(np.stack(columns, axis=1), late, rcond=None)[0]
    k = int(np.searchsorted(theirs, clock.at_s)) if jumped else 0
    middle, half = (theirs[k] + theirs[k - 1]) / 2, (theirs[k] - theirs[k - 1]) / 2
    jumps = (Jump(float(middle), float(fit[2]), float(half)),) if jumped else ()
    return Offset(float(fit[0]), 1e6 * float(fit[1]), 0.0, len(theirs), "marks", jumps)


def leads() -> None:
    """How much later the main wave of one lead comes than that of another, in real recordings."""
    from body_data import DATA, bidmc

    from cueflow.tasks.clock.marks import nearest
    from cueflow.tasks.ingest.signals import read_signal
    from cueflow.tasks.physiology.heart.ecg import r_peaks

    print(heading("Main waves of two leads"))
    print("| recording | leads | median, ms | interquartile range, ms |")
    print("|---|---|---|---|")
    waves: dict[str, tuple[float, dict[str, FloatArray]]] = {}
    for name, path, channels in (("MIT-BIH 100", "physio_ecg_gold/mitdb/100.hea", ("MLII", "V5")),
                                 ("a103l", "physio_multi/wfdb/a103l.hea", ("II", "V"))):  # fmt: skip
        found = {c: read_signal(DATA / path, modality=Modality.ECG, channel=c) for c in channels}
        waves[name] = (next(iter(found.values())).sampling_rate, {c: s.values for c, s in found.items()})
    for number in ("01", "05"):
        waves[f"BIDMC {number}"] = (125.0, {c: bidmc(number)[0][c] for c in ("II", "V", "AVR")})
    for name, (rate, of) in waves.items():
        (first, known), *others = ((c, r_peaks(np.nan_to_num(v), rate) / rate) for c, v in of.items())
        for other, beats_s in others:
            late = nearest(beats_s, known) - known
            late = 1e3 * late[np.abs(late) < 0.1]
            quarter = np.subtract(*np.percentile(late, [75, 25]))
            print(f"| {name} | {first}, {other} | {np.median(late):.1f} | {quarter:.1f} |")


def main(arguments: Sequence[str]) -> None:
    """Print the table of docs/methods/clock.md."""
    if arguments == ["leads"]:
        return leads()
    if arguments[:1] == ["bound"]:
        return bound(range(1000, 1000 + (int(arguments[1]) if arguments[1:] else 300)))
    if arguments[:1] == ["chance"]:
        return chance(int(arguments[1]) if arguments[1:] else 12)
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("draws", nargs="?", type=int, default=20)
    known.add_argument("rows", nargs="*")
    known.add_argument("--first", type=int, default=0, help="seed of the first draw; below 1000 for choosing constants")
    said = known.parse_args(arguments)
    seeds = range(said.first, said.first + said.draws)
    print(heading(f"Clocks, seeds {seeds[0]} to {seeds[-1]}"))
    print("| shared | jump | min | placed | strangers | error, ms | 95 % below | drift error, ppm | 95 % below | "
          "stated ±, ms | covers, % | over 0.25 s | jump in its ± | ±, s | s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name, (trial, lengths) in TRIALS.items():
        for minutes in lengths:
            for jumps in (False, True) if minutes >= 30 else (False,):
                names = {name, f"{name}-{minutes}", f"{name}-{minutes}-jump" if jumps else f"{name}-{minutes}-no"}
                if not said.rows or names & set(said.rows):
                    report(name, trial, minutes, seeds, jumps=jumps)
    return None


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


if __name__ == "__main__":
    main(sys.argv[1:])
