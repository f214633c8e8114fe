"""Slow changes of breathing, its shape, and the long-term exponent, against closed forms and NeuroKit2."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.breath.power import breath_powers
from cueflow.tasks.physiology.variability.complexity import dfa_alpha2
from cueflow.tasks.physiology.variability.intervals import Intervals


def changing(mean_ms, amplitude_ms, hertz, *, seconds=1200.0):
    at, ms = [0.0], []
    while at[-1] < seconds:
        ms.append(mean_ms + amplitude_ms * np.sin(2 * np.pi * hertz * at[-1]))
        at.append(at[-1] + ms[-1] / 1000.0)
    return Intervals.of(ms)


@pytest.mark.parametrize(
    ("mean_ms", "hertz", "band"), [(4000.0, 0.015, "vlf"), (3500.0, 0.06, "lf"), (1500.0, 0.2, "hf")]
)
def test_a_sine_has_its_power_in_its_band(mean_ms, hertz, band):
    found = breath_powers(changing(mean_ms, 0.08 * mean_ms, hertz))
    assert found.bands[band] == pytest.approx((0.08 * mean_ms) ** 2 / 2, rel=0.15)
    assert all((power or 0.0) < 0.1 * found.bands[band] for name, power in found.bands.items() if name != band)
    assert found.seconds == pytest.approx(1200.0, abs=5.0)


def test_breathing_shows_nothing_faster_than_half_its_rate():
    assert breath_powers(changing(4000.0, 200.0, 0.02)).bands["hf"] is None
    slow = breath_powers(changing(6000.0, 200.0, 0.02)).bands
    assert (slow["lf"], slow["hf"]) == (None, None)
    assert slow["vlf"] is not None


def test_too_short_a_stretch_has_no_power():
    assert set(breath_powers(changing(4000.0, 200.0, 0.02, seconds=290.0)).bands.values()) == {None}


def test_the_long_exponent_is_neurokit_s():
    nk = pytest.importorskip("neurokit2")
    rng = np.random.default_rng(1)
    ms = 4000.0 + np.cumsum(rng.normal(0.0, 20.0, 900)) + rng.normal(0.0, 150.0, 900)
    theirs = float(nk.fractal_dfa(ms, scale=np.arange(16, 65))[0])
    assert dfa_alpha2(Intervals.of(ms)) == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("skew", [-0.35, 0.0, 0.35])
def test_the_share_below_half_height_is_neurokit_s(skew, signal_of, analyse, measured):
    nk = pytest.importorskip("neurokit2")
    times = np.arange(0.0, 240.0, 0.01)
    turn = 2 * np.pi * times / 5.0
    wave = np.sin(turn) + skew * np.cos(2 * turn)
    found = measured(analyse("respiration", signal_of(wave, 100.0)))["rsp_symmetry_peaktrough"].value
    peaks = nk.rsp_peaks(wave, sampling_rate=100)[1]
    theirs = nk.rsp_symmetry(wave, peaks["RSP_Peaks"], peaks["RSP_Troughs"])["RSP_Symmetry_PeakTrough"]
    assert found == pytest.approx(float(theirs.mean()), abs=0.03)
    assert (0.5 - found) * skew >= 0.0
