"""Pulse peaks against drawn pulses, a bedside monitor and other tools."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.heart.beats import pulses
from cueflow.tasks.physiology.heart.ecg import r_peaks
from cueflow.tasks.physiology.heart.ppg import pulse_peaks
from cueflow.tasks.physiology.segments import segments
from cueflow.tasks.simulate.heart import PULSE_DELAY_S, pulse_wave


@pytest.mark.parametrize("rate", [25.0, 64.0, 125.0, 500.0])
def test_every_drawn_pulse_is_found(rate, signal_of, drawn_beats):
    beats = drawn_beats(40.0, 900.0, 60, seed=1)
    times = np.arange(0.0, beats[-1] + 1.5, 1.0 / rate)
    signal = signal_of(100.0 * pulse_wave(times, beats), rate)
    found = pulses(signal, segments(signal, np.ones(len(times), dtype=bool), shortest_s=4.0))
    assert len(found.times_s) == len(beats)
    late = found.times_s - beats - PULSE_DELAY_S
    assert np.std(late) < 0.012  # what matters for intervals; a constant delay does not


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
def test_bidmc_pulse_rate_agrees_with_the_monitor(record, bidmc, signal_of, analyse, measured):
    found = measured(analyse("ppg", signal_of(bidmc(record, "Signals")["PLETH"], 125.0)))["pulse_rate_mean"]
    assert found.value == pytest.approx(np.nanmean(bidmc(record, "Numerics")["PULSE"]), abs=0.5)


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
def test_bidmc_pulses_follow_the_r_peaks(record, bidmc, matched):
    table = bidmc(record, "Signals")
    beats, found = r_peaks(table["II"], 125.0), pulse_peaks(table["PLETH"], 125.0)
    next_pulse = found[np.clip(np.searchsorted(found, beats), 0, len(found) - 1)]
    sensitivity, ppv = matched(found - np.median(next_pulse - beats), beats, 12.5)
    assert sensitivity > 0.95  # the wave drops out at times
    assert ppv > 0.98


@pytest.mark.real
def test_heartpy_sample(shared_data):
    values = np.genfromtxt(shared_data / "physio_ppg" / "data.csv")
    found = pulse_peaks(values, 100.0)
    assert len(found) == 24  # as NeuroKit2 0.2.13
    assert 6000.0 / np.diff(found).mean() == pytest.approx(61.0, abs=2.5)  # HeartPy, which drops some intervals


@pytest.mark.real
def test_ecg_and_ppg_of_one_person_agree(shared_data, signal_of, analyse, measured):
    table = np.genfromtxt(shared_data / "physio_neurokit" / "bio_resting_5min_100hz.csv", delimiter=",", names=True)
    heart = measured(analyse("ecg", signal_of(table["ECG"], 100.0)))
    pulse = measured(analyse("ppg", signal_of(table["PPG"], 100.0)))
    assert pulse["pulse_rate_mean"].value == pytest.approx(heart["hr_mean"].value, abs=1.0)
    assert pulse["prv_sdnn"].value == pytest.approx(heart["hrv_sdnn"].value, rel=0.15)


@pytest.mark.real
def test_a_moving_wrist_gives_a_state_and_no_variability(shared_data, signal_of, analyse, measured):
    values = np.genfromtxt(shared_data / "physio_e4" / "1493663240_A01890" / "BVP.csv", skip_header=2)
    findings = analyse("ppg", signal_of(values, 64.0))
    rmssd = measured(findings)["prv_rmssd"]
    assert (findings.status, findings.reason) == ("low_quality", "low_signal")
    assert (rmssd.value, rmssd.status, rmssd.reason) == (None, "low_quality", "low_signal")
