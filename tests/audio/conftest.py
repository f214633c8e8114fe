"""Voices with known truth, and the voice activity network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

RATE = 16_000


@pytest.fixture(scope="session")
def vad_model() -> Path:
    from cueflow.schemas.errors import ModelError
    from cueflow.storage.weights.models import ModelStore

    try:
        return ModelStore().path("silero_vad")
    except ModelError as error:
        pytest.skip(f"the voice activity network is not here: {error.message}")


@pytest.fixture(scope="session")
def voice_models(vad_model: Path):
    from cueflow.flows.work.stages import model_store
    from cueflow.schemas.errors import ModelError
    from cueflow.tasks.audio.tracks import VoiceModels

    try:
        return VoiceModels(vad_model, *(model_store().path(f"speaker_{name}") for name in ("encoder", "segmentation")))
    except ModelError as error:
        pytest.skip(f"the speaker network is not here: {error.message}")


def pulses(times_s: NDArray[np.float64], heights: NDArray[np.float64], seconds: float) -> NDArray[np.float32]:
    """Damped oscillations set off at exact instants: periods and heights are known to the last digit."""
    out = np.zeros(int(seconds * RATE))
    for at, height in zip(times_s, heights, strict=True):
        first = int(np.ceil(at * RATE))
        n = min(120, len(out) - first)
        t = (first + np.arange(n)) / RATE - at
        out[first : first + n] += height * np.exp(-t / 0.0006) * np.sin(2 * np.pi * 700 * t)
    return out.astype(np.float32)


VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


def speech(seconds: float, *, f0_hz: float = 120.0, level: float = 0.2, seed: int = 0) -> NDArray[np.float32]:
    """Four syllables a second: a hiss of 60 ms, then a vowel of 190 ms whose pitch falls; it passes for speech."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(round(seconds * 4)):
        hiss = np.diff(rng.standard_normal(961)) * np.hanning(960) * 0.04
        t = np.arange(3040) / RATE
        phase = np.cumsum(f0_hz * (1.12 - 0.24 * t / 0.19)) / RATE
        source = (np.diff(np.floor(phase), prepend=0) > 0).astype(float) + 0.003 * rng.standard_normal(len(t))
        source = lfilter([1.0], [1.0, -0.9], source)
        for hertz, width in zip((*VOWELS[rng.integers(len(VOWELS))], 3500, 4500), (60, 90, 150, 200, 250), strict=True):
            r = np.exp(-np.pi * width / RATE)
            pole = 2 * r * np.cos(2 * np.pi * hertz / RATE)
            source = lfilter([1.0 - pole + r * r], [1.0, -pole, r * r], source)
        envelope = np.minimum(1.0, np.minimum(t / 0.03, (0.19 - t) / 0.05))
        pieces += [hiss, source / np.abs(source).max() * envelope]
    return (level * np.concatenate(pieces)).astype(np.float32)


@pytest.fixture(scope="session")
def make_pulses() -> Callable[..., NDArray[np.float32]]:
    return pulses


@pytest.fixture(scope="session")
def make_speech() -> Callable[..., NDArray[np.float32]]:
    return speech
