"""The arithmetic underneath, against closed forms and scikit-learn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cueflow.tasks.fusion.data.baseline import Baseline, Block, fit_scaler, own_references, subject_key, to_block
from cueflow.tasks.fusion.data.features import Matrix
from cueflow.tasks.fusion.judge.bootstrap import RESAMPLES, bootstrap_ends, counted_figures
from cueflow.tasks.fusion.judge.metrics import auprc, auroc, balanced_accuracy, calibration_error, figures
from cueflow.tasks.fusion.learn.basis import KNOTS, column_groups, side_by_side
from cueflow.tasks.fusion.learn.experts import BOOSTED_FROM, Candidate, candidates, fit_experts
from cueflow.tasks.fusion.learn.folds import effective_weights, shuffle_by_subject, subject_folds, without
from cueflow.tasks.fusion.learn.linear import elastic_net_path, ridge_logistic, sigmoid
from cueflow.tasks.fusion.learn.posterior import _polya_gamma
from cueflow.tasks.fusion.learn.spread import distance_limit
from cueflow.tasks.fusion.learn.weights import fit_fusion, fit_nonnegative, fit_platt


def _data(n=400, p=6, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    y = (rng.random(n) < sigmoid(x[:, 0] - 0.5 * x[:, 1])).astype(float)
    return x, y


@pytest.mark.parametrize(("n", "p"), [(400, 6), (30, 60)])
def test_elastic_net_agrees_with_scikit_learn(n, p):
    from sklearn.linear_model import LogisticRegression

    x, y = _data(n, p)
    counts = np.random.default_rng(7).uniform(0.2, 1.0, n) if n > p else np.ones(n)
    shares, ratio = (0.5, 0.1, 0.02), 0.5
    path = elastic_net_path(x, y, counts, shares=shares, l1_ratio=ratio)
    top = np.abs(x.T @ (counts * (y - np.average(y, weights=counts)))).max() / counts.sum()
    for share, beta in zip(shares, path, strict=True):
        peer = LogisticRegression(
            l1_ratio=ratio, C=1 / (share * top * counts.sum()), solver="saga", tol=1e-8, max_iter=20_000
        ).fit(x, y, sample_weight=counts)
        np.testing.assert_allclose(beta[1:], peer.coef_[0], atol=2e-3)
        assert beta[0] == pytest.approx(peer.intercept_[0], abs=2e-3)


def test_ridge_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    design = rng.normal(size=(200, 30)) * rng.choice([0.01, 1.0], size=30)
    y = (rng.random(200) < sigmoid(design[:, 0] - 1.5 * design[:, 1])).astype(float)
    reference = LogisticRegression(C=1.0, tol=1e-9, max_iter=10_000).fit(design, y)
    made = ridge_logistic(design, y)
    assert made[1:] == pytest.approx(reference.coef_[0], abs=2e-2)
    assert made[0] == pytest.approx(reference.intercept_[0], abs=2e-2)


def test_few_sessions_are_not_boosted_unless_nothing_else_is_asked_for():
    def kinds(asked, sessions):
        return {c.kind for c in candidates(asked, sessions=sessions)}

    assert kinds(("linear", "boosted"), BOOSTED_FROM) == {"linear", "boosted"}
    assert kinds(("linear", "boosted"), BOOSTED_FROM - 1) == {"linear"}
    assert kinds(("boosted",), 8) == {"boosted"}


def test_bad_recordings_teach_less_and_do_not_set_the_scale():
    x, y = _data(n=600, p=2)
    bad = np.random.default_rng(1).random(600) < 0.4
    shown = x + bad[:, None] * 5 * np.random.default_rng(2).normal(size=x.shape)
    one = [Candidate("linear", l1_ratio=0.1, share=0.01)]

    def effects(values, trust):
        (expert,) = fit_experts(Block(values, None), (y, trust), one, baseline=Baseline.NONE, seed=0)
        return expert.slope / expert.scaler.scale

    clean = effects(x, np.ones(600))
    known, unknown = effects(shown, np.where(bad, 0.01, 1.0)), effects(shown, np.ones(600))
    np.testing.assert_allclose(known, clean, atol=0.25)
    assert (np.abs(unknown) < 0.6 * np.abs(known)).all()


def test_columns_of_intervals_have_a_group_each_and_pairs_need_both():
    rng = np.random.default_rng(0)
    blocks, parts = {}, []
    for name, p in (("a", 8), ("b", 3)):
        blocks[name] = Block(rng.normal(size=(50, p)), None)
        scaler = fit_scaler(blocks[name], Baseline.NONE)
        parts.append(SimpleNamespace(modality=name, expert=SimpleNamespace(scaler=scaler), importance=np.arange(p)))
    blocks["b"].difference[7, 2] = np.nan
    kept, gone = side_by_side(parts, blocks, np.tile([0.5, 1.0], (50, 1)))
    groups = column_groups(parts)
    assert kept.shape == gone.shape == (50, groups.size.sum())
    assert groups.size.tolist() == [8, 8, 6 * KNOTS.size, 3, 3, 3 * KNOTS.size, 6 * 3]
    assert groups.kind.size == groups.few.size == 7
    assert groups.among.tolist() == [1, 1, KNOTS.size, 1, 1, KNOTS.size, 1]
    pairs = np.arange(groups.size[:6].sum(), groups.size.sum())
    first = 0.5 * parts[0].expert.scaler.apply(blocks["a"])[:, 7]
    np.testing.assert_allclose(kept[:7, pairs[0]], first[:7] * parts[1].expert.scaler.apply(blocks["b"])[:7, 2])
    assert kept[7, pairs[0]] == 0
    assert gone[7, pairs[0]] == 1
    assert gone[0, pairs[0]] == 0.5


def test_boosted_terms_are_those_of_the_machine():
    from interpret.glassbox import ExplainableBoostingClassifier

    from cueflow.tasks.fusion.learn.experts import BOOSTED_BINS, BOOSTED_RATE

    x, y = _data()
    block = Block(x, None)
    (expert,) = fit_experts(
        block, (y, np.ones(y.size)), [Candidate("boosted", rounds=30)], baseline=Baseline.NONE, seed=3
    )
    scaled = np.clip(expert.scaler.apply(block), expert.scaler.low, expert.scaler.high)
    peer = ExplainableBoostingClassifier(
        interactions=0,
        n_jobs=1,
        random_state=3,
        outer_bags=1,
        validation_size=0,
        max_rounds=30,
        max_bins=BOOSTED_BINS,
        learning_rate=BOOSTED_RATE,
        feature_types=["continuous"] * 6,
    ).fit(scaled, y.astype(int))
    np.testing.assert_allclose(expert.log_odds(block), peer.decision_function(scaled), atol=1e-9)
    at_reference = expert.terms(Block(np.tile(expert.scaler.location, (1, 1)), None))
    np.testing.assert_allclose(at_reference, 0.0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_figures_agree_with_scikit_learn(seed):
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y = (rng.random(200) < 0.3).astype(float)
    score = np.round(np.clip(0.3 * y + 0.7 * rng.random(200), 0, 1), 1 + seed)  # with ties
    assert auroc(score, y) == pytest.approx(metrics.roc_auc_score(y, score), abs=1e-12)
    assert auprc(score, y) == pytest.approx(metrics.average_precision_score(y, score), abs=1e-12)
    assert balanced_accuracy(score, y, 0.5) == pytest.approx(metrics.balanced_accuracy_score(y, score >= 0.5))


@pytest.mark.parametrize("digits", [17, 1])
def test_resamples_counted_have_the_figures_of_resamples_taken(digits):
    rng = np.random.default_rng(8)
    subjects = np.repeat(np.arange(23), rng.integers(1, 9, 23))
    p = np.round(rng.random(subjects.size), digits)  # with one digit many scores are equal
    y = (rng.random(p.size) < p).astype(float)
    decision = np.full(p.size, 0.4)
    again = np.random.default_rng(2)
    draws = [again.integers(23, size=23) for _ in range(RESAMPLES)]
    taken = [np.sort(np.concatenate([np.flatnonzero(subjects == who) for who in draw])) for draw in draws]
    by_hand = [figures(p[rows], y[rows], decision[rows]) for rows in taken]
    counts = np.stack([np.bincount(rows, minlength=p.size) for rows in taken]).astype(float)
    counted = counted_figures(p, y, decision, counts)
    ends = bootstrap_ends(p, y, decision, subjects=subjects, seed=2)
    for name, values in counted.items():
        one = np.array([made[name] for made in by_hand])
        np.testing.assert_allclose(values, one, atol=1e-12)
        if name == "ece":  # what resampling alone adds is taken off
            one = np.maximum(one - one.mean() + figures(p, y, decision)["ece"], 0.0)
        np.testing.assert_allclose(ends[name], np.quantile(one, (0.025, 0.975)), atol=1e-12)
    only = counted_figures(p, np.zeros(p.size), decision, counts[:3])
    assert np.isnan(only["auroc"]).all()
    assert np.isfinite(only["brier"]).all()


def test_calibration_error_of_a_known_gap():
    y = np.tile([0.0, 1.0], 500)
    assert calibration_error(np.full(1000, 0.5), y) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(np.full(1000, 0.7), y) == pytest.approx(0.2, abs=1e-12)


def test_a_distance_that_could_not_be_measured_has_no_limit():
    assert distance_limit(np.zeros(5)) == np.inf
    assert distance_limit(np.empty(0)) == np.inf
    assert distance_limit(np.ones(5)) == 1.25


def test_folds_keep_subjects_apart_and_cover_everyone():
    rng = np.random.default_rng(1)
    for trial in range(20):
        subjects = rng.integers(12, size=100)
        y = rng.integers(2, size=100).astype(float)
        folds = subject_folds(subjects, y, folds=5, seed=trial)
        assert sorted(np.concatenate(folds).tolist()) == list(range(100))
        for fold in folds:
            train = without(100, fold, subjects)
            assert not set(subjects[fold]) & set(subjects[train])


def test_shuffled_labels_stay_with_persons():
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(10), 6)
    constant = np.repeat(np.arange(10) % 2, 6).astype(float)
    made = shuffle_by_subject(constant, subjects, rng)
    assert all(len(set(made[subjects == s])) == 1 for s in range(10))
    assert made.sum() == constant.sum()
    varied = rng.integers(2, size=60).astype(float)
    varied[::6], varied[1::6] = 0.0, 1.0
    turned = shuffle_by_subject(varied, subjects, rng)
    for s in range(10):
        assert turned[subjects == s].sum() == varied[subjects == s].sum()


def test_sessions_of_one_label_per_person_count_as_one():
    subjects = np.repeat(np.arange(20), 5)
    same = np.repeat(np.arange(20) % 2, 5).astype(float)
    np.testing.assert_allclose(effective_weights(same, subjects), 0.2, atol=1e-9)
    mixed = np.random.default_rng(0).integers(2, size=5000).astype(float)
    assert effective_weights(mixed, np.repeat(np.arange(1000), 5)).mean() > 0.9


def test_platt_undoes_overconfidence_and_never_turns_round():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    y = (rng.random(4000) < sigmoid(truth)).astype(float)
    found = fit_platt(3 * truth + 1, y, np.ones(4000))
    assert found.slope == pytest.approx(1 / 3, abs=0.03)
    assert found.intercept == pytest.approx(-1 / 3, abs=0.1)
    assert fit_platt(-truth, y, np.ones(4000)).slope == 0.0


def test_weights_are_never_negative_and_match_free_logistic_inside():
    from sklearn.linear_model import LogisticRegression

    x, y = _data(n=2000, p=2)
    x[:, 1] = -x[:, 1]  # now both speak for the label
    free = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(x, y)
    bias, weights = fit_nonnegative(x, y, np.ones(2000), prior=np.zeros(2), pull=np.zeros(2))
    np.testing.assert_allclose(weights, free.coef_[0], atol=1e-3)
    assert bias == pytest.approx(free.intercept_[0], abs=1e-3)
    _, bounded = fit_nonnegative(-x, y, np.ones(2000), prior=np.zeros(2), pull=np.zeros(2))
    assert (bounded == 0).all()


def test_reliability_fades_into_missing():
    rng = np.random.default_rng(2)
    evidence = rng.normal(size=(600, 3))
    y = (rng.random(600) < sigmoid(evidence.sum(axis=1))).astype(float)
    folds = np.array_split(np.arange(600), 5)
    fusion, _ = fit_fusion(evidence, np.ones((600, 3)), y, np.ones(600), folds=folds)
    near = fusion.coefficients(np.array([[1.0, 1e-9, 1.0]]))
    gone = fusion.coefficients(np.array([[1.0, 0.0, 1.0]]))
    np.testing.assert_allclose(near[1], gone[1], atol=1e-6)
    assert gone[1][0, 1] == 0
    assert (fusion.coefficients(rng.random((50, 3)))[1] >= 0).all()
    half = fusion.coefficients(np.array([[1.0, 0.5, 1.0]]))[1][0, 1]
    assert 0 < half < fusion.coefficients(np.ones((1, 3)))[1][0, 1]


def test_polya_gamma_draws_have_the_mean_and_variance_of_the_closed_form():
    rng = np.random.default_rng(0)
    for z in (0.01, 1.0, 4.0):
        drawn = _polya_gamma(np.full(40_000, z), rng)
        assert drawn.mean() == pytest.approx(np.tanh(z / 2) / (2 * z), rel=0.01)
        variance = (np.sinh(z) - z) / (4 * z**3 * np.cosh(z / 2) ** 2)
        assert drawn.var() == pytest.approx(variance, rel=0.05)


def test_scalers_use_median_or_mean_and_leave_constants_out():
    x = np.column_stack([np.arange(101.0), np.full(101, 5.0), np.full(101, np.nan)])
    x[0, 0] = 1e6
    robust = fit_scaler(Block(x, None), Baseline.COHORT)
    assert robust.location[0] == 51.0
    assert robust.scale[0] == pytest.approx(50 / 1.349, rel=0.01)
    assert fit_scaler(Block(x, None), Baseline.NONE).location[0] == pytest.approx(x[:, 0].mean())
    assert np.isnan(robust.scale[1:]).all()


def test_subject_baseline_needs_three_sessions():
    values = np.array([[1.0], [2.0], [3.0], [10.0], [20.0]])
    matrix = Matrix(("b",), values, np.ones(5))
    who = ("a", "a", "a", "b", "b")
    block = to_block(matrix, who, Baseline.SUBJECT, {})
    np.testing.assert_allclose(block.difference[:3, 0], [-1.0, 0.0, 1.0])
    assert np.isnan(block.difference[3:, 0]).all()
    known = own_references(Matrix(("b",), np.array([[10.0], [12.0], [14.0]]), np.ones(3)), ("b", "b", "b"))
    again = to_block(matrix, who, Baseline.SUBJECT, known)
    np.testing.assert_allclose(again.difference[3:, 0], [-2.0, 8.0])
    assert "b" not in known
    assert subject_key("b") in known
