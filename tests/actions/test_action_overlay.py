"""Overlays: colour where it moves, a chart that stands where the scores are, and files that open."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.tasks.actions.answer.overlay import CHART, chart, heat_over, overlay, write_overlay
from cueflow.tasks.actions.store.model import Curves, Steps

GREY = np.full((120, 160, 3), 90, np.uint8)


def found(seconds=8.0, rate=4.0, start=0.0):
    times = np.arange(round(seconds * rate)) / rate
    on = np.stack([(times > 2) & (times < 4), np.zeros(len(times), bool)], axis=1).astype(float)
    speed = np.zeros((len(times), 64), np.float32)
    speed[(times > 2) & (times < 4), 9] = 4.0
    nothing = np.zeros((len(times), 0), np.float32)
    return Curves(Steps(times + start, nothing, nothing, speed, np.ones(len(times), np.float32)), on, None, on)


def test_only_what_moves_is_coloured():
    assert np.array_equal(heat_over(GREY, np.zeros(64)), GREY)
    speed = np.zeros(64)
    speed[9] = 4.0  # second row and column of eight
    shown = heat_over(GREY, speed).astype(int)
    changed = np.abs(shown - 90).sum(axis=-1)
    rows, columns = np.mgrid[:120, :160]
    assert (rows * changed).sum() / changed.sum() == pytest.approx(22, abs=2)
    assert (columns * changed).sum() / changed.sum() == pytest.approx(30, abs=2)
    assert changed[60:, 80:].max() == 0


def test_the_line_stands_at_the_moment_and_the_interval_is_shaded():
    times = np.linspace(0, 10, 41)
    board = chart(times, np.zeros((41, 1)), ["nod"], at_s=5.0, span=(2.0, 4.0), width=201)
    assert (board[5:100, 100] == 0).all()
    assert (board[5, 45:80] == 235).all()
    assert (board[5, 120:] == 255).all()


def test_an_overlay_is_the_frame_and_the_chart_below():
    shown = overlay(GREY, found(), ("nod", "shake"), at_s=3.0, span=(2.0, 4.0))
    assert shown.shape == (120 + CHART, 160, 3)
    assert not np.array_equal(shown[:120], GREY)
    assert np.array_equal(overlay(GREY, found(), ("nod", "shake"), at_s=6.0, span=(2.0, 4.0))[:120], GREY)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(60):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(GREY, format="rgb24")))
        file.mux(stream.encode())
    return path


def test_a_picture_and_a_video_of_the_interval(video, tmp_path):
    made = write_overlay(
        video, found(start=100.0), ("nod", "shake"), span=(102.0, 104.0), start_s=100.0, out=tmp_path / "o" / "x"
    )
    still, clip = made
    assert cv2.imread(str(still)).shape == (120 + CHART, 160, 3)
    with av.open(str(clip)) as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert len(times) == pytest.approx(21, abs=1)
    assert times[-1] - times[0] == pytest.approx(2.0, abs=0.11)


def test_an_interval_without_frames_is_refused(video, tmp_path):
    with pytest.raises(StreamError, match="no frame"):
        write_overlay(video, found(), ("nod",), span=(50.0, 52.0), start_s=0.0, out=tmp_path / "x")
