"""Adapters against full fine-tuning on a small backbone: accuracy, share of trained numbers, time.

python benchmarks/actions_finetune.py PICTURES [--blocks 4] [--side 56] [--clips 18] [--epochs 6] [--seeds 1] [WAY …]

Clips of two seconds, one movement each (sweep, bounce, two circles, to the right, to the left), drawn as in
`actions_scene.py`; 8 subjects to learn from, 4 others to be judged on. Backbone: the first blocks of DINOv2-small.
Ways: probe (a linear layer on the mean of frozen features), cached (a temporal adapter on cached features), adapter
(temporal adapters inside the frozen network), full (every weight is trained), full+adapter (so that full fine-tuning
can see time at all). Time is that of training, features included; accuracy the mean over the seeds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from actions_scene import CLEAN, RATE, Move, Script, frames, make_look, read_pictures
from measure import heading
from torch import Tensor, nn

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.adapters.through import AdaptedBackbone, AdapterPlan
from cueflow.tasks.actions.adapters.tpu import Adapter, Unit
from cueflow.tasks.video.motion.vit import load_vit

KINDS = ("sweep", "bounce", "circle left", "circle right", "to the right", "to the left")
SUBJECTS, LEARN, STEPS = 12, 8, 16
WAYS = ("probe", "cached", "adapter", "full", "full+adapter")


def draw(pictures: list[np.ndarray], clips: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (n, T, 3, side, side), kinds (n,) and subjects (n,)."""
    pixels, kinds, subjects = [], [], []
    for subject in range(SUBJECTS):
        rng = np.random.default_rng(900 + subject)
        look = make_look(pictures, subject, 900 + subject)
        for number in range(clips):
            kind = KINDS[number % len(KINDS)]
            start = 0.0 if kind.startswith("to ") else -rng.uniform(0, 2)
            length = STEPS / RATE if kind.startswith("to ") else 6.0
            move = Move(0, kind, kind, start, start + length, rng.uniform(0.45, 0.75), rng.uniform(0.08, 0.12))
            script = Script("c", str(subject), STEPS / RATE, (move,), 9000 + 100 * subject + number)
            _, shown = next(frames(script, look, CLEAN, batch=STEPS))
            pixels.append(torch.from_numpy(shown).permute(0, 3, 1, 2).float() / 255)
            kinds.append(KINDS.index(kind))
            subjects.append(subject)
    small = nn.functional.interpolate(torch.stack(pixels).flatten(0, 1), size=(side, side), mode="area")
    return small.reshape(-1, STEPS, 3, side, side), torch.tensor(kinds), torch.tensor(subjects)


class Recogniser(nn.Module):
    """A backbone, what looks along time, and a linear layer on the pooled tokens."""

    def __init__(self, folder: Path, blocks: int, way: str) -> None:
        super().__init__()
        vit = load_vit(folder)
        del vit.layers()[blocks:]
        self.backbone = AdaptedBackbone(type(vit)(**{n: getattr(vit, n) for n in vit.__slots__} | {"blocks": blocks}))
        self.way = way
        if "adapter" in way:
            self.backbone.add("own", AdapterPlan(blocks=tuple(range(blocks))))
        if way.startswith("full"):
            self.backbone.model.requires_grad_(requires_grad=True)
        self.after = Adapter(self.backbone.width, Unit.CONV, narrow=32) if way == "cached" else None
        self.out = nn.Linear(2 * self.backbone.width, len(KINDS))
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(vit, name)).view(1, 1, 3, 1, 1))

    def tokens(self, pixels: Tensor) -> Tensor:
        """(n, T, tokens, channels)."""
        found: Tensor = self.backbone((pixels - self.mean) / self.std)
        return found

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens to logits: what stays and what changes from frame to frame, over all tokens."""
        if self.after is not None:
            tokens = self.after(tokens)
        return self.out(torch.cat([tokens.mean((1, 2)), tokens.diff(dim=1).abs().mean((1, 2))], dim=-1))


def run(way: str, data: tuple[Tensor, Tensor, Tensor], asked: argparse.Namespace, seed: int) -> tuple[float, ...]:
    """Accuracy on unseen subjects, share of trained numbers, seconds."""
    torch.manual_seed(seed)
    pixels, kinds, subjects = data
    learn, judge = subjects < LEARN, subjects >= LEARN
    model = Recogniser(asked.backbone, asked.blocks, way).to(pixels.device)
    own = [p for p in model.parameters() if p.requires_grad]
    whole = sum(p.numel() for n, p in model.backbone.model.named_parameters())
    started = time.perf_counter()
    through = way in {"adapter", "full", "full+adapter"}
    given = pixels
    if not through:
        with torch.inference_mode():
            given = torch.cat([model.tokens(pixels[k : k + 16]) for k in range(0, len(pixels), 16)]).clone()
    reach: Callable[[Tensor], Tensor] = (lambda x: model(model.tokens(x))) if through else model
    rate = {"probe": 1e-2, "cached": 2e-3, "adapter": 1e-3}.get(way, 1e-4)
    rounds = asked.epochs if through else 10 * asked.epochs
    optimiser = torch.optim.AdamW(own, lr=rate, weight_decay=0.05)
    x, y = given[learn], kinds[learn]
    for _ in range(rounds):
        for part in torch.randperm(len(x)).split(8):
            loss = nn.functional.cross_entropy(reach(x[part]), y[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    spent = time.perf_counter() - started
    with torch.inference_mode():
        said = torch.cat([reach(part) for part in given[judge].split(8)]).argmax(-1)
    return float((said == kinds[judge]).float().mean()), sum(p.numel() for p in own) / whole, spent


def main() -> None:
    """Print a row for every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("ways", nargs="*", default=WAYS)
    parser.add_argument("--backbone", type=Path, help="folder; default: DINOv2-small")
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--side", type=int, default=56, help="of the pictures, pixels")
    parser.add_argument("--clips", type=int, default=18, help="per subject")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    given.backbone = given.backbone or model_path("dinov2_small")
    torch.set_num_threads(1)
    drawn = draw(read_pictures(given.pictures), given.clips, given.side)
    data = (drawn[0].to(given.device), drawn[1].to(given.device), drawn[2].to(given.device))
    print(
        heading(f"adapters against full fine-tuning, first {given.blocks} blocks, {given.side} pixels, {given.device}")
    )
    print("| way | accuracy on unseen subjects (least, most) | trained share | s |\n|---|---|---|---|")
    for way in given.ways or WAYS:
        found = np.array([run(way, data, given, seed) for seed in range(given.seeds)])
        right, share, spent = found.mean(axis=0)
        spread = f"{right:.3f} ({found[:, 0].min():.3f}–{found[:, 0].max():.3f})"
        print(f"| {way} | {spread} | {100 * share:.1f} % | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
