"""What each kind of measure loses when frames are left out, the ground on which the default rates stand.

python benchmarks/strides.py [VIDEO ...]   # default: a minute that the simulator films at 60 frames/s, and signers

Every video is looked at once at the highest rates and then at lower ones; of each kind of measure the table gives the
median and the largest relative difference of its values from those at the highest rate, over those that are not near 0
there (a hundredth of what is plausible), and how many have no value any more.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import DATA, heading

from cueflow.flows.work.stages import video_models
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.video.analyse import Place, analyse_video

SIGNERS = DATA / "video_temporal" / "asl_sequence.mp4"
RATES = ("face_rate_hz", "body_rate_hz", "hand_rate_hz", "flow_rate_hz")
STEPS = ((60.0, 60.0, 30.0, 16.0), (30.0, 24.0, 12.0, 8.0), (20.0, 12.0, 8.0, 4.0), (10.0, 6.0, 4.0, 2.0),
         (5.0, 3.0, 2.0, 1.0))  # fmt: skip
KINDS = (
    ("blinks", 0, r"face_(blink|eye_closed)"),
    ("smiles", 0, r"face_smile"),
    ("nods and shakes", 0, r"head_(nod|shake)_rate"),
    ("head angles and nearness", 0, r"head_(pitch|yaw|roll|near|lean)"),
    ("head speed", 0, r"head_angular"),
    ("gaze", 0, r"gaze_(?!shift)"),
    ("gaze shifts", 0, r"gaze_shift"),
    ("opening of the mouth, brows, asymmetry", 0, r"face_(mouth|brow|asymmetry)"),
    ("expressivity", 0, r"face_expressivity"),
    ("scores like action units, means and spreads", 0, r"face_au\d+_(mean|sd|peak)"),
    ("their activations", 0, r"face_au\d+_act"),
    ("posture", 1, r"body_(trunk|shoulder|visible|arms)"),
    ("movement and stillness of the body", 1, r"body_(motion|still|posture)|hand_motion"),
    ("fidgeting", 1, r"hand_fidget"),
    ("hands at the face and touching", 2, r"hand_(to_face|self)"),
    ("motion of the picture", 3, r"motion_"),
)


def main(arguments: Sequence[str]) -> None:
    """Look at every video at every step."""
    with tempfile.TemporaryDirectory() as folder:
        for video in [Path(a) for a in arguments] or [_simulated(Path(folder)), SIGNERS]:
            found = [_values(video, rates) for rates in STEPS]
            print(heading(f"Frames left out of {video.name}"))
            print(
                f"| kind | rate, Hz | {' | '.join('less' for _ in STEPS[1:])} |\n|---|---|{'---|' * (len(STEPS) - 1)}"
            )
            for name, which, pattern in KINDS:
                cells = [f"{step[which]:g}: {_loss(found[0], other, pattern)}" for step, other in
                         zip(STEPS[1:], found[1:], strict=True)]  # fmt: skip
                print(f"| {name} | {STEPS[0][which]:g} | {' | '.join(cells)} |", flush=True)
            print()


def _simulated(scratch: Path) -> Path:
    effects = Effects(modalities=("video",), fps_choices=(60.0,), variable_frame_times=False, missing_share=0.0)
    simulate(scratch / "cohort", sessions=1, minutes=1.0, seed=6, effects=effects)
    return scratch / "cohort" / "s001" / "video.mp4"


def _values(video: Path, rates: Sequence[float]) -> dict[str, float]:
    config = VideoConfig(**dict(zip(RATES, rates, strict=True)))
    found = analyse_video(video, place=Place(), models=video_models(), config=config)[Role.PATIENT]
    return {m.biomarker: m.value for m in found.measures if m.window.phase == "session" and m.value is not None}


def _loss(whole: dict[str, float], less: dict[str, float], pattern: str) -> str:
    near_zero = {name: 0.01 * max(map(abs, BIOMARKERS[name].plausible)) for name in whole}
    names = [n for n, v in whole.items() if re.match(pattern, n) and abs(v) > near_zero[n]]
    off = [abs(less[n] / whole[n] - 1) for n in names if n in less]
    lost = f", {len(names) - len(off)} lost" if len(off) < len(names) else ""
    return f"{100 * np.median(off):.0f} %, {100 * max(off):.0f} %{lost}" if off else f"–{lost}"


if __name__ == "__main__":
    main(sys.argv[1:])
