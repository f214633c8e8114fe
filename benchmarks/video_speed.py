"""Frames per second of faces and bodies, without the motion of the picture, on both cores together.

python benchmarks/video_speed.py [VIDEO]   # default: half a minute that the simulator films at 25 frames/s

Each row is looked at by one process per core, all at the same time, and once more in processor time. Fingertips are
left out. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from measure import heading

from cueflow.flows.work.stages import video_models
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.video.body.finder import BodyFollower, BodyModels
from cueflow.tasks.video.decode import Beat, Decoder, frames
from cueflow.tasks.video.people.cast import Cast, CastModels

SIDE = 640
ROWS = (("decoding", 0.0, 0.0), ("faces at every frame", 120.0, 0.0), ("faces and bodies at every frame", 120.0, 120.0),
        ("faces at every frame, bodies 12 times a second (default)", 120.0, 12.0))  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Film, look, tell."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        video = Path(arguments[0]) if arguments else _simulated(Path(folder))
        print(heading(f"Frames per second of faces and bodies, {cores} processes"))
        print("| what | frames/s together | processor time a frame, ms |\n|---|---|---|")
        for name, face_hz, body_hz in ROWS:
            with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
                list(pool.map(_warm, range(cores)))
                found = list(pool.map(_look, [video] * cores, [face_hz] * cores, [body_hz] * cores))
            together = sum(number / wall for number, wall, _ in found)
            each = 1000 * sum(used for _, _, used in found) / sum(number for number, _, _ in found)
            print(f"| {name} | {together:.1f} | {each:.1f} |", flush=True)
    print()


def _simulated(scratch: Path) -> Path:
    effects = replace(Effects.plain(), modalities=("video",), fps_choices=(25.0,))
    simulate(scratch / "cohort", sessions=1, minutes=0.5, seed=5, effects=effects)
    return scratch / "cohort" / "s001" / "video.mp4"


def _warm(_: int) -> None:
    """Load the libraries."""
    import mediapipe  # noqa: F401

    time.sleep(1.0)  # or one process would take all of it


def _look(video: Path, face_hz: float, body_hz: float) -> tuple[int, float, float]:
    """Frames, seconds, and seconds of processor."""
    models = video_models()
    started, used, number = time.perf_counter(), time.process_time(), 0
    body_beat = Beat(body_hz or 1.0)
    with Cast(CastModels(models.landmarker, models.detector, models.identity), most=4) as cast:
        body = BodyFollower(BodyModels(models.pose, models.hands))
        for batch in frames(video, decoder=Decoder.AV, max_side=SIDE, max_rate_hz=120.0):
            for stamp, picture in zip(batch.times_s, batch.frames, strict=True):
                number += 1
                if not face_hz:
                    continue
                faces = cast.look(float(stamp), picture).faces
                if body_hz and body_beat.keeps(float(stamp)):
                    body.look(float(stamp), picture, next(iter(faces.values()), None))
        body.close()
    return number, time.perf_counter() - started, time.process_time() - used


if __name__ == "__main__":
    main(sys.argv[1:])
