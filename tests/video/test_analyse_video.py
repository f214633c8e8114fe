"""A whole video to findings: extent, clock, phases, exclusions, and real faces with known events."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from cueflow.schemas.biomarkers import SERIES, of_modality
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Window
from cueflow.schemas.session import Exclusion, Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.portrait import load_picture
from cueflow.tasks.video.analyse import Cue, Place, analyse_video, findings
from cueflow.tasks.video.body.track import PARTS, BodyTrack
from cueflow.tasks.video.decode import Decoder, frames, inspect
from cueflow.tasks.video.face.track import COLUMNS as FACE
from cueflow.tasks.video.face.track import FaceTrack
from cueflow.tasks.video.follow import PersonTrack, Tracks, VideoModels, follow
from cueflow.tasks.video.motion.backbone import Backbone
from cueflow.tasks.video.motion.measures import motion_series
from cueflow.tasks.video.motion.track import COLUMNS as MOTION
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder, MotionTrack
from cueflow.tasks.video.people.cast import Sightings
from cueflow.tasks.video.people.roster import Person


@pytest.fixture
def analyse(people_models, tiny_backbone):
    def run(path, *, start_s=0.0, phases=(), backbone=tiny_backbone, config=None, **options):
        models = VideoModels(backbone=backbone, **people_models)
        place = Place(start_s, tuple(phases))
        found = analyse_video(path, place=place, models=models, config=config or VideoConfig(), **options)
        return found[Role.PATIENT]

    return run


def by_name(found, phase="session"):
    return {m.biomarker: m for m in found.measures if m.window.phase == phase}


def test_everything_declared_is_computed_and_nothing_else(analyse, make_clip):
    found = analyse(make_clip(rate=25, seconds=3), start_s=10.0, phases=[Window(11.0, 12.0, "rest")])
    declared = {b.name for b in of_modality("video")}
    assert {m.biomarker for m in found.measures} == declared
    assert len(found.measures) == 2 * len(declared)
    assert sorted(s.name for s in found.series) == sorted(s.name for s in SERIES.values() if s.modality == "video")
    assert (found.start_s, found.end_s) == pytest.approx((10.0, 13.0))
    assert (found.status, found.reason) == (Status.LOW_QUALITY, Reason.NO_FACE)
    assert all(np.array_equal(s.t_s, [10.0, 11.0, 12.0]) for s in found.series)


def test_both_decoders_find_the_same(analyse, make_clip):
    clip = make_clip(rate=30, seconds=3, speed=15)
    first, second = (by_name(analyse(clip, decoder=d)) for d in ("decord", "av"))
    for name in ("face_visible_share", "motion_energy_mean", "motion_camera_speed_mean"):
        assert first[name].value == (None if second[name].value is None else pytest.approx(second[name].value, rel=0.2))


def test_a_file_that_ends_early_says_so(analyse, tmp_path, make_clip):
    import av

    whole = tmp_path / "whole.mp4"
    source = make_clip(rate=25, seconds=8, speed=40)
    with av.open(str(source)) as old, av.open(str(whole), "w", options={"movflags": "faststart"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found = analyse(cut)
    assert (found.status, found.reason) == (Status.LOW_QUALITY, Reason.FILE_TRUNCATED)
    assert 1 < found.end_s < 7
    assert analyse(whole).reason is Reason.NO_FACE


def test_progress_ends_at_one(analyse, make_clip):
    told: list[float] = []
    analyse(make_clip(rate=25, seconds=4), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "level", "reason"),
    [((120, 160), 6, Reason.PICTURE_TOO_DARK), ((40, 64), 200, Reason.PICTURE_TOO_SMALL)],
)
def test_a_picture_that_shows_nothing_is_not_a_still_one(analyse, write, shape, level, reason):
    rng = np.random.default_rng(0)
    pictures = [np.clip(rng.normal(level, 3, (*shape, 3)), 0, 255).astype(np.uint8) for _ in range(30)]
    found = analyse(write(pictures, rate=10))
    assert (found.status, found.reason) == (Status.LOW_QUALITY, reason)
    assert {m.value for m in found.measures} == {None}
    assert {m.reason for m in found.measures} == {reason}


@pytest.mark.real
@pytest.mark.parametrize(("step", "reason"), [(1, None), (-1, Reason.PICTURE_UPSIDE_DOWN)])
def test_a_camera_that_stood_on_its_head(analyse, shared_data, write, step, reason):
    import av

    with av.open(str(shared_data / "video_rppg" / "evm_face.mp4")) as file:
        frames = [f.to_ndarray(format="rgb24") for n, f in enumerate(file.decode(video=0)) if n < 120 and n % 3 == 0]
    found = analyse(write([np.ascontiguousarray(f[::step, ::step]) for f in frames], rate=10))
    assert found.reason is reason
    if reason is not None:
        assert {m.value for m in found.measures} == {None}
        assert not [e for e in found.events if e.kind in {"blink", "nod", "gaze_shift"}]


def synthetic(seconds=60.0):
    """A person with a blink every ten seconds, and all of the picture's motion in the second half."""
    times = np.arange(round(seconds * 30)) / 30
    face = {name: np.zeros(len(times)) for name in FACE} | {"eye_aspect": np.full(len(times), 0.3)}
    face |= {name: np.ones(len(times)) for name in ("inside", "nearness", "size")}
    face["au45"] = 0.1 + sum(0.7 * np.clip(1 - np.abs(times - at) / 0.15, 0, None) for at in np.arange(5, seconds, 10))
    pairs = np.arange(round(seconds * 4))
    motion = {name: np.zeros(len(pairs)) for name in MOTION} | {"energy": np.where(pairs < len(pairs) / 2, 0.01, 0.5)}
    looks = np.arange(round(seconds))
    sightings = Sightings(looks * 1.0, looks * 1.0, np.zeros(len(looks), int), looks * 0.0 + 0.5, looks * 0.0 + 0.4)
    nobody = BodyTrack(
        looks * 1.0, {part: np.full((len(looks), 2), np.nan) for part in PARTS}, np.zeros(0),
        {side: np.zeros((0, 5, 2)) for side in ("left", "right")},
    )  # fmt: skip
    person = Person([np.zeros(128)], np.zeros(2), 1.0, 0.0)
    return Tracks(
        times, {0: PersonTrack(FaceTrack(times, face), nobody)}, [person], sightings,
        MotionTrack((pairs + 0.5) / 4, np.full(len(pairs), 0.25), motion),
    )  # fmt: skip


def findings_of(tracks, *, phases=(), exclusions=(), start_s=100.0):
    place = Place(start_s, tuple(phases), tuple(exclusions))
    return findings(tracks, place=place, cue=Cue(), still_threshold=0.04)[Role.PATIENT]


def test_findings_are_on_the_session_clock():
    found = findings_of(synthetic(), phases=(), exclusions=())
    blinks = [e for e in found.events if e.kind == "blink"]
    assert [(e.start_s + e.end_s) / 2 for e in blinks] == pytest.approx([105, 115, 125, 135, 145, 155], abs=0.01)
    assert by_name(found)["face_blink_rate"].value == pytest.approx(6)
    assert by_name(found)["motion_stillness_share"].value == pytest.approx(0.5)
    assert (found.start_s, found.end_s, found.coverage) == pytest.approx((100, 160, 1))


def test_phases_are_summarised_apart():
    phases = [Window(100.0, 130.0, "rest"), Window(130.0, 160.0, "talk"), Window(500.0, 600.0, "later")]
    found = findings_of(synthetic(), phases=phases, exclusions=())
    assert by_name(found, "rest")["motion_energy_mean"].value == pytest.approx(0.01)
    assert by_name(found, "talk")["motion_energy_mean"].value == pytest.approx(0.5)
    assert not by_name(found, "later")


def test_an_excluded_span_is_used_by_no_measure():
    out = [Exclusion(130.0, 30.0, "phone rang")]
    found = findings_of(synthetic(), phases=(), exclusions=out)
    assert by_name(found)["motion_energy_mean"].value == pytest.approx(0.01)
    assert by_name(found)["face_visible_share"].coverage == pytest.approx(0.5, abs=0.01)
    assert len([e for e in found.events if e.kind == "blink"]) == 3
    visible = next(s for s in found.series if s.name == "face_visible")
    assert np.isnan(visible.values[30:]).all()
    assert (found.start_s, found.end_s) == pytest.approx((100, 160))


# real recordings


@pytest.mark.real
@pytest.mark.slow
def test_four_blinks_are_four_blinks(analyse, shared_data):
    found = analyse(shared_data / "video_blink" / "blinking_4.mp4", decoder="decord")
    blinks = [e for e in found.events if e.kind == "blink"]
    assert [round(e.start_s, 1) for e in blinks] == pytest.approx([1.7, 3.7, 6.6, 8.9], abs=0.1)
    assert {e.label for e in blinks} == {"complete"}
    assert 200 < by_name(found)["face_blink_duration_mean"].value < 500


@pytest.mark.real
@pytest.mark.slow
def test_a_face_that_leaves_is_seen_until_it_leaves(analyse, shared_data):
    found = analyse(shared_data / "video_face" / "face_noface.mov")
    assert by_name(found)["face_visible_share"].value == pytest.approx(2.4 / 6.4, abs=0.02)
    visible = next(s for s in found.series if s.name == "face_visible").values
    assert visible[:2].tolist() == [1, 1]
    assert visible[3:6].tolist() == [0, 0, 0]
    assert [e.label for e in found.events if e.kind == "blink"] == ["complete"]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "share"),
    [("video_face/no_face.mp4", 0.0), ("video_gesture/asl_intel/book.mkv", 1.0),
     ("video_gesture/asl_intel/thanks.mkv", 1.0), ("video_face/carphone_pristine.mp4", 1.0)],
)  # fmt: skip
def test_small_faces_in_wide_frames_are_found_and_none_invented(analyse, shared_data, name, share):
    assert by_name(analyse(shared_data / name))["face_visible_share"].value == pytest.approx(share, abs=0.01)


@pytest.mark.slow
def test_cameras_of_25_30_and_60_frames_agree_on_a_speed(analyse, dinov2, write):
    photograph = cv2.resize(load_picture()[:, :, ::-1], (320, 320), interpolation=cv2.INTER_AREA)

    def speed(rate):
        middles = ((160 - 12 * k / rate, 160) for k in range(6 * rate))  # the picture moves right by 12 pixels/s
        pictures = [cv2.getRectSubPix(photograph, (128, 96), middle) for middle in middles]
        found = analyse(write(pictures, rate=rate), backbone=dinov2)
        return by_name(found)["motion_camera_speed_mean"].value

    speeds = [speed(rate) for rate in (25, 30, 60)]
    assert speeds == pytest.approx([speeds[0]] * 3, rel=0.05)
    assert speeds[0] == pytest.approx(12 * np.sqrt(8 / 96 * 8 / 128), rel=0.35)  # patches of the squeezed picture


def every_forty_ms(video, to):
    """The frames nearest to 25 a second, each with its own stamp."""
    with av.open(str(video)) as old, av.open(str(to), "w") as new:
        stream = new.add_stream("libx264", rate=25)
        stream.options, stream.pix_fmt = {"crf": "18"}, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        grid = 0
        for frame in old.decode(video=0):
            if frame.time + 0.5 / 60 < grid / 25:
                continue
            grid += 1
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.height, frame.width
            shown = frame.reformat(format="yuv420p")
            shown.time_base, shown.pts = Fraction(1, 90_000), round(frame.time * 90_000)
            new.mux(stream.encode(shown))
        new.mux(stream.encode())
    return to


@pytest.mark.slow
def test_the_same_recording_at_60_and_at_25_frames_gives_the_same_values(analyse, dinov2, tmp_path):
    effects = replace(Effects.plain(), modalities=("video",), fps_choices=(60.0,), nods_per_min=9.0)
    simulate(tmp_path / "c", sessions=1, minutes=1 / 3, seed=11, effects=effects)
    video = tmp_path / "c" / "s001" / "video.mp4"
    config = VideoConfig(face_rate_hz=60)
    whole, fewer = (
        {n: m.value for n, m in by_name(analyse(v, backbone=dinov2, config=config)).items()}
        for v in (video, every_forty_ms(video, tmp_path / "25.mp4"))
    )
    for name in ("face_blink_rate", "head_nod_rate", "head_pitch_sd", "head_yaw_sd", "face_visible_share"):
        assert fewer[name] == pytest.approx(whole[name], rel=0.05), name
    for name in ("face_mouth_open_mean", "face_expressivity_total_mean", "head_angular_speed_mean"):
        assert fewer[name] == pytest.approx(whole[name], rel=0.1), name  # the landmarker's smoothing
    assert fewer["motion_energy_mean"] == pytest.approx(whole["motion_energy_mean"], rel=0.1)


@pytest.mark.real
@pytest.mark.slow
def test_still_and_busy_recordings_are_told_apart(shared_data, dinov2):
    config = VideoConfig()
    backbone = Backbone(dinov2, key_layers=KEY_LAYERS, attention_layers=KEY_LAYERS)

    def energy(name):
        shape, rate = inspect(shared_data / name), config.flow_rate_hz
        builder = MotionBuilder(backbone, size=config.flow_size, aspect=shape.width / shape.height)
        for batch in frames(shared_data / name, max_side=config.face_side, max_rate_hz=rate):
            builder.add(batch.times_s, batch.frames)
        track, end_s = builder.done(), shape.duration_s
        return motion_series(track, still_threshold=config.still_threshold, start_s=0.0, end_s=end_s)[0].values

    still, busy = energy("video_rppg/evm_face.mp4"), energy("video_temporal/asl_sequence.mp4")
    assert np.nanmax(still) < config.still_threshold < np.nanmedian(busy) / 3


@pytest.mark.real
@pytest.mark.slow
def test_pulse_of_a_still_face_and_none_of_a_moving_one(analyse, shared_data):
    still = by_name(analyse(shared_data / "video_rppg" / "evm_face.mp4"))
    assert still["face_pulse_rate_mean"].value == pytest.approx(52.7, abs=1.5)
    moving = by_name(analyse(shared_data / "video_blink" / "blinking_4.mp4"))
    assert (moving["face_pulse_rate_mean"].value, moving["face_pulse_rate_mean"].reason) == (None, Reason.LOW_SIGNAL)
    assert moving["face_pulse_snr_median"].value < 2


# who signs in each clip of the sequence, told by eye
SIGNERS = (
    (2.567, "A"),
    (6.2, "B"),
    (7.767, "C"),
    (9.4, "D"),
    (11.1, "E"),
    (13.3, "A"),
    (15.7, "B"),
    (19.833, "E"),
    (21.4, "D"),
)


@pytest.mark.real
@pytest.mark.slow
def test_five_signers_are_never_mixed(shared_data, people_models, tiny_backbone):
    clip = shared_data / "video_temporal" / "asl_sequence.mp4"
    models = VideoModels(backbone=tiny_backbone, **people_models)
    tracks = follow(clip, models=models, config=VideoConfig(people_max=8), decoder=Decoder.AV, progress=lambda _: None)
    times = next(iter(tracks.people.values())).face.times_s
    truth = np.array([next((who for end, who in SIGNERS if t < end - 1e-3), "D") for t in times])
    seen = np.zeros(len(times), dtype=bool)
    for track in tracks.people.values():
        who, count = np.unique(truth[track.face.visible], return_counts=True)
        if len(who):
            assert count.max() >= 0.98 * count.sum(), dict(zip(who, count, strict=True))
            seen |= track.face.visible
    assert seen.mean() > 0.9
