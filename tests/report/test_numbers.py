"""Statistics of the cohort page against published values, scipy's own and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.errors import TooShortError
from cueflow.tasks.report.numbers.ranks import (
    benjamini_hochberg,
    compare_groups,
    compare_pairs,
    correlate,
    correlation_p,
    robust_z,
)
from cueflow.tasks.report.numbers.reliability import icc_one_way

# Shrout & Fleiss (1979), table 2: six targets, four judges.
JUDGED = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)


def test_icc_of_shrout_and_fleiss():
    found = icc_one_way(list(JUDGED))
    assert found.icc == pytest.approx(0.17, abs=0.005)
    assert (found.n_subjects, found.n_values) == (6, 24)
    assert found.low == pytest.approx(-0.13, abs=0.005)  # as psych::ICC prints for these data
    assert found.high == pytest.approx(0.72, abs=0.005)
    assert found.word == "poor"


def test_icc_of_a_known_share_of_variance():
    rng = np.random.default_rng(0)
    people = rng.normal(size=(4000, 1)) * 2
    found = icc_one_way(list(people + rng.normal(size=(4000, 3))))
    assert found.icc == pytest.approx(0.8, abs=0.01)
    uneven = [row[: 2 + k % 2] for k, row in enumerate(people + rng.normal(size=(4000, 3)))]
    assert icc_one_way(uneven).icc == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("visits", [[[1.0, 2.0]] * 4, [[1.0]] * 9, [[3.0, 3.0]] * 9])
def test_icc_says_when_it_cannot(visits):
    with pytest.raises(TooShortError):
        icc_one_way([np.array(v) for v in visits])


def test_corrected_p_values_of_a_hand_made_case():
    q = benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005]))
    assert q == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_effects_are_one_where_groups_do_not_overlap():
    low, high = np.arange(6.0), np.arange(6.0) + 10
    found = compare_groups([low, high])
    assert (found.effect, found.n, found.name) == (1.0, 12, "Mann–Whitney")
    assert found.p == pytest.approx(2 / 924)  # two of the 924 ways to split twelve
    assert compare_groups([high, low]).effect == -1.0
    assert compare_groups([low, high, high + 10]).name == "Kruskal–Wallis"
    with pytest.raises(TooShortError):
        compare_groups([low[:4], high])


def test_pairs():
    before = np.arange(8.0)
    found = compare_pairs(before, before + np.arange(1, 9))
    assert found.effect == 1.0
    assert found.p == pytest.approx(2 / 2**8)
    with pytest.raises(TooShortError):
        compare_pairs(before, before)


def test_correlations_agree_with_scipy_where_some_are_missing():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    values = rng.normal(size=(40, 6))
    values[:, 1] += values[:, 0]
    values[:12, 2] = values[30:, 3] = np.nan
    values[:, 5] = 1.0
    rho, n = correlate(values)
    p = correlation_p(rho[1:5, 0], n[1:5, 0])
    for k in range(1, 5):
        both = np.isfinite(values[:, k])
        expected = spearmanr(values[both, 0], values[both, k])
        assert rho[k, 0] == pytest.approx(expected.statistic)
        assert p[k - 1] == pytest.approx(expected.pvalue)
    assert np.isnan(rho[5, 0])
    assert n[3, 2] == 18


def test_robust_distance_is_the_normal_one_of_normal_data():
    values = np.random.default_rng(2).normal(5, 3, 100_001)
    assert robust_z(np.append(values, 5 + 3 * 6.0))[-1] == pytest.approx(6, abs=0.1)
    assert robust_z(np.array([1.0, 1.0, 1.0, 9.0])).tolist() == [0, 0, 0, 0]
