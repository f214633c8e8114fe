"""Attention flow under a moving camera: a panned still scene is still, and what moves in it is found."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.video.motion.flow import affine_field, attention_flow, attention_magnitude
from cueflow.tasks.video.motion.moving import camera_moves, moving_attention_flow, put_back, warp_matrix

SIDE = 8
STILL = np.zeros((SIDE, SIDE, 2))


def scene(dx=0.0, dy=0.0, *, moved=None):
    """Attention of a world of smooth keys, looked at from a place; a patch may hold other keys."""
    rng = np.random.default_rng(4)
    kx, ky, phase = rng.uniform(-0.7, 0.7, (3, 24))
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    keys = np.cos((x + dx)[..., None] * kx + (y + dy)[..., None] * ky + 9 * phase).reshape(-1, 24)
    if moved is not None:
        keys[moved] = rng.normal(0, 1, 24)
    logits = keys @ keys.T / 3
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def pan(dx, dy):
    return affine_field(np.array([[dx, 0.0, 0.0], [dy, 0.0, 0.0]]), SIDE)


def test_a_still_camera_changes_nothing():
    now, then = scene(), scene(moved=20)
    flow, magnitude = moving_attention_flow(now, then, STILL)
    assert flow == pytest.approx(attention_flow(now, then))
    assert magnitude == pytest.approx(attention_magnitude(now, then))


@pytest.mark.parametrize(("dx", "dy"), [(1.0, 0.0), (0.0, -2.0), (0.5, 0.25)])
def test_a_pan_over_a_still_scene_leaves_little(dx, dy):
    now, then = scene(), scene(-dx, -dy)  # the camera moves left: the scene moves right
    plain = attention_magnitude(now, then)
    _, compensated = moving_attention_flow(now, then, pan(dx, dy))
    assert compensated < 0.15 * plain


def test_whole_patches_are_put_back_exactly():
    back, view = put_back(scene(-1.0), pan(1.0, 0.0))
    assert view.reshape(SIDE, SIDE)[:, :-1].all()
    assert not view.reshape(SIDE, SIDE)[:, -1].any()
    part = scene()[np.ix_(view, view)]
    assert back[np.ix_(view, view)] == pytest.approx(part / part.sum(axis=1, keepdims=True))


def test_what_moves_is_found_behind_the_pan():
    then = scene(-1.0, moved=3 * SIDE + 5)  # in the later frame's patches: one to the right of where it was
    flow, _ = moving_attention_flow(scene(), then, pan(1.0, 0.0))
    assert np.argmax(flow) in {3 * SIDE + 4, 3 * SIDE + 5}  # the moment between
    assert flow.sum() == pytest.approx(SIDE * (SIDE - 2))


def test_several_layers_at_once():
    now, then = np.stack([scene(), scene(0.3)]), np.stack([scene(moved=9), scene(0.3, moved=11)])
    flow, magnitude = moving_attention_flow(now, then, STILL)
    assert flow.argmax(axis=1).tolist() == [9, 11]
    assert magnitude.shape == (2,)


def test_a_camera_that_jumps_away_leaves_nothing_to_compare():
    flow, magnitude = moving_attention_flow(scene(), scene(), pan(50.0, 0.0))
    assert not flow.any()
    assert magnitude == 0


def test_rows_in_view_sum_to_one():
    weights, view = warp_matrix(affine_field(np.array([[0.4, 0.05, 0.0], [-0.3, 0.0, 0.05]]), SIDE))
    assert weights.sum(axis=1) == pytest.approx(view.astype(float))


def test_when_a_recording_counts_as_panned():
    assert not camera_moves(np.zeros((0, SIDE, SIDE, 2)))
    still, moving = np.stack([STILL] * 8), np.stack([pan(0.7, 0.0)] * 3)
    assert not camera_moves(still)
    assert camera_moves(np.concatenate([still, moving]))
    assert not camera_moves(np.concatenate([still, moving[:1]]))
