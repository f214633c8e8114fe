"""When late beats early, the best expert and other peers, on simulated cohorts with known truth.

python benchmarks/fusion_study.py [seeds]

Every model learns from the same cohort and is measured on 300 people that none has met. Peers: best single expert
(chosen on the test people, so no one could do better with one modality), plain average of calibrated experts, logistic
stacking of the experts' out-of-fold log-odds, explainable boosting and gradient boosting on concatenated features, our
own early fusion.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fusion"))

from fusion_cohorts import Cohort, make_cohort

from cueflow.tasks.fusion import predict, train
from cueflow.tasks.fusion.answer.predict import read_sessions
from cueflow.tasks.fusion.data.cohort import Comparison, build_cohort
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.judge.metrics import auroc, calibration_error
from cueflow.tasks.fusion.learn.apply import apply_pipeline
from cueflow.tasks.fusion.learn.folds import subject_folds, without
from cueflow.tasks.fusion.learn.linear import sigmoid
from cueflow.tasks.fusion.learn.pipeline import Problem, Settings, early_problem, fit_pipeline

STRONG = {"video": 1.6, "audio": 1.2, "ecg": 0.8}
ONE = {"video": 2.0, "audio": 0.0, "ecg": 0.0, "eda": 0.0}
CONDITIONS: dict[str, dict[str, object]] = {
    "three that help": {"strengths": STRONG},
    "one helps, three are noise": {"strengths": ONE},
    "20 subjects": {"subjects": 20, "strengths": STRONG},
    "200 subjects": {"subjects": 200, "strengths": STRONG},
    "15 % of values missing": {"strengths": STRONG, "missing": 0.15},
    "25 % of modalities missing": {"strengths": STRONG, "gone": 0.25},
    "40 biomarkers each": {"strengths": STRONG, "biomarkers": 40},
    "people differ in log-odds": {"strengths": STRONG, "shift": 1.0},
    "U-shaped effects": {"strengths": STRONG, "bend": 0.8},
}


def problem_of(cohort: Cohort) -> Problem:
    """Labelled sessions, ready to fit."""
    return build_cohort(
        cohort.frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8
    ).problem


def side_by_side(problem: Problem) -> FloatArray:
    """All biomarkers (n, p), NaN where missing."""
    return np.hstack([block.difference for block in problem.blocks.values()])


def stacked(learn: Problem, test: Problem, alone: FloatArray) -> FloatArray:
    """Logistic stacking: out-of-fold log-odds of each modality, 0 where missing, and a flag for missing."""
    from sklearn.linear_model import LogisticRegression

    settings = Settings()
    inner = np.full(learn.reliability.shape, np.nan)
    for fold in subject_folds(learn.subjects, learn.y, folds=5, seed=0):
        rows = without(learn.y.size, fold, learn.subjects)
        part = learn.rows(fold)
        inner[fold] = apply_pipeline(fit_pipeline(learn.rows(rows), settings), part.blocks, part.reliability).alone

    def flagged(scores: FloatArray) -> FloatArray:
        return np.hstack([np.nan_to_num(scores), np.isnan(scores)])

    return LogisticRegression().fit(flagged(inner), learn.y).predict_proba(flagged(alone))[:, 1]


def peers(learn: Problem, test: Problem, alone: FloatArray) -> dict[str, FloatArray]:
    """Probabilities of every peer for the test sessions."""
    from interpret.glassbox import ExplainableBoostingClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boosted = ExplainableBoostingClassifier(interactions=0, outer_bags=4, n_jobs=1, random_state=0)
        boosted.fit(side_by_side(learn), learn.y.astype(int))
        trees = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=8, max_iter=150, random_state=0)
        trees.fit(side_by_side(learn), learn.y)
    early, late = early_problem(learn), early_problem(test)
    there = np.isfinite(alone)
    return {
        "average": np.nansum(sigmoid(alone), axis=1) / np.maximum(there.sum(axis=1), 1),
        "stacking": stacked(learn, test, alone),
        "EBM": boosted.predict_proba(side_by_side(test))[:, 1],
        "boosting": trees.predict_proba(side_by_side(test))[:, 1],
        "early": sigmoid(apply_pipeline(fit_pipeline(early, Settings()), late.blocks, late.reliability).log_odds),
    }


def run(name: str, seed: int) -> dict[str, float]:
    """One condition and seed: AUROC of everyone, calibration, coverage, drivers."""
    from scipy.stats import spearmanr

    options = CONDITIONS[name]
    learn = make_cohort(**({"subjects": 50, "sessions": 8} | options | {"seed": seed}))  # type: ignore[arg-type]
    test = make_cohort(**(options | {"subjects": 300, "sessions": 5, "seed": 1000 + seed}))  # type: ignore[arg-type]
    model = train(learn.frame, learn.labels, target="pain", min_support=0.0)
    read = read_sessions(model, test.frame)
    problem = problem_of(test)
    known = np.isin(read.features.session_ids, _ids(test))
    fused, alone = sigmoid(read.applied.log_odds[known]), read.applied.alone[known]
    y = problem.y
    truth = np.array([test.probability[s] for s in np.array(read.features.session_ids)[known]])
    made = {"fused": auroc(fused, y), "oracle": auroc(truth, y), "ece": calibration_error(fused, y)}
    whole = np.where(np.isfinite(alone), alone, 0.0)
    made["best expert"] = max(auroc(column, y) for column in whole.T)
    made |= {peer: auroc(said, y) for peer, said in peers(problem_of(learn), problem, alone).items()}
    said = [p for p in predict(model, test.frame) if not p.abstained]
    made["coverage"] = float(
        np.mean([p.interval_low <= test.probability[p.session_id] <= p.interval_high for p in said])  # type: ignore[operator]
    )
    size: dict[tuple[str, str], float] = dict.fromkeys(test.drivers, 0.0)
    for p in said:
        for c in p.contributions:
            size[c.modality, c.biomarker] += abs(c.contribution)
    true = {name: value for name, value in test.drivers.items() if value > 0}
    made["drivers"] = float(spearmanr([size[name] for name in true], list(true.values())).statistic)
    return made


def _ids(cohort: Cohort) -> list[str]:
    """Sessions with at least one value."""
    return cohort.frame.drop_nulls("value").select(pl.col("session_id").unique())["session_id"].to_list()


def main(seeds: int) -> None:
    """Print one line a condition and the means."""
    names = ("fused", "best expert", "average", "stacking", "EBM", "boosting", "early", "oracle")
    names += ("ece", "coverage", "drivers")
    print(f"{'mean of ' + str(seeds) + ' seeds':30}" + "".join(f"{name:>13}" for name in names))
    rows = []
    for condition in CONDITIONS:
        found = [run(condition, seed) for seed in range(seeds)]
        rows.append([float(np.mean([one[name] for one in found])) for name in names])
        print(f"{condition:30}" + "".join(f"{value:13.3f}" for value in rows[-1]), flush=True)
    print(f"{'mean':30}" + "".join(f"{value:13.3f}" for value in np.mean(rows, axis=0)))
    print(f"least of fused − best expert: {min(row[0] - row[1] for row in rows):+.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
