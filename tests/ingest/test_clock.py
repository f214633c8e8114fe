"""Clocks placed by what two recorders share; the truth is the clock that made the recordings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from cueflow.schemas.session import Modality, Role
from cueflow.tasks.clock.evidence import Recorder, compare
from cueflow.tasks.clock.offsets import beats_offset, signals_offset
from cueflow.tasks.clock.sound import sound_offset
from cueflow.tasks.simulate.plan import Clock


def heart(rng, duration_s, *, steady=False):
    """Beats of a heart with breathing and slow changes in its rate, or of one that beats evenly."""
    times, slow, phase = [0.5], 0.0, 6.0 * rng.random()
    while times[-1] < duration_s:
        slow = 0.95 * slow + rng.normal(0.0, 0.012)
        swing = 0.0 if steady else 0.6 * slow + 0.03 * np.sin(1.57 * times[-1] + phase) + rng.normal(0.0, 0.012)
        times.append(times[-1] + 0.85 + swing)
    return np.array(times)


def worst_error(found, clock, duration_s):
    times = np.array([0.0, duration_s])
    return float(np.abs(found.offset_s + times * (1 + 1e-6 * found.drift_ppm) - clock.session(times)).max())


def seen_elsewhere(rng, beats, clock, *, lost=0.03, jitter_s=0.008, delay_s=0.0):
    seen = beats + delay_s + rng.normal(0.0, jitter_s, len(beats))
    local = clock.local(seen[rng.random(len(seen)) > lost])
    return np.unique(local[local > 0])


@pytest.mark.parametrize("duration_s", [120.0, 300.0])
def test_beats_place_a_recorder_and_the_interval_covers_the_truth(duration_s):
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        clock = Clock(float(rng.uniform(0.0, 5.0)), float(rng.uniform(-100.0, 100.0)))
        beats = heart(rng, duration_s)
        found = beats_offset(beats, seen_elsewhere(rng, beats, clock))
        assert found is not None
        error = worst_error(found, clock, duration_s - clock.offset_s)
        assert error < 0.02
        covered.append(error <= found.uncertainty_s)
    assert np.mean(covered) >= 0.9


def test_half_an_hour_shows_drift_to_a_few_ppm():
    rng = np.random.default_rng(3)
    beats, clock = heart(rng, 1800.0), Clock(3.21, -87.0)
    found = beats_offset(beats, seen_elsewhere(rng, beats, clock))
    assert found is not None
    assert abs(found.drift_ppm + 87.0) < 3.0
    assert worst_error(found, clock, 1790.0) < min(0.02, 1.5 * found.uncertainty_s)


def test_the_pulse_s_way_is_taken_off_and_its_spread_is_stated():
    rng = np.random.default_rng(4)
    beats, clock = heart(rng, 200.0), Clock(1.5)
    pulses = seen_elsewhere(rng, beats, clock, delay_s=0.25)
    found = beats_offset(beats, pulses, delay_s=0.3, delay_spread_s=0.15)
    assert found is not None
    assert found.offset_s == pytest.approx(1.5 + 0.05, abs=0.01)
    assert found.uncertainty_s > 0.15


def test_another_heart_an_even_heart_and_a_few_beats_give_no_place():
    rng = np.random.default_rng(5)
    strangers = [beats_offset(heart(rng, 300.0), heart(rng, 300.0)) for _ in range(10)]
    assert strangers == [None] * 10
    even = heart(rng, 300.0, steady=True)
    assert beats_offset(even, even + rng.normal(0.0, 0.008, len(even))) is None
    few = heart(rng, 20.0)
    assert beats_offset(few, few) is None
    assert beats_offset(np.empty(0), few) is None


# ---- movement


def bursts(rng, duration_s):
    n = int(0.15 * duration_s)
    return np.sort(rng.uniform(0, duration_s, n)), rng.uniform(0.3, 2.0, n), rng.uniform(0.3, 1.5, n)


def moved(rng, times, made):
    parts = [a * np.exp(-0.5 * ((times - at - length / 2) / (length / 4)) ** 2)
             for at, length, a in zip(*made, strict=True)]  # fmt: skip
    return np.sum(parts, axis=0) + 0.2 * rng.gamma(1.0, 0.5, len(times))


def test_movement_seen_and_felt():
    rng, clock = np.random.default_rng(1), Clock(4.4, 60.0)
    made = bursts(rng, 900.0)
    seen, felt = np.arange(0.0, 900.0, 1 / 30), np.arange(0.0, 890.0, 1 / 32)
    found = signals_offset((seen, moved(rng, seen, made)), (felt, moved(rng, clock.session(felt), made)))
    assert found is not None
    assert worst_error(found, clock, 890.0) < min(0.03, found.uncertainty_s)


def test_movement_of_two_people_and_stillness_give_no_place():
    rng = np.random.default_rng(2)
    times = np.arange(0.0, 300.0, 1 / 30)
    for _ in range(5):
        one, other = (moved(rng, times, bursts(rng, 300.0)) for _ in range(2))
        assert signals_offset((times, one), (times, other)) is None
    assert signals_offset((times, one), (times, np.zeros(len(times)))) is None
    assert signals_offset((times, one), (times, np.full(len(times), np.nan))) is None


def test_a_gap_does_not_move_what_follows():
    rng, clock = np.random.default_rng(6), Clock(2.0)
    made = bursts(rng, 400.0)
    seen, felt = np.arange(0.0, 400.0, 0.05), np.arange(0.0, 390.0, 0.05)
    felt = felt[(felt < 100.0) | (felt > 160.0)]
    found = signals_offset((seen, moved(rng, seen, made)), (felt, moved(rng, clock.session(felt), made)))
    assert found is not None
    assert found.offset_s == pytest.approx(2.0, abs=0.03)


@pytest.mark.slow
def test_a_clock_that_jumps_while_the_hand_moves_through_the_picture():
    rng, length_s, jumped_s, by_s = np.random.default_rng(3), 1500.0, 850.0, 2.5
    at, lasts, size = bursts(rng, length_s)
    part = rng.integers(0, 6, len(at))
    seen, felt = np.arange(0.0, length_s, 0.05), np.arange(0.0, length_s - 10.0, 0.05)
    picture = [moved(rng, seen, (at[part == k], lasts[part == k], size[part == k])) for k in range(6)]
    worn = moved(rng, 3.0 + felt + np.where(felt >= jumped_s, by_s, 0.0), (at, lasts, size))
    camera = Recorder("a", span=(0.0, length_s), movement={Role.PATIENT: (seen, np.stack(picture, axis=1))})
    found, *_ = compare(camera, Recorder("b", span=(0.0, length_s), movement={Role.PATIENT: (felt, worn)})).places
    ((at_s, moved_s, within_s),) = found.jumps
    assert abs(at_s - jumped_s) <= within_s < 60.0
    assert moved_s == pytest.approx(by_s, abs=0.1)
    assert found.offset_s == pytest.approx(3.0, abs=0.1)


# ---- sound


def talk(rng, n, rate):
    loud = np.repeat((rng.random(n * 4 // rate + 1) > 0.5) * rng.uniform(0.2, 1.0, n * 4 // rate + 1), rate // 4)[:n]
    return lfilter([1], [1, -0.9], rng.normal(size=n)) * lfilter([0.01], [1, -0.99], loud)


def test_two_microphones_in_one_room():
    import soxr

    rng, rate, clock = np.random.default_rng(0), 8000, Clock(3.125, 70.0)
    source = talk(rng, 90 * rate, rate)
    late = soxr.resample(source[int(clock.offset_s * rate) :], rate * 1e6, rate * 1e6 / (1 + 1e-6 * clock.drift_ppm))
    echo = np.concatenate([[1.0], np.zeros(100), [0.5], np.zeros(200), [0.3]])
    other = lfilter(echo, [1], late) + rng.normal(size=len(late)) * 0.3 * np.std(late)
    near = source + rng.normal(size=len(source)) * 0.3 * np.std(source)
    found = sound_offset(near, other, rate=rate, within_s=20.0)
    assert found is not None
    assert worst_error(found, clock, 86.0) < min(0.01, found.uncertainty_s)


def test_two_rooms_and_silence_give_no_place():
    rng, rate = np.random.default_rng(1), 8000
    one, other = talk(rng, 60 * rate, rate), talk(rng, 60 * rate, rate)
    assert sound_offset(one, other, rate=rate, within_s=20.0) is None
    assert sound_offset(one, np.zeros(60 * rate), rate=rate, within_s=20.0) is None
    assert sound_offset(np.zeros(0), other, rate=rate) is None


@pytest.mark.real
def test_a_real_pulse_is_placed_on_a_real_electrocardiogram(shared_data):
    from cueflow.schemas.config import PhysiologyConfig
    from cueflow.tasks.ingest.signals import read_signal
    from cueflow.tasks.physiology.analyse import analyse_physiology

    path = shared_data / "physio_neurokit" / "bio_resting_5min_100hz.csv"

    def beats(modality, channel, start_s):
        signal = read_signal(path, modality=modality, channel=channel, sampling_rate=100.0, start_s=start_s)
        found = analyse_physiology(modality, signal, phases=(), exclusions=(), config=PhysiologyConfig())
        return np.array([e.start_s for e in found.events if e.kind in {"beat", "pulse"}])

    found = beats_offset(
        beats(Modality.ECG, "ECG", 0.0), beats(Modality.PPG, "PPG", -7.0), delay_s=0.30, delay_spread_s=0.15
    )
    assert found is not None
    assert abs(found.offset_s - 7.0) < found.uncertainty_s < 0.2


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
def test_real_hearts_that_beat_evenly_are_refused(shared_data, record):
    from cueflow.tasks.ingest.signals import read_signal
    from cueflow.tasks.physiology.heart.ecg import r_peaks
    from cueflow.tasks.physiology.heart.ppg import pulse_peaks

    path = shared_data / "physio_bidmc" / f"bidmc_{record}_Signals.csv"
    heart, pulse = (
        read_signal(path, modality=m, channel=c) for m, c in ((Modality.ECG, "II"), (Modality.PPG, "PLETH"))
    )
    beats, pulses = r_peaks(heart.values, 125.0) / 125.0, pulse_peaks(pulse.values, 125.0) / 125.0
    assert beats_offset(beats, pulses - 4.0, delay_s=0.30, delay_spread_s=0.15) is None
