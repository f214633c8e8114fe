"""Additive experts: every prediction is a bias plus one term per biomarker, and missing is a term of its own."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.fusion.data.baseline import Baseline, Block, Scaler, fit_scaler
from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.linear import deviance, elastic_net_path, logit
from cueflow.tasks.fusion.learn.weights import fit_platt

SHARES = (0.5, 0.25, 0.12, 0.06, 0.03, 0.01, 0.003)
L1_RATIOS = (0.1, 0.9)
QUICK = "quick"  # a coarse choice of linear experts, for the many refits of a permutation null
CURVED_SHARES = SHARES[1:6]
CURVE_SIZE = 0.7  # a bend is penalised more than a slope
SQUARE_MAX = 6.0  # beyond about 2.4 scales a bend goes on no more
BOOSTED_ROUNDS = (60,)
BOOSTED_BINS = 24
BOOSTED_RATE = 0.05
BOOSTED_ROWS = 20_000
BOOSTED_FROM = 30  # sessions: with fewer, the two sides of a step hold too few to choose it by
MISSING_SIZE = 0.5  # absence is penalised more than a value: it must earn its place
BELIEVED, BELIEVED_MIN = 0.5, 10  # trust from which on a recording tells the scale, and how many must
MISSING_MIN = 5  # sessions with and without the value before its absence may mean something


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to fit: `kind` is linear or curved (`l1_ratio`, penalty `share`), boosted (`rounds`) or sampled."""

    kind: str
    l1_ratio: float = 0.0
    share: float = 0.0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class Expert:
    """An additive model of p biomarkers of one modality.

    The term of biomarker j is `slope[j]` · z + `bend[j]` · `curve`(z) plus a step function (`cuts[j]`, one score more
    in `steps[j]`), less its value at the reference z = 0, so that a value like the reference contributes nothing; a
    missing value contributes `missing[j]`. z is the scaled value, kept inside the range that was seen in training.
    """

    scaler: Scaler
    bias: float
    slope: FloatArray
    bend: FloatArray
    missing: FloatArray
    cuts: tuple[FloatArray, ...]
    steps: tuple[FloatArray, ...]
    candidate: Candidate

    def terms(self, block: Block) -> FloatArray:
        """Contribution (n, p) of each biomarker to this expert's log-odds."""
        return self.terms_of(self.scaler.apply(block))

    def terms_of(self, scaled: FloatArray) -> FloatArray:
        """The same from scaled values (n, p)."""
        gone = ~np.isfinite(scaled)
        kept = np.clip(np.where(gone, 0.0, scaled), self.scaler.low, self.scaler.high)
        made = kept * self.slope + curve(kept) * self.bend
        for j, cuts in enumerate(self.cuts):
            if cuts.size:
                made[:, j] += self.steps[j][np.searchsorted(cuts, kept[:, j], side="right")]
        return np.asarray(np.where(gone, self.missing, made))

    def log_odds(self, block: Block) -> FloatArray:
        """Log-odds (n,)."""
        return np.asarray(self.terms(block).sum(axis=1) + self.bias)


def curve(scaled: FloatArray) -> FloatArray:
    """A bend that is 0 at the reference, grows with the square of the distance and stays bounded.

    Parameters
    ----------
    scaled : ndarray
        Scaled values, any shape.

    Returns
    -------
    ndarray
        Same shape; of standard deviation about 1 for a normal biomarker.
    """
    return np.asarray(np.minimum(scaled**2, SQUARE_MAX) / np.sqrt(2))


def candidates(kinds: Sequence[str], *, sessions: int) -> tuple[Candidate, ...]:
    """Every way of fitting that takes part in the choice.

    Parameters
    ----------
    kinds : sequence of str
        linear, curved, boosted; or quick. Boosting beside others takes part from `BOOSTED_FROM` sessions on.
    sessions : int
        Labelled sessions of the modality.

    Returns
    -------
    tuple of Candidate
    """
    if QUICK in kinds:
        return tuple(Candidate("linear", l1_ratio=L1_RATIOS[0], share=share) for share in SHARES[1:6:2])
    made = {
        "linear": [Candidate("linear", l1_ratio=ratio, share=share) for ratio in L1_RATIOS for share in SHARES],
        "curved": [Candidate("curved", l1_ratio=ratio, share=share) for ratio in L1_RATIOS for share in CURVED_SHARES],
        "boosted": [Candidate("boosted", rounds=rounds) for rounds in BOOSTED_ROUNDS],
    }
    asked = [kind for kind in made if kind in kinds]
    if len(asked) > 1 and sessions < BOOSTED_FROM:
        asked = [kind for kind in asked if kind != "boosted"]
    return tuple(candidate for kind in asked for candidate in made[kind])


def fit_experts(
    block: Block, truth: tuple[FloatArray, FloatArray], tried: Sequence[Candidate], *, baseline: Baseline, seed: int
) -> list[Expert]:
    """Fit every candidate on the same training sessions, each as far as its recording is to be trusted.

    Parameters
    ----------
    block : Block
        n training sessions of one modality.
    truth : pair of ndarray, shape (n,)
        0/1 labels, and trust in each session's recording, 0 to 1.
    tried : sequence of Candidate
        What to fit; the linear ones share their path of penalties.
    baseline : Baseline
        How the sessions were compared.
    seed : int
        Of the boosted kind.

    Returns
    -------
    list of Expert
        In the order of `tried`.
    """
    y, trust = truth
    scaler = fit_scaler(block.rows(_believed(trust)), baseline)
    if len(np.unique(y)) < 2:
        return [_constant(scaler, y, candidate) for candidate in tried]
    scaled = scaler.apply(block)
    fitted: dict[Candidate, Expert] = {}
    for kind, ratio in {(c.kind, c.l1_ratio) for c in tried if c.kind != "boosted"}:
        mine = [c for c in tried if c.kind == kind and c.l1_ratio == ratio]
        fitted |= _fit_linear(scaled, truth, scaler, mine)
    for candidate in tried:
        if candidate.kind == "boosted":
            fitted[candidate] = _fit_boosted(scaled, truth, scaler, candidate, seed=seed)
    return [fitted[candidate] for candidate in tried]


def _believed(trust: FloatArray) -> IntArray:
    """Sessions that a scale can rest on: recordings that are nothing unusual, where there are some of them."""
    good = np.flatnonzero(trust >= BELIEVED)
    return good if good.size >= BELIEVED_MIN else np.arange(trust.size)


def _usable(scaled: FloatArray) -> tuple[IntArray, IntArray]:
    """Columns with a scale, and those of them whose absence is frequent enough to be learned from."""
    seen = np.isfinite(scaled)
    count = seen.sum(axis=0)
    use = np.flatnonzero(count >= MISSING_MIN)
    gone = seen.shape[0] - count
    return use, use[gone[use] >= MISSING_MIN]


def _fit_linear(
    scaled: FloatArray, truth: tuple[FloatArray, FloatArray], scaler: Scaler, tried: Sequence[Candidate]
) -> dict[Candidate, Expert]:
    p = scaled.shape[1]
    use, flagged = _usable(scaled)
    kept = np.clip(np.where(np.isfinite(scaled), scaled, 0.0), scaler.low, scaler.high)
    ordered = sorted(tried, key=lambda c: -c.share)
    bends = use if ordered[0].kind == "curved" else use[:0]
    size = np.concatenate([np.ones(use.size), np.full(bends.size, CURVE_SIZE), np.full(flagged.size, MISSING_SIZE)])
    design = np.hstack([kept[:, use], curve(kept[:, bends]), ~np.isfinite(scaled[:, flagged])]) * size
    path = elastic_net_path(design, *truth, shares=[c.share for c in ordered], l1_ratio=ordered[0].l1_ratio)
    none = (np.empty(0),) * p
    made = {}
    for candidate, beta in zip(ordered, path, strict=True):
        slope, bend, missing = np.zeros(p), np.zeros(p), np.zeros(p)
        slope[use], bend[bends], missing[flagged] = np.split(beta[1:] * size, [use.size, use.size + bends.size])
        made[candidate] = Expert(scaler, float(beta[0]), slope, bend, missing, none, none, candidate)
    return made


def _fit_boosted(
    scaled: FloatArray, truth: tuple[FloatArray, FloatArray], scaler: Scaler, candidate: Candidate, *, seed: int
) -> Expert:
    from interpret.glassbox import ExplainableBoostingClassifier

    y, trust = truth
    p = scaled.shape[1]
    use, flagged = _usable(scaled)
    if not use.size:
        return _constant(scaler, y, candidate)
    kept = np.where(np.isfinite(scaled), np.clip(scaled, scaler.low, scaler.high), np.nan)[:, use]
    rows = np.arange(len(y))
    if rows.size > BOOSTED_ROWS:
        rows = np.random.default_rng(seed).choice(rows, BOOSTED_ROWS, replace=False)
    machine = ExplainableBoostingClassifier(
        interactions=0,
        n_jobs=1,
        random_state=seed,
        outer_bags=1,
        validation_size=0,  # rounds are chosen by subject-wise folds: its own split would leak sessions of one person
        max_rounds=candidate.rounds,
        max_bins=BOOSTED_BINS,
        learning_rate=BOOSTED_RATE,
        feature_types=["continuous"] * use.size,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about missing values, which are meant here
        machine.fit(kept[rows], y[rows].astype(int), sample_weight=trust[rows])
    cuts, steps, missing = [np.empty(0)] * p, [np.empty(0)] * p, np.zeros(p)
    bias = float(machine.intercept_[0])
    for term, j in enumerate(use):
        edges = np.asarray(machine.bins_[term][0], dtype=np.float64)
        scores = np.asarray(machine.term_scores_[term], dtype=np.float64)
        at_reference = float(scores[1 + np.searchsorted(edges, 0.0, side="right")])
        cuts[j], steps[j] = edges, scores[1:-1] - at_reference
        missing[j] = scores[0] - at_reference if j in flagged else 0.0
        bias += at_reference
    return Expert(scaler, bias, np.zeros(p), np.zeros(p), missing, tuple(cuts), tuple(steps), candidate)


def _constant(scaler: Scaler, y: FloatArray, candidate: Candidate) -> Expert:
    p = scaler.scale.size
    none = (np.empty(0),) * p
    zero = np.zeros(p)
    bias = logit(float(y.mean())) if y.size else 0.0  # nobody outside of the fold has the modality
    return Expert(scaler, bias, zero, zero, zero, none, none, candidate)


def screen(scores: FloatArray, y: FloatArray, sample: FloatArray, tried: Sequence[Candidate]) -> list[int]:
    """Candidates worth fitting further: curved and boosted ones only where they lead after the first folds.

    Parameters
    ----------
    scores : ndarray, shape (c, n)
        Out-of-fold log-odds of c candidates.
    y, sample : ndarray, shape (n,)
        0/1 labels and how much each session counts.
    tried : sequence of Candidate
        What the rows of `scores` are.

    Returns
    -------
    list of int
        Rows that stay.
    """
    linear = [c for c, one in enumerate(tried) if one.kind == "linear"]
    if not linear or len(np.unique(y)) < 2:
        return list(range(len(tried)))
    cost = [float(deviance(fit_platt(row, y, sample).apply(row), y).mean()) for row in scores]
    best = min(cost[c] for c in linear)
    return [c for c in range(len(tried)) if c in linear or cost[c] < best]


def choose(scores: FloatArray, y: FloatArray, subjects: IntArray, tried: Sequence[Candidate]) -> int:
    """The candidate with the least out-of-fold deviance; one that is not linear must beat the best linear one clearly.

    Parameters
    ----------
    scores : ndarray, shape (c, n)
        Calibrated out-of-fold log-odds of c candidates.
    y : ndarray, shape (n,)
        0/1 labels.
    subjects : ndarray, shape (n,)
        Number of the subject of each session.
    tried : sequence of Candidate
        What the rows of `scores` are.

    Returns
    -------
    int
        Row of the choice: not a linear one only where that gains more than half a standard error (over subjects).
    """
    costs = np.stack([deviance(row, y) for row in scores])
    mean = costs.mean(axis=1)
    best = int(mean.argmin())
    linear = [i for i, c in enumerate(tried) if c.kind == "linear"]
    if tried[best].kind == "linear" or not linear:
        return best
    rival = min(linear, key=lambda i: mean[i])
    gain = np.bincount(subjects, weights=costs[rival] - costs[best])
    error = float(gain.std(ddof=1)) / np.sqrt(gain.size) if gain.size > 1 else np.inf
    return best if float(gain.mean()) > 0.5 * error else rival
