"""What the face landmarker saw before it smoothed."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import polars as pl
import pytest

from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.timeline import swings
from cueflow.tasks.video.face.finder import FaceFollower, FaceSearch
from cueflow.tasks.video.face.geometry import head_angles
from cueflow.tasks.video.face.unsmooth import BETA, MIN_CUTOFF_HZ, SPEED_CUTOFF_HZ, Unsmoother

SIZE = 120.0  # pixels


def one_euro(times, seen):
    """The filter as its authors give it, one coordinate; speeds in sizes of the face."""
    smooth, speed, found = seen[0], 0.0, [seen[0]]
    for i in range(1, len(seen)):
        rate = 1 / (times[i] - times[i - 1])

        def share(cutoff, rate=rate):
            return 1 / (1 + rate / (2 * np.pi * cutoff))

        now = (seen[i] - seen[i - 1]) * rate / SIZE
        speed += share(SPEED_CUTOFF_HZ) * (now - speed)
        smooth += share(MIN_CUTOFF_HZ + BETA * abs(speed)) * (seen[i] - smooth)
        found.append(smooth)
    return np.array(found)


@pytest.mark.parametrize("rate", [25, 30, 60])
def test_what_the_filter_took_in_comes_out_again(rate):
    times = np.arange(4 * rate) / rate
    part = np.clip((times - 1) / 1.2, 0, 1)
    nod = 9 * np.sin(4 * np.pi * part) * np.sin(np.pi * np.clip(np.minimum(part, 1 - part) / 0.2, 0, 0.5)) ** 2
    seen = 50 + nod + 0.05 * np.random.default_rng(3).normal(size=len(times))
    smooth = one_euro(times, seen)
    back = Unsmoother()
    found = np.array([back.undo(t, np.array([x]), size=SIZE)[0] for t, x in zip(times, smooth, strict=True)])
    assert np.mean(np.abs(smooth - seen) > 0.2) > 0.2  # it lags
    assert np.mean(np.abs(found - seen) > 0.2) < 0.05  # at a turn two answers may be near what was expected


@pytest.mark.slow
def test_the_landmarker_itself_is_undone_at_the_end_of_nods(tmp_path, face_model):
    effects = replace(
        Effects.plain(), modalities=("video",), fps_choices=(60.0,), nods_per_min=20.0, shakes_per_min=0.0
    )
    simulate(tmp_path / "c", sessions=1, minutes=0.35, seed=4, effects=effects)
    rows = []
    follower = FaceFollower(face_model)
    with FaceSearch(face_model) as search, av.open(str(tmp_path / "c" / "s001" / "video.mp4")) as file:
        for frame in file.decode(video=0):
            picture = frame.to_ndarray(format="rgb24", width=640, height=360)
            if not rows:
                follower.start(search.anywhere(picture, tries=None), picture)
            face = follower.look(float(frame.time), picture)
            rows.append((float(frame.time), head_angles(face.pose)[0], head_angles(face.quick_pose)[0]))
    follower.close()
    times, *pitches = np.transpose(rows)
    off = [[], []]
    for onset, length, size in pl.read_parquet(tmp_path / "c" / "truth.parquet").filter(kind="nod").select(
        "onset_s", "duration_s", "value").rows():  # fmt: skip
        at = onset + length + np.arange(-0.2, 0.1, 0.02)
        true = size * swings(at, onset, length, max(round(2.2 * length), 1))
        for errors, pitch in zip(off, pitches, strict=True):
            rest = np.median(pitch[(times > onset + length + 0.15) & (times < onset + length + 0.3)])
            errors.append(np.interp(at, times, pitch) - rest - true)
    smooth, quick = (np.sqrt(np.mean(np.square(errors))) for errors in off)
    assert len(off[0]) >= 4
    assert quick < 0.9 * smooth  # both have what speech does to the pitch
