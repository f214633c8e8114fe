"""Motion: known movements of pictures come back in place, direction and speed, whatever the frame rate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cueflow.schemas.results import Window
from cueflow.tasks.video.motion.backbone import Backbone
from cueflow.tasks.video.motion.flow import Flow, signed_flow
from cueflow.tasks.video.motion.measures import burst_rows, motion_bursts, motion_measures, motion_series
from cueflow.tasks.video.motion.track import COLUMNS, MotionBuilder, MotionTrack, attention_summary, key_grid, summary

SQUARE = np.ones(2)
THRESHOLD = 0.04


def flow(residual, camera=0.0):
    return Flow(np.zeros((2, 3)), np.full((8, 8, 2), camera), residual)


def test_summary_says_where_which_way_and_how_much():
    residual = np.zeros((8, 8, 2))
    residual[1:3, 5:7] = (3.0, -4.0)
    energy, x, y, centre_x, centre_y, spread, camera = summary(flow(residual, camera=0.5), SQUARE)
    assert energy == pytest.approx(5 * 4 / 64)
    assert (x, y) == pytest.approx((3, -4))
    assert (centre_x, centre_y) == pytest.approx((6 / 8, 2 / 8))
    assert spread == pytest.approx(np.sqrt(2) / 16)
    assert camera == pytest.approx(0.5 * np.sqrt(2))


def test_where_nothing_moves_there_is_no_place():
    energy, x, y, *place, _ = summary(flow(np.zeros((8, 8, 2))), SQUARE)
    assert (energy, x, y) == (0, 0, 0)
    assert not np.isfinite(place).any()


def test_attention_focus_is_a_tenth_for_an_even_change_and_more_for_a_local_one():
    even = np.full((2, 40, 40), 1 / 40)
    assert attention_summary(even, even) == pytest.approx((0, 0.1))
    local = even.copy()
    local[:, :, :4] += 0.05
    local /= local.sum(axis=-1, keepdims=True)
    magnitude, focus = attention_summary(even, local)
    assert magnitude > 0
    assert focus > 0.15


@pytest.fixture(scope="module")
def backbone(tiny_backbone):
    return Backbone(tiny_backbone, key_layers=(5, 8), attention_layers=(10, 11))


def followed(backbone, picture, rate, *, speed=40.0, seconds=3.0, aspect=1.0):
    builder = MotionBuilder(backbone, size=112, aspect=aspect)
    times = np.arange(round(seconds * rate)) / rate
    for part in np.array_split(np.arange(len(times)), 3):  # a pair may straddle two calls
        builder.add(times[part], np.stack([picture(speed * t, height=112, width=112) for t in times[part]]))
    return builder.done()


def test_a_moving_picture_is_the_camera_and_goes_the_right_way(backbone, picture):
    there, back = (followed(backbone, picture, 20, speed=s) for s in (40.0, -40.0))
    assert len(there.times_s) == 59
    assert there.times_s[0] == pytest.approx(0.025)
    assert np.median(there["camera"]) > 5 * np.median(followed(backbone, picture, 20, speed=0)["camera"])
    assert np.median(back["camera"]) == pytest.approx(np.median(there["camera"]), rel=0.3)


def test_still_pictures_have_no_motion_at_all(backbone, picture):
    still = followed(backbone, picture, 8, speed=0)
    for name in ("energy", "camera", "attention"):
        assert not still[name].any()


def test_looks_far_apart_are_not_compared(backbone, picture):
    builder = MotionBuilder(backbone, size=112, aspect=1.0)
    builder.add(np.array([0.0, 0.25, 5.0, 5.25]), np.stack([picture(x) for x in (0, 1, 2, 3)]))
    assert builder.done().times_s == pytest.approx([0.125, 5.125])


# measures


def track(energy, *, step=0.25, **columns):
    count = len(energy)
    full = {name: np.zeros(count) for name in COLUMNS} | {"energy": np.asarray(energy, float)} | columns
    return MotionTrack((np.arange(count) + 0.5) * step, np.full(count, step), full)


def values(tr, end, window=None):
    series = motion_series(tr, still_threshold=THRESHOLD, start_s=0.0, end_s=end)
    bursts = motion_bursts(tr, still_threshold=THRESHOLD)
    found = motion_measures(tr, series, bursts, [window or Window(0.0, end)])
    return {m.biomarker: m.value for m in found}, series, bursts


def test_stillness_and_its_longest_run():
    energy = np.full(160, 0.2)
    energy[20:40] = 0.01  # 5 to 10 s
    energy[100:132] = 0.01  # 25 to 33 s
    found, series, _ = values(track(energy), 40.0)
    assert found["motion_stillness_share"] == pytest.approx(13 / 40)
    assert found["motion_still_longest"] == 8
    still = next(s for s in series if s.name == "motion_still")
    assert still.values[5:10].tolist() == [1] * 5
    assert found["motion_energy_mean"] == pytest.approx(0.2 * 27 / 40 + 0.01 * 13 / 40)


def test_a_gap_ends_a_run_of_still_seconds():
    tr = track(np.full(160, 0.01))
    kept = (tr.times_s < 15) | (tr.times_s > 18)
    cut = MotionTrack(tr.times_s[kept], tr.steps_s[kept], {n: c[kept] for n, c in tr.columns.items()})
    found, _, _ = values(cut, 40.0)
    assert found["motion_still_longest"] == 22
    assert found["motion_stillness_share"] == 1


def test_bursts_stand_out_and_say_where():
    energy = np.full(240, 0.1)
    energy[40:44] = energy[120:126] = 0.9
    tr = track(energy, centroid_x=np.where(energy > 0.5, 0.8, 0.5))
    found, _, bursts = values(tr, 60.0)
    assert found["motion_burst_rate"] == pytest.approx(2)
    rows = burst_rows(bursts, tr)
    assert [r.start_s for r in rows] == pytest.approx([10.0, 30.0], abs=0.2)
    assert rows[0].evidence["centroid_x"] > 0.6


def test_places_are_weighted_by_motion():
    energy = np.tile([0.1, 0.3], 40)
    found, _, _ = values(track(energy, centroid_x=np.tile([0.2, 0.6], 40), x=np.full(80, 3.0), y=np.ones(80)), 20.0)
    assert found["motion_centroid_x_mean"] == pytest.approx((0.02 + 0.18) / 0.4)
    assert found["motion_horizontal_share"] == pytest.approx(0.75)


def test_camera_share_counts_seconds():
    camera = np.zeros(80)
    camera[20:40] = 1.0
    found, _, _ = values(track(np.full(80, 0.1), camera=camera), 20.0)
    assert found["motion_camera_share"] == pytest.approx(0.25)
    assert found["motion_camera_speed_mean"] == pytest.approx(0.25)


def test_a_recording_without_pairs_has_no_values():
    empty = MotionTrack(np.zeros(0), np.zeros(0), {name: np.zeros(0) for name in COLUMNS})
    found, _, bursts = values(empty, 0.5)
    assert not bursts
    assert set(found.values()) == {None}


@pytest.mark.slow
def test_the_real_backbone_follows_a_shift_in_size_and_sign(dinov2, picture):
    real = Backbone(dinov2, key_layers=(5, 8), attention_layers=(11,))
    rates = (25 / 6, 30 / 7, 60 / 13, 8)  # what cameras of 25, 30 and 60 frames/s leave of four looks a second; twice
    speeds = [np.median(followed(real, picture, rate, speed=10.0)["camera"]) for rate in rates]
    assert np.sign(speeds).tolist() == [1] * 4
    assert speeds == pytest.approx([speeds[0]] * 4, rel=0.02)


@pytest.mark.slow
@pytest.mark.real
def test_of_a_shifted_photograph_the_real_backbone_gives_most(dinov2, shared_data):
    real = Backbone(dinov2, key_layers=(5, 8), attention_layers=(11,))
    shares = []
    for path in sorted((shared_data / "image_keypoints").rglob("*.jpg"))[:8]:
        photograph = cv2.resize(cv2.imread(str(path))[..., ::-1], (512, 512), interpolation=cv2.INTER_AREA)
        moved = [photograph[32:480, 32 + x : 480 + x] for x in (-4, 4)]  # of 448 pixels; 8 patches along a side of 112
        keys = key_grid(real.maps(np.stack(moved), size=112))
        flow = signed_flow(keys[0], keys[1], seconds=1.0)
        shares.append(-flow.camera[0, 0] / (8 * 8 / 448))
    assert 0.65 < np.median(shares) < 1.0
