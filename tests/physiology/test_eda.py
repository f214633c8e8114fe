"""Skin conductance against responses of known onset, amplitude and shape, and against NeuroKit2."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.results import Signal
from cueflow.tasks.physiology.segments import segments
from cueflow.tasks.physiology.skin.eda import all_responses, artefacts, trace

ONSETS_S = np.array([10.1, 25.1, 45.1, 60.1, 80.1, 100.1])
AMPLITUDES_US = np.array([0.10, 0.50, 1.00, 0.08, 0.30, 0.03])
RISE_S, DECAY_S = 1.5, 4.0


def drawn(rate, seconds=120.0, *, drift_us_per_min=0.3, noise_us=0.002):
    """Conductance with six responses: cosine rise of 1.5 s, exponential recovery of 4 s; the last is below 0.05 µS."""
    times = np.arange(0.0, seconds, 1.0 / rate)
    level = 5.0 + drift_us_per_min * times / 60.0 + np.random.default_rng(0).normal(0.0, noise_us, len(times))
    for onset, amplitude in zip(ONSETS_S, AMPLITUDES_US, strict=True):
        since = times - onset
        rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(since / RISE_S, 0.0, 1.0))
        level += amplitude * rise * np.exp(-np.clip(since - RISE_S, 0.0, None) / DECAY_S)
    return level


def found_in(signal: Signal, threshold_us=0.05):
    pieces = segments(signal, ~artefacts(signal), shortest_s=10.0)
    return all_responses([trace(signal, piece) for piece in pieces], threshold_us=threshold_us)


@pytest.mark.parametrize("rate", [4.0, 8.0, 32.0, 100.0, 1000.0])
def test_onset_amplitude_and_times_of_drawn_responses(rate, signal_of):
    found = found_in(signal_of(drawn(rate), rate, "µS"))
    assert len(found) == 5  # the sixth is below the threshold
    np.testing.assert_allclose(found.onset_s, ONSETS_S[:5], atol=0.3)
    np.testing.assert_allclose(found.amplitude_us, AMPLITUDES_US[:5], rtol=0.04, atol=0.01)
    np.testing.assert_allclose(found.rise_time_s, RISE_S, atol=0.3)
    np.testing.assert_allclose(found.half_recovery_s[1:3], DECAY_S * np.log(2.0), atol=0.6)  # drift and 1 Hz delay it


def test_the_threshold_is_that_of_the_configuration(signal_of, analyse, measured):
    signal = signal_of(drawn(8.0, noise_us=0.0005), 8.0, "µS")
    count = {
        t: measured(analyse("eda", signal, config=PhysiologyConfig(scr_threshold_us=t))) for t in (0.02, 0.05, 0.2)
    }
    assert [count[t]["scr_count"].value for t in (0.02, 0.05, 0.2)] == [6.0, 5.0, 3.0]
    assert count[0.05]["scr_rate"].value == pytest.approx(2.5)


def test_a_slow_drift_is_no_response(signal_of):
    times = np.arange(0.0, 300.0, 0.25)
    found = found_in(signal_of(5.0 + 1.5 * np.sin(2 * np.pi * times / 100.0), 4.0, "µS"))
    assert len(found) == 0


def test_level_and_slope(signal_of, analyse, measured):
    times = np.arange(0.0, 300.0, 0.25)
    found = measured(analyse("eda", signal_of(3.0 + 0.2 * times / 60.0, 4.0, "µS")))
    assert found["scl_mean"].value == pytest.approx(3.5, abs=0.01)
    assert found["scl_slope"].value == pytest.approx(0.2, abs=0.005)
    assert found["scr_count"].value == 0.0
    assert found["scr_amplitude_mean"].value is None
    assert found["scr_amplitude_mean"].reason == "few_evidence"


def test_lost_contact_is_a_gap_and_its_edges_are_no_responses(signal_of, analyse, measured):
    rate = 8.0
    values = drawn(rate)
    values[round(70 * rate) : round(75 * rate)] = 0.0
    findings = analyse("eda", signal_of(values, rate, "µS"))
    found = measured(findings)
    assert found["scr_count"].value == 5.0
    assert findings.coverage == pytest.approx(1.0 - 15.0 / 120.0, abs=0.01)  # 5 s, and 5 s either side
    assert found["eda_artefact_share"].value == pytest.approx(100 * 15.0 / 120.0, abs=1.0)
    assert found["scr_rate"].value == pytest.approx(5.0 * 60.0 / 105.0, rel=0.01)  # by usable time
    assert np.isnan(findings.series[0].values[70:75]).all()


def test_a_jump_and_saturation_are_left_out(signal_of):
    values = drawn(8.0)
    values[400:] += 8.0  # at 50 s
    values[800:808] = 75.0  # at 100 s
    found = found_in(signal_of(values, 8.0, "µS"))
    np.testing.assert_allclose(found.onset_s, [10.1, 25.1, 60.1, 80.1], atol=0.3)
    np.testing.assert_allclose(found.amplitude_us, [0.10, 0.50, 0.08, 0.30], rtol=0.05, atol=0.01)


def test_another_level_after_a_gap_is_no_jump(signal_of):
    values = drawn(8.0)
    values[560:] += 8.0
    values[540:560] = np.nan
    assert not artefacts(signal_of(values, 8.0, "µS")).any()
    whole = signal_of(np.concatenate([values[:540], values[560:]]), 8.0, "µS")
    late = np.concatenate([np.arange(540), np.arange(560, len(values))]) / 8.0
    assert not artefacts(Signal(whole.values, late, 8.0, "µS")).any()


def test_no_contact_at_all_is_a_state(signal_of, analyse, measured):
    findings = analyse("eda", signal_of(np.full(1200, 0.01) + 0.001 * np.sin(np.arange(1200)), 4.0, "µS"))
    assert (findings.status, findings.reason, findings.coverage) == ("low_quality", "contact_loss", 0.0)
    level = measured(findings)["scl_mean"]
    assert (level.value, level.reason) == (None, "contact_loss")


@pytest.mark.real
def test_e4_band_with_4_hz(shared_data, signal_of, analyse, measured):
    values = np.genfromtxt(shared_data / "physio_e4" / "1493663240_A01890" / "EDA.csv", skip_header=2)
    findings = analyse("eda", signal_of(values, 4.0, "µS"))
    found = measured(findings)
    assert findings.coverage > 0.99  # only the first sample is without contact
    assert found["scl_mean"].value == pytest.approx(values.mean(), rel=0.01)
    assert 0.0 < found["scr_rate"].value < 40.0
    rises = [e.evidence["rise_time_s"] for e in findings.events]
    assert min(rises) >= 0.25
    assert max(rises) <= 5.0


@pytest.mark.real
def test_biosppy_sample_at_1000_hz(shared_data):
    # raw counts of an unknown converter: scaled by 1/100 to the range of skin, so only counts and times mean something
    values = np.genfromtxt(shared_data / "physio_biosppy" / "eda.txt") / 100.0
    found = found_in(Signal(values, np.arange(len(values)) / 1000.0, 1000.0, "µS"))
    assert len(found) == 5
    assert (found.rise_time_s > 1.0).all()


@pytest.mark.slow
@pytest.mark.real
def test_neurokit_sees_the_responses_and_the_level_too(shared_data, signal_of, matched):
    import neurokit2

    table = np.genfromtxt(shared_data / "physio_neurokit" / "bio_eventrelated_100hz.csv", delimiter=",", names=True)
    values = table["EDA"]
    theirs = neurokit2.eda_process(values, sampling_rate=100)[1]["SCR_Peaks"] / 100.0
    signal = signal_of(values, 100.0, "µS")
    found = found_in(signal)
    large = found.amplitude_us > 0.5  # NeuroKit2's threshold is a tenth of the largest
    sensitivity, _ = matched(found.peak_s[large], theirs, 1.0)
    assert sensitivity > 0.7
    tonic = neurokit2.eda_phasic(neurokit2.eda_clean(values, sampling_rate=100), sampling_rate=100)["EDA_Tonic"]
    track = trace(signal, segments(signal, ~artefacts(signal), shortest_s=10.0)[0])
    inner = (track.times_s > 20) & (track.times_s < 130)
    level = np.interp(track.times_s[inner], signal.times_s, tonic.to_numpy())
    assert np.corrcoef(level, track.tonic[inner])[0, 1] > 0.98
