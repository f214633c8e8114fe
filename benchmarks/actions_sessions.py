"""Long simulated sessions: which flow, which temporal adapter, relations on or off; every figure of unseen subjects.

python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--subjects 12] [--minutes 10] look
python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--folds 3] [--epochs 12] table [NAME …]

PICTURES holds photographs (*.jpg), of which the sessions are drawn (see `actions_scene.py`). `look` draws the sessions
at the backbone's own size and keeps what the backbone says of them in FOLDER, a session a file: a second call goes on
where the first one ended. `table` compares sources of motion: NAME joins them by "+": keys, images (signed attention),
attention (the published statistic), optical, pixels, appearance; "norel" leaves the relations out, "tpu=KIND" puts a
temporal adapter before the head (conv, dilated, attention, gru), "probe" is a linear probe of single frames. Finished
lines are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from actions_scene import CLEAN, HARSH, RATE, SIZE, Script, frames, make_look, read_pictures, write_scripts
from safetensors.numpy import load_file, save_file

from cueflow.flows.stages import model_path
from cueflow.tasks.actions.features import ClipFeatures, FeatureBuilder, Looks, make_backbone, see
from cueflow.tasks.actions.files import read_features, write_features

LAYERS = (8, 9, 10, 11)
HALF = ("keys", "images", "attention", "tokens")


def look(scripts: list[Script], pictures: list[np.ndarray], folder: Path, *, harsh: bool) -> None:
    """Draw every session and keep what the backbone says of it."""
    import torch

    torch.set_num_threads(1)
    backbone = make_backbone(model_path("dinov2_small"), attention_layers=LAYERS)
    for script in scripts:
        file, number = folder / f"{script.session_id}.looks", int(script.session_id[1:])
        if file.is_file():
            continue
        started, parts = time.perf_counter(), []
        scene = make_look(pictures, number, script.seed)
        for times, shown in frames(script, scene, HARSH if harsh else CLEAN):
            seen = see(backbone, times, shown, size=SIZE)
            parts.append({n: getattr(seen, n).astype(np.float16) if n in HALF else getattr(seen, n) for n in Looks.__slots__})
        whole = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        save_file(whole, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
        spent = time.perf_counter() - started
        print(f"{script.session_id}: {len(whole['times_s'])} frames, {len(whole['times_s']) / spent:.1f} a second", flush=True)


def features(scripts: list[Script], folder: Path) -> list[ClipFeatures]:
    """Features of all sessions, made once."""
    found = []
    for script in scripts:
        file = folder / f"{script.session_id}.features"
        known = read_features(file)
        if known is None:
            kept = load_file(folder / f"{script.session_id}.looks")
            builder = FeatureBuilder(aspect=1.0)
            for first in range(0, len(kept["times_s"]), 256):
                part = {n: x[first : first + 256] for n, x in kept.items()}
                builder.add(Looks(**{n: x.astype(np.float32) if n in HALF else x for n, x in part.items()}))
            known = builder.done()
            write_features(file, known)
        found.append(known)
    return found


def main() -> None:
    """Do one of the two things."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("look", "table"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--harsh", action="store_true", help="flicker, sensor noise and strong changes of light")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args()
    folder = given.folder / f"{'harsh' if given.harsh else 'clean'}_{given.minutes:g}min"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = write_scripts(given.subjects, given.minutes, seed=1 if given.harsh else 0)
    if given.what == "look":
        look(scripts, read_pictures(given.pictures), folder, harsh=given.harsh)


if __name__ == "__main__":
    main()
