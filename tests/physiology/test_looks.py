"""Signals that are not what they are called, and recorders at their limits: what of it is marked, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Signal, Window
from cueflow.tasks.physiology.looks import at_limits, beat_width_s, limits
from cueflow.tasks.simulate.heart import ecg_wave, pulse_wave

RATE = 125.0
TIMES = np.arange(0.0, 180.0, 1 / RATE)
BEATS = 1.0 + np.cumsum(0.85 + np.random.default_rng(0).normal(0.0, 0.03, 230))
WAVES = {
    "ecg": ecg_wave(TIMES, BEATS),
    "ppg": pulse_wave(TIMES, BEATS),
    "respiration": np.sin(2 * np.pi * TIMES / 4.1),
}
NOISE = np.random.default_rng(1).normal(0.0, 0.01, len(TIMES))


@pytest.mark.parametrize(
    ("called", "really"), [("ecg", "ppg"), ("ppg", "ecg"), ("respiration", "ecg"), ("respiration", "ppg")]
)
def test_swapped_columns_are_noticed_and_nothing_of_them_is_ok(called, really, signal_of, analyse):
    findings = analyse(called, signal_of(WAVES[really] + 0.2 * NOISE, RATE))
    assert (findings.status, findings.reason) == (Status.LOW_QUALITY, Reason.WRONG_SIGNAL)
    made = [m for m in findings.measures if m.value is not None]
    assert made
    assert Status.OK not in {m.status for m in made}
    assert {m.reason for m in made} <= {Reason.WRONG_SIGNAL, Reason.IMPLAUSIBLE}


@pytest.mark.parametrize("name", sorted(WAVES))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_is_rightly_called_keeps_its_values(name, sign, signal_of, analyse):
    findings = analyse(name, signal_of(sign * WAVES[name] + NOISE, RATE))
    assert findings.status is Status.OK
    assert Reason.WRONG_SIGNAL not in {m.reason for m in findings.measures}


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_inverted_lead_has_the_same_rate(sign, signal_of, analyse, measured):
    findings = analyse("ecg", signal_of(sign * WAVES["ecg"] + NOISE, RATE))
    assert measured(findings)["hr_mean"].value == pytest.approx(60.0 / np.mean(np.diff(BEATS)), rel=0.01)


def test_a_pulse_that_is_cut_off_loses_its_size_and_not_its_rate(signal_of, analyse, measured):
    whole = WAVES["ppg"] + 0.3 * NOISE
    findings = analyse("ppg", signal_of(np.minimum(whole, np.quantile(whole, 0.9)), RATE))
    found = measured(findings)
    assert (findings.status, findings.reason) == (Status.LOW_QUALITY, Reason.CLIPPED)
    assert (found["pulse_amplitude_mean"].status, found["pulse_amplitude_mean"].reason) == ("low_quality", "clipped")
    assert found["pulse_rate_mean"].status is Status.OK


def test_skin_conductance_at_the_limit_is_not_used(signal_of, analyse, measured):
    times = np.arange(0.0, 600.0, 0.25)
    wave = 8.0 + 2.0 * np.sin(2 * np.pi * times / 50.0) + 0.002 * np.random.default_rng(2).normal(size=len(times))
    findings = analyse("eda", signal_of(np.minimum(wave, 9.0), 4.0, "µS"))
    assert findings.reason is Reason.CLIPPED
    assert findings.coverage < 0.75
    assert measured(findings)["scl_mean"].reason == Reason.CLIPPED


def saturated(values):
    return at_limits(values, limits(Signal(values, np.arange(len(values)) / RATE, RATE, "")))


def test_coarse_steps_and_a_single_plateau_are_no_limit():
    coarse = np.round(20.0 * WAVES["ppg"]) / 20.0
    assert not saturated(coarse).any()
    assert not saturated(np.concatenate([TIMES, np.full(500, TIMES[-1])])).any()
    assert not saturated(np.full(100, 3.0)).any()
    assert not saturated(5.0 + 0.5 * np.sin(2 * np.pi * np.arange(0.0, 600.0, 0.125) / 20.0) ** 4).any()
    cut = np.clip(WAVES["ecg"] + NOISE, -10.0, 0.5)
    np.testing.assert_array_equal(saturated(cut) & (cut < 0.5), False)
    assert saturated(cut).sum() > 0.8 * (cut == 0.5).sum()


def test_the_width_of_a_beat():
    tops = np.round(BEATS[BEATS < 179.0] * RATE)
    assert beat_width_s(WAVES["ecg"], tops, RATE) < 0.05
    assert np.isnan(beat_width_s(WAVES["ecg"], tops[:3], RATE))


@pytest.mark.real
@pytest.mark.parametrize(("column", "name"), [("II", "ecg"), ("V", "ecg"), ("PLETH", "ppg"), ("RESP", "respiration")])
@pytest.mark.parametrize("record", ["01", "05"])
def test_real_signals_look_like_what_they_are(record, column, name, shared_data, signal_of, analyse):
    path = shared_data / "physio_bidmc" / f"bidmc_{record}_Signals.csv"
    table = np.genfromtxt(path, delimiter=",", names=True, max_rows=20000)
    findings = analyse(name, signal_of(table[column], 125.0))
    assert findings.reason is not Reason.WRONG_SIGNAL


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "column", "rate", "what"),
    [
        *((f"physio_bidmc/bidmc_{n}_Signals.csv", c, 125.0, "ecg") for n in ("01", "05") for c in ("II", "V", "AVR")),
        ("physio_ecg/heartpy/e0103.csv", 0, 250.0, "ecg"),
        ("physio_ecg/heartpy/e0110.csv", 0, 250.0, "ecg"),
        ("physio_peakdet/ECG.csv", 0, 1000.0, "ecg"),
        *((f"physio_bidmc/bidmc_{n}_Signals.csv", "PLETH", 125.0, "ppg") for n in ("01", "05")),
        ("physio_peakdet/PPG.csv", 0, 40.0, "ppg"),
        ("physio_ppg/data2.csv", "hr", 117.0, "ppg"),
    ],
)
def test_an_ecg_that_is_called_a_pulse_is_said_and_no_pulse_is(
    file, column, rate, what, shared_data, signal_of, analyse
):
    named = isinstance(column, str)
    table = np.genfromtxt(shared_data / file, delimiter=",", names=named or None, max_rows=40000)
    findings = analyse("ppg", signal_of(table[column] if named else table, rate))
    assert (findings.reason is Reason.WRONG_SIGNAL) is (what == "ecg")


@pytest.mark.parametrize(("sign", "share"), [(1.0, 0.0), (-1.0, 100.0)])
def test_an_inverted_lead_is_said_and_keeps_its_values(sign, share, signal_of, analyse, measured):
    found = measured(analyse("ecg", signal_of(sign * WAVES["ecg"] + NOISE, RATE)))
    whole = measured(analyse("ecg", signal_of(WAVES["ecg"] + NOISE, RATE)))
    assert (found["ecg_inverted_share"].value, found["ecg_inverted_share"].status) == (share, Status.OK)
    for name in ("hr_mean", "hrv_sdnn", "hrv_rmssd", "hr_beats_count"):
        assert found[name].value == pytest.approx(whole[name].value, rel=0.01), name


def test_a_lead_that_is_turned_round_within_the_recording_has_no_wrong_value(signal_of, analyse, measured):
    wave = np.where(TIMES < 120.0, WAVES["ecg"], -WAVES["ecg"]) + NOISE
    found = measured(analyse("ecg", signal_of(wave, RATE), phases=(Window(125.0, 175.0, "turned"),)))
    whole = measured(analyse("ecg", signal_of(WAVES["ecg"] + NOISE, RATE)))
    for name in ("hrv_sdnn", "hrv_rmssd", "hr_mean"):
        assert found[name].value is None or found[name].value == pytest.approx(whole[name].value, rel=0.05), name
