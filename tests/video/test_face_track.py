"""Geometry and events of the face: closed forms, gaps, and simulated signals at several frame rates."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.tasks.simulate.portrait import load_picture
from cueflow.tasks.video.episodes import episodes
from cueflow.tasks.video.face import geometry as geometry
from cueflow.tasks.video.face.cover import mask_signs, mouth_covered
from cueflow.tasks.video.face.finder import Face, FaceSearch, Square, ideal_square, squares
from cueflow.tasks.video.face.glasses import glasses_signs, hides_eyes, wears_glasses
from cueflow.tasks.video.face.measures import face_event_rows, face_measures, find_events
from cueflow.tasks.video.face.pose import MODEL_CM, STIFF, head_rotation
from cueflow.tasks.video.face.track import COLUMNS, FaceTrack, TrackBuilder
from cueflow.tasks.video.face.units import UNITS

rng = np.random.default_rng(0)


def turn(pitch=0.0, yaw=0.0, roll=0.0):
    """Rotation from the angles' definitions: roll first, then pitch, then yaw."""
    p, y, r = np.radians([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def mesh():
    """Random points; each landmark on the left mirrors one on the right about x = 0."""
    points = rng.normal(size=(478, 3)) * 20
    pairs = [
        (33, 263),
        (133, 362),
        (160, 387),
        (158, 385),
        (153, 380),
        (144, 373),
        *(pair for part in geometry.MIRRORED.values() for pair in part),
    ]
    for right, left in pairs:
        points[right, 0] = -abs(points[right, 0]) - 5
        points[left] = points[right] * (-1, 1, 1)
    return points


# geometry


@pytest.mark.parametrize(("pitch", "yaw", "roll"), [(10, 0, 0), (0, -25, 0), (0, 0, 15), (12, 20, -8)])
def test_head_angles_are_those_of_the_rotation(pitch, yaw, roll):
    assert geometry.head_angles(turn(pitch, yaw, roll)) == pytest.approx([pitch, yaw, roll])


def test_chin_down_is_positive_pitch():
    looks = turn(pitch=20) @ np.array([0, 0, 1])  # where the face points: towards the camera is z
    assert looks[1] < 0  # y is up


def test_angle_between_poses_is_that_of_one_rotation():
    assert geometry.rotation_between(turn(yaw=10), turn(yaw=-15)) == pytest.approx(25)
    assert geometry.rotation_between(turn(5, 6, 7), turn(5, 6, 7)) == pytest.approx(0, abs=1e-5)


FLIP = np.array([1, -1, -1])


def with_stiff_part(points):
    """The landmarks with the stiff part of a face ahead, so that their pose can be told."""
    points[list(STIFF)] = 7 * np.array(list(MODEL_CM.values())) * FLIP
    return points


def test_the_pose_is_that_of_the_stiff_points_whatever_the_rest_does():
    points = mesh() * (1, -1, -1)
    points[list(STIFF)] = 7 * np.array(list(MODEL_CM.values())) @ turn(12, 20, -8).T * (1, -1, -1) + (300, 200, 50)
    assert head_angles_of(points) == pytest.approx([12, 20, -8])


def test_a_misplaced_point_turns_the_pose_little():
    points = np.zeros((478, 3))
    points[list(STIFF)] = np.array(list(MODEL_CM.values())) * (1, -1, -1)
    points[geometry.NOSE_TIP, 0] += 0.5  # half a centimetre
    assert np.abs(head_angles_of(points)).max() < 1


def test_stiff_points_do_not_move_with_mouth_brows_or_lids():
    moving = {*geometry.LIPS, *geometry.BROWS, *geometry.EYE_LEFT[1:3], *geometry.EYE_RIGHT[1:3]}
    assert not moving & set(STIFF)


def test_head_movement_is_no_expression():
    face = mesh()
    elsewhere = 1.3 * face @ turn(10, 20, 5).T + (30, -12, 4)
    assert geometry.moved(elsewhere, face) == pytest.approx((0,) * 5, abs=1e-9)


def test_a_moving_mouth_moves_the_lower_face_only():
    face = mesh()
    spoken = face.copy()
    lower_only = sorted(set(geometry.LOWER) - set(STIFF))
    spoken[lower_only, 1] += 3
    upper, lower, lips, brows, both = geometry.moved(spoken, face)
    assert upper == pytest.approx(0, abs=1e-9)
    assert lower == pytest.approx(3 * len(lower_only) / len(geometry.LOWER) / geometry.inter_ocular(face))
    assert 0 < both < lower == pytest.approx(lips)
    assert brows == pytest.approx(0, abs=1e-9)


def test_eye_and_mouth_measures_do_not_depend_on_size():
    face = mesh()
    assert geometry.eye_aspect_ratio(3 * face) == pytest.approx(geometry.eye_aspect_ratio(face))
    assert geometry.mouth_gap(3 * face) == pytest.approx(geometry.mouth_gap(face))


def test_eye_aspect_ratio_of_a_rectangle_eye():
    face = np.zeros((478, 3))
    for outer, up1, up2, inner, low2, low1 in (geometry.EYE_RIGHT, geometry.EYE_LEFT):
        face[[outer, inner]] = (0, 0, 0), (30, 0, 0)
        face[[up1, up2, low2, low1]] = (10, 4, 0), (20, 4, 0), (20, -4, 0), (10, -4, 0)
    assert geometry.eye_aspect_ratio(face) == pytest.approx(8 / 30)


def test_a_mirrored_face_has_no_asymmetry_and_a_drooping_mouth_has():
    face = mesh()
    assert geometry.asymmetry(face) == pytest.approx({"mouth": 0, "eye": 0, "brow": 0}, abs=1e-9)
    face[291, 1] += 8
    expected = 8 / len(geometry.MIRRORED["mouth"]) / geometry.inter_ocular(face)
    assert geometry.asymmetry(face) == pytest.approx({"mouth": expected, "eye": 0, "brow": 0}, rel=1e-6, abs=1e-9)


def head_angles_of(points):
    return geometry.head_angles(head_rotation(points))


# crop


@pytest.mark.parametrize(("height", "width"), [(360, 640), (640, 360), (480, 480)])
def test_squares_cover_the_frame_and_stay_inside_it(height, width):
    found = squares(height, width)
    assert found[0].side == max(height, width)
    for side in {s.side for s in found[1:]}:
        seen = np.zeros((height, width), bool)
        for s in found:
            if s.side == side:
                assert s.left >= 0 <= s.top
                assert s.left + side <= width
                assert s.top + side <= height
                seen[s.top : s.top + side, s.left : s.left + side] = True
        assert seen.all()


def test_a_square_beyond_the_frame_is_black_there():
    frame = np.full((4, 8, 3), 9, np.uint8)
    picture = Square(0, -2, 8).of(frame)
    assert picture.shape == (8, 8, 3)
    assert picture[2:6].min() == 9
    assert not picture[:2].any()
    assert not picture[6:].any()


def test_the_ideal_square_holds_the_face_in_its_middle():
    points = np.array([[300.0, 100, 0], [360, 180, 0]])
    square = ideal_square(points, 480, 640)
    assert square.side == int(2.8 * 80)
    assert (square.left + square.side / 2, square.top + square.side / 2) == pytest.approx((330, 140), abs=1)


# track and events


def track(times, **columns):
    full = {name: np.zeros(len(times)) for name in COLUMNS}
    full["eye_aspect"] = np.full(len(times), 0.3)
    full |= {name: np.ones(len(times)) for name in ("inside", "nearness", "size")}
    quick = {f"quick_{name}": columns[name] for name in ("pitch", "yaw") if name in columns}
    return FaceTrack(times, full | quick | columns)


def lose(tr, start, end):
    gone = (tr.times_s >= start) & (tr.times_s < end)
    return FaceTrack(tr.times_s, {name: np.where(gone, np.nan, c) for name, c in tr.columns.items()})


def bump(times, at, width, height):
    return height * np.clip(1 - np.abs(times - at) / (width / 2), 0, None)


def wave(times, start, ramp, length):
    """From rest to its height and back without speed at either, `length` s in all."""
    part = np.clip(np.minimum(times - start, start + length - times) / ramp, 0, 1)
    return (1 - np.cos(np.pi * part)) / 2


def blinking(rate, seconds=60.0, start=0.0, every=3.013):
    times = start + np.arange(round(rate * seconds)) / rate
    shape = sum(0.7 * wave(times, at - 0.15, 0.12, 0.3) for at in np.arange(1.5, seconds, every))
    return track(times, au45=0.1 + shape, eye_aspect=0.3 - 0.35 * shape)


def values(tr, window=None):
    found = face_measures(tr, find_events(tr), [window or Window(0.0, 60.0)])
    return {m.biomarker: m for m in found}


@pytest.mark.parametrize("rate", [25, 30, 60])
def test_blink_rate_and_duration_do_not_depend_on_the_camera(rate):
    found = values(blinking(rate))
    assert found["face_blink_rate"].value == pytest.approx(20)
    assert found["face_blink_duration_mean"].value == pytest.approx(300, abs=12)
    assert found["face_blink_incomplete_share"].value == 0


def test_no_blink_measure_at_a_low_frame_rate():
    found = values(blinking(15))
    for name in ("face_blink_rate", "face_blink_duration_mean", "face_blink_incomplete_share"):
        assert found[name].value is None
        assert found[name].reason is Reason.FRAME_RATE_LOW
    assert found["face_eye_closed_share"].value is not None
    assert not [e for e in face_event_rows(find_events(blinking(15))) if e.kind == "blink"]


def test_a_lost_face_keeps_its_place_and_rates_divide_by_visible_time():
    whole, lost = blinking(30), lose(blinking(30), 20.0, 40.0)
    before, after = (find_events(t).blinks for t in (whole, lost))
    kept = [b.start_s for b in before if not 20 <= b.end_s < 40.2]
    assert [b.start_s for b in after] == pytest.approx(kept, abs=0.02)  # nothing moved forward
    found = values(lost)
    assert found["face_visible_share"].value == pytest.approx(2 / 3, abs=1e-3)
    assert found["face_blink_rate"].value == pytest.approx(60 * len(after) / 40, rel=0.01)
    assert found["face_blink_rate"].coverage == pytest.approx(2 / 3, abs=1e-3)


def test_a_blink_cut_by_a_loss_is_none():
    tr = lose(blinking(30, seconds=6), 4.5, 5.0)  # the second blink has its middle at 4.5
    assert len(find_events(tr).blinks) == 1


def test_no_face_says_so():
    times = np.arange(900) / 30
    found = values(FaceTrack(times, {name: np.full(900, np.nan) for name in COLUMNS}), Window(0.0, 30.0))
    assert found["face_visible_share"].value == 0
    others = [m for name, m in found.items() if name != "face_visible_share"]
    assert all(m.value is None and m.reason is Reason.NO_FACE for m in others)
    assert {m.status for m in others} == {Status.TOO_SHORT}


def test_shallow_blinks_are_incomplete_and_long_closures_no_blinks():
    times = np.arange(1800) / 30
    shape = sum(bump(times, at, 0.3, 0.4) for at in (5, 10, 15, 20)) + np.where((times > 30) & (times < 33), 0.7, 0)
    tr = track(times, au45=0.1 + shape, eye_aspect=0.3 - 0.35 * shape)
    found = values(tr)
    assert found["face_blink_incomplete_share"].value == 1  # opening of .53 at the deepest
    assert found["face_blink_rate"].value == pytest.approx(4)
    assert found["face_eye_closed_share"].value == pytest.approx(3 / 60, abs=0.002)
    closed = [e for e in face_event_rows(find_events(tr)) if e.kind == "eye_closure"]
    assert [(e.start_s, e.end_s) for e in closed] == [(pytest.approx(30, abs=0.05), pytest.approx(33, abs=0.05))]


@pytest.mark.parametrize("rate", [15, 30, 60])
def test_nods_and_shakes_are_told_apart(rate):
    times = np.arange(30 * rate) / rate
    wave = np.where((times > 5) & (times < 6), 7 * np.sin(2 * np.pi * 2 * (times - 5)), 0)
    turns = np.where((times > 12) & (times < 13), 7 * np.sin(2 * np.pi * 2 * (times - 12)), 0)
    found = find_events(track(times, pitch=wave, yaw=turns))
    assert [(n.start_s, n.end_s) for n in found.nods] == [(pytest.approx(5, abs=0.1), pytest.approx(6, abs=0.1))]
    assert [(s.start_s, s.end_s) for s in found.shakes] == [(pytest.approx(12, abs=0.1), pytest.approx(13, abs=0.1))]


def nod_like(times, start, length):
    """Three swings to and fro of 8 degrees that begin and end without speed."""
    part = np.clip((times - start) / length, 0, 1)
    return 8 * np.sin(6 * np.pi * part) * np.sin(np.pi * np.clip(np.minimum(part, 1 - part) / 0.2, 0, 0.5)) ** 2


@pytest.mark.parametrize("rate", [25, 60])
def test_a_nod_lasts_from_rest_to_rest(rate):
    times = np.arange(10 * rate) / rate
    (nod,) = find_events(track(times, pitch=nod_like(times, 5.0, 1.25) + 2 * np.sin(times))).nods
    assert (nod.start_s, nod.end_s) == (pytest.approx(5, abs=0.08), pytest.approx(6.25, abs=0.08))


@pytest.mark.parametrize("rate", [25, 60])
def test_a_drift_before_a_nod_does_not_belong_to_it(rate):
    times = np.arange(10 * rate) / rate
    drift = 3.0 * np.clip((times - 3) / 2, 0, 1)  # the lowest point is long before the nod
    (nod,) = find_events(track(times, pitch=drift + nod_like(times, 5.0, 1.25))).nods
    assert (nod.start_s, nod.end_s) == (pytest.approx(5, abs=0.08), pytest.approx(6.25, abs=0.08))


@pytest.mark.parametrize("rate", [25, 60])
def test_a_mouth_that_opens_at_the_end_of_a_nod_does_not_draw_it_out(rate):
    times = np.arange(60 * rate) / rate
    talks = ((times < 4) | (times > 6.1)) & (times % 10 < 8)
    mouth = np.where(talks, 0.3 * np.sin(3 * np.pi * (times - 6.1)) ** 2, 0)
    tipped = nod_like(times, 5.0, 1.25) + 11 * mouth
    (nod,) = find_events(track(times, pitch=tipped, mouth_open=mouth)).nods
    assert (nod.start_s, nod.end_s) == (pytest.approx(5, abs=0.06), pytest.approx(6.25, abs=0.06))
    (drawn_out,) = find_events(track(times, pitch=tipped)).nods
    assert drawn_out.end_s > 6.35


def test_when_a_nod_ends_is_read_off_the_angle_that_does_not_lag():
    times = np.arange(600) / 60
    nod = nod_like(times, 5.0, 1.25)
    slow = nod.copy()
    for i in range(1, len(slow)):
        slow[i] = slow[i - 1] + (0.2 if times[i] > 6 else 1.0) * (nod[i] - slow[i - 1])
    ends = [find_events(track(times, pitch=slow, quick_pitch=quick)).nods[0].end_s for quick in (slow, nod)]
    assert ends[1] == pytest.approx(6.25, abs=0.05)
    assert ends[0] > ends[1] + 0.05


def test_two_nods_one_after_the_other_stay_two():
    times = np.arange(300) / 30
    wave = sum(7 * np.sin(2 * np.pi * 2 * (times - at)) * ((times > at) & (times < at + 1)) for at in (3.0, 4.6))
    first, second = find_events(track(times, pitch=wave)).nods
    assert first.end_s < second.start_s


def test_a_slow_turn_and_a_single_look_down_are_no_nods():
    times = np.arange(900) / 30
    slow = 15 * np.sin(2 * np.pi * times / 10)
    down = np.where(times > 10, 20.0, 0.0)
    assert not find_events(track(times, pitch=slow, yaw=slow)).nods
    assert not find_events(track(times, pitch=down)).nods


def test_a_nod_may_start_from_rest_and_come_back_once():
    times = np.arange(300) / 30
    once = np.where((times > 5) & (times < 5.6), 6 * np.sin(np.pi * (times - 5) / 0.6), 0)
    assert len(find_events(track(times, pitch=once)).nods) == 1


def test_a_nod_does_not_cross_a_gap():
    times = np.arange(300) / 30
    once = np.where((times > 5) & (times < 5.6), 6 * np.sin(np.pi * (times - 5) / 0.6), 0)
    assert not find_events(lose(track(times, pitch=once), 5.3, 5.35)).nods


def smile_like(times, shown):
    """What a smile does to the score, which stays near zero at first, and to the corners."""
    return {"au12": 0.9 * np.clip((shown - 0.25) / 0.4, 0, 1), "corners": 1.2 + 0.15 * shown}


@pytest.mark.parametrize("rate", [25, 60])
@pytest.mark.parametrize("ramp", [0.2, 0.5, 1.0])
def test_smiles_last_from_where_the_corners_of_the_mouth_leave_their_rest_to_where_they_are_back(rate, ramp):
    times = np.arange(rate * 20) / rate
    talk = 0.006 * np.random.default_rng(1).normal(size=len(times))
    shown = smile_like(times, wave(times, 5.01, ramp, 4.0))
    (smile,) = find_events(track(times, **shown | {"corners": shown["corners"] + talk})).smiles
    assert (smile.start_s, smile.end_s) == (pytest.approx(5.01, abs=0.04), pytest.approx(9.01, abs=0.04))


def test_a_slow_smile_begins_a_little_before_a_fifth_of_its_height_at_most():
    times = np.arange(900) / 30
    (smile,) = find_events(track(times, **smile_like(times, wave(times, 5.0, 4.0, 12.0)))).smiles
    assert 5.4 < smile.start_s < 6.6


def test_without_a_way_of_the_corners_the_score_says_how_long_a_smile_is():
    times = np.arange(600) / 30
    found = find_events(track(times, au12=np.clip((times - 5) / 2, 0, 0.8) * (times < 12))).smiles
    assert [(s.start_s, s.peak) for s in found] == [(pytest.approx(5.5), pytest.approx(0.8))]


def test_the_corners_of_the_mouth_go_up_and_outwards_in_the_head_whatever_the_head_does():
    face = mesh()
    smiling = face.copy()
    smiling[[61, 291]] += np.array([[-3.0, -4.0, 0], [3.0, -4.0, 0]])  # y is down in the picture
    way = geometry.mouth_corners(smiling, np.eye(3)) - geometry.mouth_corners(face, np.eye(3))
    assert way == pytest.approx(7 / geometry.inter_ocular(face))
    flip = np.array([1.0, -1.0, -1.0])
    turned = (face * flip) @ turn(10, 20, 5).T * flip
    assert geometry.mouth_corners(turned, turn(10, 20, 5)) == pytest.approx(geometry.mouth_corners(face, np.eye(3)))


def test_behind_a_mask_nobody_smiles_and_the_rows_say_why():
    times = np.arange(1800) / 30
    shown = smile_like(times, wave(times, 5.0, 0.4, 4.0)) | {"lip_red": np.full(1800, 0.5)}
    bare, masked = (track(times, **shown, jaw_colour=np.full(1800, colour)) for colour in (5.0, 25.0))
    assert values(bare)["face_smile_rate"].value == pytest.approx(1)
    found = values(masked)
    hidden = {"face_smile_rate", "face_mouth_open_mean", "face_au12_mean", "face_expressivity_total_mean"}
    assert {(found[name].value, found[name].reason) for name in hidden} == {(None, Reason.MOUTH_COVERED)}
    assert found["face_blink_rate"].value is not None
    assert found["face_expressivity_brows_mean"].value is not None
    assert "smile" not in {e.kind for e in face_event_rows(find_events(masked))}


def test_a_mask_over_the_portrait_is_told_and_its_bare_mouth_is_not(face_model):
    import cv2

    portrait = np.ascontiguousarray(load_picture()[:, :, ::-1])
    with FaceSearch(face_model) as search:
        points = search.anywhere(portrait, tries=None).points
    outline = [234, 117, 119, 197, 348, 346, 454, 361, 397, 378, 152, 149, 172, 132]
    masked = cv2.fillPoly(portrait.copy(), [np.round(points[outline, :2]).astype(np.int32)], (150, 190, 215))
    bare, covered = (np.reshape(mask_signs(p, points), (2, 1)) for p in (portrait, masked))
    assert (mouth_covered(*bare), mouth_covered(*covered)) == (False, True)
    assert np.isnan(mask_signs(portrait, points + 5000)).all()


def test_behind_glasses_gaze_is_less_sure_and_behind_dark_ones_the_eyes_have_no_values():
    times = np.arange(1800) / 30
    worn = {"bridge_dark": np.full(1800, 0.4), "bridge_edge": np.full(1800, 0.15)}
    blink = {"au45": 0.1 + 0.6 * (np.abs(times - 12) < 0.1)}
    bare, clear = track(times, **blink), track(times, **blink, **worn, iris_dark=np.full(1800, 0.3))
    dark = track(times, **blink, **worn, iris_dark=np.full(1800, 0.01))
    assert values(bare)["gaze_yaw_sd"].reason is None
    assert (values(clear)["gaze_yaw_sd"].status, values(clear)["gaze_yaw_sd"].reason) == (
        Status.LOW_QUALITY,
        Reason.GLASSES,
    )
    assert values(clear)["gaze_yaw_sd"].value is not None
    assert values(clear)["face_blink_rate"].value == pytest.approx(1)
    for name in ("gaze_yaw_sd", "face_blink_rate", "face_eye_closed_share", "face_au07_mean"):
        assert (values(dark)[name].value, values(dark)[name].reason) == (None, Reason.EYES_COVERED)
    assert values(dark)["head_yaw_sd"].value is not None
    assert "blink" not in {e.kind for e in face_event_rows(find_events(dark))}


def test_glasses_of_the_portrait_are_told_and_without_their_bridge_they_are_not(face_model):
    import cv2

    portrait = np.ascontiguousarray(load_picture()[:, :, 2::-1])
    with FaceSearch(face_model) as search:
        points = search.anywhere(portrait, tries=None).points
    ridge = np.round(points[[9, 168, 6, 197, 195], :2]).astype(np.int32)
    bridge = cv2.polylines(np.zeros(portrait.shape[:2], np.uint8), [ridge], isClosed=False, color=1, thickness=25)
    bare = portrait.copy()
    bare[bridge > 0] = np.median(portrait[bridge > 0], axis=0)
    worn, without = (glasses_signs(p, points) for p in (portrait, bare))
    assert [wears_glasses(*np.reshape(signs[:2], (2, 1))) for signs in (worn, without)] == [True, False]
    assert not hides_eyes(np.array(worn[2:]))
    assert np.isnan(glasses_signs(portrait, points + 5000)).all()


def test_speeds_agree_between_frame_rates_and_nothing_crosses_a_loss():
    face = with_stiff_part(mesh())
    shapes = dict.fromkeys({n for names in UNITS.values() for n in names}, 0.0)
    picture = np.full((480, 640, 3), 90, np.uint8)

    def build(rate, lost=()):
        builder = TrackBuilder(480, 640)
        for i in range(rate * 4):
            time = i / rate
            mouth = face.copy()
            mouth[[13, 14, 0, 17], 1] += 2 * time
            seen = Face((mouth * FLIP) @ turn(yaw=8 * time).T * FLIP, turn(yaw=8 * time), shapes)
            builder.add(time, None if i in lost else seen, picture)
        return builder.done(np.arange(rate * 4) / rate)

    speeds = [(np.nanmean(t["head_speed"]), np.nanmean(t["moved_lower"])) for t in map(build, (25, 30, 60))]
    assert [s[0] for s in speeds] == pytest.approx([8, 8, 8])
    assert [s[1] for s in speeds] == pytest.approx([speeds[0][1]] * 3, rel=0.01)
    gap = build(30, lost=range(30, 60))
    assert np.nanmax(gap["head_speed"]) == pytest.approx(8)
    assert not np.isfinite(gap["head_speed"][30:63]).any()
    assert not gap.visible[30:60].any()


@pytest.mark.parametrize("every", [(2, 3), (2,), (1, 2)])
def test_a_talking_mouth_is_as_quick_at_any_frame_rate(every):
    face, shapes = with_stiff_part(mesh()), dict.fromkeys({n for names in UNITS.values() for n in names}, 0.0)
    picture = np.full((480, 640, 3), 90, np.uint8)
    steps = np.tile(every, 400)
    frames = {"all": np.arange(600), "some": np.cumsum(steps)[np.cumsum(steps) < 600]}
    found = {}
    for name, kept in frames.items():
        builder = TrackBuilder(480, 640)
        for time in kept / 60:
            mouth = face.copy()
            mouth[[13, 14, 0, 17], 1] += 3 * np.sin(2 * np.pi * 3.1 * time)  # syllables
            builder.add(time, Face(mouth, np.eye(3), shapes), picture)
        found[name] = builder.done(kept / 60)
    lips = [float(np.nanmean(t["moved_lips"])) for t in found.values()]
    assert lips[1] == pytest.approx(lips[0], rel=0.05)
    assert np.isfinite(found["some"]["moved_lips"]).sum() == pytest.approx(100, abs=2)  # ten a second


def test_hysteresis_needs_the_high_level_and_keeps_the_low():
    times = np.arange(7.0) / 10
    signal = np.array([0, 0.3, 0.6, 0.3, 0, 0.3, 0])
    (only,) = episodes(times, signal, high=0.5, low=0.15)
    assert (only.start_s, only.end_s) == (pytest.approx(0.05), pytest.approx(0.35))
    assert only.cut is False or not only.cut
