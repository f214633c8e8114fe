"""Adapters against full fine-tuning on a small backbone: accuracy, share of trained numbers, time.

python benchmarks/actions_finetune.py PICTURES [--blocks 6] [--side 112] [--clips 36] [--epochs 30] [--seeds 1] [WAY …]

Clips of two seconds, one movement each (sweep, bounce, two circles, to the right, to the left), drawn as in
`actions_scene.py`; 18 subjects to learn from, 6 others to be judged on. Backbone: the first blocks of DINOv2-small.
Ways: probe (a linear layer on the frozen tokens, pooled to 4 × 4 cells, mean and spread over time), cached (a temporal
adapter on cached tokens), adapter (temporal adapters inside the frozen network), full (every weight is trained),
full+adapter. All but the probe end in the same small head, which keeps places and looks along time. Rates rise for a
tenth of the steps, then fall to zero. Time is that of training, cached features included; accuracy the mean of seeds.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from actions_scene import CLEAN, RATE, Move, Script, frames, make_look, read_pictures
from measure import heading
from torch import Tensor, nn

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.adapters.learning import varied
from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan
from cueflow.tasks.actions.adapters.tpu import Adapter, Unit
from cueflow.tasks.video.motion.vit import load_vit

KINDS = ("sweep", "bounce", "circle left", "circle right", "to the right", "to the left")
SUBJECTS, LEARN, STEPS, BATCH = 24, 18, 16, 16
WAYS = ("probe", "cached", "adapter", "full", "full+adapter")
RATES = {"probe": 1e-2, "cached": 1e-3, "adapter": 1e-3, "full": 3e-5, "full+adapter": 3e-5}  # of all but the head
HEAD_RATE = 1e-3


def clips_of(folder: Path, subject: int, clips: int, side: int) -> np.ndarray:
    """A subject's clips, every kind equally often: (clips, T, side, side, 3)."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(900 + subject)
    look, shown = make_look(read_pictures(folder), subject, 900 + subject), []
    for number in range(clips):
        kind = KINDS[number % len(KINDS)]
        start = 0.0 if kind.startswith("to ") else -rng.uniform(0, 2)
        length = STEPS / RATE if kind.startswith("to ") else 6.0
        move = Move(0, kind, kind, start, start + length, rng.uniform(0.45, 0.75), rng.uniform(0.08, 0.12))
        script = Script("c", str(subject), STEPS / RATE, (move,), 9000 + 100 * subject + number)
        clip = next(frames(script, look, CLEAN, batch=STEPS))[1]
        shown.append(np.stack([cv2.resize(x, (side, side), interpolation=cv2.INTER_AREA) for x in clip]))
    return np.stack(shown)


def draw(folder: Path, clips: int, side: int, jobs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (n, T, 3, side, side) of 0 to 255, kinds (n,) and subjects (n,)."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        given = repeat(folder), range(SUBJECTS), repeat(clips), repeat(side)
        drawn = np.concatenate(list(pool.map(clips_of, *given)))
    kinds = torch.arange(clips).remainder(len(KINDS)).repeat(SUBJECTS)
    pixels = torch.from_numpy(drawn).permute(0, 1, 4, 2, 3).contiguous()
    return pixels, kinds, torch.arange(SUBJECTS).repeat_interleave(clips)


class Head(nn.Module):
    """A few numbers of each patch, where it is, two convolutions along time, their mean."""

    def __init__(self, width: int, patches: int, kinds: int) -> None:
        super().__init__()
        self.what = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 16))
        self.along = nn.Sequential(
            nn.Dropout(0.2),
            nn.Conv1d(16 * patches, 64, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(64, 64, 3, padding=1),
            nn.GELU(),
        )
        self.out = nn.Linear(64, kinds)

    def forward(self, patches: Tensor) -> Tensor:
        """(n, T, P, width) to logits (n, kinds)."""
        found: Tensor = self.out(self.along(self.what(patches).flatten(2).transpose(1, 2)).mean(-1))
        return found


class Probe(nn.Module):
    """One linear layer on cells of 4 × 4, their mean and spread over time."""

    def __init__(self, width: int, kinds: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2 * 16 * width, affine=False)
        self.out = nn.Linear(2 * 16 * width, kinds)

    def forward(self, patches: Tensor) -> Tensor:
        """(n, T, P, width) to logits (n, kinds)."""
        side = round(patches.shape[2] ** 0.5)
        grid = patches.flatten(0, 1).transpose(1, 2).unflatten(2, (side, side))
        cells = nn.functional.adaptive_avg_pool2d(grid, 4).flatten(1).reshape(*patches.shape[:2], -1)
        found: Tensor = self.out(self.norm(torch.cat([cells.mean(1), cells.std(1)], dim=-1)))
        return found


class Recogniser(nn.Module):
    """A backbone, what looks along time, and a head."""

    def __init__(self, asked: argparse.Namespace, way: str, kinds: int = len(KINDS)) -> None:
        super().__init__()
        vit = load_vit(asked.backbone)
        del vit.layers()[asked.blocks :]
        whole = {n: getattr(vit, n) for n in vit.__slots__} | {"blocks": asked.blocks}
        self.backbone = AdaptedBackbone(type(vit)(**whole))
        self.through = way in {"adapter", "full", "full+adapter"}
        if "adapter" in way:
            self.backbone.add("own", AdapterPlan(blocks=tuple(range(asked.blocks))))
        if way.startswith("full"):
            self.backbone.model.requires_grad_(requires_grad=True)
        self.after = Adapter(self.backbone.width, Unit.CONV) if way == "cached" else None
        patches = (asked.side // vit.patch) ** 2
        width = self.backbone.width
        self.head = Probe(width, kinds) if way == "probe" else Head(width, patches, kinds)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(vit, name)).view(1, 1, 3, 1, 1))

    def tokens(self, pixels: Tensor) -> Tensor:
        """(n, T, 3, side, side) to patches (n, T, P, channels)."""
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=pixels.is_cuda):
            found: Tensor = self.backbone((pixels - self.mean) / self.std)
        found = found.float()
        return found[:, :, self.backbone.vit.leading :]

    def forward(self, given: Tensor) -> Tensor:
        """Pixels, or cached patches, to logits."""
        patches = self.tokens(given) if self.through else given
        return self.head(patches if self.after is None else self.after(patches))


def learn(model: Recogniser, x: Tensor, y: Tensor, *, way: str, asked: argparse.Namespace) -> None:
    """AdamW with warm-up and cosine; what is learned inside the network sees every clip varied anew."""
    own = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith("head.")]
    groups = [{"params": own, "lr": asked.rate or RATES[way]}] if own else []
    groups.append({"params": list(model.head.parameters()), "lr": HEAD_RATE if way != "probe" else RATES["probe"]})
    optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
    steps = asked.epochs * -(-len(x) // asked.batch)
    turn = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: min(1.0, 10 * (k + 1) / steps) * 0.5 * (1 + math.cos(math.pi * k / steps))
    )
    model.train()
    for _ in range(asked.epochs):
        for part in torch.randperm(len(x)).split(asked.batch):
            shown = varied(x[part].float() / 255) if model.through else x[part].float()
            loss = nn.functional.cross_entropy(model(shown), y[part])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
            optimiser.step()
            turn.step()
    model.eval()


def run(way: str, data: tuple[Tensor, Tensor, Tensor], asked: argparse.Namespace, seed: int) -> tuple[float, ...]:
    """Accuracy on unseen subjects and on those learned from, share of trained numbers, seconds."""
    torch.manual_seed(seed)
    pixels, kinds, subjects = data
    met = subjects < LEARN
    model = Recogniser(asked, way).to(pixels.device)
    whole = sum(p.numel() for n, p in model.backbone.model.named_parameters())
    own = sum(p.numel() for n, p in model.named_parameters() if p.requires_grad and not n.startswith("head."))
    started = time.perf_counter()
    given = pixels
    if not model.through:
        with torch.inference_mode():
            given = torch.cat([model.tokens(part.float() / 255).half() for part in pixels.split(BATCH)]).clone()
    learn(model, given[met], kinds[met], way=way, asked=asked)
    spent = time.perf_counter() - started
    with torch.inference_mode():
        scale = 255 if model.through else 1
        said = torch.cat([model(part.float() / scale) for part in given.split(BATCH)]).argmax(-1)
    right = (said == kinds).float()
    return float(right[~met].mean()), float(right[met].mean()), own / whole, spent


def main() -> None:
    """Print a row for every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("ways", nargs="*", default=WAYS)
    parser.add_argument("--backbone", type=Path, help="folder; default: DINOv2-small")
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--side", type=int, default=112, help="of the pictures, pixels")
    parser.add_argument("--clips", type=int, default=36, help="per subject")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=BATCH, help="clips in a step")
    parser.add_argument("--rate", type=float, help="of learning, of all but the head, in place of the way's own")
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    given.backbone = given.backbone or model_path("dinov2_small")
    drawn = draw(given.pictures, given.clips, given.side, given.jobs)
    data = (drawn[0].to(given.device), drawn[1].to(given.device), drawn[2].to(given.device))
    print(
        heading(
            f"adapters against full fine-tuning, first {given.blocks} blocks, {given.side} pixels, {given.device}, "
            f"{given.clips} clips of a subject, {given.epochs} epochs, {given.batch} clips in a step"
        )
    )
    print(
        "| way | accuracy on unseen subjects (least, most) | on those met | trained share | s |\n|---|---|---|---|---|"
    )
    for way in given.ways or WAYS:
        found = np.array([run(way, data, given, seed) for seed in range(given.seeds)])
        right, met, share, spent = found.mean(axis=0)
        spread = f"{right:.3f} ({found[:, 0].min():.3f}–{found[:, 0].max():.3f})"
        print(f"| {way} | {spread} | {met:.3f} | {100 * share:.1f} % | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
