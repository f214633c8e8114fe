"""Evaluation: chance is chance, leaks are found, rivals are beaten or matched, intervals hold what they say."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.errors import FusionError
from cueflow.tasks.fusion import evaluate, predict, train
from cueflow.tasks.fusion.data.cohort import Comparison, build_cohort
from cueflow.tasks.fusion.data.groups import group_of_sessions
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.judge.checks import find_leaks, learning_curve, permutation_null
from cueflow.tasks.fusion.judge.crossfit import missing_patterns, splits_of
from cueflow.tasks.fusion.learn import joint, posterior
from cueflow.tasks.fusion.learn.pipeline import Settings

FIGURES = {"auroc", "auprc", "balanced_accuracy", "brier", "ece"}
LINEAR = {"target": "pain", "kinds": ("linear",)}


def _problem(cohort):
    return build_cohort(
        cohort.frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8
    ).problem


@pytest.fixture
def short_chains(monkeypatch):
    """For what no interval is asked about: the posterior is sampled for some turns only."""
    monkeypatch.setattr(posterior, "FULL", posterior.Turns(5, 10, 1))
    monkeypatch.setattr(joint, "BRIEF", posterior.Turns(5, 10, 1))


@pytest.fixture(scope="module")
def evaluation(cohort):
    return evaluate(cohort.frame, cohort.labels, **LINEAR, refits=2, folds=3)


def test_json_has_every_figure_with_its_interval(evaluation):
    made = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    groups = [made["fused"], made["average"], made["early"], *made["experts"].values(), *made["missing"].values()]
    assert set(made["experts"]) == {"audio", "ecg", "video"}
    assert set(made["missing"]) == {f"{w} {m}" for w in ("without", "only") for m in ("audio", "ecg", "video")}
    for figures in groups:
        assert set(figures) >= FIGURES | {"ci"}
        for name in FIGURES:
            low, high = figures["ci"][name]
            assert low <= high
        for name in ("auroc", "ece"):
            assert figures["ci"][name][0] < figures[name] < figures["ci"][name][1]
    assert made["subjects"] == 40
    assert made["folds"] == 3
    assert {"auroc", "p"} <= set(made["null"])


def test_real_effects_are_seen_and_chance_is_not(evaluation):
    assert evaluation.fused["auroc"] > 0.72
    assert evaluation.null["p"] < 0.01
    assert evaluation.null["refits"] == 2
    assert 0.25 < evaluation.null["auroc"] < 0.7


def test_taking_the_strongest_away_hurts_more_than_random(evaluation):
    for top, random in zip(
        evaluation.deletion["top"]["log_loss"][:4], evaluation.deletion["random"]["log_loss"][:4], strict=True
    ):
        assert top > random


def test_fewer_subjects_teach_less(cohort):
    curve = learning_curve(_problem(cohort), Settings(kinds=("linear",)))
    assert curve[0]["auroc"] < curve[-1]["auroc"] + 0.02
    assert [point["subjects"] for point in curve] == sorted(point["subjects"] for point in curve)


def test_table_names_every_rival(evaluation):
    text = evaluation.to_text()
    for word in (
        "fused",
        "expert video",
        "plain average",
        "early fusion",
        "shuffled by subject",
        "without ecg",
        "taken away",
    ):
        assert word in text


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_labels_that_only_identify_the_person_score_at_chance(make_cohort):
    found = []
    for seed in range(3):
        cohort = make_cohort(subjects=24, sessions=5, offset=5.0, strengths={"audio": 0.0, "video": 0.0}, seed=seed)
        rng = np.random.default_rng(seed)
        people = cohort.frame.select("session_id", "subject_id").unique().sort("session_id")
        label = dict(zip(sorted(set(people["subject_id"])), rng.permutation(np.arange(24) % 2), strict=True))
        labels = people.select("session_id", target=pl.lit("pain")).with_columns(
            value=pl.Series([float(label[who]) for who in people["subject_id"]])
        )
        made = evaluate(cohort.frame, labels, **LINEAR, refits=0, folds=3)
        found.append(made.fused["auroc"])
        assert any("persons are recognised" in leak for leak in made.leaks["found"])
        assert made.leaks["session_folds"] > 0.75
    assert 0.3 < np.mean(found) < 0.65


def test_a_planted_leak_is_found(make_cohort):
    cohort = make_cohort(subjects=12, sessions=6)
    known = dict(zip(cohort.labels["session_id"], cohort.labels["value"], strict=True))
    leak = cohort.frame.filter(pl.col("biomarker") == "ecg_0").with_columns(
        biomarker=pl.lit("ecg_secret"), value=pl.col("session_id").replace_strict(known, return_dtype=pl.Float64) * 3
    )

    def told(frame: pl.DataFrame) -> list[str]:
        built = build_cohort(frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8)
        return find_leaks(built.problem, built.columns, Settings(kinds=("linear",)))["found"]

    assert any("ecg/ecg_secret alone separates the labels" in line for line in told(pl.concat([cohort.frame, leak])))
    assert not any("separates" in line for line in told(cohort.frame))


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_weak_experts_do_not_drag_the_best_one_down(make_cohort):
    lost = []
    for seed in range(4):
        strengths = {"video": 2.0} | {f"noise{k}": 0.0 for k in range(3)}
        cohort = make_cohort(subjects=30, sessions=8, strengths=strengths, biomarkers=6, seed=seed)
        model = train(cohort.frame, cohort.labels, **LINEAR)
        new = make_cohort(subjects=200, sessions=5, strengths=strengths, biomarkers=6, seed=100 + seed)
        from cueflow.tasks.fusion.answer.predict import read_sessions
        from cueflow.tasks.fusion.judge.metrics import auroc

        read = read_sessions(model, new.frame)
        y = new.labels.sort("session_id")["value"].to_numpy()
        best = auroc(read.applied.alone[:, list(model.columns).index("video")], y)
        lost.append(best - auroc(read.applied.log_odds, y))
    assert max(lost) < 0.02
    assert np.mean(lost) < 0.005


def test_intervals_hold_what_is_seen_of_persons_not_met(evaluation):
    assert evaluation.interval["persons"] == 40
    assert 0.75 <= evaluation.interval["chance_coverage"] <= 1.0
    assert 0.75 <= evaluation.interval["person_coverage"] <= 1.0


def test_chance_that_cannot_be_tested_has_no_p(make_cohort):
    cohort = make_cohort(subjects=10, sessions=3)
    built = build_cohort(cohort.frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8)
    score = np.where(built.problem.y > 0, 0.5, np.nan)  # only one class was held out
    null = permutation_null(built.problem, Settings(), score, refits=0, tell=lambda *_: None)
    assert null["p"] is None
    assert null["p_refit"] is None
    assert null["auroc"] is None


def test_every_subset_of_up_to_four_modalities_is_a_pattern():
    assert list(missing_patterns(["a", "b", "c"])) == [
        "without c", "without b", "without a", "only a", "only b", "only c",
    ]  # fmt: skip
    assert missing_patterns(["a", "b", "c", "d"])["without c and d"] == (0, 1)
    assert len(missing_patterns(["a", "b", "c", "d"])) == 14
    assert len(missing_patterns(list("abcdef"))) == 12
    assert missing_patterns(["a"]) == {}


def test_contradicting_groups_are_refused_and_empty_ones_are_not():
    frame = pl.DataFrame({"session_id": ["1", "1", "2"], "subject_id": ["a", "a", "b"], "visit": ["x", None, "y"]})
    assert group_of_sessions(frame, ["2", "1"], "visit", subjects=None) == ["y", "x"]
    twice = pl.DataFrame({"subject_id": ["a", "a", "b"], "site": ["n", "s", "n"]})
    with pytest.raises(FusionError, match="1 subjects have two different values of 'site'"):
        group_of_sessions(frame, ["1"], "site", subjects=twice)
    fill = pl.DataFrame({"subject_id": ["a", "a"], "site": ["n", None]})
    assert group_of_sessions(frame, ["1", "2"], "site", subjects=fill) == ["n", "unknown"]
    with pytest.raises(FusionError, match="no column 'shoe'"):
        group_of_sessions(frame, ["1"], "shoe", subjects=twice)


@pytest.mark.slow
def test_intervals_hold_the_true_probability_of_people_not_met(make_cohort):
    conditions = [
        {"subjects": 40},
        {"subjects": 25, "sessions": 40},
        {"subjects": 60, "gone": 0.15},
        {"subjects": 150, "sessions": 2},
    ]
    covered = []
    for seed, extra in enumerate(conditions * 2):
        cohort = make_cohort(seed=seed, **extra)
        model = train(cohort.frame, cohort.labels, **LINEAR, min_support=0.0)
        new = make_cohort(seed=50 + seed, **(extra | {"subjects": 80, "sessions": 5}))
        said = [p for p in predict(model, new.frame) if not p.abstained]
        covered.append(np.mean([p.interval_low <= new.probability[p.session_id] <= p.interval_high for p in said]))
    assert 0.85 <= np.mean(covered) <= 0.96


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_labels_not_ruled_out_hold_the_truth_as_often_as_said(make_cohort):
    covered = []
    for seed in range(5):
        cohort = make_cohort(subjects=40, seed=seed, strengths={"video": 2.0, "audio": 1.5}, biomarkers=5)
        model = train(cohort.frame, cohort.labels, **LINEAR)
        new = make_cohort(subjects=100, seed=70 + seed, strengths={"video": 2.0, "audio": 1.5}, biomarkers=5)
        y = new.labels.sort("session_id")["value"].to_numpy()
        from cueflow.tasks.fusion.learn.linear import sigmoid
        from cueflow.tasks.fusion.learn.spread import possible_labels

        chance = sigmoid(np.array([p.log_odds for p in predict(model, new.frame)]))
        covered.append(
            np.mean(
                [
                    int(v) in possible_labels(float(p), model.pipeline.strangeness)
                    for v, p in zip(y, chance, strict=True)
                ]
            )
        )
    assert 0.85 <= np.mean(covered) <= 0.96


def test_true_drivers_are_ranked_first(make_cohort):
    from scipy.stats import spearmanr

    cohort = make_cohort(subjects=80, sessions=10, biomarkers=4)
    model = train(cohort.frame, cohort.labels, **LINEAR)
    size: dict[tuple[str, str], list[float]] = {}
    for p in predict(model, cohort.frame):
        for c in p.contributions:
            size.setdefault((c.modality, c.biomarker), []).append(abs(c.contribution))
    found = {name: np.mean(values) for name, values in size.items()}
    rank = spearmanr([found[name] for name in cohort.drivers], list(cohort.drivers.values())).statistic
    assert rank >= 0.8
    assert model.agreement > 0.7


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_sites_are_held_out_whole_and_groups_get_figures(make_cohort):
    cohort = make_cohort(subjects=24, sessions=3)
    people = sorted(set(cohort.frame["subject_id"]))
    subjects = pl.DataFrame({"subject_id": people, "site": ["north", "south", "west"] * 8, "sex": ["f", "m"] * 12})
    made = evaluate(cohort.frame, cohort.labels, **LINEAR, refits=0, split_by="site", fairness="sex", subjects=subjects)
    assert made.folds == 3
    assert set(made.fairness) == {"f", "m"}
    assert made.fairness["f"]["subjects"] == 12
    assert "by group" in made.to_text()


def test_a_modality_that_few_people_have_breaks_no_evaluation(make_cohort, short_chains):
    cohort = make_cohort(subjects=12, sessions=5)
    few = cohort.frame["subject_id"].unique().sort()[:2].to_list()
    gone = (pl.col("modality") == "ecg") & ~pl.col("subject_id").is_in(few)
    frame = cohort.frame.with_columns(value=pl.when(gone).then(None).otherwise(pl.col("value")))
    found = evaluate(frame, cohort.labels, **LINEAR, refits=3, folds=12)
    assert found.fused["auroc"] > 0.6
    assert found.experts["ecg"]["sessions"] == 10


def test_a_column_that_is_not_there_is_refused_before_anything_is_fitted(make_cohort, monkeypatch):
    cohort = make_cohort(subjects=12, sessions=2)
    monkeypatch.setattr("cueflow.tasks.fusion.judge.evaluate.held_out", None)
    for option in ("fairness", "split_by"):
        with pytest.raises(FusionError, match="no column 'shoe'"):
            evaluate(cohort.frame, cohort.labels, **LINEAR, **{option: "shoe"})


def test_visits_are_held_out_with_subjects_still_apart(make_cohort):
    cohort = make_cohort(subjects=16, sessions=4)
    built = build_cohort(cohort.frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8)
    visits = np.arange(built.problem.y.size) % 4
    splits = splits_of(built.problem, visits, folds=4, seed=0)
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(64))
    for learned, test in splits:
        assert not set(built.problem.subjects[learned]) & set(built.problem.subjects[test])
        assert not set(visits[learned]) & set(visits[test])


@pytest.mark.slow
@pytest.mark.usefixtures("short_chains")
def test_noise_is_called_noise(make_cohort):
    found = []
    for seed in range(5):
        strengths = {"audio": 0.0, "video": 0.0}
        cohort = make_cohort(subjects=20, sessions=5, strengths=strengths, seed=seed)
        found.append(evaluate(cohort.frame, cohort.labels, **LINEAR, refits=0, folds=3))
    assert np.mean([made.null["p"] <= 0.05 for made in found]) < 0.5
    assert 0.4 < np.mean([made.fused["auroc"] for made in found]) < 0.6
    for made in found:
        doubted = any("not better than shuffled labels" in note for note in made.warnings)
        assert doubted == (made.null["p"] > 0.05)
