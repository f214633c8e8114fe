"""Few examples of real clips: which of ten signs is it, and forward or backward, from 1, 2 or 5 renditions of each.

python benchmarks/actions_clips.py DATA [probe cached adapter full flow] [--shots 1 2 5] [--tests 10] [--seeds 3]

DATA holds ten clips, one sign each, of five people (video_gesture/asl_intel). A rendition is a clip cut at other times
at both ends, played faster or slower by that, shifted, turned, scaled, in other light, with sensor noise; backward, it
is a class of its own that shows the same frames. Those judged on are others than those learned from. Clothes give the
person away: so signs are also told apart among those of the same person, and forward from backward, which no frame
shows. Ways, backbone and head as in `actions_finetune.py`, and flow: a linear layer on the signed flow of keys and
pictures, as the action head reads it, means of the clip's quarters. It says how much can be told from how few
examples, not how well it carries over to other people.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from actions_finetune import BATCH, STEPS, Recogniser, learn
from measure import heading
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.look.eyes import make_eyes
from cueflow.tasks.actions.look.features import FeatureBuilder
from cueflow.tasks.actions.store.model import motion_columns

SQUARE = 224
PEOPLE = {
    "again": 0,
    "no": 0,
    "book": 1,
    "school": 1,
    "eat": 2,
    "hungry": 3,
    "want": 3,
    "milk": 4,
    "sorry": 4,
    "thanks": 4,
}


@dataclass(frozen=True, slots=True)
class Data:
    """Clips, who signs in each, and renditions to be judged on: pixels and kinds."""

    clips: list[np.ndarray]
    people: np.ndarray
    others: Tensor
    kinds: Tensor


def read(path: Path) -> np.ndarray:
    """All frames of a clip, the middle square: (n, SQUARE, SQUARE, 3)."""
    shown, file = [], cv2.VideoCapture(str(path))
    while True:
        there, picture = file.read()
        if not there:
            return np.stack(shown)
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        cut = cv2.cvtColor(picture[top : top + side, left : left + side], cv2.COLOR_BGR2RGB)
        shown.append(cv2.resize(cut, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA))


def rendition(clip: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """One rendition: (STEPS, 3, side, side), uint8."""
    first, last = rng.uniform(0, 0.15), rng.uniform(0.85, 1)
    at = np.linspace(first, last, STEPS) * (len(clip) - 1)
    angle, scale = rng.uniform(-8, 8), rng.uniform(0.85, 1.15)
    turn = cv2.getRotationMatrix2D((SQUARE / 2, SQUARE / 2), angle, scale)
    turn[:, 2] += rng.uniform(-0.1, 0.1, 2) * SQUARE
    tint, light, noise = rng.uniform(0.7, 1.3, 3), rng.uniform(-30, 30), rng.uniform(0, 8)
    made = []
    for k in at.round().astype(int):
        moved = cv2.warpAffine(clip[k], turn, (SQUARE, SQUARE), borderMode=cv2.BORDER_REFLECT)
        small = cv2.resize(moved, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        small = (small - 128) * tint + 128 + light + rng.normal(0, noise, small.shape)
        made.append(np.clip(small, 0, 255).astype(np.uint8))
    return np.stack(made).transpose(0, 3, 1, 2)


def renditions(clips: list[np.ndarray], count: int, seed: int, side: int) -> tuple[Tensor, Tensor]:
    """`count` of each clip forward and backward: pixels (n, STEPS, 3, side, side), kinds (n,), backward last."""
    rng = np.random.default_rng(seed)
    both = [*clips, *(clip[::-1] for clip in clips)]
    drawn = np.stack([rendition(clip, rng, side) for _ in range(count) for clip in both])
    return torch.from_numpy(drawn), torch.arange(len(both)).repeat(count)


def said(way: str, met: tuple[Tensor, Tensor], others: Tensor, asked: argparse.Namespace) -> np.ndarray:
    """Log-probabilities of the other renditions, (n, kinds)."""
    model = Recogniser(asked, way, int(met[1].max()) + 1).to(asked.device)
    model.eval()
    asked.epochs = math.ceil(asked.steps * BATCH / len(met[1]))

    def seen(pixels: Tensor) -> Tensor:
        given = pixels.to(asked.device)
        if model.through:
            return given
        with torch.inference_mode():
            return torch.cat([model.tokens(part.float() / 255).half() for part in given.split(BATCH)]).clone()

    learn(model, seen(met[0]), met[1].to(asked.device), way=way, asked=asked)
    scale = 255 if model.through else 1
    with torch.inference_mode():
        found = [model(part.float() / scale).log_softmax(-1) for part in seen(others).split(BATCH)]
    return torch.cat(found).cpu().numpy()


def flows(pixels: Tensor, asked: argparse.Namespace) -> np.ndarray:
    """Rows of signed flow of every clip, means of its quarters: (n, 4 × columns)."""
    eyes, made = make_eyes(asked.backbone, appearance=False, device=asked.device), []
    for clip in pixels.numpy().transpose(0, 1, 3, 4, 2):
        builder = FeatureBuilder(eyes, size=asked.side, aspect=1.0)
        builder.add(np.arange(STEPS) / 8, clip)
        rows = motion_columns(builder.done(), ("keys", "optical"))[1:]  # the first frame has none before it
        made.append(np.concatenate([part.mean(axis=0) for part in np.array_split(rows, 4)]))
    return np.stack(made)


def told_by_flow(met: tuple[Tensor, Tensor], others: np.ndarray, asked: argparse.Namespace) -> np.ndarray:
    """Log-probabilities of the other renditions, of a linear layer on their flow."""
    rows = flows(met[0], asked)
    scale = StandardScaler().fit(rows)
    layer = LogisticRegression(C=0.01, max_iter=1000).fit(scale.transform(rows), met[1].numpy())
    return np.asarray(layer.predict_log_proba(scale.transform(others)))


def right(found: np.ndarray, kinds: np.ndarray, people: np.ndarray) -> tuple[float, float, float]:
    """Shares of right answers: which sign, which of the same person's, forward or backward."""
    signs, clip = len(people), kinds % len(people)
    of_sign = np.logaddexp(found[:, :signs], found[:, signs:])
    own = people[None] == people[clip][:, None]
    choice = own.sum(axis=1) > 1
    within = np.where(own, of_sign, -np.inf).argmax(axis=1) == clip
    rows = np.arange(len(found))
    backward = found[rows, clip + signs] > found[rows, clip]
    return (of_sign.argmax(axis=1) == clip).mean(), within[choice].mean(), (backward == (kinds >= signs)).mean()


def row(way: str, data: Data, asked: argparse.Namespace) -> str:
    """Figures of one way for every number of examples."""
    cells, started = [], time.perf_counter()
    others = flows(data.others, asked) if way == "flow" else data.others
    for shots in asked.shots:
        found = []
        for seed in range(asked.seeds):
            torch.manual_seed(seed)
            met = renditions(data.clips, shots, seed, asked.side)
            answers = told_by_flow(met, others, asked) if way == "flow" else said(way, met, others, asked)
            found.append(right(answers, data.kinds.numpy(), data.people))
        cells.append(" / ".join(f"{x:.3f}" for x in np.mean(found, axis=0)))
    return f"| {way} | {' | '.join(cells)} | {time.perf_counter() - started:.0f} |"


def main() -> None:
    """Print a row for every way."""
    asked = asked_for()
    paths = sorted((asked.data / "video_gesture" / "asl_intel").glob("*.mkv"))
    clips, people = [read(path) for path in paths], np.array([PEOPLE[path.stem] for path in paths])
    data = Data(clips, people, *renditions(clips, asked.tests, 1_000_000, asked.side))
    print(heading(f"few examples of {len(clips)} signs, {asked.tests} other renditions of each, {asked.device}"))
    print("Right: which of all signs / which of the same person's / forward or backward; mean of seeds\n")
    print("| way | " + " | ".join(f"{n} of each" for n in asked.shots) + " | s |\n|" + "---|" * (len(asked.shots) + 2))
    for way in asked.ways:
        print(row(way, data, asked), flush=True)
    own = np.array([(people == p).sum() for p in people])
    print(f"| chance | {1 / len(people):.3f} / {(1 / own[own > 1]).mean():.3f} / .500 |")


def asked_for() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("ways", nargs="*", default=["probe", "cached", "adapter", "full", "flow"])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 5])
    parser.add_argument(
        "--tests", type=int, default=10, help="renditions of each sign, forward and backward, to be judged on"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="of learning")
    parser.add_argument("--backbone", type=Path, help="folder; default: DINOv2-small")
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--side", type=int, default=112, help="of the pictures, pixels")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    asked = parser.parse_args()
    asked.backbone, asked.rate = asked.backbone or model_path("dinov2_small"), None
    asked.batch = BATCH
    return asked


if __name__ == "__main__":
    main()
