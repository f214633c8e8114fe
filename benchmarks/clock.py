"""Error, drift, coverage and refusals of the clock estimates, on recordings whose clocks are known.

python benchmarks/clock.py [REPEATS]    # half as many of sound
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray
from cueflow.tasks.clock.offsets import Offset, beats_offset, signals_offset
from cueflow.tasks.clock.sound import sound_offset
from cueflow.tasks.simulate.plan import Clock

Trial = Callable[[np.random.Generator, float, Clock | None], Offset | None]
"""From chance, a length in s and a clock (None: the two recordings have nothing in common) to an estimate."""
RATE = 8000


def heart(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Beats of a heart with breathing and slow changes in its rate."""
    times, slow, phase = [0.5], 0.0, 6.0 * rng.random()
    while times[-1] < duration_s:
        slow = 0.95 * slow + rng.normal(0.0, 0.012)
        swing = 0.03 * np.sin(1.57 * times[-1] + phase) + rng.normal(0.0, 0.012)
        times.append(times[-1] + 0.85 + 0.6 * slow + swing)
    return np.array(times)


def beats(rng: np.random.Generator, duration_s: float, clock: Clock | None) -> Offset | None:
    """Two lists of beats, one with 3 % lost and 8 ms jitter."""
    one = heart(rng, duration_s)
    other = one if clock else heart(rng, duration_s)
    seen = (other + rng.normal(0.0, 0.008, len(other)))[rng.random(len(other)) > 0.03]
    local = (clock or Clock(0.0)).local(seen)
    return beats_offset(one, np.unique(local[local > 0]))


def bursts(rng: np.random.Generator, duration_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Onset, length and size of movements, nine per minute."""
    n = int(0.15 * duration_s)
    return rng.uniform(0, duration_s, n), rng.uniform(0.3, 2.0, n), rng.uniform(0.3, 1.5, n)


def trace(rng: np.random.Generator, times: FloatArray, made: tuple[FloatArray, FloatArray, FloatArray]) -> FloatArray:
    """Movements under noise."""
    total = 0.2 * rng.gamma(1.0, 0.5, len(times))
    for at, length, size in zip(*made, strict=True):
        lo, hi = np.searchsorted(times, [at - 2 * length, at + 3 * length])
        total[lo:hi] += size * np.exp(-0.5 * ((times[lo:hi] - at - length / 2) / (length / 4)) ** 2)
    return total


def movement(rng: np.random.Generator, duration_s: float, clock: Clock | None) -> Offset | None:
    """A camera at 30 frames/s and a wristband at 32 Hz."""
    made = bursts(rng, duration_s)
    theirs = made if clock else bursts(rng, duration_s)
    seen, felt = np.arange(0.0, duration_s, 1 / 30), np.arange(0.0, duration_s - 8.0, 1 / 32)
    session = (clock or Clock(0.0)).session(felt)
    return signals_offset((seen, trace(rng, seen, made)), (felt, trace(rng, session, theirs)))


def talk(rng: np.random.Generator, duration_s: float) -> FloatArray:
    """Noise of a voice's colour, on and off as syllables are."""
    n = int(duration_s * RATE)
    loud = np.repeat((rng.random(n * 4 // RATE + 1) > 0.5) * rng.uniform(0.2, 1.0, n * 4 // RATE + 1), RATE // 4)[:n]
    return np.asarray(lfilter([1], [1, -0.9], rng.normal(size=n)) * lfilter([0.01], [1, -0.99], loud))


def sound(rng: np.random.Generator, duration_s: float, clock: Clock | None) -> Offset | None:
    """Two microphones with noise at 10 dB, one with echoes."""
    import soxr

    source = talk(rng, duration_s)
    theirs, drawn = (source, clock) if clock else (talk(rng, duration_s), Clock(0.0))
    first = int(drawn.offset_s * RATE)
    late = soxr.resample(theirs[first:], RATE * 1e6, RATE * 1e6 / (1 + 1e-6 * drawn.drift_ppm))
    other = lfilter(np.r_[1.0, np.zeros(100), 0.5, np.zeros(200), 0.3], [1], late)
    other = other + 0.3 * np.std(other) * rng.normal(size=len(other))
    return sound_offset(source + 0.3 * np.std(source) * rng.normal(size=len(source)), other, rate=RATE)


def report(name: str, trial: Trial, duration_s: float, repeats: int) -> None:
    """Print one row of the table."""
    errors, drifts, widths, covered, strangers = [], [], [], [], 0
    spent = 0.0
    for seed in range(repeats):
        rng = np.random.default_rng([7, seed])
        clock = Clock(int(rng.uniform(0.0, 5.0) * RATE) / RATE, float(rng.uniform(-100.0, 100.0)))
        began = time.process_time()
        found = trial(rng, duration_s, clock)
        spent += time.process_time() - began
        strangers += trial(rng, duration_s, None) is not None
        if found is None:
            continue
        ends = np.array([0.0, duration_s - 8.0])
        error = float(np.abs(found.offset_s + ends * (1 + 1e-6 * found.drift_ppm) - clock.session(ends)).max())
        errors.append(1e3 * error)
        drifts.append(abs(found.drift_ppm - clock.drift_ppm))
        widths.append(1e3 * found.uncertainty_s)
        covered.append(error <= found.uncertainty_s)
    drift = f"{np.median(drifts):.1f}" if duration_s > 300 else "–"
    cells = (
        name, f"{duration_s / 60:g}", f"{len(errors)}/{repeats}", f"{strangers}/{repeats}", f"{np.median(errors):.1f}",
        f"{np.max(errors):.1f}", drift, f"{np.median(widths):.1f}", f"{100 * np.mean(covered):.0f}",
        f"{spent / repeats:.2f}",
    )  # fmt: skip
    print("| " + " | ".join(cells) + " |")


def main(arguments: Sequence[str]) -> None:
    """Print the table of docs/methods/clock.md."""
    repeats = int(arguments[0]) if arguments else 20
    print("| shared | min | placed | strangers | error, ms | worst | drift error, ppm | stated ±, ms | covers, % | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows: tuple[tuple[str, Trial, tuple[float, ...]], ...] = (
        ("beats", beats, (120, 300, 1800, 3600)),
        ("movement", movement, (300, 1800, 3600)),
        ("sound", sound, (120, 600)),
    )
    for name, trial, lengths in rows:
        for duration_s in lengths:
            report(name, trial, duration_s, max(repeats // 2, 1) if name == "sound" else repeats)


if __name__ == "__main__":
    main(sys.argv[1:])
