"""What a picture without motion gives, and what people give: where `still_threshold` of the video stage lies.

python benchmarks/stillness.py DATA [--size 112] [--rate 4] [--seconds 6]

Still: photographs under DATA shown again and again, each time with fresh sensor noise of so many grey levels, and the
video of a face that keeps still. Films: the videos of signs and faces under DATA, as they are. Printed is the residual
speed of whole seconds, patches/s: of each photograph or video the median and the largest second, and their range.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from measure import heading

from cueflow.flows.work.stages import model_path
from cueflow.schemas.config import VideoConfig
from cueflow.tasks.video.decode import frames, inspect
from cueflow.tasks.video.motion.backbone import Backbone
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder, MotionTrack

NOISE = (0.0, 5.0, 15.0)
PHOTOGRAPHS = 6
SIDE = 320


def seconds_of(track: MotionTrack) -> np.ndarray:
    """Mean residual speed of every whole second, patches/s."""
    number = (track.times_s - track.times_s[0]).astype(int)
    return np.array([track["energy"][number == k].mean() for k in range(number.max() + 1) if (number == k).sum() > 1])


def still(backbone: Backbone, picture: np.ndarray, noise: float, given: argparse.Namespace) -> np.ndarray:
    """Seconds of a photograph that is shown again and again."""
    rng, builder = np.random.default_rng(0), MotionBuilder(backbone, size=given.size, aspect=1.0)
    count = round(given.seconds * given.rate)
    shown = picture + noise * rng.standard_normal((count, *picture.shape), dtype=np.float32)
    builder.add(np.arange(count) / given.rate, np.clip(shown, 0, 255).astype(np.uint8))
    return seconds_of(builder.done())


def people(backbone: Backbone, path: Path, given: argparse.Namespace) -> np.ndarray:
    """Seconds of a video's beginning."""
    shape = inspect(path)
    times, pictures = list[float](), list[np.ndarray]()
    builder = MotionBuilder(backbone, size=given.size, aspect=shape.width / shape.height)
    for batch in frames(path, max_side=SIDE, max_rate_hz=given.rate):
        times += batch.times_s.tolist()
        pictures += [picture.copy() for picture in batch.frames]
        if batch.times_s[-1] > given.seconds:
            break
    builder.add(np.array(times), np.stack(pictures))
    return seconds_of(builder.done())


def row(name: str, found: list[np.ndarray]) -> str:
    """A line of the table."""
    middle, most = ([f(x) for x in found] for f in (np.median, np.max))
    cells = [name, str(len(found)), f"{min(middle):.3f}–{max(middle):.3f}", f"{np.median(middle):.3f}"]
    return "| " + " | ".join([*cells, f"{max(most):.3f}"]) + " |"


def photographs(folder: Path) -> Iterator[np.ndarray]:
    """Pictures with people, square, RGB."""
    for path in sorted((folder / "image_keypoints").rglob("*.jpg"))[:PHOTOGRAPHS]:
        yield cv2.resize(cv2.imread(str(path))[..., ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Print a row for every noise, then one for people."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--rate", type=float, default=4.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    config = VideoConfig()
    backbone = Backbone(model_path("dinov2_small"), key_layers=KEY_LAYERS, attention_layers=KEY_LAYERS)
    print(heading(f"stillness, {given.size} pixels, {given.rate:g} looks a second; now {config.still_threshold:g}"))
    print("| what | n | medians | their median | largest second |\n|---|---|---|---|---|")
    for noise in NOISE:
        found = [still(backbone, p, noise, given) for p in photographs(given.data)]
        print(row(f"photograph, noise {noise:g}", found), flush=True)
    print(row("a face that keeps still", [people(backbone, given.data / "video_rppg" / "evm_face.mp4", given)]))
    films = [*(given.data / "video_gesture").rglob("*.m*"), *(given.data / "video_face").glob("*.mp4")]
    found = [people(backbone, path, given) for path in sorted(films)]
    print(row("films of signs and faces", found))


if __name__ == "__main__":
    main()
