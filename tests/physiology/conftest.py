"""Signals with known truth for the physiology tests, and readers for the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.results import Findings, FloatArray, Measure, Signal, Window
from cueflow.schemas.session import Exclusion
from cueflow.tasks.physiology.analyse import analyse_physiology


def _signal(values: FloatArray, rate: float, unit: str = "", *, start_s: float = 0.0) -> Signal:
    numbers = np.asarray(values, dtype=np.float64)
    return Signal(numbers, start_s + np.arange(len(numbers)) / rate, rate, unit)


def _analyse(
    modality: str,
    signal: Signal,
    *,
    phases: tuple[Window, ...] = (),
    exclusions: tuple[Exclusion, ...] = (),
    config: PhysiologyConfig | None = None,
    axes: tuple[Signal, ...] | None = None,
) -> Findings:
    """An accelerometer's signal is taken for the length of the vector, unless axes are given."""
    axes = (signal,) if axes is None else axes
    return analyse_physiology(
        modality, signal, phases=phases, exclusions=exclusions, config=config or PhysiologyConfig(), axes=axes
    )


def _measured(findings: Findings, phase: str = "session") -> dict[str, Measure]:
    return {m.biomarker: m for m in findings.measures if m.window.phase == phase}


def _drawn_beats(rmssd_ms: float, mean_ms: float, number: int, seed: int) -> FloatArray:
    """Times in s of beats whose intervals have exactly this RMSSD and mean."""
    wander = np.random.default_rng(seed).normal(size=number)
    wander *= rmssd_ms / np.sqrt(np.mean(np.diff(wander) ** 2))
    intervals = mean_ms + wander - wander.mean()
    return 1.0 + np.concatenate([[0.0], np.cumsum(intervals)]) / 1000.0


def _matched(found: FloatArray, gold: FloatArray, tolerance: float) -> tuple[float, float]:
    """Sensitivity and positive predictive value; each mark is used once."""
    used = np.zeros(len(found), dtype=bool)
    for mark in gold:
        near = np.flatnonzero(~used & (np.abs(found - mark) <= tolerance))
        if len(near):
            used[near[np.abs(found[near] - mark).argmin()]] = True
    return used.sum() / len(gold), used.sum() / max(1, len(found))


@pytest.fixture
def signal_of() -> Callable[..., Signal]:
    return _signal


@pytest.fixture
def analyse() -> Callable[..., Findings]:
    return _analyse


@pytest.fixture
def measured() -> Callable[..., dict[str, Measure]]:
    return _measured


@pytest.fixture
def drawn_beats() -> Callable[..., FloatArray]:
    return _drawn_beats


@pytest.fixture
def matched() -> Callable[..., tuple[float, float]]:
    return _matched


@pytest.fixture(scope="session")
def bidmc(shared_data: Path) -> Callable[[str, str], np.ndarray]:
    """Tables of BIDMC records by number and kind: Signals (125 Hz), Numerics (1 Hz), Breaths (samples)."""

    def read(record: str, kind: str) -> np.ndarray:
        path = shared_data / "physio_bidmc" / f"bidmc_{record}_{kind}.csv"
        if kind == "Breaths":
            return np.genfromtxt(path, delimiter=",", skip_header=1)
        return np.genfromtxt(path, delimiter=",", names=True)

    return read
