"""An additive model of all modalities at once: the mean of a sampled posterior, where it helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cueflow.tasks.fusion.data.baseline import Block
from cueflow.tasks.fusion.data.features import FloatArray, IntArray
from cueflow.tasks.fusion.learn.basis import ABOVE, CURVE_MEAN, KNOTS, LEADING, column_groups, leading, side_by_side
from cueflow.tasks.fusion.learn.experts import Candidate, Expert
from cueflow.tasks.fusion.learn.folds import without
from cueflow.tasks.fusion.learn.linear import deviance, ridge_logistic
from cueflow.tasks.fusion.learn.posterior import BRIEF, Posterior, fit_posterior, some_persons
from cueflow.tasks.fusion.learn.weights import Platt, fit_platt

if TYPE_CHECKING:
    from cueflow.tasks.fusion.learn.pipeline import Part

SAMPLED = Candidate("sampled")
SHARES = (0.5, 0.75, 1.0)
WHOLE, SESSIONS_MIN = 0.5, 30  # trust in every modality, and sessions that a share can be found by
HELD_ENOUGH = 1000  # held-out sessions that tell how well the model does
DOUBT = 4.0  # standard errors that it may lose by: what the late fusion says was chosen on these very folds


@dataclass(frozen=True, slots=True)
class Additive:
    """Log-odds of a session of which nothing is known (`bias`), and what each modality adds.

    `experts` has one model a modality, whose bias is what a session adds that is like the reference in everything;
    `doubt` (modality by modality, (p,)) is how much the log-odds vary with a value that is not known; `factor` how much
    smaller they all were made for what is not known of the effects.
    """

    bias: float
    experts: tuple[Expert, ...]
    doubt: tuple[FloatArray, ...]
    factor: float = 1.0

    def weights(self, blocks: Sequence[Block], trust: FloatArray) -> FloatArray:
        """How much the terms of each modality count (n, m + 1), the bias first: what is not known draws to even odds.

        A modality counts as far as it is trusted.
        """
        open_ = np.zeros(trust.shape[0])
        for m, (block, doubt) in enumerate(zip(blocks, self.doubt, strict=True)):
            open_ += doubt.sum() - trust[:, m] * (np.isfinite(block.difference) @ doubt)
        drawn = _towards_even(open_)
        return np.hstack([drawn[:, None], drawn[:, None] * trust])

    def log_odds(self, blocks: Sequence[Block], trust: FloatArray) -> FloatArray:
        """Log-odds (n,) of sessions."""
        weights = self.weights(blocks, trust)
        made = weights[:, 0] * self.bias
        for m, (block, expert) in enumerate(zip(blocks, self.experts, strict=True)):
            made = made + weights[:, 1 + m] * expert.log_odds(block)
        return np.asarray(made)


def _towards_even(variance: FloatArray) -> FloatArray:
    """A logistic function, averaged over log-odds that vary, is nearly the function of the mean times this.

    MacKay (1992), doi:10.1162/neco.1992.4.5.720
    """
    return np.asarray(1 / np.sqrt(1 + np.pi / 8 * variance))


@dataclass(frozen=True, slots=True)
class Joint:
    """An additive model of all modalities at once; `share` of the answer is its where all are there, else `less`."""

    additive: Additive
    platt: Platt
    share: float
    less: float

    def shares(self, trust: FloatArray) -> FloatArray:
        """Its share (n,) where modalities are trusted so far (n, m)."""
        return np.asarray(self.less + (self.share - self.less) * trust.min(axis=1))


@dataclass(frozen=True, slots=True)
class Sessions:
    """n labelled sessions: a block per modality, trust in each (n, m), labels (n,) and numbers of subjects (n,)."""

    blocks: Mapping[str, Block]
    trust: FloatArray
    y: FloatArray
    subjects: IntArray

    def rows(self, index: IntArray) -> Sessions:
        """The sessions `index` of it."""
        blocks = {name: block.rows(index) for name, block in self.blocks.items()}
        return Sessions(blocks, self.trust[index], self.y[index], self.subjects[index])


def sampled(parts: Sequence[Part], sessions: Sessions) -> Additive:
    """The additive model from a brief chain, of at most 5,000 sessions.

    Parameters
    ----------
    parts : sequence of Part
        Modalities.
    sessions : Sessions
        To learn from.

    Returns
    -------
    Additive
    """
    some = sessions.rows(some_persons(sessions.subjects))
    seen = side_by_side(parts, some.blocks, some.trust, pairs=False)
    groups = column_groups(parts, pairs=False)
    return mean_of(fit_posterior(seen, some.y, some.subjects, groups=groups, turns=BRIEF), parts, seen[0])


def mean_of(posterior: Posterior, parts: Sequence[Part], kept: FloatArray) -> Additive:
    """Mean of what was drawn, as one additive model a modality, the less far from even odds the less is known.

    Parameters
    ----------
    posterior : Posterior
        Of values, bends and steps of the modalities, with products or without.
    parts : sequence of Part
        The modalities.
    kept : ndarray, shape (n, p)
        Their columns in sessions learned from.

    Returns
    -------
    Additive
    """
    effects = posterior.effects[:, : 1 + kept.shape[1]]
    spread = (kept @ effects[:, 1:].T + effects[:, 0]).var(axis=1) + posterior.between**2
    factor = float(_towards_even(spread).mean())
    made = _additive(factor * effects.mean(axis=0), factor**2 * _sizes(posterior) * posterior.usual, parts)
    return replace(made, factor=factor)


def resampled(joint: Joint, posterior: Posterior, parts: Sequence[Part], sessions: Sessions) -> Additive:
    """The additive model of other sessions, every effect held to the size that it was found to have.

    Parameters
    ----------
    joint : Joint
        Of the persons it was learned from.
    posterior : Posterior
        Of the same.
    parts : sequence of Part
        Modalities as the other sessions show them.
    sessions : Sessions
        To learn from.

    Returns
    -------
    Additive
        The mode of a logistic model with these sizes; the old one where there is one class only.
    """
    if len(np.unique(sessions.y)) < 2:
        return joint.additive
    kept, _ = side_by_side(parts, sessions.blocks, sessions.trust, pairs=False)
    size = np.sqrt(_sizes(posterior)[: kept.shape[1]])
    beta = ridge_logistic(kept * size, sessions.y)
    given = joint.additive
    effects = given.factor * np.append(beta[0], beta[1:] * size)
    return replace(_additive(effects, np.zeros(size.size), parts), doubt=given.doubt, factor=given.factor)


def _sizes(posterior: Posterior) -> FloatArray:
    """Mean square of each effect (p,)."""
    return np.asarray((posterior.effects[:, 1:] ** 2).mean(axis=0))


def _additive(effects: FloatArray, square: FloatArray, parts: Sequence[Part]) -> Additive:
    """From the intercept and effects (p + 1), and what each adds to the variance where it is not known (p,)."""
    experts, doubts, start = [], [], 0
    for part in parts:
        use = np.isfinite(part.expert.scaler.scale)
        sizes = [use.size, use.size, min(use.size, LEADING) * KNOTS.size]
        cuts = np.cumsum(sizes)[:-1]
        own, doubt = (np.split(values[start : start + sum(sizes)], cuts) for values in (effects[1:], square))
        first = leading(part, LEADING)
        made = np.where(use, doubt[0] + doubt[1], 0.0)
        made[first] += np.where(use[first], doubt[2].reshape(first.size, -1).sum(axis=1), 0.0)
        experts.append(_expert(part, own, use))
        doubts.append(made)
        start += sum(sizes)
    return Additive(float(effects[0]), tuple(experts), tuple(doubts))


def _expert(part: Part, effects: Sequence[FloatArray], use: FloatArray) -> Expert:
    """Terms that are 0 at the reference; a missing value adds what values add on average."""
    slope, bend = np.where(use, effects[0], 0.0), np.where(use, effects[1], 0.0)
    cuts, steps = [np.empty(0)] * use.size, [np.empty(0)] * use.size
    reference = -CURVE_MEAN * bend
    for j, rises in zip(leading(part, LEADING), effects[2].reshape(-1, KNOTS.size), strict=True):
        if use[j]:
            level = np.append(0.0, np.cumsum(rises))
            here = level[np.searchsorted(KNOTS, 0.0, side="right")]
            cuts[j], steps[j] = KNOTS, level - here
            reference[j] += here - rises @ ABOVE
    bias, scaler = float(reference.sum()), part.expert.scaler
    return Expert(scaler, bias, slope, bend, -reference, tuple(cuts), tuple(steps), SAMPLED)


def fit_joint(
    sessions: Sessions, late: FloatArray, folds: Sequence[tuple[IntArray, Sequence[Part]]], final: Additive
) -> tuple[Joint | None, FloatArray]:
    """Give the joint model the share that serves persons it has not met best: half of the answer at least.

    Where a modality is missing, or not trusted, its share is another one, and none where too few sessions show it: what
    modalities have in common is known to the experts' fusion only.

    Parameters
    ----------
    sessions : Sessions
        n labelled sessions.
    late : ndarray, shape (n,)
        Out-of-fold log-odds of the late fusion.
    folds : sequence of (ndarray, sequence of Part)
        Sessions of each fold, and the modalities as the others show them; as many are looked at as hold 1,000 sessions.
    final : Additive
        The model of all sessions.

    Returns
    -------
    joint : Joint or None
        None where the late fusion is clearly better, or where a fold leaves one class only.
    out_of_fold : ndarray, shape (n,)
        Log-odds with its share, NaN for sessions of folds that were not looked at.
    """
    said = np.full(late.size, np.nan)
    for fold, parts in folds:
        if np.isfinite(said).sum() >= HELD_ENOUGH:
            break
        learn, held = sessions.rows(without(late.size, fold, sessions.subjects)), sessions.rows(fold)
        if len(np.unique(learn.y)) < 2:
            return None, late
        said[fold] = sampled(parts, learn).log_odds(list(held.blocks.values()), held.trust)
    seen = np.isfinite(said)
    platt = fit_platt(said[seen], sessions.y[seen], np.ones(int(seen.sum())))
    known = platt.apply(said)
    whole = sessions.trust.min(axis=1) >= WHOLE
    shares = [
        _share(late[rows], known[rows], sessions.y[rows], sessions.subjects[rows])
        for rows in (seen & whole, seen & ~whole)
    ]
    if not any(shares):
        return None, late
    joint = Joint(final, platt, *shares)
    share = joint.shares(sessions.trust)
    return joint, (1 - share) * late + share * known


def _share(late: FloatArray, known: FloatArray, y: FloatArray, subjects: IntArray) -> float:
    """The best share of what is `known` in sessions of persons not met; 0 where they are few, or it clearly loses."""
    if y.size < SESSIONS_MIN:
        return 0.0
    costs = [deviance((1 - share) * late + share * known, y) for share in SHARES]
    best = int(np.argmin([cost.mean() for cost in costs]))
    loss = np.bincount(subjects, weights=costs[best] - deviance(late, y))
    loss = loss[np.bincount(subjects) > 0]
    return 0.0 if loss.mean() > DOUBT * float(loss.std()) / np.sqrt(loss.size) else SHARES[best]
