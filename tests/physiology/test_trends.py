"""Temperature and movement against closed forms and a wristband's files."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.results import Signal
from cueflow.tasks.physiology.segments import segments
from cueflow.tasks.physiology.slow import amplitude_deviation, slope_per_min


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
