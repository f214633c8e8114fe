"""What the flow costs beside its backbone, by size: the same backbone without it, in turns on one machine.

python benchmarks/actions_speed.py [--threads 2] [--frames 64] [--rounds 5] [SIZE …]

Plain: the whole model with SDPA. With maps: keys of blocks 5 and 8, attention of the last four. Motion stage: that
and the flow. Action path: attention images, tokens and all five sources too. Medians of rounds that take turns; GEMM:
floating point operations of a plain pass over the rate of a large matrix product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from measure import heading

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.features import FeatureBuilder, make_backbone, see
from cueflow.tasks.video.motion.backbone import CHUNK, Backbone
from cueflow.tasks.video.motion.track import KEY_LAYERS, MotionBuilder
from cueflow.tasks.video.motion.vit import load_vit


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
    """The four things that are timed, on the same frames."""

    def __init__(self) -> None:
        folder = model_path("dinov2_small")
        self._plain = load_vit(folder)
        self._flow = Backbone(folder, key_layers=KEY_LAYERS, attention_layers=(8, 9, 10, 11))
        self._whole = make_backbone(folder)

    def of(self, size: int, count: int) -> tuple[Callable[[], object], ...]:
        """Plain pass, pass with maps, motion stage, action path."""
        pictures = np.random.default_rng(0).integers(0, 255, (count, size, size, 3), dtype=np.uint8)
        pixels, times = torch.randn(count, 3, size, size), np.arange(count) / 8

        def plain() -> None:
            with torch.inference_mode():
                for first in range(0, count, CHUNK):
                    self._plain.run(pixels[first : first + CHUNK])

        return (
            plain,
            lambda: self._flow.maps(pictures, size=size),
            lambda: MotionBuilder(self._flow, size=size, aspect=1.0).add(times, pictures),
            lambda: FeatureBuilder(aspect=1.0).add(see(self._whole, times, pictures, size=size)),
        )


def main() -> None:
    """Print a row for every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[84, 112, 154, 224])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    made = Works()
    print(heading(f"flow beside its backbone, {given.threads} threads"))
    head = ["size", "plain frames/s", "share of GEMM", "with maps", "of plain", "motion stage", "of plain"]
    print("| " + " | ".join([*head, "action path", "of plain"]) + " |\n|" + "---|" * 9)
    for size in given.sizes:
        works = made.of(size, given.frames)
        for work in works:
            work()
        spent = np.array([[seconds(work) for work in works] for _ in range(given.rounds)])
        rates = given.frames / np.median(spent, axis=0)
        limit = gemm_rate() / operations((size // 14) ** 2 + 1)
        cells = [str(size), f"{rates[0]:.1f}", f"{rates[0] / limit:.2f}"]
        for rate in rates[1:]:
            cells += [f"{rate:.1f}", f"{rate / rates[0]:.2f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
