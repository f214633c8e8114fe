"""The portrait moves as truth says: pixels for what can be seen in them, the face landmarker for the rest."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest

from cueflow.tasks.simulate import Effects, simulate
from cueflow.tasks.simulate.head import _CENTRE as HEAD
from cueflow.tasks.simulate.head import Head, Pose
from cueflow.tasks.simulate.head import _depth as head_depth
from cueflow.tasks.simulate.portrait import LEVELS, Mouth, draw_eyes, load_picture
from cueflow.tasks.simulate.scene import Instant, Scene
from cueflow.tasks.simulate.timeline import blink_closure, raised, swings
from cueflow.tasks.video.face.geometry import head_angles
from cueflow.tasks.video.face.pose import head_rotation

ROOT = Path(__file__).resolve().parents[2]
STILL = Instant(
    closure=0.0, smile=0.0, opening=0.0, pose=Pose(), hands=((0.0, 0.0),) * 2, camera=(0.0, 0.0), zoom=0.0, light=1.0
)


@pytest.fixture
def scene() -> Scene:
    return Scene(look_seed=1, room_seed=2, width=320, height=180, margin=20, noise=0.0)


def luma(scene: Scene, instant: Instant) -> np.ndarray:
    return scene.draw(instant)[:180].astype(np.float64)


def centroid(change: np.ndarray) -> tuple[float, float]:
    down, across = np.mgrid[0 : change.shape[0], 0 : change.shape[1]]
    return float((down * change).sum() / change.sum()), float((across * change).sum() / change.sum())


def test_a_still_scene_is_still(scene):
    assert np.array_equal(luma(scene, STILL), luma(scene, STILL))


def test_closing_the_eyes_changes_more_and_more_of_the_eyes_only():
    eyes = draw_eyes(load_picture())
    change = [np.abs(eye.astype(int) - eyes[0]).mean() for eye in eyes]
    assert len(eyes) == LEVELS + 1
    assert change[0] == 0.0
    assert all(b > a - 0.3 for a, b in itertools.pairwise(change))
    iris = eyes[0][22:32, 30:40].mean(), eyes[-1][22:32, 30:40].mean()
    assert iris[1] > iris[0] + 20  # skin where the dark iris was


def test_the_mouth_at_rest_is_the_portrait():
    picture = load_picture()
    from cueflow.tasks.simulate.portrait import MOUTH

    mouth = Mouth(picture)
    assert np.abs(mouth.at(0.0, 0.0).astype(int) - picture[MOUTH]).max() <= 1
    dark = [(mouth.at(0.0, opening).max(axis=2) < 100).sum() for opening in (0.0, 0.5, 1.0)]
    assert dark[0] < dark[1] < dark[2]


def test_camera_zoom_and_light_do_what_they_say(scene):
    still = luma(scene, STILL)
    moved = luma(scene, replace(STILL, camera=(12.0, -5.0)))
    assert np.abs(moved[20:150, 40:280] - still[25:155, 28:268]).max() <= 2
    assert luma(scene, replace(STILL, light=0.7)).mean() == pytest.approx(0.7 * still.mean(), rel=0.1)
    zoomed = luma(scene, replace(STILL, zoom=0.5))
    assert np.abs(zoomed[90, 160] - still[90, 160]) < 25
    assert np.abs(zoomed - still).mean() > 5


def test_a_hand_moves_alone_and_by_its_pixels(scene):
    still = luma(scene, STILL)
    change = np.abs(luma(scene, replace(STILL, hands=((0.0, 0.0), (10.0, 0.0)))) - still)
    assert change[:, :230].max() == 0
    assert change.max() > 30


def test_a_nod_moves_the_head_and_not_the_shoulders(scene):
    change = np.abs(luma(scene, replace(STILL, pose=Pose(pitch_deg=8.0))) - luma(scene, STILL))
    assert centroid(change)[0] < 110
    assert change[170:].max() <= 12
    assert change[60:110, 120:200].mean() > 3


@pytest.mark.parametrize(("yaw", "pitch"), [(10, 0), (-15, 0), (0, 10), (0, -12)])
def test_a_turned_head_is_a_turned_surface(yaw, pitch):
    """Where a point of the face lands: the rotation of its place and depth, whatever any landmarker says of it."""
    head, turn = Head(scale=1.0, rows=640, mirrored=False), np.radians([yaw, pitch])
    from_x, from_y = head._maps(Pose(pitch_deg=pitch, yaw_deg=yaw))
    for place in ((267, 243), (207, 194), (322, 187), (267, 280), (264, 140), (190, 240)):  # nose, eyes, mouth, …
        depth = float(head_depth(np.array(float(place[0])), np.array(float(place[1]))))
        x, y = np.array(HEAD) + (np.array(place) - HEAD) * np.cos(turn) + depth * np.sin(turn)
        at = round(y - head.top), round(x - head.left)
        assert (from_x[at], from_y[at]) == pytest.approx(place, abs=6)  # it moved by up to 50


def test_nobody_is_there_when_nobody_is_there(scene):
    still, empty = luma(scene, STILL), luma(scene, replace(STILL, present=False))
    assert np.abs(still - empty)[40:140, 130:190].mean() > 20


def test_shapes_of_episodes():
    times = np.arange(0.0, 2.0, 0.001)
    blink = blink_closure(times, 0.5, 0.3)
    assert blink.max() == pytest.approx(1.0)
    assert 0.5 + 0.35 * 0.3 <= times[blink > 0.999].mean() <= 0.5 + 0.5 * 0.3
    assert blink[(times < 0.5) | (times > 0.8)].max() == 0.0
    assert raised(times, 0.5, 1.0, 0.2)[np.searchsorted(times, 1.0)] == 1.0
    nod = swings(times, 0.5, 1.0, 2.0)
    assert np.abs(nod).max() == pytest.approx(1.0, abs=0.05)
    assert nod[(times < 0.5) | (times > 1.5)].max() == 0.0


def test_subjects_look_different():
    looks = [
        Scene(look_seed=k, room_seed=5, width=320, height=180, margin=4, noise=0.0).draw(STILL)[:180].astype(int)
        for k in range(3)
    ]
    assert min(np.abs(looks[a] - looks[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) > 3.0


def test_variable_frame_times_are_written_as_they_were_drawn(tmp_path):
    from cueflow.tasks.simulate.cohort import draw_cohort
    from cueflow.tasks.simulate.video import frame_times

    effects = replace(Effects.quick(width=160, height=96), modalities=("video",), variable_frame_times=True)
    simulate(tmp_path / "c", sessions=2, minutes=0.1, effects=effects)
    plan = draw_cohort(2, 0.1, 0, effects)[1]
    true = frame_times(plan)
    assert np.diff(true).max() > 0.25  # the hole
    assert np.diff(true).std() > 0.002
    with av.open(str(tmp_path / "c" / "s002" / "video.mp4")) as file:
        stream = file.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in file.decode(stream)]
    assert np.allclose(times, true, atol=1e-4)


def test_sound_inside_the_video_starts_with_it(tmp_path):
    effects = replace(Effects.plain(), modalities=("video", "audio"), aac_in_video=True, width=160, height=96)
    cohort = simulate(tmp_path / "c", sessions=3, minutes=0.15, effects=effects)
    assert not (cohort.root / "s003" / "patient.wav").exists()
    truth = pl.read_parquet(cohort.truth).filter(session_id="s003")
    with av.open(str(cohort.root / "s003" / "video.mp4")) as file:
        stream = file.streams.audio[0]
        blocks = [(float(b.pts * stream.time_base), b.to_ndarray().ravel()) for b in file.decode(stream)]
    sound = np.concatenate([block for _, block in blocks])
    times = blocks[0][0] + np.arange(len(sound)) / 16000
    onset = truth.filter(kind="speech", name="patient")["onset_s"].min()
    loud = times[np.flatnonzero(np.abs(sound) > 0.02)[0]]
    assert loud == pytest.approx(onset, abs=0.06)


def readings(path: Path, model: Path) -> Iterator[tuple[float, dict[str, float], np.ndarray]]:
    """Time, scores, and pitch, yaw and roll of the face in each frame where one is found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=True,
        running_mode=vision.RunningMode.VIDEO,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker, av.open(str(path)) as file:
        for frame in file.decode(video=0):
            image = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame.to_ndarray(format="rgb24"))
            time = float(frame.pts * frame.time_base)
            found = landmarker.detect_for_video(image, round(1000 * time))
            scores = {c.category_name: c.score for c in found.face_blendshapes[0]} if found.face_blendshapes else {}
            if scores:
                points = np.array([(p.x, p.y, p.z) for p in found.face_landmarks[0]])
                angles = head_angles(head_rotation(points * (frame.width, frame.height, frame.width)))
            yield time, scores, angles if scores else np.full(3, np.nan)


@pytest.mark.slow
def test_the_face_landmarker_sees_what_truth_says(tmp_path):
    model = ROOT.parent / "shared" / "models" / "face_landmarker.task"
    if not model.is_file():
        pytest.skip("the face landmarker's model is not beside the checkout (shared/models/face_landmarker.task)")
    effects = replace(
        Effects.plain(),
        modalities=("video", "audio"),
        blink_rate_per_min=20.0,
        nods_per_min=8.0,
        shakes_per_min=6.0,
        smiles_per_min=6.0,
    )
    simulate(tmp_path / "c", sessions=1, minutes=0.5, seed=4, effects=effects)
    truth = pl.read_parquet(tmp_path / "c" / "truth.parquet")
    seen = list(readings(tmp_path / "c" / "s001" / "video.mp4", model))
    there = [(time, scores, turn) for time, scores, turn in seen if scores]
    assert len(there) > 0.95 * len(seen)
    times = np.array([time for time, _, _ in there])
    pitch, yaw, _ = np.array([turn for _, _, turn in there]).T

    def mean(name: str) -> np.ndarray:
        return np.array([(scores[f"{name}Left"] + scores[f"{name}Right"]) / 2.0 for _, scores, _ in there])

    def during(kind: str, margin: float = 0.0) -> list[np.ndarray]:
        spans = truth.filter(kind=kind).select("onset_s", "duration_s").rows()
        return [(times >= on - margin) & (times <= on + long + margin) for on, long in spans]

    blinks = during("blink", 0.1)
    blink = mean("eyeBlink")
    assert len(blinks) >= 6
    assert min(blink[span].max() for span in blinks) > 0.4
    assert blink[~np.any(blinks, axis=0)].max() < 0.25
    smiles = during("smile")
    smile = mean("mouthSmile")
    assert min(smile[span].max() for span in smiles) > 0.5
    assert np.percentile(smile[~np.any(smiles, axis=0)], 90) < 0.3
    for kind, angle in (("nod", pitch), ("shake", yaw)):
        sizes = truth.filter(kind=kind)["value"].to_numpy()
        assert len(sizes) >= 2
        ratio = [np.ptp(angle[span]) / (2.0 * size) for span, size in zip(during(kind), sizes, strict=True)]
        assert np.median(ratio) == pytest.approx(1.0, abs=0.35)
