"""How often chance passes for a relation, and how often a relation is found: by the second, and with breathing.

python benchmarks/surrogates.py [--draws 100] [--first SEED] [ROW …]    # rows: bursts-150, slips-300, …; all without

Signals by the second: red noise (each value that share of the one before, and noise), bursts (its exponential), gaps
(one in 75 seconds begins a gap of 3 to 11), against red noise of .9; related: seven tenths of the first, 5 s later, and
as much again of its own. Breathing: a wave of .25 Hz whose phase steps by so much a second beside the even way (walks),
in steps of which each is .95 of the one before (drifts), with a jump to another phase a minute (slips), or with a gap
of 8 to 16 s every 150 (gaps); heart rate of a stranger who breathes at the same rate and as evenly, or of the same
wave and noise. Share of draws with p of .05 or less, and of those that get a p: breathing may be too even for one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from measure import heading
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray
from cueflow.tasks.relations.coherence import coherence_at
from cueflow.tasks.relations.lagged import lagged_correlation

SECONDS = (150, 300, 900)
BREATH_HZ = 0.25


def red(rng: np.random.Generator, seconds: int, share: float, kind: str = "noise") -> FloatArray:
    """One signal."""
    x = lfilter([1], [1, -share], rng.normal(size=seconds + 200))[200:]
    if kind == "bursts":
        return np.exp(x / x.std())
    if kind == "gaps":
        for first in rng.integers(seconds - 12, size=max(1, seconds // 75)):
            x[first : first + rng.integers(3, 12)] = np.nan
    return x


def lagged(seconds: int, share: float, kind: str, seeds: range) -> tuple[float, float, float]:
    """Share of strangers and of relations with p ≤ .05; of the latter's lags within a second of the truth."""
    strangers, related, near = [], [], []
    for seed in seeds:
        rng = np.random.default_rng([seconds, round(100 * share), seed])
        a, b = red(rng, seconds, share, kind), red(rng, seconds, 0.9, "gaps" if kind == "gaps" else "noise")
        strangers.append(lagged_correlation(a, b, seed=seed).p <= 0.05)
        c = 0.7 * np.roll(a, 5) / np.nanstd(a) + b / np.nanstd(b)
        found = lagged_correlation(a, c, seed=seed)
        related.append(found.p <= 0.05)
        near.append(abs(found.lag_s - 5) <= 1)
    return float(np.mean(strangers)), float(np.mean(related)), float(np.mean(near))


def breathing(rng: np.random.Generator, seconds: int, wander: float, kind: str) -> FloatArray:
    """A wave of breathing by the second, and noise."""
    steps = rng.normal(0.0, wander, seconds + 200)
    if kind == "drifts":
        steps = lfilter([np.sqrt(1.0 - 0.95**2)], [1.0, -0.95], steps)
    if kind == "slips":
        steps += (rng.random(len(steps)) < 1 / 60) * rng.uniform(-np.pi, np.pi, len(steps))
    phase = 2 * np.pi * BREATH_HZ * np.arange(seconds) + np.cumsum(steps[200:])
    wave = np.sin(phase + rng.uniform(0.0, 2 * np.pi)) + 0.3 * rng.normal(size=seconds)
    for first in range(150, seconds - 140, 150) if kind == "gaps" else ():
        wave[first - 8 : first + int(rng.integers(0, 9))] = np.nan
    return np.asarray(wave)


def coherent(seconds: int, wander: float, kind: str, seeds: range) -> tuple[float, float, float]:
    """Share of draws whose breathing is not too even for a p; of strangers and of relations with p ≤ .05, of all."""
    strangers, related = [], []
    for seed in seeds:
        rng = np.random.default_rng([seconds, round(100 * wander), seed])
        breath, other = (breathing(rng, seconds, wander, kind) for _ in range(2))
        noise = rng.normal(size=(2, seconds))
        strangers.append(coherence_at(other + noise[0], breath, BREATH_HZ, seed=seed).p)
        related.append(coherence_at(0.7 * breath + noise[1], breath, BREATH_HZ, seed=seed).p)
    return float(np.isfinite(strangers).mean()), *(float(np.mean(np.array(p) <= 0.05)) for p in (strangers, related))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--only", choices=["seconds", "breathing"], help="one of the two tables")
    parser.add_argument("rows", nargs="*")
    said = parser.parse_args()
    seeds = range(said.first, said.first + said.draws)
    print(heading(f"p of .05 or less, {said.draws} draws each"))
    if said.only != "breathing":
        by_the_second(seeds, said.rows)
    if said.only != "seconds":
        with_breathing(seeds, said.rows)
    print(f"\n{time.process_time():.0f} s of processor time")


def _asked(kind: str, seconds: int, rows: Sequence[str]) -> bool:
    return not rows or f"{kind}-{seconds}" in rows


def by_the_second(seeds: range, rows: Sequence[str]) -> None:
    """Print the first table."""
    print("| by the second | s | share of the value before | strangers | related | lag right |\n|" + "---|" * 6)
    for kind in ("noise", "bursts", "gaps"):
        for seconds in (s for s in SECONDS if _asked(kind, s, rows)):
            for share in (0.5, 0.9, 0.97):
                row = lagged(seconds, share, kind, seeds)
                print(f"| {kind} | {seconds} | {share} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)


def with_breathing(seeds: range, rows: Sequence[str]) -> None:
    """Print the second table."""
    print("\n| breathing | s | phase wanders, rad | p given | strangers | related |\n|" + "---|" * 6)
    for kind in ("walks", "drifts", "slips", "gaps"):
        lengths = (300, 900) if kind == "gaps" else (240, 300, 900)
        for seconds in (s for s in lengths if _asked(kind, s, rows)):
            for wander in (0.02, 0.05, 0.1, 0.3):
                row = coherent(seconds, wander, kind, seeds)
                print(f"| {kind} | {seconds} | {wander} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)


if __name__ == "__main__":
    main()
