"""R peaks against drawn beats, cardiologists' marks and bedside monitors."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.physiology.heart.beats import heart_beats
from cueflow.tasks.physiology.heart.ecg import r_peaks
from cueflow.tasks.physiology.segments import flat, segments
from cueflow.tasks.simulate.heart import ecg_wave


def usable_pieces(signal):
    return segments(signal, ~flat(signal.values, signal.sampling_rate, longest_s=2.0), shortest_s=3.0)


def mitdb_lead(folder):
    """MLII of record 100 in mV: WFDB format 212, two channels of 12 bit in three bytes."""
    raw = np.fromfile(folder / "100.dat", dtype=np.uint8).reshape(-1, 3).astype(np.int64)
    first = ((raw[:, 1] & 0x0F) << 8) | raw[:, 0]
    return (np.where(first > 2047, first - 4096, first) - 1024) / 200.0


def mitdb_beats(folder):
    """Samples and codes of the annotated beats (MIT annotation format)."""
    words, at, number, found = np.fromfile(folder / "100.atr", dtype="<u2").astype(np.int64), 0, 0, []
    while number < len(words) and words[number]:
        code, step = words[number] >> 10, int(words[number] & 0x3FF)
        if code == 59:  # a long step
            at += (int(words[number + 1]) << 16) + int(words[number + 2])
            number += 3
            continue
        if code == 63:  # text
            number += 1 + (step + 1) // 2
            continue
        if code < 59:
            at += step
            if code <= 13:
                found.append((at, code))
        number += 1
    return np.array(found)


@pytest.mark.parametrize("rate", [50.0, 100.0, 125.0, 250.0, 360.0, 1000.0, 2000.0])
def test_every_drawn_beat_is_found_between_samples(rate, signal_of, drawn_beats):
    beats = drawn_beats(30.0, 850.0, 60, seed=1)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / rate)
    wave = ecg_wave(times, beats) + np.random.default_rng(0).normal(0.0, 0.01, len(times))
    signal = signal_of(wave, rate)
    found = heart_beats(signal, usable_pieces(signal)).times_s
    assert len(found) == len(beats)
    # at 50 and 100 Hz the QRS is two to five samples wide: the vertex of the parabola carries what there is
    tolerance = 0.004 if rate < 125.0 else 0.002
    assert np.abs(found - beats).max() < tolerance


def test_an_inverted_lead_gives_the_same_beats(signal_of, drawn_beats):
    beats = drawn_beats(30.0, 850.0, 60, seed=2)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / 250.0)
    wave = ecg_wave(times, beats)
    up, down = (heart_beats(s, usable_pieces(s)).times_s for s in (signal_of(wave, 250.0), signal_of(-wave, 250.0)))
    np.testing.assert_allclose(up, down, atol=1e-9)


def test_unit_and_offset_do_not_matter(drawn_beats):
    beats = drawn_beats(30.0, 850.0, 40, seed=3)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / 250.0)
    wave = ecg_wave(times, beats)
    np.testing.assert_allclose(r_peaks(wave, 250.0), r_peaks(1e-3 * wave + 5.0, 250.0), atol=1e-5)


def test_a_gap_makes_two_segments_and_no_interval_across(signal_of, drawn_beats):
    beats = drawn_beats(30.0, 850.0, 60, seed=4)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / 250.0)
    wave = ecg_wave(times, beats)
    wave[(times > 20.3) & (times < 25.0)] = np.nan
    signal = signal_of(wave, 250.0)
    found = heart_beats(signal, usable_pieces(signal))
    assert set(found.piece) == {0, 1}
    assert found.normal_intervals().ms.max() < 1000.0


def test_a_beat_of_another_shape_ends_no_normal_interval(signal_of, drawn_beats):
    beats = drawn_beats(30.0, 850.0, 60, seed=5)
    times = np.arange(0.0, beats[-1] + 1.0, 1.0 / 250.0)
    wave = ecg_wave(times, beats)
    odd = beats[30]
    near = np.abs(times - odd) < 0.3
    wave[near] = 2.5 * np.exp(-0.5 * ((times[near] - odd) / 0.035) ** 2)  # broad, no P, no T
    signal = signal_of(wave, 250.0)
    found = heart_beats(signal, usable_pieces(signal))
    at = int(np.abs(found.times_s - odd).argmin())
    assert found.quality[at] < 0.66 < np.median(found.quality)
    assert found.labels[at] == "unlike"
    kept = found.normal_intervals()
    assert not ((kept.at_s >= odd - 0.1) & (kept.starts_s <= odd + 0.1)).any()


@pytest.mark.real
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_mitdb_100_beats_within_50_ms(sign, shared_data, matched):
    folder = shared_data / "physio_ecg_gold" / "mitdb"
    gold = mitdb_beats(folder)
    assert len(gold) == 2273
    found = r_peaks(sign * mitdb_lead(folder), 360.0)
    sensitivity, ppv = matched(found, gold[:, 0], 0.050 * 360.0)
    assert sensitivity > 0.998
    assert ppv > 0.999


@pytest.mark.real
def test_mitdb_100_premature_beats_are_flagged(shared_data, signal_of):
    folder = shared_data / "physio_ecg_gold" / "mitdb"
    gold = mitdb_beats(folder)
    signal = signal_of(mitdb_lead(folder), 360.0)
    found = heart_beats(signal, usable_pieces(signal))
    flagged = found.times_s[~found.trusted] * 360.0
    abnormal = gold[gold[:, 1] != 1, 0]
    caught = sum(np.abs(flagged - mark).min() <= 18.0 for mark in abnormal)
    assert len(abnormal) == 34
    assert caught >= 32
    assert len(flagged) < 0.04 * len(found.times_s)  # with the beats that follow a premature one


@pytest.mark.real
def test_mitdb_100_with_noise_keeps_its_beats(shared_data, matched):
    folder = shared_data / "physio_ecg_gold" / "mitdb"
    lead = mitdb_lead(folder)
    rng = np.random.default_rng(0)
    noisy = lead + rng.normal(0.0, 0.2, len(lead)) + np.cumsum(rng.normal(0.0, 0.01, len(lead)))
    sensitivity, ppv = matched(r_peaks(noisy, 360.0), mitdb_beats(folder)[:, 0], 18.0)
    assert sensitivity > 0.997
    assert ppv > 0.997


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
@pytest.mark.parametrize("lead", ["II", "V", "AVR"])
def test_bidmc_rate_agrees_with_the_monitor(record, lead, bidmc, signal_of, analyse, measured):
    found = measured(analyse("ecg", signal_of(bidmc(record, "Signals")[lead], 125.0)))["hr_mean"]
    assert found.value == pytest.approx(np.nanmean(bidmc(record, "Numerics")["HR"]), abs=0.5)


@pytest.mark.real
@pytest.mark.parametrize("record", ["01", "05"])
def test_bidmc_rate_follows_the_monitor_second_by_second(record, bidmc, signal_of, analyse):
    series = analyse("ecg", signal_of(bidmc(record, "Signals")["II"], 125.0)).series[0]
    monitor = bidmc(record, "Numerics")["HR"][: len(series.values)]
    error = np.abs(series.values[: len(monitor)] - monitor)
    assert np.nanmedian(error) < 1.0
    assert np.isfinite(error).mean() > 0.9


@pytest.mark.real
def test_european_st_t_excerpt(shared_data, signal_of, analyse, measured):
    values = np.genfromtxt(shared_data / "physio_ecg" / "heartpy" / "e0103.csv")
    found = measured(analyse("ecg", signal_of(values[np.isfinite(values)], 250.0)))
    assert found["hr_mean"].value == pytest.approx(59.6, abs=0.5)  # NeuroKit2 0.2.13 finds 119 beats, mean 59.7
    assert found["hr_mean"].coverage > 0.95


@pytest.mark.real
@pytest.mark.slow
def test_neurokit_finds_the_same_beats_in_a_clean_recording(shared_data, matched):
    import neurokit2

    values = np.genfromtxt(shared_data / "physio_neurokit" / "ecg_1000hz.csv", skip_header=1)
    theirs = neurokit2.ecg_peaks(neurokit2.ecg_clean(values, sampling_rate=1000), sampling_rate=1000)[1]["ECG_R_Peaks"]
    sensitivity, ppv = matched(r_peaks(values, 1000.0), theirs, 10.0)
    assert sensitivity == 1.0
    assert ppv >= 0.98  # they leave out a beat at the end
