"""Flow: the published statistic's properties, and signed flow against known shifts, zooms and reversals."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.tasks.video.motion.flow import (
    affine_field,
    affine_fit,
    attention_flow,
    attention_magnitude,
    key_displacement,
    signed_flow,
    standardised,
)

SIDE, CHANNELS = 12, 24


def attention(seed, patches=36, layers=()):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(*layers, patches, patches))
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("scale", [None, 1.0, 300.0])
def test_flow_sums_to_the_number_of_patches(scale):
    flow = attention_flow(attention(0), attention(1), scale=scale)
    assert flow.sum() == pytest.approx(36)
    assert flow.min() >= 0


def test_the_formula_itself():
    now, then = attention(0, 4), attention(1, 4)
    expected = np.zeros(4)
    for i in range(4):
        row = np.exp(4 * np.abs(now[i] - then[i]))
        expected += row / row.sum()
    assert attention_flow(now, then) == pytest.approx(expected)


def test_the_published_scale_is_almost_flat_and_the_default_is_not():
    now, then = attention(0), attention(1)
    published, default = (attention_flow(now, then, scale=s) for s in (1.0, None))
    assert np.ptp(published) < 0.1 < np.ptp(default)
    assert np.argmax(published) == np.argmax(default)


def test_time_reversal_leaves_the_statistic_unchanged():
    now, then = attention(0), attention(1)
    assert np.array_equal(attention_flow(now, then), attention_flow(then, now))
    assert attention_magnitude(now, then) == attention_magnitude(then, now)


def test_permuting_patches_permutes_the_flow():
    now, then, order = attention(0), attention(1), np.random.default_rng(2).permutation(36)
    moved = attention_flow(now[np.ix_(order, order)], then[np.ix_(order, order)])
    assert moved == pytest.approx(attention_flow(now, then)[order])


def test_equal_frames_have_no_flow_and_no_magnitude():
    same = attention(0)
    assert np.array_equal(standardised(attention_flow(same, same)), np.zeros(36))
    assert attention_magnitude(same, same) == 0


def test_standardising_gives_mean_zero_and_spread_one():
    flow = standardised(attention_flow(attention(0, layers=(3,)), attention(1, layers=(3,))))
    assert flow.mean(axis=-1) == pytest.approx(0, abs=1e-12)
    assert flow.std(axis=-1) == pytest.approx(1)


def test_a_few_patches_that_change_are_found():
    now = attention(0)
    then, moved = now.copy(), [3, 17, 30]
    then[:, moved] = attention(5)[:, moved]
    then /= then.sum(axis=-1, keepdims=True)
    assert set(np.argsort(attention_flow(now, then))[-3:]) == set(moved)


def maps(x, y):
    """Smooth channels at given places: any movement of the places is exact."""
    rng = np.random.default_rng(7)
    kx, ky, phase = rng.uniform(-0.5, 0.5, (3, CHANNELS))
    phase *= 12
    return np.cos(x[..., None] * kx + y[..., None] * ky + phase)


def grid():
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return x, y


@pytest.mark.parametrize(("dx", "dy"), [(0.3, 0.0), (0.0, -0.2), (-0.25, 0.4), (0.02, 0.01)])
def test_a_shifted_picture_gives_that_shift(dx, dy):
    x, y = grid()
    found = key_displacement(maps(x, y), maps(x - dx, y - dy), ridge=1e-4)
    assert found[..., 0] == pytest.approx(dx, abs=0.02 + 0.05 * abs(dx))
    assert found[..., 1] == pytest.approx(dy, abs=0.02 + 0.05 * abs(dy))


def test_the_default_ridge_shortens_a_shift_little():
    x, y = grid()
    found = np.median(key_displacement(maps(x, y), maps(x - 0.3, y))[..., 0])
    assert 0.8 * 0.3 < found < 0.3


def test_a_zoom_gives_its_scale_to_the_camera_and_leaves_nothing():
    x, y = grid()
    flow = signed_flow(maps(x, y), maps(x / 1.03, y / 1.03), seconds=0.5, ridge=1e-4)
    assert flow.camera == pytest.approx(np.array([[0, 0.06, 0], [0, 0, 0.06]]), abs=0.006)
    assert np.abs(flow.residual).max() < 0.05
    assert np.abs(flow.field[0, 0]).max() == pytest.approx(5.5 * 0.06, rel=0.1)


def test_reversal_flips_the_sign_exactly():
    x, y = grid()
    now, then = maps(x, y), maps(x - 0.2, y + 0.1)
    assert key_displacement(now, then) == pytest.approx(-key_displacement(then, now), abs=1e-12)


def test_a_still_pair_is_zero():
    still = maps(*grid())
    flow = signed_flow(still, still, seconds=0.25)
    assert not flow.residual.any()
    assert not flow.camera.any()


def test_a_picture_without_texture_gives_zero_not_noise():
    blank = np.ones((SIDE, SIDE, CHANNELS))
    assert not key_displacement(blank, blank + 1e-12).any()


def test_speed_is_per_second():
    x, y = grid()
    now, then = maps(x, y), maps(x - 0.2, y)
    slow, fast = (signed_flow(now, then, seconds=s).camera[0, 0] for s in (1.0, 0.1))
    assert fast == pytest.approx(10 * slow)


def test_what_moves_in_a_part_is_left_over_and_the_camera_is_not_misled():
    displacement = affine_field(np.array([[0.2, 0.01, 0.0], [-0.1, 0.0, 0.01]]), SIDE)
    displacement[2:6, 3:7] += (0.5, 0.3)
    camera = affine_fit(displacement)
    assert camera == pytest.approx(np.array([[0.2, 0.01, 0.0], [-0.1, 0.0, 0.01]]), abs=1e-3)
    left = displacement - affine_field(camera, SIDE)
    assert left[3, 4] == pytest.approx((0.5, 0.3), abs=0.01)
    assert np.abs(left[8:]).max() < 0.01
