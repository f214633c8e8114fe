"""The stage as a whole: nothing crosses a gap, too little is a state, everything declared is written."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.biomarkers import SERIES, of_modality
from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Status
from cueflow.schemas.results import Signal, Window
from cueflow.schemas.session import Exclusion
from cueflow.tasks.physiology.needs import NEEDS
from cueflow.tasks.simulate.heart import ecg_wave, pulse_wave

RATE = 250.0
UNSEEN = {"edr_rate_mean", "pdr_rate_mean", "pulse_perfusion_mean", "rrv_hf", "rrv_lfhf", "rrv_lfn", "rrv_hfn"}
"""The drawn hearts do not breathe, the drawn pulse has no unit of light, the breath is too slow for fast changes."""


def drawn_signal(modality, signal_of, drawn_beats, *, seconds=360.0):
    beats = drawn_beats(30.0, 820.0, int(seconds / 0.82), seed=11)
    times = np.arange(0.0, seconds, 1.0 / RATE)
    slow = np.arange(0.0, seconds, 0.25)
    match modality:
        case "ecg":
            return signal_of(ecg_wave(times, beats), RATE)
        case "ppg":
            return signal_of(pulse_wave(times, beats), RATE)
        case "intervals":
            return Signal(np.diff(beats) * 1000.0, beats[1:], 1.0, "ms")
        case "eda":
            bumps = np.clip(np.sin(2 * np.pi * slow / 20.0), 0.0, None) ** 4
            return signal_of(5.0 + 0.4 * bumps, 4.0, "µS")
        case "respiration":
            fine = np.arange(0.0, seconds, 0.04)
            return signal_of(np.sin(2 * np.pi * (fine / 4.0 + 0.2 * np.sin(fine / 23.0))), 25.0)
        case "temperature":
            return signal_of(33.0 + 0.1 * np.sin(slow / 60.0), 4.0, "°C")
        case _:
            return signal_of(1.0 + 0.1 * np.sin(np.arange(0.0, seconds, 1.0 / 32.0)), 32.0, "g")


@pytest.fixture
def drawn(signal_of, drawn_beats):
    return lambda modality, **kw: drawn_signal(modality, signal_of, drawn_beats, **kw)


@pytest.mark.parametrize("modality", sorted(NEEDS))
def test_all_declared_measures_and_no_others_for_the_session_and_each_phase(modality, drawn, analyse):
    phases = (Window(60.0, 180.0, "rest"), Window(5000.0, 5100.0, "never reached"))
    findings = analyse(modality, drawn(modality, seconds=720.0), phases=phases)
    declared = sorted(b.name for b in of_modality(modality))
    for phase in ("session", "rest"):
        assert sorted(m.biomarker for m in findings.measures if m.window.phase == phase) == declared
    assert {m.window.phase for m in findings.measures} == {"session", "rest"}
    assert {s.name for s in findings.series} == {s.name for s in SERIES.values() if s.modality == modality}
    written = {m.biomarker for m in findings.measures if m.window.phase == "session" and m.value is not None}
    hours = {b.name for b in of_modality(modality) if b.evidence.unit == "s" and b.evidence.n_min > 720.0}
    assert written == set(declared) - hours - UNSEEN
    assert (findings.status, findings.reason) == (Status.OK, None)
    assert findings.coverage > 0.9


def test_there_are_enough_biomarkers():
    assert sum(len(of_modality(m)) for m in NEEDS) >= 45


@pytest.mark.parametrize("rate", [100.0, 250.0, 360.0, 1000.0])
def test_rmssd_of_47_stays_47_over_a_gap_at_every_rate(rate, signal_of, drawn_beats, analyse, measured):
    beats = drawn_beats(47.0, 820.0, 200, seed=3)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / rate)
    wave = ecg_wave(times, beats)
    wave[(times > 60.2) & (times < 75.1)] = np.nan
    seen = beats[(beats < 60.2) | (beats > 75.1)]
    naive = np.sqrt(np.mean(np.diff(np.diff(seen) * 1000.0) ** 2))
    assert naive > 1160.0
    found = measured(analyse("ecg", signal_of(wave, rate)))
    assert found["hrv_rmssd"].value == pytest.approx(47.0, abs=3.0)
    assert found["hr_mean"].value == pytest.approx(60000.0 / 820.0, rel=0.01)
    assert found["hr_gap_max"].value == pytest.approx(15.0, abs=2.0)


def test_a_step_in_time_is_a_gap_as_missing_samples_are(drawn, analyse, measured):
    whole = drawn("ecg")
    kept = (whole.times_s < 100.3) | (whole.times_s > 110.2)
    holes = Signal(np.where(kept, whole.values, np.nan), whole.times_s, RATE, "")
    steps = Signal(whole.values[kept], whole.times_s[kept], RATE, "")
    a, b = (measured(analyse("ecg", s)) for s in (holes, steps))
    for name, measure in a.items():
        assert (b[name].status, b[name].reason) == (measure.status, measure.reason), name
        if measure.value is not None:
            assert b[name].value == pytest.approx(measure.value, rel=1e-9), name
        assert b[name].coverage == pytest.approx(measure.coverage, abs=1e-9)


def test_an_exclusion_is_a_gap(drawn, analyse, measured):
    whole = drawn("ecg")
    findings = analyse("ecg", whole, exclusions=(Exclusion(100.0, 20.0, "talk with a third person"),))
    inside = [e for e in findings.events if 100.0 <= e.start_s < 120.0]
    assert inside == []
    assert np.isnan(findings.series[0].values[101:119]).all()
    assert measured(findings)["hr_gap_max"].value == pytest.approx(20.0, abs=2.0)


def test_the_session_clock_is_kept(signal_of, drawn_beats, analyse):
    beats = drawn_beats(30.0, 820.0, 100, seed=5)
    times = np.arange(0.0, 80.0, 1.0 / RATE)
    early = analyse("ecg", signal_of(ecg_wave(times, beats), RATE))
    late = analyse("ecg", signal_of(ecg_wave(times, beats), RATE, start_s=1000.0))
    np.testing.assert_allclose([e.start_s for e in late.events], [e.start_s + 1000.0 for e in early.events])
    assert late.series[0].t_s[0] == 1000.0


def test_a_phase_that_was_hardly_seen_has_no_variability(drawn, analyse, measured):
    whole = drawn("ecg")
    phase = Window(300.0, 420.0, "task")  # the recording ends at 360 s
    found = measured(analyse("ecg", whole, phases=(phase,)), "task")
    assert found["hrv_rmssd"].value is None
    assert found["hrv_rmssd"].reason == "low_coverage"
    assert found["hrv_rmssd"].coverage == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("modality", ["ecg", "ppg", "respiration", "eda", "temperature", "accelerometer"])
def test_a_flat_line_is_a_state(modality, signal_of, analyse):
    needs = NEEDS[modality]
    findings = analyse(modality, signal_of(np.full(40000, 20.0), 100.0, needs.unit))
    assert (findings.status, findings.reason, findings.coverage) == ("low_quality", "flat_signal", 0.0)
    empty = [m for m in findings.measures if m.value is None]
    assert len(empty) >= len(findings.measures) - 2  # the longest gap and the share of artefacts are known
    assert {m.reason for m in empty} == {"flat_signal"}
    assert findings.events == ()


@pytest.mark.parametrize("modality", sorted(NEEDS))
@pytest.mark.parametrize("number", [1, 2, 7, 40])
def test_a_few_samples_are_a_state(modality, number, drawn, analyse):
    whole = drawn(modality)
    few = Signal(whole.values[:number], whole.times_s[:number], whole.sampling_rate, whole.unit)
    findings = analyse(modality, few)
    for measure in findings.measures:
        assert (measure.value is None) == (
            measure.status in {"too_short", "low_quality"} and measure.reason != "implausible"
        )


def test_noise_alone_has_no_heart_rate(signal_of, analyse, measured):
    findings = analyse("ecg", signal_of(np.random.default_rng(0).normal(size=75000), RATE))
    assert (findings.status, findings.reason) == ("low_quality", "low_signal")
    assert measured(findings)["hr_mean"].value is None
    assert measured(findings)["hrv_rmssd"].reason == "low_signal"


def test_the_pulse_is_not_called_heart_rate_variability(drawn, analyse):
    findings = analyse("ppg", drawn("ppg"))
    assert not any(m.biomarker.startswith(("hrv", "hr_")) for m in findings.measures)
    assert {e.kind for e in findings.events} == {"pulse"}


def test_listed_intervals_break_where_a_row_is_missing(drawn, analyse, measured):
    whole = drawn("intervals")
    kept = np.delete(np.arange(len(whole.values)), slice(100, 106))
    found = measured(analyse("intervals", Signal(whole.values[kept], whole.times_s[kept], 1.0, "ms")))
    assert found["ibi_rmssd"].value == pytest.approx(30.0, abs=1.5)
    assert found["ibi_rate_gap_max"].value == pytest.approx(6 * 0.82, abs=0.3)
    assert found["ibi_rmssd"].n_evidence < len(kept) - 1


@pytest.mark.parametrize(
    ("modality", "values", "rate", "unit", "reason"),
    [
        ("ecg", np.zeros(0), 250.0, "mV", "file_empty"),
        ("ecg", np.full(100, np.nan), 250.0, "mV", "file_empty"),
        ("ecg", np.zeros(100), 20.0, "mV", "sampling_rate_low"),
        ("eda", np.ones(100), 4.0, "kΩ", "unit_unknown"),
        ("temperature", np.ones(100), 4.0, "", "unit_unknown"),
        ("video", np.ones(100), 4.0, "", "modality_unknown"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(modality, values, rate, unit, reason, signal_of, analyse):
    with pytest.raises(StreamError) as caught:
        analyse(modality, signal_of(values, rate, unit))
    assert caught.value.reason == reason


def test_the_greek_mu_is_the_micro_sign(signal_of, analyse):
    assert analyse("eda", signal_of(5.0 + 0.01 * np.arange(400), 4.0, "\u03bcS")).status == "ok"


def _crumbs(rng, number):
    values = rng.normal(size=number)
    values[rng.random(number) < 0.02] = np.nan
    return values


HOSTILE = {
    "crumbs": _crumbs,
    "infinite": lambda rng, number: np.where(rng.random(number) < 0.001, np.inf, rng.normal(size=number)),
    "one spike": lambda rng, number: np.where(np.arange(number) == number // 2, 1e6, 0.0),
    "two levels": lambda rng, number: np.where(np.arange(number) < number // 2, 3.0, 30.0),
    "tiny": lambda rng, number: 1e-12 * rng.normal(size=number),
    "huge": lambda rng, number: 1e12 * rng.normal(size=number),
    "ramp": lambda rng, number: np.linspace(0.0, 1000.0, number),
    "mostly missing": lambda rng, number: np.where(np.arange(number) % 1000 < 400, rng.normal(size=number), np.nan),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
@pytest.mark.parametrize("modality", sorted(NEEDS))
def test_hostile_signals_end_in_states(modality, kind, signal_of, analyse):
    values = HOSTILE[kind](np.random.default_rng(0), 20000)
    findings = analyse(modality, signal_of(values, 100.0, NEEDS[modality].unit), phases=(Window(10.0, 50.0, "task"),))
    assert len(findings.measures) == 2 * len(of_modality(modality))
    for measure in findings.measures:
        assert measure.value is None or np.isfinite(measure.value)
        assert 0.0 <= measure.coverage <= 1.0
        assert measure.status == "ok" or measure.reason is not None
    assert all(np.isfinite([e.start_s, e.end_s]).all() and e.end_s >= e.start_s for e in findings.events)
