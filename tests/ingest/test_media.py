"""Sound and video: every format read back, clocks, resampling, flat memory, and hostile files."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile as sf

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.audio import audio_blocks, audio_start_s, probe_audio, unheard_s
from cueflow.tasks.ingest.container import unread_bytes
from cueflow.tasks.ingest.video import probe_video

TONE_HZ = 440.0
ONSET_S = 1.0
LENGTH_S = 2.0


def tone(rate, hz=TONE_HZ, length_s=LENGTH_S, onset_s=ONSET_S):
    t = np.arange(round(rate * length_s)) / rate
    return (0.5 * np.sin(2 * np.pi * hz * t) * (t >= onset_s)).astype(np.float32)


def write_media(path, *, video=None, audio=None, pts=range(50), rotation=None, samples=None, **sound):
    """A file with a picture of 64 × 48 at 25 frames/s, a sound track, or both; codecs by name."""
    with av.open(str(path), "w") as container:
        picture = None if video is None else container.add_stream(video, rate=25)
        samples = np.stack([tone(48000)] * 2) if samples is None else samples
        layout = {1: "mono", 2: "stereo"}[len(samples)]
        track = None if audio is None else container.add_stream(audio, rate=48000, layout=layout)
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
            if rotation is not None:
                picture.set_display_rotation(rotation)
            encode_video(container, picture, pts)
        if track is not None:
            encode_audio(container, track, samples, **sound)
    return path


def encode_video(container, stream, pts):
    for n, at in enumerate(pts):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (5 * n) % 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = at, Fraction(1, 25)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def encode_audio(container, stream, samples, *, start_s=0.0, sample_format="fltp", hole=(0, 0.0)):
    """`samples` (channels, n) at 48 kHz; `hole`: after how many samples the stamps jump by how many seconds."""
    for at in range(0, samples.shape[1], 960):
        block = np.ascontiguousarray(samples[:, at : at + 960])
        if sample_format == "s16":
            block = np.ascontiguousarray((block.T * 32767).astype(np.int16).reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout=stream.layout.name)
        jump = hole[1] if hole[1] and at >= hole[0] else 0.0
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = at + round((start_s + jump) * 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def whole(path, **options):
    return np.concatenate(list(audio_blocks(path, **options)))


def pitch_hz(samples, rate=16000):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A folder with every format: 2 s, a 440 Hz tone from second 1 on, 50 frames of 64 × 48."""
    folder = tmp_path_factory.mktemp("media")
    for name, video, audio in (
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", "aac"),
        ("a.mkv", "libx264", "aac"),
        ("a.webm", "libvpx", "libopus"),
        ("a.avi", "mpeg4", "mp3"),
        ("a.m4a", None, "aac"),
        ("opus.ogg", None, "libopus"),
    ):
        write_media(folder / name, video=video, audio=audio)
    for suffix in ("wav", "flac", "mp3", "ogg"):
        sf.write(folder / f"a.{suffix}", np.stack([tone(44100)] * 2, axis=1), 44100)
    return folder


ALL = ("a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi", "a.m4a", "opus.ogg", "a.wav", "a.flac", "a.mp3", "a.ogg")


@pytest.mark.parametrize("name", ALL)
def test_every_format_gives_the_tone_at_its_place(media, name):
    samples = whole(media / name)
    assert samples.dtype == np.float32
    assert len(samples) / 16000 == pytest.approx(LENGTH_S, abs=0.05)
    onset = np.argmax(np.abs(samples) > 0.2) / 16000
    late = 0.024 if name == "a.avi" else 0.0  # AVI cannot say that an MP3 encoder starts 24 ms late
    assert onset == pytest.approx(ONSET_S + late, abs=0.004)
    assert pitch_hz(samples[17600:30400]) == pytest.approx(TONE_HZ, abs=2)
    assert np.std(samples[17600:30400]) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    info = probe_audio(media / name)
    assert info.channels == 2
    assert info.duration_s == pytest.approx(LENGTH_S, abs=0.05)


@pytest.mark.parametrize(("name", "codec"), [
    ("a.mp4", "h264"), ("a.mov", "h264"), ("a.mkv", "h264"), ("a.webm", "vp8"), ("a.avi", "mpeg4"),
])  # fmt: skip
def test_every_video_format_is_probed(media, name, codec):
    info = probe_video(media / name)
    assert (info.width, info.height, info.codec, info.has_audio, info.rotation) == (64, 48, codec, True, 0)
    assert info.frame_rate == pytest.approx(25, rel=0.01)
    assert info.duration_s == pytest.approx(LENGTH_S, abs=0.05)
    assert info.n_frames in ({50} if codec == "h264" and name != "a.mkv" else {None, 50, 51})


def test_a_turned_picture_is_told_as_shown(tmp_path):
    write_media(tmp_path / "a.mp4", video="libx264", rotation=90)
    info = probe_video(tmp_path / "a.mp4")
    assert (info.width, info.height, info.rotation, info.has_audio) == (48, 64, 90, False)


def test_uneven_time_stamps_are_told(tmp_path):
    for name, pts in (("even", range(50)), ("uneven", [i + (i > 20) * 3 for i in range(50)])):
        write_media(tmp_path / f"{name}.mp4", video="libx264", pts=pts)
    assert probe_video(tmp_path / "even.mp4").variable_rate is False
    assert probe_video(tmp_path / "uneven.mp4").variable_rate is True


def test_sound_that_starts_late_says_when(tmp_path):
    write_media(tmp_path / "a.mp4", video="libx264", audio="aac", start_s=0.5)
    samples = whole(tmp_path / "a.mp4")
    onset = audio_start_s(tmp_path / "a.mp4") + np.argmax(np.abs(samples) > 0.2) / 16000
    assert onset == pytest.approx(ONSET_S + 0.5, abs=0.004)


def test_a_plain_sound_file_starts_at_zero(media):
    assert [audio_start_s(media / n) for n in ("a.wav", "a.mp3", "a.m4a", "a.mkv")] == [0.0] * 4


def test_a_hole_in_the_sound_keeps_what_follows_in_place(tmp_path):
    samples = np.stack([tone(48000, length_s=3.0, onset_s=2.0)])
    write_media(tmp_path / "a.mkv", audio="pcm_s16le", samples=samples, sample_format="s16", hole=(48000, 1.75))
    read = whole(tmp_path / "a.mkv")
    assert len(read) / 16000 == pytest.approx(4.75, abs=0.01)
    assert np.argmax(np.abs(read) > 0.2) / 16000 == pytest.approx(3.75, abs=0.002)
    gone = np.flatnonzero(np.isnan(read)) / 16000
    assert (gone[0], gone[-1], len(gone) / 16000) == pytest.approx((1.0, 2.75, 1.75), abs=0.002)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
def test_any_rate_and_sample_format_comes_out_the_same(tmp_path, rate, subtype):
    path = tmp_path / "a.wav"
    sf.write(path, tone(rate, hz=1000.0, onset_s=0.0), rate, subtype=subtype)
    read = whole(path)
    assert len(read) == round(16000 * LENGTH_S)
    expected = tone(16000, hz=1000.0, onset_s=0.0)
    assert np.abs(read - expected)[800:-800].max() < (0.01 if subtype == "PCM_U8" else 1e-3)


def test_what_lies_above_the_new_rate_does_not_fold_back(tmp_path):
    sf.write(tmp_path / "a.wav", tone(48000, hz=8600.0, onset_s=0.0), 48000, subtype="FLOAT")
    assert np.abs(whole(tmp_path / "a.wav"))[800:-800].max() < 1e-5  # −100 dB; FFmpeg's own resampler leaves −30 dB


def test_block_length_does_not_change_a_sample(media):
    one = whole(media / "a.mp4", block_s=30.0)
    blocks = list(audio_blocks(media / "a.mp4", block_s=0.1))
    assert {len(b) for b in blocks[:-1]} == {1600}
    np.testing.assert_array_equal(np.concatenate(blocks), one)


def test_channels_are_mixed_or_picked(tmp_path):
    left, right = tone(16000, onset_s=0.0), tone(16000, hz=900.0, onset_s=0.0)
    sf.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16000, subtype="FLOAT")
    for channel, expected in (("left", left), ("0", left), ("Right", right), ("1", right), ("", (left + right) / 2)):
        np.testing.assert_allclose(whole(tmp_path / "a.wav", channel=channel)[100:-100], expected[100:-100], atol=1e-5)
    for channel in ("2", "middle", "-1"):
        with pytest.raises(StreamError, match=r"no audio channel .*: the file has 2") as caught:
            whole(tmp_path / "a.wav", channel=channel)
        assert caught.value.reason is Reason.COLUMN_MISSING


def test_channels_that_cancel_each_other_are_told(tmp_path):
    """A balanced line in a stereo recorder: the mean would be silence, and nobody would have spoken."""
    left = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    sf.write(tmp_path / "a.wav", np.stack([left, -0.98 * left], axis=1), 16000, subtype="FLOAT")
    with pytest.raises(StreamError, match='"left" or "right"') as caught:
        whole(tmp_path / "a.wav")
    assert caught.value.reason is Reason.CHANNELS_CANCEL
    np.testing.assert_allclose(whole(tmp_path / "a.wav", channel="left"), left, atol=1e-6)
    for other in (np.zeros_like(left), np.roll(left, 99), np.full_like(left, np.nan)):
        sf.write(tmp_path / "b.wav", np.stack([left, other], axis=1), 16000, subtype="FLOAT")
        assert len(whole(tmp_path / "b.wav")) == 32000


def peak_bytes(path):
    tracemalloc.start()
    for _ in audio_blocks(path, block_s=5.0):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_length(tmp_path):
    for minutes in (1, 8):
        noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 60).astype(np.float32)
        sf.write(tmp_path / f"{minutes}.flac", np.tile(noise, minutes), 16000)
    short, long = (peak_bytes(tmp_path / f"{m}.flac") for m in (1, 8))
    assert long < 1.2 * short
    assert long < 4e6  # 8 minutes are 31 MB


def expect(path, read, reason, message):
    with pytest.raises(StreamError, match=message) as caught:
        read(path)
    assert caught.value.reason is reason
    assert str(path.parent) not in caught.value.message


def cut(source, target, share=0.5):
    raw = source.read_bytes()
    target.write_bytes(raw[: int(len(raw) * share)])
    return target


@pytest.mark.parametrize("read", [probe_video, probe_audio, whole, audio_start_s])
def test_files_that_do_not_open(media, tmp_path, read, capfd):
    expect(cut(media / "a.mp4", tmp_path / "cut.mp4"), read, Reason.FILE_TRUNCATED, r"cut off, its index \(moov\)")
    (tmp_path / "empty.mp4").touch()
    expect(tmp_path / "empty.mp4", read, Reason.FILE_EMPTY, "the file is empty")
    for name in ("text.mp4", "text.wav"):
        (tmp_path / name).write_text("not a recording\n" * 200)
        expect(tmp_path / name, read, Reason.FILE_UNREADABLE, "this is text and not a recording")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(20000))
    expect(tmp_path / "noise.mp4", read, Reason.FILE_UNREADABLE, "not a recording that can be decoded")
    assert capfd.readouterr() == ("", "")


def test_a_text_file_cannot_make_another_file_be_read(media, tmp_path):
    cut(media / "a.mp4", tmp_path / "secret.mp4", share=1.0)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    expect(tmp_path / "list.mp4", whole, Reason.FILE_UNREADABLE, "this is text")


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_samples_that_are_no_numbers_stay_none_at_any_rate(tmp_path, rate):
    x = tone(rate, onset_s=0.0)
    x[rate // 2 : rate] = np.nan
    x[rate + rate // 2] = np.inf
    sf.write(tmp_path / "a.wav", x, rate, subtype="FLOAT")
    samples = whole(tmp_path / "a.wav")
    gone = np.isnan(samples)
    assert gone[8000:16000].all()
    assert gone[24000]
    assert gone.sum() <= 8000 + 6
    clean = np.arange(len(samples))[~gone]
    near = (np.abs(clean - 12000) < 4000 + 400) | (np.abs(clean - 24000) < 400)  # the filter reaches so far
    same = tone(16000, onset_s=0.0)[clean]
    assert np.abs(samples[clean] - same)[~near][400:-400].max() < 0.01


def test_picture_without_sound_is_told(tmp_path, media):
    write_media(tmp_path / "late.mp4", video="libx264", audio="aac", start_s=0.5)
    assert unheard_s(tmp_path / "late.mp4", sound_s=1.0) == pytest.approx(0.5 + 0.5, abs=0.05)
    assert unheard_s(tmp_path / "late.mp4", sound_s=2.0) == pytest.approx(0.5, abs=0.05)
    assert unheard_s(media / "a.mp4", sound_s=2.0) == pytest.approx(0.0, abs=0.05)
    assert unheard_s(media / "a.wav", sound_s=0.5) == 0.0


def test_a_video_without_sound_and_sound_without_video(media, tmp_path):
    write_media(tmp_path / "silent.mp4", video="libx264")
    for read in (probe_audio, whole):
        expect(tmp_path / "silent.mp4", read, Reason.NO_AUDIO_SAMPLES, "the video has no audio track")
    for name in ("a.m4a", "a.wav"):
        expect(media / name, probe_video, Reason.NO_VIDEO_FRAMES, "the file has no video track")


def test_a_video_track_without_frames(tmp_path):
    write_media(tmp_path / "a.mkv", video="libvpx", audio="libopus", pts=())
    expect(tmp_path / "a.mkv", probe_video, Reason.NO_VIDEO_FRAMES, "no frame of the video can be decoded")


def test_a_single_sample_is_no_sound(tmp_path):
    sf.write(tmp_path / "a.wav", [0.1], 16000)
    expect(tmp_path / "a.wav", probe_audio, Reason.NO_AUDIO_SAMPLES, "less than 10 ms of sound")


def test_sound_without_samples(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(0, dtype=np.float32), 16000)
    for read in (probe_audio, whole):
        expect(tmp_path / "a.wav", read, Reason.NO_AUDIO_SAMPLES, "holds no audio samples")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.mkv", "a.webm", "a.avi"])
def test_a_cut_file_gives_what_is_there_and_then_says_so(media, tmp_path, name):
    path = cut(media / name, tmp_path / name, share=0.6)
    blocks = []
    with pytest.raises(StreamError, match=r"the sound ends after [01]\.\d of 2\.\d s") as caught:
        blocks.extend(audio_blocks(path, block_s=0.2))
    assert caught.value.reason is Reason.FILE_TRUNCATED


def test_a_file_that_lacks_its_last_bit_is_read(media, tmp_path):
    assert len(whole(cut(media / "a.wav", tmp_path / "a.wav", share=0.95))) / 16000 == pytest.approx(1.9, abs=0.01)


def test_a_header_that_says_more_samples_than_there_are_is_told(media, tmp_path):
    data = bytearray((media / "a.wav").read_bytes())
    place = data.find(b"data") + 4
    length = int.from_bytes(data[place : place + 4], "little")
    data[place : place + 4] = (3 * length).to_bytes(4, "little")
    (tmp_path / "more.wav").write_bytes(data)
    for read in (probe_audio, whole):
        expect(tmp_path / "more.wav", read, Reason.FILE_TRUNCATED, "the sound ends after 2.0 of 6.0 s")
    data[place : place + 4] = b"\xff" * 4  # a stream whose length was not known
    (tmp_path / "stream.wav").write_bytes(data)
    assert probe_audio(tmp_path / "stream.wav").duration_s == pytest.approx(2.0, abs=0.01)


def test_a_header_that_says_less_than_there_is_is_told(media, tmp_path):
    data = bytearray((media / "a.wav").read_bytes())
    place = data.find(b"data") + 4
    data[place : place + 4] = (4000).to_bytes(4, "little")
    (tmp_path / "less.wav").write_bytes(data)
    with pytest.raises(StreamError, match="more sound than its header says") as caught:
        probe_audio(tmp_path / "less.wav")
    assert caught.value.reason is Reason.HEADER_WRONG
    data[place : place + 4] = bytes(4)  # written to a pipe: the length was not known, and all of it is read
    (tmp_path / "pipe.wav").write_bytes(data)
    assert probe_audio(tmp_path / "pipe.wav").duration_s == pytest.approx(2.0, abs=0.01)
    assert unread_bytes(media / "a.mp4") == 0
    video = bytearray(b"RIFF" + (4000).to_bytes(4, "little") + b"AVI " + b"LIST" + bytes(4) + b"\x00\xff" * 2000)
    (tmp_path / "a.avi").write_bytes(video)
    assert unread_bytes(tmp_path / "a.avi") == 0
    (tmp_path / "tags.wav").write_bytes(
        (media / "a.wav").read_bytes() + b"LIST" + (5000).to_bytes(4, "little") + b"\0" * 5000
    )
    assert probe_audio(tmp_path / "tags.wav").duration_s == pytest.approx(2.0, abs=0.01)


@pytest.mark.real
def test_a_broken_wav_is_refused(shared_data):
    expect(
        shared_data / "speech_broken" / "broken_file..wav",
        whole,
        Reason.FILE_UNREADABLE,
        "not a recording that can be decoded",
    )


@pytest.mark.real
@pytest.mark.parametrize(("name", "shape", "codec", "frames"), [
    ("torchcodec/av1_video.mkv", (640, 360), "av1", None),
    ("torchcodec/h264_10bits.mp4", (200, 200), "h264", 30),
    ("torchcodec/h265_video.mp4", (128, 128), "hevc", 10),
    ("torchcodec/nasa_13013.mp4", (480, 270), "h264", 390),
    ("Megamind_bugy.avi", (720, 528), "mpeg4", 270),
])  # fmt: skip
def test_odd_videos_are_probed(shared_data, name, shape, codec, frames):
    info = probe_video(shared_data / "video_robust" / name)
    assert ((info.width, info.height), info.codec, info.n_frames) == (shape, codec, frames)


@pytest.mark.real
def test_the_sound_of_a_real_video_is_the_one_extracted_from_it(shared_data):
    folder = shared_data / "av_mexca"
    ours = whole(folder / "test_video_audio_5_seconds.mp4")
    theirs, _ = sf.read(folder / "test_video_audio_5_seconds.wav", dtype="float32")
    n = min(len(ours), len(theirs))
    lag = np.argmax(np.correlate(ours[8000:24000], theirs[8400:23600], "valid")) - 400
    moved = np.roll(ours, -lag)[1000 : n - 2000]
    assert abs(lag) <= 0.06 * 16000
    assert np.corrcoef(moved, theirs[1000 : n - 2000])[0, 1] > 0.99


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.m4a", "a.wav", "a.flac", "a.mp3", "a.ogg"])
def test_damaged_bytes_give_sound_or_a_typed_error(media, tmp_path, name):
    raw = np.frombuffer((media / name).read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(5)
    outcomes = set()
    for reach in (400, 4000, len(raw)) * 4:
        damaged = raw.copy()
        damaged[rng.integers(0, min(reach, len(raw)), 30)] = rng.integers(0, 256, 30)
        (tmp_path / name).write_bytes(damaged.tobytes())
        for read in (whole, probe_audio, probe_video, audio_start_s):
            try:
                read(tmp_path / name)
                outcomes.add("read")
            except StreamError as error:
                outcomes.add(error.reason)
    assert len(outcomes) > 1
