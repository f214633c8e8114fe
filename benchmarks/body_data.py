"""Recordings with an independent truth, and what is done to them, for benchmarks/body.py.

The folder is `../shared/data` beside the checkout, or the one that CUEFLOW_TEST_DATA names.
"""

from __future__ import annotations

import numpy as np
from measure import DATA
from scipy import signal as sp

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.results import Findings, FloatArray, Measure, Signal, Window
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.physiology.analyse import analyse_physiology
from cueflow.tasks.simulate.heart import ecg_wave

_BEATS = frozenset({*range(1, 12), 13, 25, 30, 34, 35, 38, 41})
"""Codes of beats among the annotations of MIT-BIH."""


def signal_of(values: FloatArray, rate: float, unit: str = "") -> Signal:
    """A signal that starts at 0."""
    return Signal(np.asarray(values, dtype=np.float64), np.arange(len(values)) / rate, rate, unit)


def analysed(modality: str, signal: Signal, phases: tuple[Window, ...] = ()) -> Findings:
    """Findings of the stage."""
    return analyse_physiology(modality, signal, phases=phases, exclusions=(), config=PhysiologyConfig())


def values_of(findings: Findings, phase: str = "session") -> dict[str, Measure]:
    """Measures by name."""
    return {m.biomarker: m for m in findings.measures if m.window.phase == phase}


def minutes(seconds: float) -> tuple[Window, ...]:
    """Whole minutes as phases with the names 0, 1 and so on."""
    return tuple(Window(60.0 * k, 60.0 * (k + 1), str(k)) for k in range(int(seconds // 60)))


def record_100() -> tuple[Signal, FloatArray, np.ndarray]:
    """MIT-BIH 100, 30 min at 360 Hz: lead MLII, times of its beats, and whether each is ectopic."""
    from cueflow.schemas.session import Modality

    folder = DATA / "physio_ecg_gold" / "mitdb"
    words, at, number = np.fromfile(folder / "100.atr", dtype="<u2").astype(np.int64), 0, 0
    samples, codes = [], []
    while number < len(words) and words[number]:
        code, gap = int(words[number] >> 10), int(words[number] & 1023)
        if code == 59:  # a long step in the two words that follow
            at += int(words[number + 1] << 16) + int(words[number + 2])
            number += 3
            continue
        if code == 63:  # text
            number += 1 + (gap + 1) // 2
            continue
        at += gap if code not in {60, 61, 62} else 0
        if code in _BEATS:
            samples.append(at)
            codes.append(code)
        number += 1
    found = read_signal(folder / "100.dat", modality=Modality.ECG, channel="MLII")
    return found, np.array(samples) / 360.0, np.array(codes) != 1


def bidmc(record: str) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """BIDMC, 8 min at 125 Hz: signals, numerics at 1 Hz, and the breaths of the first annotator, s."""
    folder = DATA / "physio_bidmc"
    signals, numerics = (
        np.genfromtxt(folder / f"bidmc_{record}_{kind}.csv", delimiter=",", names=True)
        for kind in ("Signals", "Numerics")
    )
    breaths = np.genfromtxt(folder / f"bidmc_{record}_Breaths.csv", delimiter=",", skip_header=1)[:, 0] / 125.0
    return signals, numerics, breaths[np.isfinite(breaths)]


def many_ectopics(seed: int, seconds: float, rate: float, share: float = 0.2) -> tuple[Signal, FloatArray]:
    """A drawn ECG in which every fifth beat is an early, wide one without P wave, with a pause after it; its beats."""
    rng = np.random.default_rng(seed)
    beats, early = [0.6], [False]
    while beats[-1] < seconds - 1.0:
        gap = 0.85 + rng.normal(0.0, 0.02)
        early.append(not early[-1] and rng.random() < share)
        last = beats[-1] if not early[-2] else beats[-1] + 0.3 * gap
        beats.append(last + (0.65 * gap if early[-1] else gap))
    at, odd = np.array(beats), np.array(early)
    times = np.arange(int(seconds * rate)) / rate
    wave = ecg_wave(times, at[~odd])
    for beat in at[odd]:  # 140 ms wide, tall, with the T wave the other way
        since = times - beat
        wave += 1.4 * np.exp(-0.5 * (since / 0.035) ** 2) - 0.5 * np.exp(-0.5 * ((since - 0.28) / 0.06) ** 2)
    return signal_of(wave + rng.normal(0.0, 0.02, len(times)), rate, "mV"), at


def muscle(rng: np.random.Generator, values: FloatArray, rate: float, db: float) -> FloatArray:
    """The signal under noise from 20 to 150 Hz: decibels of the power of the QRS (peak to peak squared over 8)."""
    high = min(150.0, 0.45 * rate)
    noise = sp.sosfiltfilt(sp.butter(2, (20.0, high), "bandpass", fs=rate, output="sos"), rng.normal(size=len(values)))
    tall = float(np.percentile(values, 99.9) - np.percentile(values, 0.1))
    return np.asarray(values + noise * np.sqrt(tall**2 / 8 / 10 ** (db / 10)) / np.std(noise))


def matched(found: FloatArray, truth: FloatArray, within_s: float) -> tuple[int, int, int]:
    """Hits, misses and false alarms; each mark counts once."""
    used = np.zeros(len(found), dtype=bool)
    for mark in truth:
        near = np.flatnonzero(~used & (np.abs(found - mark) <= within_s))
        if len(near):
            used[near[np.abs(found[near] - mark).argmin()]] = True
    hits = int(used.sum())
    return hits, len(truth) - hits, len(found) - hits


def f1(found: FloatArray, truth: FloatArray, within_s: float) -> tuple[float, float, float]:
    """F1, sensitivity and positive predictive value."""
    hits, missed, false = matched(found, truth, within_s)
    sensitivity, predictive = hits / max(hits + missed, 1), hits / max(hits + false, 1)
    return 2 * hits / max(2 * hits + missed + false, 1), sensitivity, predictive


def starts(findings: Findings, kind: str, labels: frozenset[str] | None = None) -> FloatArray:
    """Times of the events of a kind."""
    return np.array([e.start_s for e in findings.events if e.kind == kind and (labels is None or e.label in labels)])


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells) + " |")


def head(*names: str) -> None:
    """Print the head of a table."""
    row(*names)
    print("|" + "---|" * len(names))
