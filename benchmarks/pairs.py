"""Two people: mutual gaze, movement in step, mirrored posture, against what was drawn.

python benchmarks/pairs.py film [SECONDS [FILMS [FOLDER]]]   # default 120, 4 of each kind; FOLDER keeps what was seen
python benchmarks/pairs.py chance [PAIRS]   # default 200 pairs of movements: how often strangers and followers are told

In the films both are the simulator's portrait, differently coloured and mirrored, side by side, seen down to the chest.
Every 3 to 12 seconds each turns to the other by 20 degrees or looks ahead, and leans to a side or sits upright; in
between they nod and sway in bursts. The right one does all of it 1.2 s after the left one (follower), does so in half
of the time, in spans of 5 to 20 s, and else its own (half), or has moments of its own (stranger). Strangers are also
the left ones of all films with the right ones of all films of another number (of one
number they begin with the same draws).
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
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.results import FloatArray, Window
from cueflow.tasks.simulate.head import Pose
from cueflow.tasks.simulate.scene import Instant, Scene
from cueflow.tasks.video.analyse import VERSION
from cueflow.tasks.video.body.signals import body_signals
from cueflow.tasks.video.body.track import PARTS, BodyTrack
from cueflow.tasks.video.decode import Decoder
from cueflow.tasks.video.face.track import COLUMNS, FaceTrack
from cueflow.tasks.video.follow import follow
from cueflow.tasks.video.together.measures import MIRROR_DEG, TOWARDS_DEG, One, pair_measures
from cueflow.tasks.video.together.synchrony import RATE_HZ as SYNCHRONY_HZ
from cueflow.tasks.video.together.synchrony import Synchrony, binned, bridged, synchrony

RATE_HZ, LAG_S = 10, 1.2
HELD_S, ALONG_S = (3.0, 12.0), (5.0, 20.0)
KINDS, FIRST_SEED = ("follower", "half", "stranger"), 100
TURN_DEG, TILT_DEG = 20.0, 12.0
NOD_DEG, SWAY_DEG = 5.0, 2.0
MINUTES, SHARES = (2, 5, 10), (0.0, 0.3, 0.5)
GAZES = ((1, 1), (1, 0), (0, 1), (0, 0))
TILTS = ((1, -1), (-1, 1), (1, 1), (0, 0), (1, 0))
SIZE = (320, 240)  # of each half
FIGURES = ("mutual_gaze_share", "posture_mirroring_share", "synchrony_z_mean", "synchrony_lag_peak")


@dataclass(frozen=True, slots=True)
class Person:
    """What one does over time, (n,): turned to the other or not, tilt in degrees, nodding and swaying from -1 to 1."""

    turned: NDArray[np.bool_]
    tilt: FloatArray
    sway: FloatArray


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    match list(arguments):
        case ["film"]:
            main(["film", "120"])
        case ["film", seconds]:
            main(["film", seconds, "4"])
        case ["film", seconds, number]:
            with tempfile.TemporaryDirectory() as folder:
                films(float(seconds), int(number), Path(folder))
        case ["film", seconds, number, folder]:
            films(float(seconds), int(number), Path(folder))
        case ["chance", *pairs] if len(pairs) <= 1:
            chance(int(pairs[0]) if pairs else 200)
        case _:
            raise SystemExit(__doc__)


def films(seconds: float, number: int, folder: Path) -> None:
    """Draw, look, compare."""
    print(heading(f"Two people in one picture, {number} films of each kind, {seconds:g} s"))
    print(
        "| right one | film | mutual gaze: drawn, found | mirrored: drawn, found | speed: r with drawn | z | lag, s |"
        "\n|---|---|---|---|---|---|---|"
    )
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    window = Window(0.0, seconds)
    seen: list[tuple[int, tuple[One, One]]] = []
    for seed in range(FIRST_SEED, FIRST_SEED + number):
        for kind in KINDS:
            pair = drawn_pair(np.random.default_rng(seed), times, kind)
            both = seen_in(folder, f"{kind}-{seed}-{seconds:g}", pair, len(times))
            seen.append((seed, both))
            found = {m.biomarker: m.value for m in pair_measures(*both, [window])}
            yaws, tilts = paths(pair)
            towards = (yaws[0] >= TOWARDS_DEG) & (yaws[1] <= -TOWARDS_DEG)
            mirrored = np.abs(tilts[0] + tilts[1]) <= MIRROR_DEG
            alike = [_alike(one, person, tilt, window) for one, person, tilt in zip(both, pair, tilts, strict=True)]
            gaze, posture, z, lag = (_figure(found[what]) for what in FIGURES)
            print(
                f"| {kind} | {seed} | {towards.mean():.2f}, {gaze} | {mirrored.mean():.2f}, {posture} |"
                f" {alike[0]:.2f}, {alike[1]:.2f} | {z} | {lag} |",
                flush=True,
            )
    mixed = [pair_measures(a[0], b[1], [window]) for one, a in seen for other, b in seen if one != other]
    z = np.array([m.value for rows in mixed for m in rows if m.biomarker == "synchrony_z_mean"], dtype=float)
    over = ", ".join(f"over {limit} in {np.mean(z > limit):.3f}" for limit in (1.64, 2.33))
    print(f"\n{len(z)} pairs of people of films of two numbers: z {over}; mean {z.mean():.2f}, spread {z.std():.2f}\n")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _alike(one: One, person: Person, tilt: FloatArray, window: Window) -> float:
    """Correlation of the body's speed with that of the tilt as drawn."""
    times = np.arange(len(tilt)) / RATE_HZ
    speed = np.abs(np.gradient(tilt + SWAY_DEG * person.sway))
    drawn, found = (
        bridged(binned(at, values, start_s=window.start_s, end_s=window.end_s))
        for at, values in ((times, speed), (one.signals.times_s, one.signals.energy))
    )
    known = np.isfinite(drawn) & np.isfinite(found)
    return float(np.corrcoef(drawn[known], found[known])[0, 1])


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


def drawn_pair(rng: np.random.Generator, times: FloatArray, kind: str) -> list[Person]:
    """Two people, the left one first."""
    held, sway = held_states(rng, times), swaying(rng, times)
    own, own_sway = held_states(rng, times), swaying(rng, times)
    before = np.maximum(np.arange(len(times)) - round(LAG_S * RATE_HZ), 0)
    spans = np.searchsorted(np.cumsum(rng.uniform(*ALONG_S, len(times))), times)
    along = {"follower": np.ones(len(times)), "half": spans % 2.0, "stranger": np.zeros(len(times))}[kind]
    share = smooth(along, 0.5)
    right = np.where(along[:, None, None] > 0, held[before], own)
    return [_person(held, 0, sway), _person(right, 1, share * sway[before] + (1 - share) * own_sway)]


def _person(held: FloatArray, side: int, sway: FloatArray) -> Person:
    return Person(held[:, 0, side] > 0, TILT_DEG * held[:, 1, side], sway)


def paths(pair: Sequence[Person]) -> tuple[list[FloatArray], list[FloatArray]]:
    """Yaw of the head to the picture's right and tilt of the body, degrees, as they are held."""
    yaws = [smooth(np.where(p.turned, side * TURN_DEG, 0.0), 0.5) for p, side in zip(pair, (1, -1), strict=True)]
    return yaws, [smooth(p.tilt, 1.0) for p in pair]


def held_states(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Gaze and posture of both at each time, (n, 2, 2): every state about equally often, for as long as chance says.

    Not to a beat: two who change every six seconds fit each other at lags of six seconds in all windows.
    """
    ends = np.cumsum(rng.uniform(*HELD_S, int(times[-1] // HELD_S[0]) + 1))
    at = np.searchsorted(ends, times, side="right")
    return np.stack([rng.permutation(np.resize(states, (len(ends), 2)))[at] for states in (GAZES, TILTS)], axis=1)


def bursts(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """How much somebody moves: bursts of a second or so at random moments."""
    centres = np.cumsum(rng.uniform(2.0, 6.0, int(times[-1] // 2) + 1))
    return np.asarray(np.exp(-(((times[:, None] - centres) / 0.5) ** 2)).max(axis=1))


def swaying(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Once to and fro in a second, in bursts."""
    return bursts(rng, times) * np.sin(2 * np.pi * (times + rng.uniform()))


def seen_in(folder: Path, name: str, pair: Sequence[Person], frames: int) -> tuple[One, One]:
    """Left and right as the video stage sees them; of a film that was looked at before, what was kept of it."""
    kept = folder / f"{name}-{VERSION}.npz"
    if not kept.exists():
        film(folder / f"{name}.mp4", pair, frames)
        config = VideoConfig(face_rate_hz=RATE_HZ, flow_rate_hz=1)
        path, models = folder / f"{name}.mp4", video_models()
        tracks = follow(path, models=models, config=config, decoder=Decoder.AV, progress=lambda _: None)
        most = sorted(tracks.people.values(), key=lambda t: -float(t.face.visible.mean()))[:2]
        table = {}
        for k, t in enumerate(sorted(most, key=lambda t: float(np.nanmedian(t.face["nose_x"])))):
            table |= {f"{k} face": t.face.times_s, f"{k} body": t.body.times_s}
            table |= {f"{k} {column}": t.face[column] for column in COLUMNS}
            table |= {f"{k} body {part}": t.body.points[part] for part in PARTS}
        np.savez(kept, **table)
    table = dict(np.load(kept))
    left, right = (_one(table, k) for k in (0, 1))
    return left, right


def _one(table: dict[str, FloatArray], k: int) -> One:
    points = {part: table[f"{k} body {part}"] for part in PARTS}
    hands = dict.fromkeys(("left", "right"), np.zeros((0, 5, 2)))
    body = BodyTrack(table[f"{k} body"], points, np.zeros(0), hands)
    return One(FaceTrack(table[f"{k} face"], {c: table[f"{k} {c}"] for c in COLUMNS}), body, body_signals(body))


def film(path: Path, pair: Sequence[Person], frames: int) -> None:
    """Both halves side by side, encoded."""
    import av
    import cv2

    scenes = [Scene(look_seed=s, room_seed=5, width=SIZE[0], height=SIZE[1], margin=150, noise=1.0) for s in (1, 2)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE_HZ, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 2 * SIZE[0], SIZE[1], "yuv420p"
        yaws, tilts = paths(pair)
        for k in range(frames):
            halves = []
            for person, scene, yaw, tilt in zip(pair, scenes, yaws, tilts, strict=True):
                sway = float(person.sway[k])
                pose = Pose(pitch_deg=NOD_DEG * sway, yaw_deg=float(yaw[k]))
                picture = cv2.cvtColor(scene.draw(still(pose)), cv2.COLOR_YUV2RGB_I420)
                turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1]), -float(tilt[k] + SWAY_DEG * sway), 1.0)
                halves.append(cv2.warpAffine(picture, turn, SIZE, borderMode=cv2.BORDER_REPLICATE))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(np.hstack(halves)), format="rgb24")))
        file.mux(stream.encode())


def smooth(values: FloatArray, seconds: float) -> FloatArray:
    """Changes take so long."""
    width = round(seconds * RATE_HZ) | 1
    return np.convolve(np.pad(values, width // 2, mode="edge"), np.ones(width) / width, mode="valid")


def still(pose: Pose) -> Instant:
    """A face at rest in a pose, seen from further away; hands out of the picture."""
    return Instant(
        closure=0.0,
        smile=0.0,
        opening=0.0,
        pose=pose,
        hands=((0.0, 999.0),) * 2,
        camera=(0.0, -14.0),
        zoom=-0.25,
        light=1.0,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
