"""Temperature and movement against closed forms and a wristband's files."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import Signal
from cueflow.tasks.physiology.segments import segments
from cueflow.tasks.physiology.trend.slow import amplitude_deviation, slope_per_min


def test_slope_of_a_line_with_missing_samples():
    times = np.arange(0.0, 120.0, 0.25)
    values = 33.0 + 0.1 * times / 60.0
    values[50:90] = np.nan
    assert slope_per_min(times, values) == pytest.approx(0.1)
    assert np.isnan(slope_per_min(times[:1], values[:1]))


def test_mean_amplitude_deviation_of_a_sine():
    times = np.arange(0.0, 60.0, 1.0 / 32.0)
    signal = Signal(1.0 + 0.2 * np.sin(2 * np.pi * 2.0 * times), times, 32.0, "g")
    starts, spread = amplitude_deviation(signal, segments(signal, np.ones(len(times), dtype=bool), shortest_s=5.0))
    np.testing.assert_allclose(starts, np.arange(0.0, 60.0, 5.0))
    np.testing.assert_allclose(spread, 0.2 * 2.0 / np.pi, rtol=0.02)  # 16 samples a period


def test_movement_in_half_of_the_time(signal_of, analyse, measured):
    times = np.arange(0.0, 120.0, 1.0 / 32.0)
    values = 1.0 + np.where(times < 60.0, 0.1, 0.001) * np.sin(2 * np.pi * 3.0 * times)
    findings = analyse("accelerometer", signal_of(values, 32.0, "g"))
    found = measured(findings)
    assert found["acc_active_share"].value == pytest.approx(50.0)
    assert found["acc_deviation_mean"].value == pytest.approx(0.0505 * 2.0 / np.pi, rel=0.01)
    assert findings.series[0].values[10] == pytest.approx(0.1 * 2.0 / np.pi, rel=0.01)


@pytest.mark.real
def test_e4_temperature_and_its_impossible_first_sample(shared_data, signal_of, analyse, measured):
    values = np.genfromtxt(shared_data / "physio_e4" / "1493663240_A01890" / "TEMP.csv", skip_header=2)
    assert values[0] > 300.0
    found = measured(analyse("temperature", signal_of(values, 4.0, "°C")))
    inside = values[values < 45.0]
    assert found["skin_temperature_mean"].value == pytest.approx(inside.mean(), abs=1e-6)
    assert found["skin_temperature_max"].value == pytest.approx(inside.max())


def test_the_length_of_the_acceleration(signal_of, analyse, measured):
    times = np.arange(0.0, 120.0, 0.02)
    push = np.maximum(np.sin(2 * np.pi * 1.4 * times), 0.0) * (times >= 60.0)
    turn = 2 * np.pi * times / 60.0
    size = 1.0 + push
    x, y, z = (signal_of(size * part, 50.0, "g") for part in (np.sin(turn), 0.6 * np.cos(turn), 0.8 * np.cos(turn)))
    found = measured(analyse("accelerometer", x, axes=(x, y, z)))
    assert found["acc_enmo_mean"].value == pytest.approx(0.5 / np.pi, rel=0.01)
    assert found["acc_enmo_p95"].value == pytest.approx(1.0 / np.pi, rel=0.05)
    assert found["acc_l2_mean"].value == pytest.approx(size.mean(), rel=1e-9)
    assert found["acc_l2_sd"].value == pytest.approx(size.std(), rel=1e-9)
    assert (found["acc_l2_min"].value, found["acc_l2_max"].value) == pytest.approx((1.0, 2.0), abs=0.01)


@pytest.mark.parametrize(
    ("by", "state"),
    [(1.0, ("ok", None)), (1 / 9.80665, ("low_quality", "unit_wrong")), (16.0, ("low_quality", "unit_wrong"))],
)
def test_gravity_tells_a_wrong_unit(by, state, signal_of, analyse, measured):
    rng, still = np.random.default_rng(0), np.array([0.3, -0.5, 0.81])
    x, y, z = (signal_of(by * (part + rng.normal(0.0, 0.02, 6000)), 50.0, "g") for part in still)
    findings = analyse("accelerometer", x, axes=(x, y, z))
    assert (findings.status, findings.reason) == state
    assert measured(findings)["acc_deviation_mean"].status == state[0]


def test_a_sensor_that_takes_gravity_off_is_no_wrong_unit(signal_of, analyse):
    rng = np.random.default_rng(1)
    x, y, z = (signal_of(rng.normal(0.0, 0.1, 6000), 50.0, "g") for _ in range(3))
    assert analyse("accelerometer", x, axes=(x, y, z)).reason is None


def test_one_axis_knows_no_length(signal_of, analyse, measured):
    axis = signal_of(np.sin(np.arange(0.0, 120.0, 0.02)), 50.0, "g")
    found = measured(analyse("accelerometer", axis, axes=()))
    assert {(found[n].status, found[n].reason) for n in found if "enmo" in n or "l2" in n} == {("absent", "no_partner")}
