"""Measures between streams, against a baseline, and around events: drawn findings whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from cueflow.schemas.biomarkers import relations_of
from cueflow.schemas.config import PhysiologyConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, Measure, Series, Signal, StreamResult, SyncRecord, Window
from cueflow.schemas.session import Marker, Modality, Stream
from cueflow.tasks.physiology.analyse import analyse_physiology
from cueflow.tasks.relations.coherence import coherence_at
from cueflow.tasks.relations.gravity import posture
from cueflow.tasks.relations.lagged import lagged_correlation
from cueflow.tasks.relations.relate import related
from cueflow.tasks.simulate.heart import ecg_wave

SECONDS = 600


def follows(lag, *, strength=1.0, seed=0):
    """Two signals by the second, the second of which follows the first after `lag` s."""
    rng = np.random.default_rng(seed)
    first = np.convolve(rng.normal(size=SECONDS + 100), np.hanning(7), mode="same")
    second = strength * np.roll(first, lag) + rng.normal(size=len(first))
    return first[50:-50], second[50:-50]


@pytest.mark.parametrize("lag", [-12, 0, 7, 25])
def test_the_lag_of_what_follows_is_found(lag):
    found = lagged_correlation(*follows(lag))
    assert found.lag_s == lag
    assert found.r > 0.7
    assert found.p == pytest.approx(0.01)


def test_strangers_are_as_strong_as_chance_as_often_as_they_should_be():
    def slow(seed, n=150):  # a few minutes of signals that change slowly agree at some lag by chance
        return lfilter([1.0], [1.0, -0.8], np.random.default_rng(seed).normal(size=n + 100))[100:]

    ps = np.array([lagged_correlation(slow(s), slow(1000 + s), seed=s).p for s in range(100)])
    assert np.mean(ps <= 0.05) <= 0.1
    assert 0.35 < np.median(ps) < 0.65


@pytest.mark.parametrize("n", [0, 1, 30, 119])
def test_what_is_shorter_than_the_moving_mean_gives_nothing(n):
    assert np.isnan(lagged_correlation(np.arange(n, dtype=float), np.ones(n)).r)


def test_gaps_take_no_part():
    first, second = follows(7)
    second[200:300] = np.nan
    first[50:60] = np.nan
    found = lagged_correlation(first, second)
    assert found.lag_s == 7
    assert found.seconds == 490.0
    assert lagged_correlation(first[:100], second[:100]).seconds == 0.0


def wave_of_breath(seed, *, wander=0.1, seconds=SECONDS):
    """A wave of 0.25 Hz whose phase walks by so much a second, and noise."""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * 0.25 * np.arange(seconds) + np.cumsum(rng.normal(0.0, wander, seconds))
    return np.sin(phase) + 0.3 * rng.normal(size=seconds)


def test_coherence_tells_the_shared_rhythm_from_two_of_their_own():
    wave, noise = wave_of_breath(0), np.random.default_rng(1).normal(size=SECONDS)
    shared = coherence_at(wave + 0.5 * noise, np.roll(wave, 1), 0.25)
    assert shared.value > 0.7
    assert shared.p <= 0.05
    alone = coherence_at(noise, wave, 0.25)
    assert alone.value < 0.6
    assert coherence_at(wave[:100], wave[:100], 0.25).seconds == 0.0


def test_strangers_who_breathe_evenly_at_one_rate_are_no_pair_more_often_than_chance():
    def p(seed, *, own):
        wave, other = (wave_of_breath(k, wander=0.05, seconds=900) for k in (seed, 1000 + seed))
        heart = (wave if own else other) + np.random.default_rng(seed).normal(size=900)
        for first in (145, 290, 440, 590, 740) if seed % 2 else ():
            heart[first : first + 12] = np.nan
        return coherence_at(heart, wave, 0.25, seed=seed).p

    assert np.mean([p(seed, own=False) <= 0.05 for seed in range(30)]) <= 0.14
    assert np.mean([p(seed, own=True) <= 0.05 for seed in range(6)]) >= 0.8


def test_breathing_as_even_as_a_metronomes_gets_no_p():
    wave = wave_of_breath(0, wander=0.005)
    found = coherence_at(wave, wave, 0.25)
    assert found.value == pytest.approx(1.0)
    assert np.isnan(found.p)


def test_turning_over_is_a_change_of_posture():
    axes = np.zeros((3, 120))
    axes[2, :60], axes[0, 60:] = 1.0, 1.0
    rate, tilt, seconds = posture(axes + np.random.default_rng(0).normal(0, 0.02, axes.shape))
    assert (rate, seconds) == (0.5, 120.0)
    assert tilt == pytest.approx(45.0, abs=2.0)
    assert posture(np.full((3, 120), np.nan))[0] is None
    assert posture(3.0 * axes)[2] == 0.0  # no second in which gravity alone acts


def result(modality, *, events=(), series=(), measures=(), channel="", seconds=SECONDS):
    whole = Window(0.0, float(seconds))
    first = Measure("x", whole, None, Status.OK, None, 0.0, 1.0)
    found = Findings(0.0, float(seconds), 1.0, None, Status.OK, None, (first, *measures), tuple(events), tuple(series))
    return StreamResult(modality, "patient", channel, Status.OK, None, "", found, "1", "", "", 0.1)


def heart():
    """Beats whose intervals swing by 100 ms with a breath of 5 s, and slow by 40 ms for 6 s after each event."""
    at, events, t = 0.0, [], np.arange(SECONDS) + 0.5
    onsets = np.arange(30.0, 560.0, 60.0) + 1.25 * np.arange(9)  # at every phase of the breath
    while at < SECONDS - 2:
        nn = 800.0 + 50.0 * np.sin(2 * np.pi * at / 5.0) + 40.0 * float(((at - onsets >= 0) & (at - onsets < 6)).any())
        at += nn / 1000.0
        events.append(Event("beat", "normal", at, at, 1.0, {"nn_ms": nn}))
    rate = 75.0 - 4.7 * np.sin(2 * np.pi * t / 5.0)
    return result("ecg", events=events, series=[Series("heart_rate", np.arange(SECONDS), rate)]), onsets


def breathing():
    events = [Event("breath", "breath", s, s + 5.0) for s in np.arange(0.0, SECONDS - 5, 5.0)]
    t = np.arange(SECONDS)
    wave, rate = np.sin(2 * np.pi * (t + 0.5) / 5.0), np.full(SECONDS, 12.0)
    series = [Series("respiration", t, wave), Series("respiration_rate", t, rate)]
    return result("respiration", events=events, series=series)


def sync(modality, source="declared", uncertainty=None):
    return SyncRecord(modality, "patient", "", 0.0, uncertainty, source)


def values(results, modality):
    found = next(r for r in results if r.modality == modality).findings
    return {m.biomarker: m for m in found.measures if m.biomarker != "x"}


STREAMS = (Stream(Modality.ECG, "a.csv", start_s=0.0), Stream(Modality.RESPIRATION, "b.csv", start_s=0.0))


def test_heart_and_breath_on_one_clock():
    ecg, _ = heart()
    made = related((ecg, breathing()), STREAMS, sync=(sync("ecg"), sync("respiration")), markers=())
    found = values(made, "ecg")
    assert found["rsa_p2t_mean"].value == pytest.approx(95.0, abs=12.0)
    assert found["cardioresp_coherence_max"].value > 0.9
    even = found["cardioresp_coherence_p"]  # this breath is a metronome's
    assert (even.value, even.status, even.reason) == (None, Status.LOW_QUALITY, Reason.RHYTHM_EVEN)
    assert found["movement_hr_r"].reason is Reason.NO_PARTNER
    assert set(found) == {b.name for b in relations_of("ecg")}


@pytest.mark.parametrize("which", [0, 1])
def test_what_rests_on_a_signal_that_is_another_one_is_low_quality(which):
    pair = [heart()[0], breathing()]
    pair[which] = replace(pair[which], findings=replace(pair[which].findings, reason=Reason.WRONG_SIGNAL))
    found = values(related(pair, STREAMS, sync=(sync("ecg"), sync("respiration")), markers=()), "ecg")
    for name in ("rsa_p2t_mean", "cardioresp_coherence_max"):
        assert found[name].value is not None
        assert (found[name].status, found[name].reason) == (Status.LOW_QUALITY, Reason.WRONG_SIGNAL)
    assert found["movement_hr_r"].reason is Reason.NO_PARTNER


@pytest.mark.parametrize(("source", "uncertainty"), [("unsynchronised", None), ("estimated", 2.0)])
def test_clocks_that_are_not_known_well_enough_compare_nothing(source, uncertainty):
    ecg, _ = heart()
    made = related(
        (ecg, breathing()), STREAMS, sync=(sync("ecg"), sync("respiration", source, uncertainty)), markers=()
    )
    found = values(made, "ecg")
    for name in ("rsa_p2t_mean", "cardioresp_coherence_max", "cardioresp_coherence_p"):
        assert (found[name].value, found[name].status, found[name].reason) == (None, "absent", "unsynchronised")


@pytest.mark.parametrize(("other", "compared"), [(1, True), (2, False), (0, False)])
def test_recorders_of_one_group_are_compared_though_the_session_does_not_know_their_place(other, compared):
    ecg, _ = heart()
    places = (
        replace(sync("ecg", "unsynchronised"), group=1),
        replace(sync("respiration", "unsynchronised", 0.05), group=other),
    )
    found = values(related((ecg, breathing()), STREAMS, sync=places, markers=()), "ecg")["rsa_p2t_mean"]
    assert (found.value is not None, found.reason) == (compared, None if compared else Reason.UNSYNCHRONISED)


def test_one_file_is_one_clock():
    ecg, _ = heart()
    streams = (Stream(Modality.ECG, "a.csv"), Stream(Modality.RESPIRATION, "a.csv"))
    unknown = (sync("ecg", "unsynchronised"), sync("respiration", "unsynchronised"))
    assert values(related((ecg, breathing()), streams, sync=unknown, markers=()), "ecg")["rsa_p2t_mean"].value > 80.0


def test_the_heart_slows_after_events():
    ecg, onsets = heart()
    marks = tuple(Marker(float(o), 0.0, "tone") for o in onsets)
    found = values(related((ecg,), STREAMS[:1], sync=(sync("ecg"),), markers=marks), "ecg")["event_heart_period_change"]
    assert found.value == pytest.approx(40.0, abs=20.0)
    assert found.n_evidence == len(onsets)
    assert found.window.phase == "tone"
    few = values(related((ecg,), STREAMS[:1], sync=(sync("ecg"),), markers=marks[:3]), "ecg")
    assert few["event_heart_period_change"].status is Status.TOO_SHORT


@pytest.mark.parametrize(("source", "uncertainty"), [("unsynchronised", None), ("estimated", 0.5)])
def test_events_of_the_session_need_a_recording_whose_place_is_known(source, uncertainty):
    ecg, onsets = heart()
    phase = Measure("hr_mean", Window(0.0, 100.0, "task"), 70.0, Status.OK, None, 100.0, 1.0)
    ecg = replace(ecg, findings=replace(ecg.findings, measures=(*ecg.findings.measures, phase)))
    marks = tuple(Marker(float(o), 0.0, "tone") for o in onsets)
    made = related((ecg,), STREAMS[:1], sync=(sync("ecg", source, uncertainty),), markers=marks)
    found = values(made, "ecg")
    answer = found["event_heart_period_change"]
    assert (answer.value, answer.status, answer.reason) == (None, Status.ABSENT, Reason.UNSYNCHRONISED)
    lost = source == "unsynchronised"  # it may be another phase that was measured
    assert (found["hr_mean"].value, found["hr_mean"].reason) == (70.0, Reason.UNSYNCHRONISED if lost else None)
    assert found["hr_mean"].status is (Status.LOW_QUALITY if lost else Status.OK)


def test_responses_of_the_skin_after_events():
    onsets = np.arange(20.0, 500.0, 40.0)
    answered = onsets[::2]
    events = [Event("scr", "response", o + 2.0, o + 4.0, None, {"amplitude_us": 0.3}) for o in answered]
    events.append(Event("scr", "response", 35.0, 37.0, None, {"amplitude_us": 2.0}))  # 15 s late: nobody's answer
    eda = result("eda", events=events, series=[Series("eda_phasic", np.arange(SECONDS), np.zeros(SECONDS))])
    marks = tuple(Marker(float(o), 0.0, "tone") for o in onsets)
    found = values(related((eda,), (Stream(Modality.EDA, "a.csv"),), sync=(sync("eda"),), markers=marks), "eda")
    assert found["event_scr_share"].value == pytest.approx(50.0)
    assert found["event_scr_amplitude_mean"].value == pytest.approx(0.15)
    assert found["eda_motion_share"].reason is Reason.NO_PARTNER


def test_a_phase_against_the_baseline():
    rows = [
        Measure("scl_mean", Window(0, 100, "rest"), 4.0, Status.OK, None, 100.0, 1.0),
        Measure("scl_mean", Window(100, 200, "task"), 6.5, Status.OK, None, 100.0, 0.9),
        Measure("scl_mean", Window(200, 300, "talk"), None, Status.TOO_SHORT, Reason.CONTACT_LOSS, 0.0, 0.0),
    ]
    made = related((result("eda", measures=rows),), (Stream(Modality.EDA, "a.csv"),), sync=(), markers=())
    changes = [m for m in made[0].findings.measures if m.biomarker == "scl_mean_change"]
    assert [(m.window.phase, m.value) for m in changes] == [("task", 2.5), ("talk", None)]
    assert changes[1].reason is Reason.CONTACT_LOSS
    scr = [m for m in made[0].findings.measures if m.biomarker == "scr_rate_change"]
    assert [(m.status, m.reason) for m in scr] == [("absent", "not_marked")]


def test_a_moving_wrist_is_said_beside_its_pulse():
    activity = np.where(np.arange(SECONDS) < 150, 0.1, 0.001)
    wrist = result("accelerometer", series=[Series("activity", np.arange(SECONDS), activity)])
    streams = (Stream(Modality.PPG, "w.csv"), Stream(Modality.ACCELEROMETER, "w.csv"))
    made = related((result("ppg"), wrist), streams, sync=(), markers=())
    assert values(made, "ppg")["pulse_motion_share"].value == pytest.approx(25.0)


def worn(*, marked=True):
    """A sensor worn askew: 200 s upright, 200 s leaning by 45 degrees, the rest lying."""
    angle = np.radians(np.select([np.arange(SECONDS) < 200, np.arange(SECONDS) < 400], [0.0, 45.0], 85.0))
    up, front = np.array([0.36, 0.48, 0.8]), np.array([0.8, -0.6, 0.0])
    gravity = np.cos(angle) * up[:, None] + np.sin(angle) * front[:, None]
    phase = Measure("x", Window(20.0, 80.0, "Standing"), None, Status.OK, None, 0.0, 1.0)
    return [
        result("accelerometer", channel=name, series=[Series("acceleration", np.arange(SECONDS), gravity[k])],
               measures=(phase,) if marked else ())
        for k, name in enumerate("xyz")
    ]  # fmt: skip


def test_postures_have_names_where_a_phase_says_how_the_sensor_is_worn():
    streams = tuple(Stream(Modality.ACCELEROMETER, "chest.csv", channel=name) for name in "xyz")
    found = {
        (m.biomarker, m.window.phase): m for m in related(worn(), streams, sync=(), markers=())[1].findings.measures
    }
    shares = [found[f"acc_{name}_share", "session"].value for name in ("upright", "leaning", "lying")]
    assert shares == pytest.approx([100 * 200 / SECONDS, 100 * 200 / SECONDS, 100 * (SECONDS - 400) / SECONDS])
    assert found["acc_upright_share", "Standing"].value == 100.0
    unmarked = values(related(worn(marked=False), streams, sync=(), markers=()), "accelerometer")
    assert (unmarked["acc_lying_share"].value, unmarked["acc_lying_share"].reason) == (None, Reason.NOT_MARKED)
    alone = values(related(worn()[:1], streams[:1], sync=(), markers=()), "accelerometer")
    assert alone["acc_lying_share"].reason == Reason.NO_PARTNER


def test_the_heart_around_marks_that_a_wristband_holds():
    beats, onsets = heart()
    marks = [Event("marker", "mark", at, at) for at in onsets]
    wrist = result("eda", events=[*marks, *[Event("marker", "mark", at + 0.01, at + 0.01) for at in onsets[:2]]])
    streams = (Stream(Modality.ECG, "a.csv"), Stream(Modality.EDA, "b.csv"))
    places = (sync("ecg"), sync("eda", "estimated", 0.2))
    made = related((beats, wrist), streams, sync=places, markers=())
    found = [m for m in made[0].findings.measures if m.biomarker == "event_heart_period_change"]
    assert [(m.window.phase, m.n_evidence) for m in found] == [("mark", len(onsets))]
    assert found[0].value == pytest.approx(40.0, abs=8.0)
    places = (sync("ecg"), sync("eda", "unsynchronised"))
    apart = related((beats, wrist), streams, sync=places, markers=())
    assert values(apart, "ecg")["event_heart_period_change"].reason == Reason.NOT_MARKED


def drawn_after_events():
    """Ten minutes of ECG and skin conductance: the skin answers 8 of 12 tones, the heart slows after all."""
    rng, onsets = np.random.default_rng(3), np.arange(30.0, 580.0, 46.0)
    at = [0.5]
    while at[-1] < SECONDS - 2:
        slow = 0.06 * float(((at[-1] - onsets >= 0) & (at[-1] - onsets < 6)).any())
        at.append(at[-1] + 0.8 + slow + rng.normal(0.0, 0.01))
    times = np.arange(0.0, SECONDS, 0.004)
    ecg = ecg_wave(times, np.array(at)) + 0.02 * rng.normal(size=len(times))
    slowly = np.arange(0.0, SECONDS, 0.125)
    skin = 5.0 + 0.002 * rng.normal(size=len(slowly))
    for k, onset in enumerate(onsets):
        since = np.maximum(slowly - onset - 2.0, 0.0)
        skin += 0.4 * float(k % 3 != 0) * (np.exp(-since / 4.0) - np.exp(-since / 0.8))
    return onsets, Signal(ecg, times, 250.0, "mV"), Signal(skin, slowly, 8.0, "µS")


def test_answers_to_events_from_the_signals_on():
    onsets, ecg, skin = drawn_after_events()
    found = {
        modality: analyse_physiology(modality, signal, phases=(), exclusions=(), config=PhysiologyConfig())
        for modality, signal in ((Modality.ECG, ecg), (Modality.EDA, skin))
    }
    results = [replace(result(str(m)), findings=f) for m, f in found.items()]
    streams = (Stream(Modality.ECG, "a.csv", start_s=0.0), Stream(Modality.EDA, "b.csv", start_s=0.0))
    marks = tuple(Marker(float(o), 0.0, "tone") for o in onsets)
    made = related(results, streams, sync=(sync("ecg"), sync("eda")), markers=marks)
    slower = values(made, "ecg")["event_heart_period_change"]
    assert slower.value == pytest.approx(60.0 * 6.0 / 6.4, abs=12.0)  # the last interval begins within the 6 s
    share, size = (values(made, "eda")[f"event_scr_{name}"] for name in ("share", "amplitude_mean"))
    assert share.value == pytest.approx(100.0 * 8 / 12)
    assert size.value == pytest.approx(8 / 12 * 0.4 * 0.535, rel=0.15)  # the two exponentials' highest point
    assert (slower.n_evidence, share.n_evidence) == (12, 12)
