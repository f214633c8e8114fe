"""Flow on real recordings: whether it lies on what moves, and what taking the camera out leaves.

python benchmarks/actions_flow.py DATA [--size 112] [--rate 8] [--seconds 6]

DATA is a folder of recordings; the clips named below are used where they are there. Overlap: share of the tenth of the
patches with the most flow that is also in the tenth with the most optical flow (Farnebäck on frames of 448 pixels, an
independent reference; chance is .10), over pairs of frames in which something moves. Camera: mean displacement of all
patches before and after the affine field is taken out, and the change of attention as it is and with the later map put
back; a pan over a still picture has a known truth: nothing is left.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from measure import heading

from cueflow.flows.work.stages import model_path
from cueflow.tasks.video.decode import Decoder, frames
from cueflow.tasks.video.motion.backbone import Backbone, Maps
from cueflow.tasks.video.motion.flow import affine_field, affine_fit, attention_flow, attention_magnitude
from cueflow.tasks.video.motion.flow import key_displacement as displacement_of
from cueflow.tasks.video.motion.moving import moving_attention_flow
from cueflow.tasks.video.motion.track import KEY_LAYERS, key_grid

STATIC = (
    "video_gesture/asl_intel/book.mkv",
    "video_gesture/asl_intel/no.mkv",
    "video_gesture/asl_intel/school.mkv",
    "video_gesture/pose_format_test_video.mp4",
    "video_face/carphone_pristine.mp4",
)
MOVING = ("video_action/mmaction_arm_wrestling.mp4", "video_action/paddle_archery.avi", "video_face/face_noface.mov")
LAYERS, TOP, REFERENCE = (8, 9, 10, 11), 0.1, 448


def pictures_of(path: Path, *, rate: float, seconds: float) -> np.ndarray:
    """The first seconds of a recording, (n, height, width, 3)."""
    kept = []
    for batch in frames(path, decoder=Decoder.AV, max_side=REFERENCE, max_rate_hz=rate):
        kept += [p for t, p in zip(batch.times_s, batch.frames, strict=True) if t <= seconds]
        if len(batch.times_s) and batch.times_s[-1] > seconds:
            break
    return np.stack(kept)


def panned(picture: np.ndarray, *, shake: float, count: int = 24) -> np.ndarray:
    """Windows that glide over a still picture, with a tremor of `shake` pixels: a known camera, and nothing moves."""
    rng = np.random.default_rng(0)
    large = cv2.resize(picture, (640, 480), interpolation=cv2.INTER_AREA)
    out = []
    for k in range(count):
        x, y = 40 + (0 if shake else 5.0 * k) + rng.normal(0, shake), 60 + rng.normal(0, shake)
        out.append(cv2.warpAffine(large, np.array([[1, 0, -x], [0, 1, -y]], float), (448, 336)))
    return np.stack(out)


def reference(now: np.ndarray, then: np.ndarray, side: int) -> np.ndarray:
    """Mean length of the optical flow in each patch, pixels of the reference frames."""
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (now, then)]
    start = np.zeros((*grey[0].shape, 2), np.float32)
    moved = cv2.calcOpticalFlowFarneback(*grey, start, 0.5, 4, 21, 3, 7, 1.5, 0)
    return cv2.resize(np.linalg.norm(moved, axis=-1), (side, side), interpolation=cv2.INTER_AREA).ravel()


def top(values: np.ndarray) -> set[int]:
    """The tenth of the patches with the largest values."""
    return set(np.argsort(-values, kind="stable")[: max(1, round(TOP * len(values)))].tolist())


def pairs(maps: Maps, pictures: np.ndarray) -> list[dict[str, np.ndarray | float]]:
    """What every pair of neighbouring frames gives."""
    keys = key_grid(maps)
    attention = np.stack([maps.attention[n] for n in LAYERS], axis=1)
    found = []
    for k in range(len(keys) - 1):
        moved = displacement_of(keys[k], keys[k + 1])
        field = affine_field(affine_fit(moved), maps.side)
        left = moved - field
        _, magnitude = moving_attention_flow(attention[k], attention[k + 1], field)
        found.append(
            {
                "signed keys": np.linalg.norm(left, axis=-1).ravel(),
                "published statistic": attention_flow(attention[k], attention[k + 1]).mean(axis=0),
                "reference": reference(pictures[k], pictures[k + 1], maps.side),
                "before": float(np.linalg.norm(moved, axis=-1).mean()),
                "after": float(np.linalg.norm(left, axis=-1).mean()),
                "change": float(attention_magnitude(attention[k], attention[k + 1]).mean()),
                "put back": float(magnitude.mean()),
            }
        )
    return found


def overlap(rows: list[dict[str, np.ndarray | float]], name: str) -> float:
    """Mean overlap of the top patches over the half of the pairs with the most motion."""
    strength = [float(r["reference"].max()) for r in rows]
    busy = [r for r, s in zip(rows, strength, strict=True) if s >= np.median(strength)]
    return float(np.mean([len(top(r[name]) & top(r["reference"])) / len(top(r["reference"])) for r in busy]))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--rate", type=float, default=8.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    backbone = Backbone(model_path("dinov2_small"), key_layers=KEY_LAYERS, attention_layers=LAYERS)
    clips = {n: given.data / n for n in (*STATIC, *MOVING) if (given.data / n).is_file()}
    if not clips:
        raise SystemExit("none of the clips is there")
    read = {n: pictures_of(p, rate=given.rate, seconds=given.seconds) for n, p in clips.items()}
    still = next(iter(read.values()))[0]
    read["pan over a still picture"] = panned(still, shake=0.0)
    read["tremor over a still picture"] = panned(still, shake=4.0)
    print(heading(f"flow on real recordings, {given.size} pixels, {given.rate:g} frames/s"))
    print("| clip | pairs | overlap keys | overlap statistic | displacement | camera out | change | put back |")
    print("|" + "---|" * 8)
    for name, pictures in read.items():
        rows = pairs(backbone.maps(pictures, size=given.size), pictures)
        mean = {n: float(np.mean([r[n] for r in rows])) for n in ("before", "after", "change", "put back")}
        known = name in STATIC
        shares = [f"{overlap(rows, n):.2f}" if known else "–" for n in ("signed keys", "published statistic")]
        cells = [Path(name).name, str(len(rows)), *shares, *(f"{x:.3f}" for x in mean.values())]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
