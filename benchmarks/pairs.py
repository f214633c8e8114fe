"""Two people in one picture: mutual gaze, movement in step, mirrored posture, against what was drawn.

python benchmarks/pairs.py [SECONDS]  # default 80, at 15 frames/s; twice: one follows the other, and strangers

Both are the simulator's portrait, differently coloured and mirrored, side by side. Every six seconds each turns to the
other by 20 degrees or looks ahead, and leans to a side or sits upright; in between they nod and lean forward in bursts.
Their shoulders are at the picture's edge, so that postures are seldom seen: mirroring wants another scene.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import PersonRule, VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.head import Pose
from cueflow.tasks.simulate.scene import Instant, Scene
from cueflow.tasks.video.analyse import Place, analyse_video

RATE_HZ, BLOCK_S, LAG_S = 15, 6.0, 1.2
TURN_DEG, TILT_DEG = 20.0, 12.0
GAZES = ((1, 1), (1, 0), (0, 1), (0, 0))
TILTS = ((1, -1), (-1, 1), (1, 1), (0, 0), (1, 0))
SIZE = (480, 360)  # of each half
NAMES = ("mutual_gaze_share", "posture_mirroring_share", "synchrony_z_mean", "synchrony_lag_median",
         "synchrony_strength_mean", "people_count_max")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """What one does over time, (n,): turned to the other or not, tilt in degrees, how much of the body moves."""

    turned: NDArray[np.bool_]
    tilt: FloatArray
    stir: FloatArray


def main(arguments: Sequence[str]) -> None:
    """Draw, look, compare."""
    seconds = float(arguments[0]) if arguments else 80.0
    print(heading(f"Two people in one picture, {seconds:g} s"))
    print("| pair | what | drawn | found |\n|---|---|---|---|")
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(11)
    stir = bursts(rng, times)
    gazes, tilts = blocks(rng, times, GAZES) > 0, TILT_DEG * blocks(rng, times, TILTS)
    followed = np.interp(times - LAG_S, times, stir)
    for name, other in (("the right one follows", followed), ("strangers", bursts(rng, times))):
        pair = [Person(gazes[:, i], tilts[:, i], s) for i, s in enumerate((stir, other))]
        found = look_at(pair, times)
        drawn = {
            "mutual_gaze_share": f"{np.mean(pair[0].turned & pair[1].turned):.2f}",
            "posture_mirroring_share": f"{np.mean(pair[0].tilt == -pair[1].tilt):.2f}",
            "synchrony_lag_median": f"{LAG_S:.1f}" if other is followed else "none",
            "people_count_max": "2",
        }
        for what in NAMES:
            value = found.get(what)
            print(
                f"| {name} | {what} | {drawn.get(what, '')} | {'absent' if value is None else f'{value:.2f}'} |",
                flush=True,
            )
    print()


def blocks(rng: np.random.Generator, times: FloatArray, states: Sequence[tuple[int, int]]) -> FloatArray:
    """What both do at each time, (n, 2): every state about equally often."""
    number = int(times[-1] // BLOCK_S) + 1
    drawn = rng.permutation(np.resize(np.array(states, dtype=float), (number, 2)))
    return np.asarray(drawn[(times // BLOCK_S).astype(int)])


def bursts(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """How much somebody moves: bursts of a second or so at random moments."""
    centres = np.cumsum(rng.uniform(2.0, 6.0, int(times[-1] // 2) + 1))
    return np.asarray(np.exp(-(((times[:, None] - centres) / 0.5) ** 2)).max(axis=1))


def look_at(pair: Sequence[Person], times: FloatArray) -> dict[str, float | None]:
    """The pair's biomarkers over the whole film."""
    with tempfile.TemporaryDirectory() as folder:
        film(Path(folder, "room.mp4"), pair, len(times))
        config = VideoConfig(face_rate_hz=RATE_HZ, person_rule=PersonRule.LEFT)
        roles = (Role.PATIENT, Role.CLINICIAN)
        findings = analyse_video(
            Path(folder, "room.mp4"), place=Place(), models=video_models(), config=config, roles=roles
        )
    return {m.biomarker: m.value for m in findings[Role.PATIENT].measures if m.biomarker in NAMES}


def film(path: Path, pair: Sequence[Person], frames: int) -> None:
    """Both halves side by side, encoded."""
    import av
    import cv2

    scenes = [Scene(look_seed=s, room_seed=5, width=SIZE[0], height=SIZE[1], margin=20, noise=1.0) for s in (1, 2)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE_HZ, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 2 * SIZE[0], SIZE[1], "yuv420p"
        yaws = [smooth(np.where(p.turned, side * TURN_DEG, 0.0)) for p, side in zip(pair, (1, -1), strict=True)]
        tilts = [smooth(p.tilt) for p in pair]
        for k in range(frames):
            halves = []
            for person, scene, yaw, tilt in zip(pair, scenes, yaws, tilts, strict=True):
                wave = float(person.stir[k] * np.sin(2 * np.pi * 1.5 * k / RATE_HZ))
                pose = Pose(pitch_deg=5 * wave, yaw_deg=float(yaw[k]), lean=0.05 * wave)
                picture = cv2.cvtColor(scene.draw(still(pose)), cv2.COLOR_YUV2RGB_I420)
                turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1]), -float(tilt[k]), 1.0)
                halves.append(cv2.warpAffine(picture, turn, SIZE, borderMode=cv2.BORDER_REPLICATE))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(np.hstack(halves)), format="rgb24")))
        file.mux(stream.encode())


def smooth(values: FloatArray) -> FloatArray:
    """Changes take half a second."""
    width = RATE_HZ // 2
    return np.convolve(np.pad(values, width // 2, mode="edge"), np.ones(width) / width, mode="valid")[: len(values)]


def still(pose: Pose) -> Instant:
    """A face at rest in a pose."""
    return Instant(
        closure=0.0, smile=0.0, opening=0.0, pose=pose, hands=((0.0, 0.0),) * 2, camera=(0.0, 0.0), zoom=0.0, light=1.0
    )


if __name__ == "__main__":
    main(sys.argv[1:])
