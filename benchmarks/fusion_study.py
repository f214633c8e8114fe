"""When late beats early, the best expert and other peers, on simulated cohorts with known truth.

python benchmarks/fusion_study.py study [--seeds N] [--file FILE] [--only CONDITION ...]
python benchmarks/fusion_study.py coverage ...       how often intervals hold the true chance, and the drivers beside a
                                                     regression that is told what they are

FILE keeps what is done, so that a study that was stopped, or done in parts, goes on.

Every model learns from the same cohort and is measured on 300 people that none has met. Peers: best single expert
(chosen on the test people, so no one could do better with one modality), plain average of calibrated experts, logistic
stacking of the experts' out-of-fold log-odds, explainable boosting and LightGBM on concatenated features, our own early
fusion. `pip install cueflow[bench]` brings LightGBM.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "fusion"))

from fusion_cohorts import BAD_NOISE, Cohort, make_cohort

from cueflow.schemas.results import Prediction
from cueflow.tasks.fusion import predict, train
from cueflow.tasks.fusion.answer.predict import read_sessions
from cueflow.tasks.fusion.data.cohort import Comparison, build_cohort
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.judge.crossfit import DELETED, deleted, missing_patterns, with_only
from cueflow.tasks.fusion.judge.metrics import auroc, calibration_error
from cueflow.tasks.fusion.learn.apply import Applied, apply_pipeline
from cueflow.tasks.fusion.learn.folds import subject_folds, without
from cueflow.tasks.fusion.learn.linear import deviance, sigmoid
from cueflow.tasks.fusion.learn.pipeline import Problem, Settings, early_problem, fit_parts, fit_pipeline
from cueflow.tasks.fusion.store.model import FusionModel

FRESH = 8000  # first seed of the cohorts that nothing was chosen on
STRONG = {"video": 1.6, "audio": 1.2, "ecg": 0.8}
ONE = {"video": 2.0, "audio": 0.0, "ecg": 0.0, "eda": 0.0}
CONDITIONS: dict[str, dict[str, object]] = {
    "three that help": {"strengths": STRONG},
    "one helps, three are noise": {"strengths": ONE},
    "20 subjects": {"subjects": 20, "strengths": STRONG},
    "200 subjects": {"subjects": 200, "strengths": STRONG},
    "15 % of values missing": {"strengths": STRONG, "missing": 0.15},
    "25 % of modalities missing": {"strengths": STRONG, "gone": 0.25},
    "40 % of videos bad, known": {"strengths": STRONG, "poor": 0.4},
    "40 biomarkers each": {"strengths": STRONG, "biomarkers": 40},
    "people differ in log-odds": {"strengths": STRONG, "shift": 1.0},
    "U-shaped effects": {"strengths": STRONG, "bend": 0.8},
    "effects with a threshold": {"strengths": STRONG, "step": 1.0},
    "voice and face only together": {"strengths": STRONG, "together": 1.0},
}


def problem_of(cohort: Cohort) -> Problem:
    """Labelled sessions, ready to fit."""
    return build_cohort(
        cohort.frame, cohort.labels, Target("pain"), Comparison.of("none", None), min_subjects=8
    ).problem


def side_by_side(problem: Problem) -> FloatArray:
    """All biomarkers (n, p), NaN where missing."""
    return np.hstack([block.difference for block in problem.blocks.values()])


def stacked(learn: Problem, alone: FloatArray) -> FloatArray:
    """Logistic stacking: out-of-fold log-odds of each modality, 0 where missing, and a flag for missing."""
    from sklearn.linear_model import LogisticRegression

    inner = fit_parts(learn, Settings())[1]

    def flagged(scores: FloatArray) -> FloatArray:
        return np.hstack([np.nan_to_num(scores), np.isnan(scores)])

    return LogisticRegression().fit(flagged(inner), learn.y).predict_proba(flagged(alone))[:, 1]


def light(learn: Problem, test: Problem) -> FloatArray:
    """LightGBM on concatenated features; how many trees is chosen on the same folds of subjects as ours."""
    import lightgbm

    options = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 7,
        "verbose": -1,
        "num_threads": 1,
        "seed": 0,
    }
    data = lightgbm.Dataset(side_by_side(learn), learn.y, free_raw_data=False)
    parts = subject_folds(learn.subjects, learn.y, folds=5, seed=0)
    folds = [(without(learn.y.size, fold, learn.subjects), fold) for fold in parts]
    stop = lightgbm.early_stopping(30, verbose=False)
    tried = lightgbm.cv(options, data, num_boost_round=400, folds=folds, callbacks=[stop])
    rounds = len(tried["valid binary_logloss-mean"])
    return np.asarray(lightgbm.train(options, data, num_boost_round=rounds).predict(side_by_side(test)))


def peers(learn: Problem, test: Problem, alone: FloatArray) -> dict[str, FloatArray]:
    """Probabilities of every peer for the test sessions."""
    from interpret.glassbox import ExplainableBoostingClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boosted = ExplainableBoostingClassifier(interactions=0, outer_bags=4, n_jobs=1, random_state=0)
        boosted.fit(side_by_side(learn), learn.y.astype(int))
        trees = light(learn, test)
    early, late = early_problem(learn), early_problem(test)
    there = np.isfinite(alone)
    return {
        "average": np.nansum(sigmoid(alone), axis=1) / np.maximum(there.sum(axis=1), 1),
        "stacking": stacked(learn, alone),
        "EBM": boosted.predict_proba(side_by_side(test))[:, 1],
        "LightGBM": trees,
        "early": sigmoid(
            apply_pipeline(fit_pipeline(early, Settings(), with_interval=False), late.blocks, late.reliability).log_odds
        ),
    }


def run(name: str, seed: int) -> dict[str, float]:
    """One condition and seed: AUROC of everyone, calibration, coverage, drivers, patterns, deletion."""
    options = CONDITIONS[name]
    learn = make_cohort(**({"subjects": 50, "sessions": 8} | options | {"seed": seed}))  # type: ignore[arg-type]
    test = make_cohort(**(options | {"subjects": 300, "sessions": 5, "seed": 1000 + seed}))  # type: ignore[arg-type]
    model = train(learn.frame, learn.labels, target="pain", min_support=0.0)
    read = read_sessions(model, test.frame)
    problem = problem_of(test)
    known = np.flatnonzero(np.isin(read.features.session_ids, _ids(test)))
    fused, alone = sigmoid(read.applied.log_odds[known]), read.applied.alone[known]
    y, truth = problem.y, np.array([test.probability[read.features.session_ids[i]] for i in known])
    made = {"fused": auroc(fused, y), "oracle": auroc(truth, y), "ece": calibration_error(fused, y)}
    made["best expert"] = max(auroc(column, y) for column in np.where(np.isfinite(alone), alone, 0.0).T)
    made |= {peer: auroc(said, y) for peer, said in peers(problem_of(learn), problem, alone).items()}
    applied = apply_pipeline(model.pipeline, problem.blocks, problem.reliability)
    made |= {"pattern": worst_pattern(model, applied, problem), "deletion": deletion_gain(applied, problem)}
    return made | of_rows(predict(model, test.frame), test)


def worst_pattern(model: FusionModel, applied: Applied, problem: Problem) -> float:
    """Fused AUROC less that of the best expert that is left, in the worst pattern of missing modalities."""
    gaps = []
    for kept in missing_patterns(list(problem.blocks)).values():
        said = with_only(model.pipeline, problem, kept)
        rows = np.isfinite(said)
        alone = np.where(np.isfinite(applied.alone), applied.alone, 0.0)[rows]
        best = max(auroc(alone[:, m], problem.y[rows]) for m in kept)
        gaps.append(auroc(said[rows], problem.y[rows]) - best)
    return min(gaps)


def deletion_gain(applied: Applied, problem: Problem) -> float:
    """How much more the log loss grows when the five strongest biomarkers are taken away than when five random are."""
    top, random = deleted(applied, problem, np.random.default_rng(0))
    five = DELETED.index(5)
    return float((deviance(top[five], problem.y) - deviance(random[five], problem.y)).mean())


def of_rows(predictions: tuple[Prediction, ...], test: Cohort) -> dict[str, float]:
    """Coverage of the true probability, rank agreement with the true drivers, and the largest error of a sum.

    The true rank of a driver is that of the size of its effect, less what bad recordings hide of it: there the best
    linear reading of a value with three times as much noise shows a third of its effect (1 / √10).
    """
    from scipy.stats import spearmanr

    size: dict[tuple[str, str], float] = dict.fromkeys(test.drivers, 0.0)
    held, wide, error = [], [], 0.0
    for p in (p for p in predictions if not p.abstained):
        held.append(p.interval_low <= test.probability[p.session_id] <= p.interval_high)  # type: ignore[operator]
        wide.append(p.interval_high - p.interval_low)  # type: ignore[operator]
        error = max(error, abs(p.log_odds - p.bias - sum(c.contribution for c in p.contributions)))  # type: ignore[operator]
        for c in p.contributions:
            size[c.modality, c.biomarker] += abs(c.contribution)
    true = {name: value for name, value in test.shown.items() if value > 0}
    drivers = float(spearmanr([size[name] for name in true], list(true.values())).statistic)
    return {"coverage": float(np.mean(held)), "width": float(np.mean(wide)), "drivers": drivers, "error": error}


def _ids(cohort: Cohort) -> list[str]:
    """Sessions with at least one value."""
    return cohort.frame.drop_nulls("value").select(pl.col("session_id").unique())["session_id"].to_list()


def collected(
    measure: Callable[[str, int], dict[str, float]], seeds: Sequence[int], names: Sequence[str], file: Path | None
) -> dict[str, list[dict[str, float]]]:
    """Figures of every condition and seed; seeds outside, so that a stopped study has every condition."""
    done = {}
    if file is not None and file.exists():
        done = {(row["name"], row["seed"]): row["made"] for row in map(json.loads, file.read_text().splitlines())}
    for seed in seeds:
        for name in names:
            if (name, seed) not in done:
                done[name, seed] = measure(name, seed)
                if file is not None:
                    with file.open("a") as out:
                        out.write(json.dumps({"name": name, "seed": seed, "made": done[name, seed]}) + "\n")
    return {name: [done[name, seed] for seed in seeds] for name in names}


def fresh(name: str, seed: int) -> dict[str, float]:
    """A cohort that no choice rests on: how often intervals hold the true chance, their width, and the drivers."""
    options = CONDITIONS[name]
    learn = make_cohort(**({"subjects": 50, "sessions": 8} | options | {"seed": seed}))  # type: ignore[arg-type]
    test = make_cohort(**(options | {"subjects": 150, "sessions": 3, "seed": 1000 + seed}))  # type: ignore[arg-type]
    pipeline = fit_pipeline(problem_of(learn), Settings())
    problem = problem_of(test)
    applied = apply_pipeline(pipeline, problem.blocks, problem.reliability)
    low, high = sigmoid(applied.interval)
    truth = np.array([test.probability[session] for session in sorted(_ids(test))])
    size = np.hstack([np.abs(terms).mean(axis=0) for terms in applied.contributions.values()])
    return {
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "width": float((high - low).mean()),
        "drivers": agreement(size, learn),
        "told": told(name, seed),
    }


def told(name: str, seed: int) -> float:
    """Rank agreement of a logistic regression on the same cohort that is told the drivers and the true form of each."""
    options = CONDITIONS[name]
    learn = make_cohort(**({"subjects": 50, "sessions": 8} | options | {"seed": seed}))  # type: ignore[arg-type]
    bend, step, together = (float(options.get(key, 0.0)) for key in ("bend", "step", "together"))  # type: ignore[arg-type]
    return agreement(told_sizes(learn, bend=bend, step=step, together=together), learn)


def agreement(size: FloatArray, cohort: Cohort) -> float:
    """Rank agreement of the sizes of all biomarkers (in the order of columns) with what the drivers can show."""
    from scipy.stats import spearmanr

    shown = np.array([value for _, value in sorted(cohort.shown.items())])
    return float(spearmanr(size[shown > 0], shown[shown > 0]).statistic)


def told_sizes(cohort: Cohort, *, bend: float, step: float, together: float) -> FloatArray:
    """Sizes of effects in a logistic regression without shrinkage on what each driver truly adds to the log-odds.

    It knows which biomarkers are drivers, the form of their effects, and how little a bad recording says.
    """
    from sklearn.linear_model import LogisticRegression

    problem = problem_of(cohort)
    names = sorted(cohort.shown)
    read = np.hstack([(block.difference - 10) / 3 for block in problem.blocks.values()])
    trust = np.repeat(problem.reliability, [b.difference.shape[1] for b in problem.blocks.values()], axis=1)
    z = np.where(trust < 0.5, read / (1 + BAD_NOISE**2), read)
    added = np.nan_to_num((1 - bend - step) * z + bend * (z**2 - 1) / np.sqrt(2) + step * ((z > 0.5) - 0.3085) / 0.4619)
    use = np.array([cohort.shown[name] > 0 for name in names])
    both = np.nan_to_num(z[:, names.index(("audio", "audio_0"))] * z[:, names.index(("video", "video_0"))])[:, None]
    columns = np.hstack([added[:, use], both]) if together else added[:, use]
    found = LogisticRegression(C=np.inf, max_iter=1000).fit(columns, problem.y).coef_[0, : use.sum()]
    size = np.zeros(use.size)
    size[use] = np.abs(found) * [cohort.shown[n] / cohort.drivers[n] for n in names if cohort.shown[n] > 0]
    return size


def coverage(seeds: int, names: Sequence[str], file: Path | None) -> None:
    """Means over cohorts that were not looked at while the method was made."""
    print(f"{'':30}{'covered':>10}{'least':>8}{'most':>8}{'width':>8}{'drivers':>9}{'told':>8}")
    rows = []
    for name, found in collected(fresh, range(FRESH, FRESH + seeds), names, file).items():
        mean = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
        rows.append(mean)
        ends = [min(one["coverage"] for one in found), max(one["coverage"] for one in found)]
        print(
            f"{name:30}{mean['coverage']:10.3f}{ends[0]:8.3f}{ends[1]:8.3f}{mean['width']:8.3f}{mean['drivers']:9.3f}"
            f"{mean['told']:8.3f}"
        )
    held = [row["coverage"] for row in rows]
    inside = sum(0.85 <= share <= 0.95 for share in held)
    print(f"mean {np.mean(held):.3f}, width {np.mean([row['width'] for row in rows]):.3f}; 85 to 95 % in {inside}")
    print(f"drivers >= .8 in {sum(row['drivers'] >= 0.8 for row in rows)} of {len(rows)}")


PEERS = ("average", "stacking", "EBM", "LightGBM", "early")
SHOWN = ("fused", "best expert", *PEERS, "oracle", "ece", "coverage", "width", "drivers", "pattern", "deletion")


def study(seeds: int, names: Sequence[str], file: Path | None) -> None:
    """Print one line a condition and the means."""
    print(f"{'mean of ' + str(seeds) + ' seeds':30}" + "".join(f"{name:>12}" for name in SHOWN))
    rows = {}
    for condition, found in collected(run, range(seeds), names, file).items():
        rows[condition] = {name: float(np.mean([one[name] for one in found])) for name in (*SHOWN, "error")}
        print(f"{condition:30}" + "".join(f"{rows[condition][name]:12.3f}" for name in SHOWN), flush=True)
    mean = {name: float(np.mean([row[name] for row in rows.values()])) for name in SHOWN}
    print(f"{'mean':30}" + "".join(f"{mean[name]:12.3f}" for name in SHOWN))
    print(f"least of fused − best expert: {min(row['fused'] - row['best expert'] for row in rows.values()):+.4f}")
    for peer in PEERS:
        wins = sum(row["fused"] >= row[peer] for row in rows.values())
        print(f"fused − {peer}: {mean['fused'] - mean[peer]:+.4f} in the mean, ahead in {wins} of {len(rows)}")
    inside = sum(0.85 <= row["coverage"] <= 0.95 for row in rows.values())
    print(f"stated 90 % intervals cover 85 to 95 % in {inside} of {len(rows)}")
    print(
        f"largest difference of a sum of contributions from its log-odds: {max(r['error'] for r in rows.values()):.1e}"
    )


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("what", choices=("study", "coverage"))
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--file", type=Path)
    asked.add_argument("--only", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    given = asked.parse_args()
    {"study": study, "coverage": coverage}[given.what](given.seeds, given.only, given.file)
