"""Long recordings are looked at block by block: what is found is what the whole recording would give."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import LongSignal, Signal, Window
from cueflow.tasks.physiology import blocks
from cueflow.tasks.physiology.survey import in_seconds
from cueflow.tasks.simulate.heart import ecg_wave, pulse_wave

RATE = 100.0
TIMES = np.arange(0.0, 600.0, 1.0 / RATE)
BREATH = 0.3 * np.sin(2 * np.pi * TIMES / 4.0)
UNITS = {"eda": "µS", "temperature": "°C", "accelerometer": "g"}


@pytest.fixture(scope="module")
def waves():
    rng = np.random.default_rng(3)
    beats = 0.5 + np.cumsum(0.82 + 0.03 * rng.normal(size=750))
    noise = 0.01 * rng.normal(size=len(TIMES))
    bumps = np.clip(np.sin(2 * np.pi * TIMES / 17.0), 0.0, None) ** 4
    return {
        "ecg": ecg_wave(TIMES, beats) + noise,
        "ppg": pulse_wave(TIMES, beats) + noise,
        "respiration": BREATH * (1.0 + 0.2 * np.sin(TIMES / 31.0)) + noise,
        "eda": 5.0 + 0.4 * bumps + 0.1 * noise,
        "temperature": 33.0 + 0.3 * np.sin(TIMES / 300.0) + noise,
        "accelerometer": 1.0 + BREATH * (np.sin(TIMES / 60.0) > 0.5) * np.sin(2 * np.pi * 1.8 * TIMES) + noise,
    }


def holed(values):
    out = values.copy()
    out[11_000:11_700] = np.nan  # a border of blocks of 12,000 samples lies near it
    out[35_950:36_020] = np.nan
    out[50_000:51_000] = out[50_000]
    return out


@pytest.mark.parametrize("modality", ["ecg", "ppg", "respiration", "eda", "temperature", "accelerometer"])
def test_blocks_find_what_the_whole_recording_holds(modality, waves, signal_of, analyse, monkeypatch):
    signal = signal_of(holed(waves[modality]), RATE, UNITS.get(modality, ""))
    phases = (Window(100.0, 400.0, "talk"),)
    whole = analyse(modality, signal, phases=phases)
    monkeypatch.setattr(blocks, "BLOCK", 12_000)
    assert len(list(blocks.blocks(signal, 1.0))) == 5
    parts = analyse(modality, signal, phases=phases)
    assert [e.kind for e in parts.events] == [e.kind for e in whole.events]
    np.testing.assert_allclose([e.start_s for e in parts.events], [e.start_s for e in whole.events], atol=1e-4)
    assert (parts.status, parts.reason) == (whole.status, whole.reason)
    for one, other in zip(whole.measures, parts.measures, strict=True):
        assert (other.biomarker, other.status, other.reason) == (one.biomarker, one.status, one.reason)
        assert other.n_evidence == pytest.approx(one.n_evidence)
        assert other.coverage == pytest.approx(one.coverage)
        if one.value is not None:
            assert other.value == pytest.approx(one.value, rel=1e-3), one.biomarker
    for a, b in zip(whole.series, parts.series, strict=True):
        np.testing.assert_allclose(b.values, a.values, atol=1e-3)


def test_a_long_signal_gives_what_one_in_memory_gives(waves, signal_of, analyse):
    values = holed(waves["ecg"])
    long = LongSignal(len(values), lambda first, last: values[first:last], 3.0, RATE, "mV")
    one, other = analyse("ecg", long), analyse("ecg", Signal(values, 3.0 + np.arange(len(values)) / RATE, RATE, "mV"))
    assert (one.measures, one.events) == (other.measures, other.events)


def test_a_beat_at_the_border_is_counted_once():
    found = np.array([1.0, 2.0, 3.0, 4.0])
    mine, since = blocks.owned(found, -np.inf, 2.9)
    next_ones, _ = blocks.owned(found + 1e-4, since, np.inf)
    assert (mine.tolist(), next_ones.tolist()) == ([True, True, False, False], [False, False, True, True])


def test_seconds_of_a_window_in_spans():
    spans = np.array([[0.0, 10.0], [20.0, 25.0]])
    assert in_seconds(spans, Window(5.0, 22.0)) == 7.0
    assert in_seconds(np.empty((0, 2)), Window(5.0, 22.0)) == 0.0
