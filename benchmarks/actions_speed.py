"""What the flow costs beside its backbone, by size: the same backbone without it, in turns on one machine.

python benchmarks/actions_speed.py [--threads 2] [--frames 64] [--rounds 5] [SIZE …]

Plain: the whole model with SDPA. Keys: what actions are read from, beside the same blocks without hooks. Attention:
keys and attention of the last four blocks, beside the whole model; motion stage: that and the flow. Action path: keys
as far as they need, optical flow, appearance twice a second. Medians of rounds that take turns; GEMM: floating point
operations of a plain pass over the rate of a large matrix product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from measure import heading

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.look.eyes import make_eyes
from cueflow.tasks.actions.look.features import FeatureBuilder
from cueflow.tasks.video.motion.backbone import Backbone, frames_at_once
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder
from cueflow.tasks.video.motion.vit import Vit, load_vit

RATE = 8.0


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def gemm_rate() -> float:
    """Operations a second of a large matrix product."""
    a = torch.randn(1536, 1536)
    a @ a
    return 2 * 1536**3 / float(np.median([seconds(lambda: a @ a) for _ in range(9)]))


def operations(tokens: int, width: int = 384, blocks: int = 12) -> float:
    """Of one frame: projections and feed-forward part, and the attention itself."""
    return blocks * (24 * tokens * width**2 + 4 * tokens**2 * width)


class Works:
    """The things that are timed, on the same frames."""

    def __init__(self) -> None:
        folder = model_path("dinov2_small")
        self._plain, self._short = load_vit(folder), load_vit(folder)
        del self._short.layers()[KEY_LAYERS[-1] + 1 :]
        self._flow = Backbone(folder, key_layers=KEY_LAYERS, attention_layers=(8, 9, 10, 11))
        self._eyes = make_eyes(folder)

    def of(self, size: int, count: int) -> tuple[Callable[[], object], ...]:
        """Plain pass, its first blocks alone, those with keys, pass with attention, motion stage, action path."""
        pictures = np.random.default_rng(0).integers(0, 255, (count, size, size, 3), dtype=np.uint8)
        pixels, times = torch.randn(count, 3, size, size), np.arange(count) / 8

        step = frames_at_once((size // 14) ** 2 + 1)

        def plain(vit: Vit) -> None:
            with torch.inference_mode():
                for first in range(0, count, step):
                    vit.run(pixels[first : first + step])

        return (
            lambda: plain(self._plain),
            lambda: plain(self._short),
            lambda: self._eyes.flow.maps(pictures, size=size),
            lambda: self._flow.maps(pictures, size=size),
            lambda: MotionBuilder(self._flow, size=size, aspect=1.0).add(times, pictures),
            lambda: FeatureBuilder(self._eyes, size=size, aspect=1.0).add(times, pictures),
        )


def main() -> None:
    """Print a row for every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[112, 140, 168, 224])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    made = Works()
    print(heading(f"flow beside its backbone, {given.threads} threads"))
    head = ["size", "plain frames/s", "share of GEMM", "keys", "of the same blocks", "attention", "of plain"]
    head += ["motion stage", "of plain", "action path", f"of real time at {RATE:g} frames/s"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for size in given.sizes:
        works = made.of(size, given.frames)
        for work in works:
            work()
        spent = np.array([[seconds(work) for work in works] for _ in range(given.rounds)])
        rates = given.frames / np.median(spent, axis=0)
        limit = gemm_rate() / operations((size // 14) ** 2 + 1)
        plain, short, keys, attention, motion, path = rates
        cells = [f"{size}", f"{plain:.1f}", f"{plain / limit:.2f}", f"{keys:.1f}", f"{keys / short:.2f}"]
        cells += [f"{attention:.1f}", f"{attention / plain:.2f}", f"{motion:.1f}", f"{motion / plain:.2f}"]
        cells += [f"{path:.1f}", f"{RATE / path:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
