"""Two people: mutual gaze, movement in step, mirrored posture, against what was drawn.

python benchmarks/pairs.py film [SECONDS]   # default 80, at 15 frames/s; twice: one follows the other, and strangers
python benchmarks/pairs.py chance [PAIRS]   # default 200 pairs of movements: how often strangers and followers are told

In the films both are the simulator's portrait, differently coloured and mirrored, side by side, seen down to the chest.
Every six seconds each turns to the other by 20 degrees or looks ahead, and leans to a side or sits upright; in between
they nod and lean forward in bursts. Strangers do so each at their own moments.
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
from cueflow.tasks.video.together.measures import MIRROR_DEG, TOWARDS_DEG
from cueflow.tasks.video.together.synchrony import RATE_HZ as SYNCHRONY_HZ
from cueflow.tasks.video.together.synchrony import Synchrony, synchrony

RATE_HZ, BLOCK_S, LAG_S = 15, 6.0, 1.2
TURN_DEG, TILT_DEG = 20.0, 12.0
MINUTES, SHARES = (2, 5, 10), (0.0, 0.3, 0.5)
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
    """Measure what was named."""
    match list(arguments):
        case ["film", *seconds] if len(seconds) <= 1:
            films(float(seconds[0]) if seconds else 80.0)
        case ["chance", *pairs] if len(pairs) <= 1:
            chance(int(pairs[0]) if pairs else 200)
        case _:
            raise SystemExit(__doc__)


def films(seconds: float) -> None:
    """Draw, look, compare."""
    print(heading(f"Two people in one picture, {seconds:g} s"))
    print("| pair | what | drawn | found |\n|---|---|---|---|")
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    for follows in (True, False):
        pair = drawn_pair(np.random.default_rng(11), times, follows=follows)
        found = look_at(pair, times)
        yaws, tilts = paths(pair)
        towards = (yaws[0] >= TOWARDS_DEG) & (yaws[1] <= -TOWARDS_DEG)
        drawn = {
            "mutual_gaze_share": f"{np.mean(towards):.2f}",
            "posture_mirroring_share": f"{np.mean(np.abs(tilts[0] + tilts[1]) <= MIRROR_DEG):.2f}",
            "synchrony_lag_median": f"{LAG_S:.1f}" if follows else "none",
            "people_count_max": "2",
        }
        for what in NAMES:
            value = found.get(what)
            print(
                f"| {'the right one follows' if follows else 'strangers'} | {what} | {drawn.get(what, '')} |"
                f" {'absent' if value is None else f'{value:.2f}'} |",
                flush=True,
            )
    print()


def chance(pairs: int) -> None:
    """Movements of strangers and of followers, as signals alone."""
    print(heading(f"Synchrony of {pairs} pairs of movements"))
    print("| minutes | follower's share | z over 1.64 | z over 2.33 | z, mean | lag off by, median, 90 %, s |")
    print("|---|---|---|---|---|---|")
    for minutes in MINUTES:
        times = np.arange(round(60 * minutes * SYNCHRONY_HZ)) / SYNCHRONY_HZ
        for share in SHARES:
            found = [_told(np.random.default_rng([k, minutes]), times, share) for k in range(pairs)]
            z, off = np.array([(f.z, abs(f.lag_s - LAG_S)) for f in found if f is not None]).T
            lag = f"{np.median(off):.1f}, {np.quantile(off, 0.9):.1f}" if share else ""
            over = " | ".join(f"{np.mean(z > limit):.3f}" for limit in (1.645, 2.326))
            print(f"| {minutes} | {share:g} | {over} | {z.mean():.1f} | {lag} |", flush=True)
    print()


def _told(rng: np.random.Generator, times: FloatArray, share: float) -> Synchrony | None:
    """Of one pair: the second does what the first did before to that share, and what it likes."""
    one, own = bursts(rng, times), bursts(rng, times)
    other = share * np.interp(times - LAG_S, times, one) + (1 - share) * own
    noise = 0.1 * np.abs(rng.normal(size=(2, len(times))))
    return synchrony(one + noise[0], other + noise[1])


def drawn_pair(rng: np.random.Generator, times: FloatArray, *, follows: bool) -> list[Person]:
    """Two of whom the right one does what the left one did before, or two who do as they like."""
    stir, gazes, tilts = bursts(rng, times), blocks(rng, times, GAZES) > 0, TILT_DEG * blocks(rng, times, TILTS)
    if follows:
        before = np.maximum(np.arange(len(times)) - round(LAG_S * RATE_HZ), 0)
        return [Person(gazes[:, 0], tilts[:, 0], stir), Person(gazes[before, 1], tilts[before, 1], stir[before])]
    later = times + BLOCK_S / 2
    theirs = blocks(rng, later, GAZES) > 0, TILT_DEG * blocks(rng, later, TILTS)
    return [Person(gazes[:, 0], tilts[:, 0], stir), Person(theirs[0][:, 1], theirs[1][:, 1], bursts(rng, times))]


def paths(pair: Sequence[Person]) -> tuple[list[FloatArray], list[FloatArray]]:
    """Yaw of the head to the picture's right and tilt of the body, degrees, as they are drawn."""
    yaws = [smooth(np.where(p.turned, side * TURN_DEG, 0.0)) for p, side in zip(pair, (1, -1), strict=True)]
    return yaws, [smooth(p.tilt) for p in pair]


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

    scenes = [Scene(look_seed=s, room_seed=5, width=SIZE[0], height=SIZE[1], margin=220, noise=1.0) for s in (1, 2)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE_HZ, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 2 * SIZE[0], SIZE[1], "yuv420p"
        yaws, tilts = paths(pair)
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
    """A face at rest in a pose, seen from further away; hands out of the picture."""
    return Instant(
        closure=0.0,
        smile=0.0,
        opening=0.0,
        pose=pose,
        hands=((0.0, 999.0),) * 2,
        camera=(0.0, -20.0),
        zoom=-0.25,
        light=1.0,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
