"""Leads of an electrocardiogram against their names."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Signal
from cueflow.tasks.physiology.analyse import analyse_physiology
from cueflow.tasks.physiology.heart.leads import Leads, lead_of, limb_of, misnamed, waves_of
from cueflow.tasks.simulate.heart import ecg_wave

RATE = 250.0


def wave(*, seed=0, p=1.0, qrs=1.0, t=1.0):
    """A minute of a lead; its three waves may point up or down."""
    times = np.arange(0.0, 60.0, 1 / RATE)
    beats = 0.5 + np.cumsum(0.85 + np.random.default_rng(seed).normal(0.0, 0.03, 69))
    whole = ecg_wave(times, beats[beats < 59.5])
    after = times[:, None] - beats[None, :]
    nearest = after[np.arange(len(times)), np.abs(after).argmin(axis=1)]
    sign = np.where(nearest < -0.06, p, np.where(nearest < 0.1, qrs, t))
    return sign * whole


def state(values, name, limb=()):
    signal = Signal(values, np.arange(len(values)) / RATE, RATE, "mV")
    found = analyse_physiology(
        "ecg", signal, phases=(), exclusions=(), config=PhysiologyConfig(), leads=Leads(name, limb)
    )
    rate = next(m for m in found.measures if m.biomarker == "hr_mean")
    assert rate.status is Status.OK  # beats and their times stay
    return found.status, found.reason


@pytest.mark.parametrize(
    ("channel", "lead"),
    [
        ("II", "ii"),
        ("MLII", "ii"),
        ("ECG I", "i"),
        ("lead_III", "iii"),
        ("aVR", "avr"),
        ("V1", ""),
        ("ecg", ""),
        ("", ""),
    ],
)
def test_leads_are_known_by_their_names(channel, lead):
    assert lead_of(channel) == lead


def test_exchanged_electrodes_turn_all_waves_of_a_lead():
    assert state(-wave(), "i") == (Status.LOW_QUALITY, Reason.LEAD_INVERTED)
    assert state(-wave(), "ii") == (Status.LOW_QUALITY, Reason.LEAD_INVERTED)
    assert state(wave(), "avr") == (Status.LOW_QUALITY, Reason.LEAD_INVERTED)
    for good, name in ((wave(), "i"), (wave(), "ii"), (-wave(), "avr"), (-wave(), "iii"), (-wave(), "")):
        assert state(good, name) == (Status.OK, None)


def test_one_wave_that_points_down_is_a_heart_and_no_cable():
    for one in ({"qrs": -1.0}, {"t": -1.0}, {"p": -1.0}, {"qrs": -1.0, "t": -1.0}):
        assert state(wave(**one), "ii") == (Status.OK, None)


def test_the_waves_of_a_beat_have_their_heights():
    p, main, t = waves_of(wave(), RATE)
    assert 0.05 < p / main < 0.3
    assert 0.1 < t / main < 0.5
    assert waves_of(wave()[:500], RATE) == (0.0, 0.0, 0.0)


def limb(rng):
    """Leads I, II and III as an axis of 50 degrees gives them."""
    noise = rng.normal(0.0, 0.01, (2, 15000))
    one, two = 0.64 * wave(qrs=0.9) + noise[0], wave() + noise[1]
    return one, two, two - one


def test_names_that_were_exchanged_break_einthoven_s_law():
    one, two, three = limb(np.random.default_rng(1))
    assert not misnamed(one, two, three)
    assert misnamed(two, one, three)
    assert misnamed(one, three, two)
    assert misnamed(-one, two, three)
    other = np.random.default_rng(2).normal(0.0, 1.0, len(one))
    assert not misnamed(one, other, three)  # no names would fit: three recordings of something else
    assert not misnamed(*np.zeros((3, 100)))
    signals = [Signal(v, np.arange(len(v)) / RATE, RATE, "mV") for v in (one, three, two)]
    found = limb_of(list(zip(("I", "II", "III"), signals, strict=True)))
    assert state(one, "i", found) == (Status.LOW_QUALITY, Reason.LEADS_MISNAMED)
    assert limb_of([("I", signals[0]), ("II", signals[1])]) == ()
