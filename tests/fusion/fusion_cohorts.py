"""Cohorts whose truth is known: drivers, probabilities, reliabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

BAD_NOISE = 3.0  # of bad recordings, in standard deviations of what they should show


@dataclass(frozen=True)
class Cohort:
    frame: pl.DataFrame
    labels: pl.DataFrame
    probability: dict[str, float]  # true chance of each session
    drivers: dict[tuple[str, str], float]  # true size of each biomarker's effect
    shown: dict[tuple[str, str], float]  # how much of it the recordings can show, on average


def make_cohort(
    *,
    subjects: int = 30,
    sessions: int = 8,
    strengths: dict[str, float] | None = None,
    biomarkers: int = 8,
    offset: float = 0.0,
    shift: float = 0.0,
    missing: float = 0.0,
    gone: float = 0.0,
    bend: float = 0.0,
    step: float = 0.0,
    together: float = 0.0,
    poor: float = 0.0,
    seed: int = 0,
) -> Cohort:
    """Sessions whose log-odds are a known sum of a few biomarkers of each modality.

    `strengths`: modality to the standard deviation of its part of the log-odds; `offset`: spread of persons' own
    levels; `shift`: spread of persons' own log-odds; `missing`: share of single values, `gone`: of whole modalities;
    `bend`, `step`: how much of each driver is a U-shape, or a threshold; `together`: size of an effect that audio and
    video have only together; `poor`: share of bad video recordings, whose quality is low.
    """
    strengths = strengths or {"audio": 1.2, "ecg": 0.8, "video": 1.6}
    rng = np.random.default_rng(seed)
    n = subjects * sessions
    who = np.repeat(np.arange(subjects), sessions)
    log_odds = shift * rng.normal(size=subjects)[who]
    names = np.array([f"s{seed}-{i:05d}" for i in range(n)])  # cohorts of other seeds are other people
    people = np.array([f"p{seed}-{i:04d}" for i in range(subjects)])
    parts, drivers, shown = [], {}, {}
    first: dict[str, np.ndarray] = {}
    for modality, strength in strengths.items():
        z = rng.normal(size=(n, biomarkers))
        sizes = np.zeros(biomarkers)
        k = min(4, biomarkers)
        sizes[:k] = np.array([4.0, 3.0, 2.0, 1.0])[:k]
        sizes *= strength / np.linalg.norm(sizes)
        effect = (1 - bend - step) * z + bend * (z**2 - 1) / np.sqrt(2) + step * ((z > 0.5) - 0.3085) / 0.4619
        first[modality] = z[:, 0]
        log_odds = log_odds + effect @ (sizes * np.array([1, -1] * biomarkers)[:biomarkers])
        drivers |= {(modality, f"{modality}_{j}"): float(sizes[j]) for j in range(biomarkers)}
        hidden = poor * (1 - 1 / np.sqrt(BAD_NOISE**2 + 1)) if modality == "video" else 0.0
        shown |= {(modality, f"{modality}_{j}"): float(sizes[j]) * (1 - hidden) for j in range(biomarkers)}
        values = 10 + 3 * (z + offset * rng.normal(size=(subjects, biomarkers))[who])
        values[rng.random(values.shape) < missing] = np.nan
        values[rng.random(n) < gone] = np.nan
        quality = np.full(n, 0.9)
        if poor and modality == "video":
            bad = rng.random(n) < poor
            values[bad] += 3 * BAD_NOISE * rng.normal(size=(int(bad.sum()), biomarkers))
            quality[bad] = 0.1
        for j in range(biomarkers):
            parts.append(
                pl.DataFrame(
                    {
                        "session_id": names,
                        "subject_id": people[who],
                        "modality": modality,
                        "biomarker": f"{modality}_{j}",
                        "value": values[:, j],
                        "coverage": 1.0,
                        "quality": quality,
                        "role": "patient",
                        "phase": "session",
                        "window_start_s": 0.0,
                        "window_end_s": 60.0,
                    }
                )
            )
    if together:
        log_odds = log_odds + together * first["audio"] * first["video"]
    chance = 1 / (1 + np.exp(-log_odds))
    y = (rng.random(n) < chance).astype(float)
    labels = pl.DataFrame({"session_id": names, "target": "pain", "value": y})
    frame = pl.concat(parts).with_columns(pl.col("value").fill_nan(None))
    return Cohort(frame, labels, dict(zip(names.tolist(), chance.tolist(), strict=True)), drivers, shown)
