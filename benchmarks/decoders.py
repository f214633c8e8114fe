"""Processor time and peak memory of the two video decoders, each in a process of its own, frames thrown away.

python benchmarks/decoders.py VIDEO [VIDEO …]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from measure import heading

from cueflow.schemas.errors import StreamError
from cueflow.tasks.video.decode import Decoder, frames

MAX_SIDE = 640


def main(arguments: Sequence[str]) -> None:
    """Print one row for each video and decoder."""
    match list(arguments):
        case ["one", decoder, video]:
            _one(Decoder(decoder), Path(video))
        case [_, *_]:
            print(heading("Decoders"))
            print("| video | decoder | frames | frames per s of processor | peak memory, MiB |\n|---|---|---|---|---|")
            for video in arguments:
                for decoder in Decoder:
                    row = [sys.executable, __file__, "one", decoder, video]
                    print(subprocess.run(row, check=True, capture_output=True, text=True).stdout.strip())
        case _:
            raise SystemExit(__doc__)


def _one(decoder: Decoder, video: Path) -> None:
    began, count = time.process_time(), 0
    try:
        for batch in frames(video, decoder=decoder, max_side=MAX_SIDE):
            count += len(batch.frames)
    except StreamError as error:
        print(f"| {video.name} | {decoder} | {error.message} | | |")
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {video.name} | {decoder} | {count} | {count / (time.process_time() - began):.0f} | {peak:.0f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
