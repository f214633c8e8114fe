"""Features: a still picture gives nothing, a shift its sign, one frame an error, and a gap stays a gap."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.tasks.actions.look.eyes import make_eyes
from cueflow.tasks.actions.look.features import FeatureBuilder, extract
from cueflow.tasks.actions.look.sources import SOURCES, flow_row, optical_row, pixel_row, pooled, steadied
from cueflow.tasks.actions.store.files import feature_key, read_features, write_features
from cueflow.tasks.actions.store.model import grid
from cueflow.tasks.video.motion.flow import Flow


@pytest.fixture(scope="module")
def eyes(tiny_folder):
    return make_eyes(tiny_folder, attended=True)


def scene(shift_x: float = 0.0, *, side: int = 112) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    x = x - shift_x
    waves = [np.sin(x / 9 + 1) * np.cos(y / 7), np.sin(x / 13 + y / 11), np.cos(x / 17 - y / 8 + 2)]
    return np.stack([127 + 100 * w for w in waves], axis=-1).round().astype(np.uint8)


def write(path, pictures, rate):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(rate))
        stream.height, stream.width, stream.pix_fmt = 112, 112, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "12"}
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path


def test_a_still_picture_moves_in_no_source(eyes):
    builder = FeatureBuilder(eyes, size=112, aspect=1.0)
    builder.add(np.array([0.0, 0.25, 0.5]), np.stack([scene()] * 3))
    found = builder.done()
    assert len(found) == 3
    for name in SOURCES:
        # the optical flow's pyramid leaves a trace of rounding, a two-hundredth of a patch a second
        assert np.abs(found.motion[name]).max() < (0.02 if name == "optical" else 1e-4), name
    assert found.steps_s.tolist() == [0.0, 0.25, 0.25]


def test_tokens_are_the_models_own(eyes, tiny_folder):
    import torch
    from transformers import Dinov2Model

    builder = FeatureBuilder(eyes, size=112, aspect=1.0)
    builder.add(np.array([0.0]), scene()[None])
    model = Dinov2Model.from_pretrained(tiny_folder).eval()
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        pixels = torch.from_numpy(scene()).permute(2, 0, 1)[None].float() / 255
        tokens = model(pixel_values=(pixels - mean) / std).last_hidden_state[0].numpy()
    appearance = builder.done().appearance[0]
    assert appearance[:24] == pytest.approx(tokens[0], abs=2e-3)
    assert appearance[24:] == pytest.approx(tokens[1:].mean(axis=0), abs=2e-3)  # no frame before: a plain mean


def test_optical_row_has_the_size_and_the_sign_of_a_shift():
    import cv2

    noise = np.random.default_rng(0).normal(0, 1, (112, 140))
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.0), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    now, then = np.ascontiguousarray(wide[:, 10:122]), np.ascontiguousarray(wide[:, 7:119])  # 3 pixels to the right
    for pair, sign in (((now, then), 1), ((then, now), -1)):
        camera = optical_row(*pair, side=8, seconds=0.5, stretch=np.ones(2))[48:54].reshape(2, 3)
        assert camera[0, 0] == pytest.approx(sign * 3 / 14 / 0.5, rel=0.1)
        assert camera[1, 0] == pytest.approx(0.0, abs=0.02)


def test_pooled_means_of_uneven_cells():
    values = np.arange(64, dtype=float).reshape(8, 8, 1)
    assert pooled(values)[0, 0] == pytest.approx(np.mean([0, 1, 8, 9]))
    assert pooled(np.ones((11, 9, 2))) == pytest.approx(np.ones((16, 2)))


def test_flow_row_keeps_the_sign_by_cell():
    residual = np.zeros((8, 8, 2))
    residual[0:2, 2:4] = (-3.0, 4.0)
    row = flow_row(Flow(np.zeros((2, 3)), np.zeros((8, 8, 2)), residual), np.ones(2))
    assert row[1] == -3.0  # x of the second cell of the first row
    assert row[17] == 4.0
    assert row[33] == 5.0
    assert row[54] == pytest.approx(5 * 4 / 64)


def test_pixel_row_is_where_it_changed():
    then = np.zeros((112, 112), np.uint8)
    then[:28, :28] = 255
    row = pixel_row(np.zeros((112, 112), np.uint8), then)
    assert row[0] == 1.0
    assert row[1:].max() == 0.0


def test_frames_further_apart_than_a_second_are_not_compared(eyes):
    builder = FeatureBuilder(eyes, size=112, aspect=1.0)
    builder.add(np.array([0.0, 0.25, 3.0]), np.stack([scene(), scene(5), scene(20)]))
    found = builder.done()
    assert found.steps_s.tolist() == [0.0, 0.25, 0.0]
    assert np.abs(found.motion["keys"][1]).max() > 0
    assert np.abs(found.motion["keys"][2]).max() == 0.0


def test_steadied_keeps_what_lasts_and_loses_what_noise_does():
    moves = np.full((3, 8, 8, 2), 2.0)
    assert all(steadied(moves[:n]) == pytest.approx(moves[0]) for n in (1, 2, 3))
    places = np.random.default_rng(0).normal(0, 1, (4, 8, 8, 2))  # noise puts everything elsewhere in each frame
    shaken = np.diff(places, axis=0)
    # kernel (.25, .5, .25) on differences of noise: (.25, .25, -.25, -.25), a spread of .5; of one pair it is root two
    assert steadied(shaken) == pytest.approx((places[3] + places[2] - places[1] - places[0]) / 4)


def test_what_came_before_a_gap_is_forgotten(eyes):
    pictures = np.stack([scene(), scene(9), scene(20), scene(20)])
    gap = FeatureBuilder(eyes, size=112, aspect=1.0)
    gap.add(np.array([0.0, 0.125, 3.0, 3.125]), pictures)
    without = FeatureBuilder(eyes, size=112, aspect=1.0)
    without.add(np.array([0.0, 0.125, 0.25, 0.375]), pictures)
    assert np.abs(gap.done().motion["keys"][3]).max() < 1e-4
    assert np.abs(without.done().motion["keys"][3]).max() > 0.1


def test_chunks_do_not_matter(eyes):
    times, pictures = np.arange(5) / 4, np.stack([scene(2.0 * k) for k in range(5)])
    whole, parts = (FeatureBuilder(eyes, size=112, aspect=1.5) for _ in range(2))
    whole.add(times, pictures)
    for k in range(5):
        parts.add(times[k : k + 1], pictures[k : k + 1])
    for name in SOURCES:
        assert whole.done().motion[name] == pytest.approx(parts.done().motion[name], abs=1e-3), name


def test_appearance_is_looked_at_twice_a_second_and_kept_in_between(eyes):
    builder = FeatureBuilder(eyes, size=112, aspect=1.0)
    pictures = np.stack([scene(9.0 * k) for k in range(10)])
    for part in (slice(0, 3), slice(3, 10)):  # chunks do not matter
        builder.add(np.arange(10)[part] / 8, pictures[part])
    appearance = builder.done().appearance.astype(float)
    changes = np.abs(np.diff(appearance, axis=0)).max(axis=1) > 0
    assert (np.flatnonzero(changes) + 1).tolist() == [4, 8]


def test_what_nobody_asks_for_is_not_read(tiny_folder):
    builder = FeatureBuilder(make_eyes(tiny_folder, appearance=False), size=112, aspect=1.0)
    builder.add(np.arange(2) / 8, np.stack([scene(), scene(5)]))
    found = builder.done()
    assert set(found.motion) == {"keys", "optical", "pixels"}
    assert found.appearance.shape == (2, 0)


def test_a_file_gives_its_frames_at_the_rate_asked_for(eyes, tmp_path):
    path = write(tmp_path / "a.mp4", (scene(k) for k in range(50)), 25)
    found = extract(path, eyes, rate_hz=4.0, size=112)
    assert np.diff(found.times_s) == pytest.approx(0.24, abs=0.021)
    assert found.speed.shape == (len(found), 64)


def test_a_single_frame_is_refused(eyes, tmp_path):
    path = write(tmp_path / "one.mp4", [scene()], 25)
    with pytest.raises(StreamError, match="single frame"):
        extract(path, eyes, rate_hz=4.0, size=112)


def test_the_grid_keeps_gaps_and_takes_the_nearest_frame():
    place, times = grid(np.array([0.0, 0.13, 0.26, 1.0]), 8.0)
    assert times == pytest.approx(np.arange(9) / 8)
    assert place.tolist() == [0, 1, 2, -1, -1, -1, -1, -1, 3]
    assert grid(np.array([5.0]), 8.0)[0].tolist() == [0]


def test_cached_features_come_back_and_damage_is_noticed(clips, tmp_path):
    path = tmp_path / "ab" / "x.safetensors"
    assert read_features(path) is None
    write_features(path, clips[0].features)
    found = read_features(path)
    assert found is not None
    assert (found.motion["keys"] == clips[0].features.motion["keys"]).all()
    assert (found.times_s == clips[0].features.times_s).all()
    path.write_bytes(path.read_bytes()[:-20])
    assert read_features(path) is None


def test_the_cache_key_changes_with_all_that_changes_a_value():
    base = {"input_sha256": "a", "backbone_sha256": "b", "rate_hz": 4.0, "size": 112}
    others = [
        base | change for change in ({"input_sha256": "c"}, {"rate_hz": 8.0}, {"size": 224}, {"backbone_sha256": "d"})
    ]
    assert len({feature_key(**x) for x in [base, *others]}) == 5
