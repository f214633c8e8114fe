"""The head starts as an identity, does not see what is masked, and learns sign, appearance and relations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cueflow.schemas.errors import ModelError
from cueflow.tasks.actions.data.labels import step_labels
from cueflow.tasks.actions.judge.evaluate import cross_validate, judge, report
from cueflow.tasks.actions.judge.metrics import frame_ap
from cueflow.tasks.actions.learn.head import ActionHead, HeadShape, Scores, action_loss
from cueflow.tasks.actions.learn.relations import class_prior, lag_steps, lagged_prior, seen_at
from cueflow.tasks.actions.learn.training import Clip, held_out, subject_folds, train
from cueflow.tasks.actions.learn.trunk import TimeBlock, focal, heat_target
from cueflow.tasks.actions.store.model import Steps, window_logits

LAGS = ((-6, -3), (0, 0), (3, 6))
SHAPE = HeadShape(motion=6, appearance=4, classes=3, width=8, relation=4, lags=LAGS)
NOTHING = torch.zeros(3, 3, 3)


def given(batch=2, steps=20):
    torch.manual_seed(1)
    return torch.randn(batch, steps, 6), torch.randn(batch, steps, 4), torch.ones(batch, steps)


def test_a_time_block_starts_as_identity():
    x = torch.randn(2, 8, 20)
    assert torch.equal(TimeBlock(8, 4, 0.1).eval()(x, torch.ones(2, 1, 20)), x)


def test_relations_start_by_saying_nothing():
    head = ActionHead(SHAPE, torch.eye(3), NOTHING).eval()
    plain = ActionHead(replace(SHAPE, relations=False), torch.eye(3), NOTHING).eval()
    plain.load_state_dict(head.state_dict(), strict=False)
    assert torch.allclose(head(*given()).final, plain(*given()).final)
    assert plain(*given()).adjacency is None


def test_rows_of_the_adjacency_sum_to_one():
    found = ActionHead(SHAPE, torch.full((3, 3), 1 / 3), torch.ones(3, 3, 3)).eval()(*given()).adjacency
    assert torch.allclose(found.sum(-1), torch.ones(2, 20, 3), atol=1e-5)


def test_masked_steps_have_no_say():
    head = ActionHead(SHAPE, torch.eye(3), NOTHING).eval()
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.3)
    motion, appearance, mask = given()
    mask[:, 8:12] = 0
    other = motion.clone()
    other[:, 8:12] += 100
    one, two = head(motion, appearance, mask).final, head(other, appearance, mask).final
    assert torch.allclose(one[mask > 0], two[mask > 0], atol=1e-5)


def test_every_parameter_learns():
    head = ActionHead(SHAPE, torch.full((3, 3), 1 / 3), torch.ones(3, 3, 3))
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.3)
    labels = (torch.rand(2, 20, 3) < 0.5).float()
    action_loss(head(*given()), labels, torch.ones(2, 20), weights=torch.ones(3), heat=labels).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in head.parameters())


def test_the_loss_by_hand():
    scores = Scores(torch.zeros(1, 2, 1), None, None)
    labels, mask = torch.tensor([[[1.0], [0.0]]]), torch.tensor([[1.0, 1.0]])
    assert action_loss(scores, labels, mask, weights=torch.ones(1)).item() == pytest.approx(np.log(2))
    assert action_loss(scores, labels, mask, weights=torch.tensor([3.0])).item() == pytest.approx(2 * np.log(2))
    jump = Scores(torch.tensor([[[9.0], [-9.0]]]), None, None)
    assert action_loss(jump, labels, mask, weights=torch.ones(1)).item() == pytest.approx(0.1, abs=2e-3)


def test_the_prior_by_hand():
    labels = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    # class 0: on twice, once with 1; class 1: always with 0; class 2: alone
    assert torch.allclose(class_prior([labels]), torch.tensor([[2 / 3, 1 / 3, 0], [0.5, 0.5, 0], [0, 0, 1]]))


def test_a_lag_sees_what_was_on_then_and_nothing_else():
    scores = torch.zeros(1, 20, 1)
    scores[0, 10] = 1.0
    past, now, future = (seen_at(scores, lag)[0, :, 0].nonzero()[:, 0].tolist() for lag in LAGS)
    assert past == [13, 14, 15, 16]
    assert now == [10]
    assert future == [4, 5, 6, 7]


def test_lags_in_steps_touch_and_do_not_overlap():
    assert lag_steps(4.0)[:4] == ((-8, -2), (-20, -9), (-40, -21), (-80, -41))
    assert lag_steps(4.0)[4:6] == ((0, 0), (2, 8))


def test_the_lagged_prior_is_the_log_of_how_much_likelier():
    labels = torch.zeros(100, 2)
    labels[[10, 40, 70], 0] = 1.0
    labels[[14, 44, 74], 1] = 1.0  # class 1 always comes 4 steps after class 0
    found = lagged_prior([labels], ((-4, -4), (0, 0)))
    # seen 3 times, right 3 times; one step of chance (.03) added to both
    assert found[0, 1, 0].item() == pytest.approx(2.0)  # log(3.03 / 4 / .03) is cut
    assert found[0, 0, 1].item() == pytest.approx(np.log(0.03 / 4 / 0.03))
    assert found[1, 0, 1].item() == pytest.approx(np.log(1 / 4))
    assert not found.diagonal(dim1=1, dim2=2).any()


def test_the_heat_map_peaks_in_the_middle_of_an_interval():
    labels = torch.zeros(20, 1)
    labels[4:13] = 1.0
    heat = heat_target(labels)[:, 0]
    assert heat.argmax() == 8
    assert heat[8] == 1.0
    assert heat[8 + 2].item() == pytest.approx(np.exp(-((2 / 2.25) ** 2) / 2))
    right = torch.where(heat > 0.95, 9.0, -9.0)[None, :, None]
    mask = torch.ones(1, 20)
    assert focal(right, heat[None, :, None], mask) < 0.01 < focal(-right, heat[None, :, None], mask)


def test_windows_over_a_long_recording_agree_with_one_pass():
    torch.manual_seed(0)
    head, rng = ActionHead(SHAPE, torch.eye(3), NOTHING).eval(), np.random.default_rng(0)
    motion, looks = (rng.normal(size=(1000, k)).astype(np.float32) for k in (6, 4))
    steps = Steps(np.arange(1000) / 8, motion, looks, np.zeros((1000, 64), np.float32), np.ones(1000, np.float32))
    whole, parts = window_logits(head, steps, window=2000).logits, window_logits(head, steps, window=64).logits
    assert np.abs(whole - parts).max() < 0.05  # at the start only the entry looks along time, at windows' ends


def test_subjects_are_dealt_once():
    folds = subject_folds(["a", "a", "b", "c", "d", "e"], 3, seed=0)
    assert sorted(x for f in folds for x in f) == ["a", "b", "c", "d", "e"]
    with pytest.raises(ModelError, match="too few for 4 folds"):
        subject_folds(["a", "b", "b"], 4, seed=0)


def test_training_finds_sign_and_appearance_in_subjects_it_has_not_met(model, clips):
    judged = [judge(model, c) for c in clips[10:]]
    found = report(judged, model.classes, rate_hz=8.0)
    assert found["frame_map"] > 0.9
    assert found["segment_f1"]["0.5"] > 0.8
    assert found["event_map"]["0.5"] > 0.8
    assert found["subjects"] == 1


def test_without_sign_there_and_back_cannot_be_told_apart(clips, setting, quick, model):
    blind = train(clips[:10], model.classes, replace(setting, sources=("pixels",)), options=quick)
    signed, unsigned = (
        np.mean([frame_ap(j.probability, j.truth)[[0, 2]] for j in (judge(m, c) for c in clips[10:])])
        for m in (model, blind)
    )
    assert signed > unsigned + 0.1


def test_appearance_is_trusted_where_it_tells_and_not_where_it_misleads(clips, setting, quick, model):
    assert model.head.trust > 0  # a class shows in nothing else
    held = held_out([c.subject_id for c in clips], ("back", "there"), seed=quick.seed)
    assert held

    def misled(clip: Clip) -> Clip:
        shown = "back" if clip.subject_id in held else "there"  # what gives one away in some is the other's in others
        looks = np.random.default_rng(0).normal(0, 1, clip.features.appearance.shape)
        looks[:, 0] += 6 * step_labels(clip.actions, clip.features.times_s, (shown,))[:, 0]
        return replace(clip, features=replace(clip.features, appearance=looks.astype(np.float16)))

    found = train([misled(c) for c in clips], ("back", "there"), setting, options=quick)
    assert found.head.trust == 0
    assert found.card["trust_in_appearance"] == 0


def test_equal_seeds_give_equal_models(clips, setting, quick, model):
    again = train(clips[:10], model.classes, setting, options=quick)
    weights = again.head.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.head.state_dict().items())
    assert (again.thresholds == model.thresholds).all()


def test_cross_validation_answers_for_every_session_once(clips, setting, quick):
    judged = cross_validate(clips, ("back", "there"), setting, folds=2, options=replace(quick, epochs=2))
    assert sorted(j.session_id for j in judged) == sorted(c.session_id for c in clips)


def test_too_little_to_learn_from_is_refused(clips, setting):
    with pytest.raises(ModelError, match="2 annotated subject"):
        train(clips[:4], ("back",), setting)
    with pytest.raises(ModelError, match="No label has two examples"):
        train(clips, (), setting)
