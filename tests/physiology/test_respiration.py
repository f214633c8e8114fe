"""Breaths against drawn ones and two annotators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly

from cueflow.tasks.physiology.breath.respiration import breath_peaks, breaths, sighs
from cueflow.tasks.physiology.segments import segments


def drawn(lengths_s, depths, rate, *, inhale=0.4):
    """A signal of breaths of these lengths and depths, and their onsets in s."""
    onsets = np.concatenate([[0.0], np.cumsum(lengths_s)])
    times = np.arange(0.0, onsets[-1], 1.0 / rate)
    number = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, len(lengths_s) - 1)
    share = (times - onsets[number]) / np.asarray(lengths_s)[number]
    warped = np.where(share < inhale, share / inhale, (1.0 - share) / (1.0 - inhale))
    return np.asarray(depths)[number] * (0.5 - 0.5 * np.cos(np.pi * warped)), onsets


def all_of(signal):
    return segments(signal, np.ones(len(signal.values), dtype=bool), shortest_s=15.0)


@pytest.mark.parametrize("rate", [10.0, 25.0, 125.0, 1000.0])
def test_rate_and_phases_of_drawn_breaths(rate, signal_of, analyse, measured):
    lengths = 4.0 + 0.4 * np.sin(np.arange(60))
    values, onsets = drawn(lengths, np.ones(60), rate)
    findings = analyse("respiration", signal_of(values, rate))
    found = measured(findings)
    assert found["rsp_rate_mean"].value == pytest.approx(60.0 / lengths.mean(), rel=0.01)
    assert found["rrv_meanbb"].value == pytest.approx(1000.0 * lengths.mean(), rel=0.01)
    assert found["rrv_sdbb"].value == pytest.approx(1000.0 * lengths.std(ddof=1), rel=0.1)
    assert found["rsp_inspiration_mean"].value == pytest.approx(
        1.6, abs=0.2
    )  # below 0.7 Hz both phases draw nearer to each other
    assert found["rsp_phase_ratio"].value == pytest.approx(2 / 3, abs=0.13)
    assert found["rsp_amplitude_mean"].value == pytest.approx(1.0, rel=0.15)
    starts = np.array([e.start_s for e in findings.events])
    np.testing.assert_allclose(starts, onsets[1:-2], atol=0.25)


@pytest.mark.parametrize("per_minute", [5.0, 12.0, 30.0, 45.0])
def test_slow_and_fast_breathing(per_minute, signal_of, analyse, measured):
    length = 60.0 / per_minute
    values, _ = drawn(np.full(60, length), np.ones(60), 25.0)
    found = measured(analyse("respiration", signal_of(values, 25.0)))
    assert found["rsp_rate_mean"].value == pytest.approx(per_minute, rel=0.01)


def test_sighs_are_counted(signal_of, analyse, measured):
    depths = np.ones(75)
    depths[[20, 50]] = 3.0
    values, _ = drawn(np.full(75, 4.0), depths, 25.0)
    found = measured(analyse("respiration", signal_of(values, 25.0)))
    assert found["rsp_sigh_rate"].value == pytest.approx(2 / 5, rel=0.01)
    assert sighs(np.array([])) == 0


def test_no_breath_crosses_a_gap(signal_of):
    values, _ = drawn(np.full(60, 4.0), np.ones(60), 25.0)
    values[2500:2750] = np.nan  # 100 to 110 s
    signal = signal_of(values, 25.0)
    found = breaths(signal, all_of(signal))
    assert not ((found.onset_s < 110.0) & (found.end_s > 100.0)).any()
    first = int(np.flatnonzero(found.onset_s >= 110.0)[0])
    assert not found.joined[first]
    assert found.cycles().breaks[first]


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
@pytest.mark.parametrize("annotator", [0, 1])
def test_bidmc_breaths_of_both_annotators(record, annotator, bidmc, matched, signal_of, analyse, measured):
    marks = bidmc(record, "Breaths")[:, annotator]
    gold = marks[np.isfinite(marks)]
    values = bidmc(record, "Signals")["RESP"]
    sensitivity, ppv = matched(breath_peaks(values, 125.0)[1], gold, 0.5 * 125.0)
    assert sensitivity > 0.97
    assert ppv > 0.97
    rate = measured(analyse("respiration", signal_of(values, 125.0)))["rsp_rate_mean"].value
    assert rate == pytest.approx(60.0 * 125.0 / np.diff(gold).mean(), abs=0.1)
    slow = measured(
        analyse("respiration", signal_of(resample_poly(values, 1, 32), 125.0 / 32.0))
    )  # as BIOPAC writes it
    assert slow["rsp_rate_mean"].value == pytest.approx(rate, abs=0.1)


@pytest.mark.real
def test_biosppy_sample(shared_data):
    values = np.genfromtxt(shared_data / "physio_biosppy" / "resp.txt")
    _, peaks = breath_peaks(values, 1000.0)
    rate = 60000.0 / np.diff(peaks).mean()
    assert 10.0 < rate < 25.0
