"""How near voice quality comes to Praat's, value by value and against the goals.

python benchmarks/praat_agreement.py DATA    # DATA has speech_reference/praat.csv and the recordings it names
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from measure import heading
from scipy.signal import resample_poly

from cueflow.tasks.audio.quality import perturbation as pb
from cueflow.tasks.audio.quality.cepstrum import peak_prominence
from cueflow.tasks.audio.quality.formants import formant_tracks
from cueflow.tasks.audio.quality.harmonicity import harmonicity
from cueflow.tasks.audio.quality.periods import find_cycles
from cueflow.tasks.audio.quality.pitch import track_pitch
from cueflow.tasks.audio.signal.stream import RATE_HZ, chunks, frames_of

FLOOR_HZ, CEILING_HZ = 75.0, 500.0  # Praat's settings of the stored values
EDGE = 5  # frames whose cepstral window of 100 ms would reach over the ends: Praat has none there
EDGE_PITCH = 2  # the same for three periods of the floor
EDGE_HNR = 1  # and for two
SILENCE = 0.1  # of the peak: Praat's threshold for the stored harmonicity
Away = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(ours / theirs - 1.0))


def _semitones(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(12.0 * np.log2(ours / theirs)))


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(ours - theirs))


GOALS: dict[str, tuple[float, str, Away]] = {
    "f0_p50_hz": (0.15, "semitones", _semitones),
    **{f"jitter_{k}": (0.10, "relative", _relative) for k in ("local", "abs", "rap", "ppq5", "ddp")},
    **{f"shimmer_{k}": (0.10, "relative", _relative) for k in ("local", "db", "apq3", "apq5", "apq11", "dda")},
    "hnr_mean_db": (0.5, "dB", _difference),
    "cpps_db": (0.5, "dB", _difference),
    **{f"f{i}_p50_hz": (0.05, "relative", _relative) for i in (1, 2, 3, 4)},
}


def values_of(samples: np.ndarray) -> dict[str, float]:
    """Our values of a segment under the names of the stored ones.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono at 16 kHz, at most 20 s.

    Returns
    -------
    dict
    """
    chunk = next(iter(chunks([samples])))
    n, peak = chunk.n_frames, float(np.abs(chunk.core).max())
    f0 = track_pitch(chunk.samples, n_frames=n, floor_hz=FLOOR_HZ, ceiling_hz=CEILING_HZ, peak=peak).f0_hz
    f0[:EDGE_PITCH] = f0[n - EDGE_PITCH :] = np.nan
    voiced = np.isfinite(f0)
    marks = find_cycles(chunk.samples, f0, peak=peak)
    periods, tops = pb.comparable(marks.times_s, marks.amplitude)
    rap, apq3 = pb.jitter_smoothed(periods, 3) / 100.0, pb.shimmer_smoothed(tops, 3) / 100.0
    formants = formant_tracks(chunk.samples, voiced)
    return {
        "f0_p50_hz": float(np.nanmedian(f0)),
        "voiced_fraction": float(voiced[EDGE_PITCH : n - EDGE_PITCH].mean()),
        "jitter_local": pb.jitter_local(periods) / 100.0,
        "jitter_abs": pb.jitter_abs(periods),
        "jitter_rap": rap,
        "jitter_ppq5": pb.jitter_smoothed(periods, 5) / 100.0,
        "jitter_ddp": 3.0 * rap,
        "shimmer_local": pb.shimmer_local(tops) / 100.0,
        "shimmer_db": pb.shimmer_db(tops),
        "shimmer_apq3": apq3,
        "shimmer_apq5": pb.shimmer_smoothed(tops, 5) / 100.0,
        "shimmer_apq11": pb.shimmer_smoothed(tops, 11) / 100.0,
        "shimmer_dda": 3.0 * apq3,
        "hnr_mean_db": _harmonics_to_noise(chunk.samples, n, peak),
        "cpps_db": float(np.mean(peak_prominence(chunk.samples, np.ones(n, dtype=bool))[1][EDGE : n - EDGE])),
        **{f"f{i + 1}_p50_hz": float(np.nanmedian(formants[voiced, i])) for i in range(formants.shape[1])},
    }


def _harmonics_to_noise(samples: np.ndarray, n_frames: int, peak: float) -> float:
    """Mean as in Praat: over every frame that is not silent, voiced or not."""
    found = harmonicity(samples, np.ones(n_frames, dtype=bool), floor_hz=FLOOR_HZ)[EDGE_HNR : n_frames - EDGE_HNR]
    near = frames_of(samples, int(RATE_HZ / FLOOR_HZ), n_frames=n_frames)[EDGE_HNR : n_frames - EDGE_HNR]
    loud = np.abs(near).max(axis=1) / peak
    share = 1.0 - 1.0 / (1.0 + 10.0 ** (found / 10.0))
    return float(found[share > np.maximum(0.0, 2.0 - loud / SILENCE)].mean())


def main(data: str) -> None:
    """Print one table for the vowels and one for speech."""
    root = Path(data)
    with (root / "speech_reference" / "praat.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row["n_periods"]) >= 30]
    found = [values_of(_segment(root, row)) for row in rows]
    print(heading("Voice quality against Praat 6.1.38"))
    for what, vowels in (("sustained vowels", True), ("speech", False)):
        chosen = [i for i, row in enumerate(rows) if row["file"].startswith("speech_vowels") == vowels]
        print(
            f"{what}: {len(chosen)} segments\n\n| measure | goal | median away | within the goal |\n|---|---|---|---|"
        )
        for name, (goal, unit, away) in GOALS.items():
            pairs = np.asarray([(found[i].get(name, np.nan), float(rows[i][name] or "nan")) for i in chosen])
            pairs = pairs[np.isfinite(pairs).all(axis=1)]
            distance = away(*pairs.T)
            mark = "" if np.median(distance) <= goal else " (missed)"
            share = f"{int((distance <= goal).sum())} of {len(distance)}"
            print(f"| {name} | {goal:g} {unit} | {np.median(distance):.3f}{mark} | {share} |")
        print()


def _segment(root: Path, row: dict[str, str]) -> np.ndarray:
    samples, rate = soundfile.read(root / row["file"], dtype="float32", always_2d=True)
    part = samples[round(float(row["start_s"]) * rate) : round(float(row["end_s"]) * rate), 0]
    common = gcd(rate, RATE_HZ)
    if rate == RATE_HZ:
        return np.asarray(part)
    return np.asarray(resample_poly(part, RATE_HZ // common, rate // common), dtype=np.float32)


if __name__ == "__main__":
    main(sys.argv[1])
