"""Long simulated sessions: which flow, which temporal adapter, relations on or off; every figure of unseen subjects.

python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--size 168] [--jobs 2] [--device cpu] [--attended] look
python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--size 168] [--jobs 2] table [NAME …]
python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--size 168] pairs [NAME NAME …]

PICTURES holds photographs (*.jpg), of which the sessions are drawn (see `actions_scene.py`). `look` draws them, shows
them to the backbone at SIZE and keeps the features in FOLDER, a session a file: a second call goes on where the first
one ended. `table` compares sources of motion: NAME joins them by "+": keys, images (signed attention), attention (the
published statistic), optical, pixels, appearance; "norel" leaves the relations out, "tpu=KIND" puts a temporal adapter
before the head (conv, dilated, attention, gru), "probe" is a linear probe of single frames. Finished lines are kept in
FOLDER. Each job is a process of one thread. `pairs` compares finished lines subject by subject, which says more than
two intervals side by side.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from actions_ablation import probe
from actions_scene import (
    CLASSES,
    CLEAN,
    HARSH,
    MOTION,
    ORDERED,
    RATE,
    Script,
    frames,
    make_look,
    read_pictures,
    write_scripts,
)
from measure import heading

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.data.labels import step_labels
from cueflow.tasks.actions.judge.evaluate import Judged, bootstrap, cross_validate, report
from cueflow.tasks.actions.judge.metrics import frame_ap, frame_map
from cueflow.tasks.actions.learn.training import Clip, TrainOptions
from cueflow.tasks.actions.look.eyes import make_eyes
from cueflow.tasks.actions.look.features import FeatureBuilder
from cueflow.tasks.actions.look.sources import SOURCES
from cueflow.tasks.actions.store.files import read_features, write_features
from cueflow.tasks.actions.store.model import FeatureSetting

FLOWS = ("appearance", "pixels", "optical", "attention", "images", "keys")
NAMES = (
    "keys+appearance+probe",
    "keys",
    "optical",
    "keys+optical",
    "pixels",
    "attention",
    "images",
    "appearance",
    "keys+norel",
    "optical+norel",
    "keys+optical+norel",
    "keys+optical+appearance",
    "keys+optical+tpu=conv",
    *(f"{flow}+tpu=conv" for flow in FLOWS),
    *(f"{flow}+norel" for flow in FLOWS if flow not in {"keys", "optical"}),
    *(f"{flow}+tpu=conv+norel" for flow in FLOWS),
    "keys+tpu=dilated",
    "keys+tpu=attention",
    "keys+tpu=gru",
)
PAIRS = (
    *("keys", "keys+norel", "optical", "optical+norel", "keys+optical", "keys+optical+norel"),
    *("keys", "pixels", "keys", "attention", "keys", "appearance", "keys", "optical"),
    *("keys+optical", "keys", "keys+optical", "optical", "keys+tpu=conv", "keys"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Folds by subject, epochs, seed."""

    folds: int
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True)
class Scenes:
    """Where the pictures lie, where features are kept, and how the sessions are shown."""

    pictures: Path
    folder: Path
    backbone: Path
    size: int
    harsh: bool
    attended: bool
    device: str

    def kept(self, script: Script) -> Path:
        """The file of a session's features."""
        return self.folder / f"{script.session_id}.features"


def look(scenes: Scenes, script: Script) -> str:
    """Draw a session, show it to the backbone, keep the features; says how fast that was."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    eyes = make_eyes(scenes.backbone, attended=scenes.attended, device=scenes.device)
    builder = FeatureBuilder(eyes, size=scenes.size, aspect=1.0)
    scene = make_look(read_pictures(scenes.pictures), int(script.session_id[1:]), script.seed)
    started = time.perf_counter()
    for times, shown in frames(script, scene, HARSH if scenes.harsh else CLEAN):
        builder.add(times, shown)
    found = builder.done()
    write_features(scenes.kept(script), found)
    return f"{script.session_id}: {len(found)} frames, {len(found) / (time.perf_counter() - started):.1f} a second"


def clips_of(scenes: Scenes, scripts: list[Script]) -> list[Clip]:
    """Features and annotations of all sessions that were looked at."""
    known = {s: read_features(scenes.kept(s)) for s in scripts}
    if missing := sum(f is None for f in known.values()):
        print(f"{missing} session(s) were not looked at yet and are left out: `look` goes on with them")
    return [Clip(s.session_id, s.subject_id, f, s.actions) for s, f in known.items() if f is not None]


def judged_by(name: str, clips: Sequence[Clip], *, size: int, asked: Asked) -> list[Judged]:
    """Answers for every session of models trained without its subject."""
    parts = name.split("+")
    sources = tuple(p for p in parts if p in SOURCES)
    unit = next((p.removeprefix("tpu=") for p in parts if p.startswith("tpu=")), "")
    setting = FeatureSetting("", RATE, size, sources, "appearance" in parts)
    if "probe" in parts:
        return probe(clips, CLASSES, setting, folds=asked.folds)
    options = TrainOptions(
        epochs=asked.epochs,
        patience=asked.epochs,
        learning_rate=4e-3,
        cover=1.0,
        batch=4,
        relations="norel" not in parts,
        unit=unit,
        seed=asked.seed,
    )
    return cross_validate(clips, CLASSES, setting, folds=asked.folds, options=options)


def figures(judged: Sequence[Judged], *, plain: bool, seed: int) -> dict[str, Any]:
    """Frame mAP over all, over motion and over ordered classes, with intervals over subjects; event mAP, segment F1."""
    columns = {
        "all": list(range(len(CLASSES))),
        "motion": [CLASSES.index(c) for c in MOTION],
        "ordered": [CLASSES.index(c) for c in ORDERED],
    }
    found: dict[str, Any] = {}
    for group, own in columns.items():
        part = [replace(j, probability=j.probability[:, own], truth=j.truth[:, own]) for j in judged]
        scores, truth = (np.concatenate([getattr(j, n) for j in part]) for n in ("probability", "truth"))
        found[group] = [frame_map(scores, truth), *bootstrap(part, seed=seed)]
    scores, truth = (np.concatenate([getattr(j, n) for j in judged]) for n in ("probability", "truth"))
    found["classes"] = dict(zip(CLASSES, frame_ap(scores, truth).tolist(), strict=True))
    found["subjects"] = {j.subject_id: frame_map(j.probability, j.truth) for j in judged}
    if plain:
        return found
    whole = report(judged, CLASSES, rate_hz=RATE)
    return found | {"event": whole["event_map"], "segment": whole["segment_f1"], "conditional": whole["conditional"]}


def line(name: str, found: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [name, *("{:.3f} ({:.3f}–{:.3f})".format(*found[g]) for g in ("all", "motion", "ordered"))]
    cells += [f"{found['event']['0.5']:.3f}", f"{found['segment']['0.5']:.3f}"] if "event" in found else ["–", "–"]
    cells += [f"{found['classes'][c]:.2f}" for c in CLASSES]
    return "| " + " | ".join([*cells, f"{found['s']:.0f}"]) + " |"


def finished(scenes: Scenes, sessions: int, name: str, asked: Asked) -> Path:
    """The file of a finished line."""
    kind = f"n{sessions}f{asked.folds}e{asked.epochs}s{asked.seed}"
    return scenes.folder / f"{name.replace('=', '_')}.{kind}.json"


def measured(scenes: Scenes, scripts: list[Script], name: str, asked: Asked) -> str:
    """Train and measure one line, unless the folder holds it."""
    torch.set_num_threads(1)
    clips = clips_of(scenes, scripts)
    file = finished(scenes, len(clips), name, asked)
    if not file.is_file():
        started = time.perf_counter()
        judged = judged_by(name, clips, size=scenes.size, asked=asked)
        found = figures(judged, plain="probe" in name, seed=asked.seed)
        file.write_text(json.dumps(found | {"s": time.perf_counter() - started}))
    return line(name, json.loads(file.read_text()))


def table(scenes: Scenes, scripts: list[Script], names: Sequence[str], *, asked: Asked, jobs: int) -> None:
    """Print a line for each name, in their order."""
    head = ["what", "frame mAP (95 %)", "motion classes", "classes with order", "event mAP .5", "segment F1 .5"]
    head += [*CLASSES, "s"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for row in pool.map(measured, repeat(scenes), repeat(scripts), names, repeat(asked)):
            print(row, flush=True)
    clips = clips_of(scenes, scripts)
    truth = np.concatenate([step_labels(c.actions, c.features.times_s, CLASSES) for c in clips]).mean(axis=0)
    print(f"| chance | {truth.mean():.3f} | | | | | " + " | ".join(f"{x:.2f}" for x in truth) + " | |")


def pairs(scenes: Scenes, sessions: int, names: Sequence[str], asked: Asked) -> None:
    """Mean difference of the subjects' frame mAP, first less second, with an interval over resampled subjects."""
    print("| first | second | difference (95 %) | subjects that gain |\n|---|---|---|---|")
    for first, second in zip(names[::2], names[1::2], strict=True):
        files = [finished(scenes, sessions, n, asked) for n in (first, second)]
        if not all(f.is_file() for f in files):
            continue
        one, two = (json.loads(f.read_text())["subjects"] for f in files)
        gain = np.array([one[s] - two[s] for s in one])
        drawn = np.random.default_rng(asked.seed).integers(len(gain), size=(2000, len(gain)))
        low, high = np.percentile(gain[drawn].mean(axis=1), [2.5, 97.5])
        print(
            f"| {first} | {second} | {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}) | {(gain > 0).sum()}/{len(gain)} |"
        )


def main() -> None:
    """Do one of the three things."""
    given = asked_for()
    folder = given.folder / f"{'harsh' if given.harsh else 'clean'}_{given.size}_{given.minutes:g}min"
    folder.mkdir(parents=True, exist_ok=True)
    backbone = given.backbone or model_path("dinov2_small")
    scenes = Scenes(given.pictures, folder, backbone, given.size, given.harsh, given.attended, given.device)
    scripts = write_scripts(given.subjects, given.minutes, seed=0)
    if given.what == "look":
        waiting = [s for s in scripts if not scenes.kept(s).is_file()]
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
            for said in pool.map(look, repeat(scenes), waiting):
                print(said, flush=True)
        return
    asked = Asked(given.folds, given.epochs, given.seed)
    print(heading(f"actions, {len(scripts)} simulated sessions of {given.minutes:g} minutes, {folder.name}"))
    if given.what == "table":
        table(scenes, scripts, given.names or NAMES, asked=asked, jobs=given.jobs)
    else:
        pairs(scenes, len(scripts), given.names or PAIRS, asked)


def asked_for() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("look", "table", "pairs"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--harsh", action="store_true", help="flicker, sensor noise and strong changes of light")
    parser.add_argument("--attended", action="store_true", help="look: attention, too; slower")
    parser.add_argument("--size", type=int, default=168)
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--backbone", type=Path, help="folder; default: DINOv2-small")
    parser.add_argument("--device", default="cpu", help="where the backbone runs: cpu or cuda")
    return parser.parse_args()


if __name__ == "__main__":
    main()
