"""Error, drift, coverage and refusals of the clock estimates of a run, on recordings whose clocks are known.

python benchmarks/clock.py [REPEATS [NAME …]]    # a quarter as many of sound and movement
python benchmarks/clock.py chance [REPEATS]      # how far what is shared stands above chance, and what is not
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from measure import heading
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality, Role
from cueflow.tasks.clock.evidence import Recorder, compare
from cueflow.tasks.clock.offsets import Offset
from cueflow.tasks.simulate.plan import Clock

Pair = tuple[Recorder, Recorder]
RATE = 8000
NEAR_S = 20.0  # around a jump, whose moment is found less exactly than its size


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
    """Two electrocardiograms, one with 3 % of beats lost and 8 ms jitter."""
    return _hearts(rng, duration_s, clock, way_s=0.0, modality=Modality.ECG)


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


def bursts(rng: np.random.Generator, duration_s: float, per_min: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Onset, length and size of movements."""
    n = int(per_min * duration_s / 60.0)
    return rng.uniform(0, duration_s, n), rng.uniform(0.3, 2.0, n), rng.uniform(0.3, 1.5, n)


def trace(rng: np.random.Generator, times: FloatArray, made: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Movements under noise."""
    total = 0.1 * rng.gamma(1.0, 0.5, len(times))
    for at, length, size in zip(*made, strict=True):
        lo, hi = np.searchsorted(times, [at - 2 * length, at + 3 * length])
        total[lo:hi] += size * np.exp(-0.5 * ((times[lo:hi] - at - length / 2) / (length / 4)) ** 2)
    return total


def movement(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """Twelve parts of a picture, the wearer's hand in one, somebody's else's twice as often in two; a wristband."""
    made, others = bursts(rng, duration_s, 6.0), bursts(rng, duration_s, 12.0)
    theirs = made if clock else bursts(rng, duration_s, 6.0)
    seen, felt = np.arange(0.0, duration_s, 0.05), np.arange(0.0, duration_s - 10.0, 0.05)
    moving = {4: made, 7: others, 8: others}
    none = (np.zeros(0), np.zeros(0), np.zeros(0))
    parts = np.stack([trace(rng, seen, moving.get(k, none)) for k in range(12)], axis=1)
    worn = trace(rng, (clock or Worn()).true(felt), theirs)
    return (
        Recorder("a", span=(0.0, duration_s), movement={Role.PATIENT: (seen, parts)}),
        Recorder("b", span=(0.0, duration_s), movement={Role.PATIENT: (felt, worn)}),
    )


def talk(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Noise of a voice's colour, on and off as syllables are."""
    n = int(duration_s * RATE)
    loud = np.repeat((rng.random(n * 4 // RATE + 1) > 0.5) * rng.uniform(0.2, 1.0, n * 4 // RATE + 1), RATE // 4)[:n]
    return np.asarray(lfilter([1], [1, -0.9], rng.normal(size=n)) * lfilter([0.01], [1, -0.99], loud))


def sound(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """Two microphones with noise at 10 dB, one with echoes."""
    source = talk(rng, duration_s)
    theirs = source if clock else talk(rng, duration_s)
    local = np.arange(int((duration_s - 10.0) * RATE)) / RATE
    other = np.interp((clock or Worn()).true(local), np.arange(len(theirs)) / RATE, theirs)
    other = lfilter(np.r_[1.0, np.zeros(100), 0.5, np.zeros(200), 0.3], [1], other)
    return tuple(
        Recorder(name, span=(0.0, duration_s), sound=(_level(x + 0.3 * np.std(x) * rng.normal(size=len(x))),))
        for name, x in (("a", source), ("b", other))
    )  # type: ignore[return-value]


def _level(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    n = len(samples) - len(samples) % 80
    power = (samples[:n].reshape(-1, 80) ** 2).mean(axis=1)
    return (np.arange(len(power)) + 0.5) / 100.0, 10.0 * np.log10(np.maximum(power / power.max(), 1e-5))


def marks(rng: np.random.Generator, duration_s: float, clock: Worn | None) -> Pair:
    """A press of a button every three minutes, to 20 ms, one of which the other missed."""
    n = max(int(duration_s / 180.0), 4)
    ours = np.sort(rng.uniform(10.0, duration_s - 20.0, n))
    theirs = ours if clock else np.sort(rng.uniform(10.0, duration_s - 20.0, n))
    local = (clock or Worn()).seen(theirs[1:] + rng.normal(0.0, 0.02, n - 1))
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


def report(name: str, trial: Trial, duration_s: float, repeats: int, *, jumps: bool) -> None:
    """Print one row of the table."""
    errors, drifts, widths, covered, strangers, spent = [], [], [], [], 0, 0.0
    for seed in range(repeats):
        rng = np.random.default_rng([7, seed])
        clock = drawn(rng, duration_s, jumps=jumps)
        pair = trial(rng, duration_s, clock)
        began = time.process_time()
        found = placed(pair)
        spent += time.process_time() - began
        strangers += placed(trial(rng, duration_s, None)) is not None
        if found is None:
            continue
        at = np.linspace(0.0, duration_s - 12.0, 100)
        at = at[np.abs(at - clock.at_s) > NEAR_S]
        error = float(np.abs(found.at(at) - clock.true(at)).max())
        errors.append(1e3 * error)
        drifts.append(abs(found.drift_ppm - clock.clock.drift_ppm))
        widths.append(1e3 * found.uncertainty_s)
        covered.append(error <= found.uncertainty_s)
    drift = f"{np.median(drifts):.1f}" if duration_s > 300 and drifts else "–"
    figures = [np.median(errors), np.percentile(errors, 95), np.median(widths)] if errors else [np.nan] * 3
    cells = (
        name, "yes" if jumps else "no", f"{duration_s / 60:g}", f"{len(errors)}/{repeats}", f"{strangers}/{repeats}",
        f"{figures[0]:.1f}", f"{figures[1]:.1f}", drift, f"{figures[2]:.1f}",
        f"{100 * np.mean(covered) if covered else np.nan:.0f}", f"{spent / repeats:.2f}",
    )  # fmt: skip
    print("| " + " | ".join(cells) + " |", flush=True)


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


def main(arguments: Sequence[str]) -> None:
    """Print the table of docs/methods/clock.md."""
    if arguments[:1] == ["chance"]:
        return chance(int(arguments[1]) if arguments[1:] else 12)
    repeats = int(arguments[0]) if arguments else 20
    print(heading("Clocks"))
    print("| shared | jump | min | placed | strangers | error, ms | 95 % of errors below | drift error, ppm | "
          "stated ±, ms | covers, % | s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    rows: tuple[tuple[str, Trial, tuple[float, ...], int], ...] = (
        ("beats", beats, (120, 300, 1800, 3600), 1),
        ("beats and pulse", pulses, (300, 1800), 1),
        ("marks", marks, (1800, 3600), 1),
        ("sound", sound, (300, 1800), 4),
        ("movement", movement, (600, 1800), 4),
    )
    for name, trial, lengths, share in rows:
        for duration_s in lengths if not arguments[1:] or name in arguments[1:] else ():
            report(name, trial, duration_s, max(repeats // share, 1), jumps=False)
            if duration_s == 1800 and trial is not marks:
                report(name, trial, duration_s, max(repeats // share, 1), jumps=True)
    return None


if __name__ == "__main__":
    main(sys.argv[1:])
