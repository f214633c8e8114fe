"""Decoding: stamps as the container has them, both decoders alike, bounded, upright; damage is a typed error."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.video.decode import BATCH, Beat, Decoder, Gap, frames, inspect


def read(path, decoder, **options):
    batches = list(frames(path, decoder=decoder, **{"max_side": 640, **options}))
    assert all(len(b.frames) == len(b.times_s) <= BATCH for b in batches)
    return (
        np.concatenate([b.times_s for b in batches]),
        np.concatenate([b.frames for b in batches]),
        np.concatenate([b.seen_s for b in batches]),
    )


@pytest.fixture(scope="module")
def moving(make_clip):
    return make_clip(rate=25, seconds=6, speed=10)


@pytest.mark.parametrize("decoder", Decoder)
def test_stamps_are_those_of_the_frames(moving, decoder):
    times, pictures, seen = read(moving, decoder)
    assert times == pytest.approx(np.arange(150) / 25, abs=1e-6)
    assert seen == pytest.approx(times)
    assert pictures.shape == (150, 96, 128, 3)


def test_both_decoders_give_the_same_pictures(moving):
    first, second = (read(moving, d)[1].astype(int) for d in Decoder)
    assert np.abs(first - second).mean() < 1.0


@pytest.mark.parametrize("decoder", Decoder)
def test_the_rate_is_capped_and_all_stamps_are_seen(moving, decoder):
    times, pictures, seen = read(moving, decoder, max_rate_hz=4, max_side=64)
    assert np.diff(times) == pytest.approx(0.24)  # the sixth frame: the first at .222 s or later
    assert pictures.shape[1:] == (48, 64, 3)
    assert len(seen) == 150


def test_a_frame_keeps_its_stamp_when_others_are_left_out(moving):
    times, pictures, _ = read(moving, Decoder.AV)
    few_times, few, _ = read(moving, Decoder.DECORD, max_rate_hz=5)
    same = pictures[np.searchsorted(times, few_times - 1e-6)]
    assert np.abs(few.astype(int) - same).mean() < 1.0


def test_gap_makes_50_an_even_25_and_lets_a_jittering_30_pass():
    fifty, gap = np.arange(100) / 50, Gap(30)
    assert sum(gap.keeps(t) for t in fifty) == 50
    thirty, gap = np.arange(90) / 30 + np.tile([0.0, 0.003, -0.003], 30), Gap(30)
    assert all(gap.keeps(t) for t in thirty)


@pytest.mark.parametrize("beat_hz", [4.0, 12.0])
@pytest.mark.parametrize("rate", [25, 30, 50, 60, 120])
def test_cameras_of_all_frame_rates_are_looked_at_at_the_same_moments(rate, beat_hz):
    times, beat = np.arange(20 * rate) / rate, Beat(beat_hz)
    picked = np.array([t for t in times if beat.keeps(t)])
    moments = np.arange(20 * beat_hz) / beat_hz
    assert len(picked) == len(moments)
    assert np.abs(picked - moments).max() <= 0.5 / rate + 1e-6


def test_a_slow_camera_misses_no_beat_that_it_can_meet():
    jitter = np.random.default_rng(1).uniform(-0.003, 0.003, 300)
    for rate in (12, 24.975, 30):  # asked for as much as it has
        beat = Beat(rate)
        assert sum(beat.keeps(t) for t in np.arange(300) / rate + jitter) == 300


@pytest.mark.parametrize("decoder", Decoder)
def test_a_variable_frame_rate_keeps_its_stamps(write, picture, decoder):
    stamps = [0, 40, 80, 200, 233, 266, 1000, 1040]
    path = write((picture(i) for i in range(8)), rate=25, times=stamps)
    times, pictures, _ = read(path, decoder)
    assert times == pytest.approx(np.array(stamps) / 1000, abs=1e-6)
    assert len(pictures) == 8


def rotated(path, source, matrix):
    data = source.read_bytes()
    at = data.find(b"tkhd") + 44
    path.write_bytes(data[:at] + struct.pack(">9i", *matrix) + data[at + 36 :])
    return path


def test_a_rotated_phone_video_comes_upright(tmp_path, moving):
    one = 1 << 16
    path = rotated(tmp_path / "turned.mp4", moving, (0, one, 0, -one, 0, 0, 96 * one, 0, 1 << 30))
    shape = inspect(path)
    assert (shape.width, shape.height) == (96, 128)
    _, turned, _ = read(path, Decoder.AV)
    _, stored, _ = read(moving, Decoder.AV)
    assert np.array_equal(turned[0], np.rot90(stored[0], -1))  # the player turns it clockwise
    with pytest.raises(StreamError, match="rotated") as caught:
        read(path, Decoder.DECORD)
    assert caught.value.reason is Reason.FILE_UNREADABLE  # so that the caller tries the other decoder


def test_no_frame_is_held_longer_than_its_batch(make_clip):
    stream = frames(make_clip(rate=60, seconds=4), decoder=Decoder.AV, max_side=64)
    assert len(next(stream).frames) == BATCH  # handed out before the rest is decoded
    stream.close()


@pytest.mark.parametrize("decoder", Decoder)
def test_a_cut_file_is_an_error_or_shorter_but_never_wrong(tmp_path, moving, decoder):
    path = tmp_path / "cut.mp4"
    path.write_bytes(moving.read_bytes()[:-2000])  # the index is at the end
    with pytest.raises(StreamError) as caught:
        read(path, decoder)
    assert caught.value.reason is Reason.FILE_UNREADABLE


def test_text_is_no_video(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a film")
    with pytest.raises(StreamError, match="cannot be opened") as caught:
        inspect(tmp_path / "notes.mp4")
    assert "notes" not in caught.value.message


def test_sound_alone_has_no_frames(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "voice.wav", np.zeros(800), 8000)
    with pytest.raises(StreamError) as caught:
        inspect(tmp_path / "voice.wav")
    assert caught.value.reason is Reason.NO_VIDEO_FRAMES


REAL = {
    "video_action/mmaction_apply_eye_makeup.avi": (164, 6.56),  # packed B-frames: stamps in the order of decoding
    "video_robust/Megamind_bugy.avi": (270, 9.0),
    "video_robust/torchcodec/av1_video.mkv": (125, 4.96),
    "video_face/no_face.mp4": (95, 3.9167),  # an edit list hides three packets, which decord counts
}


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_what_decord_gets_wrong_is_refused_and_read_by_the_other(shared_data, name):
    with pytest.raises(StreamError) as caught:
        read(shared_data / name, Decoder.DECORD, max_side=64)
    assert caught.value.reason is Reason.FILE_UNREADABLE
    times, _, _ = read(shared_data / name, Decoder.AV, max_side=64)
    assert (len(times), times[-1]) == pytest.approx(REAL[name], abs=1e-3)
    assert np.all(np.diff(times) > 0)


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    ["video_robust/torchcodec/h264_10bits.mp4", "video_robust/torchcodec/h265_video.mp4", "video_face/face_noface.mov",
     "video_gesture/asl_intel/book.mkv", "video_robust/torchcodec/nasa_13013.mp4"],
)  # fmt: skip
def test_both_decoders_agree_on_real_files(shared_data, name):
    (a_times, a, _), (b_times, b, _) = (read(shared_data / name, d, max_side=96) for d in Decoder)
    assert a_times == pytest.approx(b_times, abs=1e-6)
    assert np.abs(a.astype(int) - b).mean() < 6  # ten bits are rounded differently
