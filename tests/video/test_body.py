"""Body and hands: speeds, posture, touch and spectra on bodies with known movement, at several frame rates."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.tasks.simulate.head import Pose
from cueflow.tasks.simulate.scene import Instant, Scene
from cueflow.tasks.video.body import finder
from cueflow.tasks.video.body.finder import Body, BodyFollower, BodyModels
from cueflow.tasks.video.body.measures import body_measures, contacts, posture_shifts
from cueflow.tasks.video.body.signals import body_signals
from cueflow.tasks.video.body.spectrum import TREMOR_LOW_HZ, band_power, hand_spectrum, stands_out
from cueflow.tasks.video.body.track import PARTS, TIPS, BodyBuilder
from cueflow.tasks.video.people.cast import Cast, CastModels

SITTING = {
    "nose": (0.0, -0.6), "left_ear": (0.15, -0.6), "right_ear": (-0.15, -0.6), "left_shoulder": (0.5, 0.0),
    "right_shoulder": (-0.5, 0.0), "left_elbow": (0.6, 0.7), "right_elbow": (-0.6, 0.7), "left_wrist": (0.4, 1.2),
    "right_wrist": (-0.4, 1.2), "left_index": (0.35, 1.35), "right_index": (-0.35, 1.35), "left_hip": (0.35, 1.4),
    "right_hip": (-0.35, 1.4),
}  # fmt: skip


def body_track(*, rate=12.0, seconds=60.0, scale=150.0, hidden=(), hands_hz=4.0, tips=None, **moves):
    """A person sitting in a frame of 640 × 480, `scale` pixels per shoulder width; moves(t) are in shoulder widths."""
    builder = BodyBuilder(480, 640)
    middle = np.array([320.0, 200.0])
    last_hands = -np.inf
    for t in np.arange(round(seconds * rate)) / rate:
        points, visibility = np.zeros((33, 2)), np.zeros(33)
        for part, place in SITTING.items():
            moved = (
                np.array(place)
                + np.array(moves.get(part, lambda _: (0, 0))(t))
                + np.array(moves.get("all", lambda _: (0, 0))(t))
            )
            points[PARTS[part]] = middle + scale * moved
            visibility[PARTS[part]] = 0.1 if part in hidden else 0.99
        builder.add(t, Body(points, visibility))
        if t - last_hands >= 1 / hands_hz - 1e-6:
            last_hands = t
            hand = None
            if tips is not None and tips(t) is not None:
                hand = np.zeros((21, 2))
                hand[list(TIPS)] = middle + scale * np.array(tips(t))
            builder.add_hands(t, [hand, None])
    return builder.done()


def values(track, window=None):
    found = body_measures(track, body_signals(track), [window or Window(0.0, 60.0)])
    return {m.biomarker: m for m in found}


def swing(t):
    return (0.3 * np.sin(2 * np.pi * 0.5 * t), 0.0)


@pytest.mark.parametrize(("rate", "scale"), [(10, 100), (12.5, 150), (15, 60), (30, 150)])
def test_speed_does_not_depend_on_camera_or_distance(rate, scale):
    found = values(body_track(rate=rate, scale=scale, left_wrist=swing))
    assert found["hand_motion_left_mean"].value == pytest.approx(4 * 0.3 * 0.5, rel=0.06)
    assert found["hand_motion_right_mean"].value == pytest.approx(0, abs=1e-6)


def test_stillness_and_its_longest_span():
    found = values(body_track(all=lambda t: swing(t) if 20 <= t < 30 else (0, 0)))
    assert found["body_still_share"].value == pytest.approx(50 / 60, abs=0.04)
    assert found["body_still_longest"].value == pytest.approx(30, abs=1)


def test_hidden_hands_give_no_value_but_a_reason():
    found = values(body_track(hidden=("left_wrist", "left_hip", "right_hip")))
    assert found["hand_motion_left_mean"].value is None
    assert found["hand_motion_left_mean"].reason is Reason.BODY_NOT_VISIBLE
    assert found["body_trunk_lean_mean"].reason is Reason.BODY_NOT_VISIBLE
    assert found["hand_motion_right_mean"].status is Status.OK
    assert found["body_shoulder_tilt_mean"].value == pytest.approx(0, abs=1e-4)


def test_lean_and_tilt_are_angles():
    def lean(part):
        high = 1.4 - SITTING[part][1]
        return lambda t: (high * np.tan(np.radians(10)), 0.0)

    parts = {part: lean(part) for part in SITTING if "hip" not in part}
    assert values(body_track(**parts))["body_trunk_lean_mean"].value == pytest.approx(10, abs=0.1)
    up = {"left_shoulder": lambda t: (0.0, -np.tan(np.radians(8)))}
    assert values(body_track(**up))["body_shoulder_tilt_mean"].value == pytest.approx(8, abs=0.1)


def test_a_change_of_posture_counts_once_and_a_sway_not():
    track = body_track(all=lambda t: (0.4, 0.0) if 20 <= t < 45 else (0.0, 0.0))
    assert [e.start_s for e in posture_shifts(body_signals(track))] == pytest.approx([20, 45], abs=0.5)
    assert values(track)["body_posture_shift_rate"].value == pytest.approx(2, abs=0.1)
    assert not posture_shifts(body_signals(body_track(all=lambda t: (0.05 * np.sin(t), 0.0))))


def test_fingertips_at_the_face_are_contacts():
    def tips(t):
        at_face = 10 <= t < 14 or 40 <= t < 41
        return [((0.1, -0.45) if at_face else (0.4, 1.5))] * 5

    track = body_track(tips=tips)
    spans = [(e.start_s, e.end_s) for e in contacts(body_signals(track))]
    assert np.ravel(spans).tolist() == pytest.approx([10, 14, 40, 41], abs=0.3)
    found = values(track)
    assert found["hand_to_face_rate"].value == pytest.approx(2, abs=0.1)
    assert found["hand_to_face_share"].value == pytest.approx(5 / 60, abs=0.01)


def test_crossed_arms_and_folded_hands():
    crossed = {"left_wrist": lambda t: (-0.9, -0.5), "right_wrist": lambda t: (0.9, -0.5)}
    found = values(body_track(**crossed))
    assert found["body_arms_crossed_share"].value == pytest.approx(1)
    assert values(body_track())["body_arms_crossed_share"].value == pytest.approx(0)
    folded = {"left_index": lambda t: (-0.4, 0.0), "right_index": lambda t: (0.4, 0.0)}
    assert values(body_track(**folded))["hand_self_touch_share"].value == pytest.approx(1)
    assert values(body_track())["hand_self_touch_share"].value == pytest.approx(0)


def test_fidgeting_has_the_power_of_its_amplitude():
    found = values(body_track(left_wrist=lambda t: (0.05 * np.sin(2 * np.pi * 2.5 * t), 0.0)))
    assert found["hand_fidget_left_power"].value == pytest.approx(0.05**2 / 2, rel=0.1)
    assert found["hand_fidget_right_power"].value == pytest.approx(0, abs=1e-8)


def test_tremor_needs_thirty_looks_and_a_peak():
    shaking = {"left_wrist": lambda t: (0.01 * np.sin(2 * np.pi * 5 * t), 0.0)}
    slow = values(body_track(rate=12, **shaking))["hand_tremor_4_6_power"]
    assert (slow.value, slow.reason) == (None, Reason.FRAME_RATE_LOW)
    found = values(body_track(rate=30, **shaking))
    assert found["hand_tremor_4_6_power"].value == pytest.approx(0.01**2 / 2, rel=0.15)
    assert found["hand_tremor_6_12_power"].reason is Reason.LOW_SIGNAL
    assert found["hand_tremor_6_12_power"].value is None


def test_a_spectrum_crosses_no_gap():
    times = np.arange(300) / 30
    place = np.column_stack([0.1 * np.sin(2 * np.pi * 5 * times), 0 * times])
    frequencies, power, seconds = hand_spectrum(times, place)
    assert band_power(frequencies, power, TREMOR_LOW_HZ) == pytest.approx(0.005, rel=0.1)
    assert stands_out(frequencies, power, TREMOR_LOW_HZ)
    assert seconds == pytest.approx(10, abs=0.1)
    place[90::90] = np.nan
    assert hand_spectrum(times, place)[2] == 0.0


def test_joined_tracks_take_what_either_saw():
    first, second = body_track(seconds=10), body_track(seconds=10, hidden=tuple(SITTING))
    joined = second.joined(first)
    assert len(joined.times_s) == len(first.times_s)
    assert joined.visible.all()


@pytest.mark.slow
def test_two_people_who_sit_close_have_a_body_each(people_models, monkeypatch):
    import cv2

    models = BodyModels(people_models["pose"], people_models["hands"])
    quiet = Instant(0.0, 0.0, 0.0, Pose(), ((0.0, 999.0),) * 2, (0.0, -20.0), -0.25, 1.0)
    scenes = [Scene(look_seed=s, room_seed=5, width=480, height=360, margin=220, noise=1.0) for s in (1, 2)]
    picture = np.hstack([cv2.cvtColor(scene.draw(quiet), cv2.COLOR_YUV2RGB_I420) for scene in scenes])
    with Cast(CastModels(*(people_models[name] for name in ("landmarker", "detector", "identity"))), most=2) as cast:
        for k in range(6):
            faces = list(cast.look(k / 10, picture).faces.values())
    assert len(faces) == 2

    def bodies(*, covered):
        found = []
        for face in faces:
            follower = BodyFollower(models)
            others = [other for other in faces if covered and other is not face]
            found.append([follower.look(k / 10, picture, face, others) for k in range(9)])
            follower.close()
        return found

    opened, real = [], finder._landmarker
    monkeypatch.setattr(finder, "_landmarker", lambda kind, model: opened.append(kind) or real(kind, model))
    assert any(body is None for each in bodies(covered=False) for body in each)  # the other's is found instead
    assert len(opened) <= 4  # a model that has to forget somebody else's body is not opened again at every look
    opened.clear()
    assert all(body is not None for each in bodies(covered=True) for body in each)
    assert opened == ["Pose", "Pose"]
