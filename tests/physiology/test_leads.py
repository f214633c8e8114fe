"""Leads of an electrocardiogram against their names."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Signal
from cueflow.tasks.physiology.analyse import analyse_physiology
from cueflow.tasks.physiology.heart.exchanged import CHEST, chest_misnamed, limb_misnamed
from cueflow.tasks.physiology.heart.leads import Leads, alike, lead_of, waves_of
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


def state(values, name, beside=None):
    signal = Signal(values, np.arange(len(values)) / RATE, RATE, "mV")
    found = analyse_physiology(
        "ecg", signal, phases=(), exclusions=(), config=PhysiologyConfig(), leads=Leads(name, beside or {})
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
        ("V1", "v1"),
        ("ECG V6", "v6"),
        ("V7", ""),
        ("-aVR", ""),
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

    def misnamed(i, ii, iii, **others):
        return limb_misnamed({"i": i, "ii": ii, "iii": iii, **others})

    assert not misnamed(one, two, three)
    assert misnamed(two, one, three)
    assert misnamed(one, three, two)
    assert misnamed(-one, two, three)
    other = np.random.default_rng(2).normal(0.0, 1.0, len(one))
    assert not misnamed(one, other, three)  # no names would fit: three recordings of something else
    assert not misnamed(*np.zeros((3, 100)))
    assert not limb_misnamed({"i": one, "ii": three})
    signals = [Signal(v, np.arange(len(v)) / RATE, RATE, "mV") for v in (one, three, two)]
    found = dict(zip(("i", "ii", "iii"), signals, strict=True))
    assert state(one, "i", found) == (Status.LOW_QUALITY, Reason.LEADS_MISNAMED)
    assert not alike({**found, "avr": Signal(one[:-1], np.arange(len(one) - 1) / RATE, RATE, "mV")})


def test_exchanged_i_and_iii_are_told_by_the_augmented_leads():
    one, two, three = limb(np.random.default_rng(3))
    avr, avl, avf = -(one + two) / 2, (one - three) / 2, (two + three) / 2
    assert not limb_misnamed({"i": three, "ii": two, "iii": one})
    right = {"i": one, "ii": two, "iii": three, "avr": avr, "avl": avl, "avf": avf}
    assert not limb_misnamed(right)
    assert limb_misnamed({**right, "i": three, "iii": one})
    assert limb_misnamed({"i": three, "ii": two, "iii": one, "avl": avl})
    assert limb_misnamed({**right, "avr": -avr})
    assert limb_misnamed({**right, "avl": avf, "avf": avl})


# Dower et al. (1980): what V1 to V6 see of the heart's dipole (left, down, back)
DOWER = np.array([[-.515, .157, -.917], [.044, .164, -1.387], [.882, .098, -1.277],
                  [1.213, .127, -.601], [1.125, .127, -.086], [.831, .076, .230]])  # fmt: skip


def chest(seed):
    """Six chest leads of a loop of QRS that begins to the front and right and ends to the back, and a T wave."""
    rng = np.random.default_rng(seed)
    at = np.arange(0.0, 60.0, 1 / RATE) % 0.8
    septum, wall, base = (
        ((-0.15, 0.1, -0.2), 0.20, 0.008),
        ((1.1, 0.7, 0.3), 0.22, 0.012),
        ((0.2, 0.1, 0.7), 0.25, 0.01),
    )
    bells = (septum, wall, base, ((0.3, 0.2, -0.15), 0.5, 0.05))
    dipole = sum(np.outer(np.exp(-0.5 * ((at - t) / w) ** 2), size) for size, t, w in bells)
    leads = dipole @ (DOWER * np.exp(rng.normal(0.0, 0.1, (6, 1)))).T
    return dict(zip(CHEST, (leads + rng.normal(0.0, 0.02, leads.shape)).T, strict=True))


def test_chest_leads_that_lie_in_another_order():
    for seed in range(3):
        leads = chest(seed)
        assert not chest_misnamed(leads)
        assert not chest_misnamed(dict(zip(leads, [*leads.values()][::-1], strict=True)))  # as short a way
        for one, other in (("v1", "v5"), ("v2", "v5"), ("v2", "v6")):
            assert chest_misnamed({**leads, one: leads[other], other: leads[one]})
    assert not chest_misnamed({name: leads[name] for name in CHEST[:5]})
    signals = {k: Signal(v, np.arange(len(v)) / RATE, RATE, "mV") for k, v in leads.items()}
    wrong = {**signals, "v1": signals["v5"], "v5": signals["v1"]}
    assert state(leads["v4"], "v4", signals) == (Status.OK, None)
    assert state(leads["v4"], "v4", wrong) == (Status.LOW_QUALITY, Reason.LEADS_MISNAMED)
