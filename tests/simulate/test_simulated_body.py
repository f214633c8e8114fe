"""Heart, pulse, skin and breath are where truth says: closed forms, and neurokit2 as the other tool."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cueflow.tasks.simulate import Effects, simulate
from cueflow.tasks.simulate.body import SCR_RISE_S, draw_beats, draw_body
from cueflow.tasks.simulate.heart import PULSE_DELAY_S, ecg_wave, pulse_wave
from cueflow.tasks.simulate.plan import Clock
from cueflow.tasks.simulate.slow import breathing, response_shape
from cueflow.tasks.simulate.timeline import place


@pytest.fixture(scope="module")
def neurokit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import warns about other packages' versions
        import neurokit2
    return neurokit2


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("body") / "cohort"
    effects = replace(
        Effects.plain(), modalities=("ecg", "ppg", "eda", "respiration"), clock_offset_s=2.0, clock_drift_ppm=500.0
    )
    simulate(out, sessions=1, minutes=2.0, seed=11, effects=effects)
    return out


def read(cohort: Path, modality: str) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Values, their times on the session clock, and the truth of the session."""
    truth = pl.read_parquet(cohort / "truth.parquet")
    file = "chest.csv" if modality in ("ecg", "respiration") else "wrist.csv"
    table = pl.read_csv(cohort / "s001" / file)
    clock = Clock(*(truth.filter(kind=kind, name=modality)["value"].item() for kind in ("clock_offset", "clock_drift")))
    return table[modality].to_numpy(), clock.session(table["time_s"].to_numpy()), truth


def inside(times: np.ndarray, session_s: np.ndarray, margin: float = 1.0) -> np.ndarray:
    return times[(times > session_s[0] + margin) & (times < session_s[-1] - margin)]


def distance(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.abs(np.asarray(true)[:, None] - np.asarray(found)[None, :]).min(axis=1)


def test_r_peaks_are_on_the_beats_to_half_a_sample():
    beats = np.array([0.5, 1.2987, 2.1, 3.2013, 3.9])
    times = np.arange(0.0, 5.0, 1e-3)
    wave = ecg_wave(times, beats)
    tops = [times[np.abs(times - beat) < 0.1][np.argmax(wave[np.abs(times - beat) < 0.1])] for beat in beats]
    assert np.abs(np.array(tops) - beats).max() <= 0.0011


def test_pulse_peaks_follow_the_beats():
    beats = np.cumsum(np.array([0.5, 0.8, 0.9, 0.7, 1.0]))
    times = np.arange(0.0, 6.0, 1e-3)
    wave = pulse_wave(times, beats)
    tops = []
    for beat in beats + PULSE_DELAY_S:
        near = np.abs(times - beat) < 0.15
        tops.append(times[near][np.argmax(wave[near])])
    assert np.abs(np.array(tops) - beats - PULSE_DELAY_S).max() <= 0.010


def test_a_response_peaks_at_its_amplitude_after_its_rise():
    times = np.arange(-1.0, 12.0, 0.01)
    shape = response_shape(times)
    assert shape[times <= 0.0].max() == pytest.approx(0.0)
    assert shape.max() == pytest.approx(1.0)
    assert times[np.argmax(shape)] == pytest.approx(SCR_RISE_S, abs=0.011)


def test_breathing_is_lowest_at_the_onsets():
    onsets, depths = np.array([0.0, 4.0, 7.0, 12.0]), np.array([1.0, 0.8, 1.2])
    assert breathing(onsets[:-1], onsets, depths) == pytest.approx([0.0, 0.0, 0.0])
    assert breathing(onsets[:-1] + 0.4 * np.diff(onsets), onsets, depths) == pytest.approx(depths)


def test_beats_without_variation_are_even():
    beats = draw_beats(
        np.random.default_rng(0),
        (0.0, 60.0),
        np.arange(0.0, 70.0, 4.0),
        rate=(60.0, 75.0),
        calm_until_s=30.0,
        hrv_ms=0.0,
        rsa_ms=0.0,
    )
    intervals = np.diff(beats)
    assert intervals[beats[:-1] < 30.0] == pytest.approx(1.0)
    assert intervals[beats[:-1] >= 30.0] == pytest.approx(0.8)


def test_intervals_follow_breathing():
    breaths = np.arange(-4.0, 310.0, 4.0)
    beats = draw_beats(
        np.random.default_rng(0), (0.0, 300.0), breaths, rate=(70.0, 70.0), calm_until_s=0.0, hrv_ms=5.0, rsa_ms=60.0
    )
    phase = np.interp(beats[:-1], breaths, np.arange(len(breaths)))
    assert np.corrcoef(np.diff(beats), -np.sin(2.0 * np.pi * phase))[0, 1] > 0.9


def test_responses_come_at_the_rate_asked_for_and_more_often_after_rest():
    values = {"breathing_rate": 15.0, "hr_mean": 70.0, "hrv": 25.0, "scr_rate": 4.0}
    body = draw_body(np.random.default_rng(0), 3000.0, 1000.0, values, rsa_ms=30.0)
    assert len(body.responses) / 50.0 == pytest.approx(4.0, rel=0.05)
    calm, tense = np.sum(body.responses < 1000.0) / 1000.0, np.sum(body.responses >= 1000.0) / 2000.0
    assert tense / calm == pytest.approx(2.0, rel=0.1)


def test_episodes_keep_their_distance():
    placed = place(np.random.default_rng(1), [1.0] * 30, (0.0, 60.0), gap_s=0.4)
    assert len(placed) > 20
    gaps = [b[0] - a[0] - a[1] for a, b in itertools.pairwise(placed)]
    assert min(gaps) >= 0.4
    assert placed[0][0] >= 0.0
    assert placed[-1][0] + placed[-1][1] <= 60.0


def test_neurokit_finds_every_beat_within_5_ms_through_offset_and_drift(cohort, neurokit):
    ecg, session, truth = read(cohort, "ecg")
    clean = neurokit.ecg_clean(ecg, sampling_rate=250)
    found = inside(session[neurokit.ecg_peaks(clean, sampling_rate=250)[1]["ECG_R_Peaks"]], session)
    true = inside(truth.filter(kind="beat")["onset_s"].to_numpy(), session)
    assert len(true) > 100
    assert len(found) == len(true)
    assert distance(found, true).max() < 0.005


def test_neurokit_finds_every_pulse(cohort, neurokit):
    ppg, session, truth = read(cohort, "ppg")
    peaks = neurokit.ppg_findpeaks(neurokit.ppg_clean(ppg, sampling_rate=64), sampling_rate=64)["PPG_Peaks"]
    found, true = inside(session[peaks], session), inside(truth.filter(kind="pulse")["onset_s"].to_numpy(), session)
    assert len(found) == len(true)
    assert distance(found, true).max() < 0.03


def test_neurokit_finds_the_skin_responses(cohort, neurokit):
    eda, session, truth = read(cohort, "eda")
    phasic = neurokit.eda_phasic(eda, sampling_rate=64)["EDA_Phasic"].to_numpy()
    # its onsets are late after a response that has not decayed yet, so peaks are compared
    found = inside(session[neurokit.eda_peaks(phasic, sampling_rate=64)[1]["SCR_Peaks"].astype(int)], session, 2.5)
    true = inside(truth.filter(kind="scr")["onset_s"].to_numpy() + SCR_RISE_S, session, 2.5)
    assert len(true) >= 5
    assert len(found) == pytest.approx(len(true), abs=1)
    assert distance(found, true).max() < 0.2


def test_neurokit_measures_the_breathing_rate(cohort, neurokit):
    breath, session, truth = read(cohort, "respiration")
    troughs = neurokit.rsp_findpeaks(neurokit.rsp_clean(breath, sampling_rate=250), sampling_rate=250)["RSP_Troughs"]
    true = truth.filter(kind="parameter", name="breathing_rate")["value"].item()
    assert 60.0 / np.diff(session[troughs]).mean() == pytest.approx(true, rel=0.03)
    onsets = inside(truth.filter(kind="breath")["onset_s"].to_numpy(), session, 4.0)
    assert np.median(distance(session[troughs], onsets)) < 0.15


def test_parameters_count_the_events(cohort):
    truth = pl.read_parquet(cohort / "truth.parquet")
    value = dict(truth.filter(kind="parameter").select("name", "value").rows())
    beats = truth.filter(kind="beat")["onset_s"].to_numpy()
    assert value["hr_mean"] == pytest.approx(60.0 / np.diff(beats).mean())
    assert value["rmssd"] == pytest.approx(1e3 * np.sqrt(np.mean(np.diff(np.diff(beats)) ** 2)))
    assert value["scr_rate"] == pytest.approx(len(truth.filter(kind="scr")) / 2.0)
    assert value["blink_rate"] == pytest.approx(len(truth.filter(kind="blink")) / 2.0)
