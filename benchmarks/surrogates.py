"""How often chance passes for a relation, and how often a relation is found: by the second, and with breathing.

python benchmarks/surrogates.py [--draws 100]

Signals by the second: red noise (each value that share of the one before, and noise), bursts (its exponential), gaps
(one in 75 seconds begins a gap of 3 to 11), against red noise of .9; related: seven tenths of the first, 5 s later, and
as much again of its own. Breathing: a wave of .25 Hz whose phase wanders by so much a second; heart rate of a stranger,
or of the same wave and noise. Share of draws with p of .05 or less.
"""

from __future__ import annotations

import argparse

import numpy as np
from measure import heading
from scipy.signal import lfilter

from cueflow.schemas.results import FloatArray
from cueflow.tasks.relations.lagged import coherence_at, lagged_correlation

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


def lagged(seconds: int, share: float, kind: str, draws: int) -> tuple[float, float, float]:
    """Share of strangers and of relations with p ≤ .05; of the latter's lags within a second of the truth."""
    strangers, related, near = [], [], []
    for seed in range(draws):
        rng = np.random.default_rng([seconds, round(100 * share), seed])
        a, b = red(rng, seconds, share, kind), red(rng, seconds, 0.9, "gaps" if kind == "gaps" else "noise")
        strangers.append(lagged_correlation(a, b, seed=seed).p <= 0.05)
        c = 0.7 * np.roll(a, 5) / np.nanstd(a) + b / np.nanstd(b)
        found = lagged_correlation(a, c, seed=seed)
        related.append(found.p <= 0.05)
        near.append(abs(found.lag_s - 5) <= 1)
    return float(np.mean(strangers)), float(np.mean(related)), float(np.mean(near))


def coherent(seconds: int, wander: float, draws: int) -> tuple[float, float]:
    """Share of strangers and of relations with p ≤ .05."""
    strangers, related = [], []
    for seed in range(draws):
        rng = np.random.default_rng([seconds, round(100 * wander), seed])

        def wave() -> FloatArray:
            phase = 2 * np.pi * BREATH_HZ * np.arange(seconds) + np.cumsum(rng.normal(0, wander, seconds))  # noqa: B023
            return np.asarray(np.sin(phase) + 0.3 * rng.normal(size=seconds))  # noqa: B023

        breath, other = wave(), wave()
        noise = rng.normal(size=(2, seconds))
        strangers.append(coherence_at(other + noise[0], breath, BREATH_HZ, seed=seed).p <= 0.05)
        related.append(coherence_at(0.7 * breath + noise[1], breath, BREATH_HZ, seed=seed).p <= 0.05)
    return float(np.mean(strangers)), float(np.mean(related))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    print(heading(f"p of .05 or less, {draws} draws each"))
    print("| by the second | s | share of the value before | strangers | related | lag right |\n|" + "---|" * 6)
    for kind in ("noise", "bursts", "gaps"):
        for seconds in SECONDS:
            for share in (0.5, 0.9, 0.97):
                row = lagged(seconds, share, kind, draws)
                print(f"| {kind} | {seconds} | {share} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)
    print("\n| breathing and heart | s | phase wanders, rad | strangers | related |\n|" + "---|" * 5)
    for seconds in (240, 300, 900):
        for wander in (0.05, 0.3):
            row = coherent(seconds, wander, draws)
            print(f"| | {seconds} | {wander} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)


if __name__ == "__main__":
    main()
