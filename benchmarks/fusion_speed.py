"""How long and how much memory: 25 subjects × 110 sessions × 140 biomarkers, and 100,000 sessions × 300 biomarkers.

python benchmarks/fusion_speed.py [small|large]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from cueflow.tasks.fusion import evaluate, predict, read_long_table, train


def cohort(subjects: int, sessions: int, biomarkers: int, *, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Long table and labels of three modalities, 5 % of values missing, 4 % of modalities missing."""
    rng = np.random.default_rng(seed)
    n = subjects * sessions
    each = np.array_split(np.arange(biomarkers), 3)
    log_odds, parts = np.zeros(n), []
    who = np.repeat(np.arange(subjects), sessions)
    ids = pl.Series("session_id", [f"s{i:06d}" for i in range(n)])
    people = pl.Series("subject_id", [f"p{i:05d}" for i in who])
    for modality, mine in zip(("audio", "ecg", "video"), each, strict=True):
        values = rng.normal(size=(n, mine.size))
        log_odds += values[:, :4] @ np.array([0.8, -0.6, 0.4, 0.2])
        values[rng.random(values.shape) < 0.05] = np.nan
        values[rng.random(n) < 0.04] = np.nan
        wide = pl.DataFrame(values, schema=[f"{modality}_{j}" for j in mine], nan_to_null=True)
        wide = wide.with_columns(ids.cast(pl.Categorical), people.cast(pl.Categorical))
        long = wide.unpivot(index=["session_id", "subject_id"], variable_name="biomarker", value_name="value")
        kinds = pl.lit(modality).cast(pl.Categorical).alias("modality")
        parts.append(long.with_columns(kinds, pl.col("biomarker").cast(pl.Categorical)))
    y = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(float)
    return pl.concat(parts), pl.DataFrame({"session_id": ids, "target": ["pain"] * n, "value": y})


def timed(name: str, started: tuple[float, float]) -> None:
    """Print seconds since (by the clock and of the processor) and the most memory used so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall, busy = (now - then for now, then in zip(clock(), started, strict=True))
    print(f"{name:44}{wall:9.1f} s   processor {busy:8.1f} s   peak {peak:6.2f} GB", flush=True)


def clock() -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    return time.perf_counter(), time.process_time()


def small() -> None:
    """25 × 110 × 140: train, apply, evaluate with everything on."""
    frame, labels = cohort(25, 110, 140)
    started = clock()
    model = train(frame, labels, target="pain")
    timed("25 × 110 × 140, train", started)
    started = clock()
    predict(model, frame)
    timed("25 × 110 × 140, apply", started)
    started = clock()
    made = evaluate(frame, labels, target="pain")
    timed("25 × 110 × 140, evaluate (5 folds, 20 refits)", started)
    print(made.to_text())


def large() -> None:
    """100,000 sessions × 300 biomarkers from a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        frame, labels = cohort(20_000, 5, 300)
        frame.write_parquet(path)
        del frame
        started = clock()
        read = read_long_table(path)
        timed("100,000 × 300, read", started)
        started = clock()
        model = train(read, labels, target="pain")
        timed("100,000 × 300, train", started)
        few = read.filter(pl.col("session_id").cast(pl.String) < "s001000")
        started = clock()
        predict(model, few)
        timed("1,000 × 300, apply", started)


if __name__ == "__main__":
    for job in sys.argv[1:] or ["small", "large"]:
        {"small": small, "large": large}[job]()
