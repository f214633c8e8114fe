"""Time-domain variability against closed forms, pyHRV and NeuroKit2."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import TooShortError
from cueflow.tasks.physiology.variability import hrv, poincare
from cueflow.tasks.physiology.variability.intervals import Intervals

FUNCTIONS = {**hrv.LEVELS, **hrv.DIFFERENCES, **poincare.POINCARE}
NEUROKIT = {
    "meannn": "MeanNN", "sdnn": "SDNN", "mediannn": "MedianNN", "madnn": "MadNN", "iqrnn": "IQRNN", "minnn": "MinNN",
    "maxnn": "MaxNN", "cvnn": "CVNN", "mcvnn": "MCVNN", "rmssd": "RMSSD", "sdsd": "SDSD", "cvsd": "CVSD",
}  # fmt: skip


def test_closed_forms_of_an_alternating_series():
    found = Intervals.of([800.0, 860.0] * 50)
    assert hrv.mean_nn(found) == 830.0
    assert hrv.rmssd(found) == pytest.approx(60.0)
    assert hrv.sdnn(found) == pytest.approx(30.0 * np.sqrt(100 / 99))
    assert hrv.mad_nn(found) == pytest.approx(1.4826 * 30.0)
    assert hrv.pnn50(found) == 100.0
    assert poincare.sd2(found) == pytest.approx(0.0, abs=1e-9)  # x + previous x is always 1660
    assert np.isnan(poincare.sd1_sd2(Intervals.of([800.0] * 10)))


def test_poincare_axes_hold_the_total_variance():
    found = Intervals.of(np.random.default_rng(0).normal(900.0, 50.0, 20000))
    total = poincare.sd1(found) ** 2 + poincare.sd2(found) ** 2
    assert total == pytest.approx(2.0 * hrv.sdnn(found) ** 2, rel=1e-3)


def test_the_jump_over_a_gap_is_no_difference(drawn_beats):
    beats = drawn_beats(47.0, 820.0, 120, seed=4)
    kept = np.delete(beats, slice(60, 62))  # two beats that were not seen
    piece = np.repeat([0, 1], [60, len(kept) - 60])
    yes = np.ones(len(kept), dtype=bool)
    naive = np.diff(np.diff(kept) * 1000.0)
    assert np.sqrt(np.mean(naive**2)) > 200.0
    safe = Intervals.between(kept, piece, trusted=yes, joined=yes)
    assert hrv.rmssd(safe) == pytest.approx(47.0, abs=1.5)


def test_differences_over_gaps_count_neither_in_share_nor_in_sd():
    pieces = Intervals.of([800, 810, 2000, 1000, 1060]).without(slice(2, 3))  # differences 10 and 60 only
    assert hrv.pnn50(pieces) == 50.0
    assert hrv.pnn20(pieces) == 50.0
    assert hrv.sdsd(pieces) == pytest.approx(np.std([10, 60], ddof=1))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_too_little_is_an_error_with_a_reason_and_not_a_number(name):
    with pytest.raises(TooShortError, match="needed"):
        FUNCTIONS[name](Intervals.of([]))


@pytest.mark.parametrize("name", sorted({**hrv.DIFFERENCES, **poincare.POINCARE}))
def test_intervals_that_never_touch_have_no_differences(name):
    apart = Intervals.of([800.0] * 9, breaks=np.ones(9, dtype=bool))
    with pytest.raises(TooShortError, match="touching"):
        FUNCTIONS[name](apart)


@pytest.mark.real
def test_pyhrv_report_of_its_own_series(shared_data):
    # physio_hrv/SampleReport.txt, written by pyHRV 0.4; its SDSD is that of absolute differences and is left out
    nni = np.load(shared_data / "physio_hrv" / "SampleNNISeriesLong.npy")
    report = {}
    for line in (shared_data / "physio_hrv" / "SampleReport.txt").read_text().splitlines():
        name, _, value = line.partition(";")
        report.setdefault(name.strip(), value.strip())
    found = Intervals.of(nni)
    for function, name in (
        (hrv.mean_nn, "Mean NNI (ms)"), (hrv.min_nn, "Minimum NNI (ms)"), (hrv.max_nn, "Maximum NNI (ms)"),
        (hrv.sdnn, "SDNN (ms)"), (hrv.rmssd, "RMSSD (ms)"), (hrv.pnn50, "pNN50 (%)"), (hrv.pnn20, "pNN20 (%)"),
    ):  # fmt: skip
        assert function(found) == pytest.approx(float(report[name]), abs=6e-4), name
    assert poincare.sd1(found) == pytest.approx(float(report["SD1 (ms)"]), rel=5e-4)
    assert poincare.sd2(found) == pytest.approx(float(report["SD2 (ms)"]), rel=5e-4)


@pytest.mark.slow
@pytest.mark.real
def test_neurokit_gives_the_same_where_there_is_no_gap(shared_data):
    import neurokit2

    nni = np.load(shared_data / "physio_hrv" / "SampleNNISeriesShort.npy").astype(float)
    theirs = neurokit2.hrv_time({"RRI": nni, "RRI_Time": np.cumsum(nni) / 1000.0}, sampling_rate=1000).iloc[0]
    found = Intervals.of(nni)
    for ours, name in NEUROKIT.items():
        assert FUNCTIONS[ours](found) == pytest.approx(theirs[f"HRV_{name}"], rel=1e-6), name
    for share in ("pnn50", "pnn20"):  # they divide by the number of intervals, not of differences
        theirs_share = theirs["HRV_pNN" + share[3:]]
        assert FUNCTIONS[share](found) == pytest.approx(theirs_share * len(nni) / (len(nni) - 1), rel=1e-6)
